//! Steps that are healed: when a rule is tried, what follows, and what a crash leaves of it.

use aa_spec::tool::ErrorKind;
use insta::assert_snapshot;
use serde_json::{Value, json};

use super::kit::{World, fault, plan_with};
use crate::event::{Body, StepPath};
use crate::machine::{Admission, Call};

fn rule(name: &str, more: &Value) -> Value {
    let mut rule = json!({
        "name": name, "kinds": ["auth"], "effect": "write", "idempotent": true, "timeout_ms": 60_000,
        "action": {"tool": {"tool": "login", "args": {"cluster": "{{ args.cluster }}", "of": "{{ tool }}"}}},
        "bounds": {"per_step": 1, "per_run": 3, "per_hour": 6, "cool_down_ms": 0, "failures": 3, "rest_ms": 0},
    });
    rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    rule
}

/// A run whose `get` fails for want of a login `refusals` times, and then works.
fn world(step: &Value, rules: &[Value], refusals: u32) -> World {
    let mut get =
        json!({"name": "get", "tool": "get", "args": {"cluster": "stage"}, "on_error": "auto_heal"});
    get.as_object_mut().unwrap().extend(step.as_object().unwrap().clone());
    let heals = json!({"steps": [{"name": "call", "tool": "login", "args": {}}], "outputs": []});
    let main = json!({"steps": [get], "outputs": [{"name": "out", "value": "{{ get }}"}], "heal": rules});
    World::new(plan_with(&main, &[("mend", heals)])).tools(move |call: &Call| match call.tool.as_str() {
        "get" if call.attempt <= refusals => Err(fault(ErrorKind::Auth, "who are you?")),
        "fail" => Err(fault(ErrorKind::Permanent, "cannot")),
        _ => Ok(Value::Object(call.args.clone())),
    })
}

