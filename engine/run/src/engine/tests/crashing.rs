//! Runs whose process dies.

use super::*;

const RISKY: &str = "\
name: risky
description: Notes, then hangs
steps:
  - {name: first, tool: note, args: {text: first}}
  - {name: second, tool: hang}
  - {name: third, tool: note, args: {text: third}}
";

/// A run whose process died while its second step was running.
async fn crashed(world: &World) -> RunId {
    world.put("work/.aa/skills/risky.yaml", RISKY);
    let engine = world.engine();
    let mut handle = engine.start(request("risky", json!({}))).await.unwrap();
    until(&mut handle, |body| matches!(body, Body::StepStarted { step, .. } if step.0 == "second")).await;
    let id = handle.id;
    let works = async {
        while !world.log().contains("hanging") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, works).await.expect("the second step gets to work");
    // The driver goes without a word, and with the engine goes the lock that kept its runs.
    handle.outcome.abort();
    assert!(handle.outcome.await.unwrap_err().is_cancelled());
    id
}

#[tokio::test]
async fn a_step_that_was_running_at_the_crash_waits_for_a_person() {
    let world = World::new();
    let id = crashed(&world).await;
    let engine = world.engine();
    let interrupted = RunFilter { interrupted: true, ..RunFilter::default() };
    assert_eq!(engine.runs(&interrupted).unwrap().len(), 1);
    let (_, outcome) = finish(engine.resume(id, Park::Release).await.unwrap()).await;
    assert_eq!(outcome, Outcome::Waiting(vec![step("second")]));
    assert_eq!(engine.run(id).unwrap().status, RunStatus::Waiting);
    assert_eq!(engine.runs(&interrupted).unwrap(), []);

    let refused = engine.resolve(id, &step("first"), Resolution::Fail, "ann").await.unwrap_err();
    assert!(matches!(refused, StartError::Refused(_)), "{refused}");
    engine
        .resolve(id, &step("second"), Resolution::Done { output: json!("done by hand") }, "ann")
        .await
        .unwrap();
    let (_, outcome) = finish(engine.resume(id, Park::Release).await.unwrap()).await;
    assert!(matches!(outcome, Outcome::Completed(_)), "{outcome:?}");
    assert_eq!(world.log(), "first\nhanging\nthird\n");
    let events = engine.events(id, 0).unwrap();
    assert!(events.iter().zip(0..).all(|(event, seq)| event.seq == seq));
}

#[tokio::test]
async fn a_crashed_run_can_be_cancelled() {
    let world = World::new();
    let id = crashed(&world).await;
    let engine = world.engine();
    engine.cancel(id, "ann", "never mind").await.unwrap();
    let run = engine.run(id).unwrap();
    assert!(matches!(run.status, RunStatus::Cancelled | RunStatus::Waiting), "{run:?}");
    assert!(!run.interrupted);
    assert_eq!(world.log(), "first\nhanging\n");
}

#[tokio::test]
async fn a_finished_run_is_not_resumed() {
    let world = World::new();
    let engine = world.engine();
    let handle = engine.start(request("greet", json!({"who": "ann"}))).await.unwrap();
    let id = handle.id;
    finish(handle).await;
    let error = engine.resume(id, Park::Release).await.unwrap_err();
    assert!(matches!(error, StartError::Over { status: RunStatus::Completed, .. }), "{error}");
    assert!(matches!(
        engine.resume(RunId(9), Park::Release).await,
        Err(StartError::Store(StoreError::NoRun(_)))
    ));
}

#[tokio::test]
async fn an_event_hook_sees_every_event_from_the_first() {
    let world = World::new();
    let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
    let sink = Arc::clone(&seen);
    let engine = world.engine().after_commit(Arc::new(move |event| sink.lock().unwrap().push(event.clone())));
    let (events, _) = finish(engine.start(request("greet", json!({"who": "ann"}))).await.unwrap()).await;
    assert_eq!(*seen.lock().unwrap(), events);
}
