//! `skill_run`: runs a skill by name.

use async_trait::async_trait;
use rmcp::model::{ErrorData, Tool};
use serde_json::{Map, Value, json};

use super::{CoreTool, Hint, define};
use crate::mcp::follow;
use crate::mcp::server::{Answer, Call};

pub(crate) struct SkillRun;

#[async_trait]
impl CoreTool for SkillRun {
    fn definition(&self) -> Tool {
        let description = "Run a skill and wait for its outputs.";
        let properties = json!({
            "skill_name": {"type": "string", "description": "Name of the skill, as skill_list gives it."},
            "inputs": {"type": "object", "description": "Its inputs by name."},
        });
        define("skill_run", "Run a skill", description, (properties, &["skill_name"]), Hint::Write)
    }

    async fn call(&self, call: Call<'_>) -> Answer {
        let mut args = call.request.arguments.clone().unwrap_or_default();
        let Some(Value::String(skill)) = args.remove("skill_name") else {
            return Err(ErrorData::invalid_params("`skill_name` must be a text", None));
        };
        let inputs = match args.remove("inputs") {
            Some(Value::Object(inputs)) => inputs,
            None => Map::new(),
            Some(_) => return Err(ErrorData::invalid_params("`inputs` must be an object", None)),
        };
        follow::run(call, &skill, inputs).await
    }
}
