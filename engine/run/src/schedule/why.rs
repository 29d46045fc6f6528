//! What has become of the times of a schedule, and why, in plain words.

use aa_spec::schedule::{Overlap, Trigger};
use chrono::TimeDelta;
use schemars::JsonSchema;
use serde::Serialize;

use super::book::Known;
use super::decide::lapse;
use super::service::Service;
use super::{Note, Remembered, Slot, SlotKind, SlotState, Waiting};
use crate::event::{RunId, Time};

/// One line of an explanation.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Reason {
    /// What it is about: a time of the schedule, or when something happened.
    pub at: Time,
    /// What has become of that time; none when it is about something else.
    pub state: Option<SlotState>,
    /// The run that it is about, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// In words.
    pub text: String,
}

/// Times, the newest first, with those as one that were skipped one after the other for the same reason.
pub fn summed(slots: impl IntoIterator<Item = Slot>) -> Vec<Slot> {
    let mut all: Vec<Slot> = Vec::new();
    for slot in slots {
        match all.last_mut().filter(|newer| is_same_skip(newer, &slot)) {
            Some(newer) => {
                newer.count = newer.count.saturating_add(slot.count);
                newer.since = Some(slot.since.unwrap_or(slot.due));
            }
            None => all.push(slot),
        }
    }
    all
}

fn is_same_skip(a: &Slot, b: &Slot) -> bool {
    a.state == SlotState::Skipped
        && (a.state, a.kind, &a.why) == (b.state, b.kind, &b.why)
        && a.alerted.is_none()
}

/// Explains the last times of a schedule, the newest first; before them what holds now.
pub fn reasons(
    (known, remembered, waiting): (&Known, Option<&Remembered>, Option<&Waiting>),
    (slots, notes): (&[Slot], &[Note]),
    (off, is_alive): (&[Service], bool),
    now: Time,
) -> Vec<Reason> {
    let mut reasons: Vec<Reason> = slots.iter().map(|slot| of_slot(known, slot, waiting, now)).collect();
    let since = slots.iter().map(|slot| slot.due).min().unwrap_or(now) - TimeDelta::hours(1);
    let told = notes.iter().filter(|note| note.at >= since || slots.is_empty());
    reasons.extend(told.map(|note| Reason { at: note.at, state: None, run: None, text: note.text.clone() }));
    reasons.sort_by_key(|reason| std::cmp::Reverse(reason.at));
    let present = now_lines(known, remembered, (off, is_alive), (slots, now));
    let present = present.into_iter().map(|text| Reason { at: now, state: None, run: None, text });
    let waits = waiting.map(|waiting| Reason {
        at: now,
        state: None,
        run: waiting.run,
        text: format!("{}; nothing else of it may run before", wait(known, waiting, now)),
    });
    waits.filter(|_| holds_others(known)).into_iter().chain(present).chain(reasons).collect()
}

/// Whether what goes on keeps other times from being run.
fn holds_others(known: &Known) -> bool {
    matches!(known.compiled.overlap, Overlap::Skip | Overlap::Queue)
}

/// That a run waits for a person, and what that person does.
fn wait(known: &Known, waiting: &Waiting, now: Time) -> String {
    let since = format!("{} ({})", known.zone().show(waiting.since), lapse(now - waiting.since));
    match (waiting.run, waiting.in_doubt) {
        (None, _) => format!("a run of it waits for a person since {since}"),
        (Some(run), false) => format!("run {run} waits for a person since {since}: `aa run show {run}`"),
        (Some(run), true) => format!(
            "run {run} waits since {since} for a person to say how a step ended: `aa run resolve {run}`"
        ),
    }
}

