//! What listeners have heard: positions, a queue of items, and whom they came from.
//!
//! Items and the positions behind them are written in one transaction, so what is behind a
//! position is in the queue, and what is in the queue is there once, whoever heard it how often.

use std::cmp::Ordering;

use chrono::TimeDelta;
use rusqlite::{OptionalExtension, Row, params};
use serde::Serialize;
use serde_json::Value;

use super::journal::{Fault, Journal};
use super::{Store, StoreError, database, row};
use crate::event::Time;
use crate::listen::order;

/// How long an item that was dealt with is remembered, so that its key is known when it comes again.
const MEMORY: TimeDelta = TimeDelta::days(30);

/// Stands between a source and a thread of it. The position of a thread is forgotten when
/// it has not moved for as long as items are remembered, and its source is past it.
pub const THREAD: char = '\u{1f}';

/// Where the next look at sources and threads begins.
pub type Positions = Vec<(String, String)>;

/// An item that may be new.
#[derive(Clone, Debug, PartialEq)]
pub struct Heard {
    /// Tells it apart.
    pub key: String,
    /// What is kept of it.
    pub item: Value,
    /// Whom it comes from, if that is known.
    pub person: Option<Value>,
}

/// An item in the queue.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Pending {
    /// Its number in the queue.
    pub id: i64,
    /// Tells it apart from all others of its module.
    pub key: String,
    /// Where it was heard.
    pub source: String,
    /// When it was heard.
    pub heard_at: Time,
    /// What is kept of it.
    pub item: Value,
    /// Whom it comes from, if that is known.
    pub person: Option<Value>,
    /// Until when somebody deals with it alone.
    pub claimed_until: Option<Time>,
}

/// A wish to deal with items alone.
#[derive(Clone, Debug)]
pub struct Claim {
    /// At most so many.
    pub limit: u32,
    /// Who claims, if a claim can be made again.
    pub by: Option<String>,
    /// Now.
    pub at: Time,
    /// When others may have them.
    pub until: Time,
}

/// What marking an item came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marked {
    /// It was waiting and is done now.
    Now,
    /// It was done before; nothing changed.
    Before,
    /// There is no such item.
    Unknown,
}

impl Store {
    /// Where the next look at a source begins.
    pub fn listener_position(&self, module: &str, source: &str) -> Result<Option<String>, StoreError> {
        let reader = &self.parts.reader;
        reader.with(|db| {
            let sql = "select position from listener_positions where module = ? and source = ?";
            let mut select = db.prepare_cached(sql).map_err(|e| reader.failed(&e))?;
            select.query_row([module, source], |row| row.get(0)).optional().map_err(|e| reader.failed(&e))
        })
    }

    /// When a position of a module last moved.
    pub fn listener_moved(&self, module: &str) -> Result<Option<Time>, StoreError> {
        let reader = &self.parts.reader;
        let at = reader.with(|db| {
            let sql = "select max(at) from listener_positions where module = ?";
            let mut select = db.prepare_cached(sql).map_err(|e| reader.failed(&e))?;
            select.query_row([module], |row| row.get::<_, Option<i64>>(0)).map_err(|e| reader.failed(&e))
        })?;
        at.map(|at| self.time(at)).transpose()
    }

    /// Puts items into the queue, in their order, and moves the positions behind them. Gives those
    /// that are new; of one that waits already, only the person is added. On return all of it is durable.
    pub async fn hear(
        &self,
        module: &str,
        source: &str,
        heard: Vec<Heard>,
        positions: Positions,
        at: Time,
    ) -> Result<Vec<Pending>, StoreError> {
        let (module, source) = (module.to_owned(), source.to_owned());
        let work = move |journal: &mut Journal| journal.hear((&module, &source), &heard, &positions, at);
        self.parts.writer.submit(work).await
    }

    /// Items that wait to be dealt with, oldest first.
    pub fn pending(&self, module: &str, limit: u32) -> Result<Vec<Pending>, StoreError> {
        let reader = &self.parts.reader;
        let rows = reader.with(|db| {
            let sql = "select id, key, source, heard_at, item, person, claimed_until from listener_items
                       where module = ? and done_at is null order by id limit ?";
            let mut select = db.prepare_cached(sql).map_err(|e| reader.failed(&e))?;
            let rows = select.query_map(params![module, limit], raw).map_err(|e| reader.failed(&e))?;
            rows.collect::<Result<Vec<_>, _>>().map_err(|e| reader.failed(&e))
        })?;
        rows.into_iter().map(|raw| self.read(raw)).collect()
    }

