//! Random skills, random outcomes, random order: what holds for every run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aa_spec::plan::Plan;
use aa_spec::tool::ErrorKind;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::kit::{World, fault, plan_with};
use crate::event::{Body, Resolution, StepPath};
use crate::machine::Call;

/// Small numbers out of a list of bytes; zeros when it has run out, so that shorter
/// lists make simpler runs.
#[derive(Clone, Debug)]
struct Dice {
    bytes: Vec<u8>,
    next: usize,
}

impl Dice {
    fn throw(&mut self, sides: usize) -> usize {
        let byte = self.bytes.get(self.next).copied().unwrap_or(0);
        self.next += 1;
        usize::from(byte) % sides
    }

    fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.throw(choices.len())]
    }

    fn one_in(&mut self, sides: usize) -> bool {
        self.throw(sides) == sides - 1
    }
}

/// A calm skill comes to the same result in whatever order its calls end.
fn skill(dice: &mut Dice, depth: usize, calm: bool) -> Value {
    let count = dice.throw(9);
    let steps: Vec<Value> = (0..count).map(|index| step(dice, (index, depth), calm)).collect();
    let mut skill = json!({
        "steps": steps,
        "concurrency": 1 + dice.throw(4),
        "on_failure": if dice.one_in(2) { "undo" } else { "stop" },
        "outputs": [{"name": "out", "value": "{{ [s0, s1, s2, s3, steps.s1.status] }}"}],
    });
    if !calm && dice.one_in(6) {
        skill["timeout_ms"] = json!(1 + 40 * dice.throw(5));
    }
    skill
}

fn step(dice: &mut Dice, (index, depth): (usize, usize), calm: bool) -> Value {
    let mut needs: BTreeSet<usize> = (0..index.min(3)).map(|_| dice.throw(index)).collect();
    if calm {
        // Whatever may be mentioned is waited for, as a checked plan does.
        needs.extend(0..index.min(2));
    }
    let mut step = json!({
        "name": format!("s{index}"),
        "needs": needs,
        "on_error": if calm { "continue" } else { dice.pick(&["fail", "fail", "continue", "auto_heal"]) },
        "effect": dice.pick(&["read", "write", "destructive"]),
        "idempotent": dice.one_in(2),
    });
    // Few skills return early; those that must be calm never do.
    match if calm { dice.throw(12) } else { dice.throw(13) } {
        0..=4 => {
            step["tool"] = json!(dice.pick(&[
                "echo",
                "echo",
                "fail_1",
                "echo",
                "echo",
                "fail_2",
                "echo",
                "echo",
                "fail_always"
            ]));
            step["args"] = json!({"give": dice.pick(&["{{ index }}", "{{ s0 }}", "x", "{{ item }}"])});
            if dice.one_in(4) && !calm {
                step["reconcile"] =
                    json!({"tool": "echo", "args": {}, "when": dice.pick(&["result", "false", "1 + 'a'"])});
            }
        }
        5..=7 if depth < 2 => {
            step["action"] = json!({"skill": {"skill": format!("sub{depth}"), "args": {}}});
        }
        5..=8 => {
            let timeout = dice.pick(&[None, Some(20)]);
            let default = dice.pick(&[None, Some("a")]);
            step["action"] = json!({"confirm": {"message": "?", "options": ["a", "b"], "default": default,
                "timeout_ms": if calm { None } else { timeout }}});
        }
        9..=10 => step["block"] = block(dice, depth, calm),
        11 => step["action"] = json!({"wait_for": {"duration": 10 * dice.throw(8)}}),
        _ => step["action"] = json!({"return": {"value": {"early": index}}}),
    }
    if dice.one_in(3) && step.get("action").is_none_or(|action| action.get("return").is_none()) {
        step["foreach"] =
            json!({"items": format!("{{{{ range({}) }}}}", dice.throw(4)), "concurrency": 1 + dice.throw(3)});
    }
    match dice.throw(6) {
        4 => step["condition"] = json!(dice.pick(&["true", "false", "s0", "s1 or true", "index", "1 + 'a'"])),
        5 if step.get("foreach").is_some() => {
            step["condition"] = json!("item != 1");
            step["condition_per_item"] = json!(true);
        }
        _ => {}
    }
    if dice.one_in(3) {
        step["retry"] = json!({"attempts": 1 + dice.throw(3), "delay_ms": 10});
    }
    if dice.one_in(2) {
        step["undo"] = json!({"tool": dice.pick(&["echo", "fail_always"]), "idempotent": dice.one_in(2)});
    }
    if dice.one_in(8) {
        step["validate"] = json!([{"condition": dice.pick(&["true", "false", "item"]), "message": null}]);
    }
    if !calm && dice.one_in(8) {
        step["timeout_ms"] = json!(1 + 20 * dice.throw(3));
    }
    step
}

