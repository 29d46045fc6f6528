//! What came of a test's run, held against what must come of it.

use std::collections::BTreeMap;
use std::time::Duration;

use aa_spec::diagnostic::Diagnostic;
use aa_spec::source::{Source, Span};
use aa_spec::template::seal;
use aa_spec::test::{Call, Calls, Expect, Mismatch, Status, StepStatus, fit};
use aa_spec::yaml::{Kind, Node};
use serde::Serialize;
use serde_json::{Value, json};

use super::TestFile;
use super::case::{Case, Played};
use super::diff::diff;
use crate::engine::Outcome;
use crate::event::{Body, Event};
use crate::stub::{has_services, is_call, unused_answer};
use crate::toolbox::Toolbox;

/// What came of a test.
#[derive(Clone, Debug)]
pub struct Judgement {
    /// The skill, as it is named.
    pub skill: String,
    /// The test.
    pub test: String,
    /// The file of the test, as shown.
    pub path: String,
    /// The line of the test.
    pub line: u32,
    /// How long it took on the wall.
    pub took: Duration,
    /// What is not as expected; none when all is well.
    pub faults: Vec<Fault>,
    /// What is doubtful, such as canned answers that nothing has asked for.
    pub doubts: Vec<Diagnostic>,
}

/// One thing that is not as expected.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// What, e.g. `outputs.url`, `status`, `calls`.
    pub what: String,
    /// One line on it; may be empty.
    pub message: String,
    /// The line of the expectation in the file of the test.
    pub line: u32,
    /// What was wanted and what was found.
    pub diff: Vec<DiffLine>,
}

/// A line of a difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DiffLine {
    /// Only wanted.
    Wanted(String),
    /// Only found.
    Found(String),
    /// Both.
    Both(String),
}

/// A call that took place.
pub(super) struct Made {
    pub(super) tool: String,
    pub(super) step: String,
    pub(super) args: Value,
}

/// Judges what was played.
pub(super) fn judge(file: &TestFile, case: &Case, played: &Played, took: Duration) -> Judgement {
    let test = &case.test;
    let toolbox = case.parts.toolbox().ok();
    let judge = Judge { source: &file.source, name: test.name.span, toolbox };
    let mut faults = judge.faults(&test.expect, played);
    faults.dedup();
    Judgement {
        skill: file.skill.clone(),
        test: test.name.value.clone(),
        path: file.source.path.to_string(),
        line: file.source.place(test.name.span.start).line,
        took,
        faults,
        doubts: doubts(case, played),
    }
}

/// Canned answers that nothing has asked for.
fn doubts(case: &Case, played: &Played) -> Vec<Diagnostic> {
    let unused = case.places.iter().filter(|(spot, ..)| played.unused.contains(spot));
    unused.map(|(spot, source, span)| unused_answer(spot, source, *span)).collect()
}

struct Judge<'a> {
    source: &'a Source,
    /// The name of the test, for what has no place of its own.
    name: Span,
    toolbox: Option<Toolbox>,
}

