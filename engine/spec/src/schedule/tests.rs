//! Moments by tables: clocks put forward and back in many zones, leap days, ends of years.

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

use super::*;
use crate::diagnostic::Diagnostic;
use crate::source::{Source, Span};

fn at(text: &str) -> DateTime<Utc> {
    moment(text, &Zone::UTC).expect("a moment")
}

fn zone(name: &str) -> Zone {
    Zone::parse(name).expect("a zone")
}

fn cron(text: &str) -> Trigger {
    Trigger::Cron(Cron::parse(text).expect("a pattern"))
}

/// The next moments after one, as clocks of the zone show them with their offset.
fn next(trigger: &Trigger, name: &str, after: &str, count: usize) -> Vec<String> {
    let zone = zone(name);
    let after = moment(after, &zone).expect("a moment");
    let far = after + TimeDelta::days(4000);
    trigger.between(after, far, &zone).take(count).map(|moment| zone.show(moment)).collect()
}

#[test]
fn a_fixed_time_is_due_once_a_day_whatever_the_clocks_do() {
    let table: &[(&str, &str, &str, [&str; 3])] = &[
        // Put forward by an hour: 02:30 does not exist and is due when clocks jump.
        (
            "Europe/Berlin",
            "30 2 * * *",
            "2026-03-28 00:00",
            ["2026-03-28 02:30:00 +01:00", "2026-03-29 03:00:00 +02:00", "2026-03-30 02:30:00 +02:00"],
        ),
        // Put back: 02:30 is there twice, and is due the first time.
        (
            "Europe/Berlin",
            "30 2 * * *",
            "2026-10-24 00:00",
            ["2026-10-24 02:30:00 +02:00", "2026-10-25 02:30:00 +02:00", "2026-10-26 02:30:00 +01:00"],
        ),
        (
            "America/New_York",
            "30 2 * * *",
            "2026-03-07 00:00",
            ["2026-03-07 02:30:00 -05:00", "2026-03-08 03:00:00 -04:00", "2026-03-09 02:30:00 -04:00"],
        ),
        (
            "America/New_York",
            "30 1 * * *",
            "2026-10-31 00:00",
            ["2026-10-31 01:30:00 -04:00", "2026-11-01 01:30:00 -04:00", "2026-11-02 01:30:00 -05:00"],
        ),
        // Half an hour forward, from 02:00 to 02:30.
        (
            "Australia/Lord_Howe",
            "15 2 * * *",
            "2026-10-03 00:00",
            ["2026-10-03 02:15:00 +10:30", "2026-10-04 02:30:00 +11:00", "2026-10-05 02:15:00 +11:00"],
        ),
        // Half an hour back, from 02:00 to 01:30.
        (
            "Australia/Lord_Howe",
            "45 1 * * *",
            "2026-04-04 00:00",
            ["2026-04-04 01:45:00 +11:00", "2026-04-05 01:45:00 +11:00", "2026-04-06 01:45:00 +10:30"],
        ),
        // No clock is changed, and the offset is no whole hour.
        (
            "Asia/Kolkata",
            "30 2 * * *",
            "2026-03-28 00:00",
            ["2026-03-28 02:30:00 +05:30", "2026-03-29 02:30:00 +05:30", "2026-03-30 02:30:00 +05:30"],
        ),
        // Clocks were put forward at midnight, so that the day began at 01:00.
        (
            "America/Sao_Paulo",
            "0 0 * * *",
            "2018-11-03 00:00",
            ["2018-11-04 01:00:00 -02:00", "2018-11-05 00:00:00 -02:00", "2018-11-06 00:00:00 -02:00"],
        ),
        // Put back at midnight: 23:30 was there twice.
        (
            "America/Sao_Paulo",
            "30 23 * * *",
            "2018-02-16 23:45",
            ["2018-02-17 23:30:00 -02:00", "2018-02-18 23:30:00 -03:00", "2018-02-19 23:30:00 -03:00"],
        ),
        // Put back for Ramadan, forward after it.
        (
            "Africa/Casablanca",
            "30 2 * * *",
            "2026-02-14 00:00",
            ["2026-02-14 02:30:00 +01:00", "2026-02-15 02:30:00 +01:00", "2026-02-16 02:30:00 +00:00"],
        ),
        (
            "Africa/Casablanca",
            "30 2 * * *",
            "2026-03-21 00:00",
            ["2026-03-21 02:30:00 +00:00", "2026-03-22 03:00:00 +01:00", "2026-03-23 02:30:00 +01:00"],
        ),
        // The 30th of December 2011 did not exist.
        (
            "Pacific/Apia",
            "0 12 * * *",
            "2011-12-28 13:00",
            ["2011-12-29 12:00:00 -10:00", "2011-12-31 00:00:00 +14:00", "2011-12-31 12:00:00 +14:00"],
        ),
    ];
    for (zone, pattern, after, expected) in table {
        assert_eq!(next(&cron(pattern), zone, after, 3), expected, "{zone} {pattern} {after}");
    }
}

