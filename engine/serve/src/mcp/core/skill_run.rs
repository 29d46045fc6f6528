//! `skill_run`: runs a skill by name.

use std::time::Duration;

use async_trait::async_trait;
use rmcp::model::{ErrorData, Tool};
use serde_json::{Map, Value, json};

use super::{CoreTool, Hint, define};
use crate::mcp::follow::{self, Wanted};
use crate::mcp::server::{Answer, Call};

/// Longest wait that a call may ask for.
const LONGEST: Duration = Duration::from_hours(24);

pub(crate) struct SkillRun;

#[async_trait]
impl CoreTool for SkillRun {
    fn definition(&self) -> Tool {
        let description = "Run a skill and wait for its outputs.";
        let properties = json!({
            "skill_name": {"type": "string", "description": "Name of the skill, as skill_list gives it."},
            "inputs": {"type": "object", "description": "Its inputs by name."},
            "dry_run": {"type": "boolean", "description": "Only read, and say what would be changed (default false)."},
            "plan": {"type": "string", "description": "The hash that skill_plan gave: run this and nothing else."},
            "idempotency_key": {
                "type": "string",
                "description": "A repeated call with the same key finds the first run instead of starting another.",
            },
            "wait_seconds": {
                "type": "number", "minimum": 0,
                "description": "How long to wait for its end; then run_status tells how it goes.",
            },
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
            None | Some(Value::Null) => Map::new(),
            Some(_) => return Err(ErrorData::invalid_params("`inputs` must be an object", None)),
        };
        let wanted = Wanted {
            skill,
            inputs,
            dry_run: args.get("dry_run").and_then(Value::as_bool).unwrap_or_default(),
            plan: text(&mut args, "plan")?,
            idempotency_key: text(&mut args, "idempotency_key")?,
            wait: wait(&args)?,
            to_the_end: false,
        };
        follow::run(call, wanted).await
    }
}

fn text(args: &mut Map<String, Value>, name: &str) -> Result<Option<String>, ErrorData> {
    match args.remove(name) {
        Some(Value::String(text)) => Ok(Some(text)),
        None | Some(Value::Null) => Ok(None),
        Some(_) => Err(ErrorData::invalid_params(format!("`{name}` must be a text"), None)),
    }
}

fn wait(args: &Map<String, Value>) -> Result<Option<Duration>, ErrorData> {
    let Some(seconds) = args.get("wait_seconds").filter(|seconds| !seconds.is_null()) else {
        return Ok(None);
    };
    let wait = seconds.as_f64().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    wait.map(|wait| Some(wait.min(LONGEST)))
        .ok_or_else(|| ErrorData::invalid_params("`wait_seconds` must be a number from 0 on", None))
}
