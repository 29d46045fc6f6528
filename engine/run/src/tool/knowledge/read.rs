//! The tools that look at knowledge.

use aa_spec::tool::Effect;
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::scan::scan;
use super::{Memory, all, confidence, known_section, known_subject, section};
use crate::tool::native::{Face, Native};
use crate::tool::{CallContext, ToolError};

/// `knowledge_load`.
pub(super) struct KnowledgeLoad(pub(super) Memory);

/// `knowledge_query`.
pub(super) struct KnowledgeQuery(pub(super) Memory);

/// `knowledge_list`.
pub(super) struct KnowledgeList(pub(super) Memory);

const fn yes() -> bool {
    true
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LoadArgs {
    /// A registered project or a folder; without it, the repository around the run's folder.
    #[serde(default)]
    project: String,
    /// Whose knowledge; without it, the developer's, or of whoever knows most.
    #[serde(default)]
    persona: String,
    /// Whether to look at the project's files when nothing is known yet.
    #[serde(default = "yes")]
    auto_scan: bool,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct QueryArgs {
    /// A registered project or a folder; without it, the repository around the run's folder.
    #[serde(default)]
    project: String,
    /// Whose knowledge; without it, the developer's, or of whoever knows most.
    #[serde(default)]
    persona: String,
    /// Which part, such as `architecture` or `patterns.testing`; without it, all.
    #[serde(default)]
    section: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NoArgs {}

#[derive(Serialize, JsonSchema)]
pub(super) struct Loaded {
    project: String,
    persona: String,
    /// Whether anything is known.
    found: bool,
    /// Whether the project's files were looked at just now.
    scanned: bool,
    /// How sure it is, from 0 to 1.
    confidence: f64,
    /// All that is known.
    knowledge: Map<String, Value>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Part {
    project: String,
    persona: String,
    /// Which part; empty for all.
    section: String,
    /// Whether there is such a part.
    found: bool,
    /// How sure the whole is, from 0 to 1.
    confidence: f64,
    /// What is known; null when nothing is.
    content: Value,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Known {
    project: String,
    persona: String,
    /// How sure it is, from 0 to 1.
    confidence: f64,
    /// How many things were learned from tasks.
    learned: usize,
    /// When it was changed last, RFC 3339 in UTC; empty when that is not known.
    last_updated: String,
}

#[async_trait]
impl Native for KnowledgeLoad {
    type Args = LoadArgs;
    type Output = Loaded;

    const FACE: Face = Face {
        name: "knowledge_load",
        module: "knowledge",
        description: "What is known of a project; looks at its files when nothing is",
        effect: Effect::Write,
        idempotent: true,
    };

    async fn call(&self, context: &CallContext, args: LoadArgs) -> Result<Loaded, ToolError> {
        let (subject, known) = known_subject(&self.0, context, (&args.project, &args.persona)).await?;
        let scanned = known.is_none() && args.auto_scan && subject.project.folder.is_some();
        let knowledge = match known {
            None if scanned => Some(scan(&self.0, context, &subject).await?),
            known => known,
        };
        let found = knowledge.is_some();
        let knowledge = knowledge.unwrap_or_default();
        Ok(Loaded {
            project: subject.project.name,
            persona: subject.persona,
            found,
            scanned,
            confidence: confidence(&knowledge),
            knowledge,
        })
    }
}

#[async_trait]
impl Native for KnowledgeQuery {
    type Args = QueryArgs;
    type Output = Part;

    const FACE: Face = Face {
        name: "knowledge_query",
        module: "knowledge",
        description: "A part of what is known of a project",
        effect: Effect::Read,
        idempotent: true,
    };

    async fn call(&self, context: &CallContext, args: QueryArgs) -> Result<Part, ToolError> {
        if !args.section.is_empty() && args.section != "metadata" {
            known_section(&args.section)?;
        }
        let (subject, known) = known_subject(&self.0, context, (&args.project, &args.persona)).await?;
        let known = known.unwrap_or_default();
        let content = match args.section.as_str() {
            "" if known.is_empty() => None,
            "" => Some(Value::Object(known.clone())),
            path => section(&known, path).cloned(),
        };
        Ok(Part {
            project: subject.project.name,
            persona: subject.persona,
            section: args.section,
            found: content.is_some(),
            confidence: confidence(&known),
            content: content.unwrap_or_default(),
        })
    }
}

#[async_trait]
impl Native for KnowledgeList {
    type Args = NoArgs;
    type Output = Vec<Known>;

    const FACE: Face = Face {
        name: "knowledge_list",
        module: "knowledge",
        description: "Of which projects something is known, and how sure that is",
        effect: Effect::Read,
        idempotent: true,
    };

    async fn call(&self, context: &CallContext, _args: NoArgs) -> Result<Vec<Known>, ToolError> {
        let known = |(persona, project, document): (String, String, Map<String, Value>)| Known {
            project,
            persona,
            confidence: confidence(&document),
            learned: section(&document, "learned_from_tasks").and_then(Value::as_array).map_or(0, Vec::len),
            last_updated: section(&document, "metadata.last_updated")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned(),
        };
        Ok(all(&self.0, context).await?.into_iter().map(known).collect())
    }
}
