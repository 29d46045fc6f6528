//! What a client carries for us between a question and the request that answers it.
//!
//! Clients of the newer era are asked by the answer to their call, and call again with what a
//! person said. The run must not begin anew by that: its number and its folder go along, sealed, bound to whoever
//! called, the tool and the arguments. Answers count for a short time and once; what comes later or again
//! is still about the same run, and is told how that stands.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use aa_run::engine::StartError;
use aa_run::event::RunId;
use aa_run::standing::{Asked, step_of};
use aa_spec::plan::digest;
use chrono::{DateTime, Utc};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, ErrorData, InputRequests, InputRequiredResult,
    RequestStateCodec, SealOptions,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::attendance::{Attendance, refused, too_late};
use super::question::{self, Reply};
use super::tries::Tries;
use super::{Manner, answer, session_of};
use crate::mcp::server::{Answer, Call, failed, internal};
use crate::mcp::visit::Visit;

/// How long a question can be answered this way.
const TTL: Duration = Duration::from_mins(15);

/// What is carried.
#[derive(Debug, Serialize, Deserialize)]
struct State {
    run: RunId,
    /// Where the call was about to work: clients repeat a call with what they were given, and nothing says the folder.
    folder: PathBuf,
    /// Whether the call has started it, and may end it.
    #[serde(default)]
    started: bool,
    /// Makes it count once.
    mark: String,
    /// The keys of what was asked.
    asked: BTreeSet<String>,
    /// Until when answers count.
    until: DateTime<Utc>,
    /// What did not fit before.
    tries: Tries,
}

/// What became of the answers that came along.
#[derive(Debug, Default)]
pub(super) struct Given {
    /// The keys of questions that nobody wanted to answer.
    pub(super) left: BTreeSet<String>,
    /// What is to be said of answers that were not taken.
    pub(super) notes: Vec<String>,
    /// What did not fit its question.
    pub(super) tries: Tries,
}

/// The answer that asks.
pub(super) fn ask(
    call: &Call<'_>,
    (run, started): (RunId, bool),
    questions: &[Asked],
    tries: &Tries,
) -> Result<CallToolResponse, ErrorData> {
    let mut requests = InputRequests::new();
    for asked in questions {
        requests.insert(asked.key.clone(), question::request(asked));
    }
    let mark = call.visit.engine.mark().map_err(|error| internal(&error))?;
    let asked = requests.keys().cloned().collect();
    let folder = call.visit.engine.settings().folder.clone();
    let state = State { run, folder, started, mark, asked, until: Utc::now() + TTL, tries: tries.clone() };
    let bound = bound(&call.visit, &call.request);
    let options = SealOptions::new().associated_data(bound.as_bytes());
    let sealed = codec(&call.visit)?.seal_json_with(&state, &options).map_err(|error| internal(&error))?;
    Ok(InputRequiredResult::new(Some(requests), Some(sealed)).into())
}

/// Goes on with the run that a call was about before.
pub(super) async fn go_on(call: Call<'_>, manner: Manner) -> Answer {
    let mut state = open(&call.visit, &call.request)?;
    let engine = call.visit.engine.clone();
    if engine.settings().folder != state.folder || engine.run(state.run).is_err() {
        return Err(unbelievable());
    }
    let counts = Utc::now() < state.until
        && engine.use_mark(&state.mark, TTL * 2).await.map_err(|error| internal(&error))?;
    let responses = call.request.input_responses.clone().unwrap_or_default();
    let tries = std::mem::take(&mut state.tries);
    let given = if counts { give(&call, &state, responses, tries).await } else { Ok(not_taken(state.run)) };
    let given = match given {
        Ok(given) => given,
        Err(error) => return Ok(failed(answer::refusal(&error))),
    };
    match engine.attend(state.run, &session_of(&call)).await {
        Ok(handle) => {
            Attendance::new(&call, handle, manner).of_starter(state.started).after(given).attend().await
        }
        Err(error) => Ok(failed(answer::refusal(&error))),
    }
}

/// Answers the questions of a run with what came along.
async fn give(
    call: &Call<'_>,
    state: &State,
    responses: BTreeMap<String, Value>,
    tries: Tries,
) -> Result<Given, StartError> {
    let engine = &call.visit.engine;
    let mut given = Given { tries, ..Given::default() };
    let open: BTreeMap<String, Asked> =
        engine.standing(state.run)?.questions.into_values().map(|asked| (asked.key.clone(), asked)).collect();
    for key in &state.asked {
        // What was not even asked is asked again.
        let Some(response) = responses.get(key) else { continue };
        let Some(asked) = open.get(key) else {
            given.notes.push(too_late(engine, state.run, &step_of(key)));
            continue;
        };
        match question::carried(asked, response) {
            Reply::Answer(answer) => {
                let by = question::by(&engine.caller().principal, "form");
                if let Err(error) = engine.answer_question(state.run, asked, &answer, &by).await {
                    let is_open = engine.question(state.run, key).is_ok();
                    if !is_open || !given.tries.wrong(key, error.to_string()) {
                        given.notes.push(refused(engine, state.run, &asked.step, &error));
                        given.left.insert(key.clone());
                    }
                }
            }
            Reply::Nothing => {
                given.left.insert(key.clone());
            }
            // It is asked again.
            Reply::Nonsense => {}
        }
    }
    Ok(given)
}

/// What came too late, or for the second time, answers nothing. The run is there all the same: another one
/// would do the same things twice.
fn not_taken(run: RunId) -> Given {
    let note = format!("what came along was not taken: it had come before, or came too late for run {run}");
    Given { notes: vec![note], ..Given::default() }
}

/// Goes to where the call was about to work that a request repeats, unless that says itself where it works.
pub(crate) fn return_to(visit: &mut Visit, request: &CallToolRequestParams) {
    if visit.says_where || request.request_state.is_none() {
        return;
    }
    // What cannot be believed is refused by whoever goes on with it.
    if let Ok(state) = open(visit, request) {
        visit.go_to(&state.folder);
    }
}

fn open(visit: &Visit, request: &CallToolRequestParams) -> Result<State, ErrorData> {
    let sealed = request.request_state.as_deref().unwrap_or_default();
    let bound = bound(visit, request);
    codec(visit)?.open_json_with(sealed, bound.as_bytes()).map_err(|_| unbelievable())
}

fn codec(visit: &Visit) -> Result<RequestStateCodec, ErrorData> {
    let key = visit.engine.sealing_key().map_err(|error| internal(&error))?;
    RequestStateCodec::try_new(key).map_err(|error| internal(&error))
}

/// What a state is good for: this caller, with this call.
fn bound(visit: &Visit, request: &CallToolRequestParams) -> String {
    let caller = visit.engine.caller();
    let args = Value::Object(request.arguments.clone().unwrap_or_default());
    let args = digest(sorted(&args).to_string());
    serde_json::json!([caller.tenant, caller.principal, request.name, args]).to_string()
}

/// The order of keys is no part of a call.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(entries) => {
            let entries: BTreeMap<&String, Value> =
                entries.iter().map(|(name, value)| (name, sorted(value))).collect();
            entries
                .into_iter()
                .map(|(name, value)| (name.clone(), value))
                .collect::<serde_json::Map<_, _>>()
                .into()
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        other => other.clone(),
    }
}

/// One text for all: whoever has made something up learns nothing.
fn unbelievable() -> ErrorData {
    ErrorData::invalid_params("the request state is not valid for this call", None)
}
