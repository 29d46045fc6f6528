//! Compute steps: a block's calls are steps of a frame.

use aa_spec::tool::ErrorKind;
use insta::assert_snapshot;
use serde_json::{Map, Value, json};

use super::kit::{World, at, fault, plan, plan_with, steps};
use crate::compute::{Computed, HostCall};
use crate::event::{Body, Event, Origin, Resolution, RunId, StepPath};
use crate::machine::Machine;

/// A block that writes twice: once so that it may be repeated, once not.
fn writer() -> Value {
    json!({
        "script": {"calls": [["put", {"n": 1}], ["send", {"n": 2}]]},
        "tools": {
            "put": {"effect": "write", "idempotent": true},
            "send": {"effect": "write", "idempotent": false},
        },
    })
}

fn path(step: &str) -> StepPath {
    StepPath(step.to_owned())
}

fn resolve(world: &mut World, step: &str, resolution: Resolution) {
    world.record(Body::StepResolved { step: path(step), resolution, by: "ann".to_owned() });
}

fn tail(world: &World, from: usize) -> String {
    world.story().lines().skip(from).collect::<Vec<_>>().join("\n")
}

#[test]
fn calls_are_steps_below_the_step() {
    let mut world = World::new(steps(&json!([
        {"name": "look", "tool": "echo", "args": {"give": [1, 2]}},
        {"name": "calc", "block": {
            "script": {"calls": [["put", {"all": "$look"}]]},
            "tools": {"put": {"effect": "write", "idempotent": true}}, "reads": ["look", "config", "gone"],
        }, "needs": [0]},
        {"name": "after", "tool": "echo", "args": {"give": "{{ calc }}"}, "needs": [1]},
    ])));
    assert_snapshot!(world.run().story(), @r#"
    look started: tool echo {"give":[1,2]}
    look completed: [1,2]
    calc started: compute
    calc/1_put started: tool put {"all":[1,2]}
    calc/1_put completed: {"all":[1,2]}
    calc completed: [{"all":[1,2]}]
    after started: tool echo {"give":[{"all":[1,2]}]}
    after completed: [{"all":[1,2]}]
    run completed: {}
    "#);
    let reads = world.events.iter().find_map(|event| match &event.body {
        Body::StepCompleted { step, reads, .. } if step.0 == "calc" => Some(reads.clone()),
        _ => None,
    });
    assert_eq!(reads.unwrap(), ["look", "config"]);
    // A call is made under a key of its own.
    let keys: std::collections::BTreeSet<&str> =
        world.made.iter().map(|call| call.idempotency_key.as_str()).collect();
    assert_eq!(keys.len(), 3);
}

#[test]
fn a_block_sees_what_there_was_when_it_started() {
    let mut world = World::with(
        plan_with(
            &json!({
                "inputs": [{"name": "who", "required": false, "schema": {}}],
                "steps": [
                    {"name": "slow", "tool": "echo", "args": {"give": "late"}},
                    {"name": "calc", "block": {"script": {"calls": [["put", {"slow": "$slow"}]]}, "lists_names": true,
                        "tools": {"put": {"effect": "read", "idempotent": true}}, "reads": ["slow", "inputs", "secrets"]}},
                ],
            }),
            &[],
        ),
        &json!({"inputs": {"who": null}}),
    );
    world.poll();
    let first = world.blocks[0].call.clone();
    assert_eq!(Value::Object(first.names.clone().unwrap()), json!({"inputs": {"who": null}}));
    assert_eq!(first.known, ["config", "env", "inputs", "run", "today"]);
    assert_eq!(first.now, world.events[2].at);
    assert_eq!(first.skill, "main");
    world.end(0);
    world.now += 1000;
    let again = world.crash(world.events.len());
    let mut again = again;
    again.poll();
    assert_eq!(again.blocks[0].call, first);
    again.run();
    assert_eq!(again.results()["calc"], r#"completed [{"slow":null}]"#);
}

#[test]
fn answers_come_from_the_journal_after_a_crash() {
    let mut world = World::new(steps(&json!([{"name": "calc", "block": writer()}])));
    world.run();
    // After the end of the first call.
    let mut resumed = world.crash(4);
    assert_snapshot!(resumed.run().story(), @r#"
    calc started: compute
    calc/1_put started: tool put {"n":1}
    calc/1_put completed: {"n":1}
    resumed, unknown: []
    calc/2_send started: tool send {"n":2}
    calc/2_send completed: {"n":2}
    calc completed: [{"n":1},{"n":2}]
    run completed: {}
    "#);
    // After the start of the first call, which may be repeated.
    let mut resumed = world.crash(3);
    assert_snapshot!(resumed.run().story(), @r#"
    calc started: compute
    calc/1_put started: tool put {"n":1}
    resumed, unknown: [StepPath("calc/1_put")]
    calc/1_put started: tool put {"n":1} attempt 2
    calc/1_put completed: {"n":1}
    calc/2_send started: tool send {"n":2}
    calc/2_send completed: {"n":2}
    calc completed: [{"n":1},{"n":2}]
    run completed: {}
    "#);
    // Before anything but its start.
    let mut resumed = world.crash(2);
    resumed.run();
    assert_eq!(resumed.results(), world.results());
}

#[test]
fn a_call_that_may_have_taken_place_waits_for_a_person() {
    let mut world = World::new(steps(&json!([{"name": "calc", "block": writer()}])));
    world.run();
    let mut stuck = world.crash(5);
    stuck.run();
    assert!(stuck.blocks.is_empty() && stuck.open.is_empty(), "{}", stuck.story());
    assert_eq!(stuck.machine.waiting(), [path("calc/2_send")]);
    // Another process changes nothing about that.
    let mut stuck = stuck.crash(stuck.events.len());
    stuck.run();
    resolve(&mut stuck, "calc/2_send", Resolution::Done { output: json!("it did") });
    stuck.run();
    assert_snapshot!(tail(&stuck, 6), @r#"
    calc/2_send resolved by ann: Done { output: String("it did") }
    calc/2_send completed: "it did"
    calc completed: [{"n":1},"it did"]
    run completed: {}
    "#);

    let mut stuck = world.crash(5);
    resolve(&mut stuck, "calc/2_send", Resolution::Retry);
    stuck.run();
    assert_eq!(stuck.results(), world.results());

    let mut stuck = world.crash(5);
    resolve(&mut stuck, "calc/2_send", Resolution::Fail);
    stuck.run();
    assert_snapshot!(tail(&stuck, 6), @r"
    calc/2_send failed, continued: Permanent it was interrupted, and said to have failed
    calc failed: Permanent it was interrupted, and said to have failed
    run failed at calc: it was interrupted, and said to have failed
    ");
}

#[test]
fn a_call_is_reconciled_like_a_step() {
    let block = json!({
        "script": {"calls": [["create", {"name": "x"}]]},
        "tools": {"create": {"effect": "write", "idempotent": false,
            "reconcile": {"tool": "find", "args": {"name": "{{ args.name }}"}, "when": "result.name == 'x'"}}},
    });
    let mut world = World::new(steps(&json!([{"name": "calc", "block": block}])));
    world.run();
    let mut resumed = world.crash(3);
    assert_snapshot!(tail(resumed.run(), 2), @r#"
    resumed, unknown: [StepPath("calc/1_create")]
    calc/1_create#reconcile started: reconcile find {"name":"x"}
    calc/1_create resolved by reconcile: Done { output: Object {"name": String("x")} }
    calc/1_create completed: {"name":"x"}
    calc completed: [{"name":"x"}]
    run completed: {}
    "#);
}

fn caller() -> World {
    let inner = json!({
        "inputs": [{"name": "who", "required": true, "schema": {"type": "string"}},
                   {"name": "more", "required": false, "default": 7, "schema": {}}],
        "steps": [
            {"name": "claim", "tool": "echo", "args": {"give": "{{ inputs.who }}"}, "undo": {"tool": "unclaim"}},
            {"name": "ask", "action": {"confirm": {"message": "?", "options": ["yes", "no"], "default": null, "timeout_ms": null}}, "needs": [0]},
        ],
        "outputs": [{"name": "said", "value": "{{ ask }}"}],
    });
    let main = json!({"on_failure": "undo", "steps": [
        {"name": "calc", "block": {"script": {"calls": [["inner", {"who": 1}], ["inner", {"who": "ann"}]], "catches": true}, "skills": ["inner"]}},
        {"name": "bad", "tool": "fail_always", "needs": [0]},
    ]});
    World::new(plan_with(&main, &[("inner", inner)]))
}

#[test]
fn a_skill_that_a_block_runs_is_a_frame_and_can_be_taken_back() {
    let mut world = caller();
    world.run();
    assert_eq!(world.machine.waiting(), [path("calc/2_inner/ask")]);
    // The question outlives the process, and the block is run again once it is answered.
    let mut world = world.crash(world.events.len());
    world.run();
    assert!(world.blocks.is_empty());
    world.answer("calc/2_inner/ask", "yes");
    assert_snapshot!(world.run().story(), @r#"
    calc started: compute
    calc/1_inner failed, continued: Invalid input `who` must be text, not a number
    calc/2_inner started: skill inner {"who":"ann","more":7}
    calc/2_inner/claim started: tool echo {"give":"ann"}
    calc/2_inner/claim completed: "ann"
    calc/2_inner/ask started: confirm
    calc/2_inner/ask asks: ? ["yes", "no"]
    resumed, unknown: []
    calc/2_inner/ask answered: yes by ann
    calc/2_inner/ask completed: "yes"
    calc/2_inner completed: {"said":"yes"}
    calc completed: ["caught input `who` must be text, not a number",{"said":"yes"}]
    bad started: tool fail_always
    bad failed: Permanent no
    undo started by on_failure: no
    calc/2_inner/claim#undo started: undo unclaim
    calc/2_inner/claim#undo completed: {}
    undo finished, failed: []
    run failed at bad: no
    "#);
}

#[test]
fn another_attempt_begins_with_its_first_call() {
    let mut world = World::new(steps(&json!([
        {"name": "calc", "retry": {"attempts": 2}, "block": {
            "script": {"calls": [["put", {"n": 1}], ["flaky", {}]]},
            "tools": {"put": {"effect": "write", "idempotent": true}, "flaky": {"effect": "read", "idempotent": true}},
        }},
    ])));
    let count = std::sync::atomic::AtomicU32::new(0);
    world = world.tools(move |call| match call.tool.as_str() {
        "flaky" if count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0 => {
            Err(fault(ErrorKind::Transient, "try again"))
        }
        _ => Ok(json!(call.tool)),
    });
    assert_snapshot!(world.run().story(), @r#"
    calc started: compute
    calc/1_put started: tool put {"n":1}
    calc/1_put completed: "put"
    calc/2_flaky started: tool flaky
    calc/2_flaky failed, continued: Transient try again
    calc retrying after 1: try again
    calc started: compute attempt 2
    calc/1_put started: tool put {"n":1}
    calc/1_put completed: "put"
    calc/2_flaky started: tool flaky
    calc/2_flaky completed: "flaky"
    calc completed: ["put","flaky"]
    run completed: {}
    "#);
    // Who is called takes the calls of another attempt for new ones, but not those after a crash.
    let keys: Vec<&str> = world.made.iter().map(|call| call.idempotency_key.as_str()).collect();
    assert_eq!(keys.iter().collect::<std::collections::BTreeSet<_>>().len(), 4);
    for kept in 1..world.events.len() {
        let mut resumed = world.crash(kept);
        resumed.tools = std::sync::Arc::new(|call| Ok(json!(call.tool)));
        resumed.run();
        assert!(
            resumed.made.iter().all(|call| keys.contains(&call.idempotency_key.as_str())),
            "{}",
            resumed.story()
        );
    }
}

#[test]
fn a_dry_run_answers_writes_from_the_plan() {
    let block = json!({
        "script": {"calls": [["peek", {"n": 1}], ["send", {"n": 2}]]},
        "tools": {"peek": {"effect": "read", "idempotent": true}, "send": {"effect": "write", "idempotent": false}},
    });
    let plan = steps(&json!([{"name": "calc", "block": block}]));
    let mut world = World::with(plan, &json!({"dry_run": true}));
    assert_snapshot!(world.run().story(), @r#"
    calc started: compute
    calc/1_peek started: tool peek {"n":1}
    calc/1_peek completed: {"n":1}
    calc/2_send started: tool send {"n":2}
    calc/2_send completed: {"dry_run":true,"tool":"send","args":{"n":2}}
    calc completed: [{"n":1},{"dry_run":true,"tool":"send","args":{"n":2}}]
    run completed: {}
    "#);
}

#[test]
fn cancelling_stops_the_block_and_its_call() {
    let mut world = World::new(steps(&json!([{"name": "calc", "block": writer()}])));
    world.poll();
    world.step_block(0);
    world.poll();
    world.cancel();
    world.poll();
    assert_eq!(world.stopped, [path("calc"), path("calc/1_put")].into());
    assert_snapshot!(tail(world.run(), 3), @r"
    calc/1_put failed, continued: Cancelled stopped
    calc failed: Cancelled stopped
    run cancelled
    ");
}

#[test]
fn nothing_new_is_called_where_a_skill_has_failed() {
    let mut world = World::new(steps(&json!([
        {"name": "calc", "block": writer()},
        {"name": "bad", "tool": "fail_always"},
    ])));
    world.poll();
    world.step_block(0);
    world.poll();
    world.end(0);
    assert_snapshot!(tail(world.run(), 2), @r#"
    calc/1_put started: tool put {"n":1}
    bad failed: Permanent no
    calc/1_put completed: {"n":1}
    calc failed: Cancelled stopped because step `bad` failed
    run failed at bad: no
    "#);
}

#[test]
fn a_block_of_a_failed_skill_is_not_run_again() {
    let mut world = World::new(plan(&json!({"steps": [
        {"name": "calc", "block": writer()},
        {"name": "bad", "tool": "fail_always"},
    ]})));
    world.poll();
    world.step_block(0);
    world.poll();
    world.end(0);
    let mut resumed = world.crash(world.events.len());
    assert_snapshot!(tail(resumed.run(), 4), @r#"
    resumed, unknown: [StepPath("calc/1_put")]
    calc/1_put started: tool put {"n":1} attempt 2
    calc/1_put completed: {"n":1}
    calc failed: Cancelled stopped because step `bad` failed
    run failed at bad: no
    "#);
}

#[test]
fn a_block_that_is_stopped_because_the_skill_has_returned_spoils_nothing() {
    let mut world = World::new(steps(&json!([
        {"name": "calc", "block": writer()},
        {"name": "early", "tool": "echo"},
        {"name": "out", "action": {"return": {"value": "done"}}, "needs": [1]},
    ])));
    world.poll();
    world.step_block(0);
    world.poll();
    // `early` ends, then the call that the block has made.
    world.end(0);
    world.poll();
    world.end(0);
    assert_snapshot!(tail(world.run(), 3), @r#"
    early completed: {}
    out started: then
    out completed: "done"
    calc/1_put completed: {"n":1}
    calc failed, continued: Cancelled the skill has returned
    run completed: {"return":"done"}
    "#);
}

#[test]
fn a_block_fails_that_reads_what_it_cannot_have() {
    let reading = |name: &str| json!({"script": {"calls": []}, "reads": [name]});
    let deep = (0..130).fold(json!(1), |inner, _| json!([inner]));
    let plan = plan(&json!({
        "inputs": [{"name": "token", "required": false, "schema": {}}],
        "steps": [{"name": "calc", "block": reading("inputs")}],
    }));
    let sealed = aa_spec::template::seal::seal("TOKEN");
    let mut world = World::with(plan, &json!({"inputs": {"token": [sealed]}}));
    assert_snapshot!(world.run().results()["calc"], @"failed the block cannot have `inputs`: a secret cannot be read in Python, only given to a tool");

    let mut world = World::new(steps(&json!([
        {"name": "look", "tool": "deep"},
        {"name": "calc", "block": reading("look"), "needs": [0]},
    ])));
    world = world.tools(move |_| Ok(deep.clone()));
    assert_snapshot!(world.run().results()["calc"], @"failed the block cannot have `look`: a value is nested too deeply");
}

#[test]
fn time_is_up_for_the_block_and_its_calls() {
    let mut world = World::new(steps(&json!([{"name": "calc", "timeout_ms": 25, "block": writer()}])));
    world.poll();
    world.step_block(0);
    world.poll();
    assert_eq!(world.open[0].deadline, Some(at(25)));
    world.now = 20;
    assert_snapshot!(tail(world.run(), 2), @r"
    calc/1_put failed, continued: Timeout too late
    calc failed: Timeout too late
    run failed at calc: too late
    ");
}

#[test]
fn each_item_has_calls_of_its_own() {
    let mut world = World::new(steps(&json!([
        {"name": "calc", "foreach": {"items": "{{ ['a', 'b'] }}", "concurrency": 2}, "block": {
            "script": {"calls": [["put", {"give": "$item"}]]}, "reads": ["item"],
            "tools": {"put": {"effect": "write", "idempotent": true}},
        }},
    ])));
    world.run();
    assert_eq!(world.results()["calc"], r#"completed [["a"],["b"]]"#);
    assert_eq!(world.results()["calc[1]/1_put"], r#"completed "b""#);
}

#[test]
fn events_that_do_not_fit_a_block_are_refused() {
    let mut world = World::new(steps(&json!([{"name": "calc", "block": writer()}])));
    world.poll();
    let refused = |world: &World, body: Value| {
        let mut machine = Machine::replay(&world.plan, &world.events).unwrap();
        let event = Event {
            run_id: RunId(1),
            seq: world.events.len() as u64,
            at: at(world.now),
            source: Origin::Cli,
            body: serde_json::from_value(body).unwrap(),
        };
        machine.apply(&event).err().map(|misfit| misfit.message)
    };
    let started =
        |step: &str| json!({"event": "step_started", "step": step, "attempt": 1, "kind": "tool", "args": {}});
    for step in ["calc/2_put", "calc/01_put", "calc/1_nobody", "calc/put", "calc/1_put/x", "calc[0]/1_put"] {
        assert!(refused(&world, started(step)).is_some(), "{step}");
    }
    assert_eq!(refused(&world, started("calc/1_put")), None);
    let completed = json!({"event": "step_completed", "step": "calc", "output": 1, "duration_ms": 0});
    assert_eq!(refused(&world, completed.clone()), None);
    world.step_block(0);
    assert!(refused(&world, started("calc/2_send")).is_some());
    assert!(refused(&world, completed).is_some());

    let call = |number: u32, target: &str| HostCall { number, target: target.to_owned(), args: Map::new() };
    let ask = |world: &World, number: u32, target: &str| {
        world
            .machine
            .host_call(&path("calc"), &call(number, target), at(world.now))
            .map_err(|error| error.message)
    };
    assert_snapshot!(ask(&world, 2, "send").unwrap_err(), @"call 2 of the block comes out of turn");
    let done = Ok(Computed { value: json!(1), reads: Vec::new(), printed: Vec::new() });
    assert!(world.machine.settle_block(&path("calc"), done, at(world.now)).is_err());
    world.poll();
    world.end(0);
    assert_snapshot!(ask(&world, 2, "other").unwrap_err(), @"`other` is none of the calls that the plan knows");
    assert_snapshot!(ask(&world, 1, "put").unwrap_err(), @"call 1 of the block comes out of turn");
}
