//! `skill_run`: runs a skill by name.

use std::time::Duration;

use async_trait::async_trait;
use rmcp::model::{JsonObject, Tool};
use serde_json::{Map, Value, json};

use super::skill_plan::SkillPlan;
use super::tool_call::any;
use super::{CoreTool, Hint, define, text};
use crate::mcp::follow::{self, Wanted};
use crate::mcp::server::{Answer, Call, failed};

/// Longest wait that a call may ask for.
const LONGEST: Duration = Duration::from_hours(24);

pub(crate) struct SkillRun;

#[async_trait]
impl CoreTool for SkillRun {
    fn definition(&self) -> Tool {
        let description = "Run a skill and wait for its outputs. Any skill can be run, whatever the persona.";
        let properties = json!({
            "skill_name": {"type": "string", "description": "Name of the skill, as skill_list or skill_search gives it."},
            "inputs": inputs_schema(),
            "dry_run": {"type": "boolean", "description": "Run reads only; writes are answered from the plan.", "default": false},
            "plan": {"type": "string", "description": "Hash that skill_plan gave: nothing runs unless the plan is still that one."},
            "idempotency_key": {"type": "string", "description": "The same call again, with the same key, finds the first run instead of starting another one."},
            "execute": {"type": "boolean", "description": "False: only say what it would do, as skill_plan does.", "default": true},
            "debug": {"type": "boolean", "description": "Changes nothing: run_status shows every step in any case.", "default": false},
            "wait_seconds": {"type": "number", "minimum": 0, "description": "Longest time to wait before the answer says where the run stands."},
        });
        any(define("skill_run", "Run a skill", description, (properties, &["skill_name"]), Hint::Write))
    }

    async fn call(&self, call: Call<'_>) -> Answer {
        let args = call.request.arguments.clone().unwrap_or_default();
        if args.get("execute") == Some(&Value::Bool(false)) {
            return SkillPlan.call(call).await;
        }
        let inputs = match inputs(&args) {
            Ok(inputs) => inputs,
            Err(message) => return Ok(failed(message)),
        };
        let given = |name: &str| Some(text(&args, name).to_owned()).filter(|text| !text.is_empty());
        let wait = args.get("wait_seconds").and_then(Value::as_f64);
        let wanted = Wanted {
            skill: text(&args, "skill_name").to_owned(),
            inputs,
            dry_run: args.get("dry_run") == Some(&Value::Bool(true)),
            plan: given("plan"),
            idempotency_key: given("idempotency_key"),
            wait: wait.map(|seconds| {
                Duration::try_from_secs_f64(seconds).map_or(LONGEST, |wait| wait.min(LONGEST))
            }),
            to_the_end: false,
        };
        follow::run(call, wanted).await
    }
}

/// What inputs of a skill are given as; some clients can only give texts.
pub(super) fn inputs_schema() -> Value {
    json!({
        "description": "Its inputs by name, as skill_describe tells them: an object, or that as JSON text.",
        "anyOf": [{"type": "object", "additionalProperties": true}, {"type": "string"}],
    })
}

/// The inputs among arguments that were checked.
pub(super) fn inputs(args: &JsonObject) -> Result<Map<String, Value>, String> {
    object(args.get("inputs"), "inputs")
}

/// An object that may be given as JSON text.
pub(super) fn object(given: Option<&Value>, name: &str) -> Result<Map<String, Value>, String> {
    match given {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(entries)) => Ok(entries.clone()),
        Some(Value::String(text)) if text.trim().is_empty() => Ok(Map::new()),
        Some(Value::String(text)) => match aa_spec::json::exact(text.as_bytes()) {
            Ok(Value::Object(entries)) => Ok(entries),
            Ok(_) => Err(format!("`{name}` is JSON, but no object")),
            Err(error) if error.is_data() => Err(format!("`{name}`: {error}")),
            Err(error) => Err(format!("`{name}` is neither an object nor JSON: {error}")),
        },
        Some(_) => Err(format!("`{name}` must be an object")),
    }
}
