//! A run as a task: its number is the task's, and everything is read from the store, so a task lives
//! as long as its run whatever becomes of the server.

use std::collections::BTreeMap;

use aa_run::engine::{Engine, Outcome, StartError};
use aa_run::event::{Body, Origin, RunId, Time};
use aa_run::standing::{Asked, Standing};
use aa_run::store::{RunStatus, RunSummary};
use aa_run::tool::DECLINE;
use chrono::SecondsFormat;
use rmcp::model::{
    ClientCapabilities, DetailedTask, ErrorData, InputRequests, JsonObject, Task, TaskPayload, TaskStatus,
};
use serde_json::{Value, json};

use super::core::object;
use super::follow::{Shape, answer, question};
use super::result::Whole;
use super::server::internal;
use super::visit::started;

/// For so long a task can be asked for at least.
const TTL: u64 = 24 * 60 * 60 * 1000;
/// How often a client may ask how it goes.
const POLL: u64 = 500;
/// What the name of a run of a single tool begins with.
pub(crate) const SINGLE: &str = "call:";

/// A task as a call is answered with it, for a client that `can` so much.
pub(crate) fn seed(
    engine: &Engine,
    run: &RunSummary,
    standing: &Standing,
    can: Option<&ClientCapabilities>,
) -> Task {
    let status = match run.status {
        RunStatus::Running | RunStatus::Waiting if !requests(engine, run.id, standing, can).is_empty() => {
            TaskStatus::InputRequired
        }
        RunStatus::Running | RunStatus::Waiting => TaskStatus::Working,
        RunStatus::Completed | RunStatus::Failed => TaskStatus::Completed,
        RunStatus::Cancelled => TaskStatus::Cancelled,
    };
    let last = run.ended_at.or(standing.at).unwrap_or(run.started_at);
    let line = match standing.unknown.iter().next().filter(|_| standing.needs_resolving()) {
        Some(step) => format!("{}: {}", standing.line(), answer::resolving(run.id, step)),
        None => closed(engine, run.id, standing, can).unwrap_or_else(|| standing.line()),
    };
    let task = Task::new(run.id.to_string(), status, time(run.started_at), time(last))
        .with_ttl_ms(TTL)
        .with_poll_interval_ms(POLL);
    if line.is_empty() { task } else { task.with_status_message(line) }
}

/// Why a task waits for somebody else than its client.
fn closed(
    engine: &Engine,
    run: RunId,
    standing: &Standing,
    can: Option<&ClientCapabilities>,
) -> Option<String> {
    let not_consented = || standing.questions.values().find_map(|asked| engine.may_consent(run, asked).err());
    if let Some(why) = not_consented() {
        return Some(format!("{}: {why}", standing.line()));
    }
    let asked = standing.questions.values().find(|asked| !question::can_be_asked(can, asked))?;
    Some(format!("{}: {}", standing.line(), answer::in_a_terminal(run, asked)))
}

/// How a task stands.
pub(crate) fn get(
    own: &Engine,
    id: &str,
    can: Option<&ClientCapabilities>,
) -> Result<DetailedTask, ErrorData> {
    let (engine, run) = find(own, id)?;
    let events = engine.events(run.id, 0).map_err(|error| internal(&error))?;
    let standing = Standing::of(&events);
    let task = seed(&engine, &run, &standing, can);
    let payload = match task.status {
        TaskStatus::InputRequired => {
            TaskPayload::InputRequired { input_requests: requests(&engine, run.id, &standing, can) }
        }
        TaskStatus::Completed => {
            let outcome = events.iter().rev().find_map(|event| outcome(&event.body));
            let outcome = outcome.ok_or_else(|| internal(&"the run has no end"))?;
            if let Some(error) = protocol_error(&outcome) {
                let mut failed = task;
                failed.status = TaskStatus::Failed;
                return Ok(DetailedTask::new(failed, TaskPayload::Failed { error }));
            }
            let shape = shape(&engine, &run.skill);
            let result = answer::of((run.id, Whole::Run(run.id)), &outcome, shape);
            let result = serde_json::to_value(result).map_err(|error| internal(&error))?;
            TaskPayload::Completed { result: object(result) }
        }
        TaskStatus::Cancelled => TaskPayload::Cancelled,
        _ => TaskPayload::Working,
    };
    Ok(DetailedTask::new(task, payload))
}

/// What of a run's outputs is the answer, as it would be without a task.
fn shape(engine: &Engine, skill: &str) -> Shape {
    let Some(tool) = skill.strip_prefix(SINGLE) else { return Shape::Outputs };
    engine.tool(tool).ok().flatten().map_or(Shape::Result, |spec| Shape::of(&spec, false))
}

