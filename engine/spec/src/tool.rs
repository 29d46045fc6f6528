//! What is known of a tool before it is called, and a tool module as its author wrote it.

pub mod alias;
pub mod listener;
pub mod module;
pub mod recipe;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a call does to the world.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// Changes nothing.
    Read,
    /// Changes something that can be changed back.
    Write,
    /// Loses something that cannot be had back.
    Destructive,
    /// Not classified; treated as a write that must not be repeated.
    Unknown,
}

/// Why a call failed; drives retry, healing and recovery.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq, Hash)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// May work the next time.
    Transient,
    /// Will fail again.
    Permanent,
    /// Not logged in or not allowed.
    Auth,
    /// The other side could not be reached.
    Network,
    /// Took too long.
    Timeout,
    /// Someone stopped it.
    Cancelled,
    /// What was asked for does not exist.
    NotFound,
    /// The request itself was wrong.
    Invalid,
}

impl ErrorKind {
    /// Kinds that usually pass by themselves: what fails so is tried again where nothing else is said.
    pub const PASSING: [Self; 3] = [Self::Transient, Self::Timeout, Self::Network];
}

/// How prominently a tool is offered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// Offered first.
    #[default]
    Basic,
    /// Offered on request.
    Extra,
}

/// The public face of a tool.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, JsonSchema)]
pub struct ToolSpec {
    /// Name that skills use, e.g. `git_log`.
    pub name: String,
    /// Module it belongs to, e.g. `git`.
    pub module: String,
    /// What it does, in a sentence.
    pub description: String,
    /// JSON Schema of the arguments: an object schema with `properties`, `required`
    /// and `additionalProperties: false`.
    pub input: Value,
    /// The same as its server has written it, for those who show it, where that is shorter: what is referred to
    /// stands in it once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written: Option<Value>,
    /// JSON Schema of the result; `true` when anything may come.
    pub output: Value,
    /// What a call does to the world.
    pub effect: Effect,
    /// Whether calling it twice with the same arguments equals calling it once.
    pub idempotent: bool,
    /// Whether a step's call may be made again because all its attempts, also one after a crash, have one key, by
    /// which the other side knows it. Two steps, or two runs, have different ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keyed: Option<Keyed>,
    /// How prominently it is offered.
    #[serde(default)]
    pub tier: Tier,
    /// Whether it tells what goes on on this machine, whoever has it done: it is closed to other tenants than the
    /// main one then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub of_machine: bool,
    /// For so long, what a call of a client has read may be given to the same client again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_ms: Option<u64>,
    /// How to find out, after a crash, whether a call took place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reconcile: Option<Reconcile>,
    /// Where it is defined: `path:line`, or `built in`.
    pub source: String,
}

/// When a call has the key that its step is known by.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Keyed {
    /// Each.
    Always,
    /// Unless this argument is given, which takes the place of the key.
    Unless(String),
}

impl ToolSpec {
    /// Whether a step may make this call again when nobody knows whether it took place.
    pub fn repeats_in_step(&self, is_given: impl Fn(&str) -> bool) -> bool {
        let keyed = match &self.keyed {
            Some(Keyed::Always) => true,
            Some(Keyed::Unless(argument)) => !is_given(argument),
            None => false,
        };
        keyed || self.idempotent || self.effect == Effect::Read
    }
}

/// Asks the world whether an interrupted call took place.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Reconcile {
    /// Tool to ask, of effect `read`.
    pub tool: String,
    /// Its arguments; templates over `args` (the interrupted call's arguments), `started_at` (when
    /// the interrupted attempt started, an ISO time) and `idempotency_key` (the call's).
    #[serde(default)]
    pub args: Value,
    /// Expression over `result` (the answer), `args`, `started_at` and `idempotency_key`: true
    /// means the call took place.
    pub when: String,
    /// Expression over the same: what the interrupted call would have answered. Without it, the
    /// answer itself stands for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}
