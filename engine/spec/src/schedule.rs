//! Schedules: when a skill runs although nobody is there.
//!
//! ```yaml
//! schedules:
//!   nightly:
//!     skill: clean_up
//!     cron: "30 2 * * mon-fri"
//!     timezone: Europe/Berlin
//! ```
//!
//! A schedule stands in the configuration under `schedules:`, or in the skill that it is for under
//! `schedule:`. Reading order: here what authors write, [`compile`] (what it means, and everything that
//! is wrong with it), [`compiled`] (what comes of that), [`occurrence`] (when it is due: pure functions of a schedule and a moment).

mod check;
mod compile;
mod compiled;
mod cron;
mod occurrence;
mod zone;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::yaml::{Node, Spanned};

pub use self::check::check;
pub(crate) use self::check::{channels, place, zone_problem};
pub(crate) use self::compile::secret;
pub use self::compile::{compile, compile_sharing, names};
pub use self::compiled::{CatchUp, Compiled, Notified, PollPlan, RetryDelays, Trigger, WebhookPlan};
pub use self::cron::{Cron, Patterns};
pub use self::zone::{Zone, moment};

/// When a skill runs by itself: exactly one of `cron`, `every`, `at`, `poll`, `webhook`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Schedule {
    /// The skill to run; only in the configuration, since a schedule in a skill is for that skill.
    pub skill: Option<Spanned<String>>,
    /// What tells the schedules of a skill apart; only in a skill. The schedule is called `SKILL.NAME` then.
    pub name: Option<Spanned<String>>,
    /// What it is for.
    pub description: Option<Spanned<String>>,

    /// Five or six fields (`0 2 * * mon-fri`; with six the first is seconds), or `@hourly`, `@daily`,
    /// `@weekly`, `@monthly`, `@yearly`.
    pub cron: Option<Spanned<String>>,
    /// Again and again after so much time, e.g. `15m`.
    #[serde(deserialize_with = "crate::duration::written")]
    #[schemars(with = "Option<crate::duration::Written>")]
    pub every: Option<Spanned<String>>,
    /// With `every`: a moment from which it is counted, both ways (default: midnight of 1970-01-01).
    pub anchor: Option<Spanned<String>>,
    /// Once, at this moment: `2026-03-01T09:00:00Z`, or without an offset in the `timezone`.
    pub at: Option<Spanned<String>>,
    /// When a tool gives something new.
    pub poll: Option<Poll>,
    /// When somebody sends a signed request to `/hooks/NAME`.
    pub webhook: Option<Webhook>,

    /// IANA name of the zone of all times, e.g. `Europe/Berlin` (default: `scheduler.timezone`, or else
    /// that of the machine).
    pub timezone: Option<Spanned<String>>,
    /// Inputs of the skill; templates over `due`, with `poll` over `result`, with `webhook` over `body`
    /// and `headers`.
    pub inputs: BTreeMap<String, Node>,
    /// A persona that the skill has to belong to.
    pub persona: Option<Spanned<String>>,
    /// What to do when it is due while its last run still goes on (default `skip`; of `poll` and `webhook`
    /// `queue`, so that no news is lost).
    pub overlap: Option<Spanned<Overlap>>,
    /// What to do about times that nobody was there for (default: the latest of the last 5 minutes).
    pub catch_up: Option<CatchUpWritten>,
    /// Starts up to so much later, always the same for the same time, so that not everything starts at once.
    #[serde(deserialize_with = "crate::duration::written")]
    #[schemars(with = "Option<crate::duration::Written>")]
    pub jitter: Option<Spanned<String>>,
    /// Runs the skill again when a run of it fails.
    pub retry: Option<ScheduleRetry>,
    /// An alert is sent when there is no success so long after the time that it was due.
    #[serde(deserialize_with = "crate::duration::written")]
    #[schemars(with = "Option<crate::duration::Written>")]
    pub deadline: Option<Spanned<String>>,
    /// A run is cancelled after so much time, and has failed.
    #[serde(deserialize_with = "crate::duration::written")]
    #[schemars(with = "Option<crate::duration::Written>")]
    pub timeout: Option<Spanned<String>>,
    /// Whom to tell, by channels of `notify:` in the configuration (default: its `default`).
    pub notify: Option<NotifyWritten>,
    /// Whether it is in force (default `true`).
    pub enabled: Option<Spanned<bool>>,
}