/// Declines from now on what only the client could answer that has begun the task, and cannot: nobody else has that.
pub(crate) fn turn_down(engine: &Engine, run: RunId, can: Option<ClientCapabilities>) {
    let engine = engine.clone();
    tokio::spawn(async move {
        let Ok(mut events) = engine.watch(run, 0) else { return };
        let by = question::by(&engine.caller().principal, "task");
        let mut standing = Standing::default();
        while let Some(event) = events.recv().await {
            standing.apply(&event);
            while let Ok(event) = events.try_recv() {
                standing.apply(&event);
            }
            let questions = standing.questions.values();
            for asked in questions.filter(|asked| question::is_hopeless(can.as_ref(), asked)) {
                if let Err(error) = engine.answer_question(run, asked, DECLINE, &by).await {
                    tracing::debug!(%run, "a question was not declined: {error}");
                }
            }
        }
    });
}

/// Answers questions of a task. What is refused is said; the rest is taken all the same.
pub(crate) async fn update(
    own: &Engine,
    id: &str,
    responses: BTreeMap<String, Value>,
) -> Result<(), ErrorData> {
    let (engine, run) = find(own, id)?;
    let standing = engine.standing(run.id).map_err(|error| internal(&error))?;
    let open: BTreeMap<&str, &Asked> =
        standing.questions.values().map(|asked| (asked.key.as_str(), asked)).collect();
    let mut refused = Vec::new();
    for (key, response) in &responses {
        // What is not asked, or not any more, is nothing to complain of.
        let Some(asked) = open.get(key.as_str()) else { continue };
        let question::Reply::Answer(answer) = question::carried(asked, response) else { continue };
        let by = question::by(&engine.caller().principal, "task");
        if let Err(error) = engine.answer_question(run.id, asked, &answer, &by).await {
            refused.push(error.to_string());
        }
    }
    // Whoever drove it when the answers came may have ended since.
    if engine.run(run.id).is_ok_and(|run| !run.driven && run.ended_at.is_none()) {
        // Nobody would do what follows from the answers.
        if let Err(error) = engine.attend(run.id, "").await {
            tracing::warn!(run = %run.id, "cannot go on with it: {error}");
        }
    }
    if refused.is_empty() { Ok(()) } else { Err(ErrorData::invalid_params(refused.join("; "), None)) }
}

/// Ends a task. One that is over stays as it is.
pub(crate) async fn cancel(own: &Engine, id: &str) -> Result<(), ErrorData> {
    let (engine, run) = find(own, id)?;
    let by = question::by(&engine.caller().principal, "task");
    match engine.cancel(run.id, &by, "the client has cancelled the task").await {
        Ok(()) | Err(StartError::Over { .. }) => Ok(()),
        Err(error) => Err(internal(&error)),
    }
}

/// Goes on with the runs of clients that a dead server has left behind.
pub(crate) fn go_on_with_all(engine: &Engine) {
    let engine = engine.clone();
    tokio::spawn(async move {
        match engine.take_over().await {
            Ok(taken) if !taken.is_empty() => tracing::info!("went on with {} runs", taken.len()),
            Ok(_) => {}
            Err(error) => tracing::warn!("cannot go on with the runs of clients: {error}"),
        }
    });
}

/// The run of a task, in whatever folder, and the engine for it. That there is none, and that it is another's, is the same.
fn find(own: &Engine, id: &str) -> Result<(Engine, RunSummary), ErrorData> {
    let none = || ErrorData::invalid_params(format!("there is no task `{id}`"), None);
    // One spelling for each.
    let number = id.parse().ok().map(RunId).filter(|run| run.to_string() == id).ok_or_else(none)?;
    started(own, number).filter(|(_, run)| run.origin == Origin::Mcp).ok_or_else(none)
}

/// What the client can be asked: not what it has no form for, nor whether a run may begin that somebody else has to
/// approve of.
fn requests(
    engine: &Engine,
    run: RunId,
    standing: &Standing,
    can: Option<&ClientCapabilities>,
) -> InputRequests {
    let is_asked =
        |asked: &&Asked| question::can_be_asked(can, asked) && engine.may_consent(run, asked).is_ok();
    let asked = standing.questions.values().filter(is_asked);
    asked.map(|asked| (asked.key.clone(), question::request(asked))).collect()
}

/// The error of the protocol that has ended a run: a server that it called has said that the call makes no
/// sense, which is another thing than a tool that fails.
fn protocol_error(outcome: &Outcome) -> Option<JsonObject> {
    let Outcome::Failed { error, .. } = outcome else { return None };
    let code = error.details.get("code").and_then(Value::as_i64)?;
    let is_one = (-32768..=-32000).contains(&code) && error.details.get("data").is_some();
    is_one.then(|| object(json!({"code": code, "message": error.message})))
}

fn outcome(body: &Body) -> Option<Outcome> {
    match body {
        Body::SkillCompleted { outputs, .. } => Some(Outcome::Completed(outputs.clone())),
        Body::SkillFailed { error, step, .. } => {
            Some(Outcome::Failed { error: error.clone(), step: step.clone() })
        }
        _ => None,
    }
}

fn time(at: Time) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
