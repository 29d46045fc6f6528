//! Memory: what skills remember from one run to the next.
//!
//! A key such as `state/current_work` names a mapping; a key that was never written reads
//! as the empty mapping. Every change is one transaction of the store, durable before it
//! is answered, and stamps `last_updated`. A change that a run repeats after a crash is
//! made once, so all of these tools are idempotent. Each tenant has a memory of its own, and
//! a call is one of its context's tenant: no argument can name another. Reading order: [`key`], [`place`]
//! (dotted paths), [`text`] (YAML in arguments), [`shape`] (what documents of known keys look
//! like), then one file per group of tools.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use aa_spec::plan::digest;
use aa_spec::tool::ErrorKind;
use chrono::{SecondsFormat, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use self::change::{MemoryAppend, MemoryRemove, MemorySessionLog, MemoryUpdate, MemoryWrite};
use self::find::{MemoryQuery, MemorySearch};
pub(crate) use self::key::{DEEPEST, Key};
pub(crate) use self::learn::known_issues;
use self::learn::{CheckKnownIssues, LearnToolFix, RecordToolFailure};
use self::read::{MemoryRead, MemoryStats};
use super::native::{Native as _, blocking, invalid, tool};
use super::{CallContext, Tool, ToolError};
use crate::caller::MAIN;
use crate::event::Time;
use crate::store::{Change, Changed, LazyStore, Store, StoreError};
use crate::workspace::is_within;

pub(in crate::tool) mod change;
mod find;
mod key;
mod learn;
pub(in crate::tool) mod place;
mod read;
pub(crate) mod shape;
pub(in crate::tool) mod text;

#[cfg(test)]
pub(super) mod kit;
#[cfg(test)]
mod tests;

/// Most bytes of JSON under one key: it is read and written as a whole.
const MAX_BYTES: usize = 4 << 20;

/// Makes one of the tools.
pub(super) type Make = fn(Memory) -> Arc<dyn Tool>;

/// Every tool of the module by name.
pub(super) const TOOLS: &[(&str, Make)] = &[
    (CheckKnownIssues::FACE.name, |memory| tool(CheckKnownIssues(memory))),
    (LearnToolFix::FACE.name, |memory| tool(LearnToolFix(memory))),
    (MemoryAppend::FACE.name, |memory| tool(MemoryAppend(memory))),
    (MemoryQuery::FACE.name, |memory| tool(MemoryQuery(memory))),
    (MemoryRead::FACE.name, |memory| tool(MemoryRead(memory))),
    (MemoryRemove::FACE.name, |memory| tool(MemoryRemove(memory))),
    (MemorySearch::FACE.name, |memory| tool(MemorySearch(memory))),
    (MemorySessionLog::FACE.name, |memory| tool(MemorySessionLog(memory))),
    (MemoryStats::FACE.name, |memory| tool(MemoryStats(memory))),
    (MemoryUpdate::FACE.name, |memory| tool(MemoryUpdate(memory))),
    (MemoryWrite::FACE.name, |memory| tool(MemoryWrite(memory))),
    (RecordToolFailure::FACE.name, |memory| tool(RecordToolFailure(memory))),
];

/// The memory in the store of this process. Cheap to clone; opens the store when first used.
#[derive(Clone, Debug)]
pub(super) struct Memory {
    store: LazyStore,
    /// Folders whose projects any tenant may know, besides the one of a call.
    open: Arc<[PathBuf]>,
}

/// What a change makes of a mapping: the answer, and whether it is another mapping now.
pub(in crate::tool) enum Outcome<T> {
    Changed(T),
    Same(T),
}

impl Memory {
    pub(super) fn new(store: LazyStore, open: &[PathBuf]) -> Self {
        Self { store, open: open.into() }
    }

    /// Whether the files of a folder may become known to whoever calls: to the main tenant those of any, to
    /// others those where clients may work. A tenant that could name any folder, or remember it as its
    /// project, would read what is another's.
    pub(in crate::tool) fn opens(&self, context: &CallContext, folder: &Path) -> bool {
        let mut open = std::iter::once(&context.folder).chain(self.open.iter());
        *context.tenant == *MAIN || open.any(|allowed| is_within(folder, allowed))
    }

    /// Looks into the store for the tenant that it is given, where looking may block.
    pub(in crate::tool) async fn look<T: Send + 'static>(
        &self,
        context: &CallContext,
        look: impl FnOnce(&Store, &str) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, ToolError> {
        let (store, tenant) = (self.store.clone(), Arc::clone(&context.tenant));
        let look = move || store.get().and_then(|store| look(&store, &tenant));
        blocking(context, move |_| look().map_err(|error| unusable(&error))).await
    }

    /// What is under a key.
    pub(in crate::tool) async fn read(
        &self,
        context: &CallContext,
        key: Key,
    ) -> Result<Map<String, Value>, ToolError> {
        let found = self.look(context, move |store, tenant| store.memory(tenant, key.as_str())).await?;
        Ok(found.unwrap_or_default())
    }

    /// Changes what is under a key. `call` is the tool with its arguments: within one step
    /// of a run, the same call is made once.
    pub(in crate::tool) async fn change<T: Serialize + DeserializeOwned>(
        &self,
        context: &CallContext,
        call: (&str, &(impl Serialize + Sync)),
        key: &Key,
        mut work: impl FnMut(&mut Map<String, Value>, Time) -> Result<Outcome<T>, ToolError> + Send + 'static,
    ) -> Result<T, ToolError> {
        let (tenant, key) = (context.tenant.to_string(), key.as_str().to_owned());
        let change = Change { tenant, key, at: Utc::now(), id: change_id(context, call)? };
        let (at, key) = (change.at, change.key.clone());
        let store = self.look(context, |store, _| Ok(store.clone())).await?;
        let work = move |before: Option<Map<String, Value>>| -> Result<Changed, ToolError> {
            let mut value = before.unwrap_or_default();
            let (answer, changed) = match work(&mut value, at)? {
                Outcome::Changed(answer) => (answer, true),
                Outcome::Same(answer) => (answer, false),
            };
            let answer = serde_json::to_value(answer).map_err(|error| no_json(&error))?;
            let value = if changed { Some(stamped(&key, value, at)?) } else { None };
            Ok(Changed { value, answer })
        };
        let answer = store.change_memory(change, work).await.map_err(|error| unusable(&error))??;
        serde_json::from_value(answer).map_err(|error| no_json(&error))
    }
}

/// The mapping as it is stored.
fn stamped(key: &str, mut value: Map<String, Value>, at: Time) -> Result<Map<String, Value>, ToolError> {
    shape::check(key, &value)?;
    value.insert("last_updated".to_owned(), stamp(at).into());
    check_size(&value)?;
    Ok(value)
}

/// Refuses a document that is too big for one key.
pub(crate) fn check_size(document: &Map<String, Value>) -> Result<(), ToolError> {
    let bytes = serde_json::to_vec(document).map_err(|error| no_json(&error))?.len();
    if bytes > MAX_BYTES {
        return Err(invalid(format!(
            "it would be {bytes} bytes under one key; at most {MAX_BYTES} are kept"
        )));
    }
    Ok(())
}

/// A moment as it is written into memory.
pub(in crate::tool) fn stamp(at: Time) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// What makes a call the same call again; nothing outside of runs.
fn change_id(context: &CallContext, call: (&str, &impl Serialize)) -> Result<Option<String>, ToolError> {
    if context.idempotency_key.is_empty() {
        return Ok(None);
    }
    let call = serde_json::to_string(&call).map_err(|error| no_json(&error))?;
    Ok(Some(digest(format!("{}\n{call}", context.idempotency_key))))
}

fn no_json(error: &serde_json::Error) -> ToolError {
    ToolError::new(ErrorKind::Permanent, format!("it cannot be kept as JSON: {error}"))
}

pub(in crate::tool) fn unusable(error: &StoreError) -> ToolError {
    let kind = match error {
        // Whether it was written is not known.
        StoreError::Stopped => ErrorKind::Transient,
        _ => ErrorKind::Permanent,
    };
    ToolError::new(kind, error.to_string())
}
