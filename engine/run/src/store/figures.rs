//! The store in numbers, each of them from an index: asked every few seconds, of however big a store.

use std::collections::BTreeMap;

use super::{Store, StoreError};
use crate::event::Time;

/// A time of a schedule that has not begun so long after it should have is late, in milliseconds.
const LATE: i64 = 30_000;

/// What is due and has not been done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Times of schedules that should have begun and have not.
    pub late_slots: u64,
    /// News for people that have not been sent.
    pub notices: u64,
    /// Requests to runs that no process has taken in.
    pub requests: u64,
}

impl Store {
    /// Runs that are not over, by how they stand.
    pub fn open_runs(&self) -> Result<BTreeMap<String, u64>, StoreError> {
        let sql = "select status, count(*) from runs where ended_at is null group by status";
        self.parts.reader.ask(|db| {
            let mut select = db.prepare_cached(sql)?;
            let counts = select.query_map((), |row| Ok((row.get(0)?, count(row.get(1)?))))?;
            counts.collect()
        })
    }

    /// What is due at a time and has not been done.
    pub fn backlog(&self, now: Time) -> Result<Backlog, StoreError> {
        let sql = "select
          (select count(*) from schedule_slots where state in ('ready', 'claimed') and at < ?),
          (select count(*) from notices where state in ('queued', 'sending', 'held')),
          (select count(*) from requests)";
        let late = now.timestamp_millis() - LATE;
        self.parts.reader.ask(|db| {
            db.prepare_cached(sql)?.query_row([late], |row| {
                Ok(Backlog {
                    late_slots: count(row.get(0)?),
                    notices: count(row.get(1)?),
                    requests: count(row.get(2)?),
                })
            })
        })
    }

    /// Bytes of the database and of its log.
    pub fn bytes(&self) -> u64 {
        let path = &self.parts.path;
        let of = |path: &std::path::Path| std::fs::metadata(path).map_or(0, |data| data.len());
        of(path) + of(&path.with_extension("db-wal"))
    }
}

fn count(of: i64) -> u64 {
    of.cast_unsigned()
}