    /// The oldest items that wait and that nobody has claimed, given to nobody else for a while. The
    /// same claimant gets what it has already. On return that is durable.
    pub async fn claim(&self, module: &str, claim: Claim) -> Result<Vec<Pending>, StoreError> {
        let module = module.to_owned();
        let rows = self.parts.writer.submit(move |journal| journal.claim(&module, &claim)).await?;
        rows.into_iter().map(|raw| self.read(raw)).collect()
    }

    /// How many items of a module wait.
    pub fn count_pending(&self, module: &str) -> Result<u64, StoreError> {
        let reader = &self.parts.reader;
        reader.with(|db| {
            let sql = "select count(*) from listener_items where module = ? and done_at is null";
            let mut select = db.prepare_cached(sql).map_err(|e| reader.failed(&e))?;
            let count = select.query_row([module], |row| row.get::<_, i64>(0));
            count.map(i64::cast_unsigned).map_err(|e| reader.failed(&e))
        })
    }

    /// Says that an item has been dealt with. On return that is durable.
    pub async fn mark(
        &self,
        module: &str,
        id: i64,
        response: Option<String>,
        at: Time,
    ) -> Result<Marked, StoreError> {
        let module = module.to_owned();
        self.parts.writer.submit(move |journal| journal.mark(&module, id, response.as_deref(), at)).await
    }

    /// Whom an id means, if somebody was asked after a moment.
    pub fn person(&self, module: &str, id: &str, after: Time) -> Result<Option<Value>, StoreError> {
        let reader = &self.parts.reader;
        let json = reader.with(|db| {
            let sql = "select person from listener_people where module = ? and id = ? and at > ?";
            let mut select = db.prepare_cached(sql).map_err(|e| reader.failed(&e))?;
            let found = select
                .query_row(params![module, id, after.timestamp_millis()], |row| row.get::<_, String>(0));
            found.optional().map_err(|e| reader.failed(&e))
        })?;
        json.map(|json| self.value(&json)).transpose()
    }

    /// Remembers whom an id means.
    pub async fn meet(&self, module: &str, id: &str, person: &Value, at: Time) -> Result<(), StoreError> {
        let (module, id, person) = (module.to_owned(), id.to_owned(), person.to_string());
        let work = move |journal: &mut Journal| -> Result<(), Fault> {
            let sql = "insert into listener_people (module, id, person, at) values (?, ?, ?, ?)
                       on conflict (module, id) do update set person = excluded.person, at = excluded.at";
            let mut insert = journal.db.prepare_cached(sql)?;
            insert.execute(params![module, id, person, at.timestamp_millis()])?;
            Ok(())
        };
        self.parts.writer.submit(work).await
    }

    fn read(&self, raw: Raw) -> Result<Pending, StoreError> {
        Ok(Pending {
            id: raw.id,
            key: raw.key,
            source: raw.source,
            heard_at: self.time(raw.heard_at)?,
            item: self.value(&raw.item)?,
            person: raw.person.map(|person| self.value(&person)).transpose()?,
            claimed_until: raw.claimed_until.map(|at| self.time(at)).transpose()?,
        })
    }

    fn time(&self, millis: i64) -> Result<Time, StoreError> {
        row::time(millis).map_err(|message| self.spoilt(&message))
    }

    fn value(&self, json: &str) -> Result<Value, StoreError> {
        serde_json::from_str(json).map_err(|error| self.spoilt(&error))
    }

    fn spoilt(&self, error: &dyn std::fmt::Display) -> StoreError {
        database::unusable(&self.parts.path, &format!("what a listener heard cannot be read: {error}"))
    }
}

/// A row of the queue.
struct Raw {
    id: i64,
    key: String,
    source: String,
    heard_at: i64,
    item: String,
    person: Option<String>,
    claimed_until: Option<i64>,
}

fn raw(row: &Row<'_>) -> rusqlite::Result<Raw> {
    Ok(Raw {
        id: row.get(0)?,
        key: row.get(1)?,
        source: row.get(2)?,
        heard_at: row.get(3)?,
        item: row.get(4)?,
        person: row.get(5)?,
        claimed_until: row.get(6)?,
    })
}

