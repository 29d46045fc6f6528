//! Search over what a tenant remembers.
//!
//! The index is brought up to date by who searches, in transactions of the writer that
//! leave room for others: remembering costs a run no more than a row that names the key.
//! Each tenant waits for what has changed in its own memory only.

use rusqlite::{Connection, params};
use serde_json::Value;

use super::journal::{Fault, Journal};
use super::{Store, StoreError};

/// Characters of one passage.
const LONGEST: usize = 4000;
/// Passages of one key; what is beyond is not found.
const MOST: usize = 5000;
/// Bytes of documents that one transaction indexes, or one document that is bigger.
const BATCH: usize = 4 << 20;
/// How deep a passage may be rooted: items of lists, entries of mappings.
const DEPTH: usize = 3;

/// A place in the memory that a search has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// Under which key.
    pub key: String,
    /// Where in it, such as `active_issues.0`.
    pub place: String,
    /// What stands there, around the words that were found.
    pub snippet: String,
}

/// What to search for.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// In whose memory.
    pub tenant: String,
    /// Words; every one of them must be there, or else any.
    pub words: String,
    /// Only keys that begin like this.
    pub prefix: String,
    /// At most so many.
    pub limit: usize,
}

impl Store {
    /// Searches a tenant's memory, best first: for all of the words, and when that finds nothing,
    /// for any.
    ///
    /// # Errors
    /// The store cannot be read, or its index cannot be brought up to date.
    pub async fn search_memory(&self, wanted: Wanted) -> Result<Vec<Hit>, StoreError> {
        if self.is_stale(&wanted.tenant)? {
            self.index_memory(&wanted.tenant).await?;
        }
        let words = terms(&wanted.words);
        let reader = &self.parts.reader;
        reader.with(|db| {
            for joint in [" ", " OR "] {
                let found = find(db, &words.join(joint), &wanted).map_err(|e| reader.failed(&e))?;
                if !found.is_empty() || words.len() < 2 {
                    return Ok(found);
                }
            }
            Ok(Vec::new())
        })
    }

    async fn index_memory(&self, tenant: &str) -> Result<(), StoreError> {
        let mut more = true;
        while more {
            let tenant = tenant.to_owned();
            more = self.parts.writer.submit(move |journal| journal.index_memory(&tenant)).await?;
        }
        Ok(())
    }

    fn is_stale(&self, tenant: &str) -> Result<bool, StoreError> {
        let reader = &self.parts.reader;
        reader.with(|db| {
            let sql = "select exists (select 1 from memory_stale where tenant = ?)";
            db.query_row(sql, [tenant], |row| row.get(0)).map_err(|e| reader.failed(&e))
        })
    }
}

impl Journal {
    /// Indexes some of what has changed in a tenant's memory; true when there is more.
    fn index_memory(&mut self, tenant: &str) -> Result<bool, Fault> {
        let (stale, more) = self.stale(tenant)?;
        for (key, json) in stale {
            let outdated = "delete from passages where tenant = ? and key = ?";
            self.db.prepare_cached(outdated)?.execute([tenant, &key])?;
            // What cannot be read is said by who reads it.
            let value = json.and_then(|json| serde_json::from_str::<Value>(&json).ok());
            let sql = "insert into passages (tenant, key, place, text) values (?, ?, ?, ?)";
            let mut insert = self.db.prepare_cached(sql)?;
            for (place, text) in value.iter().flat_map(passages) {
                insert.execute(params![tenant, key, place, text])?;
            }
            let done = "delete from memory_stale where tenant = ? and key = ?";
            self.db.prepare_cached(done)?.execute([tenant, &key])?;
        }
        Ok(more)
    }

    /// The first keys of a tenant that have changed, with what is there now; and whether there are more.
    fn stale(&self, tenant: &str) -> Result<(Vec<Stale>, bool), Fault> {
        let mut select = self.db.prepare_cached(
            "select stale.key, json from memory_stale stale
             left join memory on memory.tenant = stale.tenant and memory.key = stale.key
             where stale.tenant = ?",
        )?;
        let mut rows = select.query([tenant])?;
        let (mut stale, mut bytes) = (Vec::new(), 0);
        while let Some(row) = rows.next()? {
            if bytes >= BATCH {
                return Ok((stale, true));
            }
            let json: Option<String> = row.get(1)?;
            bytes += json.as_ref().map_or(0, String::len);
            stale.push((row.get(0)?, json));
        }
        Ok((stale, false))
    }
}

