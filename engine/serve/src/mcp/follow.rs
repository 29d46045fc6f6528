//! A run that a call has started, until the call can be answered.
//!
//! [`run`] and [`call_tool`] are the doors. [`attendance`] is the loop that waits for whatever comes
//! first: the end, a question, the client's patience, a cancellation. [`progress`] tells the client
//! how it goes, [`direct`] calls what needs no run, [`question`] puts questions, [`sealed`] is what a client carries for us between two
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

/// How long a call of a tool that only reads is waited for.
const LONGEST_READ: Duration = Duration::from_hours(1);

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
    let engine = call.visit.engine.clone();
    let reads = spec.effect == Effect::Read && engine.verdict(Effect::Read, false) == Verdict::Go;
    let (shape, wait) = if reads { (Shape::Read, Some(LONGEST_READ)) } else { (Shape::Result, None) };
    if call.request.request_state.is_some() {
        return sealed::go_on(call, shape, wait).await;
    }
    if reads && !asks_by_answers(&call, spec) {
        return direct::call(call, spec, args).await;
    }
    let direct = Direct { tool: spec.name.clone(), args, request_key: key_of(&call) };
    let started = engine.start_call(direct, &session_of(&call)).await;
    let refused = |error: &StartError| trouble::call(spec, error);
    attend(call, started.map_err(|error| refused(&error)), shape, wait).await
}

/// Whether a tool that only reads may ask something of a client that is asked by answers: between the two requests
/// the call of the tool goes on, and only a run outlives a request.
fn asks_by_answers(call: &Call<'_>, spec: &ToolSpec) -> bool {
    let shows_forms = question::shows_forms(call.context.client_capabilities().as_ref());
    let of_server =
        || call.visit.engine.servers().is_ok_and(|all| all.iter().any(|server| server.module == spec.module));
    call.visit.sessionless && shows_forms && of_server()
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

/// Returns when a client that wants to be told is to be told something.
async fn due(teller: Option<&progress::Teller>) {
    match teller {
        Some(teller) => teller.due().await,
        None => std::future::pending().await,
    }
}

/// The idempotency key among what the client says about its request.
fn key_of(call: &Call<'_>) -> Option<String> {
    call.context.meta.get("aa/idempotency-key").and_then(Value::as_str).map(str::to_owned)
}

/// The session that a request belongs to, as far as places for runs go: where none was begun, that is its
/// connection, so that two clients of one person do not wait for each other. Requests that stand alone have
/// nothing but their principal.
pub(crate) fn session_of(call: &Call<'_>) -> String {
    match &call.visit.session {
        Some(session) => session.session_id.clone(),
        None if call.visit.alone => String::new(),
        None => call.server.seat.id().to_owned(),
    }
}
