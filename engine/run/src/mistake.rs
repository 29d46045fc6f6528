//! Mistakes in calls that repeat: a wrong argument, a wrong order, a missing precondition.
//!
//! Plain rules, no model. A failure is classified ([`classify`]): what fails for reasons
//! outside the call (login, network, time) is no mistake. What is left gets a *mark*, by
//! which a call that would make the mistake again is known, and is counted. Before a call
//! with a mark that is known well enough, a warning goes into the journal ([`watch`]), and
//! what comes of it is tracked: the warning helped, was ignored, or was wrong. How well a
//! mistake is known ([`confidence`]) grows with its observations and fades with time.
//!
//! A warning never stops a call: it is a guess, and the caller may know better.

mod classify;
mod confidence;
mod watch;

#[cfg(test)]
mod tests;

use aa_spec::plan::digest;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub(crate) use self::watch::{Means, Watch, words};
use crate::event::{RunId, StepPath, Time};

/// A mistake, and how often it was made.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Mistake {
    /// Hash of its tool, category and mark.
    pub id: String,
    /// The tool whose call it is in.
    pub tool: String,
    /// What kind of mistake.
    pub category: Category,
    /// How a call that makes it is known.
    pub mark: Mark,
    /// What the tool said, the last time.
    pub error: String,
    /// What to do instead.
    pub advice: String,
    /// How often it was made.
    pub seen: u32,
    /// How often a warning of it helped.
    pub prevented: u32,
    /// How often a warning of it was wrong.
    pub false_alarms: u32,
    /// When it was first made.
    pub first_at: Time,
    /// When it was last made.
    pub last_at: Time,
    /// Warnings that nothing came of yet.
    pub open: Vec<Open>,
}

/// A warning that nothing came of yet: where it was given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Open {
    /// In which run.
    pub run: RunId,
    /// Of which skill.
    pub skill: String,
    /// Before which step.
    pub step: StepPath,
}

/// What kind of mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// An argument names something that is not there, or not meant.
    IncorrectParameter,
    /// An argument is written in a way that the tool does not take.
    ParameterFormat,
    /// Another tool has to be called first.
    WorkflowSequence,
    /// Something has to be there first.
    MissingPrerequisite,
    /// The tool cannot be used like this.
    WrongTool,
}

/// How a call that makes a mistake is known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "by")]
pub enum Mark {
    /// An argument has this value.
    Value {
        /// Which.
        argument: String,
        /// What.
        value: Value,
    },
    /// An argument is a text of fewer characters.
    Short {
        /// Which.
        argument: String,
        /// Than how many.
        than: usize,
    },
    /// This tool has not succeeded in the run.
    Before {
        /// Which.
        tool: String,
    },
    /// The arguments are these, by their hash.
    Call {
        /// The hash.
        digest: String,
    },
}

/// What came of a warning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The next call did without the mistake, and succeeded.
    Prevented,
    /// The call made the mistake all the same, and failed of it.
    Repeated,
    /// The call did as it was warned of, and succeeded.
    FalseAlarm,
}

/// A mistake that was made.
#[derive(Clone, Debug)]
pub struct Sighting {
    /// Which; its counts do not matter.
    pub(crate) mistake: Mistake,
    /// When.
    pub(crate) at: Time,
    /// Where.
    pub(crate) open: Open,
}

impl Mark {
    /// Whether it can be found in the arguments alone.
    fn is_in(&self, args: &Map<String, Value>) -> bool {
        match self {
            Self::Value { argument, value } => args.get(argument) == Some(value),
            Self::Short { argument, than } => {
                args.get(argument).and_then(Value::as_str).is_some_and(|text| text.chars().count() < *than)
            }
            Self::Call { digest } => *digest == of_call(args),
            Self::Before { .. } => false,
        }
    }

    /// Whether it is one and the same thing each time, rather than one of a kind; a commit that is too short is as sure.
    const fn is_exact(&self) -> bool {
        matches!(self, Self::Value { .. } | Self::Call { .. } | Self::Short { .. })
    }
}

/// A name for a call's arguments.
fn of_call(args: &Map<String, Value>) -> String {
    digest(Value::Object(args.clone()).to_string()).chars().take(16).collect()
}

impl std::fmt::Display for Category {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::IncorrectParameter => "wrong argument",
            Self::ParameterFormat => "form of an argument",
            Self::WorkflowSequence => "wrong order",
            Self::MissingPrerequisite => "missing precondition",
            Self::WrongTool => "wrong tool",
        })
    }
}

impl std::fmt::Display for Mark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Value { argument, value } => write!(f, "`{argument}` is {value}"),
            Self::Short { argument, than } => write!(f, "`{argument}` is shorter than {than} characters"),
            Self::Before { tool } => write!(f, "`{tool}` was not called before"),
            Self::Call { .. } => f.write_str("the same arguments"),
        }
    }
}
