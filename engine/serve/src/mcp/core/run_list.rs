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

/// What no status says, but who is alive.
const INTERRUPTED: &str = "interrupted";
/// How a run can stand.
const STATES: [&str; 6] = ["running", "waiting", "completed", "failed", "cancelled", INTERRUPTED];

pub(crate) struct RunList;

#[async_trait]
impl CoreTool for RunList {
    fn definition(&self) -> Tool {
        let description = "List your runs in this workspace, newest first.";
        let properties = json!({
            "skill": {"type": "string", "description": "Only runs of this skill."},
            "status": {
                "anyOf": [
                    {"type": "string", "enum": STATES},
                    {"type": "array", "items": {"type": "string", "enum": STATES}},
                ],
                "description": "Only runs that stand so: one or several of running, waiting, completed, failed, cancelled, and interrupted, which nobody drives although they should go on.",
            },
            "limit": {"type": "integer", "minimum": 1, "maximum": MOST, "description": "At most so many (default 20)."},
        });
        define("run_list", "List runs", description, (properties, &[]), Hint::Read)
            .with_raw_output_schema(object(schema()).into())
    }

    async fn call(&self, call: Call<'_>) -> Answer {
        let args = call.request.arguments.clone().unwrap_or_default();
        let (status, interrupted) = states(args.get("status"))?;
        let limit = args.get("limit").and_then(Value::as_u64).and_then(|limit| u32::try_from(limit).ok());
        let filter = RunFilter {
            skill: args.get("skill").and_then(Value::as_str).map(str::to_owned),
            status,
            interrupted,
            limit: Some(limit.unwrap_or(USUAL).clamp(1, MOST)),
            ..RunFilter::default()
        };
        let runs = call.visit.engine.runs(&filter).map_err(|error| internal(&error))?;
        let runs: Vec<Value> = runs.iter().map(summary).collect();
        Ok(CallToolResult::structured(json!({ "runs": runs })).into())
    }
}

/// The states that are wanted, and whether those that are interrupted are.
fn states(given: Option<&Value>) -> Result<(Vec<RunStatus>, bool), ErrorData> {
    let mut words = match given {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(words)) => words.clone(),
        Some(word) => vec![word.clone()],
    };
    let all = words.len();
    words.retain(|word| word != INTERRUPTED);
    let interrupted = words.len() < all;
    let read = |word: Value| {
        serde_json::from_value::<RunStatus>(word.clone())
            .map_err(|_| ErrorData::invalid_params(format!("`{word}` is not a status"), None))
    };
    Ok((words.into_iter().map(read).collect::<Result<_, _>>()?, interrupted))
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
