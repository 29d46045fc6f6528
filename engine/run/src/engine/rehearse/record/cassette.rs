//! What the calls of a run gave, as canned answers.

use std::collections::{BTreeMap, BTreeSet};

use aa_spec::template::seal;
use serde_json::{Map, Value, json};

use super::file_stem;
use crate::event::{Body, Event, StepError};
use crate::stub::{has_services, is_call};
use crate::toolbox::Toolbox;

/// Values whose JSON is longer go to files of their own, in bytes.
const BIG: usize = 16 << 10;
/// Values nested deeper do as well: YAML is not read at any depth.
const DEEP: usize = 12;

/// The canned answers that repeat a run.
pub(super) struct Cassette {
    pub(super) stubs: Value,
    pub(super) files: BTreeMap<String, String>,
    pub(super) loosened: Vec<String>,
}

/// One call and what came of it.
struct Call {
    tool: String,
    step: String,
    args: Map<String, Value>,
    result: Result<Value, StepError>,
}

/// Whether a value is too big to be read by people.
pub(super) fn is_big(value: &Value) -> bool {
    depth(value) > DEEP || value.to_string().len() > BIG
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(entries) => 1 + entries.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

impl Cassette {
    pub(super) fn of(skill: &str, events: &[Event], toolbox: &Toolbox) -> Self {
        let mut cassette = Self { stubs: Value::Null, files: BTreeMap::new(), loosened: Vec::new() };
        let mut by_tool: BTreeMap<String, Vec<Call>> = BTreeMap::new();
        for call in calls(events).into_iter().filter(|call| has_services(toolbox, &call.tool)) {
            by_tool.entry(call.tool.clone()).or_default().push(call);
        }
        let mut tools = Map::new();
        for (tool, calls) in by_tool {
            let answers = cassette.answers(skill, &calls);
            tools.insert(tool, Value::from(answers));
        }
        let mut stubs = Map::new();
        for (key, entries) in [("tools", tools), ("answers", replies(events))] {
            if !entries.is_empty() {
                stubs.insert(key.to_owned(), Value::Object(entries));
            }
        }
        cassette.stubs = Value::Object(stubs);
        cassette
    }

    /// The answers of one tool, those with more arguments first, because an answer also fits
    /// calls with more arguments than it names.
    fn answers(&mut self, skill: &str, calls: &[Call]) -> Vec<Value> {
        let mut groups: Vec<Vec<&Call>> = Vec::new();
        for call in calls {
            match groups.iter_mut().find(|group| group[0].args == call.args) {
                Some(group) => group.push(call),
                None => groups.push(vec![call]),
            }
        }
        groups.sort_by_key(|group| std::cmp::Reverse(Value::Object(group[0].args.clone()).to_string().len()));
        groups.iter().flat_map(|group| self.group(skill, group)).collect()
    }

    /// The answers to calls with the same arguments.
    fn group(&mut self, skill: &str, calls: &[&Call]) -> Vec<Value> {
        let first = calls[0];
        if calls.iter().all(|call| call.result == first.result) {
            return vec![self.answer(skill, first, false, None)];
        }
        let of_step = |step: &str| calls.iter().filter(|call| call.step == step).collect::<Vec<_>>();
        let mut answers = Vec::new();
        let mut seen: Vec<&str> = Vec::new();
        for call in calls {
            if seen.contains(&call.step.as_str()) {
                continue;
            }
            seen.push(&call.step);
            let own = of_step(&call.step);
            let differ = own.iter().any(|other| other.result != own[0].result);
            for (index, call) in own.iter().enumerate() {
                let last = index + 1 == own.len();
                if differ {
                    answers.push(self.answer(skill, call, true, (!last).then_some(1)));
                } else if last {
                    answers.push(self.answer(skill, call, true, None));
                }
            }
        }
        answers
    }

    fn answer(&mut self, skill: &str, call: &Call, with_step: bool, times: Option<u32>) -> Value {
        let mut answer = Map::new();
        if with_step {
            answer.insert("step".to_owned(), json!(call.step));
        }
        let args: Map<String, Value> = call
            .args
            .iter()
            .filter(|(_, value)| !is_big(value))
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect();
        if args.len() < call.args.len() {
            self.loosened
                .push(format!("big arguments of `{}` in step `{}` can be anything", call.tool, call.step));
        }
        if !args.is_empty() {
            answer.insert("args".to_owned(), Value::Object(args));
        }
        if let Some(times) = times {
            answer.insert("times".to_owned(), json!(times));
        }
        let (key, value) = match &call.result {
            Ok(value) => self.result(skill, value),
            Err(error) => ("error", failure(error)),
        };
        answer.insert(key.to_owned(), value);
        if answer.len() == 1 {
            // Without a condition it would be one of a sequence.
            answer.insert("when".to_owned(), json!("true"));
        }
        Value::Object(answer)
    }

    /// A result, or the name of the file that it is put into.
    fn result(&mut self, skill: &str, value: &Value) -> (&'static str, Value) {
        if !is_big(value)
            && let Some(escaped) = escaped(value)
        {
            return ("result", escaped);
        }
        let path = format!("{}.data/{}.json", file_stem(skill), self.files.len() + 1);
        self.files.insert(path.clone(), format!("{value:#}\n"));
        ("file", json!(path))
    }
}

/// The calls that have ended, in the order of their ends.
fn calls(events: &[Event]) -> Vec<Call> {
    let mut open: BTreeMap<&str, (&str, &Value)> = BTreeMap::new();
    let mut calls = Vec::new();
    for event in events {
        let (step, result) = match &event.body {
            Body::StepStarted { step, kind, target: Some(tool), args: Some(args), .. } if is_call(kind) => {
                open.insert(&step.0, (tool, args));
                continue;
            }
            Body::StepRetrying { step, error, .. } | Body::StepFailed { step, error, .. } => {
                (step, Err(error.clone()))
            }
            Body::StepCompleted { step, output, .. } => (step, Ok(output.clone())),
            _ => continue,
        };
        let Some((tool, args)) = open.remove(step.0.as_str()) else { continue };
        let mut args = args.clone();
        seal::show(&mut args);
        let args = args.as_object().cloned().unwrap_or_default();
        calls.push(Call { tool: tool.to_owned(), step: step.0.clone(), args, result });
    }
    calls
}

/// What people answered, by step. What a call asked is part of the call.
fn replies(events: &[Event]) -> Map<String, Value> {
    let mut replies = Map::new();
    let mut calls = BTreeSet::new();
    for event in events {
        match &event.body {
            Body::StepStarted { step, kind, .. } if kind == "tool" => drop(calls.insert(step)),
            _ => {}
        }
        if let Body::ConfirmAnswered { step, answer, by } = &event.body
            && by != "timeout"
            && !calls.contains(step)
        {
            replies.insert(step.0.clone(), json!(answer));
        }
    }
    replies
}

fn failure(error: &StepError) -> Value {
    let mut failure = json!({"kind": error.kind, "message": raw(&error.message)});
    if !error.details.is_null() && !is_big(&error.details) {
        failure["details"] = error.details.clone();
    }
    failure
}

/// A result in which nothing is a template; `None` when that cannot be written.
fn escaped(value: &Value) -> Option<Value> {
    Some(match value {
        Value::String(text) if text.contains("endraw") => return None,
        Value::String(text) => Value::from(raw(text)),
        Value::Array(items) => items.iter().map(escaped).collect::<Option<Vec<_>>>()?.into(),
        Value::Object(entries) => {
            let mut inner = Map::new();
            for (key, value) in entries {
                if key.contains("{{") {
                    return None;
                }
                inner.insert(key.clone(), escaped(value)?);
            }
            Value::Object(inner)
        }
        other => other.clone(),
    })
}

/// A text that reads as it is.
fn raw(text: &str) -> String {
    if ["{{", "{%", "{#"].iter().any(|mark| text.contains(mark)) {
        // The first line end after `raw` would be lost.
        format!("{{% raw %}}{text}{{% endraw %}}")
    } else {
        text.to_owned()
    }
}