#[test]
fn a_failed_step_is_mended_and_tried_again() {
    let mut world = world(&json!({}), &[rule("login", &json!({}))], 1);
    assert_snapshot!(world.run().story(), @r#"
    get started: tool get {"cluster":"stage"}
    get heals by login: who are you? -> login {"cluster":"stage","of":"get"}
    get#heal/1_login started: tool login {"cluster":"stage","of":"get"}
    get#heal/1_login completed: {"cluster":"stage","of":"get"}
    get healed by login
    get started: tool get {"cluster":"stage"} attempt 2
    get completed: {"cluster":"stage"}
    run completed: {"out":{"cluster":"stage"}}
    "#);
}

#[test]
fn a_rule_that_does_not_help_is_tried_so_often_and_the_step_fails() {
    let twice = rule(
        "login",
        &json!({"bounds": {"per_step": 2, "per_run": 3, "per_hour": 6, "cool_down_ms": 0,
        "failures": 3, "rest_ms": 0}}),
    );
    let mut stuck = world(&json!({}), std::slice::from_ref(&twice), 9);
    let story = stuck.run().story();
    assert_eq!(story.matches("get#heal/").count(), 4, "{story}");
    assert!(story.ends_with("get failed: Auth who are you?\nrun failed at get: who are you?"), "{story}");
    let keys: Vec<_> =
        stuck.made.iter().filter(|call| call.tool == "login").map(|call| &call.idempotency_key).collect();
    assert_ne!(keys[0], keys[1], "each healing is a call of its own");

    let mut goes_on = world(&json!({"on_error": "auto_heal_or_continue"}), &[twice], 9);
    assert!(goes_on.run().story().ends_with("run completed: {\"out\":null}"), "{}", goes_on.story());
}

#[test]
fn retries_come_first_and_the_next_rule_after_the_first() {
    let retry = json!({"retry": {"attempts": 2, "on": ["auth"]}});
    let bad = json!({"action": {"tool": {"tool": "fail", "args": {}}}});
    let mut world = world(
        &retry,
        &[rule("first", &bad), rule("other", &json!({"kinds": ["network"]})), rule("second", &json!({}))],
        2,
    );
    assert_snapshot!(world.run().story(), @r#"
    get started: tool get {"cluster":"stage"}
    get retrying after 1: who are you?
    get started: tool get {"cluster":"stage"} attempt 2
    get heals by first: who are you? -> fail {}
    get#heal/1_fail started: tool fail
    get#heal/1_fail failed, continued: Permanent cannot
    get not healed by first
    get heals by second: who are you? -> login {"cluster":"stage","of":"get"}
    get#heal/2_login started: tool login {"cluster":"stage","of":"get"}
    get#heal/2_login completed: {"cluster":"stage","of":"get"}
    get healed by second
    get started: tool get {"cluster":"stage"} attempt 3
    get completed: {"cluster":"stage"}
    run completed: {"out":{"cluster":"stage"}}
    "#);
}

#[test]
fn the_gate_may_say_no_or_that_it_is_done_already() {
    let twice = json!({"bounds": {"per_step": 2, "per_run": 3, "per_hour": 6, "cool_down_ms": 0,
        "failures": 3, "rest_ms": 0}});
    let mut refused = world(&json!({}), &[rule("login", &twice)], 1);
    refused.gate = |_| Some(Admission::Refused("too often".to_owned()));
    assert_snapshot!(refused.run().story(), @r#"
    get started: tool get {"cluster":"stage"}
    get heals by login: who are you? -> login {"cluster":"stage","of":"get"}
    get not healed by login: too often
    get failed: Auth who are you?
    run failed at get: who are you?
    "#);
    let mut reused = world(&json!({}), &[rule("login", &json!({}))], 1);
    reused.gate = |call| Some(Admission::Reused(format!("{} was made", call.action)));
    assert_snapshot!(reused.run().story(), @r#"
    get started: tool get {"cluster":"stage"}
    get heals by login: who are you? -> login {"cluster":"stage","of":"get"}
    get healed by login: login(cluster=stage, of=get) was made
    get started: tool get {"cluster":"stage"} attempt 2
    get completed: {"cluster":"stage"}
    run completed: {"out":{"cluster":"stage"}}
    "#);
}

#[test]
fn a_rule_may_run_a_skill_and_nothing_is_healed_within() {
    let rules = [rule("login", &json!({"action": {"skill": {"skill": "mend", "args": {}}}}))];
    let mut world = world(&json!({}), &rules, 1);
    assert_snapshot!(world.run().story(), @r#"
    get started: tool get {"cluster":"stage"}
    get heals by login: who are you? -> mend {}
    get#heal/1_mend started: skill mend
    get#heal/1_mend/call started: tool login
    get#heal/1_mend/call completed: {}
    get#heal/1_mend completed: {}
    get healed by login
    get started: tool get {"cluster":"stage"} attempt 2
    get completed: {"cluster":"stage"}
    run completed: {"out":{"cluster":"stage"}}
    "#);
}

#[test]
fn a_dry_run_heals_nothing() {
    let mut world = world(&json!({"effect": "read"}), &[rule("login", &json!({}))], 1);
    if let Body::SkillStarted { dry_run, .. } = &mut world.events[0].body {
        *dry_run = true;
    }
    let mut world = World::replay(world.plan.clone(), &world.events).tools(|call| {
        assert_eq!(call.tool, "get");
        Err(fault(ErrorKind::Auth, "who are you?"))
    });
    let story = world.run().story();
    assert!(!story.contains("heals"), "{story}");
}

#[test]
fn an_item_is_healed_like_a_step() {
    let step = json!({"foreach": {"items": "{{ ['a', 'b'] }}"}});
    let mut world = world(&step, &[rule("login", &json!({}))], 1);
    let story = world.run().story();
    assert!(story.contains("get[1]#heal/1_login completed"), "{story}");
    assert!(story.contains("get completed: [{\"cluster\":\"stage\"},{\"cluster\":\"stage\"}]"), "{story}");
}

#[test]
fn a_cancelled_run_waits_for_no_gate() {
    let mut world = world(&json!({}), &[rule("login", &json!({}))], 1);
    world.gate = |_| None;
    world.run();
    world.cancel();
    assert_snapshot!(world.run().story(), @r#"
    get started: tool get {"cluster":"stage"}
    get heals by login: who are you? -> login {"cluster":"stage","of":"get"}
    cancel requested
    get failed: Auth who are you?
    run cancelled
    "#);
    let late = world.machine.admit(&StepPath("get".to_owned()), 0, Admission::Granted, super::kit::at(0));
    assert!(late.is_err());
}

#[test]
fn a_crash_anywhere_comes_to_the_same_end() {
    for (idempotent, skill) in [(true, false), (false, false), (true, true)] {
        let action = json!({"skill": {"skill": "mend", "args": {}}});
        let mut rule = rule("login", &json!({"idempotent": idempotent}));
        if skill {
            rule["action"] = action;
        }
        let fresh = || world(&json!({"idempotent": true}), std::slice::from_ref(&rule), 1);
        let mut whole = fresh();
        let expected = whole.run().outputs();
        for kept in 1..whole.events.len() {
            let mut again = whole.crash(kept);
            again.run_with(|world, step| {
                let by = "ann".to_owned();
                let resolution = crate::event::Resolution::Done { output: json!(true) };
                world.record(Body::StepResolved { step: step.clone(), resolution, by });
            });
            let story = again.story();
            assert_eq!(again.outputs(), expected, "{kept}:\n{story}");
            assert_eq!(again.endings(), 1, "{kept}:\n{story}");
            assert!(story.matches(" heals by ").count() <= 1, "{kept}:\n{story}");
        }
    }
}

#[test]
fn what_may_have_acted_and_must_not_act_twice_is_not_healed() {
    let of_all = rule("login", &json!({"kinds": ["invalid", "timeout", "network"]}));
    let step = |idempotent: bool| json!({"idempotent": idempotent, "validate": [{"condition": "false"}]});
    let mut once = world(&step(false), std::slice::from_ref(&of_all), 0);
    assert!(!once.run().story().contains("heals by"), "{}", once.story());
    let mut again = world(&step(true), std::slice::from_ref(&of_all), 0);
    assert!(again.run().story().contains("get heals by login"), "{}", again.story());
    // Nothing was done where nothing was reached.
    let mut unanswered = fault(ErrorKind::Network, "the line is dead");
    for (details, healed) in [(json!(null), true), (json!({"may_have_acted": true}), false)] {
        unanswered.details = details;
        let answer = unanswered.clone();
        let mut world =
            world(&json!({}), std::slice::from_ref(&of_all), 0).tools(move |_: &Call| Err(answer.clone()));
        assert_eq!(world.run().story().contains("get heals by login"), healed, "{}", world.story());
    }
}

#[test]
fn a_usual_retry_of_what_must_not_be_made_twice_ends_where_nobody_knows() {
    let retry = json!({"retry": {"attempts": 3, "on": ["network"], "once": true}, "on_error": "fail"});
    for (details, attempts) in [(json!(null), 3), (json!({"may_have_acted": true}), 1)] {
        let mut lost = fault(ErrorKind::Network, "the line is dead");
        lost.details = details;
        let mut world = world(&retry, &[], 0).tools(move |_: &Call| Err(lost.clone()));
        let story = world.run().story();
        assert_eq!(story.matches("get started").count(), attempts, "{story}");
    }
}
