//! The canonical form of canned answers: what is pinned with a run.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Others;
use crate::template::{Expression, Template};
use crate::tool::ErrorKind;

/// Checked canned answers. Names of tools are canonical.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Script {
    /// What becomes of a call of a tool without answers.
    #[serde(default)]
    pub others: Others,
    /// Answers by tool.
    #[serde(default)]
    pub tools: BTreeMap<String, Vec<Canned>>,
    /// What people answer, by the step that asks.
    #[serde(default)]
    pub answers: BTreeMap<String, Vec<String>>,
}

/// One canned answer of a tool.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Canned {
    /// Only for this step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// Only when this is true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Expression>,
    /// Only with these arguments among the call's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub args: Option<Map<String, Value>>,
    /// How often at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    /// How long the call takes, in milliseconds.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub delay_ms: u64,
    /// What comes back.
    pub gives: Gives,
}

/// What comes back from a canned call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Gives {
    /// A result with holes.
    Result(Template),
    /// A result as it stands.
    Value(Value),
    /// A failure.
    Error {
        /// What kind.
        kind: ErrorKind,
        /// Its line.
        message: Template,
        /// What else is known.
        #[serde(default)]
        details: Value,
    },
}

/// Which answer: of a tool by its index, or of a question.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Spot {
    /// A tool's answer.
    Tool(String, usize),
    /// A question's answers.
    Question(String),
}

impl Canned {
    /// Whether it is given only to some calls.
    pub fn is_picky(&self) -> bool {
        self.step.is_some() || self.when.is_some() || self.args.is_some()
    }
}

impl Script {
    /// Whether every call that takes place is one of an answer.
    pub fn is_closed(&self) -> bool {
        self.others == Others::Fail
    }

    /// This script with another one's answers after its own.
    #[must_use]
    pub fn followed_by(mut self, other: Self) -> Self {
        for (tool, answers) in other.tools {
            self.tools.entry(tool).or_default().extend(answers);
        }
        for (step, answers) in other.answers {
            self.answers.entry(step).or_insert(answers);
        }
        self
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape that serde wants")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}
