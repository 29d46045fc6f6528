//! `run_cancel`: ends a run.

use aa_run::event::Origin;
use aa_run::policy::Verdict;
use aa_spec::tool::Effect;
use async_trait::async_trait;
use rmcp::model::{CallToolResult, Tool};
use serde_json::{Value, json};

use super::run_list::summary;
use super::{CoreTool, Hint, define, object, run_of};
use crate::mcp::follow::{answer, question};
use crate::mcp::server::{Answer, Call, failed};

pub(crate) struct RunCancel;

#[async_trait]
impl CoreTool for RunCancel {
    fn definition(&self) -> Tool {
        let description = "End a run: what it has called is stopped, and nothing more of it starts.";
        let properties = json!({
            "run_id": {"type": "integer", "minimum": 1, "description": "Number of the run."},
            "reason": {"type": "string", "description": "Why, for its history."},
        });
        let schema = json!({
            "type": "object",
            "properties": {"run_id": {"type": "integer"}, "status": {"type": "string"}},
            "required": ["run_id", "status"],
        });
        define("run_cancel", "Cancel a run", description, (properties, &["run_id"]), Hint::End)
            .with_raw_output_schema(object(schema).into())
    }

    async fn call(&self, call: Call<'_>) -> Answer {
        let args = call.request.arguments.clone().unwrap_or_default();
        let run = run_of(&args)?;
        let engine = &call.visit.engine;
        if let Ok(of) = engine.run(run)
            && of.origin != Origin::Mcp
            && engine.verdict(Effect::Write, false) != Verdict::Go
        {
            return Ok(failed(format!(
                "run {run} was not started by an AI client, so a person has to end it: `aa run cancel {run}` in a terminal"
            )));
        }
        let by = question::by(&engine.caller().principal, "run_cancel");
        let reason = args.get("reason").and_then(Value::as_str).unwrap_or_default();
        let cancelled = engine.cancel(run, &by, reason).await;
        let run = cancelled.and_then(|()| Ok(engine.run(run)?));
        Ok(match run {
            Ok(run) => CallToolResult::structured(summary(&run)).into(),
            Err(error) => failed(answer::refusal(&error)),
        })
    }
}
