//! Taking back: what, in which order, and what a failure or a crash does to it.

use insta::assert_snapshot;
use serde_json::json;

use super::kit::{World, plan, plan_with};
use crate::event::{Body, Resolution, StepPath};

#[test]
fn a_failure_takes_completed_steps_back_newest_first() {
    let mut world = World::new(plan(&json!({"on_failure": "undo", "steps": [
        {"name": "one", "tool": "echo", "args": {"n": 1}, "undo": {"tool": "unmake", "args": {"n": "{{ one.n }}"}}},
        {"name": "two", "tool": "echo", "needs": [0]},
        {"name": "three", "tool": "echo", "needs": [1], "undo": {"tool": "fail_always"}},
        {"name": "fan", "tool": "echo", "needs": [2], "foreach": {"items": "{{ ['a', 'b'] }}"}, "args": {"give": "{{ item * 2 }}"},
         "undo": {"tool": "unmake", "args": {"what": "{{ [item, index, fan] }}"}}},
        {"name": "wrong", "tool": "echo", "needs": [3], "undo": {"tool": "unmake", "args": {"n": "{{ 1 + 'a' }}"}}},
        {"name": "bad", "tool": "fail_always", "needs": [4], "undo": {"tool": "unmake"}},
    ]})));
    assert_snapshot!(world.run().story(), @r#"
    one started: tool echo {"n":1}
    one completed: {"n":1}
    two started: tool echo
    two completed: {}
    three started: tool echo
    three completed: {}
    fan started: foreach {"items":["a","b"]} items 2
    fan[0] started: tool echo {"give":"aa"}
    fan[0] completed: "aa"
    fan[1] started: tool echo {"give":"bb"}
    fan[1] completed: "bb"
    fan completed: ["aa","bb"]
    wrong started: tool echo
    wrong completed: {}
    bad started: tool fail_always
    bad failed: Permanent no
    undo started by on_failure: no
    wrong#undo failed, continued: Invalid argument `n`: cannot evaluate `1 + 'a'`: tried to use + operator on unsupported types number and string
    fan[1]#undo started: undo unmake {"what":["b",1,"bb"]}
    fan[1]#undo completed: {"what":["b",1,"bb"]}
    fan[0]#undo started: undo unmake {"what":["a",0,"aa"]}
    fan[0]#undo completed: {"what":["a",0,"aa"]}
    three#undo started: undo fail_always
    three#undo failed, continued: Permanent no
    one#undo started: undo unmake {"n":1}
    one#undo completed: {"n":1}
    undo finished, failed: [StepPath("wrong"), StepPath("three")]
    run failed at bad: no
    "#);
}

#[test]
fn nothing_is_taken_back_unless_the_skill_says_so() {
    let steps = json!([
        {"name": "one", "tool": "echo", "undo": {"tool": "unmake"}},
        {"name": "bad", "tool": "fail_always", "needs": [0]},
    ]);
    let mut world = World::new(plan(&json!({ "steps": steps })));
    assert!(!world.run().story().contains("undo"), "{}", world.story());
}

#[test]
fn a_cancelled_run_is_taken_back_and_a_second_cancel_ends_that() {
    let main = plan(&json!({"on_failure": "undo", "steps": [
        {"name": "one", "tool": "echo", "undo": {"tool": "unmake"}},
        {"name": "two", "tool": "echo", "needs": [0], "undo": {"tool": "unmake"}},
        {"name": "slow", "tool": "echo", "needs": [1]},
    ]}));
    let mut world = World::new(main);
    for _ in 0..2 {
        world.turn();
    }
    world.poll();
    world.cancel();
    world.turn();
    world.poll();
    assert_eq!(world.open[0].step.0, "two#undo");
    world.cancel();
    world.poll();
    assert!(world.killed.contains(&StepPath("two#undo".to_owned())));
    assert_snapshot!(world.run().story(), @r#"
    one started: tool echo
    one completed: {}
    two started: tool echo
    two completed: {}
    slow started: tool echo
    cancel requested
    slow failed: Cancelled stopped
    undo started by on_failure
    two#undo started: undo unmake
    cancel requested
    two#undo failed, continued: Cancelled stopped
    undo finished, failed: [StepPath("two"), StepPath("one")]
    run cancelled
    "#);
}

#[test]
fn steps_of_sub_skills_are_taken_back_unless_the_caller_knows_better() {
    let inner = json!({"steps": [
        {"name": "a", "tool": "echo", "undo": {"tool": "un_a"}},
        {"name": "b", "tool": "echo", "needs": [0], "undo": {"tool": "un_b"}},
    ]});
    let main = json!({"on_failure": "undo", "steps": [
        {"name": "plain", "action": {"skill": {"skill": "inner", "args": {}}}},
        {"name": "own", "action": {"skill": {"skill": "inner", "args": {}}}, "needs": [0], "undo": {"tool": "un_own"}},
        {"name": "fan", "action": {"skill": {"skill": "inner", "args": {}}}, "needs": [1], "foreach": {"items": "{{ [1] }}"}},
        {"name": "bad", "tool": "fail_always", "needs": [2]},
    ]});
    let mut world = World::new(plan_with(&main, &[("inner", inner)]));
    world.run();
    assert_snapshot!(world.story().split("undo started by").last().unwrap_or_default(), @r#"
     on_failure: no
    fan[0]/b#undo started: undo un_b
    fan[0]/b#undo completed: {}
    fan[0]/a#undo started: undo un_a
    fan[0]/a#undo completed: {}
    own#undo started: undo un_own
    own#undo completed: {}
    plain/b#undo started: undo un_b
    plain/b#undo completed: {}
    plain/a#undo started: undo un_a
    plain/a#undo completed: {}
    undo finished, failed: []
    run failed at bad: no
    "#);
}

#[test]
fn a_failed_sub_skill_takes_itself_back_and_the_run_goes_on() {
    let inner = json!({"on_failure": "undo", "steps": [
        {"name": "a", "tool": "echo", "undo": {"tool": "un_a"}},
        {"name": "bad", "tool": "fail_always", "needs": [0]},
    ]});
    let main = json!({"on_failure": "undo", "steps": [
        {"name": "sub", "action": {"skill": {"skill": "inner", "args": {}}}, "on_error": "continue"},
        {"name": "first", "tool": "echo", "needs": [0], "undo": {"tool": "un_first"}},
        {"name": "bad", "tool": "fail_always", "needs": [1]},
    ]});
    let mut world = World::new(plan_with(&main, &[("inner", inner)]));
    assert_snapshot!(world.run().story(), @r#"
    sub started: skill inner
    sub/a started: tool echo
    sub/a completed: {}
    sub/bad started: tool fail_always
    sub/bad failed: Permanent no
    undo of sub started by on_failure: no
    sub/a#undo started: undo un_a
    sub/a#undo completed: {}
    undo of sub finished, failed: []
    sub failed, continued: Permanent step `sub/bad` failed: no
    first started: tool echo
    first completed: {}
    bad started: tool fail_always
    bad failed: Permanent no
    undo started by on_failure: no
    first#undo started: undo un_first
    first#undo completed: {}
    undo finished, failed: []
    run failed at bad: no
    "#);
}

#[test]
fn the_outermost_skill_that_wants_it_takes_everything_back() {
    let inner = json!({"on_failure": "undo", "steps": [
        {"name": "a", "tool": "echo", "undo": {"tool": "un_a"}},
        {"name": "slow", "tool": "echo", "needs": [0]},
    ]});
    let main = |on_failure: &str| {
        json!({"on_failure": on_failure, "steps": [
            {"name": "sub", "action": {"skill": {"skill": "inner", "args": {}}}},
            {"name": "two", "tool": "echo", "undo": {"tool": "un_two"}},
            {"name": "bad", "tool": "fail_always", "needs": [1]},
        ]})
    };
    let mut world = World::new(plan_with(&main("undo"), &[("inner", inner.clone())]));
    world.choose = Box::new(|open| open - 1);
    assert_snapshot!(world.run().story(), @r#"
    sub started: skill inner
    two started: tool echo
    sub/a started: tool echo
    sub/a completed: {}
    sub/slow started: tool echo
    sub/slow completed: {}
    sub completed: {}
    two completed: {}
    bad started: tool fail_always
    bad failed: Permanent no
    undo started by on_failure: no
    two#undo started: undo un_two
    two#undo completed: {}
    sub/a#undo started: undo un_a
    sub/a#undo completed: {}
    undo finished, failed: []
    run failed at bad: no
    "#);
    // Only the sub-skill wants it: it does so before the run ends.
    let mut world = World::new(plan_with(&main("stop"), &[("inner", inner)]));
    assert_snapshot!(world.run().story(), @r#"
    sub started: skill inner
    two started: tool echo
    sub/a started: tool echo
    two completed: {}
    bad started: tool fail_always
    sub/a completed: {}
    sub/slow started: tool echo
    bad failed: Permanent no
    sub/slow completed: {}
    undo of sub started by on_failure
    sub/a#undo started: undo un_a
    sub/a#undo completed: {}
    undo of sub finished, failed: []
    sub failed: Cancelled stopped because step `bad` failed
    run failed at bad: no
    "#);
}

#[test]
fn outputs_that_fail_take_the_run_back() {
    let mut world = World::new(plan(&json!({
        "on_failure": "undo",
        "steps": [{"name": "one", "tool": "echo", "undo": {"tool": "unmake"}}],
        "outputs": [{"name": "broken", "value": "{{ 1 + 'a' }}"}],
    })));
    assert_snapshot!(world.run().story(), @r#"
    one started: tool echo
    one completed: {}
    undo started by on_failure: output `broken`: cannot evaluate `1 + 'a'`: tried to use + operator on unsupported types number and string
    one#undo started: undo unmake
    one#undo completed: {}
    undo finished, failed: []
    run failed at -: output `broken`: cannot evaluate `1 + 'a'`: tried to use + operator on unsupported types number and string
    "#);
}

#[test]
fn a_run_that_is_over_can_be_taken_back_and_failures_again() {
    let mut world = World::new(plan(&json!({"steps": [
        {"name": "one", "tool": "echo", "undo": {"tool": "unmake"}},
        {"name": "two", "tool": "echo", "needs": [0], "undo": {"tool": "fail_1"}},
    ]})));
    world.run();
    let ending = world.machine.ending().cloned();
    for _ in 0..3 {
        world.record(Body::UndoStarted { by: "ann".to_owned(), step: None, error: None });
        assert_eq!(world.machine.ending(), None);
        world.run();
        assert_eq!(world.machine.ending(), ending.as_ref());
    }
    assert_snapshot!(world.story(), @r#"
    one started: tool echo
    one completed: {}
    two started: tool echo
    two completed: {}
    run completed: {}
    undo started by ann
    two#undo started: undo fail_1
    two#undo failed, continued: Transient try again
    one#undo started: undo unmake
    one#undo completed: {}
    undo finished, failed: [StepPath("two")]
    undo started by ann
    two#undo started: undo fail_1 attempt 2
    two#undo completed: {}
    undo finished, failed: []
    undo started by ann
    undo finished, failed: []
    "#);
}

#[test]
fn an_interrupted_undo_is_repeated_when_it_may_be_and_asked_about_otherwise() {
    let main = |idempotent: bool| {
        plan(&json!({"on_failure": "undo", "steps": [
            {"name": "one", "tool": "echo", "undo": {"tool": "unmake", "idempotent": idempotent}},
            {"name": "bad", "tool": "fail_always", "needs": [0]},
        ]}))
    };
    let interrupted = |idempotent: bool| {
        let mut world = World::new(main(idempotent));
        while world.made.last().is_none_or(|call| call.tool != "unmake") {
            world.turn();
            world.poll();
        }
        world.crash(world.events.len())
    };
    let mut world = interrupted(true);
    assert_snapshot!(world.run().story(), @r#"
    one started: tool echo
    one completed: {}
    bad started: tool fail_always
    bad failed: Permanent no
    undo started by on_failure: no
    one#undo started: undo unmake
    resumed, unknown: [StepPath("one#undo")]
    one#undo started: undo unmake attempt 2
    one#undo completed: {}
    undo finished, failed: []
    run failed at bad: no
    "#);

    for (resolution, failed) in [
        (Resolution::Done { output: json!(null) }, false),
        (Resolution::Fail, true),
        (Resolution::Retry, false),
    ] {
        let mut world = interrupted(false);
        world.run();
        assert_eq!(world.machine.waiting(), [StepPath("one#undo".to_owned())]);
        let calls = world.made.len();
        let step = StepPath("one#undo".to_owned());
        world.record(Body::StepResolved { step, resolution: resolution.clone(), by: "ann".to_owned() });
        world.run();
        assert_eq!(world.made.len() - calls, usize::from(resolution == Resolution::Retry));
        let finished = if failed { "failed: [StepPath(\"one\")]" } else { "failed: []" };
        assert!(world.story().contains(finished), "{}", world.story());
    }
}

#[test]
fn a_write_that_may_have_acted_although_it_failed_is_taken_back() {
    let steps = |undo: serde_json::Value| {
        plan(&json!({"on_failure": "undo", "steps": [
            {"name": "one", "tool": "echo", "args": {"n": 1}, "undo": undo,
             "validate": [{"condition": "one.n == 2"}]},
        ]}))
    };
    let mut world = World::new(steps(json!({"tool": "unmake", "args": {"n": "{{ 1 + 1 }}"}})));
    assert_snapshot!(world.run().story(), @r#"
    one started: tool echo {"n":1}
    one failed: Invalid `one.n == 2` is not true
    undo started by on_failure: `one.n == 2` is not true
    one#undo started: undo unmake {"n":2}
    one#undo completed: {"n":2}
    undo finished, failed: []
    run failed at one: `one.n == 2` is not true
    "#);
    let mut world = World::new(steps(json!({"tool": "unmake", "args": {"n": "{{ one.n }}"}})));
    assert_snapshot!(world.run().story(), @r#"
    one started: tool echo {"n":1}
    one failed: Invalid `one.n == 2` is not true
    undo started by on_failure: `one.n == 2` is not true
    one#undo failed, continued: Invalid step `one` may have acted although it failed; argument `n` of its undo needs `one`, which it has not given
    undo finished, failed: [StepPath("one")]
    run failed at one: `one.n == 2` is not true
    "#);
}

#[test]
fn a_write_that_was_cut_off_is_taken_back_and_a_read_is_not() {
    let mut world = World::new(plan(&json!({"on_failure": "undo", "steps": [
        {"name": "one", "tool": "echo", "undo": {"tool": "unmake"}},
        {"name": "two", "tool": "echo", "effect": "read", "undo": {"tool": "unmake"}},
        {"name": "three", "tool": "echo", "needs": [0], "undo": {"tool": "unmake"}},
    ]})));
    world.poll();
    world.cancel();
    assert_snapshot!(world.run().story(), @"
    one started: tool echo
    two started: tool echo
    cancel requested
    one failed: Cancelled stopped
    two failed: Cancelled stopped
    undo started by on_failure
    one#undo started: undo unmake
    one#undo completed: {}
    undo finished, failed: []
    run cancelled
    ");
}

#[test]
fn runs_of_plans_from_before_take_back_what_they_took_back_then() {
    let mut before = (*plan(&json!({"on_failure": "undo", "steps": [
        {"name": "one", "tool": "echo", "undo": {"tool": "unmake"}, "validate": [{"condition": "false"}]},
    ]})))
    .clone();
    before.format = 1;
    let mut world = World::new(std::sync::Arc::new(before));
    assert!(!world.run().story().contains("one#undo started"), "{}", world.story());
}

/// A block that makes these calls, and a step for everything that fails.
fn block_with_undo(calls: &serde_json::Value, retry: u32) -> World {
    World::new(plan(&json!({"on_failure": "undo", "steps": [
        {"name": "calc", "undo": {"tool": "unmake"}, "retry": {"attempts": retry}, "block": {
            "script": {"calls": calls},
            "tools": {
                "look": {"effect": "read", "idempotent": true},
                "echo": {"effect": "write", "idempotent": true},
                "fail_always": {"effect": "write", "idempotent": false},
                "fail_soon": {"effect": "read", "idempotent": true},
            },
        }},
    ]})))
}

#[test]
fn a_block_that_has_written_and_then_failed_is_taken_back() {
    let mut world = block_with_undo(&json!([["echo", {}], ["fail_always", {}]]), 1);
    assert_snapshot!(world.run().story(), @"
    calc started: compute
    calc/1_echo started: tool echo
    calc/1_echo completed: {}
    calc/2_fail_always started: tool fail_always
    calc/2_fail_always failed, continued: Permanent no
    calc failed: Permanent no
    undo started by on_failure: no
    calc#undo started: undo unmake
    calc#undo completed: {}
    undo finished, failed: []
    run failed at calc: no
    ");
    for calls in [json!([["look", {}], ["fail_always", {}]]), json!([["fail_always", {}]])] {
        let mut world = block_with_undo(&calls, 1);
        assert!(!world.run().story().contains("#undo"), "it has done nothing: {}", world.story());
    }
}

#[test]
fn what_an_earlier_attempt_at_a_block_has_written_is_taken_back() {
    let mut world = block_with_undo(&json!([["echo", {}], ["fail_soon", {}]]), 2);
    let count = std::sync::atomic::AtomicU32::new(0);
    world = world.tools(move |call| match call.tool.as_str() {
        "echo" if count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) > 0 => {
            Err(super::kit::fault(aa_spec::tool::ErrorKind::Permanent, "not again"))
        }
        "fail_soon" => Err(super::kit::fault(aa_spec::tool::ErrorKind::Transient, "try again")),
        _ => Ok(json!(call.tool)),
    });
    assert_snapshot!(world.run().story(), @r#"
    calc started: compute
    calc/1_echo started: tool echo
    calc/1_echo completed: "echo"
    calc/2_fail_soon started: tool fail_soon
    calc/2_fail_soon failed, continued: Transient try again
    calc retrying after 1: try again
    calc started: compute attempt 2
    calc/1_echo started: tool echo
    calc/1_echo failed, continued: Permanent not again
    calc failed: Permanent not again
    undo started by on_failure: not again
    calc#undo started: undo unmake
    calc#undo completed: "unmake"
    undo finished, failed: []
    run failed at calc: not again
    "#);
}
