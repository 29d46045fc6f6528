//! What the events so far add up to, and what follows from them.
//!
//! Pure: no clock, no I/O, no tasks, no order that depends on a hash. The same plan
//! and events give the same state and the same next commands, in any process.

use std::sync::Arc;

use aa_spec::plan::Plan;
use serde_json::{Map, Value};

use crate::event::{Body, Event, StepError, StepPath, Time};

/// A run's state and rules.
#[derive(Debug)]
pub struct Machine {
    _plan: Arc<Plan>,
}

/// What the driver must do now.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Write this down; then it is so.
    Record(Body),
    /// Call a tool. Its start has been recorded.
    Call(Call),
    /// Stop the call at this step.
    Stop(StepPath),
}

/// One attempt at calling a tool.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// Which step.
    pub step: StepPath,
    /// From 1.
    pub attempt: u32,
    /// The tool's canonical name.
    pub tool: String,
    /// Arguments with secrets as references.
    pub args: Map<String, Value>,
    /// Same for every attempt at this step of this run.
    pub idempotency_key: String,
    /// Must be over by then.
    pub deadline: Option<Time>,
}

impl Machine {
    /// The state before any event.
    pub fn new(plan: Arc<Plan>) -> Self {
        Self { _plan: plan }
    }

    /// Folds one event into the state. The only way the state changes.
    pub fn apply(&mut self, event: &Event) {
        let _ = event;
    }

    /// What must happen now, given the time. Records come before calls.
    pub fn poll(&mut self, now: Time) -> Vec<Command> {
        let _ = now;
        Vec::new()
    }

    /// When to poll again at the latest although nothing happened.
    pub fn wake_at(&self) -> Option<Time> {
        None
    }

    /// The event that the end of a call amounts to: completed, retrying or failed.
    pub fn settle(&self, step: &StepPath, result: Result<Value, StepError>, now: Time) -> Body {
        let _ = (step, result, now);
        Body::CancelRequested { by: String::new(), reason: String::new() }
    }
}
