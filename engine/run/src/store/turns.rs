//! Which times of schedules have their turn: read so that a long backlog of one schedule costs the others nothing.

use rusqlite::{OptionalExtension, params};

use super::slots::COLUMNS;
use super::{Store, StoreError};
use crate::event::Time;
use crate::schedule::Slot;

impl Store {
    /// Times that a process starts or runs, the earliest first.
    pub fn slots_under_way(&self) -> Result<Vec<Slot>, StoreError> {
        let sql = format!(
            "select {COLUMNS} from schedule_slots where state in ('claimed', 'running') order by at, due"
        );
        self.some_slots(&sql, [])
    }

    /// The next schedule, by its key, of which a time may be run by now.
    pub fn next_in_line(&self, after: &str, now: Time) -> Result<Option<String>, StoreError> {
        let reader = &self.parts.reader;
        reader.with(|db| {
            let sql = "select schedule from schedule_slots where state = 'ready' and schedule > ? and at <= ?
                       order by schedule limit 1";
            let mut select = db.prepare_cached(sql).map_err(|e| reader.failed(&e))?;
            select
                .query_row(params![after, now.timestamp_millis()], |row| row.get(0))
                .optional()
                .map_err(|e| reader.failed(&e))
        })
    }

    /// Times of a schedule that may be run by now: first those that are to be tried again, for which the others wait,
    /// and of both the earliest first. Of one that is held those of which something becomes all the same: what
    /// somebody asked for is run, and what the clock has brought is skipped.
    pub fn ready_slots(
        &self,
        schedule: &str,
        (is_held, now): (bool, Time),
        limit: usize,
    ) -> Result<Vec<Slot>, StoreError> {
        // Ordered as the index has it, or else all of them would be read and sorted.
        let sql = format!(
            "select {COLUMNS} from schedule_slots where schedule = ? and state = 'ready' and at <= ?
             and (not ? or kind in ('manual', 'backfill') or kind in ('timed', 'caught_up') and attempt = 0)
             order by attempt = 0, due limit ?"
        );
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.some_slots(&sql, params![schedule, now.timestamp_millis(), is_held, limit])
    }

    /// When the next time that is not to be run before then may be run.
    pub fn next_ready(&self, now: Time) -> Result<Option<Time>, StoreError> {
        let reader = &self.parts.reader;
        reader.with(|db| {
            // Named as the index has it, or else it would not be used.
            let sql = "select min(at) from schedule_slots
                       where state in ('ready', 'claimed', 'running') and state = 'ready' and at > ?";
            let ms: Option<i64> = db
                .prepare_cached(sql)
                .and_then(|mut select| select.query_row([now.timestamp_millis()], |row| row.get(0)))
                .map_err(|e| reader.failed(&e))?;
            Ok(ms.and_then(Time::from_timestamp_millis))
        })
    }
}
