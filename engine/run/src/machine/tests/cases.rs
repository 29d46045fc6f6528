//! One story per feature of a step.

use aa_spec::tool::ErrorKind;
use insta::assert_snapshot;
use serde_json::json;

use super::kit::{World, fault, plan, plan_with, steps};
use crate::event::Body;

#[test]
fn runs_steps_by_their_needs() {
    let plan = plan(&json!({
        "steps": [
            {"name": "fetch", "tool": "git", "args": {"ref": "{{ inputs.mr }}"}},
            {"name": "build", "tool": "make", "args": {"at": "{{ fetch.ref }}"}, "needs": [0]},
            {"name": "lint", "tool": "lint", "needs": [0]},
            {"name": "report", "tool": "say", "args": {"both": "{{ [build.at, lint] }}"}, "needs": [1, 2]},
        ],
        "outputs": [{"name": "said", "value": "{{ report.both }}"}],
    }));
    let mut world = World::with(plan, &json!({"inputs": {"mr": 7}}));
    assert_snapshot!(world.run().story(), @r#"
    fetch started: tool git {"ref":7}
    fetch completed: {"ref":7}
    build started: tool make {"at":7}
    lint started: tool lint
    build completed: {"at":7}
    lint completed: {}
    report started: tool say {"both":[7,{}]}
    report completed: {"both":[7,{}]}
    run completed: {"said":[7,{}]}
    "#);
}

#[test]
fn a_skill_without_steps_completes() {
    let mut world = World::new(plan(
        &json!({"steps": [], "outputs": [{"name": "region", "value": "{{ config.region }}"}]}),
    ));
    assert_snapshot!(world.run().story(), @r#"run completed: {"region":"eu"}"#);
}

#[test]
fn conditions_skip_steps_and_their_outputs_are_null() {
    let mut world = World::new(plan(&json!({
        "steps": [
            {"name": "no", "tool": "echo", "condition": "inputs.wanted"},
            {"name": "yes", "tool": "echo", "args": {"no": "{{ no }}", "give": "{{ steps.no.status }}"}, "needs": [0]},
            {"name": "wrong", "tool": "echo", "condition": "1 + 'a' > config", "needs": [1], "on_error": "continue"},
        ],
        "outputs": [{"name": "all", "value": "{{ [no, yes, wrong, steps.wrong.status] }}"}],
    })));
    assert_snapshot!(world.run().story(), @r#"
    no skipped: condition is false
    yes started: tool echo {"give":"skipped"}
    yes completed: "skipped"
    wrong failed, continued: Invalid condition: cannot evaluate `1 + 'a' > config`: tried to use + operator on unsupported types number and string
    run completed: {"all":[null,"skipped",null,"failed"]}
    "#);
}

#[test]
fn a_failed_step_fails_the_run_and_nothing_new_starts() {
    let mut world = World::new(steps(&json!([
        {"name": "bad", "tool": "fail_always"},
        {"name": "slow", "tool": "echo"},
        {"name": "ask", "action": {"confirm": {"message": "Go?", "options": ["yes", "no"], "default": null, "timeout_ms": null}}},
        {"name": "nap", "action": {"wait_for": {"duration": "1h"}}},
        {"name": "again", "tool": "fail_9", "retry": {"attempts": 9}},
        {"name": "after", "tool": "echo", "needs": [1]},
    ])));
    // The one that will be tried again ends first, then the one that fails for good.
    world.choose = Box::new(|open| if open == 3 { 2 } else { 0 });
    assert_snapshot!(world.run().story(), @r#"
    bad started: tool fail_always
    slow started: tool echo
    ask started: confirm
    ask asks: Go? ["yes", "no"]
    nap started: wait
    again started: tool fail_9
    again retrying after 1: try again
    bad failed: Permanent no
    ask failed: Cancelled stopped because step `bad` failed
    nap failed: Cancelled stopped because step `bad` failed
    again failed: Transient try again
    slow completed: {}
    run failed at bad: no
    "#);
}

#[test]
fn a_failure_may_be_continued_after() {
    let mut world = World::new(plan(&json!({
        "steps": [
            {"name": "bad", "tool": "fail_always", "on_error": "continue"},
            {"name": "healed", "tool": "fail_always", "on_error": "auto_heal_or_continue"},
            {"name": "next", "tool": "echo", "args": {"bad": "{{ bad }}", "why": "{{ steps.bad.error }}"}, "needs": [0, 1]},
        ],
        "outputs": [{"name": "out", "value": "{{ [bad, next, steps.bad.status, steps.bad.attempts] }}"}],
    })));
    assert_snapshot!(world.run().story(), @r#"
    bad started: tool fail_always
    healed started: tool fail_always
    bad failed, continued: Permanent no
    healed failed, continued: Permanent no
    next started: tool echo {"why":"no"}
    next completed: {"why":"no"}
    run completed: {"out":[null,{"why":"no"},"failed",1]}
    "#);
}

#[test]
fn retries_wait_and_keep_their_arguments() {
    let mut world = World::new(steps(&json!([
        {"name": "flaky", "tool": "fail_2", "args": {"at": "{{ now() }}"}, "retry": {"attempts": 3, "backoff": "exponential"}},
    ])));
    world.run();
    let waits: Vec<i64> = world
        .events
        .iter()
        .filter_map(|event| match &event.body {
            Body::StepRetrying { until, .. } => Some((*until - event.at).num_milliseconds()),
            _ => None,
        })
        .collect();
    assert!((800..=1200).contains(&waits[0]) && (1600..=2400).contains(&waits[1]), "{waits:?}");
    let keys: Vec<&str> = world.made.iter().map(|call| call.idempotency_key.as_str()).collect();
    assert_eq!(keys, [keys[0]; 3]);
    assert_eq!(world.made[0].args, world.made[2].args);
    assert_snapshot!(world.story(), @r#"
    flaky started: tool fail_2 {"at":"2027-01-15T08:00:00+00:00"}
    flaky retrying after 1: try again
    flaky started: tool fail_2 {"at":"2027-01-15T08:00:00+00:00"} attempt 2
    flaky retrying after 2: try again
    flaky started: tool fail_2 {"at":"2027-01-15T08:00:00+00:00"} attempt 3
    flaky completed: {"at":"2027-01-15T08:00:00+00:00"}
    run completed: {}
    "#);
}

#[test]
fn retries_ask_their_condition() {
    let mut world = World::new(steps(&json!([
        {"name": "twice", "tool": "fail_5", "on_error": "continue", "retry": {
            "attempts": 9, "when": "error.kind == 'transient' and 'again' in error.message and attempt < 2"}},
        {"name": "never", "tool": "fail_2", "on_error": "continue", "retry": {"attempts": 9, "when": "error.details"}},
        {"name": "other", "tool": "fail_always", "on_error": "continue", "retry": {"attempts": 9, "when": "true"}},
        {"name": "unclear", "tool": "fail_2", "retry": {"attempts": 9, "when": "error.message + 1"}},
    ])));
    assert_snapshot!(world.run().story());
}

#[test]
fn missing_arguments_are_null_where_that_means_something() {
    let mut world = World::new(steps(&json!([
        {"name": "off", "tool": "echo", "condition": "false"},
        {"name": "told", "tool": "echo", "nullable": ["a"], "args": {"a": "{{ off }}", "b": "{{ off }}", "c": 1}},
    ])));
    assert_snapshot!(world.run().story());
}

#[test]
fn retries_end_with_their_attempts_and_only_cover_their_kinds() {
    let mut world = World::new(steps(&json!([
        {"name": "short", "tool": "fail_5", "retry": {"attempts": 2}, "on_error": "continue"},
        {"name": "other", "tool": "fail_always", "retry": {"attempts": 5}, "on_error": "continue"},
    ])));
    assert_snapshot!(world.run().story(), @r#"
    short started: tool fail_5
    other started: tool fail_always
    short retrying after 1: try again
    other failed, continued: Permanent no
    short started: tool fail_5 attempt 2
    short failed, continued: Transient try again
    run completed: {}
    "#);
}

#[test]
fn assertions_fail_a_step_and_may_be_retried() {
    let mut world = World::new(steps(&json!([
        {
            "name": "pods", "tool": "count", "output": "running",
            "validate": [
                {"condition": "running.n >= 0", "message": null},
                {"condition": "running.n > 1", "message": "only {{ running.n }} of {{ inputs.app }}"},
            ],
            "retry": {"attempts": 3, "on": ["invalid"]},
        },
        {
            "name": "plain", "tool": "count", "needs": [0], "on_error": "continue",
            "validate": [{"condition": "plain.n > 5", "message": null}],
        },
    ])))
    .tools(|call| Ok(json!({"n": call.attempt})));
    assert_snapshot!(world.run().story(), @r#"
    pods started: tool count
    pods retrying after 1: only 1 of 
    pods started: tool count attempt 2
    pods completed: {"n":2}
    plain started: tool count
    plain failed, continued: Invalid `plain.n > 5` is not true
    run completed: {}
    "#);
}

#[test]
fn foreach_runs_items_in_order_and_at_once() {
    let mut world = World::new(plan(&json!({
        "steps": [
            {
                "name": "fan", "tool": "echo", "args": {"give": "{{ item * 10 + index }}"},
                "foreach": {"items": "{{ range(5) }}", "concurrency": 2},
                "condition": "item != 3", "condition_per_item": true,
            },
            {"name": "empty", "tool": "echo", "foreach": {"items": "{{ [] }}"}},
            {"name": "off", "tool": "echo", "foreach": {"items": "{{ [1] }}"}, "condition": "false"},
        ],
        "outputs": [{"name": "all", "value": "{{ [fan, empty, off] }}"}],
    })));
    world.choose = Box::new(|open| open - 1);
    assert_snapshot!(world.run().story(), @r#"
    fan started: foreach {"items":[0,1,2,3,4]} items 5
    fan[0] started: tool echo {"give":0}
    fan[1] started: tool echo {"give":11}
    empty started: foreach {"items":[]} items 0
    empty completed: []
    off skipped: condition is false
    fan[1] completed: 11
    fan[2] started: tool echo {"give":22}
    fan[2] completed: 22
    fan[3] skipped: condition is false
    fan[4] started: tool echo {"give":44}
    fan[4] completed: 44
    fan[0] completed: 0
    fan completed: [0,11,22,null,44]
    run completed: {"all":[[0,11,22,null,44],[],null]}
    "#);
    assert_eq!(world.outputs(), json!({"all": [[0, 11, 22, null, 44], [], null]}));
}

#[test]
fn a_failed_item_stops_new_items_or_gives_null() {
    let fan = |on_error: &str| {
        World::new(steps(&json!([{
            "name": "fan", "tool": "pick", "args": {"n": "{{ item }}"}, "on_error": on_error,
            "foreach": {"items": "{{ range(5) }}", "concurrency": 2}, "retry": {"attempts": 2, "on": ["network"]},
        }])))
        .tools(|call| match call.args["n"].as_i64() {
            Some(1) => Err(fault(ErrorKind::Permanent, "one is bad")),
            Some(0) if call.attempt == 1 => Err(fault(ErrorKind::Network, "gone")),
            n => Ok(json!(n)),
        })
    };
    assert_snapshot!(fan("fail").run().story(), @r#"
    fan started: foreach {"items":[0,1,2,3,4]} items 5
    fan[0] started: tool pick {"n":0}
    fan[1] started: tool pick {"n":1}
    fan[0] retrying after 1: gone
    fan[1] failed: Permanent one is bad
    fan[0] failed: Network gone
    fan failed: Permanent item 1 failed: one is bad
    run failed at fan: item 1 failed: one is bad
    "#);
    assert_snapshot!(fan("continue").run().story(), @r#"
    fan started: foreach {"items":[0,1,2,3,4]} items 5
    fan[0] started: tool pick {"n":0}
    fan[1] started: tool pick {"n":1}
    fan[0] retrying after 1: gone
    fan[1] failed, continued: Permanent one is bad
    fan[2] started: tool pick {"n":2}
    fan[2] completed: 2
    fan[3] started: tool pick {"n":3}
    fan[3] completed: 3
    fan[4] started: tool pick {"n":4}
    fan[4] completed: 4
    fan[0] started: tool pick {"n":0} attempt 2
    fan[0] completed: 0
    fan completed: [0,null,2,3,4]
    run completed: {}
    "#);
}

#[test]
fn items_that_wait_are_dropped_when_the_run_fails() {
    let confirm = json!({"confirm": {"message": "?", "options": ["a"], "default": null, "timeout_ms": null}});
    let mut world = World::new(steps(&json!([
        {"name": "ask", "action": confirm, "foreach": {"items": "{{ [1, 2, 3] }}", "concurrency": 2}},
        {"name": "bad", "tool": "fail_always"},
    ])));
    assert_snapshot!(world.run().story(), @r#"
    ask started: foreach {"items":[1,2,3]} items 3
    ask[0] started: confirm
    ask[0] asks: ? ["a"]
    ask[1] started: confirm
    ask[1] asks: ? ["a"]
    bad started: tool fail_always
    bad failed: Permanent no
    ask[0] failed: Cancelled stopped because step `bad` failed
    ask[1] failed: Cancelled stopped because step `bad` failed
    ask failed: Cancelled stopped because step `bad` failed
    run failed at bad: no
    "#);
}

#[test]
fn foreach_needs_a_list() {
    for (items, said) in [("{{ 3 }}", "a number"), ("{{ nothing }}", "null"), ("{{ {'a': 1} }}", "a mapping")]
    {
        let mut world =
            World::new(steps(&json!([{"name": "fan", "tool": "echo", "foreach": {"items": items}}])));
        let expected = format!("fan failed: Invalid `foreach` needs a list, and got {said}");
        assert_eq!(world.run().story().lines().next(), Some(expected.as_str()));
    }
}

#[test]
fn sub_skills_run_in_the_same_journal() {
    let release = json!({
        "defaults": {"env": "stage"},
        "inputs": [{"name": "ref", "required": true, "schema": {"type": "string"}}],
        "steps": [
            {"name": "build", "tool": "make", "args": {"ref": "{{ inputs.ref }}"}},
            {"name": "ship", "tool": "ship", "args": {"what": "{{ build.ref }}", "env": "{{ defaults.env }}"}, "needs": [0]},
        ],
        "outputs": [{"name": "shipped", "value": "{{ ship.what }}"}],
    });
    let main = json!({
        "steps": [
            {"name": "release", "action": {"skill": {"skill": "release", "args": {"ref": "{{ config.region }}"}}}},
            {
                "name": "all", "needs": [0], "foreach": {"items": "{{ ['a', 'b'] }}", "concurrency": 2},
                "action": {"skill": {"skill": "release", "args": {"ref": "{{ item }}"}}},
            },
        ],
        "outputs": [{"name": "out", "value": "{{ [release.shipped, all] }}"}],
    });
    let mut world = World::new(plan_with(&main, &[("release", release)]));
    assert_snapshot!(world.run().story(), @r#"
    release started: skill release {"ref":"eu"}
    release/build started: tool make {"ref":"eu"}
    release/build completed: {"ref":"eu"}
    release/ship started: tool ship {"env":"stage","what":"eu"}
    release/ship completed: {"env":"stage","what":"eu"}
    release completed: {"shipped":"eu"}
    all started: foreach {"items":["a","b"]} items 2
    all[0] started: skill release {"ref":"a"}
    all[1] started: skill release {"ref":"b"}
    all[0]/build started: tool make {"ref":"a"}
    all[1]/build started: tool make {"ref":"b"}
    all[0]/build completed: {"ref":"a"}
    all[0]/ship started: tool ship {"env":"stage","what":"a"}
    all[1]/build completed: {"ref":"b"}
    all[1]/ship started: tool ship {"env":"stage","what":"b"}
    all[0]/ship completed: {"env":"stage","what":"a"}
    all[0] completed: {"shipped":"a"}
    all[1]/ship completed: {"env":"stage","what":"b"}
    all[1] completed: {"shipped":"b"}
    all completed: [{"shipped":"a"},{"shipped":"b"}]
    run completed: {"out":["eu",[{"shipped":"a"},{"shipped":"b"}]]}
    "#);
}

#[test]
fn a_failed_sub_skill_fails_its_step() {
    let inner = json!({"steps": [{"name": "bad", "tool": "fail_always"}, {"name": "late", "tool": "echo", "needs": [0]}]});
    let main = |on_error: &str| {
        json!({"steps": [
            {"name": "sub", "action": {"skill": {"skill": "inner", "args": {}}}, "on_error": on_error,
             "retry": {"attempts": 2, "on": ["permanent"]}},
        ]})
    };
    let mut world = World::new(plan_with(&main("fail"), &[("inner", inner.clone())]));
    assert_snapshot!(world.run().story(), @r#"
    sub started: skill inner
    sub/bad started: tool fail_always
    sub/bad failed: Permanent no
    sub retrying after 1: step `sub/bad` failed: no
    sub started: skill inner attempt 2
    sub/bad started: tool fail_always
    sub/bad failed: Permanent no
    sub failed: Permanent step `sub/bad` failed: no
    run failed at sub: step `sub/bad` failed: no
    "#);
    let mut world = World::new(plan_with(&main("continue"), &[("inner", inner)]));
    assert_snapshot!(world.run().story().lines().last().unwrap_or_default(), @"run completed: {}");
}

#[test]
fn outputs_that_fail_fail_the_run() {
    let mut world = World::new(plan(&json!({
        "steps": [], "outputs": [{"name": "broken", "value": "{{ 1 + 'a' }}"}],
    })));
    assert_snapshot!(world.run().story(), @"run failed at -: output `broken`: cannot evaluate `1 + 'a'`: tried to use + operator on unsupported types number and string");
}

#[test]
fn then_ends_the_skill_early() {
    let main = json!({"steps": [
        {"name": "early", "action": {"return": {"value": {"found": "{{ inputs.here }}"}}}, "condition": "inputs.here"},
        {"name": "rest", "tool": "echo", "needs": [0]},
        {"name": "more", "tool": "echo", "needs": [1]},
    ], "outputs": [{"name": "declared", "value": "yes"}]});
    let mut world = World::with(plan(&main), &json!({"inputs": {"here": true}}));
    assert_snapshot!(world.run().story(), @r#"
    early started: then
    early completed: {"found":true}
    rest skipped: the skill has returned
    more skipped: the skill has returned
    run completed: {"found":true}
    "#);
    let mut world = World::with(plan(&main), &json!({"inputs": {"here": false}}));
    assert_eq!(world.run().outputs(), json!({"declared": "yes"}));
    let text = json!({"steps": [{"name": "t", "action": {"return": {"value": "# Done"}}}]});
    assert_eq!(World::new(plan(&text)).run().outputs(), json!({"return": "# Done"}));
}

#[test]
fn then_lets_running_steps_end_and_drops_waiting_ones() {
    let mut world = World::new(steps(&json!([
        {"name": "slow", "tool": "echo"},
        {"name": "ask", "action": {"confirm": {"message": "?", "options": ["yes"], "default": null, "timeout_ms": null}}},
        {"name": "done", "action": {"return": {"value": "early"}}},
        {"name": "later", "tool": "echo", "needs": [0]},
    ])));
    assert_snapshot!(world.run().story(), @r#"
    slow started: tool echo
    ask started: confirm
    ask asks: ? ["yes"]
    done started: then
    done completed: "early"
    ask failed, continued: Cancelled the skill has returned
    later skipped: the skill has returned
    slow completed: {}
    run completed: {"return":"early"}
    "#);
}

#[test]
fn concurrency_limits_what_runs_but_not_what_waits() {
    let mut world = World::new(plan(&json!({"concurrency": 2, "steps": [
        {"name": "nap", "action": {"wait_for": {"duration": "1s"}}},
        {"name": "ask", "action": {"confirm": {"message": "?", "options": ["a"], "default": "a", "timeout_ms": 1000}}},
        {"name": "a", "tool": "echo"},
        {"name": "b", "tool": "fail_1", "retry": {"attempts": 2}},
        {"name": "c", "tool": "echo"},
        {"name": "d", "tool": "echo"},
    ]})));
    world.poll();
    assert_eq!(world.open.len(), 2);
    world.end(1);
    world.poll();
    assert_snapshot!(world.open.iter().map(|call| call.step.0.as_str()).collect::<Vec<_>>().join(" "), @"a c");
    world.run();
    assert_eq!(world.outputs(), json!({}));
}

#[test]
fn a_dry_run_reads_and_answers_the_rest() {
    let main = json!({"on_failure": "undo", "steps": [
        {"name": "look", "tool": "echo", "effect": "read", "args": {"give": 1}},
        {"name": "change", "tool": "echo", "args": {"n": "{{ look }}"}, "needs": [0],
         "validate": [{"condition": "false", "message": null}], "undo": {"tool": "unchange"}},
        {"name": "see", "tool": "fail_always", "effect": "read", "args": {"of": "{{ change.id }}"}, "needs": [1]},
        {"name": "more", "tool": "fail_always", "effect": "read", "args": {"of": "{{ steps.see.output }}"}, "needs": [2]},
        {"name": "ask", "action": {"confirm": {"message": "?", "options": ["a", "b"], "default": "b", "timeout_ms": null}}, "needs": [3]},
        {"name": "nap", "action": {"wait_for": {"duration": "1h"}}, "needs": [4]},
        {"name": "bad", "tool": "fail_always", "effect": "read", "args": {"of": "{{ look }}"}, "needs": [0, 5]},
    ]});
    let mut world = World::with(plan(&main), &json!({"dry_run": true}));
    assert_snapshot!(world.run().story(), @r#"
    look started: tool echo {"give":1}
    look completed: 1
    change started: tool echo {"n":1}
    change completed: {"dry_run":true,"tool":"echo","args":{"n":1}}
    see started: tool fail_always
    see completed: {"dry_run":true,"tool":"fail_always","args":{}}
    more started: tool fail_always
    more completed: {"dry_run":true,"tool":"fail_always","args":{}}
    ask started: confirm
    ask asks: ? ["a", "b"]
    ask answered: b by dry run
    ask completed: "b"
    nap started: wait
    nap completed: null
    bad started: tool fail_always {"of":1}
    bad failed: Permanent no
    run failed at bad: no
    "#);
    assert!(world.now < 1000);
}

#[test]
fn the_run_is_known_to_templates() {
    let plan = plan(&json!({"steps": [
        {"name": "say", "tool": "echo", "args": {"give": "{{ [run.id, run.skill, run.started_at, run.folder, env.HOME] }}"}},
    ], "outputs": [{"name": "said", "value": "{{ say }}"}]}));
    let mut world = World::with(plan, &json!({"env": {"HOME": "/home/ann"}}));
    assert_eq!(
        world.run().outputs(),
        json!({"said": [1, "main", "2027-01-15T08:00:00.000Z", "/work", "/home/ann"]})
    );
}

#[test]
fn secrets_stay_sealed() {
    let mut world = World::new(steps(&json!([
        {"name": "login", "tool": "echo", "args": {"token": "Bearer {{ secrets.TOKEN }}"}},
    ])));
    world.run();
    assert_eq!(world.made[0].args["token"], json!("Bearer \u{FDD0}secret:TOKEN\u{FDD1}"));
}

#[test]
fn alternatives_may_share_an_output() {
    let mut world = World::with(
        plan(&json!({
            "steps": [
                {"name": "one", "tool": "echo", "args": {"give": 1}, "output": "it", "condition": "inputs.one"},
                {"name": "two", "tool": "echo", "args": {"give": 2}, "output": "it", "condition": "not inputs.one", "needs": [0]},
            ],
            "outputs": [{"name": "it", "value": "{{ it }}"}],
        })),
        &json!({"inputs": {"one": true}}),
    );
    assert_eq!(world.run().outputs(), json!({"it": 1}));
}

#[test]
fn a_plan_whose_steps_wait_for_each_other_fails() {
    let mut world = World::new(steps(&json!([
        {"name": "a", "tool": "echo", "needs": [1]},
        {"name": "b", "tool": "echo", "needs": [0]},
    ])));
    assert_snapshot!(world.run().story(), @r#"
    a failed: Invalid the steps wait for each other
    run failed at a: the steps wait for each other
    "#);
}
