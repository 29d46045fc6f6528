//! A process that is about to end: what is under way ends, nothing else begins, and the run is given back.

use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::sync::watch;

use super::kit::{Stage, step};
use crate::driver::{Entry, Park};
use crate::engine::Outcome;

fn two() -> Value {
    json!([
        {"name": "a", "tool": "gate"},
        {"name": "b", "needs": [0], "tool": "echo"},
    ])
}

/// A run of these steps, whose tool `gate` ends when it is let.
fn gated(steps: &Value) -> (Stage, watch::Sender<bool>) {
    let open = watch::Sender::new(false);
    let gate = open.clone();
    let stage = Stage::new(steps).tool("gate", move |_, _| {
        let mut gate = gate.subscribe();
        async move {
            let _open = gate.wait_for(|open| *open).await;
            Ok(Value::Object(Map::new()))
        }
    });
    (stage, open)
}

#[tokio::test]
async fn a_step_under_way_ends_and_the_next_one_is_left_for_whoever_comes() {
    let (mut stage, open) = gated(&two());
    let running = stage.drive(Entry::Fresh);
    stage.until("step_started a").await;
    stage.drain.begin();
    open.send_replace(true);
    assert_eq!(running.outcome().await.unwrap(), Outcome::Left);
    assert!(stage.journal.released());
    assert_eq!(stage.story().last().unwrap(), "step_completed a");
    stage.drain = crate::drain::Drain::default();
    assert!(matches!(
        stage.drive(Entry::Resume(crate::machine::Left::default())).outcome().await,
        Ok(Outcome::Completed(_))
    ));
}

#[tokio::test]
async fn a_run_whose_last_step_ends_is_over() {
    let steps = json!([{"name": "a", "tool": "gate"}]);
    let (stage, open) = gated(&steps);
    let running = stage.drive(Entry::Fresh);
    stage.until("step_started a").await;
    stage.drain.begin();
    open.send_replace(true);
    assert!(matches!(running.outcome().await, Ok(Outcome::Completed(_))));
}

#[tokio::test]
async fn a_step_that_does_not_end_is_cut_off_and_in_doubt() {
    let (mut stage, _open) = gated(&two());
    let running = stage.drive(Entry::Fresh);
    stage.until("step_started a").await;
    assert_eq!(stage.drain.finish(Duration::from_millis(5)).await, 1);
    assert_eq!(running.outcome().await.unwrap(), Outcome::Left);
    assert!(stage.journal.released());
    assert_eq!(stage.story().last().unwrap(), "step_started a");
    stage.drain = crate::drain::Drain::default();
    let stage = stage.park(Park::Release);
    let outcome = stage.drive(Entry::Resume(crate::machine::Left::default())).outcome().await.unwrap();
    assert_eq!(outcome, Outcome::Waiting(vec![step("a")]), "it may have taken place");
}

#[tokio::test]
async fn what_waits_for_a_person_is_given_back_at_once() {
    let steps = json!([{"name": "ask", "action": {"confirm": {"message": "?", "options": ["yes"], "default": null, "timeout_ms": null}}}]);
    let stage = Stage::new(&steps);
    let running = stage.drive(Entry::Fresh);
    stage.until("confirm_requested ask").await;
    assert_eq!(stage.drain.finish(Duration::from_mins(1)).await, 0);
    assert_eq!(running.outcome().await.unwrap(), Outcome::Left);
}

#[tokio::test]
async fn a_run_that_comes_when_it_has_begun_does_what_it_has_said_and_no_more() {
    let (stage, open) = gated(&two());
    stage.drain.begin();
    open.send_replace(true);
    let running = stage.drive(Entry::Fresh);
    assert_eq!(running.outcome().await.unwrap(), Outcome::Left);
    let story = stage.story();
    assert!(!story.contains(&"step_started b".to_owned()), "{story:?}");
}
