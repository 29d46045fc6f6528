//! Order and durability: what is written when, and what follows only then.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aa_spec::tool::ErrorKind;
use serde_json::{Map, Value, json};

use super::kit::{Dropped, Notes, Stage, eventually, short, step};
use crate::driver::Entry;
use crate::engine::{Notice, Outcome};
use crate::event::Body;
use crate::store::StoreError;

#[tokio::test]
async fn an_end_and_the_next_start_share_a_commit() {
    let stage = Stage::new(&json!([
        {"name": "a", "tool": "echo"},
        {"name": "b", "tool": "echo", "needs": [0]},
        {"name": "c", "tool": "echo", "needs": [1]},
    ]));
    let outcome = stage.drive(Entry::Fresh).outcome().await.unwrap();
    assert_eq!(outcome, Outcome::Completed(Map::new()));
    let commits = stage.journal.commits();
    let commits: Vec<Vec<String>> =
        commits.iter().map(|commit| commit.iter().map(|event| short(&event.body)).collect()).collect();
    assert_eq!(
        commits,
        [
            vec!["skill_started"],
            vec!["step_started a"],
            vec!["step_completed a", "step_started b"],
            vec!["step_completed b", "step_started c"],
            vec!["step_completed c", "skill_completed"],
        ]
    );
}

#[tokio::test]
async fn nothing_starts_and_nobody_is_told_before_the_commit() {
    let calls = Notes::default();
    let seen = calls.clone();
    let stage = Stage::new(&json!([{"name": "a", "tool": "note"}])).tool("note", move |_, _| {
        seen.put("called");
        async { Ok(Value::Null) }
    });
    stage.journal.hold(true);
    let mut running = stage.drive(Entry::Fresh);
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
    assert!(calls.all().is_empty());
    assert!(running.told().is_empty());
    stage.journal.hold(false);
    eventually(|| calls.all() == ["called"]).await;
    assert!(matches!(running.outcome().await, Ok(Outcome::Completed(_))));
}

#[tokio::test]
async fn a_journal_that_fails_ends_everything_untold() {
    let stopped = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&stopped);
    let stage = Stage::new(&json!([{"name": "slow", "tool": "slow"}, {"name": "a", "tool": "echo"}])).tool(
        "slow",
        move |_, _| {
            // Counts when it is dropped, that is when the call is gone.
            let guard = Dropped(Arc::clone(&counter));
            async move {
                let _guard = guard;
                std::future::pending().await
            }
        },
    );
    stage.journal.fail_after(2);
    let mut running = stage.drive(Entry::Fresh);
    eventually(|| stopped.load(Ordering::SeqCst) == 1).await;
    let told: Vec<String> = running
        .told()
        .iter()
        .map(|notice| match notice {
            Notice::Event(event) => short(&event.body),
            Notice::Line { .. } => "line".to_owned(),
        })
        .collect();
    assert_eq!(told, ["step_started slow", "step_started a"]);
    assert!(matches!(running.outcome().await, Err(StoreError::Fenced(_))));
}

#[tokio::test]
async fn a_panicking_tool_fails_its_step_only() {
    let stage = Stage::new(&json!([
        {"name": "bad", "tool": "panic", "on_error": "continue"},
        {"name": "good", "tool": "echo", "needs": [0]},
    ]));
    let outcome = stage.drive(Entry::Fresh).outcome().await.unwrap();
    assert!(matches!(outcome, Outcome::Completed(_)));
    let failed = stage.journal.events().into_iter().find_map(|event| match event.body {
        Body::StepFailed { error, .. } => Some(error),
        _ => None,
    });
    let failed = failed.unwrap();
    assert_eq!((failed.kind, failed.message.as_str()), (ErrorKind::Permanent, "the tool panicked"));
    assert_eq!(failed.details, json!({"panic": "oh no", "may_have_acted": true}));
}

#[tokio::test]
async fn an_unknown_tool_fails_its_step() {
    let stage = Stage::new(&json!([{"name": "a", "tool": "gone"}]));
    let Outcome::Failed { error, step: failed } = stage.drive(Entry::Fresh).outcome().await.unwrap() else {
        panic!("the run has not failed");
    };
    assert_eq!((error.kind, failed), (ErrorKind::NotFound, Some(step("a"))));
}