/// What decides about the next time.
fn now_lines(
    known: &Known,
    remembered: Option<&Remembered>,
    (off, is_alive): (&[Service], bool),
    (slots, now): (&[Slot], Time),
) -> Vec<String> {
    let mut lines = Vec::new();
    if !known.compiled.enabled {
        lines.push(format!("it is switched off by `enabled: false` in {}", known.place));
    }
    if let Some(pause) = remembered.and_then(|row| row.pause.as_ref()) {
        let by = if pause.by.is_empty() { String::new() } else { format!(" by {}", pause.by) };
        let why = if pause.why.is_empty() { String::new() } else { format!(": {}", pause.why) };
        let name = &known.compiled.name;
        lines.push(format!("it is held{by}{why}; `aa schedule resume {name}` lets it run"));
    }
    for service in off {
        lines.push(format!("the service `{}` is off ({})", service.name, service.about));
    }
    if !is_alive {
        lines.push("no scheduler runs now, so nothing is run by itself; `aa serve` has one".to_owned());
    }
    if remembered.is_none() {
        lines.push("no scheduler has ever seen it".to_owned());
    }
    if let Some((at, text)) = remembered.and_then(|row| row.polled.as_ref()) {
        lines.push(format!("asked for news {} ago: {text}", lapse(now - *at)));
    }
    if let Some(failing) = remembered.and_then(|row| row.failing) {
        let (count, since) = (failing.count, known.zone().show(failing.since));
        let times = if count == 1 { "once".to_owned() } else { format!("{count} times in a row") };
        lines.push(format!("polling fails: {times}, since {since}"));
    }
    let is_held = !known.compiled.enabled || remembered.is_some_and(|row| row.pause.is_some());
    match known.compiled.trigger.next(now, known.zone()) {
        Some(next) => {
            let due = if is_held { "if nothing held it, it would be due next" } else { "due next" };
            lines.push(format!("{due} at {}, in {}", known.zone().show(next), lapse(next - now)));
        }
        None if known.is_hook() => {}
        None => lines.push(never(known, slots)),
    }
    lines
}

/// Why a schedule is not due any more.
fn never(known: &Known, slots: &[Slot]) -> String {
    match &known.compiled.trigger {
        Trigger::At(moment) if slots.iter().all(|slot| !slot.kind.is_of_clock()) => {
            let moment = known.zone().show(*moment);
            format!(
                "it is never due: {moment} had passed when it was first seen, and what is past is not run"
            )
        }
        _ => "it is never due again".to_owned(),
    }
}

fn of_slot(known: &Known, slot: &Slot, waiting: Option<&Waiting>, now: Time) -> Reason {
    let zone = known.zone();
    let due = match slot.since {
        Some(since) if slot.count > 1 => {
            format!("{} times from {} to {}", slot.count, zone.show(since), zone.show(slot.due))
        }
        _ => zone.show(slot.due),
    };
    let waiting = waiting.filter(|waiting| slot.state == SlotState::Running && waiting.run == slot.run);
    let fate = waiting.map_or_else(|| fate(slot, now), |waiting| wait(known, waiting, now));
    let text = format!("{due}{}: {fate}", kind(slot.kind));
    Reason { at: slot.due, state: Some(slot.state), run: slot.run, text }
}

fn kind(kind: SlotKind) -> &'static str {
    match kind {
        SlotKind::Timed => "",
        SlotKind::CaughtUp => " (caught up)",
        SlotKind::Manual => " (by hand)",
        SlotKind::Backfill => " (filled in)",
        SlotKind::Poll => " (news)",
        SlotKind::Webhook => " (signed request)",
    }
}

fn fate(slot: &Slot, now: Time) -> String {
    let run = slot.run.map_or_else(|| "its run".to_owned(), |run| format!("run {run}"));
    let took = || match (slot.started, slot.ended) {
        (Some(started), Some(ended)) => format!(" after {}", lapse(ended - started)),
        _ => String::new(),
    };
    let why = if slot.why.is_empty() { String::new() } else { format!("; {}", slot.why) };
    let alert = if slot.alerted.is_some() { "; there was no success by its deadline" } else { "" };
    let text = match slot.state {
        SlotState::Ready if slot.attempt > 0 => {
            format!("is tried again at {}{why}", slot.at.format("%T UTC"))
        }
        SlotState::Ready if slot.at > now => {
            format!("starts {} after its time (`jitter`){why}", lapse(slot.at - slot.due))
        }
        SlotState::Ready => format!("waits for its turn{why}"),
        SlotState::Claimed => format!("is about to start{why}"),
        SlotState::Running => format!("{run} goes on{why}"),
        SlotState::Succeeded => format!("{run} went well{}{why}", took()),
        SlotState::Failed if slot.started.is_none() => format!("failed{why}"),
        SlotState::Failed => format!("{run} failed{}{why}", took()),
        SlotState::Cancelled => format!("{run} was cancelled{why}"),
        SlotState::Skipped => format!("was skipped{why}"),
        SlotState::Missed => format!("was missed{why}"),
    };
    format!("{text}{alert}")
}

