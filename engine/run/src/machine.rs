//! What the events so far add up to, and what follows from them.
//!
//! Pure: no clock, no I/O, no tasks, no order that depends on a hash. The same plan
//! and events give the same state and the same next commands, in any process.

use std::sync::Arc;

use aa_spec::plan::Plan;
use serde_json::{Map, Value};

use crate::event::{Body, Event, StepError, StepPath, Time};
use crate::store::Request;

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
    /// Ask the call at this step to stop.
    Stop(StepPath),
    /// End the call at this step at once.
    Kill(StepPath),
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

/// An event or request that does not fit the state it meets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Misfit {
    /// What does not fit.
    pub message: String,
}

impl Machine {
    /// The state before any event.
    pub fn new(plan: Arc<Plan>) -> Self {
        Self { _plan: plan }
    }

    /// The state after these events.
    ///
    /// # Errors
    /// The first event that does not fit: the journal is corrupt, or another plan's.
    pub fn replay(plan: Arc<Plan>, events: &[Event]) -> Result<Self, Misfit> {
        let mut machine = Self::new(plan);
        for event in events {
            machine.apply(event)?;
        }
        Ok(machine)
    }

    /// Folds one event into the state. The only way the state changes.
    ///
    /// # Errors
    /// The event does not fit. The state must not be used any more.
    pub fn apply(&mut self, event: &Event) -> Result<(), Misfit> {
        let _ = event;
        Ok(())
    }

    /// The next thing to do now, given the time; `None` when there is nothing. A record
    /// must be applied before the next poll.
    pub fn poll(&mut self, now: Time) -> Option<Command> {
        let _ = now;
        None
    }

    /// When to poll again at the latest although nothing happened.
    pub fn wake_at(&self) -> Option<Time> {
        None
    }

    /// The event that the end of a call amounts to: completed, retrying or failed.
    ///
    /// # Errors
    /// No call is running at this step.
    pub fn settle(
        &self,
        step: &StepPath,
        result: Result<Value, StepError>,
        now: Time,
    ) -> Result<Body, Misfit> {
        let _ = (step, result, now);
        Err(Misfit { message: String::new() })
    }

    /// The event that a request amounts to.
    ///
    /// # Errors
    /// Why the request does not fit the state, in words for whoever made it.
    pub fn request(&self, request: &Request) -> Result<Body, Misfit> {
        let _ = request;
        Err(Misfit { message: String::new() })
    }

    /// Steps that only a person can move on: open questions and unknown outcomes.
    pub fn waiting(&self) -> Vec<StepPath> {
        Vec::new()
    }
}
