//! A checked schedule, which can be kept.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Caught, Cron, Overlap, Patterns, Zone};
use crate::template::{Expression, Template};

/// A time longer ago is missed, unless a schedule says otherwise.
const WINDOW_MS: u64 = 5 * 60_000;

/// A checked schedule. It can be kept, and read again without being checked again: what is as usual is left out then.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Compiled {
    /// Its canonical name; of a skill's schedule, `SKILL` or `SKILL.NAME`.
    pub name: String,
    /// Canonical name of the skill that it runs.
    pub skill: String,
    /// What it is for; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// What makes it due.
    pub trigger: Trigger,
    /// The zone of its times.
    pub zone: Zone,
    /// Whether it names that itself; otherwise it is the usual one of whoever reads it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub names_zone: bool,
    /// Inputs of the skill; a mapping.
    #[serde(default = "no_inputs", skip_serializing_if = "has_no_inputs")]
    pub inputs: Template,
    /// A persona that the skill has to belong to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persona: Option<String>,
    /// What to do when it is due while its last run still goes on.
    pub overlap: Overlap,
    /// What to do about times that nobody was there for.
    #[serde(default, skip_serializing_if = "CatchUp::is_usual")]
    pub catch_up: CatchUp,
    /// Starts up to so much later; 0 for on time.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub jitter_ms: u64,
    /// Runs the skill again when it fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetryDelays>,
    /// An alert is due when there is no success after so much time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_ms: Option<u64>,
    /// A run is cancelled after so much time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// Whom to tell; none for the configuration's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notify: Option<Box<Notified>>,
    /// Whether it is in force.
    pub enabled: bool,
}

/// What makes a schedule due.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// The clock of a zone.
    Cron(Cron),
    /// Time that passes.
    Every {
        /// From one to the next.
        every_ms: u64,
        /// A moment among them.
        anchor: DateTime<Utc>,
    },
    /// A moment.
    At(DateTime<Utc>),
    /// A tool that gives something new.
    Poll(Box<PollPlan>),
    /// Somebody who sends a signed request.
    Webhook(Box<WebhookPlan>),
}

/// A checked poll.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PollPlan {
    /// The tool that is asked.
    pub tool: String,
    /// Its arguments; a mapping.
    pub args: Template,
    /// How often.
    pub every_ms: u64,
    /// Over `result`: whether there is something to do.
    pub condition: Expression,
    /// Over `result`: what is new.
    pub key: Expression,
}

/// A checked webhook.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WebhookPlan {
    /// The name of the secret.
    pub secret: String,
    /// The header of the signature.
    pub header: String,
    /// The header of the time of sending.
    pub timestamp: Option<String>,
    /// How far that may be from now.
    pub tolerance_ms: u64,
    /// The header that tells deliveries apart.
    pub delivery: Option<String>,
    /// Over `body` and `headers`: whether there is something to do.
    pub condition: Option<Expression>,
}

/// What to do about times that nobody was there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatchUp {
    /// Times that are longer ago are missed.
    pub window_ms: u64,
    /// Which of the others are run.
    pub runs: Caught,
}

/// When a failed run is followed by another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryDelays {
    /// Runs in all.
    pub attempts: u32,
    /// Time before the second.
    pub delay_ms: u64,
    /// Longest time before one.
    pub max_delay_ms: u64,
}

impl Default for CatchUp {
    fn default() -> Self {
        Self { window_ms: WINDOW_MS, runs: Caught::Latest }
    }
}

impl CatchUp {
    fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

impl Trigger {
    /// Shares what is large with others of the same text.
    pub fn share(&mut self, patterns: &Patterns) {
        if let Self::Cron(cron) = self {
            *cron = patterns.same(cron.clone());
        }
    }
}

impl RetryDelays {
    /// Time between a run that has failed, counted from 1, and the next one.
    pub fn delay_after(&self, attempt: u32) -> u64 {
        let factor = 1_u64.checked_shl(attempt.saturating_sub(1)).unwrap_or(u64::MAX);
        self.delay_ms.saturating_mul(factor).min(self.max_delay_ms)
    }
}

/// Channels by kind of news.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notified {
    /// When a run has failed and is not tried again.
    pub failure: Vec<String>,
    /// When there is no success by the deadline.
    pub deadline: Vec<String>,
    /// When a run waits for a person.
    pub waiting: Vec<String>,
    /// When a run went well.
    pub success: Vec<String>,
}

pub(super) fn no_inputs() -> Template {
    Template::constant(Value::Object(Map::new()))
}

fn has_no_inputs(inputs: &Template) -> bool {
    inputs.source().as_object().is_some_and(Map::is_empty)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde calls")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}
