//! The last failing call of a tool, found in the journals of all runs.

use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value;

use super::{Store, StoreError, row};
use crate::debug::LastFailure;
use crate::event::{Body, RunId, StepError, StepPath, Time};

/// Events that are looked through at most, newest first.
const EVENTS: i64 = 500_000;
/// Failures that are looked at most, newest first.
const FAILURES: i64 = 2_000;

impl Store {
    /// The last call of a tool in any run that failed.
    pub fn last_failure(&self, tool: &str) -> Result<Option<LastFailure>, StoreError> {
        let reader = &self.parts.reader;
        reader.with(|db| {
            let failures = failures(db).map_err(|error| reader.failed(&error))?;
            for (run, seq, at, body) in failures {
                let Some((step, error)) = failed(&body) else { continue };
                let start = start(db, run, seq, &step).map_err(|error| reader.failed(&error))?;
                let Some(start) = start.filter(|start| start["target"] == tool && start["kind"] != "skill")
                else {
                    continue;
                };
                let Ok(at) = row::time(at) else { continue };
                return Ok(Some(told(RunId(run), step, at, (&start, error))));
            }
            Ok(None)
        })
    }
}

type Found = (i64, i64, i64, String);

fn failures(db: &Connection) -> rusqlite::Result<Vec<Found>> {
    let sql = "select run, seq, at, body from events
               where pos > (select coalesce(max(pos), 0) from events) - ?
                 and kind in ('step_failed', 'step_retrying', 'heal_started') and body is not null
               order by pos desc limit ?";
    let mut select = db.prepare_cached(sql)?;
    let rows = select
        .query_map([EVENTS, FAILURES], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
    rows.collect()
}

/// Which step failed, and how.
fn failed(body: &str) -> Option<(StepPath, StepError)> {
    match serde_json::from_str(body).ok()? {
        Body::StepFailed { step, error, .. } | Body::StepRetrying { step, error, .. } => Some((step, error)),
        Body::HealStarted { step, error, .. } => Some((step, error?)),
        _ => None,
    }
}

/// The last start of a step before an event.
fn start(db: &Connection, run: i64, seq: i64, step: &StepPath) -> rusqlite::Result<Option<Value>> {
    let sql =
        "select body from events where run = ? and seq < ? and kind = 'step_started' and body ->> 'step' = ?
               order by seq desc limit 1";
    let mut select = db.prepare_cached(sql)?;
    let body: Option<String> = select.query_row(params![run, seq, step.0], |row| row.get(0)).optional()?;
    Ok(body.and_then(|body| serde_json::from_str(&body).ok()))
}

fn told(run: RunId, step: StepPath, at: Time, (start, error): (&Value, StepError)) -> LastFailure {
    let said = |name: &str| error.details.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let command =
        error.details.get("command").and_then(|command| serde_json::from_value(command.clone()).ok());
    LastFailure {
        run,
        step,
        at,
        args: start["args"].as_object().cloned().unwrap_or_default(),
        kind: error.kind,
        command,
        exit_code: error.details.get("exit_code").and_then(Value::as_i64),
        stderr: said("stderr"),
        stdout: said("stdout"),
        message: error.message,
    }
}
