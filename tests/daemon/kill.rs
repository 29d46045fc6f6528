//! The daemon killed again and again while it has a lot to do: nothing is lost, nothing that was finished is done
//! again, and schedules go on.

use std::collections::BTreeMap;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use super::{daemon, lines, project, running, start, status};
use crate::support::{Aa, eventually};

/// How many runs there are at any time, and how often their daemon dies.
const RUNS: usize = 50;
const DEATHS: usize = 20;

const WORK: &str = "\
name: work
description: Leaves three lines
inputs: [{name: number, type: integer, required: true}]
steps:
  - {name: a, tool: note, args: {text: '{{ inputs.number }} a', after: '0.4'}}
  - {name: b, tool: note, args: {text: '{{ inputs.number }} b', after: '0.4'}, needs: [a]}
  - {name: c, tool: note, args: {text: '{{ inputs.number }} c', after: '0.4'}, needs: [b]}
";

const TICK: &str = "\
name: tick
description: Leaves a line
inputs: [{name: due, type: string, required: true}]
steps: [{name: it, tool: note, args: {text: 'due {{ inputs.due }}'}}]
";

const CONFIG: &str = "\
limits: {calls: 100}
serve: {runs: 100, runs_per_session: 100}
schedules:
  tick: {skill: tick, every: 2s, overlap: allow, catch_up: {window: 10m, runs: all}, inputs: {due: '{{ due }}'}}
";

/// How many runs of the skill are not over.
fn open(aa: &Aa) -> usize {
    let runs = aa
        .args(["run", "list", "--skill", "work", "--limit", "200", "--format", "json"])
        .run()
        .code(0)
        .json();
    runs.as_array().unwrap().iter().filter(|run| run["ended_at"].is_null()).count()
}

#[test]
fn killed_twenty_times_under_fifty_runs_it_loses_and_repeats_nothing() {
    let aa = project(CONFIG).skill("work", WORK).skill("tick", TICK);
    let mut number = 0;
    let mut runs = Vec::new();
    let mut it = start(&aa);
    for death in 0..DEATHS {
        for _ in open(&aa)..RUNS {
            number += 1;
            runs.push((number, it.start("work", &json!({"number": number}))));
        }
        // At another moment each time.
        std::thread::sleep(Duration::from_millis(37 * (death as u64 % 13)));
        it.signal(Signal::KILL);
        it.gone();
        std::mem::forget(it);
        daemon(&aa, &["start", "--listen", "127.0.0.1:0"]).code(0);
        it = running(&aa);
    }
    eventually("all runs are over", || open(&aa) == 0);
    eventually("some times have come", || slots(&aa).iter().filter(|slot| went_well(slot)).count() >= 5);
    aa.args(["schedule", "pause", "tick"]).run().code(0);
    let left = lines(&aa);
    let count = |line: &str| left.iter().filter(|found| *found == line).count();
    for (number, run) in &runs {
        let events = it.get(&format!("/api/runs/{run}/events?limit=500")).message();
        let events = events["items"].as_array().unwrap_or_else(|| panic!("{events}")).clone();
        assert_eq!(events.last().unwrap()["event"], "skill_completed", "{events:#?}");
        let (mut begun, mut done) = (BTreeMap::<String, usize>::new(), BTreeMap::<String, usize>::new());
        for event in &events {
            let step = event["step"].as_str().unwrap_or_default().to_owned();
            match event["event"].as_str().unwrap() {
                "step_started" => {
                    assert_eq!(done.get(&step), None, "{step} was finished, and is begun again: {events:#?}");
                    *begun.entry(step).or_default() += 1;
                }
                "step_completed" => *done.entry(step).or_default() += 1,
                _ => {}
            }
        }
        for step in ["a", "b", "c"] {
            let wrote = count(&format!("{number} {step}"));
            assert_eq!(done.get(step), Some(&1));
            assert!((1..=begun[step]).contains(&wrote), "{number} {step}: {wrote} of {}", begun[step]);
        }
    }
    ticked(&aa, &left);
    assert_eq!(status(&aa)["ready"], true);
    drop(it);
}

/// The times of the schedule.
fn slots(aa: &Aa) -> Vec<Value> {
    let shown = aa.args(["schedule", "show", "tick", "--limit", "1000", "--format", "json"]).run();
    shown.code(0).json()["slots"].as_array().unwrap().clone()
}

fn went_well(slot: &Value) -> bool {
    slot["state"] == "succeeded"
}

/// Each time of the schedule was run, by one run.
fn ticked(aa: &Aa, left: &[String]) {
    let slots = slots(aa);
    let ran: Vec<&Value> = slots.iter().filter(|slot| went_well(slot)).collect();
    let mut due: Vec<i64> = Vec::new();
    for slot in &ran {
        assert_eq!(slot["attempt"], 1, "{slot}");
        let at = slot["due"].as_str().unwrap();
        due.push(chrono::DateTime::parse_from_rfc3339(at).unwrap().timestamp());
        let seconds = at.split('.').next().unwrap().trim_end_matches('Z');
        assert!(left.iter().any(|line| line.starts_with(&format!("due {seconds}"))), "{slot}");
    }
    due.sort_unstable();
    assert!(due.windows(2).all(|pair| pair[1] - pair[0] == 2), "no time is lost: {due:?} {slots:#?}");
}

#[test]
fn a_time_whose_run_is_under_way_is_gone_on_with_and_not_run_again() {
    let slow = "name: slow\ndescription: Takes a while\nsteps:\n  - {name: a, tool: note, args: {text: a, after: '1'}}\n  - {name: b, tool: note, args: {text: b}, needs: [a]}\n";
    let at = (chrono::Utc::now() + chrono::TimeDelta::seconds(3)).to_rfc3339();
    let aa = project(&format!("schedules:\n  once: {{skill: slow, at: '{at}'}}\n")).skill("slow", slow);
    let it = start(&aa);
    let slots = || {
        let shown = aa.args(["schedule", "show", "once", "--format", "json"]).run().code(0).json();
        shown["slots"].as_array().unwrap().clone()
    };
    eventually("its run goes on", || slots().first().is_some_and(|slot| slot["state"] == "running"));
    it.signal(Signal::KILL);
    it.gone();
    drop(it);
    // Two processes look after it from now on.
    let served = crate::mcp::wire::Served::new(&aa, &[]);
    let next = start(&aa);
    eventually("it is over", || slots()[0]["state"] == "succeeded");
    let runs = aa.args(["run", "list", "--format", "json"]).run().code(0).json();
    assert_eq!(runs.as_array().unwrap().len(), 1, "{runs}");
    assert_eq!(lines(&aa).iter().filter(|line| *line == "b").count(), 1);
    aa.args(["schedule", "why", "once"]).run().code(0).stdout_contains("run 1 went well");
    drop((served, next));
}