/// A block that makes a few calls, some of them with what it reads.
fn block(dice: &mut Dice, depth: usize, calm: bool) -> Value {
    let inner = format!("sub{depth}");
    let mut callees = vec!["echo", "peek", "fail_1", "fail_always"];
    if depth < 2 {
        callees.push(&inner);
    }
    let calls: Vec<Value> = (0..dice.throw(4))
        .map(|_| match dice.pick(&callees) {
            skill if skill == inner => json!([skill, {}]),
            tool => json!([tool, {"give": dice.pick(&["$s0", "x", "$item"])}]),
        })
        .collect();
    json!({
        "reads": if calm { json!(["s0", "item"]) } else { json!(["s0", "s1", "s3", "item"]) },
        "script": {"calls": calls, "catches": !dice.one_in(3)},
        "skills": if depth < 2 { json!([inner]) } else { json!([]) },
        "tools": {
            "echo": {"effect": "write", "idempotent": dice.one_in(2)},
            "peek": {"effect": "read", "idempotent": true},
            "fail_1": {"effect": "write", "idempotent": dice.one_in(2)},
            "fail_always": {"effect": "destructive", "idempotent": false},
        },
    })
}

/// Rules whose calls work, fail, must not be repeated, or run a skill.
fn rules(dice: &mut Dice) -> Value {
    let rule = |name: &str, kind: &str, action: Value, dice: &mut Dice| {
        json!({"name": name, "kinds": [kind], "action": action, "effect": "write", "idempotent": dice.one_in(2),
            "timeout_ms": 50, "bounds": {"per_step": 1 + dice.throw(2), "per_run": 9, "per_hour": 9,
            "cool_down_ms": 0, "failures": 9, "rest_ms": 0}})
    };
    let tool = json!({"tool": {"tool": dice.pick(&["echo", "fail_1", "fail_always"]), "args": {}}});
    let nested = json!({"skill": {"skill": "sub1", "args": {}}});
    json!([rule("one", "transient", tool, dice), rule("two", "permanent", nested, dice)])
}

fn random_plan(dice: &mut Dice, calm: bool) -> Arc<Plan> {
    let mut main = skill(dice, 0, calm);
    if !calm {
        main["heal"] = rules(dice);
    }
    let subs = [("sub0", skill(dice, 1, calm)), ("sub1", skill(dice, 2, calm))];
    plan_with(&main, &subs)
}

/// What a tool answers to attempts in general, or to a step whatever the attempt.
fn answer(call: &Call, peaceful: bool) -> Result<Value, crate::event::StepError> {
    match call.tool.as_str() {
        "fail_always" => Err(fault(ErrorKind::Permanent, "no")),
        "fail_1" | "fail_2" if peaceful => Err(fault(ErrorKind::Transient, "never")),
        "fail_1" if call.attempt <= 1 => Err(fault(ErrorKind::Transient, "once")),
        "fail_2" if call.attempt <= 2 => Err(fault(ErrorKind::Transient, "twice")),
        _ => Ok(call.args.get("give").cloned().unwrap_or(json!({"n": call.step.0.len()}))),
    }
}

fn random_world(dice: &mut Dice, calm: bool) -> World {
    let plan = random_plan(dice, calm);
    let dry_run = dice.one_in(8);
    let mut order = Dice { next: 0, ..dice.clone() };
    let mut world = World::with(plan, &json!({ "dry_run": dry_run })).tools(move |call| answer(call, calm));
    world.choose = Box::new(move |open| order.throw(open));
    world
}

/// Runs to the end, with a person who is always there.
fn finish(world: &mut World) {
    world.run_with(|world, step| {
        let unknown = world.machine.request(&crate::store::Request {
            id: 1,
            origin: crate::event::Origin::Cli,
            by: "ann".to_owned(),
            ask: crate::store::Ask::Resolve { step: step.clone(), resolution: Resolution::Retry },
        });
        match unknown {
            Ok(body) => world.record(body),
            Err(_) => world.answer(&step.0, "b"),
        }
    });
}

