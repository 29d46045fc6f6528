//! Tests of a skill as their author wrote them: `<skill>.test.yaml` beside `<skill>.yaml`.
//!
//! Each test runs the skill with canned answers ([`crate::stub`]) and says what must come
//! of it. [`fit()`] holds a value against what is expected of it.

mod check;
mod fit;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) use self::check::check_matchers;
pub use self::check::{Calls, read};
pub use self::fit::{MATCHERS, Mismatch, fit};
use crate::stub::Stubs;
use crate::yaml::{Node, Spanned};

/// Tests of one skill.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "aa test file")]
pub struct Tests {
    /// The skill, when the file is not named after it.
    #[serde(default)]
    pub skill: Option<Spanned<String>>,
    /// The tests.
    pub tests: Vec<Test>,
}

/// One run of the skill, and what must come of it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Test {
    /// What is tested, unique in the file.
    pub name: Spanned<String>,
    /// Inputs of the run.
    #[serde(default)]
    pub inputs: Option<Node>,
    /// When the run starts, e.g. `2026-01-31T08:00:00Z`; time passes only in waits and delays.
    #[serde(default)]
    pub now: Option<Spanned<String>>,
    /// The number of the run, which templates see as `run.id` (default 1).
    #[serde(default, deserialize_with = "crate::skill::at_least_one")]
    #[schemars(range(min = 1, max = 4_294_967_295_u32))]
    pub run: Option<Spanned<u32>>,
    /// The folder that templates see as `run.folder` (default `/project`).
    #[serde(default)]
    pub folder: Option<Spanned<String>>,
    /// What the skill sees as `config`; nothing of the real configuration is.
    #[serde(default)]
    pub config: BTreeMap<String, Node>,
    /// Environment variables that the skill sees; nothing of the real environment is.
    #[serde(default)]
    pub env: BTreeMap<String, Spanned<String>>,
    /// Names of secrets that are there; tools see `‹secret:NAME›` in their place.
    #[serde(default)]
    pub secrets: Vec<Spanned<String>>,
    /// What tools give and people answer.
    #[serde(default)]
    pub stubs: Option<Stubs>,
    /// A file of canned answers (relative to this one) after those of `stubs`.
    #[serde(default)]
    pub cassette: Option<Spanned<String>>,
    /// What must come of the run.
    #[serde(default)]
    pub expect: Expect,
}

/// What must come of a run. A mapping may have more entries than are written here;
/// `{matches: REGEX}`, `{contains: …}`, `{equals: …}` and `{any: true}` stand for values.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Expect {
    /// How it ends (default `completed`).
    pub status: Option<Spanned<Status>>,
    /// Its results by name.
    pub outputs: Option<Node>,
    /// Why it fails: a part of the message, or a mapping of `kind`, `message`, `details`, `step`.
    pub error: Option<Node>,
    /// Every call, in order: `none`, a list of calls, or `{unordered: […]}`.
    #[schemars(with = "Option<check::CallsShape>")]
    pub calls: Option<Node>,
    /// How steps end, by their path, e.g. `build`, `fan[3]`, `release/build`.
    pub steps: BTreeMap<String, Spanned<StepStatus>>,
}

/// A call that must take place.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// Which tool.
    pub tool: Spanned<String>,
    /// Which step calls it.
    #[serde(default)]
    pub step: Option<Spanned<String>>,
    /// Its arguments; there may be more.
    #[serde(default)]
    pub args: Option<Node>,
}

/// How a run ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It succeeds.
    #[default]
    Completed,
    /// It fails.
    Failed,
    /// It is cancelled.
    Cancelled,
    /// It waits for a person.
    Waiting,
}

/// How a step ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StepStatus {
    /// It has a result.
    Completed,
    /// It did not run.
    Skipped,
    /// It failed.
    Failed,
}

impl Test {
    /// When the run starts, if the test says so.
    pub fn at(&self) -> Option<DateTime<Utc>> {
        let text = &self.now.as_ref()?.value;
        DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc())
    }
}

#[cfg(test)]
mod tests;
