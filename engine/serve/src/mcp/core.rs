//! The tools that every client sees, whatever persona it has: one file each.

mod context_filter;
mod debug_tool;
mod persona_list;
mod persona_load;
mod run_answer;
mod run_cancel;
mod run_explain;
mod run_list;
mod run_status;
mod schedule;
mod session_start;
mod skill_describe;
mod skill_list;
mod skill_plan;
mod skill_run;
mod skill_search;
mod tool_call;
mod tool_list;
mod tool_search;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

use aa_run::event::RunId;
use aa_spec::input::fits;
use aa_spec::name::list;
use async_trait::async_trait;
use rmcp::model::{CallToolRequestParams, ErrorData, JsonObject, Tool, ToolAnnotations};
use serde_json::{Value, json};

use self::schedule::{Act, Schedule};
use super::server::{Answer, Call};
use super::visit::Visit;

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
    &persona_list::PersonaList { name: "agent_list" },
    &persona_load::PersonaLoad { name: "agent_load", argument: "agent_name" },
    &context_filter::ContextFilter,
    &debug_tool::DebugTool,
    &persona_list::PersonaList { name: "persona_list" },
    &persona_load::PersonaLoad { name: "persona_load", argument: "persona_name" },
    &run_answer::RunAnswer,
    &run_cancel::RunCancel,
    &run_explain::RunExplain,
    &run_list::RunList,
    &run_status::RunStatus,
    &session_start::SessionStart,
    &skill_describe::SkillDescribe,
    &skill_list::SkillList,
    &skill_plan::SkillPlan,
    &skill_run::SkillRun,
    &skill_search::SkillSearch,
    &tool_call::ToolCall,
    &tool_call::ToolExec,
    &tool_list::ToolList,
    &tool_search::ToolSearch,
];

/// Those that are in no list, which is short: `tool_search` finds them, and they are called by name or with `tool_call`.
pub(crate) static UNLISTED: &[&dyn CoreTool] = &[
    &Schedule { name: "schedule_list", act: Act::List },
    &Schedule { name: "schedule_show", act: Act::Show },
    &Schedule { name: "schedule_run", act: Act::Run },
    &Schedule { name: "schedule_pause", act: Act::Pause },
    &Schedule { name: "schedule_resume", act: Act::Resume },
    &Schedule { name: "schedule_notices", act: Act::Notices },
    &Schedule { name: "cron_list", act: Act::List },
    &Schedule { name: "cron_status", act: Act::List },
    &Schedule { name: "cron_run_now", act: Act::Run },
    &Schedule { name: "cron_enable", act: Act::Enable },
    &Schedule { name: "cron_notifications", act: Act::Notices },
];

fn all() -> impl Iterator<Item = &'static dyn CoreTool> {
    CORE.iter().chain(UNLISTED).copied()
}

/// One of them by name, in no list.
pub(crate) fn unlisted(name: &str) -> Option<&'static dyn CoreTool> {
    static NAMES: LazyLock<Vec<Cow<'static, str>>> =
        LazyLock::new(|| UNLISTED.iter().map(|tool| tool.definition().name).collect());
    NAMES.iter().any(|known| known == name).then(|| find(name)).flatten()
}

/// One of them by name.
pub(crate) fn find(name: &str) -> Option<&'static dyn CoreTool> {
    // A definition is too much to make for a look at its name.
    static NAMES: LazyLock<HashMap<Cow<'static, str>, &'static dyn CoreTool>> =
        LazyLock::new(|| all().map(|tool| (tool.definition().name, tool)).collect());
    NAMES.get(name).copied()
}

/// Whether arguments fit a tool of ours, or all that is wrong with them.
pub(crate) fn check(name: &str, args: Option<&JsonObject>) -> Result<(), String> {
    static SCHEMAS: LazyLock<HashMap<Cow<'static, str>, Value>> = LazyLock::new(|| {
        let schema = |tool: Tool| (tool.name, Value::Object((*tool.input_schema).clone()));
        all().map(|tool| schema(tool.definition())).collect()
    });
    let Some(schema) = SCHEMAS.get(name) else { return Ok(()) };
    let args = Value::Object(args.cloned().unwrap_or_default());
    fits(schema, &args).map_err(|misfit| {
        let known = schema["properties"].as_object().into_iter().flat_map(|all| all.keys());
        let known: Vec<&str> = known.map(String::as_str).collect();
        let takes = if known.is_empty() { "no arguments".to_owned() } else { list(&known) };
        format!("`{name}` was not called: {misfit}. It takes {takes}.")
    })
}

/// The argument that names the folder where a tool of ours is to work: some clients have no other way to say it.
pub(crate) const WORKSPACE: &str = "workspace";

/// Goes to the folder that a call of a tool of ours names.
pub(crate) fn go(visit: &mut Visit, request: &CallToolRequestParams) -> Result<(), String> {
    let named = request.arguments.as_ref().map(|args| text(args, WORKSPACE)).unwrap_or_default();
    if named.is_empty() || find(&request.name).is_none() { Ok(()) } else { visit.work_in(named) }
}

/// A text among arguments that were checked; empty when it is not given.
pub(crate) fn text<'a>(args: &'a JsonObject, name: &str) -> &'a str {
    args.get(name).and_then(Value::as_str).map(str::trim).unwrap_or_default()
}

/// What a tool does to the world, as clients are told.
#[derive(Clone, Copy)]
pub(crate) enum Hint {
    /// It only looks.
    Read,
    /// It changes something; the same call twice may change it twice.
    Write,
    /// It ends something that cannot be begun again.
    End,
}

/// A definition from the `properties` of its arguments.
pub(crate) fn define(
    name: &'static str,
    title: &'static str,
    description: &'static str,
    (mut properties, required): (Value, &[&str]),
    hint: Hint,
) -> Tool {
    properties[WORKSPACE] = json!({
        "type": "string", "default": "",
        "description": "The folder that it is about: an absolute path or file:// address; default: where the client works.",
    });
    let mut schema = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    let read = matches!(hint, Hint::Read);
    let annotations = ToolAnnotations::with_title(title)
        .read_only(read)
        .destructive(matches!(hint, Hint::End))
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