impl Journal {
    fn hear(
        &mut self,
        (module, source): (&str, &str),
        heard: &[Heard],
        positions: &Positions,
        at: Time,
    ) -> Result<Vec<Pending>, Fault> {
        let now = at.timestamp_millis();
        let mut new = Vec::new();
        for Heard { key, item, person } in heard {
            let sql = "insert into listener_items (module, key, source, heard_at, item, person)
                       values (?, ?, ?, ?, ?, ?) on conflict do nothing returning id";
            let person_text = person.as_ref().map(Value::to_string);
            let mut insert = self.db.prepare_cached(sql)?;
            let row = params![module, key, source, now, item.to_string(), person_text];
            if let Some(id) = insert.query_row(row, |row| row.get(0)).optional()? {
                let (key, source) = (key.clone(), source.to_owned());
                let (item, person) = (item.clone(), person.clone());
                new.push(Pending { id, key, source, heard_at: at, item, person, claimed_until: None });
            } else if person_text.is_some() {
                let sql = "update listener_items set person = ?
                           where module = ? and key = ? and person is null and done_at is null";
                self.db.prepare_cached(sql)?.execute(params![person_text, module, key])?;
            }
        }
        for (source, position) in positions {
            let sql = "insert into listener_positions (module, source, position, at) values (?, ?, ?, ?)
                       on conflict (module, source) do update set position = excluded.position, at = excluded.at";
            self.db.prepare_cached(sql)?.execute(params![module, source, position, now])?;
        }
        if !new.is_empty() {
            let sql = "delete from listener_items where module = ? and done_at < ?";
            let long_ago = (at - MEMORY).timestamp_millis();
            self.db.prepare_cached(sql)?.execute(params![module, long_ago])?;
            self.forget_threads(module, long_ago)?;
        }
        Ok(new)
    }

    /// Forgets the positions of threads that have not moved since then. One that is after the position of
    /// its source stays: without it what was said there would be new again.
    fn forget_threads(&self, module: &str, since: i64) -> Result<(), Fault> {
        let sql = "select thread.source, thread.position, source.position
                   from listener_positions thread join listener_positions source
                   on source.module = thread.module
                   and source.source = substr(thread.source, 1, instr(thread.source, ?) - 1)
                   where thread.module = ? and thread.at < ? and instr(thread.source, ?) > 0";
        let mark = THREAD.to_string();
        let mut select = self.db.prepare_cached(sql)?;
        let rows = select.query_map(params![mark, module, since, mark], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?))
        })?;
        for (thread, position, source) in rows.collect::<Result<Vec<_>, _>>()? {
            if order(&position, &source) != Ordering::Greater {
                let sql = "delete from listener_positions where module = ? and source = ?";
                self.db.prepare_cached(sql)?.execute([module, thread.as_str()])?;
            }
        }
        Ok(())
    }

    fn claim(&mut self, module: &str, claim: &Claim) -> Result<Vec<Raw>, Fault> {
        let Claim { limit, by, at, until } = claim;
        let sql = "update listener_items set claimed_until = ?, claimed_by = ? where id in (
                       select id from listener_items where module = ? and done_at is null
                       and (claimed_until is null or claimed_until <= ? or claimed_by = ?)
                       order by id limit ?)
                   returning id, key, source, heard_at, item, person, claimed_until";
        let mut update = self.db.prepare_cached(sql)?;
        let values = params![until.timestamp_millis(), by, module, at.timestamp_millis(), by, limit];
        let mut rows = update.query_map(values, raw)?.collect::<Result<Vec<_>, _>>()?;
        rows.sort_by_key(|row| row.id);
        Ok(rows)
    }

    fn mark(&mut self, module: &str, id: i64, response: Option<&str>, at: Time) -> Result<Marked, Fault> {
        let sql = "update listener_items set done_at = ?, response = ?
                   where module = ? and id = ? and done_at is null";
        let changed =
            self.db.prepare_cached(sql)?.execute(params![at.timestamp_millis(), response, module, id])?;
        if changed > 0 {
            return Ok(Marked::Now);
        }
        let sql = "select 1 from listener_items where module = ? and id = ?";
        let known = self.db.prepare_cached(sql)?.exists(params![module, id])?;
        Ok(if known { Marked::Before } else { Marked::Unknown })
    }
}
