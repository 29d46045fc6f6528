//! `tool_search`: tools found by words.

use std::sync::Arc;

use aa_spec::tool::ToolSpec;
use async_trait::async_trait;
use rmcp::model::{CallToolResult, Tool};
use serde_json::{Value, json};

use super::{CoreTool, Hint, UNLISTED, define, text};
use crate::mcp::search;
use crate::mcp::server::{Answer, Call, internal};

/// Tools that are given.
const MOST: usize = 15;

pub(crate) struct ToolSearch;

#[async_trait]
impl CoreTool for ToolSearch {
    fn definition(&self) -> Tool {
        let description = "Find tools of all modules by words, whatever the persona, with the arguments that they take. Call them with tool_call.";
        let properties = json!({
            "query": {"type": "string", "description": "What the tool should do, in a few words."},
            "module": {"type": "string", "description": "Only tools of this module."},
        });
        define("tool_search", "Search tools", description, (properties, &["query"]), Hint::Read)
    }

    async fn call(&self, call: Call<'_>) -> Answer {
        let args = call.request.arguments.clone().unwrap_or_default();
        let wanted = search::words(text(&args, "query"));
        let module = text(&args, "module");
        let catalogue = call.visit.engine.catalogue().map_err(|error| internal(&error))?;
        let scope = call.visit.scope();
        let of =
            |spec: &&Arc<ToolSpec>| (module.is_empty() || spec.module == module) && scope.shows(&spec.name);
        let found =
            search::best(catalogue.tools().iter().filter(of), MOST, |spec| search::tool(&wanted, spec));
        let mut tools: Vec<Value> = found.into_iter().map(|spec| told(spec)).collect();
        if module.is_empty() {
            let own: Vec<Tool> = UNLISTED.iter().map(|tool| tool.definition()).collect();
            let own = search::best(&own, MOST, |tool| search::own(&wanted, tool));
            tools.extend(own.into_iter().map(told_own));
            tools.truncate(MOST);
        }
        Ok(CallToolResult::structured(json!({ "tools": tools })).into())
    }
}

/// The same of a tool of the server itself that is in no list.
fn told_own(tool: &Tool) -> Value {
    let reads = tool.annotations.as_ref().and_then(|hints| hints.read_only_hint).unwrap_or(false);
    json!({
        "name": tool.name,
        "module": "core",
        "description": tool.description,
        "effect": if reads { "read" } else { "write" },
        "input": tool.input_schema,
    })
}

/// What is told of a tool to one who may call it.
pub(super) fn told(spec: &ToolSpec) -> Value {
    json!({
        "name": spec.name,
        "module": spec.module,
        "description": spec.description,
        "effect": spec.effect,
        "input": crate::mcp::schema::input(&spec.input),
    })
}
