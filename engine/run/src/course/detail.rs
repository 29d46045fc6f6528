//! All that is known of one step.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::{Course, LogLine, StepCourse, log};
use crate::event::{Body, Event, StepPath};

/// All that is known of one step: what it was called with, what came of it, what it said.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct StepDetail {
    /// How it goes.
    pub step: StepCourse,
    /// What it was called with the last time, secrets as references; null when it has no arguments.
    pub args: Option<Value>,
    /// Its result; null while there is none.
    pub output: Option<Value>,
    /// What it has said.
    pub log: Vec<LogLine>,
}

impl StepDetail {
    /// Of a step of a run; none when the run has no such step.
    pub(crate) fn of(course: &Course, events: &[Event], path: &StepPath) -> Option<Self> {
        let step = course.step(path)?.clone();
        let own = || events.iter().filter(|event| event.body.step() == Some(path));
        let args = own().rev().find_map(|event| match &event.body {
            Body::StepStarted { args, .. } => Some(args.clone()),
            _ => None,
        });
        let output = own().rev().find_map(|event| match &event.body {
            Body::StepCompleted { output, .. } => Some(output.clone()),
            _ => None,
        });
        Some(Self { step, args: args.flatten(), output, log: log::of(events, Some(path)) })
    }
}