#[tokio::test]
async fn retries_wait_for_the_clock() {
    let stage = Stage::new(&json!([{"name": "flaky", "tool": "fail", "retry":
        {"attempts": 2, "backoff": "constant", "delay_ms": 60_000, "max_delay_ms": 60_000, "on": ["transient"]}}]));
    let running = stage.drive(Entry::Fresh);
    stage.until("step_retrying flaky").await;
    stage.clock.advance(60_000);
    assert!(matches!(running.outcome().await, Ok(Outcome::Failed { .. })));
    let starts = stage.story().iter().filter(|line| *line == "step_started flaky").count();
    assert_eq!(starts, 2);
}

#[tokio::test]
async fn calls_know_where_they_are() {
    let notes = Notes::default();
    let seen = notes.clone();
    let stage = Stage::new(&json!([{"name": "a", "tool": "look", "timeout_ms": 5000}])).tool(
        "look",
        move |context, _| {
            let left = context
                .deadline
                .map(|deadline| deadline.duration_since(tokio::time::Instant::now()).as_millis());
            seen.put(format!(
                "{:?} {} {}",
                context.run.map(|run| run.0),
                context.step,
                context.folder.display()
            ));
            seen.put(format!(
                "{} {}",
                context.idempotency_key.len(),
                left.is_some_and(|left| (4000..=5000).contains(&left))
            ));
            async { Ok(Value::Null) }
        },
    );
    stage.drive(Entry::Fresh).outcome().await.unwrap();
    assert_eq!(notes.all(), ["Some(1) a /work", "32 true"]);
}

#[tokio::test]
async fn the_hook_sees_every_event_after_its_commit() {
    let notes = Notes::default();
    let seen = notes.clone();
    let stage = Stage::new(&json!([{"name": "a", "tool": "echo"}]))
        .after_commit(move |event| seen.put(short(&event.body)));
    stage.drive(Entry::Fresh).outcome().await.unwrap();
    assert_eq!(notes.all(), stage.story()[1..]);
}

#[tokio::test]
async fn a_resumed_run_says_what_is_unknown_and_repeats_what_it_may() {
    let steps = json!([
        {"name": "safe", "tool": "slow", "idempotent": true},
        {"name": "unsafe", "tool": "slow", "on_error": "continue"},
    ]);
    let calls = Notes::default();
    let slow = calls.clone();
    let stage = Stage::new(&steps).tool("slow", move |context, _| {
        slow.put(format!("{} {}", context.step, context.idempotency_key));
        let first = slow.all().len() <= 2;
        async move { if first { std::future::pending().await } else { Ok(Value::Null) } }
    });
    let running = stage.drive(Entry::Fresh);
    eventually(|| calls.all().len() == 2).await;
    // The process dies.
    running.abort();

    let stage = stage.park(crate::driver::Park::Release);
    let outcome = stage.drive(Entry::Resume(crate::machine::Left::default())).outcome().await.unwrap();
    assert_eq!(outcome, Outcome::Waiting(vec![step("unsafe")]));
    assert!(stage.journal.released());
    let calls = calls.all();
    assert_eq!(calls.len(), 3);
    assert_eq!(calls[2], *calls.iter().find(|call| call.starts_with("safe")).unwrap());
}

#[tokio::test]
async fn a_run_that_is_over_is_taken_back() {
    let stage = Stage::new(&json!([{"name": "a", "tool": "echo", "undo": {"tool": "echo", "args": {}}}]));
    let first = stage.drive(Entry::Fresh).outcome().await.unwrap();
    assert!(!stage.journal.released());
    let second = stage.drive(Entry::Undo { by: "ann".to_owned() }).outcome().await.unwrap();
    assert_eq!(first, second);
    assert!(stage.journal.released());
    assert_eq!(
        stage.story()[4..],
        ["undo_started", "step_started a#undo", "step_completed a#undo", "undo_finished"]
    );
}
