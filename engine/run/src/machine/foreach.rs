//! A foreach step: one unit per item, some of them at once, in the order of the list.

use std::collections::{BTreeMap, BTreeSet};

use aa_spec::tool::ErrorKind;
use serde_json::Value;

use super::Machine;
use super::place::{Job, Place};
use super::unit::Unit;
use crate::event::{Body, StepError, Time};

/// A foreach step that runs.
#[derive(Debug)]
pub(super) struct Fan {
    pub(super) items: Vec<Value>,
    /// The first item that has not started.
    pub(super) next: usize,
    /// Items whose next attempt may start.
    pub(super) ready: BTreeSet<usize>,
    /// Items that have started and are not over. Those that wait count, too: an author who
    /// wants one item at a time does not want all their questions at once.
    pub(super) active: BTreeMap<usize, Box<Unit>>,
    /// One for each item; null until it has one.
    pub(super) outputs: Vec<Value>,
    /// The first item that failed and was not to be continued after.
    pub(super) failed: Option<(usize, StepError)>,
    pub(super) since: Time,
}

impl Fan {
    pub(super) fn new(items: Vec<Value>, since: Time) -> Self {
        Self {
            next: 0,
            ready: BTreeSet::new(),
            active: BTreeMap::new(),
            outputs: vec![Value::Null; items.len()],
            failed: None,
            since,
            items,
        }
    }

    /// Whether every item is over.
    pub(super) fn is_complete(&self) -> bool {
        self.active.is_empty() && self.next >= self.items.len() && self.failed.is_none()
    }

    /// The item to start next: one that has had its delay, or a new one.
    fn candidate(&self, slots: usize) -> Option<usize> {
        let fresh = self.active.len() < slots && self.next < self.items.len();
        self.ready.first().copied().or_else(|| fresh.then_some(self.next))
    }
}

impl Machine {
    /// The next event of a foreach step: an item's start, or its own end.
    pub(super) fn decide_fan(&self, place: Place, now: Time) -> Option<Body> {
        let fan = self.fan(place)?;
        let halted = fan.failed.is_some() || self.is_halted(place);
        if !halted && let Some(item) = fan.candidate(self.fan_slots(place)) {
            return Some(self.start(Place { item: Some(item), ..place }, now));
        }
        if !fan.active.is_empty() {
            return None;
        }
        let dropped = self.is_halted(place);
        if let Some((item, error)) =
            fan.failed.as_ref().filter(|(_, error)| !dropped || error.kind != ErrorKind::Cancelled)
        {
            let mut error = error.clone();
            error.message = format!("item {item} failed: {}", error.message);
            return Some(self.failed(place, error, now));
        }
        if !fan.is_complete() {
            // Its frame has stopped.
            return Some(self.dropped(place, now));
        }
        Some(Body::StepCompleted {
            step: self.path(place),
            output: Value::Array(fan.outputs.clone()),
            duration_ms: super::elapsed(fan.since, now),
            reads: Vec::new(),
        })
    }

    /// Looks again at every item that runs, because one has failed.
    pub(super) fn review_items(&mut self, place: Place) {
        let Some(fan) = self.fan(place) else { return };
        let items: Vec<usize> = fan.active.keys().copied().collect();
        for item in items {
            self.review_unit(Place { item: Some(item), ..place });
        }
        self.agenda.insert(Job::Fan(place));
    }

    fn fan_slots(&self, place: Place) -> usize {
        let foreach = self.step(place).and_then(|step| step.foreach.as_ref());
        let wanted = foreach.map_or(1, |foreach| foreach.concurrency.max(1));
        usize::try_from(wanted).unwrap_or(usize::MAX)
    }
}

/// The items of a rendered `foreach`.
pub(super) fn items_of(value: Value) -> Result<Vec<Value>, StepError> {
    let kind = match value {
        Value::Array(items) => return Ok(items),
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Object(_) => "a mapping",
    };
    Err(StepError::new(ErrorKind::Invalid, format!("`foreach` needs a list, and got {kind}")))
}
