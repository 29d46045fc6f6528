//! Python in skills: what a block is, once it is checked.
//!
//! A block is Python source that reads variables of the skill and gives one value. It
//! has no files, network, clock or randomness; whatever it does to the world goes
//! through tools and skills that its text names, so a plan knows them all beforehand.
//! Given the same values and the same answers of its calls it does the same, always.

#[cfg(feature = "compute")]
mod edit;
#[cfg(feature = "compute")]
pub(crate) mod expression;
#[cfg(feature = "compute")]
pub mod modules;
#[cfg(feature = "compute")]
mod operation;
#[cfg(feature = "compute")]
pub mod python;
#[cfg(feature = "compute")]
pub(crate) mod reading;
#[cfg(feature = "compute")]
mod scope;
#[cfg(feature = "compute")]
pub mod vocabulary;
#[cfg(feature = "compute")]
mod walk;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::tool::{Effect, ErrorKind, Reconcile};

/// A checked block, as a plan pins it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Block {
    /// As its author wrote it.
    pub source: String,
    /// What the interpreter gets: the source rewritten in place, so that line `n` of the
    /// one is line `n` of the other. It ends with an expression that gives the result.
    pub code: String,
    /// Line of the skill's file on which the source begins, from 1.
    pub line: u32,
    /// Names that it takes from the skill, canonical and in order: outputs of earlier
    /// steps, `inputs`, `config`, `item` …
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<String>,
    /// Names that it defines itself beforehand, which the interpreter has to bring in:
    /// `re`, `json`, `memory`, `parse_mr_list` …
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub imports: Vec<String>,
    /// Whether it asks which names there are (`'x' in dir()`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lists_names: bool,
    /// What it may call, by canonical name of the tool or skill.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub calls: BTreeMap<String, Callee>,
}

/// A tool or skill that a block may call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Callee {
    /// Which of the two it is.
    pub kind: CalleeKind,
    /// What a call does to the world.
    pub effect: Effect,
    /// Whether a call may be repeated after a crash.
    pub idempotent: bool,
    /// How to find out after a crash whether a call took place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reconcile: Option<Reconcile>,
    /// Other names of its arguments, to the right ones.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub aliases: BTreeMap<String, String>,
}

/// What a block calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CalleeKind {
    /// A tool, by `call_tool(name, …)` or through `memory.…`.
    Tool,
    /// A skill of the same plan, by `run_skill(name, inputs)`.
    Skill,
}

/// Why an interpreter has no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What is at fault: the expression, the time it took, or the world around it.
    pub kind: ErrorKind,
    /// In one line, without any of the values.
    pub message: String,
}

/// Evaluates expressions that only Python grammar accepts.
///
/// Whoever runs plans hands one to the [`crate::template::Scope`]; a pure function as far
/// as anyone can tell, however it is done.
pub trait Interpreter: Send + Sync {
    /// The value of `code` where these names have these values. The code is a module,
    /// imports and functions of its own included, that ends with an expression, whose
    /// value it is. `now_ms` is what its clock shows, in milliseconds since 1970.
    ///
    /// # Errors
    /// Why there is none.
    fn evaluate(&self, code: &str, names: Map<String, Value>, now_ms: i64) -> Result<Value, Failure>;
}