#[test]
fn every_hour_goes_by_elapsed_time() {
    let spring = next(&cron("0 * * * *"), "Europe/Berlin", "2026-03-29 00:30", 3);
    assert_eq!(
        spring,
        ["2026-03-29 01:00:00 +01:00", "2026-03-29 03:00:00 +02:00", "2026-03-29 04:00:00 +02:00"]
    );
    let autumn = next(&cron("*/30 * * * *"), "Europe/Berlin", "2026-10-25 01:45", 5);
    assert_eq!(
        autumn,
        [
            "2026-10-25 02:00:00 +02:00",
            "2026-10-25 02:30:00 +02:00",
            "2026-10-25 02:00:00 +01:00",
            "2026-10-25 02:30:00 +01:00",
            "2026-10-25 03:00:00 +01:00"
        ]
    );
    let half = next(&cron("*/15 * * * *"), "Australia/Lord_Howe", "2026-04-05 01:40", 4);
    assert_eq!(
        half,
        [
            "2026-04-05 01:45:00 +11:00",
            "2026-04-05 01:30:00 +10:30",
            "2026-04-05 01:45:00 +10:30",
            "2026-04-05 02:00:00 +10:30"
        ]
    );
    // Two changes lie between one and the next.
    let yearly = next(&cron("0 */12 1 7 *"), "Europe/Berlin", "2026-07-01 12:00", 2);
    assert_eq!(yearly, ["2027-07-01 00:00:00 +02:00", "2027-07-01 12:00:00 +02:00"]);
}

#[test]
fn several_times_that_clocks_skip_are_one_moment() {
    let moments = next(&cron("*/20 2 * * *"), "Europe/Berlin", "2026-03-29 00:00", 2);
    assert_eq!(moments, ["2026-03-29 03:00:00 +02:00", "2026-03-30 02:00:00 +02:00"]);
    let both = next(&cron("0 2,3 * * *"), "Europe/Berlin", "2026-03-29 00:00", 2);
    assert_eq!(both, ["2026-03-29 03:00:00 +02:00", "2026-03-30 02:00:00 +02:00"]);
}

#[test]
fn leap_days_and_ends_of_years_are_where_the_calendar_has_them() {
    let leap = next(&cron("0 9 29 feb *"), "Europe/Berlin", "2026-01-01", 2);
    assert_eq!(leap, ["2028-02-29 09:00:00 +01:00", "2032-02-29 09:00:00 +01:00"]);
    // 1900 and 2100 are no leap years.
    let century = next(&cron("0 0 29 2 *"), "UTC", "2096-02-29", 1);
    assert_eq!(century, ["2104-02-29 00:00:00 +00:00"]);
    let year = next(&cron("59 59 23 31 12 *"), "America/New_York", "2026-06-01", 1);
    assert_eq!(year, ["2026-12-31 23:59:59 -05:00"]);
    let new_year = next(&cron("@yearly"), "Asia/Kolkata", "2026-12-31 23:59", 1);
    assert_eq!(new_year, ["2027-01-01 00:00:00 +05:30"]);
    let last = next(&cron("0 0 L * *"), "UTC", "2027-02-01", 2);
    assert_eq!(last, ["2027-02-28 00:00:00 +00:00", "2027-03-31 00:00:00 +00:00"]);
    let weekdays = next(&cron("0 9 * * mon-fri"), "UTC", "2026-11-27 09:00", 1);
    assert_eq!(weekdays, ["2026-11-30 09:00:00 +00:00"]);
}

#[test]
fn an_interval_is_counted_from_its_anchor_whenever_one_looks() {
    let every = Trigger::Every { every_ms: 25 * 60_000, anchor: at("2026-01-01T00:10:00Z") };
    let first = every.next(at("2026-01-01T00:00:00Z"), &Zone::UTC);
    assert_eq!(first, Some(at("2026-01-01T00:10:00Z")));
    let early = every.next(at("2025-12-31T23:00:00Z"), &Zone::UTC);
    assert_eq!(early, Some(at("2025-12-31T23:20:00Z")));
    assert_eq!(every.next(at("2026-01-01T00:10:00Z"), &Zone::UTC), Some(at("2026-01-01T00:35:00Z")));
}

#[test]
fn one_moment_is_due_once() {
    let once = Trigger::At(at("2026-03-01T09:00:00Z"));
    assert_eq!(once.next(at("2026-03-01T08:00:00Z"), &Zone::UTC), Some(at("2026-03-01T09:00:00Z")));
    assert_eq!(once.next(at("2026-03-01T09:00:00Z"), &Zone::UTC), None);
}

