//! Events that do not fit are refused; none makes the machine panic.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::kit::{World, at, plan_with};
use crate::event::{Body, Event, Origin, RunId};
use crate::machine::Machine;

fn busy() -> World {
    let inner = json!({"steps": [{"name": "deep", "tool": "echo", "undo": {"tool": "unmake"}}]});
    let main = json!({"on_failure": "undo", "steps": [
        {"name": "call", "tool": "echo", "undo": {"tool": "unmake"}},
        {"name": "ask", "action": {"confirm": {"message": "?", "options": ["yes"], "default": null, "timeout_ms": null}}},
        {"name": "fan", "tool": "echo", "foreach": {"items": "{{ [1, 2] }}", "concurrency": 2}},
        {"name": "sub", "action": {"skill": {"skill": "inner", "args": {}}}},
        {"name": "nap", "action": {"wait_for": {"duration": "1h"}}},
        {"name": "end", "action": {"return": {"value": 1}}, "needs": [0]},
    ]});
    let mut world = World::new(plan_with(&main, &[("inner", inner)]));
    world.poll();
    world
}

fn refused(world: &World, body: &Value) -> Option<String> {
    let mut machine = Machine::replay(&world.plan, &world.events).unwrap();
    let event = Event {
        run_id: RunId(1),
        seq: world.events.len() as u64,
        at: at(world.now),
        source: Origin::Cli,
        body: serde_json::from_value(body.clone()).unwrap(),
    };
    machine.apply(&event).err().map(|misfit| misfit.message)
}

#[test]
fn events_that_do_not_fit_are_refused() {
    let error = json!({"kind": "permanent", "message": "no"});
    let cases = [
        json!({"event": "skill_started", "skill": "main", "plan": "", "nonce": "", "inputs": {}}),
        json!({"event": "step_started", "step": "call", "attempt": 1, "kind": "tool"}),
        json!({"event": "step_started", "step": "call", "attempt": 2, "kind": "tool"}),
        json!({"event": "step_started", "step": "end", "attempt": 1, "kind": "then"}),
        json!({"event": "step_started", "step": "nobody", "attempt": 1, "kind": "tool"}),
        json!({"event": "step_started", "step": "fan[2]", "attempt": 1, "kind": "tool"}),
        json!({"event": "step_started", "step": "fan[01]", "attempt": 1, "kind": "tool"}),
        json!({"event": "step_started", "step": "call[0]", "attempt": 1, "kind": "tool"}),
        json!({"event": "step_started", "step": "call#undo", "attempt": 1, "kind": "undo"}),
        json!({"event": "step_started", "step": "call#reconcile", "attempt": 1, "kind": "reconcile"}),
        json!({"event": "step_started", "step": "sub/deep/er", "attempt": 1, "kind": "tool"}),
        json!({"event": "step_started", "step": "call#else", "attempt": 1, "kind": "tool"}),
        json!({"event": "step_completed", "step": "ask", "output": 1, "duration_ms": 0}),
        json!({"event": "step_completed", "step": "fan", "output": [], "duration_ms": 0}),
        json!({"event": "step_completed", "step": "sub", "output": {}, "duration_ms": 0}),
        json!({"event": "step_completed", "step": "end", "output": {}, "duration_ms": 0}),
        json!({"event": "step_failed", "step": "fan", "error": error, "duration_ms": 0}),
        json!({"event": "step_failed", "step": "sub", "error": error, "duration_ms": 0}),
        json!({"event": "step_skipped", "step": "call", "reason": ""}),
        json!({"event": "step_skipped", "step": "fan[0]", "reason": ""}),
        json!({"event": "step_retrying", "step": "ask", "attempt": 2, "error": error, "until": at(0)}),
        json!({"event": "confirm_requested", "step": "ask", "message": "", "options": []}),
        json!({"event": "confirm_answered", "step": "ask", "answer": "no", "by": ""}),
        json!({"event": "confirm_answered", "step": "call", "answer": "yes", "by": ""}),
        json!({"event": "run_resumed", "unknown": []}),
        json!({"event": "step_resolved", "step": "call", "resolution": "retry", "by": ""}),
        json!({"event": "step_resolved", "step": "call#reconcile", "resolution": "retry", "by": ""}),
        json!({"event": "undo_started", "by": ""}),
        json!({"event": "undo_started", "by": "", "step": "sub"}),
        json!({"event": "undo_started", "by": "", "step": "call"}),
        json!({"event": "undo_finished", "failed": []}),
        json!({"event": "skill_completed", "outputs": {}, "duration_ms": 0}),
        json!({"event": "skill_failed", "error": error, "duration_ms": 0}),
        json!({"event": "skill_cancelled", "duration_ms": 0}),
    ];
    let world = busy();
    for case in cases {
        assert!(refused(&world, &case).is_some(), "{case}");
    }
}

