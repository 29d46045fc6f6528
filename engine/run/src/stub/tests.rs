//! Runs on a stage: what stands in, what does not, and how time passes.

use std::time::{Duration, Instant};

use aa_spec::template::Expression;
use chrono::TimeDelta;
use serde_json::json;

use super::*;
use crate::event::Time;

fn at(seconds: i64) -> Time {
    Time::UNIX_EPOCH + TimeDelta::seconds(seconds)
}

#[tokio::test]
async fn time_jumps_to_the_next_timer_when_every_call_sleeps() {
    let clock = VirtualClock::new(at(0), false);
    let begun = Instant::now();
    tokio::join!(clock.nap(7_200_000), async {
        clock.idle(Some(at(3600)), 1).await;
        assert_eq!(clock.now(), at(3600), "its own timer comes first");
        tokio::select! {
            () = clock.idle(None, 1) => unreachable!("there is no timer"),
            () = clock.sleep_until(at(5400)) => assert_eq!(clock.now(), at(5400), "then that of a deadline"),
        }
        tokio::time::timeout(Duration::from_millis(50), clock.idle(None, 1)).await.unwrap_err();
    });
    assert_eq!(clock.now(), at(7200));
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_call_at_work_keeps_time_from_jumping() {
    let clock = VirtualClock::new(at(0), false);
    let nap = tokio::time::timeout(Duration::from_millis(50), async {
        tokio::join!(clock.idle(Some(at(60)), 2), clock.nap(1_000));
    });
    assert!(nap.await.is_err(), "one of two calls is at work");
    assert_eq!(clock.now(), at(0));
}

#[tokio::test]
async fn where_real_calls_take_part_time_passes_by_itself_too() {
    let clock = VirtualClock::new(at(0), true);
    clock.sleep_until(at(0) + TimeDelta::milliseconds(20)).await;
    assert!(clock.now() >= at(0) + TimeDelta::milliseconds(20));
    let begun = Instant::now();
    clock.idle(Some(at(3600)), 0).await;
    assert!(begun.elapsed() < Duration::from_mins(1));
}

#[test]
fn picky_answers_survive_being_pinned() {
    let script = Script {
        tools: BTreeMap::from([(
            "a".to_owned(),
            vec![aa_spec::stub::Canned {
                step: None,
                when: Some(Expression::parse("args.n > 1").unwrap()),
                args: json!({"n": 2}).as_object().cloned(),
                times: Some(1),
                delay_ms: 5,
                gives: aa_spec::stub::Gives::Value(json!("{{ no template }}")),
            }],
        )]),
        ..Script::default()
    };
    let pinned = serde_json::to_string(&script).unwrap();
    assert_eq!(serde_json::from_str::<Script>(&pinned).unwrap(), script);
}
