//! `/api/runs`: how runs go, and what can be said to them.

mod steer;

use aa_run::course::{Comparison, Course, LogLine, StepDetail};
use aa_run::event::{Event, Origin, RunId, StepPath, Time};
use aa_run::explain::Explanation;
use aa_run::store::{RunFilter, RunStatus, RunSummary};
use aa_spec::graph;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::answer::{Json, Svg};
use super::page::{List, Page, size};
use super::problem::Problem;
use super::route::{Asked, Route, get};
pub(super) use steer::Started;

/// What the name of a run of a single tool begins with.
const SINGLE: &str = "call:";

pub(super) fn routes() -> Vec<Route> {
    let mut routes = vec![
        get("/runs", "List runs, newest first", list),
        get("/runs/counts", "Count runs by how they stand", counts),
        get("/runs/{run}", "Show how a run goes, step by step", show),
        get("/runs/{run}/events", "List a run's events", events),
        get("/runs/{run}/outputs", "Show what a run gave", outputs),
        get("/runs/{run}/logs", "List what was said during a run", logs),
        get("/runs/{run}/step", "Show all that is known of a step", step),
        get("/runs/{run}/graph", "Draw a run's plan, with how each step goes", picture),
        get("/runs/{run}/explain", "Explain why a run failed, and what can be done", explain),
        get("/runs/{run}/diff", "Compare a run with another one", diff),
    ];
    routes.extend(steer::routes());
    routes
}

/// Which run.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct RunPath {
    /// Number of the run.
    run: RunId,
}

/// Which runs.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Filter {
    /// Only runs of this skill.
    skill: Option<String>,
    /// Only runs that stand so.
    status: Vec<RunStatus>,
    /// Only runs that came through this front end.
    origin: Option<Origin>,
    /// Only runs of this principal, of those that are there for you.
    principal: Option<String>,
    /// Runs that nobody drives although they should go on: besides those that stand as `status` says, or else no others.
    interrupted: bool,
    /// Only runs that were started at this time or later.
    since: Option<Time>,
    /// Only runs that were started before this time.
    until: Option<Time>,
    /// Only runs after this one in the list; the page before names it as `next`.
    after: Option<RunId>,
    /// At most this many (default 50).
    #[schemars(range(min = 1, max = 500))]
    limit: Option<u32>,
}

async fn list(asked: Asked<super::Nothing, Filter>) -> Result<Json<Page<RunSummary>>, Problem> {
    let wanted = asked.query;
    let filter = RunFilter {
        skill: wanted.skill,
        status: wanted.status,
        interrupted: wanted.interrupted,
        principal: wanted.principal,
        origin: wanted.origin,
        since: wanted.since,
        until: wanted.until,
        before: wanted.after,
        ..RunFilter::default()
    };
    let page = asked.visitor.engine.run_page(&filter, size(wanted.limit)?)?;
    Ok(Json(Page { items: page.runs, next: page.next.map(|run| run.to_string()) }))
}

/// How many runs stand how.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[schemars(rename = "RunCounts")]
struct Counts {
    running: u64,
    waiting: u64,
    completed: u64,
    failed: u64,
    cancelled: u64,
}

async fn counts(asked: Asked) -> Result<Json<Counts>, Problem> {
    let counts = asked.visitor.engine.run_counts()?;
    let of = |name: &str| counts.get(name).copied().unwrap_or_default();
    Ok(Json(Counts {
        running: of("running"),
        waiting: of("waiting"),
        completed: of("completed"),
        failed: of("failed"),
        cancelled: of("cancelled"),
    }))
}

async fn show(asked: Asked<RunPath>) -> Result<Json<Course>, Problem> {
    Ok(Json(asked.visitor.engine.course(asked.path.run)?))
}

/// Which events.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Events {
    /// Only events after the one of this number; the page before names it as `next`.
    after: Option<u64>,
    /// Only these kinds, such as `step_failed`.
    kinds: Vec<String>,
    /// At most this many (default 50).
    #[schemars(range(min = 1, max = 500))]
    limit: Option<u32>,
}

/// An event as it is told: without values under names that sound like secrets.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Shown(Value);

impl JsonSchema for Shown {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ShownEvent".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        generator.subschema_for::<Event>()
    }

    fn inline_schema() -> bool {
        true
    }
}

async fn events(asked: Asked<RunPath, Events>) -> Result<Json<Page<Shown>>, Problem> {
    let wanted = asked.query;
    let from = wanted.after.map_or(0, |seq| seq.saturating_add(1));
    let most = size(wanted.limit)? as usize;
    let all = asked.visitor.engine.events(asked.path.run, from)?;
    let is_wanted =
        |event: &&Event| wanted.kinds.is_empty() || wanted.kinds.iter().any(|kind| kind == event.body.kind());
    let mut matching = all.iter().filter(is_wanted);
    let events: Vec<&Event> = matching.by_ref().take(most).collect();
    let more = matching.next().is_some();
    let next = events.last().filter(|_| more).map(|event| event.seq.to_string());
    Ok(Json(Page { items: events.into_iter().map(|event| Shown(event.shown())).collect(), next }))
}

/// What a run gave.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "RunOutputs")]
struct Outputs {
    /// Where the run stands.
    status: RunStatus,
    /// Results by name; null while there are none.
    outputs: Option<Map<String, Value>>,
}

async fn outputs(asked: Asked<RunPath>) -> Result<Json<Outputs>, Problem> {
    let course = asked.visitor.engine.course(asked.path.run)?;
    Ok(Json(Outputs { status: course.run.status, outputs: course.outputs }))
}

/// Of which step.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct OfStep {
    /// Only of this step and its parts.
    step: Option<StepPath>,
}

async fn logs(asked: Asked<RunPath, OfStep>) -> Result<Json<List<LogLine>>, Problem> {
    Ok(Json(List { items: asked.visitor.engine.run_log(asked.path.run, asked.query.step.as_ref())? }))
}

/// Which step.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Step {
    /// Where it is, such as `build`, `fan[3]` or `release/build`.
    path: StepPath,
}

async fn step(asked: Asked<RunPath, Step>) -> Result<Json<StepDetail>, Problem> {
    let (run, path) = (asked.path.run, &asked.query.path);
    let found = asked.visitor.engine.step_detail(run, path)?;
    found.map(Json).ok_or_else(|| Problem::of("not-found", format!("run {run} has no step `{path}`")))
}

async fn picture(asked: Asked<RunPath>) -> Result<Svg, Problem> {
    let engine = &asked.visitor.engine;
    let (course, plan) = (engine.course(asked.path.run)?, engine.run_plan(asked.path.run)?);
    Ok(Svg(graph::svg(&plan.skill, &course.marks())))
}

async fn explain(asked: Asked<RunPath>) -> Result<Json<Explanation>, Problem> {
    Ok(Json(asked.visitor.engine.explain(asked.path.run)?))
}

/// With which run.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct With {
    /// Number of the other run.
    with: RunId,
}

async fn diff(asked: Asked<RunPath, With>) -> Result<Json<Comparison>, Problem> {
    Ok(Json(asked.visitor.engine.compare(asked.path.run, asked.query.with)?))
}
