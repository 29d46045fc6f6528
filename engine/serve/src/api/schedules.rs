//! `/api/schedules`: what runs although nobody is there, and what can be said to it.

use aa_run::driver::Park;
use aa_run::engine::{BackfillPlan, ScheduleView};
use aa_run::event::{RunId, Time};
use aa_run::schedule::Slot;
use aa_run::schedule::why::Reason;
use aa_run::store::SlotFilter;
use chrono::{SecondsFormat, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::answer::{Json, Made};
use super::page::{List, Page, by_name, size};
use super::problem::Problem;
use super::route::{Asked, Nothing, Route, get, post};

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/schedules", "List schedules, by name, and when they are due", list),
        get("/schedules/{schedule}", "Show a schedule", show),
        get("/schedules/{schedule}/slots", "List what has become of a schedule's times, newest first", slots),
        get("/schedules/{schedule}/next", "List the next moments at which a schedule is due", next),
        get("/schedules/{schedule}/why", "Explain why the last times of a schedule were run, or not", why),
        post("/schedules/{schedule}/run", "Run a schedule now", run).known_by_key(),
        post("/schedules/{schedule}/pause", "Hold a schedule", pause),
        post("/schedules/{schedule}/resume", "Let a schedule go on", resume),
        post("/schedules/{schedule}/backfill", "Run times of the past that have no success", backfill),
    ]
}

/// Which schedule.
#[derive(Debug, Deserialize, JsonSchema)]
struct SchedulePath {
    /// Its name.
    schedule: String,
}

/// Now, as exactly as the store keeps it.
fn now() -> Time {
    let now = Utc::now();
    Time::from_timestamp_millis(now.timestamp_millis()).unwrap_or(now)
}

/// Which schedules.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Filter {
    /// Only schedules after this one in the list; the page before names it as `next`.
    after: Option<String>,
    /// At most this many (default 50).
    #[schemars(range(min = 1, max = 500))]
    limit: Option<u32>,
}

async fn list(asked: Asked<Nothing, Filter>) -> Result<Json<Page<ScheduleView>>, Problem> {
    let from = (asked.query.after.as_deref(), asked.query.limit);
    let all = asked.visitor.engine.schedules(now())?;
    Ok(Json(by_name(all, |view: &ScheduleView| &view.name, from)?))
}

async fn show(asked: Asked<SchedulePath>) -> Result<Json<ScheduleView>, Problem> {
    Ok(Json(asked.visitor.engine.schedule(&asked.path.schedule, now())?))
}

/// Which times.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Times {
    /// Only times from this one on.
    from: Option<Time>,
    /// Only times before this one.
    until: Option<Time>,
    /// Only times after this one in the list; the page before names it as `next`.
    after: Option<Time>,
    /// At most this many (default 50).
    #[schemars(range(min = 1, max = 500))]
    limit: Option<u32>,
}

async fn slots(asked: Asked<SchedulePath, Times>) -> Result<Json<Page<Slot>>, Problem> {
    let wanted = asked.query;
    let most = size(wanted.limit)?;
    let before = [wanted.until, wanted.after].into_iter().flatten().min();
    // One more, to know whether there are any.
    let filter = SlotFilter { from: wanted.from, before, limit: Some(most + 1), ..SlotFilter::default() };
    let mut items = asked.visitor.engine.schedule_slots(&asked.path.schedule, &filter)?;
    let more = items.len() > most as usize;
    items.truncate(most as usize);
    let last = items.last().filter(|_| more);
    let next = last.map(|slot| slot.due.to_rfc3339_opts(SecondsFormat::Millis, true));
    Ok(Json(Page { items, next }))
}

/// Which moments.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Moments {
    /// Only moments after this one (default: now).
    after: Option<Time>,
    /// At most this many (default 50).
    #[schemars(range(min = 1, max = 500))]
    limit: Option<u32>,
}

async fn next(asked: Asked<SchedulePath, Moments>) -> Result<Json<List<Time>>, Problem> {
    let (after, most) = (asked.query.after.unwrap_or_else(now), size(asked.query.limit)?);
    let engine = &asked.visitor.engine;
    let (_, items) = engine.schedule_times(&asked.path.schedule, after, most as usize)?;
    Ok(Json(List { items }))
}

/// How many reasons.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Many {
    /// Of at most this many times (default 50).
    #[schemars(range(min = 1, max = 500))]
    limit: Option<u32>,
}

async fn why(asked: Asked<SchedulePath, Many>) -> Result<Json<List<Reason>>, Problem> {
    let most = size(asked.query.limit)?;
    Ok(Json(List { items: asked.visitor.engine.schedule_why(&asked.path.schedule, most, now())? }))
}

/// A schedule that was run.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ScheduleRun")]
struct Ran {
    /// The time that it counts as.
    due: Time,
    /// The run; null when it is not there for you.
    run: Option<RunId>,
    /// Where to look how it goes.
    url: String,
}

async fn run(asked: Asked<SchedulePath>) -> Result<Made<Ran>, Problem> {
    let (engine, name) = (&asked.visitor.engine, &asked.path.schedule);
    let by = asked.visitor.by();
    let triggered = engine.run_schedule(name, asked.key.as_deref(), (&by, now()), Park::Stay).await?;
    let (due, run) = (triggered.slot.due, triggered.handle.id);
    engine.settle_later(triggered);
    let run = engine.run(run).ok().map(|run| run.id);
    let url = match run {
        Some(run) => format!("/api/runs/{run}"),
        None => format!("/api/schedules/{name}/slots"),
    };
    Ok(Made { at: url.clone(), body: Ran { due, run, url } })
}

/// Why a schedule is held.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "PauseSchedule")]
struct Pause {
    /// Why, for those who look later.
    reason: String,
}

async fn pause(asked: Asked<SchedulePath, Nothing, Pause>) -> Result<Json<ScheduleView>, Problem> {
    let (visitor, name) = (&asked.visitor, &asked.path.schedule);
    visitor.engine.pause_schedule(name, &visitor.by(), &asked.body.reason, now()).await?;
    Ok(Json(visitor.engine.schedule(name, now())?))
}

async fn resume(asked: Asked<SchedulePath>) -> Result<Json<ScheduleView>, Problem> {
    let (engine, name) = (&asked.visitor.engine, &asked.path.schedule);
    engine.resume_schedule(name, &asked.visitor.by(), now()).await?;
    Ok(Json(engine.schedule(name, now())?))
}

/// Which times of the past.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "BackfillSchedule")]
struct Backfill {
    /// From this time on.
    from: Time,
    /// Until this time (default: now).
    #[serde(default)]
    until: Option<Time>,
    /// Only say which times would be run.
    #[serde(default)]
    dry_run: bool,
}

/// What a backfill runs.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ScheduleBackfilled")]
struct Filled {
    /// The times.
    plan: BackfillPlan,
    /// How many of them are going to be run, one after the other.
    queued: usize,
}

async fn backfill(asked: Asked<SchedulePath, Nothing, Backfill>) -> Result<Json<Filled>, Problem> {
    let (engine, name, body) = (&asked.visitor.engine, &asked.path.schedule, asked.body);
    let by = asked.visitor.by();
    let until = body.until.map_or_else(now, |until| until.min(now()));
    let plan = engine.plan_backfill(name, (body.from, until))?;
    let queued = if body.dry_run { 0 } else { engine.backfill(name, &plan.times, (&by, now())).await? };
    Ok(Json(Filled { plan, queued }))
}
