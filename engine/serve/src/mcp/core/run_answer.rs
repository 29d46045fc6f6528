//! `run_answer`: answers a question of a run, where the policy lets a model do so.

use async_trait::async_trait;
use rmcp::model::{CallToolResult, ErrorData, Tool};
use serde_json::{Value, json};

use super::tool_call::any;
use super::{CoreTool, Hint, define, object, run_of};
use crate::mcp::follow::{answer, question, session_of};
use crate::mcp::server::{Answer, Call, failed};

pub(crate) struct RunAnswer;

#[async_trait]
impl CoreTool for RunAnswer {
    fn definition(&self) -> Tool {
        let description = "Answer an open question of a run. Questions are for people: unless the configuration lets \
                           you answer them (serve.self_approve), this is refused, and a person has to do it.";
        let properties = json!({
            "run_id": {"type": "integer", "minimum": 1, "description": "Number of the run."},
            "question": {
                "type": "string",
                "description": "Which question, as run_status says: refused when it is not open any more, even if the same step asks something else by now.",
            },
            "answer": {
                "anyOf": [{"type": "string"}, {"type": "object"}],
                "description": "One of the question's options; of a form, its fields as an object.",
            },
        });
        let schema = json!({
            "type": "object",
            "properties": {
                "run_id": {"type": "integer"}, "question": {"type": "string"}, "answer": {"anyOf": [{"type": "string"}, {"type": "object"}]},
            },
            "required": ["run_id", "question", "answer"],
        });
        let required = (properties, &["run_id", "question", "answer"][..]);
        // What was asked may be whether something is to be destroyed.
        any(define("run_answer", "Answer a run", description, required, Hint::Write))
            .with_raw_output_schema(object(schema).into())
    }

    async fn call(&self, call: Call<'_>) -> Answer {
        let args = call.request.arguments.clone().unwrap_or_default();
        let run = run_of(&args)?;
        let key = text(&args, "question")?;
        let given = args.get("answer").cloned().unwrap_or_default();
        let answer = match &given {
            Value::Object(_) => given.to_string(),
            _ => text(&args, "answer")?,
        };
        let engine = &call.visit.engine;
        let by = question::by(&engine.caller().principal, "run_answer");
        if let Err(error) = engine.answer_for_model(run, &key, &answer, &by).await {
            return Ok(failed(answer::refusal(&error)));
        }
        // When nobody drives it, somebody has to do what follows.
        if engine.run(run).is_ok_and(|run| !run.driven && run.ended_at.is_none())
            && let Err(error) = engine.attend(run, &session_of(&call)).await
        {
            return Ok(failed(answer::refusal(&error)));
        }
        Ok(CallToolResult::structured(json!({"run_id": run, "question": key, "answer": given})).into())
    }
}

fn text(args: &serde_json::Map<String, Value>, name: &str) -> Result<String, ErrorData> {
    let text = args.get(name).and_then(Value::as_str).map(str::to_owned);
    text.ok_or_else(|| ErrorData::invalid_params(format!("`{name}` must be a text"), None))
}
