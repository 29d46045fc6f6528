//! What happens to calls of which a dead process left no end.

use aa_spec::tool::ErrorKind;
use insta::assert_snapshot;
use serde_json::{Value, json};

use super::kit::{World, fault, plan, steps};
use crate::event::{Body, Origin, Resolution, StepPath};
use crate::store::{Ask, Request};

/// A run whose process died while every step that can start was being called.
fn died_calling(step: &Value) -> World {
    let mut world = World::new(steps(&json!([step])));
    world.poll();
    world.crash(world.events.len())
}

fn resolve(world: &mut World, step: &str, resolution: Resolution) {
    let ask = Ask::Resolve { step: StepPath(step.to_owned()), resolution };
    let request = Request { id: 1, origin: Origin::Http, by: "ann".to_owned(), ask };
    let body = world.machine.request(&request).unwrap();
    world.record(body);
}

#[test]
fn reads_and_idempotent_calls_are_made_again_under_the_same_key() {
    for step in [
        json!({"name": "call", "tool": "echo", "effect": "read", "args": {"at": "{{ now() }}"}}),
        json!({"name": "call", "tool": "echo", "idempotent": true, "args": {"at": "{{ now() }}"}}),
    ] {
        let mut before = World::new(steps(&json!([step])));
        before.poll();
        before.now += 5000;
        let mut world = before.crash(before.events.len());
        world.run();
        assert_eq!(world.made.len(), 1);
        assert_eq!(world.made[0].attempt, 2);
        assert_eq!(world.made[0].idempotency_key, before.made[0].idempotency_key);
        assert_eq!(world.made[0].args, before.made[0].args);
        assert_eq!(world.outputs(), json!({}));
    }
}

