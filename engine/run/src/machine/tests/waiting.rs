//! People, clocks, deadlines and the wish that it should stop.

use std::sync::Arc;

use aa_spec::tool::ErrorKind;
use insta::assert_snapshot;
use serde_json::{Value, json};

use super::kit::{World, at, fault, plan, plan_with, steps};
use crate::event::StepError;

#[test]
fn confirm_waits_for_one_of_its_options() {
    let mut world = World::new(plan(&json!({
        "steps": [{"name": "ask", "action": {"confirm": {
            "message": "Restart {{ inputs.app }}?", "options": ["restart", "cancel"], "default": null, "timeout_ms": null,
        }}}],
        "outputs": [{"name": "said", "value": "{{ ask }}"}],
    })));
    world.run();
    assert_eq!(world.machine.waiting()[0].0, "ask");
    assert_eq!(world.machine.wake_at(), None);
    world.answer("ask", "restart");
    assert_snapshot!(world.run().story(), @r#"
    ask started: confirm
    ask asks: Restart ? ["restart", "cancel"]
    ask answered: restart by ann
    ask completed: "restart"
    run completed: {"said":"restart"}
    "#);
}

#[test]
fn confirm_takes_its_default_in_time_or_fails() {
    let ask = |default: Option<&str>| {
        steps(&json!([{"name": "ask", "action": {"confirm": {
            "message": "?", "options": ["yes", "no"], "default": default, "timeout_ms": 60_000,
        }}}]))
    };
    let mut world = World::new(ask(Some("no")));
    assert_snapshot!(world.run().story(), @r#"
    ask started: confirm
    ask asks: ? ["yes", "no"]
    ask answered: no by timeout
    ask completed: "no"
    run completed: {}
    "#);
    assert_eq!(world.now, 60_000);
    assert_snapshot!(World::new(ask(None)).run().story(), @r#"
    ask started: confirm
    ask asks: ? ["yes", "no"]
    ask failed: Timeout nobody answered in time
    run failed at ask: nobody answered in time
    "#);
}

#[test]
fn waits_take_their_time() {
    let cases = [
        (json!({"wait_for": {"duration": 1500}}), Some(1500)),
        (json!({"wait_for": {"duration": "2m"}}), Some(120_000)),
        (json!({"wait_for": {"duration": "{{ inputs.seconds }}"}}), Some(3000)),
        (json!({"wait_until": {"until": at(7000).to_rfc3339()}}), Some(7000)),
        (json!({"wait_until": {"until": at(-7000).to_rfc3339()}}), Some(0)),
        (json!({"wait_until": {"until": "tomorrow"}}), None),
        (json!({"wait_for": {"duration": "{{ nothing }}"}}), None),
    ];
    for (action, expected) in cases {
        let plan = steps(&json!([{"name": "nap", "action": action}]));
        let mut world = World::with(plan, &json!({"inputs": {"seconds": 3}}));
        world.run();
        match expected {
            Some(ms) => assert_eq!((world.outputs(), world.now), (json!({}), ms), "{}", world.story()),
            None => assert!(world.story().contains("nap failed: Invalid wait: "), "{}", world.story()),
        }
    }
}

#[test]
fn calls_get_the_nearest_deadline() {
    let inner =
        json!({"timeout_ms": 9_000, "steps": [{"name": "deep", "tool": "echo", "timeout_ms": 20_000}]});
    let main = json!({"timeout_ms": 60_000, "steps": [
        {"name": "plain", "tool": "echo"},
        {"name": "own", "tool": "echo", "timeout_ms": 5_000},
        {"name": "long", "tool": "echo", "timeout_ms": 500_000},
        {"name": "sub", "action": {"skill": {"skill": "inner", "args": {}}}, "timeout_ms": 7_000},
    ]});
    let mut world = World::new(plan_with(&main, &[("inner", inner)]));
    world.poll();
    let deadlines: Vec<_> = world.made.iter().map(|call| (call.step.0.as_str(), call.deadline)).collect();
    assert_eq!(
        deadlines,
        [
            ("plain", Some(at(60_000))),
            ("own", Some(at(5_000))),
            ("long", Some(at(60_000))),
            ("sub/deep", Some(at(7_000))),
        ]
    );
}

#[test]
fn a_skill_whose_time_is_over_fails() {
    let mut world = World::new(plan(&json!({"timeout_ms": 25, "steps": [
        {"name": "a", "tool": "echo", "on_error": "continue"},
        {"name": "b", "tool": "echo", "needs": [0], "on_error": "continue"},
        {"name": "c", "tool": "echo", "needs": [1], "on_error": "continue"},
        {"name": "d", "tool": "echo", "needs": [2], "on_error": "continue"},
        {"name": "nap", "action": {"wait_for": {"duration": "1h"}}, "on_error": "continue"},
    ]})));
    assert_snapshot!(world.run().story(), @r#"
    a started: tool echo
    nap started: wait
    a completed: {}
    b started: tool echo
    b completed: {}
    c started: tool echo
    c failed, continued: Timeout too late
    nap failed: Cancelled stopped because the time of skill `main` is over
    run failed at -: the time of skill `main` is over
    "#);
}

#[test]
fn no_attempt_is_announced_that_could_not_start_in_time() {
    let mut world = World::new(plan(&json!({"timeout_ms": 500, "steps": [
        {"name": "flaky", "tool": "fail_1", "retry": {"attempts": 2}},
    ]})));
    assert_snapshot!(world.run().story(), @r#"
    flaky started: tool fail_1
    flaky failed: Transient try again
    run failed at flaky: try again
    "#);
}

/// A run of a step that is tried twice, whose first call fails with this wish for the next one.
fn refused(main: &Value, wish: &str) -> World {
    let mut world = World::new(plan(main));
    let wish = wish.to_owned();
    world.tools = Arc::new(move |call| match call.attempt {
        1 => {
            let details = json!({"status": 429, "headers": {"retry-after": wish}});
            Err(StepError { details, ..fault(ErrorKind::Transient, "busy") })
        }
        _ => Ok(json!("done")),
    });
    world.run();
    world
}

#[test]
fn the_next_attempt_comes_no_sooner_than_it_is_asked_for() {
    let retry = json!({"attempts": 2, "delay_ms": 100, "max_delay_ms": 100});
    let main = |timeout: Option<u64>| json!({"timeout_ms": timeout, "steps": [{"name": "a", "tool": "x", "retry": retry}]});
    let world = refused(&main(Some(200_000)), "90");
    assert_eq!(world.made.len(), 2);
    assert!(world.now >= 90_000, "{}", world.now);
    let world = refused(&main(None), "86400");
    assert_eq!((world.made.len(), world.now >= 86_400_000), (2, true));
    for (timeout, wish) in [(Some(60_000), "90"), (None, "99999999999999999999"), (None, "604800")] {
        let world = refused(&main(timeout), wish);
        let expected = if wish.len() > 18 { 2 } else { 1 };
        assert_eq!(world.made.len(), expected, "{wish}");
        let said = world.story();
        assert_eq!(
            said.contains("busy; it is not tried again, since that should wait until 20"),
            expected == 1,
            "{said}"
        );
    }
}

#[test]
fn cancel_stops_calls_and_drops_what_waits() {
    let inner =
        json!({"steps": [{"name": "deep", "tool": "echo"}, {"name": "next", "tool": "echo", "needs": [0]}]});
    let main = json!({"steps": [
        {"name": "call", "tool": "echo"},
        {"name": "ask", "action": {"confirm": {"message": "?", "options": ["a"], "default": null, "timeout_ms": null}}},
        {"name": "nap", "action": {"wait_for": {"duration": "1h"}}},
        {"name": "sub", "action": {"skill": {"skill": "inner", "args": {}}}},
        {"name": "after", "tool": "echo", "needs": [0]},
    ]});
    let mut world = World::new(plan_with(&main, &[("inner", inner)]));
    world.poll();
    world.cancel();
    world.poll();
    assert_eq!(world.stopped.iter().map(|step| step.0.as_str()).collect::<Vec<_>>(), ["call", "sub/deep"]);
    assert!(world.killed.is_empty());
    world.cancel();
    world.poll();
    assert_eq!(world.killed.iter().map(|step| step.0.as_str()).collect::<Vec<_>>(), ["call", "sub/deep"]);
    assert_snapshot!(world.run().story(), @r#"
    call started: tool echo
    ask started: confirm
    ask asks: ? ["a"]
    nap started: wait
    sub started: skill inner
    sub/deep started: tool echo
    cancel requested
    ask failed: Cancelled the run was cancelled
    nap failed: Cancelled the run was cancelled
    cancel requested
    call failed: Cancelled stopped
    sub/deep failed: Cancelled stopped
    sub failed: Cancelled the run was cancelled
    run cancelled
    "#);
}

#[test]
fn a_call_that_ends_well_in_spite_of_a_cancel_has_ended_well() {
    let mut world = World::new(steps(&json!([
        {"name": "call", "tool": "echo"},
        {"name": "after", "tool": "echo", "needs": [0]},
    ])));
    world.poll();
    world.cancel();
    world.poll();
    world.stopped.clear();
    assert_snapshot!(world.run().story(), @r#"
    call started: tool echo
    cancel requested
    call completed: {}
    run cancelled
    "#);
}
