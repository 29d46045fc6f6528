//! Knowledge: what is known of a project, for one persona, and how sure that is.
//!
//! It is a document of the memory, `knowledge/personas/PERSONA/PROJECT`. A first look at
//! the project's files ([`scan`]) gives a third of certainty; what tasks teach ([`learn`])
//! adds to it. Reading order: this file (where a document is), [`read`], [`scan`], [`learn`].

use serde_json::{Map, Value, json};

use self::learn::{KnowledgeLearn, KnowledgeUpdate};
use self::read::{KnowledgeList, KnowledgeLoad, KnowledgeQuery};
use self::scan::KnowledgeScan;
use super::memory::shape::KNOWLEDGE;
use super::memory::{Key, Make, Memory};
use super::native::{Native as _, blocking, invalid, tool};
use super::project::{self, Resolved};
use super::{CallContext, ToolError};
use crate::event::Time;

mod learn;
mod read;
mod scan;
#[cfg(test)]
mod tests;

/// Every tool of the module by name.
pub(super) const TOOLS: &[(&str, Make)] = &[
    (KnowledgeLearn::FACE.name, |memory| tool(KnowledgeLearn(memory))),
    (KnowledgeList::FACE.name, |memory| tool(KnowledgeList(memory))),
    (KnowledgeLoad::FACE.name, |memory| tool(KnowledgeLoad(memory))),
    (KnowledgeQuery::FACE.name, |memory| tool(KnowledgeQuery(memory))),
    (KnowledgeScan::FACE.name, |memory| tool(KnowledgeScan(memory))),
    (KnowledgeUpdate::FACE.name, |memory| tool(KnowledgeUpdate(memory))),
];

/// Whose knowledge it is when nobody says so.
const PERSONA: &str = "developer";

/// How sure knowledge is that nobody has looked for.
const UNSEEN: f64 = 0.1;
/// How sure a look at the files is.
const SCANNED: f64 = 0.3;
/// What one more thing that was learned adds, and where that ends.
const LEARNED: f64 = 0.05;
const SUREST: f64 = 0.95;

/// Whose knowledge of what.
#[derive(Clone, Debug)]
struct Subject {
    project: Resolved,
    persona: String,
    key: Key,
}

/// What a call's arguments are about.
async fn subject(
    memory: &Memory,
    context: &CallContext,
    (project, persona): (&str, &str),
) -> Result<Subject, ToolError> {
    let project = project::resolve(memory, context, project).await?;
    let persona = if persona.is_empty() { PERSONA } else { persona };
    let key = key(persona, &project.name)?;
    Ok(Subject { project, persona: persona.to_owned(), key })
}

/// As [`subject`]; when nobody is named and [`PERSONA`] knows nothing, whoever knows most.
async fn known_subject(
    memory: &Memory,
    context: &CallContext,
    (project, persona): (&str, &str),
) -> Result<(Subject, Option<Map<String, Value>>), ToolError> {
    let mut subject = subject(memory, context, (project, persona)).await?;
    let document = memory.read(context, subject.key.clone()).await?;
    if !document.is_empty() {
        return Ok((subject, Some(document)));
    }
    if !persona.is_empty() {
        return Ok((subject, None));
    }
    let all = all(memory, context).await?;
    let others = all.into_iter().filter(|(_, project, _)| *project == subject.project.name);
    let most = others.max_by(|(.., one), (.., other)| confidence(one).total_cmp(&confidence(other)));
    let Some((persona, _, document)) = most else { return Ok((subject, None)) };
    subject.key = key(&persona, &subject.project.name)?;
    subject.persona = persona;
    Ok((subject, Some(document)))
}

/// Every document of knowledge: persona, project, document.
async fn all(
    memory: &Memory,
    context: &CallContext,
) -> Result<Vec<(String, String, Map<String, Value>)>, ToolError> {
    memory
        .look(context, |store, tenant| {
            let mut found = Vec::new();
            for entry in store.memory_entries(tenant)? {
                let Some(rest) = entry.key.strip_prefix(KNOWLEDGE) else { continue };
                let Some((persona, project)) = rest.split_once('/') else { continue };
                let document = store.memory(tenant, &entry.key)?.unwrap_or_default();
                found.push((persona.to_owned(), project.to_owned(), document));
            }
            Ok(found)
        })
        .await
}

fn key(persona: &str, project: &str) -> Result<Key, ToolError> {
    if persona.contains('/') {
        return Err(invalid(format!("`{persona}` is no name of a persona")));
    }
    Key::new(&format!("{KNOWLEDGE}{persona}/{project}"))
}

/// How sure a document is.
fn confidence(document: &Map<String, Value>) -> f64 {
    document.get("metadata").and_then(|metadata| metadata["confidence"].as_f64()).unwrap_or(0.0)
}

/// Puts down whose knowledge a document is and how sure it is.
fn sign(document: &mut Map<String, Value>, of: &Subject, sure: f64, at: Time) -> Result<(), ToolError> {
    let metadata = document.entry("metadata").or_insert_with(|| json!({}));
    let metadata = metadata.as_object_mut().ok_or_else(|| invalid("`metadata` is no mapping"))?;
    metadata.insert("project".to_owned(), of.project.name.as_str().into());
    metadata.insert("persona".to_owned(), of.persona.as_str().into());
    if let Some(folder) = &of.project.folder {
        metadata.insert("path".to_owned(), folder.to_string_lossy().into());
    }
    metadata.insert("last_updated".to_owned(), super::memory::stamp(at).into());
    metadata.insert("confidence".to_owned(), rounded(sure).into());
    Ok(())
}

/// Two digits: more would say more than is known.
fn rounded(sure: f64) -> f64 {
    (sure * 100.0).round() / 100.0
}

/// The value of a section such as `architecture` or `patterns.testing`.
fn section<'a>(document: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    let mut parts = path.split('.');
    let first = document.get(parts.next()?)?;
    parts.try_fold(first, |value, part| match value {
        Value::Array(items) => items.get(part.parse::<usize>().ok()?),
        other => other.get(part),
    })
}

/// Sections that a document may have.
const SECTIONS: [&str; 4] = ["architecture", "patterns", "gotchas", "learned_from_tasks"];

fn known_section(section: &str) -> Result<(), ToolError> {
    let first = section.split('.').next().unwrap_or_default();
    if SECTIONS.contains(&first) {
        return Ok(());
    }
    let names = aa_spec::name::list(&SECTIONS);
    Err(invalid(format!("there is no section `{section}`; there are {names}")))
}
