//! What skills remember from one run to the next: one JSON mapping for each key of a tenant.
//!
//! Each tenant has a memory of its own: the same key in two of them names two mappings, and
//! nothing here looks at more than one.
//!
//! A change is read, made and written within one transaction of the one writer, so two
//! processes that change the same key do so one after the other.

use rusqlite::{OptionalExtension, params};
use serde_json::{Map, Value};

use super::journal::{Fault, Journal};
use super::{Store, StoreError, database, row};
use crate::event::Time;

/// A key of the memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryEntry {
    /// Such as `state/current_work`.
    pub key: String,
    /// Length of its JSON.
    pub bytes: u64,
    /// When it was changed last.
    pub updated_at: Time,
}

/// A key and what is under it.
pub type Document = (String, Map<String, Value>);

/// A change to be made.
#[derive(Clone, Debug)]
pub struct Change {
    /// In whose memory.
    pub tenant: String,
    /// Of which key.
    pub key: String,
    /// When.
    pub at: Time,
    /// Changes of a tenant with the same id are made once; the others get the answer of the first.
    pub id: Option<String>,
}

/// What a change came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Changed {
    /// The new mapping; `None` leaves the key as it was.
    pub value: Option<Map<String, Value>>,
    /// What its caller gets.
    pub answer: Value,
}

/// What an import came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Keys that were written.
    pub written: Vec<String>,
    /// Keys that were there already, and the same.
    pub same: Vec<String>,
    /// Keys that are there and differ. When there are any, nothing was written.
    pub differing: Vec<String>,
}

impl Store {
    /// Every key of a tenant's memory, sorted.
    pub fn memory_entries(&self, tenant: &str) -> Result<Vec<MemoryEntry>, StoreError> {
        let reader = &self.parts.reader;
        reader.with(|db| {
            let sql = "select key, length(cast(json as blob)), updated_at from memory
                       where tenant = ? order by key";
            let mut select = db.prepare_cached(sql).map_err(|e| reader.failed(&e))?;
            let rows = select.query_map([tenant], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?, row.get(2)?))
            });
            let mut entries = Vec::new();
            for row in rows.map_err(|e| reader.failed(&e))? {
                let (key, bytes, at) = row.map_err(|e| reader.failed(&e))?;
                let updated_at = row::time(at).map_err(|message| self.damaged(&key, &message))?;
                entries.push(MemoryEntry { key, bytes: bytes.cast_unsigned(), updated_at });
            }
            Ok(entries)
        })
    }

    /// Keys of a tenant's memory that begin like this, sorted.
    pub fn memory_keys(&self, tenant: &str, prefix: &str) -> Result<Vec<String>, StoreError> {
        let reader = &self.parts.reader;
        reader.with(|db| {
            let sql = "select key from memory
                       where tenant = ?1 and substr(key, 1, length(?2)) = ?2 order by key";
            let mut select = db.prepare_cached(sql).map_err(|e| reader.failed(&e))?;
            let keys = select.query_map([tenant, prefix], |row| row.get(0));
            keys.and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(|e| reader.failed(&e))
        })
    }

    /// What a tenant remembers under a key.
    pub fn memory(&self, tenant: &str, key: &str) -> Result<Option<Map<String, Value>>, StoreError> {
        let reader = &self.parts.reader;
        let json = reader.with(|db| {
            let sql = "select json from memory where tenant = ? and key = ?";
            let mut select = db.prepare_cached(sql).map_err(|e| reader.failed(&e))?;
            let found = select.query_row([tenant, key], |row| row.get::<_, String>(0)).optional();
            found.map_err(|e| reader.failed(&e))
        })?;
        let read = |json: String| serde_json::from_str(&json).map_err(|error| self.damaged(key, &error));
        json.map(read).transpose()
    }

    /// Changes what is remembered under a key. On return it is durable.
    ///
    /// `work` gets what is there and is called on the writing thread, again should the
    /// commit have to be repeated. Its error leaves everything as it was.
    pub async fn change_memory<E: Send + 'static>(
        &self,
        change: Change,
        mut work: impl FnMut(Option<Map<String, Value>>) -> Result<Changed, E> + Send + 'static,
    ) -> Result<Result<Value, E>, StoreError> {
        self.parts.writer.submit(move |journal| journal.change_memory(&change, &mut work)).await
    }

    /// Everything that a tenant remembers, by key, as of one moment.
    pub fn memory_documents(&self, tenant: &str) -> Result<Vec<Document>, StoreError> {
        let reader = &self.parts.reader;
        let rows = reader.with(|db| {
            let sql = "select key, json from memory where tenant = ? order by key";
            let mut select = db.prepare_cached(sql).map_err(|e| reader.failed(&e))?;
            let rows = select.query_map([tenant], |row| Ok((row.get(0)?, row.get(1)?)));
            let rows = rows.and_then(Iterator::collect::<Result<Vec<(String, String)>, _>>);
            rows.map_err(|e| reader.failed(&e))
        })?;
        let read = |(key, json): (String, String)| match serde_json::from_str(&json) {
            Ok(document) => Ok((key, document)),
            Err(error) => Err(self.damaged(&key, &error)),
        };
        rows.into_iter().map(read).collect()
    }

    /// Puts many documents into a tenant's memory, all of them or none: none when a key is there
    /// with another document, unless they are to be replaced.
    pub async fn import_memory(
        &self,
        tenant: &str,
        documents: Vec<Document>,
        at: Time,
        replace: bool,
    ) -> Result<Imported, StoreError> {
        let tenant = tenant.to_owned();
        self.parts.writer.submit(move |journal| journal.import_memory(&tenant, &documents, at, replace)).await
    }

    fn damaged(&self, key: &str, error: &dyn std::fmt::Display) -> StoreError {
        database::unusable(&self.parts.path, &format!("the memory `{key}` cannot be read: {error}"))
    }
}

