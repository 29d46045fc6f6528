//! A run that uses every kind of step, cut after every event and resumed.

use std::sync::Arc;

use aa_spec::plan::Plan;
use aa_spec::tool::ErrorKind;
use serde_json::json;

use super::kit::{World, fault, plan_with};
use crate::event::{Body, Resolution, StepPath};

/// Every kind and every feature; fails at its end, and is taken back, when `broken`.
fn reference(broken: bool) -> Arc<Plan> {
    let deploy = json!({
        "on_failure": "undo", "timeout_ms": 600_000,
        "inputs": [{"name": "where", "required": true, "schema": {"type": "string"}}],
        "steps": [
            {"name": "claim", "tool": "write", "idempotent": true, "args": {"ns": "{{ inputs.where }}"},
             "undo": {"tool": "write", "idempotent": true, "args": {"ns": "{{ claim.ok }}"}}},
            {"name": "health", "tool": "flaky", "effect": "read", "retry": {"attempts": 4}, "needs": [0]},
        ],
        "outputs": [{"name": "where", "value": "{{ inputs.where }}"}],
    });
    let main = json!({
        "on_failure": "undo", "concurrency": 3,
        "steps": [
            {"name": "look", "tool": "read", "effect": "read", "timeout_ms": 60_000},
            {"name": "never", "tool": "write", "condition": "look.ok == false", "needs": [0]},
            {"name": "unsafe", "tool": "write", "needs": [0, 1], "undo": {"tool": "write", "args": {"was": "{{ unsafe.ok }}"}}},
            {"name": "known", "tool": "write", "needs": [2], "args": {"id": 7},
             "reconcile": {"tool": "find", "args": {"id": "{{ args.id }}"}, "when": "result.ok"}},
            {"name": "fan", "tool": "write", "idempotent": true, "needs": [3],
             "foreach": {"items": "{{ ['a', 'b', 'c', 'd'] }}", "concurrency": 2},
             "condition": "item != 'c'", "condition_per_item": true,
             "undo": {"tool": "write", "idempotent": true, "args": {"item": "{{ item }}"}}},
            {"name": "tries", "tool": "fails", "effect": "read", "needs": [3], "on_error": "continue", "retry": {"attempts": 2, "on": ["network"]}},
            {"name": "deploy", "needs": [4, 5], "foreach": {"items": "{{ ['eu', 'us'] }}", "concurrency": 2},
             "action": {"skill": {"skill": "deploy", "args": {"where": "{{ item }}"}}}},
            {"name": "ask", "needs": [6], "action": {"confirm":
                {"message": "On {{ deploy[0].where }}?", "options": ["yes", "no"], "default": null, "timeout_ms": null}}},
            {"name": "nap", "needs": [6], "action": {"wait_for": {"duration": "30s"}}},
            {"name": "verify", "tool": "read", "effect": "read", "needs": [7, 8],
             "validate": [{"condition": if broken { "false" } else { "verify.ok" }, "message": "it is broken"}]},
            {"name": "early", "needs": [9], "action": {"return": {"value": {"said": "{{ ask }}", "fan": "{{ fan | length }}"}}}},
            {"name": "late", "tool": "write", "needs": [10]},
        ],
    });
    plan_with(&main, &[("deploy", deploy)])
}

fn world(broken: bool) -> World {
    World::new(reference(broken)).tools(|call| match call.tool.as_str() {
        "flaky" if call.attempt < 2 => Err(fault(ErrorKind::Transient, "not yet")),
        "fails" => Err(fault(ErrorKind::Network, "no route")),
        "find" => Ok(json!({"ok": false})),
        _ => Ok(json!({"ok": true})),
    })
}

/// Goes on after a crash. The world knows whether the calls that were interrupted took place.
fn go_on(mut world: World, took_place: bool) -> World {
    if took_place && let Some(Body::RunResumed { unknown, .. }) = world.events.last().map(|event| &event.body)
    {
        let seq = world.events.len() as u64;
        world.effects.extend(unknown.iter().map(|step| (seq, step.clone())));
        let tools = Arc::clone(&world.tools);
        world = world.tools(move |call| match call.tool.as_str() {
            "find" => Ok(json!({"ok": true})),
            _ => tools(call),
        });
    }
    world.run_with(|world, step| {
        if world.machine.waiting().iter().any(|step| step.0 == "ask") && step.0 == "ask" {
            return world.answer("ask", "yes");
        }
        let resolution =
            if took_place { Resolution::Done { output: json!({"ok": true}) } } else { Resolution::Retry };
        world.record(Body::StepResolved { step: step.clone(), resolution, by: "ann".to_owned() });
    });
    world
}

