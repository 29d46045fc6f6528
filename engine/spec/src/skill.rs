//! A skill as its author wrote it.
//!
//! These types are the format: `serde` reads them (through [`crate::shape`]),
//! `schemars` turns them and their comments into `schemas/skill.json`. The
//! dialect is described in `README.md`; its meaning is decided in [`crate::check`].

mod input;

use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

pub use self::input::Input;
use crate::form::Fields;
use crate::yaml::{Node, Spanned};

/// A skill: a DAG of steps with typed inputs and outputs.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "aa skill")]
pub struct Skill {
    /// Name of the skill; equals the file's stem (`-` and `_` are the same letter).
    pub name: Spanned<String>,
    /// What it is for, in a sentence or two.
    pub description: Spanned<String>,
    /// Version of the skill, informational.
    #[serde(default)]
    pub version: Option<Spanned<String>>,
    /// Typed inputs.
    #[serde(default)]
    pub inputs: Vec<Input>,
    /// Constants that templates see as `defaults`.
    #[serde(default)]
    pub defaults: Option<Node>,
    /// Environment variables that templates may read as `env.NAME`.
    #[serde(default)]
    pub env: Vec<Spanned<String>>,
    /// The whole run must end within this time, e.g. `30m`.
    #[serde(default, deserialize_with = "crate::duration::written")]
    #[schemars(with = "Option<crate::duration::Written>")]
    pub timeout: Option<Spanned<String>>,
    /// What to do when the run fails or is cancelled.
    #[serde(default)]
    pub on_failure: Option<Spanned<OnFailure>>,
    /// At most this many steps of the skill run at once (default 16).
    #[serde(default, deserialize_with = "at_least_one")]
    #[schemars(range(min = 1, max = 4_294_967_295_u32))]
    pub concurrency: Option<Spanned<u32>>,
    /// Whether a call by an AI client becomes a task, which the client polls (default `auto`).
    #[serde(default)]
    pub as_task: Option<Spanned<AsTask>>,
    /// The steps.
    pub steps: Vec<Step>,
    /// Named results of the skill.
    #[serde(default)]
    pub outputs: Vec<Output>,
    /// Words to find the skill by.
    #[serde(default)]
    pub tags: Vec<Spanned<String>>,
    /// When it runs by itself: a schedule, or a list of them.
    #[serde(default)]
    pub schedule: Option<crate::schedule::OfSkill>,
}

/// Whether a call by an AI client becomes a task.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AsTask {
    /// When it is not over soon, and the client knows tasks (default).
    #[default]
    Auto,
    /// At once, when the client knows tasks: it is known to take long.
    Always,
    /// At once; a client that knows no tasks is refused.
    Required,
    /// Never: the call is answered with the outputs.
    Never,
}

impl AsTask {
    /// Whether nothing was said.
    #[must_use]
    pub fn is_auto(&self) -> bool {
        *self == Self::Auto
    }
}

/// What a failed or cancelled run does before it ends.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFailure {
    /// Leave things as they are (default).
    Stop,
    /// Run the `undo` of every completed step, newest first.
    Undo,
}

/// One step: exactly one of `tool`, `compute`, `skill`, `confirm`, `wait`, `then`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Name of the step, unique in the skill.
    pub name: Spanned<String>,
    /// What it does.
    #[serde(default)]
    pub description: Option<Spanned<String>>,

    /// Calls a tool.
    #[serde(default)]
    pub tool: Option<Spanned<String>>,
    /// Runs sandboxed Python.
    #[serde(default)]
    pub compute: Option<Spanned<String>>,
    /// Runs another skill.
    #[serde(default)]
    pub skill: Option<Spanned<String>>,
    /// Asks a person.
    #[serde(default)]
    pub confirm: Option<Confirm>,
    /// Waits for a duration (`10s`) or until a time (`{until: …}`).
    #[serde(default)]
    pub wait: Option<Node>,
    /// Ends the skill early: `[{return: …}]`.
    #[serde(default)]
    pub then: Option<Node>,

    /// Arguments of the tool, or inputs of the sub-skill; templates allowed.
    #[serde(default)]
    pub args: Option<Node>,
    /// Runs the step only when this expression is true; otherwise its output is null.
    #[serde(default)]
    pub condition: Option<Node>,
    /// Steps to wait for, instead of the order of the file.
    #[serde(default)]
    pub needs: Option<Vec<Spanned<String>>>,
    /// Runs the step once per item of this list; `item` and `index` are in scope.
    #[serde(default)]
    pub foreach: Option<Node>,
    /// With `foreach`: at most this many items at once (default 1).
    #[serde(default, deserialize_with = "at_least_one")]
    #[schemars(range(min = 1, max = 4_294_967_295_u32))]
    pub concurrency: Option<Spanned<u32>>,
    /// Variable that holds the result; default: the step's name.
    #[serde(default)]
    pub output: Option<Spanned<String>>,
    /// Tries again after a failure.
    #[serde(default)]
    pub retry: Option<Retry>,
    /// One attempt must end within this time, e.g. `2m`.
    #[serde(default, deserialize_with = "crate::duration::written")]
    #[schemars(with = "Option<crate::duration::Written>")]
    pub timeout: Option<Spanned<String>>,
    /// What a failure does to the run.
    #[serde(default)]
    pub on_error: Option<Spanned<OnError>>,
    /// How to take the step back.
    #[serde(default)]
    pub undo: Option<Undo>,
    /// Assertions on the result that fail the step.
    #[serde(default)]
    pub validate: Vec<Validation>,
}

