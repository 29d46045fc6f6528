//! What can be said to runs. Each is allowed to whose run it is, and to whoever may use what it runs; what the policy
//! forbids to run, it forbids to repeat.

use aa_run::engine::{Engine, StartError};
use aa_run::event::{Resolution, RunId, StepPath};
use aa_run::store::{RunStatus, RunSummary};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::answer::{Json, Made};
use super::super::problem::Problem;
use super::super::route::{Asked, Nothing, Route, post};
use super::{RunPath, SINGLE};

pub(super) fn routes() -> Vec<Route> {
    vec![
        post("/runs/{run}/cancel", "End a run, whoever drives it", cancel),
        post("/runs/{run}/answer", "Answer a question of a run", answer),
        post("/runs/{run}/resolve", "Say how a step with unknown outcome ended", resolve),
        post("/runs/{run}/resume", "Go on with a run that nobody drives", resume),
        post("/runs/{run}/retry", "Start a run of the same skill with the same inputs", retry).known_by_key(),
        post("/runs/{run}/undo", "Take back the completed steps of a run that is over", undo),
    ]
}

/// A run that was started.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "RunStarted")]
pub(crate) struct Started {
    /// Its number.
    pub(crate) run: RunId,
    /// Where it stands; `waiting` when a person has to approve of it first.
    pub(crate) status: RunStatus,
    /// Where it is.
    pub(crate) url: String,
}

impl Started {
    /// Of a run as it stands.
    pub(crate) fn made(run: &RunSummary) -> Made<Self> {
        let url = format!("/api/runs/{}", run.id);
        Made { at: url.clone(), body: Self { run: run.id, status: run.status, url } }
    }
}

/// Why a run is to end.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "CancelRun")]
struct Cancel {
    /// Why, for those who look later.
    reason: String,
}

async fn cancel(asked: Asked<RunPath, Nothing, Cancel>) -> Result<Json<RunSummary>, Problem> {
    let (run, visitor) = (asked.path.run, &asked.visitor);
    match visitor.engine.cancel(run, &visitor.by(), &asked.body.reason).await {
        // Whoever asks twice wants what is so already.
        Ok(()) | Err(StartError::Over { status: RunStatus::Cancelled, .. }) => {
            Ok(Json(visitor.engine.run(run)?))
        }
        Err(error) => Err(error.into()),
    }
}

/// An answer to a question.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "AnswerRun")]
struct Reply {
    /// The step that asks.
    step: StepPath,
    /// One of its options; of a form, its fields as an object.
    answer: Value,
    /// Number of the event that put the question: an answer to an older question of the same step is then
    /// refused.
    #[serde(default)]
    seq: Option<u64>,
}

async fn answer(asked: Asked<RunPath, Nothing, Reply>) -> Result<Json<RunSummary>, Problem> {
    let (run, visitor, body) = (asked.path.run, &asked.visitor, asked.body);
    let text = match &body.answer {
        Value::String(text) => text.clone(),
        Value::Object(_) => body.answer.to_string(),
        _ => return Err(Problem::of("bad-body", "`answer` must be a text or an object")),
    };
    visitor.engine.answer_open(run, (&body.step, body.seq), &text, &visitor.by()).await?;
    go_on(&visitor.engine, run).await
}

/// How a step ended.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ResolveStep")]
struct Resolve {
    /// The step whose outcome is unknown.
    step: StepPath,
    /// How it ended: `{"done": {"output": …}}`, `"retry"` or `"fail"`.
    resolution: Resolution,
}

async fn resolve(asked: Asked<RunPath, Nothing, Resolve>) -> Result<Json<RunSummary>, Problem> {
    let (run, visitor, body) = (asked.path.run, &asked.visitor, asked.body);
    visitor.engine.resolve(run, &body.step, body.resolution, &visitor.by()).await?;
    go_on(&visitor.engine, run).await
}

async fn resume(asked: Asked<RunPath>) -> Result<Json<RunSummary>, Problem> {
    let (run, engine) = (asked.path.run, &asked.visitor.engine);
    let summary = engine.run(run)?;
    if summary.ended_at.is_some() {
        return Err(StartError::Over { run, status: summary.status }.into());
    }
    go_on(engine, run).await
}

/// How a run is repeated.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "RetryRun")]
struct Retry {
    /// The hash of the plan that was agreed to.
    plan: Option<String>,
}

async fn retry(asked: Asked<RunPath, Nothing, Retry>) -> Result<Made<Started>, Problem> {
    let (run, engine) = (asked.path.run, &asked.visitor.engine);
    let skill = engine.run(run)?.skill;
    asked.visitor.may_use(skill.strip_prefix(SINGLE).unwrap_or(&skill))?;
    let handle = engine.retry(run, (asked.body.plan, asked.key), "").await?;
    Ok(Started::made(&engine.run(handle.id)?))
}

async fn undo(asked: Asked<RunPath>) -> Result<Json<RunSummary>, Problem> {
    let (run, visitor) = (asked.path.run, &asked.visitor);
    visitor.engine.undo_called(run, &visitor.by()).await?;
    Ok(Json(visitor.engine.run(run)?))
}

/// When nobody drives a run, this process does from now on.
async fn go_on(engine: &Engine, run: RunId) -> Result<Json<RunSummary>, Problem> {
    let summary = engine.run(run)?;
    if summary.driven || summary.ended_at.is_some() {
        return Ok(Json(summary));
    }
    engine.in_folder(&summary.folder)?.attend(run, "").await?;
    Ok(Json(engine.run(run)?))
}
