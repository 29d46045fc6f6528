//! The last failing call of a tool, found in the journals of all runs.

use rusqlite::{Connection, params};
use serde_json::Value;

use super::reader::Reader;
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
                let Some((step, error)) = whole(reader, body).as_deref().and_then(failed) else { continue };
                let start = start(reader, db, (run, seq, &step)).map_err(|error| reader.failed(&error))?;
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

/// The text of an event here, or the name of the blob that has it.
type Kept = (Option<String>, Option<String>);
type Found = (i64, i64, i64, Kept);

/// The whole text of an event; `None` when its blob cannot be read.
fn whole(reader: &Reader, (body, blob): Kept) -> Option<String> {
    body.or_else(|| reader.blob(&blob?).ok())
}

fn failures(db: &Connection) -> rusqlite::Result<Vec<Found>> {
    let sql = "select run, seq, at, body, blob from events
               where pos > (select coalesce(max(pos), 0) from events) - ?
                 and kind in ('step_failed', 'step_retrying', 'heal_started')
               order by pos desc limit ?";
    let mut select = db.prepare_cached(sql)?;
    let rows = select.query_map([EVENTS, FAILURES], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, (row.get(3)?, row.get(4)?)))
    })?;
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
fn start(
    reader: &Reader,
    db: &Connection,
    (run, seq, step): (i64, i64, &StepPath),
) -> rusqlite::Result<Option<Value>> {
    let sql = "select body, blob from events where run = ? and seq < ? and kind = 'step_started'
               and (body is null or body ->> 'step' = ?) order by seq desc";
    let mut select = db.prepare_cached(sql)?;
    let mut rows = select.query(params![run, seq, step.0])?;
    while let Some(row) = rows.next()? {
        let start: Option<Value> = whole(reader, (row.get(0)?, row.get(1)?))
            .and_then(|body| serde_json::from_str(&body).ok())
            .filter(|start: &Value| start["step"] == step.0);
        if start.is_some() {
            return Ok(start);
        }
    }
    Ok(None)
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