/// A key that has changed, and the document that is there now.
type Stale = (String, Option<String>);

fn find(db: &Connection, query: &str, wanted: &Wanted) -> rusqlite::Result<Vec<Hit>> {
    if query.is_empty() {
        return Ok(Vec::new());
    }
    let mut select = db.prepare_cached(
        "select key, place, snippet(passages, 3, '', '', '…', 32) from passages
         where passages match ?1 and tenant = ?2 and substr(key, 1, length(?3)) = ?3
         order by rank limit ?4",
    )?;
    let limit = i64::try_from(wanted.limit).unwrap_or(i64::MAX);
    let rows = select.query_map(params![query, wanted.tenant, wanted.prefix, limit], |row| {
        Ok(Hit { key: row.get(0)?, place: row.get(1)?, snippet: row.get(2)? })
    })?;
    rows.collect()
}

/// The words of a text, each as a term that means nothing but itself.
pub(crate) fn terms(text: &str) -> Vec<String> {
    let words = text.split_whitespace().filter(|word| word.chars().any(char::is_alphanumeric));
    words.map(|word| format!("\"{}\"", word.replace('"', "\"\""))).take(64).collect()
}

/// What is worth finding in a document: its items and entries, each with its place.
fn passages(value: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    gather(value, String::new(), DEPTH, &mut found);
    found.truncate(MOST);
    found
}

/// A value that has lists or mappings in it falls apart into them; what is left is a passage.
fn gather(value: &Value, place: String, depth: usize, found: &mut Vec<(String, String)>) {
    let below = |name: &str| if place.is_empty() { name.to_owned() } else { format!("{place}.{name}") };
    match value {
        Value::Array(items) if depth > 0 => {
            for (index, item) in items.iter().enumerate() {
                gather(item, below(&index.to_string()), depth - 1, found);
            }
        }
        Value::Object(entries) if depth > 0 && (place.is_empty() || entries.values().any(is_many)) => {
            for (name, item) in entries {
                gather(item, below(name), depth - 1, found);
            }
        }
        other => {
            // The name of a place says what stands there.
            let mut text = place.replace(['.', '_'], " ");
            spell(other, &mut text);
            found.push((place, text.chars().take(LONGEST).collect()));
        }
    }
}

fn is_many(value: &Value) -> bool {
    matches!(value, Value::Array(items) if items.iter().any(|item| item.is_object() || item.is_array()))
        || value.is_object()
}

fn spell(value: &Value, text: &mut String) {
    match value {
        Value::Null => {}
        Value::String(words) => text.extend([" ", words]),
        Value::Array(items) => items.iter().for_each(|item| spell(item, text)),
        Value::Object(entries) => {
            for (name, item) in entries {
                text.extend([" ", name, ":"]);
                spell(item, text);
            }
        }
        other => text.extend([" ", &other.to_string()]),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_document_falls_apart_into_its_items() {
        let document = json!({
            "active_issues": [{"key": "A-1", "summary": "disk full"}, "words"],
            "notes": "a note",
            "environments": {"stage": {"status": "up", "alerts": [{"name": "load"}]}},
            "empty": [],
        });
        let found = passages(&document);
        let expected = [
            ("active_issues.0", "active issues 0 key: A-1 summary: disk full"),
            ("active_issues.1", "active issues 1 words"),
            ("notes", "notes a note"),
            ("environments.stage.status", "environments stage status up"),
            ("environments.stage.alerts", "environments stage alerts name: load"),
        ];
        let found: Vec<_> = found.iter().map(|(place, text)| (place.as_str(), text.as_str())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn words_mean_themselves() {
        assert_eq!(
            terms("disk* OR \"x\" - NEAR(a)"),
            ["\"disk*\"", "\"OR\"", "\"\"\"x\"\"\"", "\"NEAR(a)\""]
        );
        assert!(terms(" - * ").is_empty());
    }
}
