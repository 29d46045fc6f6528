//! `run_status`: where a run stands, and what came of it.

use std::time::Duration;

use aa_run::engine::Engine;
use aa_run::event::{Body, RunId};
use aa_run::standing::Standing;
use async_trait::async_trait;
use rmcp::model::Tool;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::run_list::summary;
use super::{CoreTool, Hint, define, object};
use crate::mcp::follow::answer::{self, question};
use crate::mcp::result::{self, Whole};
use crate::mcp::server::{Answer, Call, failed};

pub(crate) struct RunStatus;

#[async_trait]
impl CoreTool for RunStatus {
    fn definition(&self) -> Tool {
        let description = "Say where a run stands: what runs, what is asked, and once it is over its outputs or why \
                           it failed. With wait_seconds, wait for its end or for a question.";
        let properties = json!({
            "run_id": {"type": "integer", "minimum": 1, "description": "Number of the run."},
            "wait_seconds": {
                "type": "number", "minimum": 0, "maximum": 300,
                "description": "How long to wait at most (default 0).",
            },
        });
        define("run_status", "Status of a run", description, (properties, &["run_id"]), Hint::Read)
            .with_raw_output_schema(object(schema()).into())
    }

    async fn call(&self, call: Call<'_>) -> Answer {
        let args = call.request.arguments.clone().unwrap_or_default();
        let run = super::run_of(&args)?;
        let wait = args.get("wait_seconds").and_then(Value::as_f64).unwrap_or_default().clamp(0.0, 300.0);
        if let Err(error) = call.visit.engine.run(run) {
            return Ok(failed(error.to_string()));
        }
        if wait > 0.0 {
            let ended = timeout(Duration::from_secs_f64(wait), stopped(&call.visit.engine, run));
            tokio::select! {
                () = call.context.ct.cancelled() => return Ok(failed("the call was cancelled")),
                _ = ended => {}
            }
        }
        Ok(match status(&call.visit.engine, run) {
            Ok(status) => {
                let shown = format!("`aa run show {run}` in a terminal shows all of it");
                let is_over = status.get("outputs").is_some();
                let parts = ["outputs", "questions", "unresolved"];
                answer::with_outputs(&call, run, |whole| {
                    result::of_parts(status, &parts, if is_over { whole } else { Whole::Ask(&shown) })
                })
                .into()
            }
            Err(error) => failed(answer::refusal(&error)),
        })
    }
}

/// Returns when a run is over or asks something.
async fn stopped(engine: &Engine, run: RunId) {
    let Ok(mut events) = engine.watch(run, 0) else { return };
    let mut standing = Standing::default();
    while let Some(event) = events.recv().await {
        standing.apply(&event);
        while let Ok(event) = events.try_recv() {
            standing.apply(&event);
        }
        if standing.over || !standing.questions.is_empty() || !standing.unknown.is_empty() {
            return;
        }
    }
}

/// Where a run stands, as data.
fn status(engine: &Engine, run: RunId) -> Result<Value, aa_run::engine::StartError> {
    let mut status = summary(&engine.run(run)?);
    let events = engine.events(run, 0)?;
    let standing = Standing::of(&events);
    status["message"] = standing.line().into();
    status["steps_done"] = standing.done.len().into();
    status["steps"] = engine.run_plan(run)?.skill.steps.len().into();
    if !standing.questions.is_empty() {
        status["questions"] = standing.questions.values().map(question).collect();
    }
    let unresolved = answer::unresolved(run, &standing);
    if !unresolved.is_empty() {
        status["unresolved"] = unresolved.into();
    }
    match events.iter().rev().find(|event| ends(&event.body)).map(|event| &event.body) {
        Some(Body::SkillCompleted { outputs, .. }) => status["outputs"] = json!(outputs),
        Some(Body::SkillFailed { error, step, .. }) => {
            status["error"] = json!({"message": error.message, "kind": error.kind, "step": step});
            status["next"] = format!("run_explain with run_id {run} says why").into();
        }
        _ => {}
    }
    Ok(status)
}

fn ends(body: &Body) -> bool {
    matches!(body, Body::SkillCompleted { .. } | Body::SkillFailed { .. } | Body::SkillCancelled { .. })
}

fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "run_id": {"type": "integer"},
            "skill": {"type": "string"},
            "status": {"type": "string", "enum": ["running", "waiting", "completed", "failed", "cancelled"]},
            "started_at": {"type": "string"},
            "ended_at": {"type": "string"},
            "message": {"type": "string", "description": "What runs, or what it waits for."},
            "steps": {"type": "integer", "description": "Steps of the skill."},
            "steps_done": {"type": "integer"},
            "questions": {"type": "array", "items": {"type": "object"}, "description": "What a person is asked."},
            "unresolved": {
                "type": "array", "items": {"type": "object"},
                "description": "Steps of which only a person can say how they ended, and how they say it.",
            },
            "outputs": {"type": "object"},
            "error": {"type": "object"},
            "next": {"type": "string"},
        },
        "required": ["run_id", "skill", "status", "started_at"],
    })
}
