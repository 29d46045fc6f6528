//! A run that a call has started, until the call can be answered.

use aa_run::driver::Park;
use aa_run::engine::{Inputs, Outcome, RunRequest};
use aa_run::event::Origin;
use aa_spec::check::Strictness;
use serde_json::{Map, Value, json};

use super::content;
use super::server::{Answer, Call, failed, internal};

/// Runs a skill for a call.
pub(crate) async fn run(call: Call<'_>, skill: &str, inputs: Map<String, Value>) -> Answer {
    let request = RunRequest {
        skill: skill.to_owned(),
        inputs: Inputs::Json(inputs),
        origin: Origin::Mcp,
        dry_run: false,
        plan_hash: None,
        request_key: None,
        strictness: Strictness { lenient: false, strict: false },
        park: Park::Stay,
    };
    let handle = match call.visit.engine.start(request).await {
        Ok(handle) => handle,
        Err(error) => return Ok(failed(error.to_string())),
    };
    let run = handle.id;
    match handle.outcome.await.map_err(|error| internal(&error))?.map_err(|error| internal(&error))? {
        Outcome::Completed(outputs) => {
            Ok(content::answer(json!(outputs), &call.visit.engine.settings().folder))
        }
        Outcome::Failed { error, step } => {
            let step = step.map(|step| format!(" at step `{step}`")).unwrap_or_default();
            Ok(failed(format!("run {run} failed{step}: {}", error.message)))
        }
        Outcome::Cancelled => Ok(failed(format!("run {run} was cancelled"))),
        Outcome::Waiting(steps) => {
            let steps: Vec<String> = steps.iter().map(ToString::to_string).collect();
            Ok(failed(format!("run {run} waits for a person at {}", steps.join(", "))))
        }
    }
}
