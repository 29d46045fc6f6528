//! Which times of a schedule are run: pure functions of the schedule, of what is decided already, and of
//! the time.

use aa_spec::schedule::{Caught, Compiled, Overlap};
use chrono::TimeDelta;

use super::SlotState;
use crate::event::Time;

/// A time that is noticed so much later is on time; `docs/schedules.md` says so.
pub const GRACE: TimeDelta = TimeDelta::seconds(10);
/// Missed times that are counted one by one.
const COUNTED: u32 = 10_000;
/// Missed times of one schedule that are decided at once when all of them are run; others have their turn before the next ones.
const ROWS: usize = 100;

/// What becomes of a time, or of several that are missed for the same reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is run.
    Run {
        /// The time.
        due: Time,
        /// When its run may start.
        at: Time,
        /// Why it is run only now; empty when it is on time.
        why: String,
    },
    /// They are not.
    Missed {
        /// The first.
        since: Time,
        /// The last.
        due: Time,
        /// How many.
        count: u32,
        /// Why.
        why: String,
    },
}

/// What was decided, and up to when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// Each decision, by its time.
    pub decisions: Vec<Decision>,
    /// All times until this one are decided: now, unless there are too many to decide them at once.
    pub until: Time,
}

/// Decides the times after `decided` and until `now`, or the first of them when they are very many. Before `back`
/// nobody was there to notice any; those that are `taken` have a row already.
pub fn decide(
    schedule: &Compiled,
    (decided, now): (Time, Time),
    back: Time,
    taken: &dyn Fn(Time) -> bool,
) -> Decided {
    let window = milliseconds(schedule.catch_up.window_ms);
    let opens = now.checked_sub_signed(window.max(GRACE)).unwrap_or(Time::MIN_UTC);
    let mut decisions: Vec<Decision> = too_long_ago(schedule, (decided, opens)).into_iter().collect();
    let from = decided.max(opens - TimeDelta::milliseconds(1));
    let (all, until) = first_of(schedule, (from, now));
    let is_rest = until == now;
    // After a clock was put back, a later time may have been run already.
    let is_newest_taken = all.last().is_some_and(|due| taken(*due));
    let due = all.into_iter().filter(|due| !taken(*due));
    let (late, on_time) = parted(schedule, due.collect(), (back, now));
    let run_from = match schedule.catch_up.runs {
        Caught::All => 0,
        Caught::Latest if is_rest && on_time.is_empty() && !is_newest_taken => late.len().saturating_sub(1),
        Caught::Latest | Caught::None => late.len(),
    };
    let (missed, run) = late.split_at(run_from);
    if let (Some(since), Some(due)) = (missed.first(), missed.last()) {
        let count = u32::try_from(missed.len()).unwrap_or(u32::MAX);
        let why = match schedule.catch_up.runs {
            Caught::None => "nobody was there, and `catch_up` runs nothing late",
            _ => "nobody was there, and a later time is run instead",
        };
        decisions.push(Decision::Missed { since: *since, due: *due, count, why: why.to_owned() });
    }
    let late =
        |due: &Time| (*due, format!("nobody was there at that time; it is run {} late", lapse(now - *due)));
    let runs = run.iter().map(late).chain(on_time.iter().map(|due| (*due, String::new())));
    decisions.extend(runs.map(|(due, why)| Decision::Run { due, at: due + jitter(schedule, due), why }));
    Decided { decisions, until }
}

/// The times that are late, and those that are on time. Of several that came while nobody was there, the last one at most is
/// on time: to begin the others at the same moment would only have them overlap. Where all of them are run, they are run one
/// after the other instead.
fn parted(schedule: &Compiled, due: Vec<Time>, (back, now): (Time, Time)) -> (Vec<Time>, Vec<Time>) {
    let last = due.last().copied().filter(|_| schedule.catch_up.runs != Caught::All);
    due.into_iter().partition(|due| now - *due > GRACE || *due < back && Some(*due) != last)
}