#[test]
fn nothing_but_taking_back_follows_the_end() {
    let mut world = World::new(plan_with(&json!({"steps": []}), &[]));
    world.run();
    assert_eq!(
        refused(&world, &json!({"event": "run_resumed", "unknown": []})).unwrap(),
        "event 2 comes after the run's end"
    );
    assert!(refused(&world, &json!({"event": "cancel_requested", "by": ""})).is_some());
    assert_eq!(refused(&world, &json!({"event": "undo_started", "by": "ann"})), None);
}

#[test]
fn a_journal_has_no_gaps_and_one_run() {
    let world = busy();
    let mut gap = world.events.clone();
    gap.remove(2);
    assert_eq!(
        Machine::replay(&world.plan, &gap).unwrap_err().message,
        "event 3 stands where event 2 belongs"
    );
    let mut other = world.events.clone();
    other[2].run_id = RunId(9);
    assert_eq!(Machine::replay(&world.plan, &other).unwrap_err().message, "event 2 belongs to run 9");
    let headless = &world.events[1..];
    assert!(Machine::replay(&world.plan, headless).is_err());
}

#[test]
fn settling_what_does_not_run_is_refused() {
    let world = busy();
    for step in ["ask", "nobody", "end", "sub", "call#undo", "call#reconcile"] {
        let step = crate::event::StepPath(step.to_owned());
        assert!(world.machine.settle(&step, Ok(json!(1)), at(0)).is_err(), "{step}");
    }
}

/// A step path that may or may not mean something.
fn path() -> impl Strategy<Value = String> {
    let names = prop::sample::select(vec!["call", "ask", "fan", "sub", "nap", "end", "deep", "x", ""]);
    let items =
        prop::sample::select(vec!["", "", "", "[0]", "[1]", "[2]", "[-1]", "[99999999999999999999]", "["]);
    let ends = prop::sample::select(vec!["", "", "", "#undo", "#reconcile", "#", "/deep", "/deep#undo", "/"]);
    (names, items, ends).prop_map(|(name, item, end)| format!("{name}{item}{end}"))
}

/// Any event that can be written down.
fn body() -> impl Strategy<Value = Value> {
    let error = json!({"kind": "transient", "message": "no"});
    let resolution =
        prop::sample::select(vec![json!("retry"), json!("fail"), json!({"done": {"output": 1}})]);
    (path(), path(), 0_u8..20, 0_u32..4, any::<bool>(), resolution).prop_map(
        move |(step, other, kind, attempt, flag, resolution)| match kind {
            0..=2 => json!({"event": "step_started", "step": step, "attempt": attempt, "kind": "tool",
                "args": {"items": [1, 2]}, "items": if flag { 2 } else { 3 }, "until": at(5)}),
            3 | 4 => json!({"event": "step_completed", "step": step, "output": [1], "duration_ms": 1}),
            5 | 6 => json!({"event": "step_failed", "step": step, "error": error, "continued": flag, "duration_ms": 1}),
            7 => json!({"event": "step_skipped", "step": step, "reason": ""}),
            8 => json!({"event": "step_retrying", "step": step, "attempt": attempt, "error": error, "until": at(3)}),
            9 => json!({"event": "confirm_requested", "step": step, "message": "", "options": ["yes"]}),
            10 => json!({"event": "confirm_answered", "step": step, "answer": "yes", "by": ""}),
            11 => json!({"event": "cancel_requested", "by": ""}),
            12 => json!({"event": "run_resumed", "unknown": if flag { vec![step] } else { vec![step, other] }}),
            13 => json!({"event": "step_resolved", "step": step, "resolution": resolution, "by": ""}),
            14 => json!({"event": "undo_started", "by": "", "step": if flag { Some(step) } else { None }}),
            15 => json!({"event": "undo_finished", "step": if flag { Some(step) } else { None }, "failed": []}),
            16 => json!({"event": "skill_completed", "outputs": {}, "duration_ms": 1}),
            17 => json!({"event": "skill_failed", "error": error, "duration_ms": 1}),
            18 => json!({"event": "skill_cancelled", "duration_ms": 1}),
            _ => json!({"event": "step_progress", "step": step, "message": ""}),
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever a journal says, the machine takes it or refuses it, and can be asked anything.
    #[test]
    fn no_events_make_it_panic(bodies in prop::collection::vec((body(), 0_i64..20_000), 0..60)) {
        let mut world = busy();
        let resumed = world.machine.resume(crate::machine::Left::default());
        world.record(resumed);
        for (body, ms) in bodies {
            let event = Event {
                run_id: RunId(1),
                seq: world.machine.next_seq(),
                at: at(ms),
                source: Origin::Cli,
                body: serde_json::from_value::<Body>(body).unwrap(),
            };
            world.events.push(event.clone());
            if world.machine.apply(&event).is_err() {
                world.events.pop();
                world.machine = Machine::replay(&Arc::clone(&world.plan), &world.events).unwrap();
            }
            let _ = (world.machine.waiting(), world.machine.wake_at(), world.machine.resume(crate::machine::Left::default()));
            let _ = world.machine.poll(at(ms));
        }
    }
}