impl Journal {
    pub(super) fn change_memory<E>(
        &mut self,
        change: &Change,
        work: &mut dyn FnMut(Option<Map<String, Value>>) -> Result<Changed, E>,
    ) -> Result<Result<Value, E>, Fault> {
        if let Some(answer) = self.answered(change)? {
            return Ok(Ok(answer));
        }
        let place = (change.tenant.as_str(), change.key.as_str());
        let before = self.remembered(place)?;
        let Changed { value, answer } = match work(before) {
            Ok(changed) => changed,
            Err(error) => return Ok(Err(error)),
        };
        let at = change.at.timestamp_millis();
        if let Some(value) = value {
            self.put_document(place, value, at)?;
        }
        if let Some(id) = &change.id {
            let sql = "insert into memory_changes (tenant, id, key, at, answer) values (?, ?, ?, ?, ?)";
            let row = params![change.tenant, id, change.key, at, answer.to_string()];
            self.db.prepare_cached(sql)?.execute(row)?;
        }
        Ok(Ok(answer))
    }

    fn import_memory(
        &mut self,
        tenant: &str,
        documents: &[Document],
        at: Time,
        replace: bool,
    ) -> Result<Imported, Fault> {
        let mut done = Imported::default();
        let mut wanted = Vec::new();
        for (key, document) in documents {
            match self.remembered((tenant, key))? {
                Some(known) if known == *document => done.same.push(key.clone()),
                Some(_) if !replace => done.differing.push(key.clone()),
                _ => wanted.push((key, document)),
            }
        }
        if !done.differing.is_empty() {
            return Ok(done);
        }
        for (key, document) in wanted {
            self.put_document((tenant, key), document.clone(), at.timestamp_millis())?;
            done.written.push(key.clone());
        }
        Ok(done)
    }

    fn put_document(
        &self,
        (tenant, key): (&str, &str),
        value: Map<String, Value>,
        at: i64,
    ) -> Result<(), Fault> {
        let sql = "insert into memory (tenant, key, json, updated_at) values (?, ?, ?, ?)
                   on conflict (tenant, key)
                   do update set json = excluded.json, updated_at = excluded.updated_at";
        let json = Value::Object(value).to_string();
        self.db.prepare_cached(sql)?.execute(params![tenant, key, json, at])?;
        Ok(())
    }

    /// What this change answered when it was made before.
    fn answered(&self, change: &Change) -> Result<Option<Value>, Fault> {
        let Some(id) = &change.id else { return Ok(None) };
        let sql = "select answer from memory_changes where tenant = ? and id = ?";
        let mut select = self.db.prepare_cached(sql)?;
        let answer: Option<String> = select.query_row([&change.tenant, id], |row| row.get(0)).optional()?;
        answer.map(|json| self.json(&change.key, &json)).transpose()
    }

    fn remembered(&self, (tenant, key): (&str, &str)) -> Result<Option<Map<String, Value>>, Fault> {
        let sql = "select json from memory where tenant = ? and key = ?";
        let mut select = self.db.prepare_cached(sql)?;
        let json: Option<String> = select.query_row([tenant, key], |row| row.get(0)).optional()?;
        json.map(|json| self.json(key, &json)).transpose()
    }

    fn json<T: serde::de::DeserializeOwned>(&self, key: &str, json: &str) -> Result<T, Fault> {
        serde_json::from_str(json).map_err(|error| {
            let message = format!("the memory `{key}` cannot be read: {error}");
            Fault::Refused(database::unusable(&self.path, &message))
        })
    }
}
