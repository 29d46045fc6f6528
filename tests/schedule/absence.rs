use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, Utc};
use rustix::process::Signal;

use super::{lines, schedule, slots, with};
use crate::mcp::wire::Served;
use crate::support::{Aa, eventually};

/// A schedule of every second, with this about missed times.
fn every_second(runs: &str) -> Aa {
    with(&format!(
        "schedules:\n  tick: {{skill: tick, every: 1s, catch_up: {{window: 10m, runs: {runs}}}, inputs: {{due: '{{{{ due }}}}'}}}}\n"
    ))
}

/// Has a server run, stop for some seconds, and run again; gives when it had stopped and when it began again.
fn away(aa: &Aa, seconds: u64) -> (DateTime<Utc>, DateTime<Utc>, Served) {
    let mut first = Served::new(aa, &[]);
    eventually("it runs", || lines(aa).len() >= 2);
    first.signal(Signal::TERM);
    first.ended();
    let stopped = Utc::now();
    std::thread::sleep(Duration::from_secs(seconds));
    let began = Utc::now();
    (stopped, began, Served::new(aa, &[]))
}

fn ran(aa: &Aa) -> BTreeSet<i64> {
    lines(aa).iter().map(|due| DateTime::parse_from_rfc3339(due).unwrap().timestamp()).collect()
}

#[test]
fn all_times_of_an_absence_are_run_however_short_ago_they_were() {
    let aa = every_second("all");
    let (stopped, began, _served) = away(&aa, 6);
    let missed: BTreeSet<i64> = (stopped.timestamp() + 1..began.timestamp()).collect();
    assert!(missed.len() >= 4, "{missed:?}");
    eventually("they are run", || missed.is_subset(&ran(&aa)));
    let why = schedule(&aa, &["why", "tick", "--limit", "100"]).code(0);
    why.stdout_contains("(caught up)").stdout_contains("nobody was there at that time");
    for slot in slots(&aa, "tick") {
        let due = DateTime::parse_from_rfc3339(slot["due"].as_str().unwrap()).unwrap().timestamp();
        assert!(!missed.contains(&due) || slot["state"] == "succeeded", "{slot:#}");
    }
}

#[test]
fn what_nobody_was_there_for_was_not_held_up_by_a_run() {
    let aa = every_second("latest");
    let (stopped, began, _served) = away(&aa, 6);
    eventually("it runs again", || ran(&aa).last().is_some_and(|last| *last > began.timestamp()));
    let missed = stopped.timestamp() + 1..began.timestamp();
    for slot in slots(&aa, "tick") {
        let due = DateTime::parse_from_rfc3339(slot["due"].as_str().unwrap()).unwrap().timestamp();
        assert!(!missed.contains(&due) || slot["state"] != "skipped", "{slot:#}");
    }
    schedule(&aa, &["why", "tick", "--limit", "100"])
        .code(0)
        .stdout_contains("was missed; nobody was there, and a later time is run instead");
}
