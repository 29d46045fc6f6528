//! Runs that wait for a person, and people who want something of a run.

use super::*;

const ASK: &str = "\
name: ask
description: Asks before it acts
steps:
  - name: sure
    confirm: {message: 'really?', options: [yes, no]}
  - {name: act, tool: note, args: {text: '{{ sure }}'}}
";

fn world() -> World {
    let world = World::new();
    world.put("work/.aa/skills/ask.yaml", ASK);
    world
}

fn staying() -> RunRequest {
    RunRequest { park: Park::Stay, ..request("ask", json!({})) }
}

fn is_question(body: &Body) -> bool {
    matches!(body, Body::ConfirmRequested { .. })
}

#[tokio::test]
async fn a_parked_run_takes_its_answer_and_is_gone_on_with() {
    let world = world();
    let engine = world.engine();
    let handle = engine.start(request("ask", json!({}))).await.unwrap();
    let id = handle.id;
    let (_, outcome) = finish(handle).await;
    assert_eq!(outcome, Outcome::Waiting(vec![step("sure")]));
    let run = engine.run(id).unwrap();
    assert_eq!((run.status, run.interrupted), (RunStatus::Waiting, false));

    let other = world.engine();
    let refused = other.answer(id, &step("sure"), "maybe", "ann").await.unwrap_err();
    assert!(refused.to_string().contains("`maybe` is not an answer"), "{refused}");
    let refused = other.answer(id, &step("act"), "yes", "ann").await.unwrap_err();
    assert!(matches!(refused, StartError::Refused(_)), "{refused}");
    other.answer(id, &step("sure"), "yes", "ann").await.unwrap();
    assert!(other.run(id).unwrap().interrupted, "somebody has to go on with it");
    let (_, outcome) = finish(other.resume(id, Park::Release).await.unwrap()).await;
    assert!(matches!(outcome, Outcome::Completed(_)), "{outcome:?}");
    assert_eq!(world.log(), "yes\n");
    let answered = other.events(id, 0).unwrap().into_iter().find_map(|event| match event.body {
        Body::ConfirmAnswered { by, .. } => Some(by),
        _ => None,
    });
    assert_eq!(answered.as_deref(), Some("ann"));
}

#[tokio::test]
async fn a_run_driven_elsewhere_takes_its_answer_there() {
    let world = world();
    let (here, there) = (world.engine(), world.engine());
    let mut handle = here.start(staying()).await.unwrap();
    until(&mut handle, is_question).await;
    let refused = there.resume(handle.id, Park::Stay).await.unwrap_err();
    assert!(matches!(refused, StartError::Store(StoreError::Busy(_))), "{refused}");
    there
        .for_caller(Caller::local(Origin::Http))
        .answer(handle.id, &step("sure"), "no", "bob")
        .await
        .unwrap();
    let (events, outcome) = finish(handle).await;
    assert!(matches!(outcome, Outcome::Completed(_)), "{outcome:?}");
    assert_eq!(events[0].source, Origin::Http, "the first event after the question is the answer");
    assert_eq!(world.log(), "no\n");
}

#[tokio::test]
async fn a_run_driven_elsewhere_is_cancelled_there() {
    let world = world();
    let (here, there) = (world.engine(), world.engine());
    let mut handle = here.start(staying()).await.unwrap();
    until(&mut handle, is_question).await;
    let id = handle.id;
    there.cancel(id, "bob", "enough").await.unwrap();
    assert_eq!(finish(handle).await.1, Outcome::Cancelled);
    let refused = there.cancel(id, "bob", "again").await.unwrap_err();
    assert!(matches!(refused, StartError::Over { status: RunStatus::Cancelled, .. }), "{refused}");
    assert_eq!(world.log(), "");
}

#[tokio::test]
async fn a_run_of_this_process_is_cancelled_with_its_step() {
    let world = world();
    world
        .put("work/.aa/skills/long.yaml", "name: long\ndescription: Hangs\nsteps: [{name: a, tool: hang}]\n");
    let engine = world.engine();
    let mut handle = engine.start(request("long", json!({}))).await.unwrap();
    until(&mut handle, |body| matches!(body, Body::StepStarted { .. })).await;
    engine.cancel(handle.id, "ann", "").await.unwrap();
    assert_eq!(finish(handle).await.1, Outcome::Cancelled);
}

#[tokio::test]
async fn a_parked_run_is_cancelled_by_whoever_asks_even_without_its_folder() {
    let world = world();
    let engine = world.engine();
    let handle = engine.start(request("ask", json!({}))).await.unwrap();
    let id = handle.id;
    finish(handle).await;
    let other = world.engine();
    fs::rename(world.root.path().join("work"), world.root.path().join("moved")).unwrap();
    let error = other.resume(id, Park::Release).await.unwrap_err();
    assert!(matches!(error, StartError::FolderGone { .. }), "{error}");
    other.cancel(id, "ann", "").await.unwrap();
    assert_eq!(other.run(id).unwrap().status, RunStatus::Cancelled);
}

#[tokio::test]
async fn of_two_answers_of_one_key_at_once_one_counts_and_the_other_hears_so() {
    for (other, agrees) in [("no", false), ("yes", true)] {
        let world = world();
        let engine = world.engine();
        let id = engine.start(request("ask", json!({}))).await.unwrap().id;
        while engine.run(id).unwrap().status != RunStatus::Waiting {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        // Both are asked before either is taken in: whoever drives the run has not let go of it yet.
        let store = engine.parts.store().unwrap();
        let lease = loop {
            match store.acquire(id).await {
                Ok(lease) => break lease,
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(5)).await,
            }
        };
        let (first, second) = (world.engine(), world.engine());
        let answers = async {
            let path = step("sure");
            let slower = async {
                tokio::time::sleep(std::time::Duration::from_millis(200)).await;
                second.answer(id, &path, other, "ann").await
            };
            tokio::join!(first.answer(id, &path, "yes", "ann"), slower)
        };
        let free = async {
            tokio::time::sleep(std::time::Duration::from_millis(600)).await;
            store.release(lease).await.unwrap();
        };
        let ((first, second), ()) = tokio::join!(answers, free);
        first.unwrap();
        assert_eq!(second.is_ok(), agrees, "{second:?}");
        if let Err(late) = second {
            assert!(late.to_string().ends_with("it was answered with `yes` by ann"), "{late}");
        }
    }
}

#[tokio::test]
async fn a_step_that_a_run_cannot_have_is_told_with_one_that_it_has() {
    let world = world();
    let engine = world.engine();
    let handle = engine.start(request("ask", json!({}))).await.unwrap();
    let id = handle.id;
    finish(handle).await;
    let refused = engine.answer(id, &step("shure"), "yes", "ann").await.unwrap_err();
    assert!(
        matches!(&refused, StartError::NoStep { suggestion: Some(near), .. } if near == "sure"),
        "{refused}"
    );
}