/// As many of the times between two moments as are decided at once, and up to when these are all there are.
fn first_of(schedule: &Compiled, (from, now): (Time, Time)) -> (Vec<Time>, Time) {
    let most = if schedule.catch_up.runs == Caught::All { ROWS } else { COUNTED as usize };
    let mut times = schedule.trigger.between(from, now, &schedule.zone);
    let all: Vec<Time> = times.by_ref().take(most).collect();
    let until = match (times.next(), all.last()) {
        (Some(_), Some(last)) => *last,
        _ => now,
    };
    (all, until)
}

/// The times before the window of catching up, as one decision.
fn too_long_ago(schedule: &Compiled, (decided, opens): (Time, Time)) -> Option<Decision> {
    let until = opens - TimeDelta::milliseconds(1);
    let mut times = schedule.trigger.between(decided, until, &schedule.zone);
    let since = times.next()?;
    let (mut due, mut count) = (since, 1);
    for time in times.take(COUNTED as usize - 1) {
        (due, count) = (time, count + 1);
    }
    let more = if count == COUNTED { " (these are the first of them)" } else { "" };
    let window = lapse(milliseconds(schedule.catch_up.window_ms));
    let why = format!("nobody was there, and it is longer ago than the {window} of `catch_up`{more}");
    Some(Decision::Missed { since, due, count, why })
}

/// How much later than it is due a time is run: always the same for the same time of the same schedule.
pub fn jitter(schedule: &Compiled, due: Time) -> TimeDelta {
    if schedule.jitter_ms == 0 {
        return TimeDelta::zero();
    }
    let digest = aa_spec::plan::digest(format!("{}\n{}", schedule.name, due.timestamp_millis()));
    let number = u64::from_str_radix(&digest[..15], 16).unwrap_or(0);
    milliseconds(number % schedule.jitter_ms)
}

/// What becomes of a time that is to be run now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It is run.
    Go,
    /// It is run, and what goes on is cancelled.
    Replace,
    /// It is run later.
    Wait,
    /// It is not run.
    Skip,
}

/// What becomes of a time while another one of the same schedule is under way, or not.
pub fn turn(overlap: Overlap, others: usize) -> Turn {
    match overlap {
        _ if others == 0 => Turn::Go,
        Overlap::Allow => Turn::Go,
        Overlap::CancelPrevious => Turn::Replace,
        Overlap::Queue => Turn::Wait,
        Overlap::Skip => Turn::Skip,
    }
}

/// What becomes of a time whose run has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Where it stands then.
    pub state: SlotState,
    /// When it is run again.
    pub again: Option<Time>,
    /// Why, in plain words.
    pub why: String,
}

/// Judges a run's end: `failure` says how it failed, if it did.
pub fn judge(schedule: Option<&Compiled>, attempt: u32, failure: Option<&str>, now: Time) -> Verdict {
    let Some(failure) = failure else {
        return Verdict { state: SlotState::Succeeded, again: None, why: String::new() };
    };
    let failure = failure.lines().next().unwrap_or_default();
    let retry = schedule.and_then(|schedule| schedule.retry).filter(|retry| attempt < retry.attempts);
    match retry {
        Some(retry) => {
            let delay = milliseconds(retry.delay_after(attempt));
            let why = format!(
                "run {attempt} of {} failed ({failure}); the next one follows after {}",
                retry.attempts,
                lapse(delay)
            );
            Verdict { state: SlotState::Ready, again: Some(now + delay), why }
        }
        None => Verdict { state: SlotState::Failed, again: None, why: failure.to_owned() },
    }
}

/// A number of milliseconds as a difference.
pub fn milliseconds(ms: u64) -> TimeDelta {
    let most = TimeDelta::days(400_000);
    i64::try_from(ms).ok().and_then(TimeDelta::try_milliseconds).unwrap_or(most).min(most)
}

/// A difference in time as people say it, e.g. `2h 5m`.
pub fn lapse(delta: TimeDelta) -> String {
    let seconds = delta.num_seconds().max(0);
    let units = [(86_400, "d"), (3600, "h"), (60, "m"), (1, "s")];
    let first = units.iter().position(|(size, _)| seconds >= *size).unwrap_or(3);
    let (size, unit) = units[first];
    let rest = seconds % size;
    match units.get(first + 1) {
        Some((next, small)) if rest >= *next => format!("{}{unit} {}{small}", seconds / size, rest / next),
        _ => format!("{}{unit}", seconds / size),
    }
}

#[cfg(test)]
mod tests;