/// What every journal must keep, however often its run was interrupted.
fn check(world: &World) {
    let story = world.story();
    assert_eq!(world.endings(), 1, "{story}");
    assert!(world.machine.ending().is_some(), "{story}");
    for (index, event) in world.events.iter().enumerate() {
        assert_eq!(event.seq, index as u64);
        let Body::StepStarted { step, attempt, .. } = &event.body else { continue };
        let before: Vec<&Body> = world.events[..index].iter().map(|event| &event.body).collect();
        let finished = |body: &&Body| matches!(body, Body::StepCompleted { step: s, .. } if s == step);
        assert!(!before.iter().any(finished), "finished step {step} runs twice:\n{story}");
        let repeatable = !["unsafe", "known", "unsafe#undo"].contains(&step.0.as_str());
        let resolved = before.iter().any(|body| {
            matches!(body, Body::StepResolved { step: s, resolution: Resolution::Retry, .. } if s == step)
        });
        assert!(*attempt == 1 || repeatable || resolved, "{step} is silently repeated:\n{story}");
    }
    for unsafe_step in ["unsafe", "known", "unsafe#undo"] {
        let done = world.effects.iter().filter(|(_, step)| step.0 == unsafe_step).count();
        assert!(done <= 1, "{unsafe_step} took place {done} times:\n{story}");
    }
}

fn undone(world: &World) -> Vec<StepPath> {
    let undone = |body: &Body| match body {
        Body::StepCompleted { step, .. } if step.0.ends_with("#undo") => Some(step.clone()),
        Body::StepResolved { step, resolution: Resolution::Done { .. }, .. } if step.0.ends_with("#undo") => {
            Some(step.clone())
        }
        _ => None,
    };
    world.events.iter().filter_map(|event| undone(&event.body)).collect()
}

/// How steps ended, without those that only a crash brings about.
fn results(world: &World) -> Vec<(String, String)> {
    world.results().into_iter().filter(|(step, _)| !step.contains('#')).collect()
}

#[test]
fn every_cut_leads_to_the_same_end() {
    for broken in [false, true] {
        let whole = go_on(world(broken), false);
        check(&whole);
        let last = whole.story().lines().last().unwrap_or_default().to_owned();
        assert_eq!(
            last,
            if broken {
                "run failed at verify: it is broken"
            } else {
                r#"run completed: {"said":"yes","fan":4}"#
            }
        );
        for kept in 1..=whole.events.len() {
            for took_place in [false, true] {
                let resumed = go_on(whole.crash(kept), took_place);
                check(&resumed);
                assert_eq!(results(&resumed), results(&whole), "cut after {kept}:\n{}", resumed.story());
                let mut expected = undone(&whole);
                let mut found = undone(&resumed);
                expected.sort();
                found.sort();
                assert_eq!(found, expected, "cut after {kept}:\n{}", resumed.story());
            }
        }
    }
}

#[test]
fn a_second_cut_changes_nothing_either() {
    let whole = go_on(world(true), false);
    for kept in (1..=whole.events.len()).step_by(3) {
        let once = go_on(whole.crash(kept), false);
        for again in (kept + 1..=once.events.len()).step_by(5) {
            let twice = go_on(once.crash(again), false);
            check(&twice);
            assert_eq!(results(&twice), results(&whole), "cut after {kept} and {again}:\n{}", twice.story());
        }
    }
}

#[test]
fn a_replayed_run_wants_the_same_as_the_live_one() {
    let mut live = world(true);
    loop {
        // Whatever the live machine has kept from earlier polls must not matter.
        let mut replayed = World::replay(Arc::clone(&live.plan), &live.events);
        replayed.now = live.now;
        let before = live.events.len();
        let calls = live.made.len();
        live.poll();
        replayed.poll();
        assert_eq!(live.events[before..], replayed.events[before..]);
        // The replayed machine takes calls that go on for calls to make.
        let steps = |world: &World, from: usize| -> Vec<StepPath> {
            let mut steps: Vec<StepPath> = world.made[from..].iter().map(|call| call.step.clone()).collect();
            steps.sort();
            steps
        };
        let mut open: Vec<StepPath> = live.open.iter().map(|call| call.step.clone()).collect();
        open.sort();
        assert_eq!(steps(&replayed, 0), open);
        assert!(steps(&live, calls).iter().all(|step| open.contains(step)));
        assert_eq!(live.machine.wake_at(), replayed.machine.wake_at());
        assert_eq!(live.machine.waiting(), replayed.machine.waiting());
        if live.machine.ending().is_some() {
            return;
        }
        if !live.turn() {
            live.answer("ask", "yes");
        }
    }
}
