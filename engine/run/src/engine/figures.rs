//! What a process and its store are at, in numbers, and who watches what happens.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Engine;
use crate::driver::AfterCommit;
use crate::observe::Observer;
use crate::store::{Backlog, StoreError};

/// What there is at a moment.
#[derive(Clone, Debug)]
pub struct Figures {
    /// Runs that are not over, by how they stand.
    pub open_runs: BTreeMap<String, u64>,
    /// Calls that may begin at once in this process.
    pub free_calls: usize,
    /// Runs of clients that wait for a place in this process.
    pub waiting_runs: usize,
    /// Hosts that are left alone because they do not answer.
    pub open_breakers: usize,
    /// Listeners of this process that do not work.
    pub failing_listeners: usize,
    /// Files of skills, tool modules and personas that have errors, as far as somebody has looked.
    pub broken_files: usize,
    /// What is due and has not been done.
    pub backlog: Backlog,
    /// Bytes of the database and of its log.
    pub store_bytes: u64,
}

impl Engine {
    /// Tells somebody of everything that this engine, in whatever folder, does from now on.
    pub fn observe(&self, observer: Arc<dyn Observer>) {
        self.parts.shared.observers.add(observer);
    }

    /// Whom to tell of an event, if anybody.
    pub(super) fn told(&self) -> Option<AfterCommit> {
        let observers = &self.parts.shared.observers;
        if observers.is_empty() {
            return self.after_commit.clone();
        }
        let (observers, hook) = (observers.clone(), self.after_commit.clone());
        Some(Arc::new(move |event| {
            if let Some(hook) = &hook {
                hook(event);
            }
            observers.happened(event);
        }))
    }

    /// The module that a tool belongs to, when there is such a tool.
    pub fn module_of(&self, tool: &str) -> Option<String> {
        let tool = self.parts.toolbox().ok()?.tool(tool)?;
        Some(tool.spec().module.clone())
    }

    /// What there is right now, of all callers.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn figures(&self) -> Result<Figures, StoreError> {
        let (store, shared) = (self.parts.store()?, &self.parts.shared);
        let now = super::steering::now();
        Ok(Figures {
            open_runs: store.open_runs()?,
            free_calls: shared.permits.free(),
            waiting_runs: shared.places.waiting(),
            open_breakers: self.parts.toolbox().map_or(0, |tools| tools.open_breakers()),
            failing_listeners: shared.listeners.all().values().filter(|check| !check.is_good()).count(),
            broken_files: shared.broken.files().len(),
            backlog: store.backlog(now)?,
            store_bytes: store.bytes(),
        })
    }
}
