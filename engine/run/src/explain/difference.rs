//! What was not so when a skill last went well.

use std::collections::BTreeMap;

use aa_spec::plan::{Plan, StepPlan};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{Fared, MOST, SourceKind, StepReport, brief, fared};
use crate::engine::reading::shown;
use crate::event::{Body, Event, RunId, StepPath, Time};
use crate::store::History;

/// The differences between a run and one that went well. Lists are cut; `more` counts what is not shown.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Changes {
    /// The run that went well.
    pub good: RunId,
    /// When it ended.
    pub at: Option<Time>,
    /// Whether it went well without the step that failed now: it was skipped there, or not yet written.
    pub without_step: bool,
    /// Inputs that were not the same.
    pub inputs: Vec<Change>,
    /// Values of the configuration and environment variables that were not the same.
    pub settings: Vec<Change>,
    /// Steps of the skill that are written differently, as `SKILL: STEP` with what is different.
    pub skill: Vec<StepChange>,
    /// Arguments of the failed step that were not the same.
    pub args: Vec<Change>,
    /// Outputs of earlier steps that were not the same, those that the failed step reads first.
    pub outputs: Vec<Change>,
    /// Tools that were defined differently, of those that both may call.
    pub tools: Vec<String>,
    /// How many more differences there are.
    pub more: usize,
}

/// Something that was not the same.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Change {
    /// What.
    pub name: String,
    /// What it was; null when there was none.
    pub before: Value,
    /// What it is; null when there is none.
    pub now: Value,
}

/// A step that is written differently.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct StepChange {
    /// Which, as `SKILL: STEP`.
    pub step: String,
    /// `new`, `gone`, or the parts that differ, such as `args.branch`.
    pub what: Vec<String>,
}

/// Entries that are not the same, in the order of the first side and then of the second.
pub fn changed(a: &Map<String, Value>, b: &Map<String, Value>) -> Vec<Change> {
    let new = b.keys().filter(|name| !a.contains_key(*name));
    let names = a.keys().chain(new).filter(|name| a.get(*name) != b.get(*name));
    let of = |side: &Map<String, Value>, name: &String| side.get(name).cloned().unwrap_or_default();
    names.map(|name| Change { name: name.clone(), before: of(a, name), now: of(b, name) }).collect()
}

/// Compares a run with one that went well.
pub(super) fn between(good: &History, bad: &History, step: Option<&StepReport>) -> Changes {
    let (was, is) = (Start::of(good), Start::of(bad));
    let mut settings = changed(&was.config, &is.config);
    settings.extend(changed(&was.env, &is.env));
    for change in &mut settings {
        (change.before, change.now) = (shown(&change.name, &change.before), shown(&change.name, &change.now));
    }
    let without_step = fared(good, bad) == Fared::NotAtAll;
    let called = step.filter(|_| !without_step);
    let args = called.map(|step| changed(&args(good, &step.path), &args(bad, &step.path)));
    let mut changes = Changes {
        good: good.run.id,
        at: good.run.ended_at,
        without_step,
        inputs: changed(&was.inputs, &is.inputs),
        settings,
        skill: if good.run.plan == bad.run.plan { Vec::new() } else { plans(&good.plan, &bad.plan) },
        args: args.unwrap_or_default(),
        outputs: outputs(good, bad, step),
        tools: tools(&was, &is),
        more: 0,
    };
    changes.shorten();
    changes
}

impl Changes {
    fn shorten(&mut self) {
        for list in [&mut self.inputs, &mut self.settings, &mut self.args, &mut self.outputs] {
            self.more += list.len().saturating_sub(MOST);
            list.truncate(MOST);
            for change in list {
                (change.before, change.now) = (brief(&change.before), brief(&change.now));
            }
        }
        self.more += self.skill.len().saturating_sub(MOST);
        self.skill.truncate(MOST);
        self.more += self.tools.len().saturating_sub(MOST);
        self.tools.truncate(MOST);
    }

    /// Whether nothing was different.
    pub fn is_empty(&self) -> bool {
        let lists = [&self.inputs, &self.settings, &self.args, &self.outputs];
        lists.iter().all(|list| list.is_empty()) && self.skill.is_empty() && self.tools.is_empty()
    }
}

/// What a run began with.
#[derive(Default)]
struct Start {
    inputs: Map<String, Value>,
    config: Map<String, Value>,
    env: Map<String, Value>,
    tools: BTreeMap<String, String>,
}

impl Start {
    fn of(history: &History) -> Self {
        match history.events.first().map(|event| &event.body) {
            Some(Body::SkillStarted { inputs, config, env, tools, .. }) => Self {
                inputs: inputs.clone(),
                tools: tools.clone(),
                config: named("config", config.as_object()),
                env: named("env", Some(env)),
            },
            _ => Self::default(),
        }
    }
}

/// Tools that were another when a run started. What one of them does not know of is not told apart.
fn tools(was: &Start, is: &Start) -> Vec<String> {
    let differs =
        |(name, now): &(&String, &String)| was.tools.get(*name).is_some_and(|before| before != *now);
    is.tools.iter().filter(differs).map(|(name, _)| name.clone()).collect()
}

