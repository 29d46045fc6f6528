//! A real run as a test: what its calls gave becomes canned answers, what came of it is
//! expected.
//!
//! The test is run against the plan of the run before it is given away. What it cannot
//! promise, such as a time in an output, is loosened first, and said so.

mod cassette;
mod loosen;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use aa_spec::diagnostic::has_errors;
use aa_spec::name::fold;
use aa_spec::plan::Plan;
use aa_spec::source::Source;
use aa_spec::template::seal;
use aa_spec::test::{self, MATCHERS};
use aa_spec::yaml;
use chrono::SecondsFormat;
use regex::Regex;
use serde_json::{Map, Value, json};

use self::cassette::{Cassette, is_big};
use super::files::{Maker, settings};
use super::verdict::{calls, ended, judge};
use super::{Fault, TestFile};
use crate::driver::Veil;
use crate::engine::StartError;
use crate::engine::parts::Parts;
use crate::event::{Body, Event, RunId};
use crate::toolbox::Toolbox;

/// How often a test is loosened before it is given up.
const ROUNDS: usize = 5;

/// A test made from a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    /// The skill, by its canonical name.
    pub skill: String,
    /// The text of the test file.
    pub text: String,
    /// Big values, as files beside it, by the path that the text names.
    pub files: BTreeMap<String, String>,
    /// What the test does not hold the skill to although the run shows it, a line each.
    pub loosened: Vec<String>,
}

/// Makes a test of a run.
pub(in crate::engine) async fn record(parts: &Parts, run: RunId) -> Result<Recording, StartError> {
    let store = parts.store()?;
    let summary = store.run(run)?;
    let events = until_end(store.events(run, 0)?);
    let plan = Arc::new(store.plan(run)?);
    let refuse = |message: &str| Err(StartError::Refused(format!("run {run} {message}")));
    match (events.first().map(|event| &event.body), events.last().map(|event| &event.body)) {
        (Some(Body::SkillStarted { dry_run: true, .. }), _) => {
            return refuse("was a dry run, which shows nothing");
        }
        (_, Some(Body::SkillCompleted { .. } | Body::SkillFailed { .. })) => {}
        (_, Some(Body::SkillCancelled { .. })) => return refuse("was cancelled, which a test cannot repeat"),
        _ => return refuse("is not over, so nothing can be expected of it yet"),
    }
    let toolbox = parts.toolbox()?;
    let mut draft = Draft::new(&summary.skill, &plan, &events, &toolbox);
    draft.hide_secrets(parts).await;
    draft.settle(parts, &plan)
}

/// The events up to the first end; what was taken back later is another matter.
fn until_end(mut events: Vec<Event>) -> Vec<Event> {
    let is_end = |event: &Event| {
        matches!(
            event.body,
            Body::SkillCompleted { .. } | Body::SkillFailed { .. } | Body::SkillCancelled { .. }
        )
    };
    if let Some(end) = events.iter().position(is_end) {
        events.truncate(end + 1);
    }
    events
}

/// A test on its way.
struct Draft {
    skill: String,
    /// The one test of the file.
    test: Map<String, Value>,
    files: BTreeMap<String, String>,
    secrets: BTreeSet<String>,
    loosened: Vec<String>,
}

impl Draft {
    fn new(skill: &str, plan: &Plan, events: &[Event], toolbox: &Toolbox) -> Self {
        let secrets = named(plan, "secrets").unwrap_or_default();
        let mut draft = Self {
            skill: skill.to_owned(),
            test: Map::new(),
            files: BTreeMap::new(),
            secrets,
            loosened: Vec::new(),
        };
        draft.begin(plan, events);
        let cassette = Cassette::of(skill, events, toolbox);
        draft.put("stubs", cassette.stubs);
        draft.files = cassette.files;
        draft.loosened = cassette.loosened;
        let expect = draft.expect(events, toolbox);
        draft.put("expect", expect);
        draft
    }

