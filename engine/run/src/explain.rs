//! Why a run failed, small and always the same for the same history.
//!
//! Reading order: the types here, [`failure`] (which step it was), [`origin`] (where its arguments
//! came from), [`difference`] (what was not so when it last went well), [`next`] (what can be done).
//! It reads journals and plans and nothing else, so whoever may read those may read it. Secrets are
//! references in a history and names here.

mod difference;
mod failure;
mod next;
mod origin;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

pub use self::difference::{Change, Changes, StepChange, changed};
pub(crate) use self::failure::Fared;
pub use self::next::{Action, Next};
pub use self::origin::{Given, Source, SourceKind};
use crate::event::{Body, RunId, StepError, StepPath};
use crate::store::{History, RunStatus};

/// Longest text of a value or message, in characters; what is longer is cut and says so.
const LONGEST: usize = 300;
/// Most entries of a list.
const MOST: usize = 12;

/// Why a run is where it is.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Explanation {
    /// Which run.
    pub run: RunId,
    /// Canonical name of its skill.
    pub skill: String,
    /// Where it stands.
    pub status: RunStatus,
    /// It in a sentence.
    pub summary: String,
    /// The step that failed, or that it waits for; null when all is well.
    pub step: Option<StepReport>,
    /// What was different when the skill last succeeded; null when it never has, or nothing failed.
    pub changes: Option<Changes>,
    /// What memory knows about the failure.
    pub known_issues: Vec<Value>,
    /// What can be done, the most sensible first.
    pub next: Vec<Next>,
}

/// A step, as far as it matters for why it failed.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct StepReport {
    /// Which.
    pub path: StepPath,
    /// What kind of step.
    pub kind: String,
    /// The tool or skill that it calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Where it is written: `SKILL, line N`; empty for a call of a block.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub written: String,
    /// Why it failed; null when it has not.
    pub error: Option<StepError>,
    /// How often it was tried.
    pub attempts: u32,
    /// What it was called with, and where that came from.
    pub args: Vec<Given>,
    /// What was tried to mend it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub heals: Vec<HealReport>,
}

/// An attempt to mend a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct HealReport {
    /// By which rule.
    pub rule: String,
    /// What it called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Whether its call worked; null when it is not over.
    pub healed: Option<bool>,
    /// Why the call was not made; empty when it was.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub note: String,
}

impl History {
    /// Whether the run only showed what it would do.
    pub(crate) fn is_dry(&self) -> bool {
        matches!(self.events.first().map(|event| &event.body), Some(Body::SkillStarted { dry_run: true, .. }))
    }
}

/// Explains a run by its history and that of the last one that went well.
pub(crate) fn explain(history: &History, good: Option<&History>) -> Explanation {
    let failure = failure::find(history);
    let step = failure.as_ref().map(|failure| failure::report(history, failure));
    let failed = step.as_ref().filter(|step| step.error.is_some());
    let troubled = failed.is_some() || history.run.status == RunStatus::Failed;
    let good = good.filter(|_| troubled);
    let changes = good.map(|good| difference::between(good, history, failed));
    let mut explanation = Explanation {
        run: history.run.id,
        skill: history.run.skill.clone(),
        status: history.run.status,
        summary: summary(history, step.as_ref()),
        next: next::all(history, step.as_ref(), good.map(|good| good.run.id)),
        step,
        changes,
        known_issues: Vec::new(),
    };
    if let Some(error) = explanation.step.as_mut().and_then(|step| step.error.as_mut()) {
        shorten_error(error);
    }
    explanation
}

/// A step of a run, whether it has failed or not.
pub(crate) fn of_step(history: &History, step: &StepPath) -> StepReport {
    failure::report(history, &failure::Failure { step: step.clone(), error: None })
}

/// How the step that failed in one run fared in another; well, when none has failed.
pub(crate) fn fared(other: &History, bad: &History) -> Fared {
    failure::find(bad).map_or(Fared::Well, |failure| failure::fared(&other.events, &failure.step))
}

/// Cuts what memory knows to what fits.
pub(crate) fn shorten_issues(issues: &mut Vec<Value>) {
    issues.truncate(MOST);
    for issue in issues {
        match issue {
            Value::Object(entries) => entries.values_mut().for_each(|value| *value = brief(value)),
            other => *other = brief(other),
        }
    }
}

fn summary(history: &History, step: Option<&StepReport>) -> String {
    let History { run, .. } = history;
    let head = format!("run {} of `{}`", run.id, run.skill);
    let what = match (run.status, step) {
        (RunStatus::Failed, Some(step)) => {
            let why = step.error.as_ref().map_or(run.error.as_str(), |error| error.message.as_str());
            format!("failed at step `{}`: {why}", step.path)
        }
        (RunStatus::Failed, None) => format!("failed: {}", run.error),
        (RunStatus::Completed, None) => "succeeded".to_owned(),
        (RunStatus::Completed, Some(step)) => {
            format!("succeeded, though step `{}` failed and it went on without it", step.path)
        }
        (RunStatus::Cancelled, _) => "was cancelled".to_owned(),
        (_, Some(step)) if run.interrupted => {
            format!("was interrupted: its process ended while step `{}` was under way", step.path)
        }
        (_, None) if run.interrupted => "was interrupted: its process ended".to_owned(),
        (RunStatus::Waiting, Some(step)) => format!("waits for a person at step `{}`", step.path),
        (RunStatus::Waiting, None) => "waits for a person".to_owned(),
        (RunStatus::Running, Some(step)) => format!("is running, at step `{}`", step.path),
        (RunStatus::Running, None) => "is running".to_owned(),
    };
    brief_text(&format!("{head} {what}"))
}

/// A text that is not too long; a reference to a secret is its name.
fn brief_text(text: &str) -> String {
    let text = aa_spec::template::seal::show_text(text);
    let mut chars = text.char_indices().skip(LONGEST);
    match chars.next() {
        None => text,
        Some((at, _)) => format!("{}… ({} bytes)", &text[..at], text.len()),
    }
}

/// A value that is not too long: as it is, or else the beginning of its JSON.
fn brief(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(brief_text(text)),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        Value::Array(_) | Value::Object(_) => {
            let mut shown = value.clone();
            aa_spec::template::seal::show(&mut shown);
            let text = shown.to_string();
            if text.len() <= LONGEST { shown } else { Value::String(brief_text(&text)) }
        }
    }
}

fn shorten_error(error: &mut StepError) {
    error.message = brief_text(&error.message);
    if let Value::Object(details) = &mut error.details {
        details.values_mut().for_each(|value| *value = ending(value));
    } else {
        error.details = brief(&error.details);
    }
}

/// What was printed says most at its end.
fn ending(value: &Value) -> Value {
    let Value::String(text) = value else { return brief(value) };
    let text = aa_spec::template::seal::show_text(text);
    let count = text.chars().count();
    if count <= 2 * LONGEST {
        return Value::String(text);
    }
    let tail: String = text.chars().skip(count - 2 * LONGEST).collect();
    Value::String(format!("({} bytes) …{tail}", text.len()))
}

#[cfg(test)]
mod tests;
