//! A run that a call has started, until the call can be answered.
//!
//! [`run`] and [`call_tool`] are the doors. [`attendance`] is the loop that waits for whatever comes
//! first: the end, a question, the client's patience, a cancellation. [`progress`] tells the client
//! how it goes, [`direct`] calls what needs no run, [`question`] puts questions, [`tries`] knows why they are put again,
//! [`log`] says lines, [`sealed`] is what a client carries for us between two requests, [`answer`] words what came of it.

pub(crate) mod answer;
mod attendance;
mod direct;
pub(crate) mod log;
mod progress;
pub(crate) mod question;
mod sealed;
mod tries;

use std::time::Duration;

use aa_run::driver::Park;
use aa_run::engine::{Direct, Inputs, RunHandle, RunRequest, StartError};
use aa_run::event::Origin;
use aa_run::policy::Verdict;
use aa_spec::check::Strictness;
use aa_spec::tool::{Effect, ToolSpec};
use rmcp::model::{CallToolResponse, ClientCapabilities, ErrorData, InputRequiredResult, TASKS_EXTENSION_ID};
use serde_json::{Map, Value, json};

use super::server::{Answer, Call, failed, internal};
use super::trouble;
pub(crate) use answer::{Shape, placed};
use attendance::Attendance;
pub(crate) use sealed::return_to;

/// How long a call of a tool that only reads is waited for.
const LONGEST_READ: Duration = Duration::from_hours(1);

/// What a call wants of a skill.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    /// The skill's name.
    pub(crate) skill: String,
    /// Its inputs.
    pub(crate) inputs: Map<String, Value>,
    /// Reads run; writes, and what reads their results, are answered from the plan.
    pub(crate) dry_run: bool,
    /// The hash that `skill_plan` gave.
    pub(crate) plan: Option<String>,
    /// A repeated call with the same key is about the same run.
    pub(crate) idempotency_key: Option<String>,
    /// How long to wait at most; else as it is configured.
    pub(crate) wait: Option<Duration>,
    /// Whether a task is no answer.
    pub(crate) to_the_end: bool,
}

/// How a call is answered.
#[derive(Clone, Copy, Debug)]
struct Manner {
    shape: Shape,
    /// How long it waits at most; else as it is configured.
    wait: Option<Duration>,
    /// Whether a task is no answer.
    to_the_end: bool,
}

impl Manner {
    fn of_a_tool(spec: &ToolSpec, reads: bool) -> Self {
        Self { shape: Shape::of(spec, reads), wait: reads.then_some(LONGEST_READ), to_the_end: false }
    }
}

/// Runs a skill for a call.
pub(crate) async fn run(call: Call<'_>, wanted: Wanted) -> Answer {
    let manner = Manner { shape: Shape::Outputs, wait: wanted.wait, to_the_end: wanted.to_the_end };
    let name = wanted.skill;
    if call.request.request_state.is_some() {
        return Box::pin(sealed::go_on(call, manner)).await;
    }
    if !call.visit.may_use(&name) {
        return Ok(failed(format!("your key opens nothing that is called `{name}`")));
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
    let started = call.visit.engine.start_called(request, &session_of(&call), knows_tasks(&call)).await;
    attend(call, started, manner, &|error| trouble::start(&name, error)).await
}

/// What a run comes to that is made for something else than a call of a tool.
pub(crate) enum Prepared {
    /// Its outputs.
    Outputs(Map<String, Value>),
    /// It asks first.
    Asks(InputRequiredResult),
}

/// Runs a skill for something that needs its outputs.
pub(crate) async fn prepare(
    call: Call<'_>,
    skill: &str,
    inputs: Map<String, Value>,
) -> Result<Prepared, ErrorData> {
    let engine = call.visit.engine.clone();
    let wanted = Wanted { skill: skill.to_owned(), inputs, to_the_end: true, ..Wanted::default() };
    let result = match run(call, wanted).await? {
        CallToolResponse::InputRequired(asked) => return Ok(Prepared::Asks(asked)),
        CallToolResponse::Complete(result) => result,
        _ => return Err(internal(&"a run that is waited for became a task")),
    };
    match answer::outputs(&engine, &result) {
        Some(outputs) => Ok(Prepared::Outputs(outputs)),
        None => Err(ErrorData::internal_error(answer::words(&result), None)),
    }
}

/// Calls a tool: at once if it only reads, and else as a run of one step.
pub(crate) async fn call_tool(call: Call<'_>, spec: &ToolSpec, args: Map<String, Value>) -> Answer {
    let engine = call.visit.engine.clone();
    let reads = spec.effect == Effect::Read && engine.verdict(Effect::Read, false) == Verdict::Go;
    let manner = Manner::of_a_tool(spec, reads);
    if call.request.request_state.is_some() {
        return Box::pin(sealed::go_on(call, manner)).await;
    }
    if reads && !asks_by_answers(&call, spec) {
        // What a heal rule is for is read again as a run, in which rules act.
        if let Some(answer) = Box::pin(direct::call(&call, spec, args.clone())).await {
            return answer;
        }
    }
    let direct = Direct { tool: spec.name.clone(), args, request_key: key_of(&call) };
    let started = engine.start_call(direct, &session_of(&call)).await;
    attend(call, started, manner, &|error| trouble::call(spec, error)).await
}

/// Whether the client knows what to do with a task. In the session era an answer could not be one, whatever a client
/// declares: what it would read is the result of a tool.
fn knows_tasks(call: &Call<'_>) -> bool {
    let can = call.context.client_capabilities();
    call.visit.sessionless && can.as_ref().is_some_and(ClientCapabilities::supports_tasks)
}

/// Whether a tool that only reads may ask something of a client that is asked by answers: between the two requests
/// the call of the tool goes on, and only a run outlives a request.
fn asks_by_answers(call: &Call<'_>, spec: &ToolSpec) -> bool {
    let can_be_asked = question::can_be_asked_something(call.context.client_capabilities().as_ref());
    call.visit.sessionless && can_be_asked && call.visit.engine.is_over_server(&spec.module)
}

async fn attend(
    call: Call<'_>,
    started: Result<RunHandle, StartError>,
    manner: Manner,
    refused: &(dyn Fn(&StartError) -> String + Sync),
) -> Answer {
    match started {
        Ok(handle) => {
            let given = call.request.input_responses.clone().unwrap_or_default();
            Box::pin(Attendance::new(&call, handle, manner).knowing(given).attend()).await
        }
        Err(StartError::NeedsTask(_)) => {
            let tasks = serde_json::from_value(json!({"extensions": {TASKS_EXTENSION_ID: {}}}));
            Err(ErrorData::missing_required_client_capability(tasks.unwrap_or_default()))
        }
        Err(error) => Ok(failed(refused(&error))),
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

/// The session that a request belongs to, as far as places for runs go: where it names none, that is its
/// connection, so that two clients of one person do not wait for each other. Requests that stand alone have
/// nothing but their principal.
pub(crate) fn session_of(call: &Call<'_>) -> String {
    match &call.visit.session {
        Some(session) => session.session_id.clone(),
        None if call.visit.alone => String::new(),
        None => call.server.seat.id().to_owned(),
    }
}