    /// What the run was started with.
    fn begin(&mut self, plan: &Plan, events: &[Event]) {
        let Some(Event { at, run_id, body, .. }) = events.first() else { return };
        let Body::SkillStarted { inputs, config, env, folder, .. } = body else { return };
        self.put("name", json!(format!("does what run {run_id} did")));
        self.put("now", json!(at.to_rfc3339_opts(SecondsFormat::Millis, true)));
        self.put("run", json!(run_id));
        self.put("folder", json!(folder));
        self.put("inputs", Value::Object(inputs.clone()));
        let read = named(plan, "config");
        let config = config.as_object().into_iter().flatten();
        let config = config.filter(|(key, _)| read.as_ref().is_none_or(|read| read.contains(*key)));
        self.put("config", Value::Object(config.map(|(key, value)| (key.clone(), value.clone())).collect()));
        self.put("env", Value::Object(env.clone()));
        self.put("secrets", json!(self.secrets));
    }

    /// Adds a key, unless there is nothing in it.
    fn put(&mut self, key: &str, value: Value) {
        let is_empty = match &value {
            Value::Null => true,
            Value::Object(entries) => entries.is_empty(),
            Value::Array(items) => items.is_empty(),
            _ => false,
        };
        if !is_empty {
            self.test.insert(key.to_owned(), value);
        }
    }

    fn expect(&mut self, events: &[Event], toolbox: &Toolbox) -> Value {
        let mut expect = Map::new();
        match events.last().map(|event| &event.body) {
            Some(Body::SkillCompleted { outputs, .. }) => {
                expect.insert("status".to_owned(), json!("completed"));
                let outputs: Map<String, Value> =
                    outputs.iter().map(|(name, value)| (name.clone(), self.expected(name, value))).collect();
                if !outputs.is_empty() {
                    expect.insert("outputs".to_owned(), Value::Object(outputs));
                }
            }
            Some(Body::SkillFailed { error, step, .. }) => {
                expect.insert("status".to_owned(), json!("failed"));
                let error = json!({"kind": error.kind, "message": error.message, "step": step});
                expect.insert("error".to_owned(), literal(&error));
            }
            _ => {}
        }
        let steps = ended(events).into_iter().filter(|(step, _)| !step.contains(['/', '[', '#']));
        let steps: Map<String, Value> =
            steps.map(|(step, (status, _))| (step.to_owned(), json!(status))).collect();
        expect.insert("calls".to_owned(), made(events, toolbox));
        expect.insert("steps".to_owned(), Value::Object(steps));
        Value::Object(expect)
    }

    fn expected(&mut self, name: &str, value: &Value) -> Value {
        if is_big(value) {
            self.loosened.push(format!("output `{name}` is big and can be anything"));
            return json!({"any": true});
        }
        literal(value)
    }

    /// Puts placeholders in the place of secrets. Results are without them already; what
    /// somebody typed into an input may not be.
    async fn hide_secrets(&mut self, parts: &Parts) {
        let veil = Veil::new(parts.secrets.clone());
        for name in parts.secrets.names() {
            // What cannot be opened now cannot be looked for either.
            let _ = veil.open(Map::from_iter([(name.clone(), Value::from(seal::seal(&name)))])).await;
        }
        let mut test = Value::Object(std::mem::take(&mut self.test));
        veil.hide_value(&mut test);
        if let Value::Object(test) = test {
            self.test = test;
        }
        for text in self.files.values_mut() {
            *text = veil.hide(text);
        }
    }

    /// Loosens the test until it passes.
    fn settle(mut self, parts: &Parts, plan: &Arc<Plan>) -> Result<Recording, StartError> {
        let mut faults = Vec::new();
        for round in 0..ROUNDS {
            faults = self.rehearse(parts, plan)?;
            if faults.is_empty() {
                let text = self.text();
                let Self { skill, files, loosened, .. } = self;
                return Ok(Recording { skill, text, files, loosened });
            }
            loosen::loosen(&mut self, &faults, round);
        }
        let first = faults.first().map(|fault| format!("{}: {} {:?}", fault.what, fault.message, fault.diff));
        Err(StartError::Refused(format!(
            "the run cannot be repeated with what its calls gave: {}",
            first.unwrap_or_default()
        )))
    }

