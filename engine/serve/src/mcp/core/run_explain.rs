//! `run_explain`: why a run failed, and what can be done.

use std::sync::Arc;

use aa_run::engine::Engine;
use aa_run::event::{Body, RunId};
use aa_run::explain::{Action, Explanation};
use aa_spec::template::seal;
use async_trait::async_trait;
use rmcp::model::{CallToolResult, ErrorData, Tool};
use serde_json::{Map, Value, json};

use super::{CoreTool, Hint, define, object};
use crate::mcp::server::{Answer, Call, failed};
use crate::mcp::task::SINGLE;

/// Longest call that is told whole, in bytes.
const LONGEST: usize = 2000;

pub(crate) struct RunExplain;

#[async_trait]
impl CoreTool for RunExplain {
    fn definition(&self) -> Tool {
        let description = "Explain why a run failed: the failing step, what it was called with and where each \
            argument came from, what was different when the skill last succeeded, known issues, and the \
            commands that retry or resume.";
        let properties = json!({
            "run_id": {"type": "integer", "description": "Number of the run; without it, your last one that failed."},
        });
        define("run_explain", "Explain a run", description, (properties, &[]), Hint::Read)
            .with_raw_output_schema(Arc::new(object(output())))
    }

    async fn call(&self, call: Call<'_>) -> Answer {
        let engine = &call.visit.engine;
        let run = match call.request.arguments.as_ref().and_then(|args| args.get("run_id")) {
            None | Some(Value::Null) => match engine.last_failed() {
                Ok(Some(run)) => run,
                Ok(None) => return Ok(failed("no run has failed; give `run_id` to have any run explained")),
                Err(error) => return Ok(failed(error.to_string())),
            },
            Some(run) => run
                .as_i64()
                .or_else(|| run.as_str()?.parse().ok())
                .map(RunId)
                .ok_or_else(|| ErrorData::invalid_params("`run_id` must be the number of a run", None))?,
        };
        match engine.explain(run) {
            Ok(explanation) => Ok(CallToolResult::structured(told(engine, &explanation)).into()),
            Err(error) => Ok(failed(format!("{error}; `run_list` shows your runs"))),
        }
    }
}

/// The explanation, each thing that can be done also as a call of a tool where there is one.
fn told(engine: &Engine, explanation: &Explanation) -> Value {
    let mut told = json!(explanation);
    for (index, next) in explanation.next.iter().enumerate() {
        if let Some((tool, arguments)) = tool_for(engine, explanation, next.action) {
            told["next"][index]["call"] = json!({"tool": tool, "arguments": arguments});
        }
    }
    told
}

fn tool_for(engine: &Engine, explanation: &Explanation, action: Action) -> Option<(&'static str, Value)> {
    match action {
        Action::DebugTool => {
            let tool = explanation.step.as_ref()?.target.as_ref()?;
            Some(("debug_tool", json!({ "tool_name": tool })))
        }
        Action::Retry => match engine.first_event(explanation.run).ok()??.body {
            // Canned answers cannot be given again here, and without them the run would be a real one.
            Body::SkillStarted { stubs: Some(_), .. } => None,
            // A secret is no input that a client could give.
            Body::SkillStarted { inputs, dry_run, .. } if seal::is_clean(&json!(inputs)) => {
                Some(again(&explanation.skill, inputs, dry_run)).filter(|(_, call)| is_short(call))
            }
            _ => None,
        },
        _ => None,
    }
}

/// The call that does the same again.
fn again(skill: &str, mut inputs: Map<String, Value>, dry_run: bool) -> (&'static str, Value) {
    if let Some(tool) = skill.strip_prefix(SINGLE) {
        let arguments = inputs.remove("arguments").unwrap_or_else(|| json!({}));
        return ("tool_call", json!({"tool_name": tool, "arguments": arguments}));
    }
    let mut call = json!({"skill_name": skill, "inputs": inputs});
    if dry_run {
        // What was only tried must not become real.
        call["dry_run"] = true.into();
    }
    ("skill_run", call)
}

/// Whether a call is no burden: whoever has made it knows it anyway.
fn is_short(call: &Value) -> bool {
    call.to_string().len() <= LONGEST
}

/// What comes back.
fn output() -> Value {
    let text = json!({"type": "string"});
    // Two types in one place are not understood by every client; a choice of schemas is.
    let perhaps = |description: &str| json!({"description": description, "anyOf": [{"type": "object"}, {"type": "null"}]});
    let objects =
        |description: &str| json!({"type": "array", "items": {"type": "object"}, "description": description});
    json!({
        "type": "object",
        "properties": {
            "run": {"type": "integer"},
            "skill": text,
            "status": text,
            "summary": text,
            "step": perhaps("The step that failed, with its error and its arguments."),
            "changes": perhaps("What was different when the skill last succeeded."),
            "known_issues": objects("Issues that the error matches."),
            "next": objects("What can be done, the most sensible first."),
        },
        "required": ["run", "skill", "status", "summary", "step", "changes", "known_issues", "next"],
    })
}
