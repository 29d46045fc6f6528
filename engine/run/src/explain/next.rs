//! What can be done about a run.

use aa_spec::form;
use aa_spec::template::seal;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{MOST, StepReport, origin};
use crate::event::{Body, RunId};
use crate::standing::Standing;
use crate::store::{History, RunStatus};

/// What the name of a run begins with that is a single call of a tool.
const SINGLE: &str = "call:";
/// Longest command; beyond it, inputs are taken from a file.
const LONGEST: usize = 400;

/// Something that can be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Next {
    /// What it is.
    pub action: Action,
    /// How, on a command line.
    pub command: String,
    /// When that makes sense.
    pub why: String,
}

/// A kind of thing that can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Start again, from the beginning.
    Retry,
    /// Go on where it stopped.
    Resume,
    /// Answer its question.
    Answer,
    /// Say how a step with unknown outcome ended.
    Resolve,
    /// Look into the tool.
    DebugTool,
    /// Take back what it did.
    Undo,
    /// Compare it with the run that went well.
    Compare,
}

/// Everything that can be done, the most sensible first.
pub(super) fn all(history: &History, step: Option<&StepReport>, good: Option<RunId>) -> Vec<Next> {
    let run = &history.run;
    let mut all = Vec::new();
    match run.status {
        RunStatus::Running | RunStatus::Waiting => open(history, &mut all),
        RunStatus::Completed => {}
        RunStatus::Failed | RunStatus::Cancelled => {
            let failed = step.filter(|step| step.error.is_some());
            if let Some(tool) =
                failed.filter(|step| step.kind == "tool").and_then(|step| step.target.as_ref())
            {
                let why = "what is known about the tool, and a change to it if a rule knows one";
                all.push(next(Action::DebugTool, format!("aa tool debug {tool}"), why));
            }
            let why = "once the cause is mended: all steps run again, from the first";
            all.push(next(Action::Retry, retry(history), why));
            if let Some(good) = good {
                let why = "every step of this run beside the run that went well";
                all.push(next(Action::Compare, format!("aa run diff {good} {}", run.id), why));
            }
            if has_undo(history) {
                let why = "takes back what its steps did, as far as the skill says how";
                all.push(next(Action::Undo, format!("aa run undo {}", run.id), why));
            }
        }
    }
    all
}

fn next(action: Action, command: String, why: &str) -> Next {
    Next { action, command, why: why.to_owned() }
}

/// Of a run that is not over: what it waits for. Each is a command as it can be typed.
fn open(history: &History, all: &mut Vec<Next>) {
    let run = history.run.id;
    let standing = Standing::of(&history.events);
    for asked in standing.questions.values() {
        let command = format!("aa run answer {run} {}", word(&asked.key));
        if asked.form.is_some() {
            let fields = form::answers(&asked.options, asked.form.as_ref()).join(" ");
            all.push(next(Action::Answer, format!("{command} {fields}"), "fills in its form"));
            continue;
        }
        for option in asked.options.iter().take(MOST) {
            all.push(next(Action::Answer, format!("{command} {}", word(option)), "answers its question"));
        }
    }
    for step in &standing.unknown {
        let command = format!("aa run resolve {run} {}", word(&step.0));
        for (flag, why) in RESOLUTIONS {
            all.push(next(Action::Resolve, format!("{command} {flag}"), why));
        }
    }
    if history.run.interrupted {
        let why = "goes on with what is not done yet";
        all.push(next(Action::Resume, format!("aa run resume {run}"), why));
    }
}

/// How a step can have ended whose process ended while it was under way.
const RESOLUTIONS: [(&str, &str); 3] = [
    ("--done JSON", "you have looked, and it took place, with this result"),
    ("--retry", "you have looked, and it did not take place: it runs again"),
    ("--fail", "you have looked, and it did not work"),
];

/// Whether a step that was done can be taken back.
fn has_undo(history: &History) -> bool {
    let undone =
        history.events.iter().any(|event| matches!(event.body, Body::UndoStarted { step: None, .. }));
    let mut skills = std::iter::once(&history.plan.skill).chain(history.plan.skills.values());
    let can = skills.any(|skill| skill.steps.iter().any(|step| step.undo.is_some()));
    let done = history.events.iter().any(|event| matches!(event.body, Body::StepCompleted { .. }));
    can && done && !undone
}

/// The command that starts the same again. What cannot be said on a line comes from a file.
fn retry(history: &History) -> String {
    let none = Map::new();
    let inputs = origin::inputs(history).unwrap_or(&none);
    if let Some(tool) = history.run.skill.strip_prefix(SINGLE) {
        return call_again(tool, inputs.get("arguments").unwrap_or(&Value::Null));
    }
    // What was only tried must not become real.
    let mut trial = if history.is_dry() { " --dry-run".to_owned() } else { String::new() };
    trial.push_str(if history.run.stubbed { " --stub-tools FILE" } else { "" });
    let given =
        inputs.iter().filter(|(name, value)| !value.is_null() && !origin::is_default(history, name, value));
    let words: Vec<String> =
        given.map(|(name, value)| format!("--input {}", word(&pair(name, value)))).collect();
    let command = format!("aa skill run {}{trial} {}", history.run.skill, words.join(" "));
    let hidden = !seal::is_clean(&Value::Object(inputs.clone()));
    if command.len() > LONGEST || hidden {
        return format!("aa skill run {}{trial} --inputs-file FILE", history.run.skill);
    }
    command.trim_end().to_owned()
}

/// The command that calls a tool with the same arguments.
fn call_again(tool: &str, arguments: &Value) -> String {
    let given = arguments.as_object().into_iter().flatten();
    let words: Vec<String> =
        given.map(|(name, value)| format!(" --arg {}", word(&pair(name, value)))).collect();
    let words = words.concat();
    if words.len() > LONGEST || !seal::is_clean(arguments) {
        return format!("aa tool call {tool} --args JSON");
    }
    format!("aa tool call {tool}{words}")
}

fn pair(name: &str, value: &Value) -> String {
    match value {
        Value::String(text) => format!("{name}={text}"),
        value => format!("{name}={value}"),
    }
}

/// A word for a shell.
fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-=./:,@%+".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}