    fn text(&self) -> String {
        let file = json!({"skill": self.skill, "tests": [self.test]});
        format!("# yaml-language-server: $schema=../schemas/test.json\n{}", yaml::write(&file))
    }

    /// What the test says of the skill as it was.
    fn rehearse(&self, parts: &Parts, plan: &Arc<Plan>) -> Result<Vec<Fault>, StartError> {
        let source = Source::new(format!("{}.test.yaml", self.skill), self.text());
        let (tests, mut diagnostics) = test::read(&source);
        let test = tests.and_then(|mut tests| tests.tests.pop());
        let node = yaml::parse(&source).ok();
        let beside = |path: &str| {
            let text = self.files.get(path).ok_or_else(|| format!("there is no `{path}`"))?;
            Ok((text.clone().into_bytes(), path.to_owned()))
        };
        let maker = Maker { parts, source: &source, beside: &beside };
        let mut case = None;
        if let (Some(test), Some(node)) = (test, &node) {
            let own = Arc::new(Parts::sharing_tools(settings(parts, &test), parts.toolbox()?));
            let stubs = node.get("tests").and_then(|tests| tests.items().first()?.get("stubs"));
            case = maker.case(own, Arc::clone(plan), (test, stubs), &mut diagnostics)?;
        }
        match case {
            Some(case) if !has_errors(&diagnostics) => {
                let skill = self.skill.clone();
                let file = TestFile { source, skill, diagnostics: Vec::new(), cases: Vec::new() };
                // It has a runtime of its own, and this thread may be at work for another one.
                let played = std::thread::scope(|scope| scope.spawn(|| case.play()).join());
                let broken = |_| StartError::Refused("the test could not be run".to_owned());
                Ok(judge(&file, &case, &played.map_err(broken)?, Duration::ZERO).faults)
            }
            _ => Err(StartError::Invalid(diagnostics)),
        }
    }
}

/// The calls of the run, as they are expected.
fn made(events: &[Event], toolbox: &Toolbox) -> Value {
    let call = |call: super::verdict::Made| {
        let args = call.args.as_object().into_iter().flatten().filter(|(_, value)| !is_big(value));
        let args: Map<String, Value> = args.map(|(name, value)| (name.clone(), literal(value))).collect();
        json!({"tool": call.tool, "step": call.step, "args": args})
    };
    let calls: Vec<Value> = calls(events, Some(toolbox)).into_iter().map(call).collect();
    if calls.is_empty() { json!("none") } else { Value::from(calls) }
}

/// A value as an expectation of exactly this: what looks like a matcher is said to be none.
fn literal(value: &Value) -> Value {
    match value {
        Value::Object(entries) => {
            let inner: Map<String, Value> =
                entries.iter().map(|(key, value)| (key.clone(), literal(value))).collect();
            let like_matcher =
                entries.len() == 1 && entries.keys().all(|key| MATCHERS.contains(&key.as_str()));
            if like_matcher { json!({"equals": value}) } else { Value::Object(inner) }
        }
        Value::Array(items) => items.iter().map(literal).collect(),
        other => other.clone(),
    }
}

/// The names that a plan reads below `root`; `None` when it may read any of them.
fn named(plan: &Plan, root: &str) -> Option<BTreeSet<String>> {
    let text = serde_json::to_string(plan).unwrap_or_default();
    let pattern = format!(r#"\b{root}\b(?:\s*\.\s*([A-Za-z_]\w*)|\[\s*\\?["']([\w-]+)\\?["']\s*\])?"#);
    let mut names = BTreeSet::new();
    for found in Regex::new(&pattern).ok()?.captures_iter(&text) {
        match found.get(1).or_else(|| found.get(2)) {
            Some(name) if name.as_str() != "get" => names.insert(name.as_str().to_owned()),
            _ => return None,
        };
    }
    Some(names)
}

/// A name that files may have.
fn file_stem(skill: &str) -> String {
    fold(skill)
}
