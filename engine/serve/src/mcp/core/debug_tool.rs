//! `debug_tool`: why a tool fails.

use async_trait::async_trait;
use rmcp::model::Tool;
use serde_json::json;

use super::{CoreTool, Hint, define, text};
use crate::mcp::result::{self, Whole};
use crate::mcp::server::{Answer, Call, failed};

pub(crate) struct DebugTool;

#[async_trait]
impl CoreTool for DebugTool {
    fn definition(&self) -> Tool {
        let description = "Look into why a tool fails: its definition with file and line, its last failing call, known issues, what the \
                           error points to, and where a rule knows one, a change to the definition for a person to confirm.";
        let properties = json!({
            "tool_name": {"type": "string", "description": "Name of the tool that failed."},
            "error_message": {"type": "string", "description": "What it said; without it, its last failure in a run counts.", "default": ""},
        });
        define("debug_tool", "Debug a tool", description, (properties, &["tool_name"]), Hint::Read)
    }

    async fn call(&self, call: Call<'_>) -> Answer {
        let args = call.request.arguments.clone().unwrap_or_default();
        let name = text(&args, "tool_name");
        if !call.visit.may_use(name) {
            return Ok(failed(format!("your key opens nothing that is called `{name}`")));
        }
        let report = match call.visit.engine.debug_tool(name, text(&args, "error_message")) {
            Ok(report) => report,
            Err(error) => return Ok(failed(error.to_string())),
        };
        let mut told = json!(report);
        if let Some(patch) = &report.patch {
            told["next"] = json!(format!(
                "Show the change to a person. `aa tool fix {name}` makes it once they agree ({}).",
                patch.what
            ));
        }
        Ok(result::of(told, false, Whole::Ask("the definition is in the file that `source` names")).into())
    }
}
