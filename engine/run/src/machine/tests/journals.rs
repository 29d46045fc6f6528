//! Journals that earlier versions have written: events are a file format.

use std::sync::Arc;

use aa_spec::plan::Plan;
use serde_json::Value;

use crate::event::Event;
use crate::machine::Machine;

/// A plan in the first line, and the events of one run of it in the others.
fn journal(text: &str) -> (Arc<Plan>, Vec<&str>) {
    let mut lines = text.lines();
    let plan = serde_json::from_str(lines.next().unwrap()).unwrap();
    (Arc::new(plan), lines.collect())
}

fn replays(text: &str) {
    let (plan, lines) = journal(text);
    let events: Vec<Event> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    for (event, line) in events.iter().zip(&lines) {
        let (now, then) =
            (serde_json::to_value(event).unwrap(), serde_json::from_str::<Value>(line).unwrap());
        assert_eq!(now, then, "an event is written as it was");
    }
    let machine = Machine::replay(&plan, &events).unwrap();
    assert_eq!(machine.ending(), events.last().map(|event| &event.body));
    // Whatever the last event was before the process died.
    for kept in 1..events.len() {
        let machine = Machine::replay(&plan, &events[..kept]).unwrap();
        assert!(machine.ending().is_none());
        machine.resume(crate::machine::Left::default());
    }
}

#[test]
fn a_journal_from_before_compute_steps_replays() {
    replays(include_str!("journals/before_compute.jsonl"));
}

#[test]
fn a_journal_with_a_compute_step_replays() {
    replays(include_str!("journals/compute.jsonl"));
}
