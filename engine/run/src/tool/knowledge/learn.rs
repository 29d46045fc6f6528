//! The tools that add to knowledge.

use aa_spec::tool::Effect;
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{LEARNED, Memory, SUREST, UNSEEN, confidence, known_section, rounded, sign, subject};
use crate::event::Time;
use crate::tool::memory::change::list;
use crate::tool::memory::place::reach;
use crate::tool::memory::{Outcome, stamp, text};
use crate::tool::native::{Face, Native, invalid};
use crate::tool::{CallContext, ToolError};

/// `knowledge_learn`.
pub(super) struct KnowledgeLearn(pub(super) Memory);

/// `knowledge_update`.
pub(super) struct KnowledgeUpdate(pub(super) Memory);

/// How sure a thing is that was learned once, and what each time more adds.
const ONCE: f64 = 0.5;
const AGAIN: f64 = 0.1;

#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LearnArgs {
    /// What was learned.
    learning: String,
    /// During what, such as the key of an issue.
    #[serde(default)]
    task: String,
    /// Where it belongs: `learned_from_tasks`, `gotchas`, or a list such as `patterns.testing`.
    #[serde(default = "from_tasks")]
    section: String,
    /// A registered project or a folder; without it, the repository around the run's folder.
    #[serde(default)]
    project: String,
    /// For whose knowledge; without it, the developer's.
    #[serde(default)]
    persona: String,
}

#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UpdateArgs {
    /// A registered project or a folder; empty for the repository around the run's folder.
    project: String,
    /// For whose knowledge; empty for the developer's.
    persona: String,
    /// Which part, such as `architecture.overview` or `gotchas`.
    section: String,
    /// What belongs there, or the YAML of a mapping or list.
    content: Value,
    /// Whether to add to what is there instead of replacing it.
    #[serde(default = "yes")]
    append: bool,
}

#[derive(Serialize, Deserialize, JsonSchema)]
pub(super) struct Learned {
    project: String,
    persona: String,
    section: String,
    /// Whether it is new; what is known already is confirmed.
    new: bool,
    /// How many things the section has now.
    count: usize,
    /// How sure the whole is now, from 0 to 1.
    confidence: f64,
}

#[derive(Serialize, Deserialize, JsonSchema)]
pub(super) struct Updated {
    project: String,
    persona: String,
    section: String,
    /// What the section is now.
    content: Value,
}

const fn yes() -> bool {
    true
}

fn from_tasks() -> String {
    "learned_from_tasks".to_owned()
}

#[async_trait]
impl Native for KnowledgeLearn {
    type Args = LearnArgs;
    type Output = Learned;

    const FACE: Face = Face {
        name: "knowledge_learn",
        module: "knowledge",
        description: "Remembers what a task has taught about a project",
        effect: Effect::Write,
        idempotent: true,
    };

    async fn call(&self, context: &CallContext, args: LearnArgs) -> Result<Learned, ToolError> {
        if args.learning.trim().is_empty() {
            return Err(invalid("the `learning` is empty"));
        }
        known_section(&args.section)?;
        let subject = subject(&self.0, context, (&args.project, &args.persona)).await?;
        let source = context.run.map(|run| format!("run {run}, step {}", context.step));
        let call = (Self::FACE.name, &args);
        let (of, what) = (subject.clone(), args.clone());
        self.0
            .change(context, call, &subject.key, move |document, at| {
                let entries = list(document, &what.section)?;
                let new = learn(entries, &what, source.as_deref(), at);
                let count = entries.len();
                let known = confidence(document).max(UNSEEN);
                let sure = if new { (known + LEARNED).min(SUREST.max(known)) } else { known };
                sign(document, &of, sure, at)?;
                Ok(Outcome::Changed(Learned {
                    project: of.project.name.clone(),
                    persona: of.persona.clone(),
                    section: what.section.clone(),
                    new,
                    count,
                    confidence: rounded(sure),
                }))
            })
            .await
    }
}

