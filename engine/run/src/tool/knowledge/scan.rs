//! A first look at a project's files.

use std::fs;
use std::path::Path;

use aa_spec::plan::digest;
use aa_spec::tool::{Effect, ErrorKind};
use async_trait::async_trait;
use ignore::WalkBuilder;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Memory, SCANNED, Subject, blocking, confidence, sign, subject};
use crate::event::Time;
use crate::tool::memory::{Outcome, stamp};
use crate::tool::native::{Brake, Face, Native};
use crate::tool::project::{Detected, dependencies, look_at, text};
use crate::tool::{CallContext, ToolError};

/// `knowledge_scan`.
pub(super) struct KnowledgeScan(pub(super) Memory);

/// Folders that are named.
const MODULES: usize = 40;

/// Files that are counted in a folder.
const FILES: usize = 10_000;

/// Characters of what a project says about itself.
const OVERVIEW: usize = 1000;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ScanArgs {
    /// A registered project or a folder; without it, the repository around the run's folder.
    #[serde(default)]
    project: String,
    /// For whose knowledge; without it, the developer's.
    #[serde(default)]
    persona: String,
    /// Whether to look again when something is known already. What was learned stays.
    #[serde(default)]
    force: bool,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Looked {
    project: String,
    persona: String,
    /// Whether the files were looked at; false when something is known already.
    scanned: bool,
    /// How sure it is, from 0 to 1.
    confidence: f64,
    /// All that is known now.
    knowledge: Map<String, Value>,
}

/// What was seen.
#[derive(Clone, Serialize)]
struct Seen {
    overview: String,
    key_modules: Vec<Value>,
    dependencies: Vec<String>,
    detected: Detected,
}

#[async_trait]
impl Native for KnowledgeScan {
    type Args = ScanArgs;
    type Output = Looked;

    const FACE: Face = Face {
        name: "knowledge_scan",
        module: "knowledge",
        description: "Looks at a project's files and remembers what it is",
        effect: Effect::Write,
        idempotent: true,
    };

    async fn call(&self, context: &CallContext, args: ScanArgs) -> Result<Looked, ToolError> {
        let subject = subject(&self.0, context, (&args.project, &args.persona)).await?;
        let known = self.0.read(context, subject.key.clone()).await?;
        let scanned = args.force || known.is_empty();
        let knowledge = if scanned { scan(&self.0, context, &subject).await? } else { known };
        Ok(Looked {
            project: subject.project.name,
            persona: subject.persona,
            scanned,
            confidence: confidence(&knowledge),
            knowledge,
        })
    }
}

/// Looks at the files and remembers what they say; what was learned stays.
pub(super) async fn scan(
    memory: &Memory,
    context: &CallContext,
    subject: &Subject,
) -> Result<Map<String, Value>, ToolError> {
    let Some(folder) = subject.project.folder.clone() else {
        let name = &subject.project.name;
        let message = format!("the folder of `{name}` is not known; `project_add` registers it");
        return Err(ToolError::new(ErrorKind::NotFound, message));
    };
    let detected = look_at(memory, context, &folder.to_string_lossy()).await?;
    let seen = blocking(context, move |brake| look(&folder, detected, brake)).await?;
    let call = (KnowledgeScan::FACE.name, &seen);
    let (of, kept) = (subject.clone(), seen.clone());
    memory
        .change(context, call, &subject.key, move |document, at| {
            put(document, &kept, &of, at)?;
            Ok(Outcome::Changed(document.clone()))
        })
        .await
}

fn put(document: &mut Map<String, Value>, seen: &Seen, of: &Subject, at: Time) -> Result<(), ToolError> {
    let sure = confidence(document).max(SCANNED);
    sign(document, of, sure, at)?;
    document["metadata"]["last_scanned"] = stamp(at).into();
    document["metadata"]["auto_generated"] = true.into();
    put_architecture(document, seen);
    let detected = &seen.detected;
    let usual = |command: &str| if command.is_empty() { json!([]) } else { json!([format!("`{command}`")]) };
    let patterns = json!({
        "coding": usual(&detected.lint_command),
        "testing": usual(&detected.test_command),
        "deployment": [],
    });
    for (name, empty) in [("patterns", patterns), ("gotchas", json!([])), ("learned_from_tasks", json!([]))] {
        document.entry(name).or_insert(empty);
    }
    Ok(())
}

/// Writes what was seen over what the last look has written; what others have written stays.
fn put_architecture(document: &mut Map<String, Value>, seen: &Seen) {
    let mut known = match document.shift_remove("architecture") {
        Some(Value::Object(known)) => known,
        _ => Map::new(),
    };
    let mut written = match document["metadata"].get("scanned") {
        Some(Value::Object(written)) => written.clone(),
        _ => Map::new(),
    };
    for (name, value) in [
        ("overview", json!(seen.overview)),
        ("key_modules", json!(seen.key_modules)),
        ("data_flow", json!("")),
        ("dependencies", json!(seen.dependencies)),
    ] {
        let is_ours = |known: &Value| written.get(name) == Some(&mark(known));
        if known.get(name).is_none_or(|known| says_nothing(known) || is_ours(known)) {
            written.insert(name.to_owned(), mark(&value));
            known.insert(name.to_owned(), value);
        }
    }
    document["metadata"]["scanned"] = Value::Object(written);
    document.insert("architecture".to_owned(), Value::Object(known));
}

/// By what a value is known again.
fn mark(value: &Value) -> Value {
    digest(value.to_string()).chars().take(16).collect::<String>().into()
}

fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

fn look(folder: &Path, detected: Detected, brake: &Brake) -> Result<Seen, ToolError> {
    let mut key_modules = Vec::new();
    for entry in walk(folder, Some(1)).skip(1) {
        brake.check()?;
        let is_folder = entry.file_type().is_some_and(|kind| kind.is_dir());
        if is_folder && key_modules.len() < MODULES {
            key_modules.push(module(folder, entry.path(), brake)?);
        }
    }
    Ok(Seen {
        overview: overview(folder, &detected),
        key_modules,
        dependencies: dependencies(folder),
        detected,
    })
}

/// A folder of the project: what it says about itself, and what is in it.
fn module(project: &Path, folder: &Path, brake: &Brake) -> Result<Value, ToolError> {
    let mut files = 0;
    for entry in walk(folder, None).take(FILES) {
        brake.check()?;
        files += usize::from(entry.file_type().is_some_and(|kind| kind.is_file()));
    }
    let path = folder.strip_prefix(project).unwrap_or(folder).display().to_string();
    let purpose = readme(folder).and_then(|text| first_words(&text)).unwrap_or_default();
    Ok(json!({"path": path, "purpose": purpose, "notes": format!("{files} files")}))
}

/// What is in a folder, by name, without what git ignores.
fn walk(folder: &Path, depth: Option<usize>) -> impl Iterator<Item = ignore::DirEntry> {
    let mut builder = WalkBuilder::new(folder);
    builder.max_depth(depth).require_git(false).follow_links(false);
    builder.sort_by_file_name(std::ffi::OsStr::cmp).build().flatten()
}

fn overview(folder: &Path, detected: &Detected) -> String {
    let said = readme(folder).and_then(|text| first_words(&text));
    said.unwrap_or_else(|| match &detected.languages[..] {
        [] => String::new(),
        languages => format!("Written in {}", languages.join(" and ")),
    })
}

fn readme(folder: &Path) -> Option<String> {
    let names = fs::read_dir(folder).ok()?.flatten().map(|entry| entry.file_name());
    let mut names: Vec<_> = names.filter_map(|name| name.into_string().ok()).collect();
    names.sort();
    let mut named = names.iter().filter(|name| name.to_ascii_lowercase().starts_with("readme"));
    named.find_map(|name| text(&folder.join(name)))
}

/// The first paragraph that is no heading, picture or code.
fn first_words(text: &str) -> Option<String> {
    let is_words =
        |part: &&str| !part.is_empty() && !part.starts_with(['#', '!', '[', '<', '`', '=', '-', '|', '>']);
    let words = text.split("\n\n").map(str::trim).find(is_words)?;
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    Some(words.chars().take(OVERVIEW).collect())
}
