//! What was said during a run, line by line.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::event::{Body, Event, StepError, StepPath, Time};

/// A line of what a run has said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LogLine {
    /// Number of the event that holds it.
    pub seq: u64,
    /// When.
    pub at: Time,
    /// Which step; null for the run itself.
    pub step: Option<StepPath>,
    /// How much it matters.
    pub level: Level,
    /// What was said.
    pub text: String,
}

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// It goes as it should.
    Info,
    /// Something to look at.
    Warning,
    /// Something failed.
    Error,
}

/// What was said, of all steps or of one with its parts.
pub(crate) fn of(events: &[Event], step: Option<&StepPath>) -> Vec<LogLine> {
    let wanted = |event: &&Event| match (step, event.body.step()) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(wanted), Some(path)) => is_part(&path.0, &wanted.0),
    };
    events.iter().filter(wanted).flat_map(lines).collect()
}

fn is_part(path: &str, of: &str) -> bool {
    path.strip_prefix(of).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '[', '#']))
}

fn lines(event: &Event) -> Vec<LogLine> {
    let line = |level, text: &str| LogLine {
        seq: event.seq,
        at: event.at,
        step: event.body.step().cloned(),
        level,
        text: text.trim_end().to_owned(),
    };
    match &event.body {
        Body::StepProgress { message, mistake, .. } => {
            vec![line(if mistake.is_some() { Level::Warning } else { Level::Info }, message)]
        }
        Body::StepRetrying { attempt, error, .. } => {
            let text = format!("attempt {attempt} failed and is repeated: {}", error.message);
            said(error).map(|said| line(Level::Info, said)).chain([line(Level::Warning, &text)]).collect()
        }
        Body::HealStarted { rule, .. } => {
            vec![line(Level::Warning, &format!("the heal rule `{rule}` is tried"))]
        }
        Body::HealFinished { rule, healed, note, .. } => {
            let how = if *healed { "worked" } else { "did not help" };
            let note = if note.is_empty() { String::new() } else { format!(": {note}") };
            vec![line(Level::Info, &format!("the heal rule `{rule}` {how}{note}"))]
        }
        Body::StepFailed { error, .. } => said(error)
            .map(|said| line(Level::Info, said))
            .chain([line(Level::Error, &error.message)])
            .collect(),
        Body::StepSkipped { reason, .. } => vec![line(Level::Info, &format!("skipped: {reason}"))],
        Body::ConfirmRequested { message, .. } => vec![line(Level::Info, &format!("asks: {message}"))],
        Body::ConfirmAnswered { answer, by, .. } => {
            vec![line(Level::Info, &format!("answered `{answer}` by {by}"))]
        }
        Body::CancelRequested { by, reason } => {
            let reason = if reason.is_empty() { String::new() } else { format!(": {reason}") };
            vec![line(Level::Warning, &format!("{by} asked for the end{reason}"))]
        }
        Body::RunResumed { ended, changed, .. } => {
            std::iter::once("another process took the run over".to_owned())
                .chain(
                    ended
                        .iter()
                        .map(|name| format!("ended `{name}`, which the process before had left running")),
                )
                .chain(changed.iter().map(|name| format!("`{name}` is not what it was when the run started")))
                .map(|text| line(Level::Warning, &text))
                .collect()
        }
        Body::SkillFailed { error, .. } => vec![line(Level::Error, &error.message)],
        _ => Vec::new(),
    }
}

/// What the failed call had printed, line by line.
fn said(error: &StepError) -> impl Iterator<Item = &str> {
    let streams = ["stdout", "stderr"].into_iter().filter_map(|name| error.details.get(name));
    streams.filter_map(Value::as_str).flat_map(str::lines).filter(|line| !line.trim().is_empty())
}
