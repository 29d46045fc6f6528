use aa_spec::schedule::{Schedule, Zone, compile};
use aa_spec::source::{Source, Span};
use aa_spec::yaml::{self, Spanned};

use super::*;

fn schedule(text: &str) -> Compiled {
    let source = Source::new("config.yaml", format!("skill: tidy\n{text}\n"));
    let written: Schedule = yaml::parse(&source).unwrap().read().unwrap();
    let name = Spanned { value: "nightly".to_owned(), span: Span::default() };
    compile((&name, &written), None, (&source, &Zone::UTC)).unwrap()
}

fn at(text: &str) -> Time {
    format!("2026-03-01T{text}Z").parse().unwrap()
}

/// The decisions in short: `+` for a time that is run, `-` for missed ones.
fn told(schedule: &Compiled, decided: &str, now: &str) -> String {
    told_back(schedule, (decided, now), Time::MIN_UTC)
}

/// The same, when nobody was there before a moment.
fn told_back(schedule: &Compiled, (decided, now): (&str, &str), back: Time) -> String {
    let decisions = decide(schedule, (at(decided), at(now)), back, &|_| false).decisions;
    let shown = |due: &Time| {
        let text = due.format("%H:%M:%S").to_string();
        text.strip_suffix(":00").unwrap_or(&text).to_owned()
    };
    let told = decisions.iter().map(|decision| match decision {
        Decision::Run { due, why, .. } if why.is_empty() => format!("+{}", shown(due)),
        Decision::Run { due, .. } => format!("+{} late", shown(due)),
        Decision::Missed { since, due, count, .. } => format!("-{}..{} ({count})", shown(since), shown(due)),
    });
    told.collect::<Vec<_>>().join(" ")
}

#[test]
fn times_are_decided_by_when_they_are_noticed() {
    let table = [
        ("catch_up: {window: 5m}", "10:00:00", "10:00:59", ""),
        ("catch_up: {window: 5m}", "10:00:30", "10:01:00", "+10:01"),
        ("catch_up: {window: 5m}", "10:00:30", "10:01:09", "+10:01"),
        // Nobody was there for three minutes: the latest is enough.
        ("catch_up: {window: 5m}", "10:00:30", "10:03:30", "-10:01..10:02 (2) +10:03 late"),
        ("catch_up: {window: 5m}", "10:00:30", "10:03:00", "-10:01..10:02 (2) +10:03"),
        ("catch_up: {runs: all}", "10:00:30", "10:03:30", "+10:01 late +10:02 late +10:03 late"),
        ("catch_up: {runs: none}", "10:00:30", "10:03:30", "-10:01..10:03 (3)"),
        ("catch_up: {runs: none}", "10:00:30", "10:03:00", "-10:01..10:02 (2) +10:03"),
        // Longer ago than the window, whatever is caught up.
        (
            "catch_up: {window: 2m, runs: all}",
            "10:00:30",
            "10:05:30",
            "-10:01..10:03 (3) +10:04 late +10:05 late",
        ),
        ("catch_up: {window: 0, runs: all}", "10:00:30", "10:05:30", "-10:01..10:05 (5)"),
        // The clock was put back: what is decided stays so.
        ("catch_up: {runs: all}", "10:05:00", "10:03:00", ""),
    ];
    for (rule, decided, now, expected) in table {
        let schedule = schedule(&format!("cron: \"* * * * *\"\n{rule}"));
        assert_eq!(told(&schedule, decided, now), expected, "{rule} {decided} {now}");
    }
}

#[test]
fn of_the_times_that_nobody_was_there_for_the_last_one_at_most_is_on_time() {
    let table = [
        // A process began at the last of these moments: the ten seconds before it are no different from those before them.
        (
            "all",
            "10:00:22",
            "+10:00:12 late +10:00:14 late +10:00:16 late +10:00:18 late +10:00:20 late +10:00:22",
        ),
        ("latest", "10:00:23", "-10:00:12..10:00:20 (5) +10:00:22"),
        ("none", "10:00:23", "-10:00:12..10:00:20 (5) +10:00:22"),
        // It was there for the last two.
        ("latest", "10:00:19", "-10:00:12..10:00:18 (4) +10:00:20 +10:00:22"),
        (
            "all",
            "10:00:19",
            "+10:00:12 late +10:00:14 late +10:00:16 late +10:00:18 late +10:00:20 +10:00:22",
        ),
    ];
    for (runs, back, expected) in table {
        let schedule = schedule(&format!("every: 2s\ncatch_up: {{window: 10m, runs: {runs}}}"));
        let told = told_back(&schedule, ("10:00:10", "10:00:23"), at(back));
        assert_eq!(told, expected, "{runs} {back}");
    }
}

