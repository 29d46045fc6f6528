//! Definitions of foreign tools as they were first seen, or trusted since.

use rusqlite::{OptionalExtension, params};
use serde_json::Value;

use super::journal::{Fault, Journal};
use super::{Store, StoreError, database};
use crate::event::Time;

/// The definitions of a server's tools that are believed.
#[derive(Clone, Debug, PartialEq)]
pub struct Pinned {
    /// Changes with every change of the definitions.
    pub revision: i64,
    /// When they were first seen, or last trusted.
    pub at: Time,
    /// The definitions, by the server's names for its tools.
    pub tools: Vec<(String, Value)>,
}

impl Store {
    /// The revision of what is pinned of a server; `None` while it has never been seen.
    pub fn pinned_revision(&self, server: &str) -> Result<Option<i64>, StoreError> {
        let reader = &self.parts.reader;
        reader.with(|db| {
            let sql = "select revision from mcp_servers where server = ?";
            let mut select = db.prepare_cached(sql).map_err(|e| reader.failed(&e))?;
            select.query_row([server], |row| row.get(0)).optional().map_err(|e| reader.failed(&e))
        })
    }

    /// What is pinned of a server; `None` while it has never been seen.
    pub fn pinned(&self, server: &str) -> Result<Option<Pinned>, StoreError> {
        let reader = &self.parts.reader;
        let seen: Option<(i64, i64)> = reader.with(|db| {
            let sql = "select revision, seen_at from mcp_servers where server = ?";
            let mut select = db.prepare_cached(sql).map_err(|e| reader.failed(&e))?;
            let row = select.query_row([server], |row| Ok((row.get(0)?, row.get(1)?)));
            row.optional().map_err(|e| reader.failed(&e))
        })?;
        let Some((revision, at)) = seen else { return Ok(None) };
        let rows: Vec<(String, String)> = reader.with(|db| {
            let sql = "select tool, definition from mcp_tools where server = ? order by tool";
            let mut select = db.prepare_cached(sql).map_err(|e| reader.failed(&e))?;
            let rows = select.query_map([server], |row| Ok((row.get(0)?, row.get(1)?)));
            rows.and_then(Iterator::collect).map_err(|e| reader.failed(&e))
        })?;
        let read = |(tool, json): (String, String)| {
            let definition = serde_json::from_str(&json);
            let damaged = |error| {
                let message = format!("the definition of `{tool}` cannot be read: {error}");
                database::unusable(&self.parts.path, &message)
            };
            Ok((tool.clone(), definition.map_err(damaged)?))
        };
        let tools = rows.into_iter().map(read).collect::<Result<_, StoreError>>()?;
        Ok(Some(Pinned { revision, at: Time::from_timestamp_millis(at).unwrap_or_default(), tools }))
    }

    /// Pins the definitions of a server: over what there is, or only when there is nothing.
    /// On return it is durable.
    pub async fn pin(
        &self,
        (server, module): (&str, &str),
        tools: Vec<(String, Value)>,
        over: bool,
        at: Time,
    ) -> Result<(), StoreError> {
        let (server, module) = (server.to_owned(), module.to_owned());
        let work = move |journal: &mut Journal| journal.pin((&server, &module), &tools, over, at);
        self.parts.writer.submit(work).await
    }
}

impl Journal {
    fn pin(
        &mut self,
        (server, module): (&str, &str),
        tools: &[(String, Value)],
        over: bool,
        at: Time,
    ) -> Result<(), Fault> {
        let known: Option<i64> = self
            .db
            .prepare_cached("select revision from mcp_servers where server = ?")?
            .query_row([server], |row| row.get(0))
            .optional()?;
        if known.is_some() && !over {
            return Ok(());
        }
        self.db.prepare_cached("delete from mcp_tools where server = ?")?.execute([server])?;
        let sql = "insert into mcp_servers (server, module, revision, seen_at) values (?, ?, ?, ?)
                   on conflict (server) do update set revision = excluded.revision, seen_at = excluded.seen_at";
        let revision = known.map_or(1, |known| known + 1);
        let at = at.timestamp_millis();
        self.db.prepare_cached(sql)?.execute(params![server, module, revision, at])?;
        let mut insert =
            self.db.prepare_cached("insert into mcp_tools (server, tool, definition) values (?, ?, ?)")?;
        for (tool, definition) in tools {
            insert.execute(params![server, tool, definition.to_string()])?;
        }
        Ok(())
    }
}