impl Judge<'_> {
    fn faults(&self, expect: &Expect, played: &Played) -> Vec<Fault> {
        let missing = played.missing.iter().map(|line| self.fault("stubs", self.name, line, Vec::new()));
        let mut faults: Vec<Fault> = missing.collect();
        match &played.outcome {
            Err(message) => faults.push(self.fault("run", self.name, message, Vec::new())),
            Ok(outcome) => {
                faults.extend(self.status(expect, outcome));
                self.outputs(expect, outcome, &mut faults);
                self.error(expect, outcome, &mut faults);
            }
        }
        self.steps(expect, &played.events, &mut faults);
        faults.extend(self.calls(expect, &calls(&played.events, self.toolbox.as_ref())));
        faults
    }

    fn fault(&self, what: &str, span: Span, message: &str, diff: Vec<DiffLine>) -> Fault {
        let line = self.source.place(span.start).line;
        Fault { what: what.to_owned(), message: message.to_owned(), line, diff }
    }

    fn status(&self, expect: &Expect, outcome: &Outcome) -> Option<Fault> {
        let wanted = expect.status.map(|status| status.value).unwrap_or_default();
        let (found, why) = described(outcome);
        if wanted == found {
            return None;
        }
        let span = expect.status.map_or(self.name, |status| status.span);
        let diff = vec![DiffLine::Wanted(word(&wanted)), DiffLine::Found(format!("{}{why}", word(&found)))];
        Some(self.fault("status", span, "", diff))
    }

    fn outputs(&self, expect: &Expect, outcome: &Outcome, faults: &mut Vec<Fault>) {
        let Some(wanted) = &expect.outputs else { return };
        match outcome {
            Outcome::Completed(outputs) => {
                let found = Value::Object(outputs.clone());
                faults.extend(fit(wanted, Some(&found)).iter().map(|one| self.mismatch("outputs", one)));
            }
            // Its status says that already, unless that is as expected.
            _ if expect.status.is_some_and(|status| status.value != Status::Completed) => {
                let message = "a run has outputs only when it completes";
                faults.push(self.fault("outputs", wanted.span, message, Vec::new()));
            }
            _ => {}
        }
    }

    fn error(&self, expect: &Expect, outcome: &Outcome, faults: &mut Vec<Fault>) {
        let Some(wanted) = &expect.error else { return };
        let Outcome::Failed { error, step } = outcome else {
            faults.push(self.fault("error", wanted.span, "the run did not fail", Vec::new()));
            return;
        };
        let found = json!({
            "kind": error.kind, "message": error.message, "details": error.details, "step": step,
        });
        if let Some(part) = wanted.as_str() {
            let message = found["message"].as_str().unwrap_or_default();
            if !message.contains(part) {
                let diff = vec![
                    DiffLine::Wanted(format!("something that contains {}", Value::from(part))),
                    DiffLine::Found(found["message"].to_string()),
                ];
                faults.push(self.fault("error", wanted.span, "", diff));
            }
        } else {
            faults.extend(fit(wanted, Some(&found)).iter().map(|one| self.mismatch("error", one)));
        }
    }

    fn steps(&self, expect: &Expect, events: &[Event], faults: &mut Vec<Fault>) {
        let ended = ended(events);
        for (step, wanted) in &expect.steps {
            let found = ended.get(step.as_str());
            if found.is_some_and(|(status, _)| *status == wanted.value) {
                continue;
            }
            let found = match found {
                Some((status, why)) => format!("{}{why}", word(status)),
                None => "it did not start".to_owned(),
            };
            let diff = vec![DiffLine::Wanted(word(&wanted.value)), DiffLine::Found(found)];
            faults.push(self.fault(&format!("steps.{step}"), wanted.span, "", diff));
        }
    }

    fn calls(&self, expect: &Expect, made: &[Made]) -> Option<Fault> {
        let node = expect.calls.as_ref()?;
        let (wanted, made) = match expect.calls().ok()? {
            Calls::InOrder(wanted) => (wanted, made.iter().collect()),
            Calls::Unordered(wanted) => {
                let made = paired(&wanted, made);
                (wanted, made)
            }
        };
        let diff = diff(
            &wanted,
            &made,
            |wanted, made| fits(wanted, made),
            (|call: &Call| shown(call), |made: &&Made| made.shown()),
        );
        if diff.iter().all(|line| matches!(line, DiffLine::Both(_))) {
            return None;
        }
        Some(self.fault("calls", node.span, "", diff))
    }

    fn mismatch(&self, of: &str, one: &Mismatch) -> Fault {
        mismatch(self.source, of, one)
    }
}

/// A value that is not as a text expects.
pub(in crate::engine) fn mismatch(source: &Source, of: &str, one: &Mismatch) -> Fault {
    let line = source.place(one.span.start).line;
    let fault = |diff| Fault { what: format!("{of}{}", one.path), message: String::new(), line, diff };
    let found = one.found.as_ref();
    if let (Some(wanted), Some(found)) = (text_of(&one.expected), found.and_then(Value::as_str))
        && (wanted.contains('\n') || found.contains('\n'))
    {
        let (wanted, found): (Vec<&str>, Vec<&str>) = (wanted.lines().collect(), found.lines().collect());
        let show = |line: &&str| (*line).to_owned();
        return fault(diff(&wanted, &found, |a, b| a == b, (show, show)));
    }
    let found = found.map_or_else(|| "nothing".to_owned(), Value::to_string);
    fault(vec![DiffLine::Wanted(one.expected.clone()), DiffLine::Found(found)])
}

