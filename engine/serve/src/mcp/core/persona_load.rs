//! `persona_load`, and `agent_load` as others call it: plays another part.

use aa_run::workspace::Opening;
use async_trait::async_trait;
use rmcp::model::{CallToolResult, Tool};
use serde_json::json;

use super::{CoreTool, Hint, define, text};
use crate::mcp::listing::Listing;
use crate::mcp::server::{Answer, Call, failed};
use crate::mcp::switch;

pub(crate) struct PersonaLoad {
    pub(crate) name: &'static str,
    /// What the persona is called by.
    pub(crate) argument: &'static str,
}

#[async_trait]
impl CoreTool for PersonaLoad {
    fn definition(&self) -> Tool {
        let description = "Load a persona: what it is told, and its tools and skills in place of those of the one before. \
                           The tools of the server itself stay. When it cannot be loaded, nothing changes.";
        let properties = json!({
            (self.argument): {"type": "string", "description": "Name of the persona, as persona_list gives it."},
            "session": {"type": "string", "description": "The session that loads it, as session_start gave it; default: the one that the request names, or else a new one."},
        });
        define(self.name, "Load a persona", description, (properties, &[self.argument]), Hint::Write)
    }

    async fn call(&self, mut call: Call<'_>) -> Answer {
        let args = call.request.arguments.clone().unwrap_or_default();
        if let Err(message) = switch::enter(&mut call.visit, &args) {
            return Ok(failed(message));
        }
        let resume = switch::target(&call.visit, text(&args, "session"));
        let opening = Opening { resume, ..Opening::default() };
        match switch::switch(&call, text(&args, self.argument), opening).await {
            Ok(switched) => {
                let budget = call.server.seat.engine.settings().clients.tool_budget;
                let listing = Listing::of(&switched.view, budget);
                Ok(CallToolResult::structured(switch::told(&call.visit.engine, &switched, &listing)).into())
            }
            Err(message) => Ok(failed(message)),
        }
    }
}
