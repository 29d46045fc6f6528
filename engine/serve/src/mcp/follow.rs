//! A run that a call has started, until the call can be answered.
//!
//! [`run`] and [`call_tool`] are the doors. [`attendance`] is the loop that waits for whatever comes
//! first: the end, a question, the client's patience, a cancellation. [`direct`] calls what only
//! reads. [`progress`] tells the client how it goes, [`question`] puts questions, [`sealed`] is what a client carries for us between two
//! requests, [`answer`] words what came of it.

pub(crate) mod answer;
mod attendance;
mod direct;
mod progress;
pub(crate) mod question;
mod sealed;

use std::time::Duration;

use aa_run::driver::Park;
use aa_run::engine::{Direct, Inputs, RunHandle, RunRequest, StartError};
use aa_run::event::Origin;
use aa_run::policy::Verdict;
use aa_spec::check::Strictness;
use aa_spec::tool::{Effect, ToolSpec};
use serde_json::{Map, Value};

use super::server::{Answer, Call, failed};
use super::trouble;
pub(crate) use answer::Shape;
use attendance::Attendance;

/// What a call wants of a skill.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    /// The skill's name.
    pub(crate) skill: String,
    /// Its inputs.
    pub(crate) inputs: Map<String, Value>,
    /// Reads run, writes are answered from the plan.
    pub(crate) dry_run: bool,
    /// The hash that `skill_plan` gave.
    pub(crate) plan: Option<String>,
    /// A repeated call with the same key is about the same run.
    pub(crate) idempotency_key: Option<String>,
    /// How long to wait at most; else as it is configured.
    pub(crate) wait: Option<Duration>,
}

/// Runs a skill for a call.
pub(crate) async fn run(call: Call<'_>, wanted: Wanted) -> Answer {
    let (wait, name) = (wanted.wait, wanted.skill);
    if call.request.request_state.is_some() {
        return sealed::go_on(call, Shape::Outputs, wait).await;
    }
    if !call.visit.may_use(&name) {
        return Ok(failed(format!("your key opens no persona that shows the skill `{name}`")));
    }
    let request = RunRequest {
        skill: name.clone(),
        inputs: Inputs::Json(wanted.inputs),
        origin: Origin::Mcp,
        dry_run: wanted.dry_run,
        plan_hash: wanted.plan,
        request_key: wanted.idempotency_key.or_else(|| key_of(&call)),
        strictness: Strictness { lenient: false, strict: false },
        park: Park::Stay,
    };
    let started = call.visit.engine.start_called(request, &session_of(&call)).await;
    let refused = |error: &StartError| trouble::start(&name, error);
    attend(call, started.map_err(|error| refused(&error)), Shape::Outputs, wait).await
}

/// Calls a tool: at once if it only reads, and else as a run of one step.
pub(crate) async fn call_tool(call: Call<'_>, spec: &ToolSpec, args: Map<String, Value>) -> Answer {
    if call.request.request_state.is_some() {
        return sealed::go_on(call, Shape::Result, None).await;
    }
    let engine = call.visit.engine.clone();
    if spec.effect == Effect::Read && engine.verdict(Effect::Read, false) == Verdict::Go {
        return direct::call(&call, spec, args).await;
    }
    let direct = Direct { tool: spec.name.clone(), args, request_key: key_of(&call) };
    let started = engine.start_call(direct, &session_of(&call)).await;
    let refused = |error: &StartError| trouble::call(spec, error);
    attend(call, started.map_err(|error| refused(&error)), Shape::Result, None).await
}

async fn attend(
    call: Call<'_>,
    started: Result<RunHandle, String>,
    shape: Shape,
    wait: Option<Duration>,
) -> Answer {
    match started {
        Ok(handle) => Attendance::new(&call, handle, shape, wait).attend().await,
        Err(refused) => Ok(failed(refused)),
    }
}

/// The idempotency key among what the client says about its request.
fn key_of(call: &Call<'_>) -> Option<String> {
    call.context.meta.get("aa/idempotency-key").and_then(Value::as_str).map(str::to_owned)
}

/// The session that a request belongs to, as far as places for runs go.
pub(crate) fn session_of(call: &Call<'_>) -> String {
    call.visit.session.as_ref().map(|session| session.session_id.clone()).unwrap_or_default()
}
