//! `tool_list`: the modules, or the tools of one of them.

use aa_run::toolbox::ModuleEntry;
use aa_spec::name::{fold, suggest};
use async_trait::async_trait;
use rmcp::model::{CallToolResult, Tool};
use serde_json::{Value, json};

use super::{CoreTool, Hint, define, text};
use crate::mcp::server::{Answer, Call, failed, internal};

pub(crate) struct ToolList;

#[async_trait]
impl CoreTool for ToolList {
    fn definition(&self) -> Tool {
        let description =
            "List the tools of a module, whatever the persona; without a module, list the modules.";
        let properties = json!({
            "module": {"type": "string", "description": "Name of the module, e.g. git."},
        });
        define("tool_list", "List tools", description, (properties, &[]), Hint::Read)
    }

    async fn call(&self, call: Call<'_>) -> Answer {
        let args = call.request.arguments.clone().unwrap_or_default();
        let module = fold(text(&args, "module"));
        let modules = call.visit.engine.modules().map_err(|error| internal(&error))?;
        let catalogue = call.visit.engine.catalogue().map_err(|error| internal(&error))?;
        let scope = call.visit.scope();
        let shown = || catalogue.tools().iter().filter(|spec| scope.shows(&spec.name));
        // Whose key names what it opens is told of no module of which it opens nothing.
        let opens_all = call.visit.guest.opens_all();
        let is_open = |entry: &ModuleEntry| {
            let mut of = catalogue.tools().iter().filter(|spec| spec.module == entry.name).peekable();
            // Which tools a server has may not be known yet.
            if of.peek().is_none() { opens_all } else { of.any(|spec| scope.shows(&spec.name)) }
        };
        let modules: Vec<_> = modules.into_iter().filter(is_open).collect();
        if module.is_empty() {
            let told = |entry: &ModuleEntry| json!({"name": entry.name, "description": entry.description});
            let modules: Vec<Value> = modules.iter().map(told).collect();
            return Ok(CallToolResult::structured(json!({ "modules": modules })).into());
        }
        let of = shown().filter(|spec| fold(&spec.module) == module);
        let tools: Vec<Value> = of
            .map(|spec| json!({"name": spec.name, "description": spec.description, "effect": spec.effect, "tier": spec.tier}))
            .collect();
        if tools.is_empty() {
            let near = suggest(&module, modules.iter().map(|entry| entry.name.as_str()));
            let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            let why = call.visit.why_missing(&module)?;
            return Ok(failed(format!(
                "there is no module `{module}`, or none of its tools can be used{near}{why}"
            )));
        }
        Ok(CallToolResult::structured(json!({ "module": module, "tools": tools })).into())
    }
}
