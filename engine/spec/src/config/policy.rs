//! `serve.policy:`: what clients may run without asking.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::yaml::Spanned;

/// What may be run without asking, by effect. A project's file can make it stricter, and only the user's own
/// laxer.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// What changes nothing (default `allow`).
    pub read: Option<Spanned<Rule>>,
    /// What changes something (default `plan`).
    pub write: Option<Spanned<Rule>>,
    /// What destroys something (default `ask`).
    pub destructive: Option<Spanned<Rule>>,
}

/// What it takes to be run; the strictest last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Rule {
    /// Nothing.
    Allow,
    /// The hash of the plan that was shown, or else a person who approves.
    Plan,
    /// A person who approves.
    Ask,
    /// It is never run.
    Deny,
}

impl Rule {
    /// Reads a rule.
    ///
    /// # Errors
    /// What the rules are called.
    pub fn parse(text: &str) -> Result<Self, String> {
        [Self::Allow, Self::Plan, Self::Ask, Self::Deny]
            .into_iter()
            .find(|rule| rule.word() == text)
            .ok_or_else(|| format!("`{text}` is not a rule; write `allow`, `plan`, `ask` or `deny`"))
    }

    /// As people write it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Plan => "plan",
            Self::Ask => "ask",
            Self::Deny => "deny",
        }
    }
}
