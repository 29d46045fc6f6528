//! Schedules that look whether there is something new.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_poll_runs_once_for_each_piece_of_news() {
    let config = "\
schedules:
  news: {skill: note_it, poll: {tool: news, every: 1m, condition: result, key: result}, inputs: {due: '{{ result }}'}}
";
    let world = World::new(config, "2026-03-01 10:00:30");
    let (mut one, mut other) = (world.scheduler(), world.scheduler());
    for (now, news) in [("10:00:40", ""), ("10:01:00", "a"), ("10:02:00", "a"), ("10:03:00", "b")] {
        world.put("work/news", news);
        world.set(&format!("2026-03-01 {now}"));
        one.look().await.unwrap();
        other.look().await.unwrap();
        let polled = |world: &World| world.engine().schedule("news", world.clock.now()).unwrap().polled;
        let start = Instant::now();
        while now != "10:00:40"
            && polled(&world).is_none_or(|(at, text)| at < world.clock.now() || text == "asked")
        {
            assert!(start.elapsed() < PATIENCE, "{:?}", polled(&world));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        quiet(&mut [&mut one, &mut other]).await;
    }
    assert_eq!(world.log(), ["a", "b"], "{}", world.why("news"));
    assert!(world.why("news").contains("there was something new"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poll_that_fails_is_told_once_after_the_third_time_and_again_when_it_fails_anew() {
    let config = "\
notify: {channels: {here: {terminal: {}}}, default: [here]}
schedules:
  news: {skill: note_it, poll: {tool: news, every: 1m}, inputs: {due: '{{ result }}'}}
";
    let world = World::new(config, "2026-03-01 10:00:30");
    let mut scheduler = world.scheduler();
    scheduler.look().await.unwrap();
    // There is no file to read, then there is one, then there is none again.
    let told = [0, 0, 1, 1, 1, 1, 1, 1, 2];
    for (minute, told) in (1..).zip(told) {
        world.set(&format!("2026-03-01 10:{minute:02}:00"));
        match minute {
            6 => world.put("work/news", "x"),
            7 => fs::remove_file(world.root.path().join("work/news")).unwrap(),
            _ => {}
        }
        scheduler.look().await.unwrap();
        let view = |world: &World| world.engine().schedule("news", world.clock.now()).unwrap();
        let start = Instant::now();
        while view(&world).polled.is_none_or(|(at, text)| at < world.clock.now() || text == "asked") {
            assert!(start.elapsed() < PATIENCE, "{}", world.why("news"));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        super::told(&mut [&mut scheduler]).await;
        assert_eq!(world.said().matches("news: polling fails").count(), told, "{minute}: {}", world.said());
        assert_eq!(view(&world).failing.is_some(), minute != 6);
    }
    assert!(world.why("news").contains("polling fails: 3 times in a row, since 2026-03-01 10:07:00 +00:00"));
    assert!(world.said().contains("It has failed 3 times in a row"), "{}", world.said());
    quiet(&mut [&mut scheduler]).await;
}

/// A tool that only reads, and does not end before there is a file `go`.
const SLOW: &str = "\
module: slow
description: x
tools:
  - name: slow
    description: Takes its time
    effect: read
    input: {}
    run: [sh, -c, 'echo asked >> log; while [ ! -e go ]; do sleep 0.02; done']
";

#[tokio::test(flavor = "multi_thread")]
async fn a_poll_is_not_asked_while_it_is_asked() {
    let world = World::new(
        "schedules:\n  slow: {skill: note_it, poll: {tool: slow, every: 1m}}\n",
        "2026-03-01 10:00:30",
    );
    world.put("work/.aa/tools/slow.yaml", SLOW);
    let (mut one, mut other) = (world.scheduler(), world.scheduler());
    for (times, now) in ["10:00:30", "10:01:00", "10:02:00", "10:03:00"].into_iter().enumerate() {
        world.set(&format!("2026-03-01 {now}"));
        one.look().await.unwrap();
        other.look().await.unwrap();
        let left_out = |of: &Scheduler| of.core.left_out.lock().unwrap().values().sum::<u32>() as usize;
        let start = Instant::now();
        while world.log().len() < times.min(1) || left_out(&one).min(left_out(&other)) + 1 < times {
            assert!(start.elapsed() < PATIENCE, "{now}: {}", world.why("slow"));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    assert_eq!(world.log(), ["asked"]);
    world.put("work/go", "");
    let start = Instant::now();
    while !world.why("slow").contains("it was due 2 times more, and not asked again") {
        assert!(start.elapsed() < PATIENCE, "{}", world.why("slow"));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    world.set("2026-03-01 10:04:00");
    one.look().await.unwrap();
    let start = Instant::now();
    while world.log().iter().filter(|line| *line == "asked").count() < 2 {
        assert!(start.elapsed() < PATIENCE, "it is asked again: {}", world.why("slow"));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poll_that_takes_too_long_has_failed() {
    let config = "schedules:\n  slow: {skill: note_it, timeout: 1s, poll: {tool: slow, every: 1m}}\n";
    let world = World::new(config, "2026-03-01 10:00:30");
    world.put("work/.aa/tools/slow.yaml", SLOW);
    let mut scheduler = world.scheduler();
    scheduler.look().await.unwrap();
    world.set("2026-03-01 10:01:00");
    scheduler.look().await.unwrap();
    let start = Instant::now();
    while !world.why("slow").contains("it failed: it took longer than 1s") {
        assert!(start.elapsed() < PATIENCE, "{}", world.why("slow"));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poll_is_not_asked_while_it_is_asked_when_the_clock_is_set_either() {
    let config = "schedules:\n  slow: {skill: note_it, poll: {tool: slow, every: 1m}}\n";
    let world = World::new(config, "2026-03-01 10:00:30");
    world.put("work/.aa/tools/slow.yaml", SLOW);
    let mut scheduler = world.scheduler();
    let left_out = |of: &Scheduler| of.core.left_out.lock().unwrap().values().sum::<u32>() as usize;
    // Forward, then back behind where it was, and on from there.
    let times = ["10:00:30", "10:01:00", "11:30:00", "09:20:30", "09:22:00"];
    for (now, (asked, out)) in times.into_iter().zip([(0, 0), (1, 0), (1, 1), (1, 1), (1, 2)]) {
        world.set(&format!("2026-03-01 {now}"));
        scheduler.look().await.unwrap();
        let start = Instant::now();
        while world.log().len() < asked || left_out(&scheduler) < out {
            assert!(start.elapsed() < PATIENCE, "{now}: {}", world.why("slow"));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(world.log().len(), asked, "{now}");
    }
    world.put("work/go", "");
}
