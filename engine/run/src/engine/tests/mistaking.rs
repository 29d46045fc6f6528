//! Mistakes that runs repeat, and are warned of.

use super::*;

const GIT: &str = r#"
module: branches
description: Branches of which only one is there
tools:
  - name: branch_checkout
    description: Checks out a branch
    effect: write
    input: {target: {type: string}}
    run: [sh, -c, 'test "$1" = main || { echo "pathspec $1 did not match" >&2; exit 1; }', sh, "{{ target }}"]
"#;

const SKILL: &str = "\
name: wander
description: Checks out branches
inputs:
  - {name: last, type: string, required: true}
steps:
  - {name: one, tool: branch_checkout, args: {target: mian}, on_error: continue}
  - {name: two, tool: branch_checkout, args: {target: mian}, on_error: continue}
  - {name: three, tool: branch_checkout, args: {target: mian}, on_error: continue, retry: {attempts: 3, delay: 1ms, on: [permanent]}}
  - {name: four, tool: branch_checkout, args: {target: '{{ inputs.last }}'}, on_error: continue}
";

/// The warnings of a run: step and position among the step's events.
fn warnings(events: &[Event]) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    for event in events {
        if let Body::StepProgress { step, mistake: Some(_), .. } = &event.body {
            let of_step = events.iter().filter(|other| other.body.step() == Some(step));
            found.push((step.0.clone(), of_step.take_while(|other| other.seq < event.seq).count()));
        }
    }
    found
}

async fn wander(engine: &Engine, last: &str) -> Vec<Event> {
    let handle = engine.start(request("wander", json!({"last": last}))).await.unwrap();
    let (events, outcome) = finish(handle).await;
    assert!(matches!(outcome, Outcome::Completed(_)), "{outcome:?}");
    events
}

fn world() -> World {
    let world = World::new();
    world.put("work/.aa/tools/branches.yaml", GIT);
    world.put("work/.aa/skills/wander.yaml", SKILL);
    world
}

#[tokio::test]
async fn what_failed_three_times_is_warned_of_the_fourth_time() {
    let world = world();
    let engine = world.engine();
    let events = wander(&engine, "mian").await;
    assert_eq!(warnings(&events), [("four".to_owned(), 1)], "after its start and before its end");
    let known = engine.mistakes().unwrap();
    assert_eq!((known.len(), known[0].seen), (1, 4), "what is tried again counts once");
    assert_eq!(known[0].tool, "branch_checkout");
    assert_eq!(engine.events(events[0].run_id, 0).unwrap(), events);

    // Another process warns from the first step on; the last one does as it was told.
    let other = world.engine();
    let events = wander(&other, "main").await;
    let steps: Vec<_> = warnings(&events).into_iter().map(|(step, _)| step).collect();
    assert_eq!(steps, ["one", "two", "three"]);
    let known = engine.mistakes().unwrap();
    assert_eq!((known[0].seen, known[0].prevented, known[0].open.len()), (7, 0, 0));

    let gone = engine.forget_mistake(&known[0].id[..6]).await.unwrap();
    assert_eq!(gone.id, known[0].id);
    assert!(engine.forget_mistake(&gone.id).await.is_err());
    assert_eq!(warnings(&wander(&world.engine(), "main").await), []);
}

#[tokio::test]
async fn a_run_without_mistakes_writes_nothing_about_them() {
    let world = World::new();
    let engine = world.engine();
    let handle = engine.start(request("greet", json!({"who": "ann"}))).await.unwrap();
    let (events, _) = finish(handle).await;
    let store = engine.parts.store().unwrap();
    // Creating the run is one commit, every later event that stands alone one more.
    assert!(*store.commits().borrow() < events.len() as u64, "{} commits", *store.commits().borrow());
    assert_eq!(engine.mistakes().unwrap(), []);
}
