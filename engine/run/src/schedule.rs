//! What runs although nobody is there.
//!
//! Reading order: here what there is of a schedule in the store, [`decide`] (which times are run, by a
//! pure function), [`book`] (the schedules that files define), [`scheduler`] (the loop that a process
//! owns), [`notify`] (how people are told), [`why`] (each decision in plain words).
//!
//! A time of a schedule is a row, unique by schedule and time, so it runs once in however many processes
//! look. It is decided in one transaction together with the mark up to which all is decided; it is claimed in
//! another; its run is found by a key made of schedule and time. So a process may die anywhere.

pub mod book;
pub mod decide;
pub mod notify;
mod pulse;
pub mod scheduler;
pub mod service;
pub mod why;

use aa_spec::schedule::Overlap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) use pulse::Pulse;

use crate::event::{RunId, Time};

/// What a time of a schedule came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SlotKind {
    /// The clock.
    Timed,
    /// The clock, when nobody was there: one of all the times that are run all the same.
    CaughtUp,
    /// Somebody who wanted it now.
    Manual,
    /// Somebody who wanted the past.
    Backfill,
    /// A tool that gave something new.
    Poll,
    /// A signed request.
    Webhook,
}

/// Where a time of a schedule stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SlotState {
    /// It is to be run, at its `at` or after what runs now.
    Ready,
    /// A process is about to start its run.
    Claimed,
    /// Its run goes on.
    Running,
    /// Its run went well.
    Succeeded,
    /// Its run failed, and there is no other.
    Failed,
    /// Its run was cancelled.
    Cancelled,
    /// It was not run, because of what else there was.
    Skipped,
    /// It was not run, because nobody was there.
    Missed,
}

/// A time of a schedule, and what has become of it.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Slot {
    /// Key of the schedule.
    #[serde(skip)]
    pub schedule: String,
    /// When it was due.
    pub due: Time,
    /// Of a row for several missed times, the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
    /// How many times it stands for.
    pub count: u32,
    /// What it came from.
    pub kind: SlotKind,
    /// Where it stands.
    pub state: SlotState,
    /// When it may start.
    pub at: Time,
    /// Runs of it that were begun.
    pub attempt: u32,
    /// Its last run.
    pub run: Option<RunId>,
    /// When that was started.
    pub started: Option<Time>,
    /// When it was over.
    pub ended: Option<Time>,
    /// By when there has to be a success.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Time>,
    /// When somebody was told that there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alerted: Option<Time>,
    /// Why it is as it is; may be empty.
    pub why: String,
    /// Inputs that cannot be worked out from the time.
    #[serde(skip)]
    pub inputs: Option<String>,
    /// Who is about to start it.
    #[serde(skip)]
    pub owner: Option<String>,
}

/// That the run of a time goes on only when a person does something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Waiting {
    /// The run; null when it is not there for you.
    pub run: Option<RunId>,
    /// Since when it waits.
    pub since: Time,
    /// Whether it asks nothing, but nobody can tell how one of its steps ended.
    pub in_doubt: bool,
    /// Number of the last event that has made it wait: the same for as long as it waits for the same.
    #[serde(skip)]
    pub(crate) mark: u64,
}

/// Why a schedule is held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Pause {
    /// Since when.
    pub at: Time,
    /// By whom; empty when nobody has ever let it run.
    pub by: String,
    /// Why; may be empty.
    pub why: String,
}

/// What the store knows of a schedule.
#[derive(Clone, Debug, PartialEq)]
pub struct Remembered {
    /// Its key.
    pub key: String,
    /// All its times until this one are decided.
    pub decided: Time,
    /// Since when it is known.
    pub seen: Time,
    /// Whether it is held.
    pub pause: Option<Pause>,
    /// Hash of what somebody let run, of a project's schedule; none when nobody did.
    pub consent: Option<String>,
    /// When a poll last asked, and what came of it.
    pub polled: Option<(Time, String)>,
    /// That it fails, if it does.
    pub failing: Option<Failing>,
}

/// That a poll fails again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Failing {
    /// How often in a row.
    pub count: u32,
    /// When it began to.
    pub since: Time,
}

/// Something that happened to a scheduler.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Note {
    /// When.
    pub at: Time,
    /// What.
    pub text: String,
}

impl Slot {
    /// Whether it is a time of the past whose turn comes after that of the earlier ones.
    pub(crate) fn is_filled_in_turn(&self, overlap: Overlap) -> bool {
        self.kind.is_in_turn() && overlap != Overlap::Allow
    }
}

impl SlotState {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Ready,
        Self::Claimed,
        Self::Running,
        Self::Succeeded,
        Self::Failed,
        Self::Cancelled,
        Self::Skipped,
        Self::Missed,
    ];

    /// In a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Claimed => "claimed",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Skipped => "skipped",
            Self::Missed => "missed",
        }
    }

    /// Whether something will still become of it.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Ready | Self::Claimed | Self::Running)
    }
}

impl SlotKind {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Timed, Self::CaughtUp, Self::Manual, Self::Backfill, Self::Poll, Self::Webhook];

    /// In a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Timed => "timed",
            Self::CaughtUp => "caught_up",
            Self::Manual => "manual",
            Self::Backfill => "backfill",
            Self::Poll => "poll",
            Self::Webhook => "webhook",
        }
    }

    /// Whether it is one of several times of the past that are all wanted, and so none is skipped for another.
    pub fn is_in_turn(self) -> bool {
        matches!(self, Self::Backfill | Self::CaughtUp)
    }

    /// Whether the clock has brought it.
    pub fn is_of_clock(self) -> bool {
        matches!(self, Self::Timed | Self::CaughtUp)
    }
}
