//! What has become of the times of a schedule, and why, in plain words.

use chrono::TimeDelta;
use schemars::JsonSchema;
use serde::Serialize;

use super::book::Known;
use super::decide::lapse;
use super::service::Service;
use super::{Note, Remembered, Slot, SlotKind, SlotState};
use crate::event::Time;

/// One line of an explanation.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Reason {
    /// What it is about: a time of the schedule, or when something happened.
    pub at: Time,
    /// What has become of that time; none when it is about something else.
    pub state: Option<SlotState>,
    /// In words.
    pub text: String,
}

/// Explains the last times of a schedule, the newest first; before them what holds now.
pub fn reasons(
    known: &Known,
    remembered: Option<&Remembered>,
    (slots, notes): (&[Slot], &[Note]),
    (off, is_alive): (&[Service], bool),
    now: Time,
) -> Vec<Reason> {
    let mut reasons: Vec<Reason> = slots.iter().map(|slot| of_slot(known, slot, now)).collect();
    let since = slots.iter().map(|slot| slot.due).min().unwrap_or(now) - TimeDelta::hours(1);
    let told = notes.iter().filter(|note| note.at >= since || slots.is_empty());
    reasons.extend(told.map(|note| Reason { at: note.at, state: None, text: note.text.clone() }));
    reasons.sort_by_key(|reason| std::cmp::Reverse(reason.at));
    let present = now_lines(known, remembered, off, is_alive, now);
    let present = present.into_iter().map(|text| Reason { at: now, state: None, text });
    present.chain(reasons).collect()
}

/// What decides about the next time.
fn now_lines(
    known: &Known,
    remembered: Option<&Remembered>,
    off: &[Service],
    is_alive: bool,
    now: Time,
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
    match known.compiled.trigger.next(now, known.zone()) {
        Some(next) => {
            lines.push(format!("due next at {}, in {}", known.zone().show(next), lapse(next - now)));
        }
        None if known.is_hook() => {}
        None => lines.push("it is never due again".to_owned()),
    }
    lines
}

fn of_slot(known: &Known, slot: &Slot, now: Time) -> Reason {
    let zone = known.zone();
    let due = match slot.since {
        Some(since) if slot.count > 1 => {
            format!("{} times from {} to {}", slot.count, zone.show(since), zone.show(slot.due))
        }
        _ => zone.show(slot.due),
    };
    let text = format!("{due}{}: {}", kind(slot.kind), fate(slot, now));
    Reason { at: slot.due, state: Some(slot.state), text }
}

fn kind(kind: SlotKind) -> &'static str {
    match kind {
        SlotKind::Timed => "",
        SlotKind::Manual => " (by hand)",
        SlotKind::Backfill => " (filled in)",
        SlotKind::Poll => " (news)",
        SlotKind::Webhook => " (signed request)",
    }
}

fn fate(slot: &Slot, now: Time) -> String {
    let run = slot.run.map(|run| format!("run {run}")).unwrap_or_default();
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
        SlotState::Failed if run.is_empty() => format!("failed{why}"),
        SlotState::Failed => format!("{run} failed{}{why}", took()),
        SlotState::Cancelled => format!("{run} was cancelled{why}"),
        SlotState::Skipped => format!("was skipped{why}"),
        SlotState::Missed => format!("was missed{why}"),
    };
    format!("{text}{alert}")
}
