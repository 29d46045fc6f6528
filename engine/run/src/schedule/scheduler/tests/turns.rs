//! Long backlogs, times that are caught up, and what is left of schedules that are gone.

use aa_spec::config::{Rule, Scope};

use super::*;
use crate::caller::Caller;
use crate::driver::Park;
use crate::event::Origin;
use crate::grant::Grants;
use crate::policy::Rules;
use crate::store::RunStatus;

/// Ready times of a schedule, a second apart, up to a moment.
async fn backlog(scheduler: &Scheduler, key: &str, (until, count): (Time, i64)) {
    let known = scheduler.book[key].clone();
    let due = (0..count).map(|number| until - TimeDelta::seconds(number));
    let slots = due.map(|due| new_slot(&known, due, SlotKind::Timed)).collect();
    let from = scheduler.decided[key];
    let decided = Decided { key: known.key.clone(), from, until: from, slots };
    let store = scheduler.core.store().await.unwrap();
    assert_eq!(store.decide_slots(vec![decided]).await.unwrap(), [true]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_backlog_of_one_schedule_holds_up_no_other() {
    let config = "\
schedules:
  a_many: {skill: hang_on, every: 1d, overlap: skip}
  b_waits: {skill: hang_on, every: 1d, overlap: queue}
  z_one: {skill: note_it, cron: '* * * * *', inputs: {due: '{{ due }}'}}
";
    let world = World::new(config, "2026-03-01 10:00:30");
    let mut scheduler = world.scheduler();
    scheduler.look().await.unwrap();
    backlog(&scheduler, "\na_many", (world.clock.now(), 3000)).await;
    backlog(&scheduler, "\nb_waits", (world.clock.now(), 3000)).await;
    world.set("2026-03-01 10:01:00");
    assert_eq!(scheduler.look().await.unwrap(), world.clock.now(), "it looks again at once");

    let store = scheduler.core.store().await.unwrap();
    let of = |schedule: &str, state: SlotState| {
        let filter = SlotFilter { schedule: Some(schedule.to_owned()), ..SlotFilter::default() };
        store.slots(&filter).unwrap().iter().filter(|slot| slot.state == state).count()
    };
    assert_eq!(of("\nz_one", SlotState::Ready), 0, "it had its turn");
    assert_eq!(of("\na_many", SlotState::Ready), 2990);
    for _ in 0..300 {
        scheduler.look().await.unwrap();
    }
    assert_eq!(of("\na_many", SlotState::Ready), 0, "the first runs, and the others are skipped");
    assert_eq!(of("\nb_waits", SlotState::Ready), 2999, "they wait for the first");
    assert!(scheduler.look().await.unwrap() > world.clock.now(), "there is nothing more to begin");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_missed_times_are_run_one_after_the_other() {
    for overlap in ["skip", "queue", "cancel_previous", "allow"] {
        let config = format!(
            "schedules:\n  tick: {{skill: note_it, cron: '* * * * *', overlap: {overlap}, \
             catch_up: {{window: 1h, runs: all}}, inputs: {{due: '{{{{ due }}}}'}}}}\n"
        );
        let world = World::new(&config, "2026-03-01 10:00:30");
        let mut scheduler = world.scheduler();
        scheduler.look().await.unwrap();
        world.set("2026-03-01 10:05:30");
        quiet(&mut [&mut scheduler]).await;
        let mut log = world.log();
        if overlap == "allow" {
            log.sort();
        }
        let expected: Vec<String> = (1..=5).map(|minute| format!("2026-03-01T10:0{minute}:00Z")).collect();
        assert_eq!(log, expected, "{overlap}: {}", world.why("tick"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn very_many_missed_times_are_decided_over_several_looks() {
    let config = "schedules:\n  tick: {skill: hang_on, every: 1s, catch_up: {window: 1h, runs: all}}\n";
    let world = World::new(config, "2026-03-01 10:00:00");
    let mut scheduler = world.scheduler();
    scheduler.look().await.unwrap();
    world.set("2026-03-01 10:10:00");
    assert_eq!(scheduler.look().await.unwrap(), world.clock.now(), "it looks again at once");
    let store = scheduler.core.store().await.unwrap();
    let count = || store.slots(&SlotFilter::default()).unwrap().len();
    assert_eq!(count(), 100);
    for _ in 0..6 {
        scheduler.look().await.unwrap();
    }
    assert_eq!(count(), 600);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_projects_schedule_is_held_again_when_it_is_not_what_somebody_let_run() {
    let world = World::new("schedules: {}\n", "2026-03-01 10:00:30");
    let config = "work/.aa/config.yaml";
    world.put(config, MINUTELY);
    world.engine().resume_schedule("tick", "ann", world.clock.now()).await.unwrap();
    let mut scheduler = world.scheduler();
    scheduler.look().await.unwrap();

    // What it is said to be for changes nothing.
    world.put(config, &MINUTELY.replace("skill: note_it", "description: Ticks, skill: note_it"));
    world.set("2026-03-01 10:01:00");
    quiet(&mut [&mut scheduler]).await;
    assert_eq!(world.log(), ["2026-03-01T10:01:00Z"]);

    let changes = [
        MINUTELY.replace("{{ due }}", "other"),
        MINUTELY.replace("note_it", "hang_on"),
        MINUTELY.replace("* * * * *", "*/2 * * * *"),
        MINUTELY.replace("cron:", "overlap: allow, cron:"),
    ];
    for (minute, changed) in changes.iter().enumerate() {
        world.put(config, changed);
        let paused = |world: &World| world.engine().schedule("tick", world.clock.now()).unwrap().paused;
        let said = "the project has changed it since somebody let it run";
        assert!(paused(&world).is_some_and(|pause| pause.why.starts_with(said)), "nobody has looked yet");
        world.set(&format!("2026-03-01 11:{:02}:00", 2 * minute));
        quiet(&mut [&mut scheduler]).await;
        assert_eq!(world.log().len(), 1, "{changed}");
        assert!(world.why("tick").contains(said), "{}", world.why("tick"));
        assert!(paused(&world).is_some_and(|pause| pause.by.is_empty()));
        world.put(config, MINUTELY);
        world.engine().resume_schedule("tick", "ann", world.clock.now()).await.unwrap();
        assert_eq!(paused(&world), None);
        scheduler.look().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_let_run_before_that_was_written_down_stays_so_until_it_changes() {
    let world = World::new("schedules: {}\n", "2026-03-01 10:00:30");
    world.put("work/.aa/config.yaml", MINUTELY);
    let mut scheduler = world.scheduler();
    scheduler.look().await.unwrap();
    let store = scheduler.core.store().await.unwrap();
    let key = scheduler.book.keys().next().unwrap().clone();
    let old = Sighting { key, trigger: String::new(), consent: None };
    store.resume_schedule(&old, world.clock.now()).await.unwrap();
    let mut scheduler = world.scheduler();
    scheduler.look().await.unwrap();
    world.set("2026-03-01 10:01:00");
    quiet(&mut [&mut scheduler]).await;
    assert_eq!(world.log(), ["2026-03-01T10:01:00Z"]);
    world.put("work/.aa/config.yaml", &MINUTELY.replace("{{ due }}", "other"));
    world.set("2026-03-01 10:02:00");
    quiet(&mut [&mut scheduler]).await;
    assert_eq!(world.log().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_process_died_goes_on_although_its_schedule_is_gone() {
    for config in ["home/.config/aa-workflow/config.yaml", "work/.aa/config.yaml"] {
        let world = World::new("schedules: {}\n", "2026-03-01 10:00:30");
        world.put(config, "schedules:\n  slow: {skill: ask_it, cron: '* * * * *'}\n");
        world.engine().resume_schedule("slow", "ann", world.clock.now()).await.unwrap();
        left_to_the_next(&world, config).await;
    }
}

/// A run of `slow` is left by its process, and a time of it waits; then the schedule is taken out of this file.
async fn left_to_the_next(world: &World, config: &str) {
    let waits = at("2026-03-01 10:00");
    {
        let mut dead = world.scheduler();
        dead.look().await.unwrap();
        let known = dead.book.values().find(|known| known.compiled.name == "slow").unwrap().clone();
        let due = at("2026-03-01 10:01");
        let store = dead.core.store().await.unwrap();
        store.add_slot(new_slot(&known, due, SlotKind::Timed)).await.unwrap();
        let claim = store.claim_slot((&known.key, due), known.compiled.overlap, due);
        let Claimed::Mine(slot, _) = claim.await.unwrap() else { panic!("it is free") };
        let handle = dead.core.engine().start_slot(&known, &slot, Park::Stay).await.unwrap();
        let start = Instant::now();
        while store.run(handle.id).unwrap().status != RunStatus::Waiting {
            assert!(start.elapsed() < PATIENCE);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        store.slot_started(&slot, handle.id, due).await.unwrap();
        store.add_slot(new_slot(&known, waits, SlotKind::Backfill)).await.unwrap();
        handle.outcome.abort();
        assert!(handle.outcome.await.unwrap_err().is_cancelled());
    }
    world.put(config, "schedules: {}\n");
    let mut next = world.scheduler();
    let store = next.core.store().await.unwrap();
    let run = store.slots(&SlotFilter::default()).unwrap().iter().find_map(|slot| slot.run).unwrap();
    next.look().await.unwrap();
    let start = Instant::now();
    while !store.run(run).unwrap().driven {
        next.look().await.unwrap();
        assert!(start.elapsed() < PATIENCE, "nobody drives it: {:?}", store.run(run).unwrap());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let slots = store.slots(&SlotFilter::default()).unwrap();
    let waited = slots.iter().find(|slot| slot.due == waits).unwrap();
    assert_eq!(
        (waited.state, &*waited.why),
        (SlotState::Skipped, "its schedule is no longer there"),
        "{config}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_of_another_projects_schedule_is_left_to_others() {
    let world = World::new("schedules: {}\n", "2026-03-01 10:00:30");
    world.put("work/.aa/config.yaml", MINUTELY);
    let mut scheduler = world.scheduler();
    scheduler.look().await.unwrap();
    let store = scheduler.core.store().await.unwrap();
    let known = scheduler.book.values().next().unwrap().clone();
    let schedule = format!("{}/other\ntick", world.root.path().display());
    let slot = Slot { schedule, ..new_slot(&known, at("2026-03-01 10:00"), SlotKind::Backfill) };
    world.put("other/file", "");
    store.add_slot(slot.clone()).await.unwrap();
    scheduler.look().await.unwrap();
    assert_eq!(store.slot(&slot.schedule, slot.due).unwrap().unwrap().state, SlotState::Ready);
    // There are no others once its folder is gone.
    fs::remove_dir_all(world.root.path().join("other")).unwrap();
    scheduler.look().await.unwrap();
    let left = store.slot(&slot.schedule, slot.due).unwrap().unwrap();
    assert_eq!((left.state, &*left.why), (SlotState::Skipped, "its schedule is no longer there"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_process_has_claimed_of_a_project_that_is_gone_is_settled() {
    let world = World::new("schedules: {}\n", "2026-03-01 10:00:30");
    world.put("work/.aa/config.yaml", MINUTELY);
    let (mut scheduler, due) = (world.scheduler(), at("2026-03-01 10:00"));
    scheduler.look().await.unwrap();
    let store = scheduler.core.store().await.unwrap();
    let known = scheduler.book.values().next().unwrap().clone();
    let schedule = format!("{}/gone\ntick", world.root.path().display());
    store
        .add_slot(Slot { schedule: schedule.clone(), ..new_slot(&known, due, SlotKind::Timed) })
        .await
        .unwrap();
    let claim = store.claim_slot((&schedule, due), Overlap::Allow, due).await.unwrap();
    assert!(matches!(claim, Claimed::Mine(..)));
    scheduler.look().await.unwrap();
    assert_eq!(store.slot(&schedule, due).unwrap().unwrap().state, SlotState::Skipped);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_project_has_changed_is_not_run_by_hand_either_before_somebody_lets_it() {
    let world = World::new("schedules: {}\n", "2026-03-01 10:00:30");
    world.put("work/.aa/config.yaml", MINUTELY);
    let now = world.clock.now();
    let past = [at("2026-03-01 09:00")];
    let key = || {
        let (principal, scope) = ("ci".to_owned(), Scope::parse("schedule:tick:run").unwrap());
        let (grants, rules) =
            (Grants::Scopes([scope].into()), Rules { write: Some(Rule::Allow), ..Rules::default() });
        let caller = Caller { principal, rules, grants, ..Caller::local(Origin::Http) };
        world.engine().for_caller(caller)
    };
    let refused = async |engine: Engine| {
        let said = |error: StartError| assert!(error.to_string().contains("let it run first"), "{error}");
        said(engine.run_schedule("tick", None, ("ann", now), Park::Stay).await.unwrap_err());
        said(engine.backfill("tick", &past, ("ann", now)).await.unwrap_err());
    };
    refused(world.engine()).await;
    refused(key()).await;
    let error = key().resume_schedule("tick", "ci", now).await.unwrap_err();
    assert!(error.to_string().contains("a person has to let it run first"), "{error}");

    world.engine().resume_schedule("tick", "ann", now).await.unwrap();
    // Who may run it also lets it go on where nothing has changed.
    key().pause_schedule("tick", "ci", "", now).await.unwrap();
    key().resume_schedule("tick", "ci", now).await.unwrap();
    assert_eq!(key().backfill("tick", &past, ("ci", now)).await.unwrap(), 1);
    world.put("work/.aa/config.yaml", &MINUTELY.replace("{{ due }}", "other"));
    refused(world.engine()).await;
    // What was wanted before it changed waits as well.
    let mut scheduler = world.scheduler();
    for _ in 0..3 {
        scheduler.look().await.unwrap();
    }
    let slots = scheduler.core.store().await.unwrap().slots(&SlotFilter::default()).unwrap();
    assert!(slots.iter().all(|slot| slot.state == SlotState::Ready) && world.log().is_empty(), "{slots:?}");
    world.engine().resume_schedule("tick", "ann", now).await.unwrap();
    quiet(&mut [&mut scheduler]).await;
    assert_eq!(world.log(), ["other"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_to_be_tried_again_is_not_waited_for_in_vain() {
    let config = "schedules:\n  bad: {skill: fail_it, cron: '0 * * * *', retry: {attempts: 2, delay: 1m}}\n";
    let world = World::new(config, "2026-03-01 12:30:00");
    let mut scheduler = world.scheduler();
    scheduler.look().await.unwrap();
    let times = |from: u32, until: u32| {
        (from..until).map(|hour| at(&format!("2026-03-01 {hour:02}:00"))).collect::<Vec<_>>()
    };
    let engine = world.engine();
    engine.backfill("bad", &times(12, 13), ("ann", world.clock.now())).await.unwrap();
    until(&mut [&mut scheduler], "it waits to be tried again", |slots| {
        slots.iter().any(|slot| slot.state == SlotState::Ready && slot.attempt == 1)
    })
    .await;
    // More earlier times than are looked at in one turn.
    engine.backfill("bad", &times(0, 12), ("ann", world.clock.now())).await.unwrap();
    scheduler.look().await.unwrap();
    let start = std::time::Instant::now();
    let store = scheduler.core.store().await.unwrap();
    while store.slots(&SlotFilter::default()).unwrap().iter().any(|slot| slot.state.is_open()) {
        assert!(start.elapsed() < PATIENCE, "{}", world.why("bad"));
        world.advance(TimeDelta::seconds(20));
        scheduler.look().await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert!(world.log().len() >= 26, "{:?}", world.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_times_that_replace_each_other_only_the_last_is_run() {
    let config = "schedules:\n  one: {skill: hang_on, every: 1d, overlap: cancel_previous}\n";
    let world = World::new(config, "2026-03-01 10:00:30");
    let mut scheduler = world.scheduler();
    scheduler.look().await.unwrap();
    backlog(&scheduler, "\none", (world.clock.now(), 5)).await;
    until(&mut [&mut scheduler], "the last one runs", |slots| {
        slots.iter().any(|slot| slot.state == SlotState::Running && slot.due == world.clock.now())
    })
    .await;
    let store = scheduler.core.store().await.unwrap();
    let slots = store.slots(&SlotFilter::default()).unwrap();
    let began = slots.iter().filter(|slot| slot.run.is_some()).count();
    let cancelled = slots.iter().filter(|slot| slot.state == SlotState::Cancelled).count();
    assert_eq!((began, cancelled), (1, 4), "{}", world.why("one"));
}
