//! Messages that cannot be sent.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_sent_is_tried_four_times() {
    let config = "\
notify: {channels: {gone: {webhook: {url: 'http://127.0.0.1:9/'}}}, default: [gone]}
schedules:
  bad: {skill: fail_it, at: '2026-03-01 10:01'}
";
    let world = World::new(config, "2026-03-01 10:00:30");
    let mut scheduler = world.scheduler();
    scheduler.look().await.unwrap();
    world.set("2026-03-01 10:01:00");
    quiet(&mut [&mut scheduler]).await;
    for _ in 0..10 {
        told(&mut [&mut scheduler]).await;
        world.advance(TimeDelta::minutes(5));
    }
    let tries = world.said().matches("nobody could be told by the channel `gone`").count();
    assert_eq!(tries, 4, "{}", world.said());
    let notices = world.engine().notices(10).unwrap();
    assert_eq!((notices.len(), notices[0].tries, notices[0].state.word()), (1, 4, "failed"));
}
