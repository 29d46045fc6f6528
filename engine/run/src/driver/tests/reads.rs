//! Calls that change nothing start beside the commit of what leads to them, and nothing else does.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aa_spec::tool::Effect;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::kit::{Dropped, Notes, Stage, eventually};
use crate::driver::Entry;
use crate::engine::Outcome;
use crate::store::StoreError;

fn noting(effect: Effect, steps: &Value, calls: &Notes) -> Stage {
    let seen = calls.clone();
    Stage::new(steps).tool_that(effect, "note", move |context, _| {
        seen.put(context.step.0.clone());
        async { Ok(Value::Null) }
    })
}

async fn a_while() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_read_starts_beside_the_commit_and_nobody_is_told() {
    let calls = Notes::default();
    let stage = noting(Effect::Read, &json!([{"name": "a", "tool": "note"}]), &calls);
    stage.journal.hold(true);
    let mut running = stage.drive(Entry::Fresh);
    eventually(|| calls.all() == ["a"]).await;
    a_while().await;
    assert!(running.told().is_empty());
    assert_eq!(stage.story(), ["skill_started"], "not even its end is written");
    stage.journal.hold(false);
    assert!(matches!(running.outcome().await, Ok(Outcome::Completed(_))));
    assert_eq!(stage.story(), ["skill_started", "step_started a", "step_completed a", "skill_completed"]);
}

#[tokio::test]
async fn what_changes_something_or_may_do_so_waits() {
    for effect in [Effect::Write, Effect::Destructive, Effect::Unknown] {
        let calls = Notes::default();
        let stage = noting(effect, &json!([{"name": "a", "tool": "note"}]), &calls);
        stage.journal.hold(true);
        let running = stage.drive(Entry::Fresh);
        a_while().await;
        assert!(calls.all().is_empty(), "{effect:?}");
        stage.journal.hold(false);
        assert!(matches!(running.outcome().await, Ok(Outcome::Completed(_))));
    }
}

#[tokio::test]
async fn a_read_after_a_write_waits_for_its_end_to_be_written() {
    let calls = Notes::default();
    let steps = json!([{"name": "w", "tool": "echo"}, {"name": "a", "tool": "note", "needs": [0]}]);
    let stage = noting(Effect::Read, &steps, &calls);
    stage.journal.hold(true);
    let running = stage.drive(Entry::Fresh);
    a_while().await;
    assert!(calls.all().is_empty());
    stage.journal.hold(false);
    assert!(matches!(running.outcome().await, Ok(Outcome::Completed(_))));
    assert_eq!(calls.all(), ["a"]);
}

#[tokio::test]
async fn a_read_is_stopped_when_its_start_cannot_be_written() {
    let (calls, stopped) = (Notes::default(), Arc::new(AtomicUsize::new(0)));
    let (seen, counter) = (calls.clone(), Arc::clone(&stopped));
    let stage =
        Stage::new(&json!([{"name": "a", "tool": "slow"}])).tool_that(Effect::Read, "slow", move |_, _| {
            seen.put("called");
            let guard = Dropped(Arc::clone(&counter));
            async move {
                let _guard = guard;
                std::future::pending().await
            }
        });
    stage.journal.fail_after(1);
    stage.journal.hold(true);
    let mut running = stage.drive(Entry::Fresh);
    eventually(|| calls.all() == ["called"]).await;
    assert_eq!(stopped.load(Ordering::SeqCst), 0);
    stage.journal.hold(false);
    eventually(|| stopped.load(Ordering::SeqCst) == 1).await;
    assert!(running.told().is_empty());
    assert!(matches!(running.outcome().await, Err(StoreError::Fenced(_))));
}

#[tokio::test]
async fn a_run_that_is_being_written_down_reads_and_does_nothing_else() {
    let calls = Notes::default();
    let steps = json!([{"name": "a", "tool": "note"}, {"name": "w", "tool": "write"}]);
    let seen = calls.clone();
    let stage = noting(Effect::Read, &steps, &calls).tool("write", move |_, _| {
        seen.put("written");
        async { Ok(Value::Null) }
    });
    let (born, word) = oneshot::channel();
    let mut running = stage.drive_born(Entry::Fresh, Some(word));
    eventually(|| calls.all() == ["a"]).await;
    a_while().await;
    assert_eq!(calls.all(), ["a"]);
    assert!(running.told().is_empty());
    assert_eq!(stage.story(), ["skill_started"]);
    born.send(()).unwrap();
    assert!(matches!(running.outcome().await, Ok(Outcome::Completed(_))));
    assert_eq!(calls.all(), ["a", "written"]);
}

#[tokio::test]
async fn a_run_that_never_comes_to_be_leaves_nothing() {
    let calls = Notes::default();
    let stage = noting(Effect::Read, &json!([{"name": "a", "tool": "note"}]), &calls);
    let (born, word) = oneshot::channel();
    let mut running = stage.drive_born(Entry::Fresh, Some(word));
    eventually(|| calls.all() == ["a"]).await;
    drop(born);
    assert!(running.told().is_empty());
    assert!(matches!(running.outcome().await, Err(StoreError::Stopped)));
    assert_eq!(stage.story(), ["skill_started"]);
}