#[test]
fn local_moments_are_read_by_their_zone() {
    let berlin = zone("Europe/Berlin");
    assert_eq!(moment("2026-07-01 09:00", &berlin), Ok(at("2026-07-01T07:00:00Z")));
    assert_eq!(moment("2026-10-25 02:30", &berlin), Ok(at("2026-10-25T00:30:00Z")), "the first of two");
    assert_eq!(moment("2026-07-01T09:00:00-04:00", &berlin), Ok(at("2026-07-01T13:00:00Z")));
    assert!(moment("2026-03-29 02:30", &berlin).unwrap_err().contains("clocks are put forward"));
    assert_eq!(Zone::parse("europe/berlin"), Err(Some("Europe/Berlin".to_owned())));
}

fn read(text: &str) -> Result<Compiled, Vec<Diagnostic>> {
    let source = Source::new("config.yaml", text);
    let written: Schedule = crate::yaml::parse(&source).expect("YAML").read().expect("a schedule");
    let name = crate::yaml::Spanned { value: "x-y".to_owned(), span: Span::default() };
    compile((&name, &written), None, (&source, &Zone::UTC))
}

#[test]
fn what_is_not_said_has_a_default() {
    let compiled = read("skill: a-b\nevery: 1h\n").expect("a schedule");
    assert_eq!((compiled.name.as_str(), compiled.skill.as_str()), ("x_y", "a_b"));
    assert_eq!(compiled.catch_up, CatchUp { window_ms: 300_000, runs: Caught::Latest });
    assert_eq!((compiled.overlap, compiled.enabled, compiled.jitter_ms), (Overlap::Skip, true, 0));
    let poll = read("skill: a\npoll: {tool: git-log}\n").expect("a schedule");
    let Trigger::Poll(poll) = poll.trigger else { panic!("a poll") };
    assert_eq!((poll.tool.as_str(), poll.every_ms, poll.key.source()), ("git_log", 300_000, "result"));
}

#[test]
fn a_retry_waits_twice_as_long_each_time_up_to_a_limit() {
    let retry = RetryDelays { attempts: 9, delay_ms: 1000, max_delay_ms: 5000 };
    let delays: Vec<u64> = (1..6).map(|attempt| retry.delay_after(attempt)).collect();
    assert_eq!(delays, [1000, 2000, 4000, 5000, 5000]);
}

fn patterns() -> impl Strategy<Value = String> {
    let minute = prop::sample::select(vec!["0", "30", "*/7", "15,45", "*"]);
    let hour = prop::sample::select(vec!["*", "*/2", "2", "1,3", "0", "23", "1-4"]);
    let day = prop::sample::select(vec!["*", "29", "1-7", "L"]);
    let weekday = prop::sample::select(vec!["*", "mon-fri", "sun"]);
    (minute, hour, day, weekday).prop_map(|(m, h, d, w)| format!("{m} {h} {d} * {w}"))
}

const ZONES: [&str; 8] = [
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kolkata",
    "America/Sao_Paulo",
    "Africa/Casablanca",
    "Pacific/Apia",
    "UTC",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Moments get later and later, asking from any moment between two gives the second, and clocks
    /// show what the pattern says unless they have skipped it.
    #[test]
    fn moments_are_in_order_and_the_same_from_wherever_one_asks(
        pattern in patterns(),
        zone in prop::sample::select(ZONES.to_vec()),
        start in 1_262_304_000_i64..1_893_456_000,
        share in 0.0_f64..1.0,
    ) {
        let zone = Zone::parse(zone).expect("a zone");
        let trigger = cron(&pattern);
        let start = DateTime::from_timestamp(start, 0).expect("a moment");
        let all: Vec<_> = trigger.between(start, start + TimeDelta::days(500), &zone).take(60).collect();
        prop_assert!(all.windows(2).all(|pair| pair[0] < pair[1]));
        for pair in all.windows(2) {
            let seconds = (pair[1] - pair[0]).num_seconds();
            #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "any moment will do")]
            let between = pair[0] + TimeDelta::seconds((seconds as f64 * share) as i64);
            prop_assert_eq!(trigger.next(between, &zone), Some(pair[1]));
        }
    }

    /// On days on which no clock is changed, what is due by the wall is what is due by elapsed time.
    #[test]
    fn without_changes_both_ways_of_reading_agree(day in 0_i64..9000) {
        let start = DateTime::from_timestamp(1_262_304_000 + day * 86_400, 0).expect("a moment");
        let by_wall = cron("0 0-23 * * *").next(start, &Zone::UTC);
        prop_assert_eq!(by_wall, cron("0 * * * *").next(start, &Zone::UTC));
    }
}
