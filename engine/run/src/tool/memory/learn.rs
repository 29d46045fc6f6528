//! What was learned from failures: known issues, fixes that worked, failures as they came.
//!
//! Two keys are searched. Under `learned/patterns`, every list whose name ends in
//! `_patterns` holds mappings with a `pattern`, a `meaning` and a `fix`; one matches when
//! its pattern is a part of the error's text or of the tool's name, in any case. Under
//! `learned/tool_fixes`, a fix matches when it was learned for the same tool, whatever the
//! error, or when its error pattern is a part of the error's text. What does not look like
//! that is passed over: people keep other lists there as well.

use aa_spec::name::fold;
use aa_spec::tool::Effect;
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::change::list;
use super::key::Key;
use super::{Memory, Outcome, stamp};
use crate::event::Time;
use crate::tool::native::{Face, Native};
use crate::tool::{CallContext, ToolError};

/// `check_known_issues`.
pub(super) struct CheckKnownIssues(pub(super) Memory);

/// `learn_tool_fix`.
pub(super) struct LearnToolFix(pub(super) Memory);

/// `record_tool_failure`.
pub(super) struct RecordToolFailure(pub(super) Memory);

/// Fixes and failures kept; the oldest go first.
const KEPT: usize = 100;

/// Characters of an error that are kept.
const SNIPPET: usize = 200;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CheckArgs {
    /// The tool that failed, or a part of the tools' names such as `bonfire`.
    #[serde(default)]
    tool_name: String,
    /// What it said.
    #[serde(default)]
    error_text: String,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct KnownIssues {
    /// What is known, patterns first.
    matches: Vec<Issue>,
    /// Whether there is any.
    has_known_issues: bool,
}

/// Something that is known about an error.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
struct Issue {
    /// The list it stands in: `tool_fixes`, or one such as `auth_patterns`.
    source: String,
    /// The tool it was learned for; null for patterns.
    tool_name: Option<String>,
    /// What the error's text has in it.
    pattern: String,
    /// What is behind it.
    meaning: String,
    /// What helps.
    fix: String,
    /// Tool calls that help.
    commands: Vec<Value>,
}

#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LearnArgs {
    /// The tool that failed.
    tool_name: String,
    /// The part of the error's text to know it again by.
    error_pattern: String,
    /// Why it failed.
    root_cause: String,
    /// What helped.
    fix_description: String,
}

#[derive(Serialize, Deserialize, JsonSchema)]
pub(super) struct Learned {
    /// How often this fix was learned, this time included.
    occurrences: u64,
    /// How many fixes are known.
    count: usize,
}

#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RecordArgs {
    /// The tool that failed.
    tool_name: String,
    /// What it said.
    error_text: String,
    /// What else is known: the skill, its inputs …
    #[serde(default)]
    context: Map<String, Value>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
pub(super) struct Recorded {
    /// How many failures were recorded so far.
    total_failures: u64,
}

#[async_trait]
impl Native for CheckKnownIssues {
    type Args = CheckArgs;
    type Output = KnownIssues;

    const FACE: Face = Face {
        name: "check_known_issues",
        module: "memory",
        description: "What is known about an error or a tool",
        effect: Effect::Read,
        idempotent: true,
    };

    async fn call(&self, context: &CallContext, args: CheckArgs) -> Result<KnownIssues, ToolError> {
        let read = |key: &'static str| self.0.read(context, Key::known(key));
        let mut matches = known_patterns(&read("learned/patterns").await?, &args);
        matches.extend(known_fixes(&read("learned/tool_fixes").await?, &args));
        Ok(KnownIssues { has_known_issues: !matches.is_empty(), matches })
    }
}

#[async_trait]
impl Native for LearnToolFix {
    type Args = LearnArgs;
    type Output = Learned;

    const FACE: Face = Face {
        name: "learn_tool_fix",
        module: "memory",
        description: "Remembers what helped against an error of a tool",
        effect: Effect::Write,
        idempotent: true,
    };

    async fn call(&self, context: &CallContext, args: LearnArgs) -> Result<Learned, ToolError> {
        let fix = args.clone();
        let call = (Self::FACE.name, &args);
        self.0
            .change(context, call, &Key::known("learned/tool_fixes"), move |mapping, at| {
                let fixes = list(mapping, "tool_fixes")?;
                let known = fixes.iter().position(|other| is_fix(other, &fix));
                let occurrences = match known.and_then(|index| fixes[index].as_object_mut()) {
                    Some(known) => learn_again(known, &fix, at),
                    None => learn(fixes, &fix, at),
                };
                forget_oldest(fixes);
                let count = fixes.len();
                if known.is_none() {
                    count_up(mapping, "total_learned")?;
                }
                Ok(Outcome::Changed(Learned { occurrences, count }))
            })
            .await
    }
}

#[async_trait]
impl Native for RecordToolFailure {
    type Args = RecordArgs;
    type Output = Recorded;

    const FACE: Face = Face {
        name: "record_tool_failure",
        module: "memory",
        description: "Remembers that a tool failed",
        effect: Effect::Write,
        idempotent: true,
    };

