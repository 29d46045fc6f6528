//! Two runs held against each other.

use std::collections::BTreeSet;

use aa_spec::template::seal;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{Course, StepCourse, StepState};
use crate::event::{RunId, StepError, StepPath};
use crate::explain::changed;

/// What is different between two runs.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Comparison {
    /// The two.
    pub run: Pair<RunId>,
    /// Their skills.
    pub skill: Pair<String>,
    /// Where they stand.
    pub status: Pair<String>,
    /// Hashes of their plans.
    pub plan: Pair<String>,
    /// What they took, in milliseconds; 0 for one that goes on.
    pub duration_ms: Pair<u64>,
    /// Inputs that are not the same.
    pub inputs: Vec<ValueChange>,
    /// Every step of either.
    pub steps: Vec<StepPair>,
    /// Outputs that are not the same.
    pub outputs: Vec<ValueChange>,
}

/// One of each run.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(inline)]
pub struct Pair<T> {
    /// Of the first.
    pub a: T,
    /// Of the second.
    pub b: T,
}

/// A value that is not the same; null where it is not there.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ValueChange {
    /// Its name.
    pub name: String,
    /// What it is in the first run.
    pub a: Value,
    /// What it is in the second.
    pub b: Value,
}

/// How a step went in both; null where it did not run.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct StepPair {
    /// Which.
    pub step: StepPath,
    /// In the first run.
    pub a: Option<StepEnd>,
    /// In the second.
    pub b: Option<StepEnd>,
}

/// How a step went.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct StepEnd {
    /// How it stands.
    pub status: StepState,
    /// How often it was tried.
    pub attempts: u64,
    /// What it took, in milliseconds; null while it goes on.
    pub duration_ms: Option<u64>,
    /// Why it failed; null when it has not.
    pub error: Option<StepError>,
    /// Why it was skipped; empty when it was not.
    pub reason: String,
}

impl Comparison {
    /// Of two runs.
    pub(crate) fn of(a: &Course, b: &Course) -> Self {
        let (none, empty) = (Map::new(), Map::new());
        let outputs = (a.outputs.as_ref().unwrap_or(&none), b.outputs.as_ref().unwrap_or(&empty));
        Self {
            run: Pair { a: a.run.id, b: b.run.id },
            skill: Pair { a: a.run.skill.clone(), b: b.run.skill.clone() },
            status: Pair { a: a.run.standing(), b: b.run.standing() },
            plan: Pair { a: a.run.plan.clone(), b: b.run.plan.clone() },
            duration_ms: Pair { a: a.duration_ms.unwrap_or(0), b: b.duration_ms.unwrap_or(0) },
            inputs: values(&a.inputs, &b.inputs),
            steps: steps(a, b),
            outputs: values(outputs.0, outputs.1),
        }
    }
}

fn values(a: &Map<String, Value>, b: &Map<String, Value>) -> Vec<ValueChange> {
    let changes = changed(a, b).into_iter();
    let shown = |mut value: Value| {
        seal::show(&mut value);
        value
    };
    changes
        .map(|change| ValueChange { name: change.name, a: shown(change.before), b: shown(change.now) })
        .collect()
}

fn steps(a: &Course, b: &Course) -> Vec<StepPair> {
    let first: Vec<&StepPath> = a.steps.iter().map(|step| &step.path).collect();
    let known: BTreeSet<&StepPath> = first.iter().copied().collect();
    let new = b.steps.iter().map(|step| &step.path).filter(|path| !known.contains(path));
    let pair = |path: &StepPath| StepPair { step: path.clone(), a: end(a, path), b: end(b, path) };
    first.iter().copied().chain(new).map(pair).collect()
}

fn end(course: &Course, path: &StepPath) -> Option<StepEnd> {
    let has_run = |step: &&StepCourse| step.state != StepState::Pending;
    let step = course.step(path).filter(has_run)?;
    Some(StepEnd {
        status: step.state,
        attempts: step.attempts.len() as u64,
        duration_ms: step.duration_ms,
        error: step.error.clone(),
        reason: step.reason.clone(),
    })
}
