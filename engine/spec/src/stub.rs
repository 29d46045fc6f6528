//! Canned answers in the place of tools and people, so that a skill can be run without
//! its services.
//!
//! [`Stubs`] is what an author writes; [`check()`] makes a [`Script`] of it, which is pinned
//! with the run; [`Prompter`] says which answer of a script a call gets.

mod check;
mod prompter;
mod script;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::check::{Checked, World, check, read};
pub use self::prompter::{Prompter, Question, Reply, includes};
pub use self::script::{Canned, Gives, Script, Spot};
use crate::schema::OneOrMore;
use crate::tool::ErrorKind;
use crate::yaml::{Node, Spanned};

/// Canned answers: what tools give, and what people say.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "aa stub file")]
pub struct Stubs {
    /// What becomes of a call of a tool that is not named here (default `fail`).
    pub others: Option<Spanned<Others>>,
    /// Answers by tool. An answer with `step`, `when` or `args` is given to every call that it
    /// fits; those without are given one after the other, and the last one again and again.
    pub tools: BTreeMap<String, Vec<Spanned<Answer>>>,
    /// What people answer, by the step that asks; a list for one that asks several times.
    pub answers: BTreeMap<String, OneOrMore<String>>,
}

/// What becomes of a call of a tool that has no answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Others {
    /// It fails, and says what to add.
    #[default]
    Fail,
    /// It takes place when the tool only reads; otherwise it fails.
    Reads,
    /// It takes place.
    Real,
}

/// One canned answer: exactly one of `result`, `file` and `error`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// Only for calls of this step, e.g. `build`, `fan[3]`, `release/build`.
    #[serde(default)]
    pub step: Option<Spanned<String>>,
    /// Only for calls for which this expression over `args` is true.
    #[serde(default)]
    pub when: Option<Node>,
    /// Only for calls with these arguments among theirs.
    #[serde(default)]
    pub args: Option<Node>,
    /// What the tool gives; templates over `args` allowed.
    #[serde(default)]
    pub result: Option<Node>,
    /// What the tool gives, as it stands in this JSON file (relative to this one).
    #[serde(default)]
    pub file: Option<Spanned<String>>,
    /// How the tool fails.
    #[serde(default)]
    pub error: Option<Failure>,
    /// How often it is given at most.
    #[serde(default, deserialize_with = "crate::skill::at_least_one")]
    #[schemars(range(min = 1, max = 4_294_967_295_u32))]
    pub times: Option<Spanned<u32>>,
    /// How long the call takes. Time passes at once when nothing else goes on.
    #[serde(default, deserialize_with = "crate::duration::written")]
    #[schemars(with = "Option<crate::duration::Written>")]
    pub delay: Option<Spanned<String>>,
}

/// How a canned call fails.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// What kind of failure.
    pub kind: Spanned<ErrorKind>,
    /// One line; templates over `args` allowed.
    pub message: Spanned<String>,
    /// Whatever else a tool would say.
    #[serde(default)]
    pub details: Option<Node>,
}

#[cfg(test)]
mod tests;