#[cfg(test)]
mod tests {
    use aa_spec::schedule::{Schedule, Zone, compile, moment};
    use aa_spec::source::{Source, Span};
    use aa_spec::yaml::{self, Spanned};

    use super::*;
    use crate::schedule::Pause;
    use crate::schedule::book::Place;

    fn at(text: &str) -> Time {
        moment(text, &Zone::UTC).unwrap()
    }

    fn known() -> Known {
        let source = Source::new("config.yaml", "skill: ask\nevery: 1h\n");
        let written: Schedule = yaml::parse(&source).unwrap().read().unwrap();
        let name = Spanned { value: "askd".to_owned(), span: Span::default() };
        let compiled = compile((&name, &written), None, (&source, &Zone::UTC)).unwrap();
        Known::new(compiled, None, Place { path: "config.yaml".into(), line: 1 })
    }

    #[test]
    fn what_a_person_does_depends_on_what_is_waited_for() {
        let since = at("2026-03-01 10:00");
        let told = |run: Option<i64>, in_doubt| {
            let waiting = Waiting { run: run.map(RunId), since, in_doubt, mark: 0 };
            wait(&known(), &waiting, at("2026-03-01 10:05"))
        };
        let when = "2026-03-01 10:00:00 +00:00 (5m)";
        assert_eq!(told(Some(7), false), format!("run 7 waits for a person since {when}: `aa run show 7`"));
        let doubt =
            format!("run 7 waits since {when} for a person to say how a step ended: `aa run resolve 7`");
        assert_eq!(told(Some(7), true), doubt);
        assert_eq!(told(None, true), format!("a run of it waits for a person since {when}"));
    }

    #[test]
    fn what_is_held_is_not_said_to_be_due() {
        let now = at("2026-03-01 10:05");
        let row = |pause| Remembered {
            key: String::new(),
            decided: now,
            seen: now,
            pause,
            consent: None,
            polled: None,
            failing: None,
        };
        let lines = |row: &Remembered| now_lines(&known(), Some(row), (&[], true), (&[], now)).join("\n");
        assert_eq!(lines(&row(None)), "due next at 2026-03-01 11:00:00 +00:00, in 55m");
        let held = lines(&row(Some(Pause { at: now, by: "ann".to_owned(), why: String::new() })));
        assert!(held.contains("it is held by ann"), "{held}");
        assert!(held.contains("if nothing held it, it would be due next at 2026-03-01 11:00"), "{held}");
    }

    #[test]
    fn only_equal_skips_that_follow_each_other_are_summed_up() {
        let slot = |minute: u32, state, why: &str| Slot {
            state,
            why: why.to_owned(),
            ..crate::engine::new_slot(&known(), at(&format!("2026-03-01 10:{minute:02}")), SlotKind::Timed)
        };
        let (skipped, failed) = (SlotState::Skipped, SlotState::Failed);
        let slots = [
            slot(6, skipped, "a"),
            slot(5, skipped, "a"),
            slot(4, skipped, "b"),
            slot(3, failed, "a"),
            slot(2, failed, "a"),
            slot(1, skipped, "a"),
        ];
        let counts: Vec<u32> = summed(slots).iter().map(|slot| slot.count).collect();
        assert_eq!(counts, [2, 1, 1, 1, 1]);
    }
}