/// Entries under names that say where they belong.
fn named(place: &str, values: Option<&Map<String, Value>>) -> Map<String, Value> {
    let values = values.into_iter().flatten();
    values.map(|(name, value)| (format!("{place}.{name}"), value.clone())).collect()
}

/// What the last attempt of a step was called with.
fn args(history: &History, path: &StepPath) -> Map<String, Value> {
    let starts = history.events.iter().rev();
    let args = starts.filter(|event| event.body.step() == Some(path)).find_map(|event| match &event.body {
        Body::StepStarted { args: Some(Value::Object(args)), .. } => Some(args.clone()),
        _ => None,
    });
    args.unwrap_or_default()
}

/// Results of steps that both runs have, and that are not the same.
fn outputs(good: &History, bad: &History, step: Option<&StepReport>) -> Vec<Change> {
    let around = step.map(|step| around(&step.path)).unwrap_or_default();
    let (was, is) = (results(&good.events, around), results(&bad.events, around));
    let read = |path: &str| {
        let mut sources = step.iter().flat_map(|step| &step.args).flat_map(|arg| &arg.from);
        sources.any(|source| {
            let beside = format!("{around}{}", source.name);
            // What an input of a sub-skill came from is a step outside of it.
            let named = path == beside || path == source.name && !is.contains_key(&StepPath(beside));
            matches!(source.kind, SourceKind::Output | SourceKind::Step) && named
        })
    };
    let of_both = is.iter().filter_map(|(path, (seq, now))| Some((path, seq, was.get(path)?, now)));
    let mut differing: Vec<_> = of_both.filter(|(_, _, (_, before), now)| before != *now).collect();
    differing.sort_by_key(|(path, seq, ..)| (!read(&path.0), **seq));
    let change = |(path, _, (_, before), now): (&StepPath, _, &(u64, &Value), &&Value)| Change {
        name: path.0.clone(),
        before: (*before).clone(),
        now: (*now).clone(),
    };
    differing.into_iter().map(change).collect()
}

/// What the paths of the steps beside one begin with; nothing when it is no step of a sub-skill.
fn around(step: &StepPath) -> &str {
    step.0.rfind('/').map_or("", |at| &step.0[..=at])
}

/// Results of steps with the place of each, and of those beside a step in a sub-skill; without those of
/// other items and sub-steps, which are part of them.
fn results<'e>(events: &'e [Event], around: &str) -> BTreeMap<StepPath, (u64, &'e Value)> {
    let is_whole = |path: &str| !path.contains(['/', '[', '#']);
    let counts = |path: &str| is_whole(path) || path.strip_prefix(around).is_some_and(is_whole);
    let completed = events.iter().filter_map(|event| match &event.body {
        Body::StepCompleted { step, output, .. } if counts(&step.0) => {
            Some((step.clone(), (event.seq, output)))
        }
        _ => None,
    });
    completed.collect()
}

/// Steps of all skills of two plans that are not written the same.
fn plans(was: &Plan, is: &Plan) -> Vec<StepChange> {
    let (was, is) = (steps(was), steps(is));
    let change = |step: &String, what: Vec<String>| StepChange { step: step.clone(), what };
    let gone =
        was.keys().filter(|step| !is.contains_key(*step)).map(|step| change(step, vec!["gone".to_owned()]));
    let here = is.iter().filter_map(|(step, now)| match was.get(step) {
        None => Some(change(step, vec!["new".to_owned()])),
        Some(before) => Some(change(step, parts(before, now))).filter(|change| !change.what.is_empty()),
    });
    here.chain(gone).collect()
}

fn steps(plan: &Plan) -> BTreeMap<String, Value> {
    let skills = std::iter::once(&plan.skill).chain(plan.skills.values());
    let steps = skills.flat_map(|skill| {
        let rest = serde_json::json!({
            "inputs": skill.inputs, "defaults": skill.defaults, "outputs": skill.outputs, "timeout_ms": skill.timeout_ms,
        });
        let steps = skill.steps.iter().map(|step| (format!("{}: {}", skill.name, step.name), written(step)));
        steps.chain([(format!("{}: (head)", skill.name), rest)])
    });
    steps.collect()
}

/// A step without its line and the numbers of its neighbours, which change when another step does.
fn written(step: &StepPlan) -> Value {
    let mut value = serde_json::to_value(step).unwrap_or_default();
    if let Value::Object(parts) = &mut value {
        parts.retain(|name, _| !matches!(name.as_str(), "line" | "needs"));
    }
    value
}

/// The parts that differ; of an action, its arguments one by one.
fn parts(was: &Value, is: &Value) -> Vec<String> {
    let empty = Map::new();
    let object = |value: &'_ Value| value.as_object().cloned().unwrap_or_else(|| empty.clone());
    let mut parts = Vec::new();
    for change in changed(&object(was), &object(is)) {
        let inner = ["tool", "skill"].iter().find_map(|kind| {
            let args = |value: &Value| value.get(kind)?.get("args").map(object);
            Some(changed(&args(&change.before)?, &args(&change.now)?))
        });
        match inner {
            Some(args) if change.name == "action" && !args.is_empty() => {
                parts.extend(args.into_iter().map(|arg| format!("args.{}", arg.name)));
            }
            _ => parts.push(change.name),
        }
    }
    parts
}
