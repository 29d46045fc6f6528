//! What a client carries for us between a question and the request that answers it.
//!
//! Clients of the newer era are asked by the answer to their call, and call again with what a
//! person said. The run must not begin anew by that: its number goes along, sealed, bound to whoever
//! called, the tool and the arguments. Answers count for a short time and once; what comes later or again
//! is still about the same run, and is told how that stands.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aa_run::engine::StartError;
use aa_run::event::RunId;
use aa_run::standing::{Asked, step_of};
use aa_spec::plan::digest;
use chrono::{DateTime, Utc};
use rmcp::model::{
    CallToolResponse, ErrorData, InputRequests, InputRequiredResult, RequestStateCodec, SealOptions,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::attendance::{Attendance, refused, too_late};
use super::question::{self, Reply};
use super::{Manner, answer, session_of};
use crate::mcp::server::{Answer, Call, failed, internal};

/// How long a question can be answered this way.
const TTL: Duration = Duration::from_mins(15);

/// What is carried.
#[derive(Debug, Serialize, Deserialize)]
struct State {
    run: RunId,
    /// Makes it count once.
    mark: String,
    /// The keys of what was asked.
    asked: BTreeSet<String>,
    /// Until when answers count.
    until: DateTime<Utc>,
}

/// The answer that asks.
pub(super) fn ask<'q>(
    call: &Call<'_>,
    run: RunId,
    questions: impl Iterator<Item = &'q Asked>,
) -> Result<CallToolResponse, ErrorData> {
    let mut requests = InputRequests::new();
    for asked in questions {
        requests.insert(asked.key.clone(), question::request(asked));
    }
    let mark = call.visit.engine.mark().map_err(|error| internal(&error))?;
    let state = State { run, mark, asked: requests.keys().cloned().collect(), until: Utc::now() + TTL };
    let bound = bound(call);
    let options = SealOptions::new().associated_data(bound.as_bytes());
    let sealed = codec(call)?.seal_json_with(&state, &options).map_err(|error| internal(&error))?;
    Ok(InputRequiredResult::new(Some(requests), Some(sealed)).into())
}

/// Goes on with the run that a call was about before.
pub(super) async fn go_on(call: Call<'_>, manner: Manner) -> Answer {
    let state = open(&call)?;
    let engine = call.visit.engine.clone();
    if engine.run(state.run).is_err() {
        return Err(unbelievable());
    }
    let counts = Utc::now() < state.until
        && engine.use_mark(&state.mark, TTL * 2).await.map_err(|error| internal(&error))?;
    let responses = call.request.input_responses.clone().unwrap_or_default();
    let given = if counts { give(&call, &state, responses).await } else { Ok(not_taken(state.run)) };
    let (left, notes) = match given {
        Ok(given) => given,
        Err(error) => return Ok(failed(answer::refusal(&error))),
    };
    match engine.attend(state.run, &session_of(&call)).await {
        Ok(handle) => Attendance::new(&call, handle, manner).leaving(left, notes).attend().await,
        Err(error) => Ok(failed(answer::refusal(&error))),
    }
}

/// Answers the questions of a run with what came along; gives the keys of those that nobody wanted to
/// answer, and what is to be said of answers that were not taken.
async fn give(
    call: &Call<'_>,
    state: &State,
    responses: BTreeMap<String, Value>,
) -> Result<(BTreeSet<String>, Vec<String>), StartError> {
    let engine = &call.visit.engine;
    let (mut left, mut notes) = (BTreeSet::new(), Vec::new());
    let open: BTreeMap<String, Asked> =
        engine.standing(state.run)?.questions.into_values().map(|asked| (asked.key.clone(), asked)).collect();
    for key in &state.asked {
        // What was not even asked is asked again.
        let Some(response) = responses.get(key) else { continue };
        let Some(asked) = open.get(key) else {
            notes.push(too_late(engine, state.run, &step_of(key)));
            continue;
        };
        match question::carried(asked, response) {
            Reply::Answer(answer) => {
                let by = question::by(&engine.caller().principal, "form");
                if let Err(error) = engine.answer_question(state.run, asked, &answer, &by).await {
                    notes.push(refused(engine, state.run, &asked.step, &error));
                    left.insert(key.clone());
                }
            }
            Reply::Nothing => {
                left.insert(key.clone());
            }
            // It is asked again.
            Reply::Nonsense => {}
        }
    }
    Ok((left, notes))
}

/// What came too late, or for the second time, answers nothing. The run is there all the same: another one
/// would do the same things twice.
fn not_taken(run: RunId) -> (BTreeSet<String>, Vec<String>) {
    let note = format!("what came along was not taken: it had come before, or came too late for run {run}");
    (BTreeSet::new(), vec![note])
}

fn open(call: &Call<'_>) -> Result<State, ErrorData> {
    let sealed = call.request.request_state.as_deref().unwrap_or_default();
    codec(call)?.open_json_with(sealed, bound(call).as_bytes()).map_err(|_| unbelievable())
}

fn codec(call: &Call<'_>) -> Result<RequestStateCodec, ErrorData> {
    let key = call.visit.engine.sealing_key().map_err(|error| internal(&error))?;
    RequestStateCodec::try_new(key).map_err(|error| internal(&error))
}

/// What a state is good for: this caller, in this folder, with this call.
fn bound(call: &Call<'_>) -> String {
    let caller = call.visit.engine.caller();
    let folder = caller.folder().unwrap_or_else(|| std::path::Path::new(""));
    let args = Value::Object(call.request.arguments.clone().unwrap_or_default());
    let args = digest(sorted(&args).to_string());
    let (tenant, principal, folder) = (&caller.tenant, &caller.principal, folder.display().to_string());
    serde_json::json!([tenant, principal, folder, call.request.name, args]).to_string()
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
