//! What is switched off, or on again.

use rusqlite::{Row, params};

use super::journal::Journal;
use super::schedules::time;
use super::{Store, StoreError};
use crate::event::Time;

/// A switch that somebody has set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceRow {
    /// Of what.
    pub name: String,
    /// Whether it is on.
    pub enabled: bool,
    /// Who has set it.
    pub by: String,
    /// When.
    pub at: Time,
}

impl Store {
    /// Every switch that somebody has set; all others are on.
    pub fn services(&self) -> Result<Vec<ServiceRow>, StoreError> {
        let reader = &self.parts.reader;
        reader.with(|db| {
            let sql = "select name, enabled, by, at from services order by name";
            let mut select = db.prepare_cached(sql).map_err(|e| reader.failed(&e))?;
            let service = |row: &Row<'_>| {
                Ok(ServiceRow { name: row.get(0)?, enabled: row.get(1)?, by: row.get(2)?, at: time(row, 3)? })
            };
            let rows = select.query_map((), service).map_err(|e| reader.failed(&e))?;
            rows.collect::<Result<_, _>>().map_err(|e| reader.failed(&e))
        })
    }

    /// Sets a switch. On return it is durable.
    pub async fn set_service(&self, of: ServiceRow) -> Result<(), StoreError> {
        let work = move |journal: &mut Journal| {
            let sql = "insert into services (name, enabled, by, at) values (?, ?, ?, ?)
                       on conflict (name) do update set enabled = excluded.enabled, by = excluded.by, at = excluded.at";
            let row = params![of.name, of.enabled, of.by, of.at.timestamp_millis()];
            journal.db.prepare_cached(sql)?.execute(row)?;
            Ok(())
        };
        self.parts.writer.submit(work).await
    }
}