/// What holds for every journal.
fn check(world: &World) -> Result<(), TestCaseError> {
    let story = world.story();
    prop_assert!(world.machine.ending().is_some(), "{}", story);
    prop_assert_eq!(world.endings(), 1, "{}", story);
    prop_assert!(world.open.is_empty() && world.blocks.is_empty(), "{}", story);
    let mut finished: BTreeSet<&StepPath> = BTreeSet::new();
    let mut started: BTreeSet<&StepPath> = BTreeSet::new();
    for (index, event) in world.events.iter().enumerate() {
        prop_assert_eq!(event.seq, index as u64);
        match &event.body {
            Body::StepStarted { step, attempt, kind, .. } => {
                prop_assert!(!finished.contains(step), "finished step {} runs again:\n{}", step, story);
                started.insert(step);
                if (kind == "skill" || kind == "compute") && *attempt > 1 {
                    // The next attempt at a sub-skill or block begins with its first step.
                    let inside = format!("{step}/");
                    finished.retain(|path| !path.0.starts_with(&inside));
                    started.retain(|path| !path.0.starts_with(&inside));
                }
            }
            Body::StepCompleted { step, .. }
            | Body::StepFailed { step, .. }
            | Body::StepSkipped { step, .. } => {
                if !step.0.ends_with("#undo") && !step.0.ends_with("#reconcile") {
                    prop_assert!(finished.insert(step), "step {} ends twice:\n{}", step, story);
                }
                started.remove(step);
            }
            Body::StepResolved { .. } => {
                started.retain(|step| !step.0.ends_with("#reconcile"));
            }
            _ => {}
        }
    }
    let most = most_items_at_once(world);
    prop_assert!(most <= 3, "{} items run at once:\n{}", most, story);
    let left: Vec<_> = started.iter().filter(|step| !step.0.contains('#')).collect();
    prop_assert!(left.is_empty(), "{:?} never end:\n{}", left, story);
    Ok(())
}

/// The most items of one foreach step that had started and were not over.
fn most_items_at_once(world: &World) -> usize {
    let fan =
        |step: &StepPath| step.0.strip_suffix(']').and_then(|path| Some(path.rsplit_once('[')?.0.to_owned()));
    let mut open: BTreeMap<String, BTreeSet<&StepPath>> = BTreeMap::new();
    let mut most = 0;
    for event in &world.events {
        match &event.body {
            Body::StepStarted { step, .. } => {
                if let Some(fan) = fan(step) {
                    let items = open.entry(fan).or_default();
                    items.insert(step);
                    most = most.max(items.len());
                }
            }
            Body::StepCompleted { step, .. } | Body::StepFailed { step, .. } => {
                if let Some(items) = fan(step).and_then(|fan| open.get_mut(&fan)) {
                    items.remove(step);
                }
            }
            _ => {}
        }
    }
    most
}

fn bytes() -> impl Strategy<Value = Dice> {
    prop::collection::vec(any::<u8>(), 0..500).prop_map(|bytes| Dice { bytes, next: 0 })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_run_ends_once(mut dice in bytes()) {
        let mut world = random_world(&mut dice, false);
        finish(&mut world);
        check(&world)?;
    }

    #[test]
    fn cancelled_runs_end_too(mut dice in bytes(), turns in 0_usize..20, cancels in 1_usize..4) {
        let mut world = random_world(&mut dice, false);
        for _ in 0..turns {
            world.turn();
        }
        for _ in 0..cancels {
            if world.machine.ending().is_none() {
                world.cancel();
                world.turn();
            }
        }
        finish(&mut world);
        check(&world)?;
    }

    #[test]
    fn every_cut_can_be_gone_on_from(mut dice in bytes(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 1..4)) {
        let mut world = random_world(&mut dice, false);
        finish(&mut world);
        for cut in cuts {
            world = world.crash(1 + cut.index(world.events.len()));
            finish(&mut world);
            check(&world)?;
        }
    }

    #[test]
    fn a_calm_run_comes_to_the_same_end_whatever_happens(
        mut dice in bytes(),
        order in prop::collection::vec(0_usize..8, 1..20),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..3),
    ) {
        let mut first = random_world(&mut dice, true);
        finish(&mut first);
        check(&first)?;
        let mut second = World::replay(Arc::clone(&first.plan), &first.events[..1]);
        second.tools = Arc::clone(&first.tools);
        let mut turn = 0;
        second.choose = Box::new(move |open| {
            turn += 1;
            order[turn % order.len()] % open
        });
        finish(&mut second);
        for cut in cuts {
            second = second.crash(1 + cut.index(second.events.len()));
            finish(&mut second);
        }
        check(&second)?;
        let results = |world: &World| -> Vec<(String, String)> {
            world.results().into_iter().filter(|(step, _)| !step.contains('#')).collect()
        };
        prop_assert_eq!(results(&first), results(&second), "{}\n\n{}", first.story(), second.story());
    }

    #[test]
    fn a_replay_wants_what_the_live_run_wants(mut dice in bytes()) {
        let mut live = random_world(&mut dice, false);
        for _ in 0..200 {
            let mut replayed = World::replay(Arc::clone(&live.plan), &live.events);
            replayed.now = live.now;
            let before = live.events.len();
            live.poll();
            replayed.poll();
            prop_assert_eq!(&live.events[before..], &replayed.events[before..]);
            prop_assert_eq!(live.machine.wake_at(), replayed.machine.wake_at());
            prop_assert_eq!(live.machine.waiting(), replayed.machine.waiting());
            if !live.turn() {
                break;
            }
        }
    }
}
