//! Times of the past that somebody wants run.

use super::*;

/// Ten minutes that a schedule was not looked after, of which it has run the last.
async fn with_a_gap(skill: &str) -> (World, Scheduler) {
    let config = format!(
        "schedules:\n  tick: {{skill: {skill}, every: 1m, inputs: {{due: '{{{{ due }}}}'}}, catch_up: {{window: 1h, runs: none}}}}\n"
    );
    let world = World::new(&config, "2026-03-01 10:00:30");
    let mut scheduler = world.scheduler();
    scheduler.look().await.unwrap();
    world.set("2026-03-01 10:10:30");
    quiet(&mut [&mut scheduler]).await;
    assert!(
        world
            .why("tick")
            .contains("10 times from 2026-03-01 10:01:00 +00:00 to 2026-03-01 10:10:00 +00:00: was missed")
    );
    (world, scheduler)
}

/// Has the times of some minutes run.
async fn fill_in(world: &World, scheduler: &mut Scheduler, (from, to): (u32, u32)) {
    let minute = |minute: u32| at(&format!("2026-03-01 10:{minute:02}"));
    let engine = world.engine();
    let plan = engine.plan_backfill("tick", (minute(from), minute(to))).unwrap();
    engine.backfill("tick", &plan.times, ("ann", world.clock.now())).await.unwrap();
    quiet(&mut [scheduler]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_filled_in_is_not_said_to_be_missed() {
    let (world, mut scheduler) = with_a_gap("note_it").await;
    for ((from, to), missed) in [
        // In the middle, at the ends, and what is then the end.
        ((4, 5), "8 times from 2026-03-01 10:01:00 +00:00 to 2026-03-01 10:10:00 +00:00: was missed"),
        ((10, 10), "7 times from 2026-03-01 10:01:00 +00:00 to 2026-03-01 10:09:00 +00:00: was missed"),
        ((1, 3), "4 times from 2026-03-01 10:06:00 +00:00 to 2026-03-01 10:09:00 +00:00: was missed"),
        ((7, 9), "2026-03-01 10:06:00 +00:00: was missed"),
        ((1, 10), "the scheduler"),
    ] {
        fill_in(&world, &mut scheduler, (from, to)).await;
        let why = world.why("tick");
        assert!(
            missed == "the scheduler" || why.lines().any(|line| line.starts_with(missed)),
            "{missed}: {why}"
        );
    }
    assert!(!world.why("tick").contains("was missed"), "{}", world.why("tick"));
    let store = scheduler.core.store().await.unwrap();
    let slots = store.slots(&SlotFilter::default()).unwrap();
    assert_eq!(slots.len(), 10);
    assert!(slots.iter().all(|slot| slot.due.timestamp() % 60 == 0), "{slots:?}");
    assert_eq!(world.log().len(), 10, "each once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_is_taken_out_of_those_that_were_missed_once() {
    let (world, mut scheduler) = with_a_gap("fail_it").await;
    let missed = "9 times from 2026-03-01 10:01:00 +00:00 to 2026-03-01 10:10:00 +00:00: was missed";
    for _ in 0..3 {
        world.advance(TimeDelta::milliseconds(1));
        fill_in(&world, &mut scheduler, (4, 4)).await;
        assert!(world.why("tick").contains(missed), "{}", world.why("tick"));
    }
    // Again and again before any of it has begun.
    let engine = world.engine();
    let times = [at("2026-03-01 10:06")];
    for _ in 0..4 {
        engine.backfill("tick", &times, ("ann", world.clock.now())).await.unwrap();
    }
    quiet(&mut [&mut scheduler]).await;
    let missed = missed.replace("9 times", "8 times");
    assert!(world.why("tick").contains(&missed), "{}", world.why("tick"));
    assert_eq!(world.log(), ["failing"; 4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_plan_goes_on_where_the_one_before_it_ends() {
    let config = "schedules:\n  tick: {skill: note_it, every: 1s}\n";
    let world = World::new(config, "2026-03-01 10:00:30");
    let mut scheduler = world.scheduler();
    scheduler.look().await.unwrap();
    let engine = world.engine();
    let window = (at("2026-03-01 09:00:00"), at("2026-03-01 09:19:59"));
    let plan = engine.plan_backfill("tick", window).unwrap();
    assert_eq!((plan.times.len(), plan.done, plan.more), (1000, 0, true));
    engine.backfill("tick", &plan.times, ("ann", world.clock.now())).await.unwrap();
    let next = engine.plan_backfill("tick", window).unwrap();
    assert_eq!((next.times.len(), next.done, next.more), (200, 1000, false));
    assert_eq!(next.times[0], at("2026-03-01 09:16:40"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_says_who_has_cancelled_its_run() {
    let config = "schedules:\n  hangs: {skill: hang_on, cron: '* * * * *', overlap: cancel_previous}\n";
    let world = World::new(config, "2026-03-01 10:00:30");
    let mut scheduler = world.scheduler();
    scheduler.look().await.unwrap();
    for now in ["10:01:00", "10:02:00"] {
        world.set(&format!("2026-03-01 {now}"));
        until(&mut [&mut scheduler], "the last one goes on, alone", |slots| {
            let running = slots.iter().filter(|slot| slot.state == SlotState::Running);
            slots[0].due == at(&format!("2026-03-01 {now}")) && running.eq(&slots[..1])
        })
        .await;
    }
    let engine = world.engine();
    let last = scheduler.core.store().await.unwrap().slots(&SlotFilter::default()).unwrap()[0].run.unwrap();
    engine.cancel(last, "ann", "because").await.unwrap();
    quiet(&mut [&mut scheduler]).await;
    let why = world.why("hangs");
    assert!(why.contains("by the scheduler: the next time was due"), "{why}");
    assert!(why.contains("by ann: because"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_failed_or_was_cancelled_is_run_again_when_it_is_filled_in() {
    let config = "schedules:\n  bad: {skill: fail_it, every: 1d, retry: {attempts: 2, delay: 1s}}\n  hangs: {skill: hang_on, every: 1d}\n";
    let world = World::new(config, "2026-03-01 10:00:30");
    let mut scheduler = world.scheduler();
    scheduler.look().await.unwrap();
    let (engine, store) = (world.engine(), scheduler.core.store().await.unwrap());
    let window = (at("2026-02-28 00:00"), at("2026-02-28 12:00"));
    for times in 1..=3 {
        for name in ["bad", "hangs"] {
            let plan = engine.plan_backfill(name, window).unwrap();
            assert_eq!(plan.times.len(), 1, "{name}");
            let filled_in = engine.backfill(name, &plan.times, ("ann", world.clock.now())).await.unwrap();
            assert_eq!(filled_in, 1, "{name}");
        }
        let start = Instant::now();
        loop {
            scheduler.look().await.unwrap();
            world.advance(TimeDelta::milliseconds(200));
            let slots = store.slots(&SlotFilter::default()).unwrap();
            for slot in slots.iter().filter(|slot| slot.schedule == "\nhangs") {
                let hangs = world.log().iter().filter(|line| *line == "hanging").count() == times;
                if let Some(run) = slot.run.filter(|_| slot.state == SlotState::Running && hangs) {
                    // It may have ended since.
                    let _over = engine.cancel(run, "ann", "").await;
                }
            }
            if !slots.iter().any(|slot| slot.state.is_open()) {
                break;
            }
            assert!(start.elapsed() < PATIENCE, "{:?}", fates(&store));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let log = world.log();
        let count = |line: &str| log.iter().filter(|found| *found == line).count();
        assert_eq!((count("failing"), count("hanging")), (2 * times, times));
    }
}
