//! The tools that every client sees, whatever persona it has: one file each.

mod run_answer;
mod run_cancel;
mod run_explain;
mod run_list;
mod run_status;
mod skill_list;
mod skill_run;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

use aa_run::event::RunId;
use async_trait::async_trait;
use rmcp::model::{ErrorData, JsonObject, Tool, ToolAnnotations};
use serde_json::{Value, json};

use super::server::{Answer, Call};

/// A tool of the server itself.
#[async_trait]
pub(crate) trait CoreTool: Send + Sync {
    /// What clients are told of it.
    fn definition(&self) -> Tool;

    /// Does it.
    async fn call(&self, call: Call<'_>) -> Answer;
}

/// All of them, in the order in which they are listed.
pub(crate) static CORE: &[&dyn CoreTool] = &[
    &run_answer::RunAnswer,
    &run_cancel::RunCancel,
    &run_explain::RunExplain,
    &run_list::RunList,
    &run_status::RunStatus,
    &skill_list::SkillList,
    &skill_run::SkillRun,
];

/// One of them by name.
pub(crate) fn find(name: &str) -> Option<&'static dyn CoreTool> {
    // A definition is too much to make for a look at its name.
    static NAMES: LazyLock<HashMap<Cow<'static, str>, &'static dyn CoreTool>> =
        LazyLock::new(|| CORE.iter().map(|tool| (tool.definition().name, *tool)).collect());
    NAMES.get(name).copied()
}

/// What a tool does to the world, as clients are told.
#[derive(Clone, Copy)]
pub(crate) enum Hint {
    /// It only looks.
    Read,
    /// It changes something; the same call twice may change it twice.
    Write,
}

/// A definition from the `properties` of its arguments.
pub(crate) fn define(
    name: &'static str,
    title: &str,
    description: &'static str,
    (properties, required): (Value, &[&str]),
    hint: Hint,
) -> Tool {
    let schema = json!({
        "type": "object", "properties": properties, "required": required, "additionalProperties": false
    });
    let read = matches!(hint, Hint::Read);
    let annotations = ToolAnnotations::with_title(title)
        .read_only(read)
        .destructive(false)
        .idempotent(read)
        .open_world(false);
    Tool::new(name, description, object(schema)).with_title(title).with_annotations(annotations)
}

/// The run that the arguments name.
pub(crate) fn run_of(args: &JsonObject) -> Result<RunId, ErrorData> {
    let run = args.get("run_id").and_then(|run| match run {
        Value::String(text) => text.parse().ok(),
        other => other.as_i64(),
    });
    run.map(RunId).ok_or_else(|| ErrorData::invalid_params("`run_id` must be the number of a run", None))
}

/// The entries of a JSON object.
pub(crate) fn object(value: Value) -> JsonObject {
    match value {
        Value::Object(entries) => entries,
        _ => JsonObject::new(),
    }
}