    async fn call(&self, context: &CallContext, args: RecordArgs) -> Result<Recorded, ToolError> {
        let failure = args.clone();
        let call = (Self::FACE.name, &args);
        self.0
            .change(context, call, &Key::known("learned/tool_failures"), move |mapping, at| {
                let failures = list(mapping, "failures")?;
                failures.push(json!({
                    "tool": failure.tool_name,
                    "error_snippet": failure.error_text.chars().take(SNIPPET).collect::<String>(),
                    "timestamp": stamp(at),
                    "context": failure.context,
                }));
                forget_oldest(failures);
                let total_failures = count_up(mapping, "total_failures")?;
                Ok(Outcome::Changed(Recorded { total_failures }))
            })
            .await
    }
}

/// What is known about an error of a tool, patterns first.
pub(crate) fn known_issues(
    patterns: &Map<String, Value>,
    fixes: &Map<String, Value>,
    tool: &str,
    error: &str,
) -> Vec<Value> {
    let asked = CheckArgs { tool_name: tool.to_owned(), error_text: error.to_owned() };
    let issues = known_patterns(patterns, &asked).into_iter().chain(known_fixes(fixes, &asked));
    issues.filter_map(|issue| serde_json::to_value(issue).ok()).collect()
}

/// Every entry that looks like a pattern, with the list it stands in.
pub(super) fn patterns(known: &Map<String, Value>) -> impl Iterator<Item = (&str, &Map<String, Value>)> {
    let lists = known.iter().filter(|(name, _)| name.ends_with("_patterns"));
    let entries = lists.flat_map(|(name, list)| {
        list.as_array().into_iter().flatten().map(move |entry| (name.as_str(), entry))
    });
    let mappings = entries.filter_map(|(name, entry)| Some((name, entry.as_object()?)));
    mappings.filter(|(_, entry)| !words(entry, &["pattern"]).is_empty())
}

fn known_patterns(known: &Map<String, Value>, asked: &CheckArgs) -> Vec<Issue> {
    let (error, tool) = (asked.error_text.to_lowercase(), fold(&asked.tool_name.to_lowercase()));
    let matching = patterns(known).filter(|(_, entry)| {
        let pattern = words(entry, &["pattern"]).to_lowercase();
        error.contains(&pattern) || tool.contains(&fold(&pattern))
    });
    let issue = |(source, entry): (&str, &Map<String, Value>)| Issue {
        source: source.to_owned(),
        tool_name: None,
        pattern: words(entry, &["pattern"]),
        meaning: words(entry, &["meaning", "description"]),
        fix: words(entry, &["fix", "solution"]),
        commands: entry.get("commands").and_then(Value::as_array).cloned().unwrap_or_default(),
    };
    matching.map(issue).collect()
}

fn known_fixes(known: &Map<String, Value>, asked: &CheckArgs) -> Vec<Issue> {
    let (error, tool) = (asked.error_text.to_lowercase(), fold(&asked.tool_name.to_lowercase()));
    let fixes = known.get("tool_fixes").and_then(Value::as_array).into_iter().flatten();
    let matching = fixes.filter_map(Value::as_object).filter(|fix| {
        let same_tool = !tool.is_empty() && fold(&words(fix, &["tool_name"]).to_lowercase()) == tool;
        let pattern = words(fix, &["error_pattern"]).to_lowercase();
        same_tool || (!pattern.is_empty() && error.contains(&pattern))
    });
    let issue = |fix: &Map<String, Value>| Issue {
        source: "tool_fixes".to_owned(),
        tool_name: Some(words(fix, &["tool_name"])),
        pattern: words(fix, &["error_pattern"]),
        meaning: words(fix, &["root_cause"]),
        fix: words(fix, &["fix_applied"]),
        commands: Vec::new(),
    };
    matching.map(issue).collect()
}

/// The first of these fields that is a text; else nothing.
fn words(entry: &Map<String, Value>, fields: &[&str]) -> String {
    fields.iter().find_map(|field| entry.get(*field)?.as_str()).unwrap_or_default().to_owned()
}

fn is_fix(other: &Value, fix: &LearnArgs) -> bool {
    other.as_object().is_some_and(|other| {
        words(other, &["tool_name"]) == fix.tool_name && words(other, &["error_pattern"]) == fix.error_pattern
    })
}

fn learn(fixes: &mut Vec<Value>, fix: &LearnArgs, at: Time) -> u64 {
    fixes.push(json!({
        "tool_name": fix.tool_name,
        "error_pattern": fix.error_pattern,
        "root_cause": fix.root_cause,
        "fix_applied": fix.fix_description,
        "date_learned": at.format("%Y-%m-%d").to_string(),
        "learned_at": stamp(at),
        "last_seen": stamp(at),
        "occurrences": 1,
        "times_prevented": 0,
    }));
    1
}

fn learn_again(known: &mut Map<String, Value>, fix: &LearnArgs, at: Time) -> u64 {
    let occurrences = known.get("occurrences").and_then(Value::as_u64).unwrap_or(1) + 1;
    known.insert("root_cause".to_owned(), fix.root_cause.as_str().into());
    known.insert("fix_applied".to_owned(), fix.fix_description.as_str().into());
    known.insert("last_seen".to_owned(), stamp(at).into());
    known.insert("occurrences".to_owned(), occurrences.into());
    occurrences
}

fn forget_oldest(items: &mut Vec<Value>) {
    items.drain(..items.len().saturating_sub(KEPT));
}

fn count_up(mapping: &mut Map<String, Value>, name: &str) -> Result<u64, ToolError> {
    let place = super::place::reach(mapping, &format!("stats.{name}"))?;
    let count = place.as_u64().unwrap_or(0) + 1;
    *place = count.into();
    Ok(count)
}