/// The text that a JSON string stands for.
fn text_of(json: &str) -> Option<String> {
    serde_json::from_str::<Value>(json).ok()?.as_str().map(str::to_owned)
}

/// How a run ended, and why, where that is not well.
fn described(outcome: &Outcome) -> (Status, String) {
    match outcome {
        Outcome::Completed(_) => (Status::Completed, String::new()),
        Outcome::Failed { error, step } => {
            let step = step.as_ref().map(|step| format!("step `{step}`: ")).unwrap_or_default();
            (Status::Failed, format!(" ({step}{})", error.message))
        }
        Outcome::Cancelled | Outcome::Left => (Status::Cancelled, String::new()),
        Outcome::Waiting(steps) => {
            let names: Vec<&str> = steps.iter().map(|step| step.0.as_str()).collect();
            (
                Status::Waiting,
                format!(" (for an answer to {}; give one under `answers:`)", aa_spec::name::list(&names)),
            )
        }
    }
}

fn word(of: &impl Serialize) -> String {
    serde_json::to_value(of).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// How each step ended, and why, where that is not well.
pub(super) fn ended(events: &[Event]) -> BTreeMap<&str, (StepStatus, String)> {
    let mut ended = BTreeMap::new();
    for event in events {
        let (step, how) = match &event.body {
            Body::StepCompleted { step, .. } => (step, (StepStatus::Completed, String::new())),
            Body::StepSkipped { step, reason } => (step, (StepStatus::Skipped, format!(" ({reason})"))),
            Body::StepFailed { step, error, .. } => {
                (step, (StepStatus::Failed, format!(" ({})", error.message)))
            }
            _ => continue,
        };
        ended.insert(step.0.as_str(), how);
    }
    ended
}

/// The calls of a run, in the order of their starts, without secrets. Those of tools that only
/// work on values are no calls that anybody would miss.
pub(super) fn calls(events: &[Event], toolbox: Option<&Toolbox>) -> Vec<Made> {
    let call = |event: &Event| match &event.body {
        Body::StepStarted { step, kind, target: Some(tool), args, .. }
            if is_call(kind) && toolbox.is_none_or(|toolbox| has_services(toolbox, tool)) =>
        {
            let mut args = args.clone().unwrap_or_default();
            seal::show(&mut args);
            Some(Made { tool: tool.clone(), step: step.0.clone(), args })
        }
        _ => None,
    };
    events.iter().filter_map(call).collect()
}

fn fits(wanted: &Call, made: &Made) -> bool {
    aa_spec::name::fold(&wanted.tool.value) == aa_spec::name::fold(&made.tool)
        && wanted.step.as_ref().is_none_or(|step| step.value == made.step)
        && wanted.args.as_ref().is_none_or(|args| fit(args, Some(&made.args)).is_empty())
}

/// The calls in the order in which they are wanted, and then those that are not.
fn paired<'a>(wanted: &[Call], made: &'a [Made]) -> Vec<&'a Made> {
    let mut left: Vec<&Made> = made.iter().collect();
    let mut paired = Vec::new();
    for call in wanted {
        if let Some(at) = left.iter().position(|made| fits(call, made)) {
            paired.push(left.remove(at));
        }
    }
    paired.append(&mut left);
    paired
}

fn shown(call: &Call) -> String {
    let step = call.step.as_ref().map(|step| format!("{}: ", step.value)).unwrap_or_default();
    let args = call.args.as_ref().map(|args| format!(" {}", brief(args))).unwrap_or_default();
    format!("{step}{}{args}", call.tool.value)
}

fn brief(node: &Node) -> String {
    if matches!(node.kind, Kind::Map(_)) { node.to_json().to_string() } else { String::new() }
}

impl Made {
    fn shown(&self) -> String {
        format!("{}: {} {}", self.step, self.tool, self.args)
    }
}

impl TestFile {
    /// How many tests it has.
    pub fn len(&self) -> usize {
        self.cases.len()
    }

    /// Whether it has no tests.
    pub fn is_empty(&self) -> bool {
        self.cases.is_empty()
    }
}