/// Asks a tool again and again, and runs the skill when there is something new.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Poll {
    /// A tool that only reads.
    pub tool: Spanned<String>,
    /// Its arguments.
    #[serde(default)]
    pub args: Option<Node>,
    /// How often it is asked, e.g. `5m`.
    #[serde(default, deserialize_with = "crate::duration::written")]
    #[schemars(with = "Option<crate::duration::Written>")]
    pub every: Option<Spanned<String>>,
    /// Expression over `result`: whether there is something to do (default: whether the result is
    /// anything but null, false, 0 or empty).
    #[serde(default)]
    pub condition: Option<Spanned<String>>,
    /// Expression over `result` that tells what is new from what was seen before: a key that is known
    /// runs nothing (default: the whole result).
    #[serde(default)]
    pub key: Option<Spanned<String>>,
}

/// Signed requests to `/hooks/NAME`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// The secret that both sides know, as `"{{ secrets.NAME }}"`.
    pub secret: Spanned<String>,
    /// Header that holds the HMAC-SHA256 of the body in hex, with or without `sha256=` before it (default
    /// `X-Hub-Signature-256`).
    #[serde(default)]
    pub header: Option<Spanned<String>>,
    /// Header that holds the time of sending in seconds since 1970. With it, what is signed is
    /// `TIMESTAMP.BODY`.
    #[serde(default)]
    pub timestamp: Option<Spanned<String>>,
    /// With `timestamp`: how far that time may be from now (default `5m`).
    #[serde(default, deserialize_with = "crate::duration::written")]
    #[schemars(with = "Option<crate::duration::Written>")]
    pub tolerance: Option<Spanned<String>>,
    /// Header that tells deliveries apart: one that came before runs nothing. A signature that came before
    /// never does.
    #[serde(default)]
    pub delivery: Option<Spanned<String>>,
    /// Expression over `body` and `headers`: whether there is something to do (default: always).
    #[serde(default)]
    pub condition: Option<Spanned<String>>,
}

/// What to do when a schedule is due while its last run still goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// This time is skipped.
    #[default]
    Skip,
    /// It runs after the other has ended.
    Queue,
    /// The other is cancelled, then it runs.
    CancelPrevious,
    /// Both run.
    Allow,
}

/// What to do about times that nobody was there for.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "CatchUp")]
pub struct CatchUpWritten {
    /// Times that are longer ago are missed (default `5m`).
    #[serde(deserialize_with = "crate::duration::written")]
    #[schemars(with = "Option<crate::duration::Written>")]
    pub window: Option<Spanned<String>>,
    /// Which of the others are run (default `latest`).
    pub runs: Option<Spanned<Caught>>,
}

/// Which late times are run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Caught {
    /// None of them.
    None,
    /// The last one (default).
    #[default]
    Latest,
    /// All of them, one after the other.
    All,
}

/// Runs the skill again when a run of it fails.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScheduleRetry {
    /// Runs in all, the first included.
    #[serde(deserialize_with = "crate::skill::some_at_least_one")]
    #[schemars(range(min = 1, max = 4_294_967_295_u32))]
    pub attempts: Spanned<u32>,
    /// Time before the second run, twice as long each time (default `1m`).
    #[serde(default, deserialize_with = "crate::duration::written")]
    #[schemars(with = "Option<crate::duration::Written>")]
    pub delay: Option<Spanned<String>>,
    /// Longest time before a run (default `1h`).
    #[serde(default, deserialize_with = "crate::duration::written")]
    #[schemars(with = "Option<crate::duration::Written>")]
    pub max_delay: Option<Spanned<String>>,
}

/// Whom to tell: channels for everything, or for each kind of news.
pub type NotifyWritten = Either<Vec<Spanned<String>>, NotifyEach>;

/// Channels for each kind of news.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NotifyEach {
    /// When a run has failed and is not tried again.
    pub failure: Vec<Spanned<String>>,
    /// When there is no success by the deadline.
    pub deadline: Vec<Spanned<String>>,
    /// When a run waits for a person.
    pub waiting: Vec<Spanned<String>>,
    /// When a run went well.
    pub success: Vec<Spanned<String>>,
}

impl NotifyWritten {
    /// All channels that are named.
    pub fn names(&self) -> Vec<&Spanned<String>> {
        channels(self)
    }
}

/// A value of one of two forms, of which one is a list and the other a mapping.
#[derive(Clone, Debug, JsonSchema)]
#[serde(untagged)]
pub enum Either<L, M> {
    /// The list.
    List(L),
    /// The mapping.
    Map(M),
}

impl<'de, L: serde::de::DeserializeOwned, M: serde::de::DeserializeOwned> Deserialize<'de> for Either<L, M> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let node = Node::deserialize(deserializer)?;
        let read = if matches!(node.kind, crate::yaml::Kind::List(_)) {
            node.read().map(Self::List)
        } else {
            node.read().map(Self::Map)
        };
        read.map_err(serde::de::Error::custom)
    }
}

/// The schedules that a skill has: one, or a list of them.
pub type OfSkill = Either<Vec<Schedule>, Box<Schedule>>;

#[cfg(test)]
mod tests;
