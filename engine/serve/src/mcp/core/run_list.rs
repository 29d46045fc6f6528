//! `run_list`: the caller's runs, newest first.

use aa_run::store::{RunFilter, RunStatus, RunSummary};
use async_trait::async_trait;
use rmcp::model::{CallToolResult, ErrorData, Tool};
use serde_json::{Value, json};

use super::{CoreTool, Hint, define, object};
use crate::mcp::server::{Answer, Call, internal};

/// Runs that are listed when nothing is said.
const USUAL: u32 = 20;
/// Runs that are listed at most.
const MOST: u32 = 100;

pub(crate) struct RunList;

#[async_trait]
impl CoreTool for RunList {
    fn definition(&self) -> Tool {
        let description = "List your runs in this workspace, newest first.";
        let properties = json!({
            "skill": {"type": "string", "description": "Only runs of this skill."},
            "status": {
                "type": "string", "enum": ["running", "waiting", "completed", "failed", "cancelled"],
                "description": "Only runs that stand so.",
            },
            "limit": {"type": "integer", "minimum": 1, "maximum": MOST, "description": "At most so many (default 20)."},
        });
        define("run_list", "List runs", description, (properties, &[]), Hint::Read)
            .with_raw_output_schema(object(schema()).into())
    }

    async fn call(&self, call: Call<'_>) -> Answer {
        let args = call.request.arguments.clone().unwrap_or_default();
        let status = match args.get("status") {
            None | Some(Value::Null) => Vec::new(),
            Some(status) => vec![
                serde_json::from_value::<RunStatus>(status.clone())
                    .map_err(|_| ErrorData::invalid_params(format!("`{status}` is not a status"), None))?,
            ],
        };
        let limit = args.get("limit").and_then(Value::as_u64).and_then(|limit| u32::try_from(limit).ok());
        let filter = RunFilter {
            skill: args.get("skill").and_then(Value::as_str).map(str::to_owned),
            status,
            limit: Some(limit.unwrap_or(USUAL).clamp(1, MOST)),
            ..RunFilter::default()
        };
        let runs = call.visit.engine.runs(&filter).map_err(|error| internal(&error))?;
        let runs: Vec<Value> = runs.iter().map(summary).collect();
        Ok(CallToolResult::structured(json!({ "runs": runs })).into())
    }
}

/// A run in a list.
pub(super) fn summary(run: &RunSummary) -> Value {
    let mut summary = json!({
        "run_id": run.id, "skill": run.skill, "status": run.status, "started_at": run.started_at,
    });
    if let Some(ended_at) = run.ended_at {
        summary["ended_at"] = json!(ended_at);
    }
    if !run.error.is_empty() {
        summary["message"] = run.error.clone().into();
    }
    summary
}

fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {"runs": {"type": "array", "items": {
            "type": "object",
            "properties": {
                "run_id": {"type": "integer"},
                "skill": {"type": "string"},
                "status": {"type": "string"},
                "started_at": {"type": "string"},
                "ended_at": {"type": "string"},
                "message": {"type": "string"},
            },
            "required": ["run_id", "skill", "status", "started_at"],
        }}},
        "required": ["runs"],
    })
}
