//! `tool_call`: any tool of any module, whatever the persona; and `tool_exec`, as it was called before.

use async_trait::async_trait;
use rmcp::model::{CallToolRequestParams, Tool};
use serde_json::{Map, Value, json};

use super::skill_run::object;
use super::{CoreTool, Hint, define, text};
use crate::mcp::follow::{self, Wanted};
use crate::mcp::module;
use crate::mcp::server::{Answer, Call, call_core, failed, internal};

pub(crate) struct ToolCall;
pub(crate) struct ToolExec;

#[async_trait]
impl CoreTool for ToolCall {
    fn definition(&self) -> Tool {
        let description = "Call any tool of any module by name, also one that is not in the list. tool_search and tool_list find them.";
        let properties = json!({
            "tool_name": {"type": "string", "description": "Name of the tool, e.g. git_log."},
            "arguments": {
                "description": "Its arguments by name, as tool_search tells them: an object, or that as JSON text.",
                "anyOf": [{"type": "object", "additionalProperties": true}, {"type": "string"}],
            },
        });
        any(define("tool_call", "Call a tool", description, (properties, &["tool_name"]), Hint::Write))
    }

    async fn call(&self, call: Call<'_>) -> Answer {
        Box::pin(named(call, "arguments")).await
    }
}

#[async_trait]
impl CoreTool for ToolExec {
    fn definition(&self) -> Tool {
        let description = "The same as tool_call, with the arguments as JSON text.";
        let properties = json!({
            "tool_name": {"type": "string", "description": "Name of the tool."},
            "args": {"type": "string", "description": "Its arguments: a JSON object.", "default": "{}"},
        });
        any(define("tool_exec", "Call a tool", description, (properties, &["tool_name"]), Hint::Write))
    }

    async fn call(&self, call: Call<'_>) -> Answer {
        Box::pin(named(call, "args")).await
    }
}

/// It may come to whatever a tool can do.
pub(super) fn any(tool: Tool) -> Tool {
    let annotations = tool.annotations.clone().unwrap_or_default().destructive(true).open_world(true);
    tool.with_annotations(annotations)
}

/// Calls what `tool_name` names with what is given under `key`.
async fn named(call: Call<'_>, key: &str) -> Answer {
    let given = call.request.arguments.clone().unwrap_or_default();
    let name = text(&given, "tool_name");
    let args = match object(given.get(key), key) {
        Ok(args) => args,
        Err(message) => return Ok(failed(message)),
    };
    // Before the tools of modules: one of the same name does not know who calls.
    if let Some(tool) = super::unlisted(name) {
        let mut call = call;
        call.request = CallToolRequestParams::new(name.to_owned()).with_arguments(args);
        return match super::go(&mut call.visit, &call.request) {
            Ok(()) => call_core(tool, call).await,
            Err(why) => Ok(failed(why)),
        };
    }
    if super::find(name).is_some() {
        return Ok(failed(format!("`{name}` is a tool of the server itself: call it as such")));
    }
    let engine = call.visit.engine.clone();
    engine.meet(name).await.map_err(|error| internal(&error))?;
    if let Some(spec) = engine.tool(name).map_err(|error| internal(&error))? {
        return module::call(call, &spec, args).await;
    }
    other(call, name, args).await
}

/// A skill may be meant, or a tool of another name.
async fn other(call: Call<'_>, name: &str, inputs: Map<String, Value>) -> Answer {
    let catalogue = call.visit.engine.catalogue().map_err(|error| internal(&error))?;
    if let Some(Ok(card)) = catalogue.skill(name) {
        return follow::run(call, Wanted { skill: card.name.clone(), inputs, ..Wanted::default() }).await;
    }
    let near = call.visit.scope().near_tool(name).map_err(|error| internal(&error))?;
    let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    let why = call.visit.why_missing(name)?;
    Ok(failed(format!("there is no tool `{name}`{near} tool_search finds tools by words.{why}")))
}