#[test]
fn a_time_that_has_a_row_is_not_decided_again() {
    let schedule = schedule("cron: \"* * * * *\"\ncatch_up: {runs: all}");
    let taken = |due: Time| due == at("10:01:00");
    let decisions = decide(&schedule, (at("10:00:30"), at("10:02:00")), Time::MIN_UTC, &taken).decisions;
    assert!(matches!(&decisions[..], [Decision::Run { due, .. }] if *due == at("10:02:00")), "{decisions:?}");
}

#[test]
fn a_long_absence_is_counted_up_to_a_limit() {
    let schedule = schedule("every: 1s");
    let decisions = decide(&schedule, (at("00:00:00"), at("23:00:00")), Time::MIN_UTC, &|_| false).decisions;
    let Decision::Missed { count, why, .. } = &decisions[0] else { panic!("{decisions:?}") };
    assert_eq!(*count, COUNTED);
    assert!(why.contains("the first of them"), "{why}");
}

#[test]
fn very_many_missed_times_are_decided_a_part_at_a_time() {
    for (runs, most) in [("all", 100), ("latest", 10_000), ("none", 10_000)] {
        let schedule = schedule(&format!("every: 1s\ncatch_up: {{window: 1d, runs: {runs}}}"));
        let (mut from, now, mut parts, mut run) = (at("00:00:00"), at("06:00:30"), 0, 0);
        while from < now {
            let Decided { decisions, until } = decide(&schedule, (from, now), Time::MIN_UTC, &|_| false);
            assert!(until > from && decisions.len() <= most, "{runs}: {} decisions", decisions.len());
            run += decisions.iter().filter(|decision| matches!(decision, Decision::Run { .. })).count();
            (from, parts) = (until, parts + 1);
        }
        // Those of the last ten seconds are on time.
        let expected = if runs == "all" { (21_630, 217) } else { (11, 3) };
        assert_eq!((run, parts), expected, "{runs}");
    }
}

#[test]
fn jitter_is_the_same_for_the_same_time_and_spreads_others() {
    let schedule = schedule("every: 1m\njitter: 30s");
    let all: Vec<_> = (0..50).map(|n| jitter(&schedule, at("10:00:00") + TimeDelta::minutes(n))).collect();
    let again: Vec<_> = (0..50).map(|n| jitter(&schedule, at("10:00:00") + TimeDelta::minutes(n))).collect();
    assert_eq!(all, again);
    assert!(all.iter().all(|delay| *delay >= TimeDelta::zero() && *delay < TimeDelta::seconds(30)));
    assert!(all.iter().collect::<std::collections::BTreeSet<_>>().len() > 40);
}

#[test]
fn overlap_decides_between_two_runs() {
    let table = [
        (Overlap::Skip, [Turn::Go, Turn::Skip]),
        (Overlap::Queue, [Turn::Go, Turn::Wait]),
        (Overlap::CancelPrevious, [Turn::Go, Turn::Replace]),
        (Overlap::Allow, [Turn::Go, Turn::Go]),
    ];
    for (overlap, expected) in table {
        assert_eq!([turn(overlap, 0), turn(overlap, 1)], expected, "{overlap:?}");
    }
}

#[test]
fn a_failed_run_is_followed_by_others_while_there_are_any() {
    let schedule = schedule("every: 1m\nretry: {attempts: 2, delay: 30s}");
    let first = judge(Some(&schedule), 1, Some("it broke\nbadly"), at("10:00:00"));
    assert_eq!((first.state, first.again), (SlotState::Ready, Some(at("10:00:30"))));
    assert_eq!(first.why, "run 1 of 2 failed (it broke); the next one follows after 30s");
    let second = judge(Some(&schedule), 2, Some("it broke"), at("10:00:00"));
    assert_eq!((second.state, second.again, second.why.as_str()), (SlotState::Failed, None, "it broke"));
    assert_eq!(judge(None, 1, None, at("10:00:00")).state, SlotState::Succeeded);
}
