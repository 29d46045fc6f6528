//! Whole schedulers over a real store, with a clock that the test holds in its hands.

use std::fs;
use std::time::{Duration, Instant};

use aa_spec::schedule::{Overlap, Schedule, Zone, compile, moment};
use aa_spec::source::{Source, Span};
use aa_spec::yaml::{self, Spanned};
use async_trait::async_trait;

use super::*;
use crate::schedule::book::Place;
use crate::settings::{Settings, Surroundings};
use crate::store::Claimed;

mod back;
mod past;
mod polls;
mod telling;
mod turns;

/// Longer than anything in here takes.
const PATIENCE: Duration = Duration::from_secs(30);

const TOOLS: &str = r#"
module: probe
description: Tools that leave a trace in the file `log`
tools:
  - name: note
    description: Notes a text
    effect: write
    input: {text: {type: string}}
    run: [sh, -c, 'text=$(cat); echo "$text" >> log; echo "$text"']
    stdin: "{{ text }}"
  - name: hang
    description: Notes that it started, and does not end
    effect: write
    input: {}
    run: [sh, -c, 'echo hanging >> log; exec sleep 60']
  - name: fail
    description: Fails
    effect: write
    input: {}
    run: [sh, -c, 'echo failing >> log; echo broken >&2; exit 3']
  - name: news
    description: Says what is in the file `news`
    effect: read
    input: {}
    run: [cat, news]
"#;

/// Asks a person.
const ASK: &str = "name: ask_it\ndescription: x\nsteps: [{name: sure, confirm: {message: sure?, options: ['yes', 'no']}}]\n";

fn skill(name: &str, tool: &str) -> String {
    let args = if tool == "note" { ", args: {text: '{{ inputs.due }}'}" } else { "" };
    format!(
        "name: {name}\ndescription: x\ninputs:\n  - {{name: due, type: string, default: none}}\nsteps:\n  - {{name: it, tool: {tool}{args}}}\noutputs: [{{name: due, value: '{{{{ inputs.due }}}}'}}]\n"
    )
}

/// A clock that stands still until it is set.
#[derive(Clone, Debug)]
struct HandClock(Arc<Mutex<Time>>);

#[async_trait]
impl Clock for HandClock {
    fn now(&self) -> Time {
        *self.0.lock().unwrap()
    }

    async fn sleep_until(&self, _: Time) {
        std::future::pending::<()>().await;
    }
}

struct World {
    root: tempfile::TempDir,
    clock: HandClock,
    said: Arc<Mutex<Vec<String>>>,
}

impl World {
    /// A machine on which it is this time, with schedules of its user.
    fn new(config: &str, now: &str) -> Self {
        let clock = HandClock(Arc::new(Mutex::new(at(now))));
        let world = Self { root: tempfile::tempdir().unwrap(), clock, said: Arc::default() };
        world.put("work/.aa/tools/probe.yaml", TOOLS);
        for (name, tool) in [("note_it", "note"), ("hang_on", "hang"), ("fail_it", "fail")] {
            world.put(&format!("work/.aa/skills/{name}.yaml"), &skill(name, tool));
        }
        world.put("work/.aa/skills/ask_it.yaml", ASK);
        world.put("home/.config/aa-workflow/config.yaml", config);
        world
    }