#[test]
fn an_interrupted_attempt_does_not_count_as_a_try() {
    let step = json!({"name": "call", "tool": "fail_2", "effect": "read", "retry": {"attempts": 2}});
    let mut world = died_calling(&step);
    assert_snapshot!(world.run().story(), @r#"
    call started: tool fail_2
    resumed, unknown: [StepPath("call")]
    call started: tool fail_2 attempt 2
    call retrying after 2: try again
    call started: tool fail_2 attempt 3
    call completed: {}
    run completed: {}
    "#);
}

#[test]
fn other_calls_wait_for_a_person() {
    let step = json!({"name": "call", "tool": "echo", "args": {"n": 1}, "retry": {"attempts": 5}});
    let mut world = died_calling(&step);
    world.run();
    assert!(world.made.is_empty());
    assert_eq!(world.machine.waiting(), [StepPath("call".to_owned())]);

    let mut retried = world.crash(world.events.len());
    retried.run();
    resolve(&mut retried, "call", Resolution::Retry);
    assert_snapshot!(retried.run().story(), @r#"
    call started: tool echo {"n":1}
    resumed, unknown: [StepPath("call")]
    resumed, unknown: [StepPath("call")]
    call resolved by ann: Retry
    call started: tool echo {"n":1} attempt 2
    call completed: {"n":1}
    run completed: {}
    "#);

    let mut done = world.crash(world.events.len());
    resolve(&mut done, "call", Resolution::Done { output: json!(7) });
    assert_snapshot!(done.run().story().lines().skip(3).collect::<Vec<_>>().join("\n"), @r#"
    call resolved by ann: Done { output: Number(7) }
    call completed: 7
    run completed: {}
    "#);

    let mut failed = world.crash(world.events.len());
    resolve(&mut failed, "call", Resolution::Fail);
    assert_snapshot!(failed.run().story().lines().skip(3).collect::<Vec<_>>().join("\n"), @r#"
    call resolved by ann: Fail
    call failed: Permanent it was interrupted, and said to have failed
    run failed at call: it was interrupted, and said to have failed
    "#);
}

fn reconciled(when: &str) -> World {
    died_calling(&json!({
        "name": "create", "tool": "create", "args": {"name": "x"},
        "reconcile": {"tool": "find", "args": {"name": "{{ args.name }}"}, "when": when},
    }))
}

#[test]
fn reconcile_asks_the_world() {
    let find = |call: &crate::machine::Call| match call.tool.as_str() {
        "find" => Ok(json!({"found": call.args["name"]})),
        _ => Ok(json!("created")),
    };
    let mut there = reconciled("result.found == args.name").tools(find);
    assert_snapshot!(there.run().story(), @r#"
    create started: tool create {"name":"x"}
    resumed, unknown: [StepPath("create")]
    create#reconcile started: reconcile find {"name":"x"}
    create resolved by reconcile: Done { output: Object {"found": String("x")} }
    create completed: {"found":"x"}
    run completed: {}
    "#);
    let mut not_there = reconciled("not result.found").tools(find);
    assert_snapshot!(not_there.run().story(), @r#"
    create started: tool create {"name":"x"}
    resumed, unknown: [StepPath("create")]
    create#reconcile started: reconcile find {"name":"x"}
    create resolved by reconcile: Retry
    create started: tool create {"name":"x"} attempt 2
    create completed: "created"
    run completed: {}
    "#);
}

#[test]
fn reconcile_knows_when_and_as_what_the_call_was_made_and_shapes_its_output() {
    let mut died = World::new(steps(&json!([{
        "name": "create", "tool": "fail_1", "args": {"name": "x"}, "retry": {"attempts": 2, "delay_ms": 2000},
        "reconcile": {
            "tool": "find", "args": {"since": "{{ started_at }}", "key": "{{ idempotency_key }}"},
            "when": "result.since == started_at and result.key == idempotency_key",
            "value": "{'name': args.name, 'made': result.since}",
        },
    }])));
    while died.made.len() < 2 {
        died.turn();
        died.poll();
    }
    let started = died.events.last().unwrap().at;
    let key = died.made[1].idempotency_key.clone();
    died.now += 5000;
    // Another process dies while it asks: the interrupted attempt is still the same.
    let mut asking = died.crash(died.events.len());
    asking.poll();
    asking.now += 5000;
    let mut world = asking.crash(asking.events.len());
    world.run();
    let since = started.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
    assert_eq!(json!(world.made[0].args), json!({"since": since, "key": key}));
    assert_eq!(world.results()["create"], format!("completed {}", json!({"name": "x", "made": since})));
}

#[test]
fn a_reconcile_whose_value_cannot_be_made_leaves_it_to_a_person() {
    let mut world = died_calling(&json!({
        "name": "create", "tool": "create", "args": {"name": "x"},
        "reconcile": {"tool": "find", "args": {}, "when": "true", "value": "result.rows + 1"},
    }));
    assert!(world.run().story().contains("create#reconcile failed"), "{}", world.story());
    assert_eq!(world.machine.waiting(), [StepPath("create".to_owned())]);
}

#[test]
fn a_reconcile_that_does_not_know_leaves_it_to_a_person() {
    let lost = |call: &crate::machine::Call| match call.tool.as_str() {
        "find" => Err(fault(ErrorKind::Network, "no route")),
        _ => Ok(json!("created")),
    };
    let mut world = reconciled("result").tools(lost);
    assert_snapshot!(world.run().story(), @r#"
    create started: tool create {"name":"x"}
    resumed, unknown: [StepPath("create")]
    create#reconcile started: reconcile find {"name":"x"}
    create#reconcile failed, continued: Network no route
    "#);
    assert_eq!(world.machine.waiting(), [StepPath("create".to_owned())]);
    // The next process asks the world once more.
    let mut next = world.crash(world.events.len());
    next.run();
    assert_eq!(next.made.len(), 1);
    assert_eq!(next.made[0].step.0, "create#reconcile");

    let mut world = reconciled("result + 1 > 'a'").tools(|_| Ok(json!("x")));
    assert!(world.run().story().contains("create#reconcile failed"), "{}", world.story());
}

#[test]
fn a_crash_while_reconciling_asks_again() {
    let mut world = reconciled("true");
    world.poll();
    assert_eq!(world.open[0].step.0, "create#reconcile");
    let mut next = world.crash(world.events.len());
    assert_snapshot!(next.run().story(), @r#"
    create started: tool create {"name":"x"}
    resumed, unknown: [StepPath("create")]
    create#reconcile started: reconcile find {"name":"x"}
    resumed, unknown: [StepPath("create")]
    create#reconcile started: reconcile find {"name":"x"}
    create resolved by reconcile: Done { output: Object {"name": String("x")} }
    create completed: {"name":"x"}
    run completed: {}
    "#);
}

#[test]
fn questions_waits_and_delays_keep_their_times() {
    let mut before = World::new(steps(&json!([
        {"name": "ask", "action": {"confirm": {"message": "?", "options": ["a", "b"], "default": "b", "timeout_ms": 90_000}}},
        {"name": "nap", "action": {"wait_for": {"duration": "1m"}}},
        {"name": "flaky", "tool": "fail_1", "retry": {"attempts": 2, "delay_ms": 30_000}},
    ])));
    before.turn();
    before.poll();
    let expected = before.machine.wake_at();
    before.now += 10_000;
    let mut world = before.crash(before.events.len());
    world.poll();
    assert!(world.open.is_empty());
    assert_eq!(world.machine.wake_at(), expected);
    world.run();
    assert_eq!(world.outputs(), json!({}));
    assert_eq!(world.now, 90_000);
}

#[test]
fn a_failing_run_sees_interrupted_writes_through_before_it_is_taken_back() {
    let mut world = World::new(plan(&json!({"on_failure": "undo", "steps": [
        {"name": "write", "tool": "echo", "idempotent": true, "undo": {"tool": "unwrite"}},
        {"name": "read", "tool": "echo", "effect": "read"},
        {"name": "bad", "tool": "fail_always"},
    ]})));
    world.poll();
    world.end(2);
    let mut world = world.crash(world.events.len());
    assert_snapshot!(world.run().story(), @r#"
    write started: tool echo
    read started: tool echo
    bad started: tool fail_always
    bad failed: Permanent no
    resumed, unknown: [StepPath("write"), StepPath("read")]
    write started: tool echo attempt 2
    read failed: Cancelled stopped because step `bad` failed
    write completed: {}
    undo started by on_failure: no
    write#undo started: undo unwrite
    write#undo completed: {}
    undo finished, failed: []
    run failed at bad: no
    "#);
}

#[test]
fn a_cancelled_run_does_not_ask_about_interrupted_calls() {
    let mut world = World::new(steps(&json!([
        {"name": "write", "tool": "echo"},
        {"name": "idem", "tool": "echo", "idempotent": true},
    ])));
    world.poll();
    world.cancel();
    let mut world = world.crash(world.events.len());
    assert_snapshot!(world.run().story(), @r#"
    write started: tool echo
    idem started: tool echo
    cancel requested
    resumed, unknown: [StepPath("write"), StepPath("idem")]
    write failed: Cancelled the run was cancelled; whether the interrupted call took place is unknown
    idem failed: Cancelled the run was cancelled; whether the interrupted call took place is unknown
    run cancelled
    "#);
}

#[test]
fn requests_are_checked_before_they_become_events() {
    let mut world = World::new(steps(&json!([
        {"name": "ask", "action": {"confirm": {"message": "?", "options": ["yes", "no"], "default": null, "timeout_ms": null}}},
        {"name": "call", "tool": "echo"},
    ])));
    world.poll();
    let ask = |world: &World, ask: Ask| {
        let request = Request { id: 1, origin: Origin::Http, by: "ann".to_owned(), ask };
        world.machine.request(&request).map_err(|misfit| misfit.message)
    };
    let answer = |step: &str, answer: &str| Ask::Answer {
        step: StepPath(step.to_owned()),
        answer: answer.to_owned(),
        question: None,
    };
    let resolve =
        |step: &str| Ask::Resolve { step: StepPath(step.to_owned()), resolution: Resolution::Retry };
    assert!(matches!(ask(&world, answer("ask", "yes")), Ok(Body::ConfirmAnswered { .. })));
    assert_snapshot!(ask(&world, answer("ask", "maybe")).unwrap_err(), @"`maybe` is not an answer to `ask`; it is one of `yes`, `no`");
    assert_snapshot!(ask(&world, answer("call", "yes")).unwrap_err(), @"step `call` has no open question");
    assert_snapshot!(ask(&world, answer("nobody", "yes")).unwrap_err(), @"there is no step `nobody`");
    assert_snapshot!(ask(&world, resolve("call")).unwrap_err(), @"the outcome of step `call` is not in doubt");
    world.answer("ask", "yes");
    world.run();
    assert_snapshot!(ask(&world, Ask::Cancel { reason: String::new() }).unwrap_err(), @"the run is over");
}
