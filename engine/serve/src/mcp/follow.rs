//! A run that a call has started, until the call can be answered.

use std::time::Duration;

use aa_run::driver::Park;
use aa_run::engine::{Inputs, Outcome, RunRequest};
use aa_run::event::Origin;
use aa_spec::check::Strictness;
use rmcp::model::{CallToolResult, MetaObject};
use serde_json::{Map, Value, json};

use super::result::{self, Whole};
use super::server::{Answer, Call, failed, internal};
use super::trouble;

/// What a call wants to be run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    /// Name of the skill.
    pub(crate) skill: String,
    /// Its inputs.
    pub(crate) inputs: Map<String, Value>,
    /// Reads run, writes are answered from the plan.
    pub(crate) dry_run: bool,
    /// The hash of the plan that was agreed to.
    pub(crate) plan: Option<String>,
    /// A repeated call with the same key is about the same run.
    pub(crate) idempotency_key: Option<String>,
    /// How long the call may take before it is answered with where the run stands.
    #[expect(dead_code, reason = "a bounded wait will ask")]
    pub(crate) wait: Option<Duration>,
}

/// Runs a skill for a call.
pub(crate) async fn run(call: Call<'_>, wanted: Wanted) -> Answer {
    if !call.visit.may_use(&wanted.skill) {
        return Ok(failed(format!("your key opens no persona that shows the skill `{}`", wanted.skill)));
    }
    let request = RunRequest {
        skill: wanted.skill.clone(),
        inputs: Inputs::Json(wanted.inputs),
        origin: Origin::Mcp,
        dry_run: wanted.dry_run,
        plan_hash: wanted.plan,
        request_key: wanted.idempotency_key,
        strictness: Strictness { lenient: false, strict: false },
        park: Park::Stay,
    };
    let handle = match call.visit.engine.start(request).await {
        Ok(handle) => handle,
        Err(error) => return Ok(failed(trouble::start(&wanted.skill, &error))),
    };
    let run = handle.id;
    match handle.outcome.await.map_err(|error| internal(&error))?.map_err(|error| internal(&error))? {
        Outcome::Completed(outputs) => {
            let result: CallToolResult = result::of(json!(outputs), false, Whole::Run(run));
            let mut meta = MetaObject::default();
            meta.insert("aa/run".to_owned(), json!(run));
            Ok(result.with_meta(Some(meta)).into())
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
