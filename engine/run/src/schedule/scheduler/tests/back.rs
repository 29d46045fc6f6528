//! What waits for a moment, when the clock is put back before it.

use super::*;

/// Looks until something is so.
async fn eventually(scheduler: &mut Scheduler, what: &str, holds: impl Fn(&[Slot]) -> bool) {
    until(&mut [scheduler], what, holds).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_to_be_tried_again_waits_no_longer_than_its_delay() {
    let config = "schedules:\n  bad: {skill: fail_it, cron: '* * * * *', retry: {attempts: 2, delay: 20s}}\n";
    let world = World::new(config, "2026-03-01 10:00:30");
    let mut scheduler = world.scheduler();
    scheduler.look().await.unwrap();
    world.set("2026-03-01 10:01:00");
    let waits = |slots: &[Slot]| slots[0].state == SlotState::Ready && slots[0].attempt == 1;
    eventually(&mut scheduler, "it waits to be tried again", waits).await;
    // Whoever begins meanwhile changes nothing about it.
    let mut scheduler = world.scheduler();
    scheduler.look().await.unwrap();
    let store = scheduler.core.store().await.unwrap();
    assert_eq!(store.open_slots().unwrap()[0].at, at("2026-03-01 10:01:20"));
    world.set("2026-03-01 09:01:10");
    scheduler.look().await.unwrap();
    assert_eq!(store.open_slots().unwrap()[0].at, at("2026-03-01 09:01:30"));
    world.set("2026-03-01 09:01:30");
    quiet(&mut [&mut scheduler]).await;
    assert_eq!(world.log(), ["failing"; 2]);
    world.set("2026-03-01 09:02:00");
    eventually(&mut scheduler, "the next time is run", |_| world.log().len() == 3).await;
    assert!(!world.why("bad").contains("still went on"), "{}", world.why("bad"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_takes_too_long_all_the_same() {
    let config = "schedules:\n  slow: {skill: hang_on, at: '2026-03-01T10:01:00Z', timeout: 5m}\n";
    let world = World::new(config, "2026-03-01 10:00:30");
    let mut scheduler = world.scheduler();
    scheduler.look().await.unwrap();
    world.set("2026-03-01 10:01:00");
    let runs = |slots: &[Slot]| slots.iter().any(|slot| slot.state == SlotState::Running);
    eventually(&mut scheduler, "it runs", runs).await;
    world.set("2026-03-01 09:01:00");
    scheduler.look().await.unwrap();
    world.set("2026-03-01 09:06:00");
    quiet(&mut [&mut scheduler]).await;
    assert!(world.why("slow").contains("it took longer than 5m"), "{}", world.why("slow"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_wants_run_is_run() {
    let world = World::new(MINUTELY, "2026-03-01 10:00:30");
    let mut scheduler = world.scheduler();
    scheduler.look().await.unwrap();
    let times = [at("2026-03-01 08:00")];
    world.engine().backfill("tick", &times, ("ann", world.clock.now())).await.unwrap();
    world.set("2026-03-01 09:00:30");
    quiet(&mut [&mut scheduler]).await;
    assert_eq!(world.log(), ["2026-03-01T08:00:00Z"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn people_are_told() {
    let config = "\
notify: {channels: {here: {terminal: {}}, gone: {webhook: {url: 'http://127.0.0.1:9/'}}}, default: [gone]}
schedules:
  bad: {skill: fail_it, at: '2026-03-01 10:01'}
";
    let world = World::new(config, "2026-03-01 10:00:30");
    let mut scheduler = world.scheduler();
    scheduler.look().await.unwrap();
    world.set("2026-03-01 10:01:00");
    quiet(&mut [&mut scheduler]).await;
    told(&mut [&mut scheduler]).await;
    let tries = || world.said().matches("nobody could be told by the channel `gone`").count();
    assert_eq!(tries(), 1, "{}", world.said());
    // News of a moment that is yet to come, too.
    let news = crate::store::News {
        topic: "it".to_owned(),
        channels: vec!["here".to_owned()],
        title: "there is news".to_owned(),
        text: String::new(),
    };
    scheduler.core.store().await.unwrap().tell(news, world.clock.now()).await.unwrap();
    world.set("2026-03-01 09:01:00");
    told(&mut [&mut scheduler]).await;
    assert_eq!(tries(), 2, "{}", world.said());
    assert!(world.said().contains("there is news"), "{}", world.said());
}