#[async_trait]
impl Native for KnowledgeUpdate {
    type Args = UpdateArgs;
    type Output = Updated;

    const FACE: Face = Face {
        name: "knowledge_update",
        module: "knowledge",
        description: "Changes or adds to a part of what is known of a project",
        effect: Effect::Write,
        idempotent: true,
    };

    async fn call(&self, context: &CallContext, args: UpdateArgs) -> Result<Updated, ToolError> {
        known_section(&args.section)?;
        let content = text::meant(args.content.clone(), "content")?;
        let subject = subject(&self.0, context, (&args.project, &args.persona)).await?;
        let call = (Self::FACE.name, &args);
        let (of, section, append) = (subject.clone(), args.section.clone(), args.append);
        self.0
            .change(context, call, &subject.key, move |document, at| {
                let place = reach(document, &section)?;
                if append {
                    add(place, content.clone());
                } else {
                    *place = content.clone();
                }
                let content = place.clone();
                let sure = confidence(document).max(UNSEEN);
                sign(document, &of, sure, at)?;
                let (project, persona) = (of.project.name.clone(), of.persona.clone());
                Ok(Outcome::Changed(Updated { project, persona, section: section.clone(), content }))
            })
            .await
    }
}

/// Adds what was learned to a section's list, or confirms what is there; true when it is new.
fn learn(entries: &mut Vec<Value>, what: &LearnArgs, source: Option<&str>, at: Time) -> bool {
    let field = match what.section.as_str() {
        "learned_from_tasks" => Some("learning"),
        "gotchas" => Some("issue"),
        _ => None,
    };
    let words = |entry: &Value| {
        let text = field.map_or(Some(entry), |field| entry.get(field))?.as_str()?;
        Some(plain(text))
    };
    let wanted = Some(plain(&what.learning));
    if let Some(known) = entries.iter_mut().find(|entry| words(entry) == wanted) {
        if let (Some("learning"), Some(known)) = (field, known.as_object_mut()) {
            confirm(known, at);
        }
        return false;
    }
    let learning = what.learning.trim();
    entries.push(match field {
        None => learning.into(),
        Some("issue") => json!({"issue": learning, "reason": what.task, "solution": ""}),
        Some(_) => json!({
            "date": at.format("%Y-%m-%d").to_string(),
            "task": what.task,
            "learning": learning,
            "confidence": ONCE,
            "occurrences": 1,
            "source": source,
        }),
    });
    true
}

/// The same was learned again.
fn confirm(known: &mut Map<String, Value>, at: Time) {
    let times = known.get("occurrences").and_then(Value::as_u64).unwrap_or(1) + 1;
    let sure = known.get("confidence").and_then(Value::as_f64).unwrap_or(ONCE);
    known.insert("occurrences".to_owned(), times.into());
    known.insert("confidence".to_owned(), rounded((sure + AGAIN).min(SUREST.max(sure))).into());
    known.insert("last_seen".to_owned(), stamp(at).into());
}

/// A text as it is compared: words in small letters, without the last full stop.
fn plain(text: &str) -> String {
    let words = text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ");
    words.trim_end_matches('.').to_owned()
}

/// Adds to what is there, without saying anything twice.
fn add(place: &mut Value, content: Value) {
    match (place, content) {
        (Value::Array(items), Value::Array(more)) => more.into_iter().for_each(|item| put(items, item)),
        (Value::Array(items), item) => put(items, item),
        (Value::Object(entries), Value::Object(more)) => {
            for (name, value) in more {
                add(entries.entry(name).or_insert(Value::Null), value);
            }
        }
        (Value::String(text), Value::String(more)) if !text.is_empty() => {
            if !text.contains(&more) {
                text.push('\n');
                text.push_str(&more);
            }
        }
        (place, content) => *place = content,
    }
}

fn put(items: &mut Vec<Value>, item: Value) {
    if !items.contains(&item) {
        items.push(item);
    }
}
