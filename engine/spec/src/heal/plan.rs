//! A heal rule as a plan pins it, and how it is held against a failure.

use std::collections::BTreeMap;

use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::name::fold;
use crate::plan::Action;
use crate::template::Scope;
use crate::tool::{Effect, ErrorKind};

/// How much of an error's text is looked at, in bytes.
const LOOKED_AT: usize = 32 * 1024;

/// The details of an error that are its text, besides its message.
const TEXTS: [&str; 4] = ["stderr", "stdout", "body", "hint"];

/// A checked heal rule.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HealPlan {
    /// Its name.
    pub name: String,
    /// Tools that failed, `*` for any letters; none: any.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        alias = "tool",
        deserialize_with = "one_or_more"
    )]
    pub tools: Vec<String>,
    /// Kinds of error; none: any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<ErrorKind>,
    /// Regular expressions, of which one is found in the error's text; none: any text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub patterns: Vec<String>,
    /// Regular expressions, of which none may be found in the error's text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unless: Vec<String>,
    /// Exit codes; none: any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exit_codes: Vec<i64>,
    /// HTTP statuses; none: any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub statuses: Vec<i64>,
    /// Tables that guess values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub guess: BTreeMap<String, Vec<GuessPlan>>,
    /// What is called: a tool or a skill.
    pub action: Action,
    /// What that does to the world.
    pub effect: Effect,
    /// Whether it may be repeated after a crash.
    pub idempotent: bool,
    /// How long it may take, in milliseconds.
    pub timeout_ms: u64,
    /// How often.
    pub bounds: Bounds,
}

/// One entry of a table that guesses a value.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GuessPlan {
    /// Found in tool, arguments and error; none: it always fits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// The value.
    pub value: Value,
}

/// How often a rule may act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds {
    /// For one step or item.
    pub per_step: u32,
    /// In one run.
    pub per_run: u32,
    /// Within an hour, in all runs.
    pub per_hour: u32,
    /// The same call is not made again for this long, in milliseconds.
    pub cool_down_ms: u64,
    /// It stops by itself after it has not helped this often in a row.
    pub failures: u32,
    /// And rests for this long, in milliseconds.
    pub rest_ms: u64,
}

/// A call that failed.
#[derive(Clone, Copy, Debug)]
pub struct Failure<'a> {
    /// The tool; empty for what is no tool.
    pub tool: &'a str,
    /// Its arguments.
    pub args: &'a Map<String, Value>,
    /// What kind of failure.
    pub kind: ErrorKind,
    /// One line.
    pub message: &'a str,
    /// Whatever else is known.
    pub details: &'a Value,
}

impl Failure<'_> {
    /// Everything that the error says: its message, and what the command printed.
    pub fn text(&self) -> String {
        let mut text = self.message.to_owned();
        for said in TEXTS.iter().filter_map(|name| self.details.get(name)?.as_str()) {
            text.push('\n');
            text.push_str(said);
        }
        let mut end = text.len().min(LOOKED_AT);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text
    }

    fn number(&self, name: &str) -> Option<i64> {
        self.details.get(name)?.as_i64()
    }
}

impl HealPlan {
    /// Whether the rule is for calls of this tool; of what is no tool only without a pattern for it.
    pub fn is_for(&self, tool: &str) -> bool {
        self.tools.is_empty() || !tool.is_empty() && self.tools.iter().any(|glob| is_like(glob, tool))
    }

    /// Whether the rule is for this failure.
    pub fn fits(&self, failure: &Failure<'_>) -> bool {
        let among = |wanted: &[i64], name: &str| {
            wanted.is_empty() || failure.number(name).is_some_and(|number| wanted.contains(&number))
        };
        failure.kind != ErrorKind::Cancelled
            && self.is_for(failure.tool)
            && (self.kinds.is_empty() || self.kinds.contains(&failure.kind))
            && among(&self.exit_codes, "exit_code")
            && among(&self.statuses, "status")
            && (self.patterns.is_empty() || finds_any(&self.patterns, &failure.text()))
            && (self.unless.is_empty() || !finds_any(&self.unless, &failure.text()))
    }

    /// What the templates of its arguments see.
    pub fn scope(&self, failure: &Failure<'_>) -> Scope {
        let mut scope = Scope::default();
        let error = json!({"kind": failure.kind, "message": failure.message, "details": failure.details});
        scope.set("tool", &Value::from(failure.tool));
        scope.set("args", &Value::Object(failure.args.clone()));
        scope.set("error", &error);
        scope.set("guess", &Value::Object(self.guesses(failure)));
        scope
    }

    /// What is guessed of a failure.
    pub fn guesses(&self, failure: &Failure<'_>) -> Map<String, Value> {
        if self.guess.is_empty() {
            return Map::new();
        }
        let args = Value::Object(failure.args.clone());
        // A name such as `bonfire_release` says something by its parts.
        let tool = failure.tool.replace('_', " ");
        let text = format!("{tool}\n{args}\n{}", failure.text());
        let fits = |guess: &&GuessPlan| guess.pattern.as_ref().is_none_or(|pattern| finds(pattern, &text));
        let guess = |(name, table): (&String, &Vec<GuessPlan>)| {
            Some((name.clone(), table.iter().find(fits)?.value.clone()))
        };
        self.guess.iter().filter_map(guess).collect()
    }

    /// The tool or skill that it calls.
    pub fn target(&self) -> &str {
        match &self.action {
            Action::Tool { tool, .. } => tool,
            Action::Skill { skill, .. } => skill,
            _ => "",
        }
    }
}

/// A pattern that matches whole words, in any case, with `^` and `$` at the ends of lines.
pub(super) fn pattern(text: &str) -> Result<Regex, regex::Error> {
    // First as it is, so that a mistake is found where it was made.
    RegexBuilder::new(text).build()?;
    let whole = format!(r"\b{{start-half}}(?:{text})\b{{end-half}}");
    RegexBuilder::new(&whole).case_insensitive(true).multi_line(true).build()
}

fn finds(text: &str, said: &str) -> bool {
    pattern(text).is_ok_and(|pattern| pattern.is_match(said))
}

fn finds_any(patterns: &[String], said: &str) -> bool {
    patterns.iter().any(|pattern| finds(pattern, said))
}

/// Whether a name is like a pattern with `*` in it.
/// Plans that were pinned before a rule could be for several tools have the one as text.
fn one_or_more<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        One(String),
        More(Vec<String>),
    }
    Ok(match Written::deserialize(deserializer)? {
        Written::One(tool) => vec![tool],
        Written::More(tools) => tools,
    })
}

fn is_like(glob: &str, name: &str) -> bool {
    let parts: Vec<String> = fold(glob).split('*').map(regex::escape).collect();
    Regex::new(&format!("^{}$", parts.join(".*"))).is_ok_and(|pattern| pattern.is_match(&fold(name)))
}
