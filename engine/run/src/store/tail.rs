//! What happened in all runs, in the order in which it was committed.
//!
//! Whoever writes holds the database for a whole transaction and numbers its events there, so numbers are
//! in the order of commits: whoever has seen one has seen all before it, whichever process wrote them.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use rusqlite::{Connection, Row, params};

use super::{Store, StoreError, row};
use crate::event::{Event, RunId};
use crate::workspace::WorkspaceUpdated;

/// How far somebody has listened: to the events of runs, and to what is told of workspaces; in a store that was put back
/// from a copy, since when it goes on from there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    pub(crate) events: i64,
    pub(crate) notices: i64,
    /// When the store was last put back; 0 for never.
    pub(crate) life: i64,
}

/// Events with what is known of their runs.
const TAILED: &str = "select e.seq, e.at, e.source, e.blob, e.body, e.run, e.pos, r.principal, r.folder, r.skill, r.plan, r.tenant
                      from events e join runs r on r.id = e.run";

/// An event with what is known of its run.
#[derive(Clone, Debug)]
pub(crate) struct Tailed {
    pub(crate) pos: i64,
    pub(crate) event: Event,
    pub(crate) tenant: String,
    pub(crate) principal: String,
    pub(crate) folder: PathBuf,
    pub(crate) skill: String,
    pub(crate) plan: String,
}

/// Some of what happened after a cursor.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tail {
    pub(crate) events: Vec<Tailed>,
    pub(crate) notices: Vec<(i64, WorkspaceUpdated)>,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.events, self.notices)?;
        if self.life == 0 { Ok(()) } else { write!(f, ".{}", self.life) }
    }
}

impl FromStr for Cursor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| text.parse().ok().filter(|number: &i64| *number >= 0);
        let parts: Option<Vec<i64>> = text.split('.').map(number).collect();
        match parts.as_deref() {
            Some([events, notices]) => Ok(Self { events: *events, notices: *notices, life: 0 }),
            Some([events, notices, life]) if *life > 0 => {
                Ok(Self { events: *events, notices: *notices, life: *life })
            }
            _ => Err(format!("`{text}` is no cursor")),
        }
    }
}

impl Store {
    /// The end of all that has happened so far.
    pub fn end(&self) -> Result<Cursor, StoreError> {
        let reader = &self.parts.reader;
        reader.with(|db| {
            let sql = "select (select coalesce(max(pos), 0) from events), (select coalesce(max(id), 0) from workspace_notices),
                       (select coalesce(max(life), 0) from lives)";
            let read =
                |row: &Row<'_>| Ok(Cursor { events: row.get(0)?, notices: row.get(1)?, life: row.get(2)? });
            let found = db.prepare_cached(sql).and_then(|mut select| select.query_row((), read));
            found.map_err(|e| reader.failed(&e))
        })
    }

    /// What happened after a cursor, oldest first: at most so many events, and notices.
    pub(crate) fn tail(&self, after: Cursor, most: u32) -> Result<Tail, StoreError> {
        let reader = &self.parts.reader;
        reader.with(|db| {
            let events = self.tail_events(db, after.events, most).map_err(|e| reader.failed(&e))?;
            let notices = tail_notices(db, after.notices, most).map_err(|e| reader.failed(&e))?;
            Ok(Tail { events, notices })
        })
    }

    /// The first event of a run, and its last ones.
    pub(crate) fn tail_of(&self, run: RunId, most: u32) -> Result<Vec<Tailed>, StoreError> {
        let reader = &self.parts.reader;
        let sql = format!(
            "{TAILED} where e.run = ?1 and (e.seq = 0 or e.seq > (select max(seq) from events where run = ?1) - ?2)
             order by e.pos"
        );
        let of = params![run.0, most];
        reader.with(|db| self.tailed(db, &sql, of).map_err(|e| reader.failed(&e)))
    }

    fn tail_events(&self, db: &Connection, after: i64, most: u32) -> rusqlite::Result<Vec<Tailed>> {
        let sql = format!("{TAILED} where e.pos > ? order by e.pos limit ?");
        self.tailed(db, &sql, params![after, most])
    }

    fn tailed(
        &self,
        db: &Connection,
        sql: &str,
        params: impl rusqlite::Params,
    ) -> rusqlite::Result<Vec<Tailed>> {
        let mut select = db.prepare_cached(sql)?;
        let mut rows = select.query(params)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let (run, pos) = (RunId(row.get(5)?), row.get(6)?);
            match row::event(row, &self.parts.blobs, run) {
                Ok(event) => found.push(Tailed {
                    pos,
                    event,
                    principal: row.get(7)?,
                    folder: row.get::<_, String>(8)?.into(),
                    skill: row.get(9)?,
                    plan: row.get(10)?,
                    tenant: row.get(11)?,
                }),
                // Whoever reads the run is told; the others go on.
                Err(message) => tracing::warn!(%run, "an event cannot be read: {message}"),
            }
        }
        Ok(found)
    }

    /// Number of the event that put the question which an event answers.
    pub(crate) fn question_before(
        &self,
        run: RunId,
        step: &str,
        seq: u64,
    ) -> Result<Option<u64>, StoreError> {
        let reader = &self.parts.reader;
        reader.with(|db| {
            let sql = "select max(seq) from events where run = ? and seq < ? and kind = 'confirm_requested'
                       and (body is null or body ->> 'step' = ?)";
            let read = |row: &Row<'_>| row.get::<_, Option<i64>>(0);
            let params = params![run.0, seq.cast_signed(), step];
            let found = db.prepare_cached(sql).and_then(|mut select| select.query_row(params, read));
            Ok(found.map_err(|e| reader.failed(&e))?.map(i64::cast_unsigned))
        })
    }
}

fn tail_notices(db: &Connection, after: i64, most: u32) -> rusqlite::Result<Vec<(i64, WorkspaceUpdated)>> {
    let mut select =
        db.prepare_cached("select id, json, tenant from workspace_notices where id > ? order by id limit ?")?;
    let rows = select.query_map(params![after, most], |row| {
        Ok((row.get(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?))
    })?;
    let mut found = Vec::new();
    for row in rows {
        let (id, json, tenant) = row?;
        match serde_json::from_str::<WorkspaceUpdated>(&json) {
            Ok(notice) => found.push((id, WorkspaceUpdated { tenant, ..notice })),
            Err(error) => tracing::warn!("what is told of a workspace cannot be read: {error}"),
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_what_it_is_written_as() {
        for (text, life) in [("12.3", 0), ("12.3.1700", 1700)] {
            let cursor = Cursor { events: 12, notices: 3, life };
            assert_eq!((cursor.to_string().as_str(), text.parse()), (text, Ok(cursor)));
        }
        for bad in ["", "12", "12.", ".3", "-1.0", "1.2.0", "1.2.-3", "1.2.3.4", "a.b", " 1.2"] {
            assert!(bad.parse::<Cursor>().is_err(), "{bad}");
        }
    }
}