/// What a failed step does to the run.
#[derive(Clone, Copy, Debug, Default, Deserialize, serde::Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum OnError {
    /// The run fails (default).
    #[default]
    Fail,
    /// The step's output is null and the run goes on.
    Continue,
    /// The heal rules are tried; when none helps, the run fails.
    AutoHeal,
    /// The heal rules are tried; when none helps, the step's output is null and the run goes on.
    AutoHealOrContinue,
}

impl OnError {
    /// Whether heal rules are tried.
    pub fn heals(self) -> bool {
        matches!(self, Self::AutoHeal | Self::AutoHealOrContinue)
    }

    /// Whether the run goes on when nothing else helps.
    pub fn goes_on(self) -> bool {
        matches!(self, Self::Continue | Self::AutoHealOrContinue)
    }
}

/// A question to a person.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Confirm {
    /// The question; templates allowed.
    pub message: Spanned<String>,
    /// Possible answers; default `[approve, reject]`. The step's output is the answer. Where no later step reads it,
    /// `reject` and `cancel` fail the step, so that nothing after it is done.
    #[serde(default)]
    pub options: Vec<Spanned<String>>,
    /// Fields to fill in, instead of options. The step's output is an object of them.
    #[serde(default)]
    pub form: Option<Spanned<Fields>>,
    /// The answer when nobody answers in time.
    #[serde(default)]
    pub default: Option<Spanned<String>>,
    /// How long to wait for an answer; without it, for ever.
    #[serde(default, deserialize_with = "crate::duration::written")]
    #[schemars(with = "Option<crate::duration::Written>")]
    pub timeout: Option<Spanned<String>>,
}

/// When and how often to try again.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// Attempts in all, the first included.
    #[serde(deserialize_with = "some_at_least_one")]
    #[schemars(range(min = 1, max = 100))]
    pub attempts: Spanned<u32>,
    /// How the delay grows (default `exponential`).
    #[serde(default)]
    pub backoff: Option<Spanned<Backoff>>,
    /// Delay before the second attempt (default `1s`).
    #[serde(default, deserialize_with = "crate::duration::written")]
    #[schemars(with = "Option<crate::duration::Written>")]
    pub delay: Option<Spanned<String>>,
    /// Longest delay (default `1m`).
    #[serde(default, deserialize_with = "crate::duration::written")]
    #[schemars(with = "Option<crate::duration::Written>")]
    pub max_delay: Option<Spanned<String>>,
    /// Error kinds that are worth another attempt (default `[transient, timeout, network]`,
    /// and with `when` all of them).
    #[serde(default)]
    pub on: Option<Vec<Spanned<crate::tool::ErrorKind>>>,
    /// Tries again only when this expression is true; `error` and `attempt` are in scope.
    #[serde(default)]
    pub when: Option<Node>,
}

/// How the delay between attempts grows.
#[derive(Clone, Copy, Debug, Deserialize, serde::Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Backoff {
    /// The same delay each time.
    Constant,
    /// `delay`, twice `delay`, three times `delay` …
    Linear,
    /// Twice as long each time.
    Exponential,
}

/// The tool call that takes a step back.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Undo {
    /// Tool to call.
    pub tool: Spanned<String>,
    /// Its arguments; templates allowed, the step's own output is in scope.
    #[serde(default)]
    pub args: Option<Node>,
}

/// An assertion on a step's result.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Validation {
    /// Must be true after the step.
    pub condition: Node,
    /// Said when it is not; templates allowed.
    #[serde(default)]
    pub message: Option<Spanned<String>>,
}

/// A named result of the skill.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// Name of the result.
    pub name: Spanned<String>,
    /// Its value; templates allowed. Default: the variable of the same name.
    #[serde(default)]
    pub value: Option<Node>,
    /// What it is.
    #[serde(default)]
    pub description: Option<Spanned<String>>,
    /// JSON Schema type of the value: another one fails the run. Null is always possible, since the step that gives the
    /// value may have been skipped.
    #[serde(default, rename = "type")]
    pub kind: Option<Spanned<String>>,
}

/// A number of things of which there must be one.
pub(crate) fn some_at_least_one<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Spanned<u32>, D::Error> {
    let Spanned { value, span } = Spanned::<u64>::deserialize(deserializer)?;
    match u32::try_from(value) {
        Ok(value) if value > 0 => Ok(Spanned { value, span }),
        _ => Err(D::Error::custom(format_args!("`{value}` must be a whole number from 1 to {}", u32::MAX))),
    }
}

/// The same, where it may be left out.
pub(crate) fn at_least_one<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Spanned<u32>>, D::Error> {
    some_at_least_one(deserializer).map(Some)
}
