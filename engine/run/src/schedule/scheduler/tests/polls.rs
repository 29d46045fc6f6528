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

#[tokio::test(flavor = "multi_thread")]
async fn a_poll_that_is_slow_is_not_asked_once_more_meanwhile() {
    let config = "\
schedules:
  news: {skill: note_it, poll: {tool: slow_news, every: 1m}, inputs: {due: '{{ result }}'}}
";
    let world = World::new(config, "2026-03-01 10:00:30");
    world.put(
        "work/.aa/tools/slow.yaml",
        "module: slow\ndescription: Slow\ntools: [{name: slow_news, description: Waits, effect: read, input: {}, run: [sh, -c, 'echo x >> polls; while [ ! -e go ]; do sleep 0.05; done']}]\n",
    );
    let mut scheduler = world.scheduler();
    scheduler.look().await.unwrap();
    let polls = || fs::read_to_string(world.root.path().join("work/polls")).unwrap_or_default();
    for minute in 1..5 {
        world.set(&format!("2026-03-01 10:{minute:02}:00"));
        scheduler.look().await.unwrap();
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    let asked = polls();
    world.put("work/go", "");
    assert_eq!(asked, "x\n");
    let start = Instant::now();
    let view = || world.engine().schedule("news", world.clock.now()).unwrap();
    while view().polled.is_none_or(|(_, text)| text == "asked") {
        assert!(start.elapsed() < PATIENCE, "{}", world.why("news"));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    quiet(&mut [&mut scheduler]).await;
}
