//! Rows to values and back.

use aa_spec::plan::Plan;
use chrono::DateTime;
use rusqlite::{Connection, Row};

use super::blobs::Blobs;
use super::{Ask, Request, RunStatus, StoreError};
use crate::event::{Body, Event, Origin, RunId, Time};

/// An event ready to be written: its body is JSON, or a blob that is already on disk.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) seq: u64,
    pub(super) at: Time,
    pub(super) source: Origin,
    pub(super) body: Body,
    pub(super) json: Option<String>,
    pub(super) blob: Option<String>,
}

/// Events of a run from a `seq` on, without gaps.
pub(super) fn events(
    db: &Connection,
    blobs: &Blobs,
    run: RunId,
    from: u64,
) -> Result<Vec<Event>, StoreError> {
    let corrupt = |message: String| StoreError::Corrupt { run, message };
    let broken = |error: rusqlite::Error| corrupt(error.to_string());
    let sql = "select seq, at, source, blob, body from events where run = ? and seq >= ? order by seq";
    let mut select = db.prepare_cached(sql).map_err(broken)?;
    let mut rows = select.query([run.0, from.cast_signed()]).map_err(broken)?;
    let mut events = Vec::new();
    while let Some(row) = rows.next().map_err(broken)? {
        let event = event(row, blobs, run).map_err(corrupt)?;
        let next = from + events.len() as u64;
        if event.seq != next {
            return Err(corrupt(format!("event {next} is missing")));
        }
        events.push(event);
    }
    Ok(events)
}

/// Events of a run from a `seq` on that a condition holds for; `?3` in it is the last text.
pub(super) fn some_events(
    db: &Connection,
    blobs: &Blobs,
    run: RunId,
    (from, which, text): (u64, &str, &str),
) -> Result<Vec<Event>, StoreError> {
    let corrupt = |message: String| StoreError::Corrupt { run, message };
    let broken = |error: rusqlite::Error| corrupt(error.to_string());
    let sql = format!(
        "select seq, at, source, blob, body from events where run = ?1 and seq >= ?2 and {which} order by seq"
    );
    let mut select = db.prepare_cached(&sql).map_err(broken)?;
    let mut rows = select.query(rusqlite::params![run.0, from.cast_signed(), text]).map_err(broken)?;
    let mut events = Vec::new();
    while let Some(row) = rows.next().map_err(broken)? {
        events.push(event(row, blobs, run).map_err(corrupt)?);
    }
    Ok(events)
}

/// `seq, at, source, blob, body` to an event.
pub(super) fn event(row: &Row<'_>, blobs: &Blobs, run: RunId) -> Result<Event, String> {
    let text = |error: rusqlite::Error| error.to_string();
    let seq = row.get::<_, i64>(0).map_err(text)?.cast_unsigned();
    let source: String = row.get(2).map_err(text)?;
    let body: Option<String> = row.get(4).map_err(text)?;
    let body = match (row.get::<_, Option<String>>(3).map_err(text)?, body) {
        (Some(hash), None) => blobs.get(&hash)?,
        (None, Some(body)) => body,
        _ => return Err(format!("event {seq} has no body")),
    };
    Ok(Event {
        run_id: run,
        seq,
        at: time(row.get(1).map_err(text)?)?,
        source: origin(&source)?,
        body: serde_json::from_str(&body).map_err(|error| format!("event {seq} cannot be read: {error}"))?,
    })
}

pub(super) fn plan(json: &str) -> Result<Plan, String> {
    serde_json::from_str(json).map_err(|error| format!("its plan cannot be read: {error}"))
}

/// `id, origin, by, ask` to a request.
pub(super) fn request(row: &Row<'_>) -> Result<Request, String> {
    let text = |error: rusqlite::Error| error.to_string();
    let source: String = row.get(1).map_err(text)?;
    let ask: String = row.get(3).map_err(text)?;
    let ask: Ask =
        serde_json::from_str(&ask).map_err(|error| format!("a request cannot be read: {error}"))?;
    Ok(Request {
        id: row.get(0).map_err(text)?,
        origin: origin(&source)?,
        by: row.get(2).map_err(text)?,
        ask,
    })
}

pub(super) fn time(ms: i64) -> Result<Time, String> {
    DateTime::from_timestamp_millis(ms).ok_or_else(|| format!("`{ms}` is not a time"))
}

pub(super) fn origin(name: &str) -> Result<Origin, String> {
    let all = [Origin::Cli, Origin::Cron, Origin::Mcp, Origin::Http, Origin::Parent];
    let found = all.into_iter().find(|origin| origin.name() == name);
    found.ok_or_else(|| format!("`{name}` is not an origin"))
}

pub(super) fn status_name(status: RunStatus) -> &'static str {
    match status {
        RunStatus::Running => "running",
        RunStatus::Waiting => "waiting",
        RunStatus::Completed => "completed",
        RunStatus::Failed => "failed",
        RunStatus::Cancelled => "cancelled",
    }
}

pub(super) fn status(name: &str) -> Result<RunStatus, String> {
    use RunStatus::{Cancelled, Completed, Failed, Running, Waiting};
    let found =
        [Running, Waiting, Completed, Failed, Cancelled].into_iter().find(|s| status_name(*s) == name);
    found.ok_or_else(|| format!("`{name}` is not a status"))
}