    fn put(&self, path: &str, text: &str) {
        let path = self.root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn engine(&self) -> Engine {
        let home = self.root.path().join("home").display().to_string();
        let environment = [("HOME", home), ("PATH", "/usr/bin:/bin".to_owned()), ("TZ", "UTC".to_owned())];
        let surroundings = Surroundings {
            folder: self.root.path().join("work"),
            environment: environment.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            store: None,
        };
        Engine::new(Settings::resolve(&surroundings).unwrap())
    }

    /// A scheduler as another process would have it.
    fn scheduler(&self) -> Scheduler {
        let said = Arc::clone(&self.said);
        let say = Arc::new(move |line: &str| said.lock().unwrap().push(line.to_owned()));
        Scheduler::new(self.engine(), Arc::new(self.clock.clone()), say)
    }

    fn set(&self, now: &str) {
        *self.clock.0.lock().unwrap() = at(now);
    }

    fn advance(&self, by: TimeDelta) {
        *self.clock.0.lock().unwrap() += by;
    }

    fn log(&self) -> Vec<String> {
        let text = fs::read_to_string(self.root.path().join("work/log")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    fn why(&self, name: &str) -> String {
        let reasons = self.engine().schedule_why(name, 50, self.clock.now()).unwrap();
        reasons.into_iter().map(|reason| reason.text).collect::<Vec<_>>().join("\n")
    }

    fn said(&self) -> String {
        self.said.lock().unwrap().join("\n")
    }
}

fn at(text: &str) -> Time {
    moment(text, &Zone::UTC).unwrap()
}

/// What has become of all times, the earliest first, in short.
fn fates(store: &Store) -> Vec<String> {
    let mut slots = store.slots(&SlotFilter::default()).unwrap();
    slots.reverse();
    slots.iter().map(|slot| format!("{} {}", slot.due.format("%d %H:%M"), slot.state.word())).collect()
}

/// Looks until a condition holds.
async fn until(schedulers: &mut [&mut Scheduler], what: &str, holds: impl Fn(&[Slot]) -> bool) {
    let start = Instant::now();
    loop {
        for scheduler in schedulers.iter_mut() {
            scheduler.look().await.unwrap();
        }
        let store = schedulers[0].core.store().await.unwrap();
        if holds(&store.slots(&SlotFilter::default()).unwrap()) {
            return;
        }
        assert!(start.elapsed() < PATIENCE, "{what}: {:?}", fates(&store));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Looks until nothing is under way.
async fn quiet(schedulers: &mut [&mut Scheduler]) {
    until(schedulers, "nothing is under way", |slots| !slots.iter().any(|slot| slot.state.is_open())).await;
}

/// Looks until everybody is told.
async fn told(schedulers: &mut [&mut Scheduler]) {
    let start = Instant::now();
    loop {
        for scheduler in schedulers.iter_mut() {
            scheduler.look().await.unwrap();
        }
        if schedulers.iter().all(|scheduler| scheduler.senders.are_idle()) {
            return;
        }
        assert!(start.elapsed() < PATIENCE, "everybody is told");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

const MINUTELY: &str =
    "schedules:\n  tick: {skill: note_it, cron: '* * * * *', inputs: {due: '{{ due }}'}}\n";

#[tokio::test(flavor = "multi_thread")]
async fn two_schedulers_on_one_store_run_each_time_once() {
    let world = World::new(MINUTELY, "2026-03-01 09:59:30");
    let (mut one, mut other) = (world.scheduler(), world.scheduler());
    for _ in 0..6 {
        let (a, b) = tokio::join!(one.look(), other.look());
        a.unwrap();
        b.unwrap();
        quiet(&mut [&mut one, &mut other]).await;
        world.advance(TimeDelta::minutes(1));
    }
    let expected: Vec<String> = (0..5).map(|minute| format!("2026-03-01T10:{minute:02}:00Z")).collect();
    let mut log = world.log();
    log.sort();
    assert_eq!(log, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_put_back_runs_nothing_twice_and_loses_nothing() {
    let world = World::new(MINUTELY, "2026-03-01 09:59:30");
    let mut scheduler = world.scheduler();
    scheduler.look().await.unwrap();
    for now in
        ["10:00:00", "10:01:00", "10:02:00", "09:30:10", "09:31:00", "10:01:00", "10:02:00", "10:03:00"]
    {
        world.set(&format!("2026-03-01 {now}"));
        quiet(&mut [&mut scheduler]).await;
    }
    let mut log = world.log();
    let all = log.len();
    log.sort();
    log.dedup();
    assert_eq!(log.len(), all, "each once: {log:?}");
    for minute in ["10:00", "10:01", "10:02", "09:31", "10:03"] {
        assert!(log.contains(&format!("2026-03-01T{minute}:00Z")), "{minute}: {log:?}");
    }
    let why = world.why("tick");
    assert!(why.contains("the clock was put back by 31m 50s"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_was_wrong_for_a_moment_does_not_silence_anything() {
    let world = World::new(MINUTELY, "2026-03-01 10:00:30");
    let mut scheduler = world.scheduler();
    scheduler.look().await.unwrap();
    world.set("2027-03-01 10:00:30");
    quiet(&mut [&mut scheduler]).await;
    world.set("2026-03-01 10:00:50");
    quiet(&mut [&mut scheduler]).await;
    world.set("2026-03-01 10:01:00");
    quiet(&mut [&mut scheduler]).await;
    assert!(world.log().contains(&"2026-03-01T10:01:00Z".to_owned()), "{:?}", world.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_sleep_the_latest_time_is_run_and_the_others_are_missed() {
    let world = World::new(MINUTELY, "2026-03-01 10:00:30");
    let mut scheduler = world.scheduler();
    scheduler.look().await.unwrap();
    world.set("2026-03-01 13:00:30");
    quiet(&mut [&mut scheduler]).await;
    assert_eq!(world.log(), ["2026-03-01T13:00:00Z"]);
    let why = world.why("tick");
    for said in [
        "nobody looked for 3h: the machine slept, or its clock was put forward",
        "longer ago than the 5m of `catch_up`",
        "a later time is run instead",
        "it is run 30s late",
    ] {
        assert!(why.contains(said), "{said}:\n{why}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn days_on_which_clocks_are_changed_have_one_run_each() {
    let config = "schedules:\n  night: {skill: note_it, cron: '30 2 * * *', timezone: Europe/Berlin, inputs: {due: '{{ due }}'}}\n";
    let world = World::new(config, "2026-03-28 00:00");
    let mut scheduler = world.scheduler();
    for start in ["2026-03-28 00:00", "2026-10-24 00:00"] {
        // Nothing is caught up in between.
        world.set(start);
        quiet(&mut [&mut scheduler]).await;
        for _ in 0..(3 * 24 * 2) {
            world.advance(TimeDelta::minutes(30));
            scheduler.look().await.unwrap();
        }
        quiet(&mut [&mut scheduler]).await;
    }
    let mut log = world.log();
    log.sort();
    assert_eq!(
        log,
        [
            "2026-03-28T01:30:00Z",
            "2026-03-29T01:00:00Z",
            "2026-03-30T00:30:00Z",
            "2026-10-24T00:30:00Z",
            "2026-10-25T00:30:00Z",
            "2026-10-26T01:30:00Z"
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_process_has_claimed_is_taken_over_and_run_once() {
    // Whether it died before it had started the run, or before it could say so.
    for has_started in [false, true] {
        let world = World::new(MINUTELY, "2026-03-01 10:00:30");
        {
            let mut dead = world.scheduler();
            dead.look().await.unwrap();
            let known = dead.book.values().next().unwrap().clone();
            let store = dead.core.store().await.unwrap();
            store.add_slot(new_slot(&known, at("2026-03-01 10:01"), SlotKind::Timed)).await.unwrap();
            let claim = store.claim_slot(
                (&known.key, at("2026-03-01 10:01")),
                known.compiled.overlap,
                at("2026-03-01 10:01"),
            );
            let Claimed::Mine(slot, _) = claim.await.unwrap() else { panic!("it is free") };
            if has_started {
                let begun = dead.core.engine().start_slot(&known, &slot, crate::driver::Park::Stay).await;
                begun.unwrap().outcome.await.unwrap().unwrap();
            }
            // A living one keeps what it has.
            let mut living = world.scheduler();
            living.look().await.unwrap();
            assert_eq!(fates(&store), ["01 10:01 claimed"]);
        }
        world.set("2026-03-01 10:01:00");
        let mut next = world.scheduler();
        quiet(&mut [&mut next]).await;
        assert_eq!(world.log(), ["2026-03-01T10:01:00Z"], "started: {has_started}");
        let store = next.core.store().await.unwrap();
        assert_eq!(fates(&store), ["01 10:01 succeeded"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn overlap_is_as_the_schedule_says() {
    let table = [
        ("skip", ["running", "skipped"]),
        ("queue", ["running", "ready"]),
        ("cancel_previous", ["cancelled", "running"]),
        ("allow", ["running", "running"]),
    ];
    for (overlap, expected) in table {
        let config =
            format!("schedules:\n  slow: {{skill: hang_on, cron: '* * * * *', overlap: {overlap}}}\n");
        let world = World::new(&config, "2026-03-01 10:00:30");
        let mut scheduler = world.scheduler();
        scheduler.look().await.unwrap();
        world.set("2026-03-01 10:01:00");
        until(&mut [&mut scheduler], "the first runs", |slots| {
            slots.len() == 1 && slots[0].state == SlotState::Running
        })
        .await;
        world.set("2026-03-01 10:02:00");
        until(&mut [&mut scheduler], overlap, |slots| {
            let states: Vec<&str> = slots.iter().rev().map(|slot| slot.state.word()).collect();
            states == expected
        })
        .await;
        let store = scheduler.core.store().await.unwrap();
        for slot in store.open_slots().unwrap() {
            let Some(run) = slot.run else { continue };
            scheduler.core.engine().cancel(run, "test", "").await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_waits_for_a_person_is_told_and_what_it_holds_up_is_summed_up() {
    let world = World::new("schedules:\n  askd: {skill: ask_it, cron: '* * * * *'}\n", "2026-03-01 10:00:30");
    let mut scheduler = world.scheduler();
    scheduler.look().await.unwrap();
    world.set("2026-03-01 10:01:00");
    let waiting = |world: &World| world.engine().schedule("askd", world.clock.now()).unwrap().waiting;
    let start = Instant::now();
    while waiting(&world).is_none() {
        assert!(start.elapsed() < PATIENCE, "{}", world.why("askd"));
        scheduler.look().await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for minute in 2..=9 {
        world.set(&format!("2026-03-01 10:{minute:02}:00"));
        scheduler.look().await.unwrap();
    }
    let why = world.why("askd");
    assert!(why.contains("run 1 waits for a person since ") && why.contains("`aa run show 1`"), "{why}");
    let summed = "8 times from 2026-03-01 10:02:00 +00:00 to 2026-03-01 10:09:00 +00:00: was skipped";
    assert!(why.contains(summed) && why.contains("(run 1) still went on"), "{why}");
    assert!(!why.contains("goes on"), "{why}");
    let view = world.engine().schedules(world.clock.now()).unwrap().pop().unwrap();
    assert_eq!(view.waiting.unwrap().run, Some(crate::event::RunId(1)));
    scheduler.core.engine().cancel(crate::event::RunId(1), "test", "").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moment_that_had_passed_is_said_to_be_why_it_is_never_due() {
    let world = World::new(
        "schedules:\n  late: {skill: note_it, at: '2026-03-01T09:00:00Z'}\n",
        "2026-03-01 10:00:30",
    );
    let mut scheduler = world.scheduler();
    scheduler.look().await.unwrap();
    let why = world.why("late");
    assert!(why.contains("it is never due: 2026-03-01 09:00:00 +00:00 had passed"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_tried_again_then_people_are_told_once() {
    let config = "\
notify: {channels: {here: {terminal: {}}}, default: [here]}
schedules:
  bad: {skill: fail_it, at: '2026-03-01T10:01:00Z', retry: {attempts: 2, delay: 1m}, deadline: 10m}
";
    let world = World::new(config, "2026-03-01 10:00:30");
    let (mut one, mut other) = (world.scheduler(), world.scheduler());
    one.look().await.unwrap();
    other.look().await.unwrap();
    world.set("2026-03-01 10:01:00");
    until(&mut [&mut one, &mut other], "it waits to be tried again", |slots| {
        slots.iter().any(|slot| slot.state == SlotState::Ready && slot.attempt == 1)
    })
    .await;
    assert_eq!(world.log(), ["failing"]);
    world.set("2026-03-01 10:02:30");
    quiet(&mut [&mut one, &mut other]).await;
    assert_eq!(world.log(), ["failing", "failing"]);
    world.set("2026-03-01 10:11:00");
    quiet(&mut [&mut one, &mut other]).await;
    told(&mut [&mut one, &mut other]).await;
    let said = world.said();
    assert_eq!(said.matches("bad failed").count(), 1, "{said}");
    assert_eq!(said.matches("bad: no success by its deadline").count(), 1, "{said}");
    let why = world.why("bad");
    assert!(why.contains("failed") && why.contains("there was no success by its deadline"), "{why}");
    assert!(why.contains("it is never due again"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_takes_too_long_is_cancelled_and_has_failed() {
    let config = "schedules:\n  slow: {skill: hang_on, at: '2026-03-01T10:01:00Z', timeout: 5m}\n";
    let world = World::new(config, "2026-03-01 10:00:30");
    let mut scheduler = world.scheduler();
    scheduler.look().await.unwrap();
    world.set("2026-03-01 10:01:00");
    until(&mut [&mut scheduler], "it runs", |slots| {
        slots.iter().any(|slot| slot.state == SlotState::Running)
    })
    .await;
    world.set("2026-03-01 10:06:00");
    quiet(&mut [&mut scheduler]).await;
    let why = world.why("slow");
    assert!(why.contains("failed after 5m; it took longer than 5m"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_does_not_run_and_is_not_caught_up() {
    let world = World::new(MINUTELY, "2026-03-01 10:00:30");
    let mut scheduler = world.scheduler();
    scheduler.look().await.unwrap();
    world.engine().pause_schedule("tick", "ann", "a release", world.clock.now()).await.unwrap();
    for now in ["10:01:00", "10:02:00"] {
        world.set(&format!("2026-03-01 {now}"));
        quiet(&mut [&mut scheduler]).await;
    }
    assert!(world.why("tick").contains("it is held by ann: a release"));
    world.engine().resume_schedule("tick", "ann", world.clock.now()).await.unwrap();
    quiet(&mut [&mut scheduler]).await;
    assert_eq!(world.log(), [""; 0]);
    world.set("2026-03-01 10:03:00");
    quiet(&mut [&mut scheduler]).await;
    assert_eq!(world.log(), ["2026-03-01T10:03:00Z"]);
    let why = world.why("tick");
    assert!(why.contains("2 times from"), "{why}");
    assert!(why.contains("was skipped; the schedule was held by ann"), "{why}");
    // What is off does not run either, and is told.
    world.engine().set_service("cron", false, "ben", world.clock.now()).await.unwrap();
    world.set("2026-03-01 10:04:00");
    quiet(&mut [&mut scheduler]).await;
    assert_eq!(world.log().len(), 1);
    assert!(world.why("tick").contains("the service `cron` was off"));
}

#[tokio::test(flavor = "multi_thread")]
async fn schedules_of_a_project_wait_until_somebody_lets_them_run() {
    let world = World::new("schedules: {}\n", "2026-03-01 10:00:30");
    world.put("work/.aa/config.yaml", MINUTELY);
    let mut scheduler = world.scheduler();
    scheduler.look().await.unwrap();
    world.set("2026-03-01 10:01:00");
    quiet(&mut [&mut scheduler]).await;
    assert_eq!(world.log(), [""; 0]);
    assert!(world.why("tick").contains("nobody on this machine has let it run yet"), "{}", world.why("tick"));
    world.engine().resume_schedule("tick", "ann", world.clock.now()).await.unwrap();
    world.set("2026-03-01 10:02:00");
    quiet(&mut [&mut scheduler]).await;
    assert_eq!(world.log(), ["2026-03-01T10:02:00Z"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_files_are_read_again_and_broken_ones_change_nothing() {
    let world = World::new(MINUTELY, "2026-03-01 10:00:30");
    let config = "home/.config/aa-workflow/config.yaml";
    let mut scheduler = world.scheduler();
    scheduler.look().await.unwrap();
    world.put(config, "schedules: {tick: {skill: note_it, cron: broken}}\n");
    world.set("2026-03-01 10:01:00");
    quiet(&mut [&mut scheduler]).await;
    assert_eq!(world.log(), ["2026-03-01T10:01:00Z"]);
    world.put(config, "schedules: {}\n");
    let skill = skill("note_it", "note") + "schedule: {every: 1m, inputs: {due: skill}}\n";
    world.put("home/.config/aa-workflow/skills/other.yaml", &skill.replace("note_it", "other"));
    world.set("2026-03-01 10:01:30");
    quiet(&mut [&mut scheduler]).await;
    world.set("2026-03-01 10:02:00");
    quiet(&mut [&mut scheduler]).await;
    assert_eq!(world.log(), ["2026-03-01T10:01:00Z", "skill"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_past_is_filled_in_one_after_the_other() {
    let world = World::new(MINUTELY, "2026-03-01 10:00:30");
    let mut scheduler = world.scheduler();
    scheduler.look().await.unwrap();
    world.set("2026-03-01 10:01:00");
    quiet(&mut [&mut scheduler]).await;
    let engine = world.engine();
    let window = (at("2026-03-01 09:59"), at("2026-03-01 10:01"));
    let plan = engine.plan_backfill("tick", window).unwrap();
    assert_eq!((plan.times.len(), plan.done, plan.more), (2, 1, false));
    assert_eq!(engine.backfill("tick", &plan.times, ("ann", world.clock.now())).await.unwrap(), 2);
    quiet(&mut [&mut scheduler]).await;
    let expected = ["2026-03-01T10:01:00Z", "2026-03-01T09:59:00Z", "2026-03-01T10:00:00Z"];
    assert_eq!(world.log(), expected);
    assert!(engine.plan_backfill("tick", window).unwrap().times.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_later_time_of_the_past_overtakes_an_earlier_one() {
    let config = "schedules:\n  day: {skill: note_it, cron: '0 3 * * *', inputs: {due: '{{ due }}'}}\n";
    let world = World::new(config, "2026-03-10 10:00");
    // Two of them: what one has ended, the other does not know yet when it looks.
    let (mut one, mut other) = (world.scheduler(), world.scheduler());
    one.look().await.unwrap();
    let engine = world.engine();
    let plan = engine.plan_backfill("day", (at("2026-03-01 00:00"), at("2026-03-07 00:00"))).unwrap();
    assert_eq!(engine.backfill("day", &plan.times, ("ann", world.clock.now())).await.unwrap(), 6);
    let store = one.core.store().await.unwrap();
    let last = store.open_slots().unwrap().pop().unwrap();
    let claim = store.claim_slot((&last.schedule, last.due), Overlap::Skip, world.clock.now());
    assert_eq!(claim.await.unwrap(), Claimed::Waits, "the earlier ones are first");
    quiet(&mut [&mut one, &mut other]).await;
    let expected: Vec<String> = (1..=6).map(|day| format!("2026-03-0{day}T03:00:00Z")).collect();
    assert_eq!(world.log(), expected);
    let refused = engine.plan_backfill("day", (at("2026-03-07 00:00"), at("2026-03-01 00:00")));
    assert!(refused.is_err_and(|error| error.to_string().contains("ends before it begins")));
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_messages_are_held_back_and_summed_up() {
    let config = "\
notify: {channels: {here: {terminal: {}}}, default: [here], limit: {messages: 2, per: 1h}}
schedules:
  bad: {skill: fail_it, cron: '* * * * *'}
";
    let world = World::new(config, "2026-03-01 10:00:30");
    let mut scheduler = world.scheduler();
    scheduler.look().await.unwrap();
    for minute in 1..=5 {
        world.set(&format!("2026-03-01 10:{minute:02}:00"));
        quiet(&mut [&mut scheduler]).await;
        told(&mut [&mut scheduler]).await;
    }
    assert_eq!(world.said().matches("bad failed").count(), 2, "{}", world.said());
    world.engine().pause_schedule("bad", "ann", "", world.clock.now()).await.unwrap();
    world.set("2026-03-01 11:03:00");
    told(&mut [&mut scheduler]).await;
    assert!(world.said().contains("3 messages were held back"), "{}", world.said());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_schedules_are_no_burden() {
    let world = World::new("schedules: {}\n", "2026-03-01 10:00:30");
    let text = "skill: note_it\ncron: '30 2 * * mon-fri'\ntimezone: Europe/Berlin\n";
    let source = Source::new("config.yaml", text);
    let written: Schedule = yaml::parse(&source).unwrap().read().unwrap();
    let name = Spanned { value: "x".to_owned(), span: Span::default() };
    let compiled = compile((&name, &written), None, (&source, &Zone::UTC)).unwrap();
    let mut book = Book::default();
    for number in 0..100_000 {
        let compiled = aa_spec::schedule::Compiled { name: format!("s{number}"), ..compiled.clone() };
        book.add(Known::new(compiled, None, Place { path: "config.yaml".into(), line: 1 }));
    }
    let mut scheduler = world.scheduler();
    scheduler.core.store().await.unwrap();
    let start = Instant::now();
    scheduler.use_book(&book, world.clock.now()).await.unwrap();
    scheduler.look().await.unwrap();
    let took = start.elapsed();

    assert_eq!(scheduler.upcoming.len(), 100_000);
    // What is asserted of the built binary is two seconds; this is one that is not optimised.
    assert!(took < Duration::from_secs(15), "{took:?}");
}
