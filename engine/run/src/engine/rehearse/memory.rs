//! A journal that is gone with its run.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use crate::driver::Journal;
use crate::event::{Event, RunId};
use crate::store::{Lease, Request, StoreError};

/// Events in memory.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    events: Arc<Mutex<Vec<Event>>>,
}

impl Memory {
    pub(super) fn new(events: Vec<Event>) -> Self {
        Self { events: Arc::new(Mutex::new(events)) }
    }

    pub(super) fn events(&self) -> Vec<Event> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl Journal for Memory {
    async fn append(&self, _: Lease, events: Vec<Event>, _: Vec<i64>) -> Result<(), StoreError> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).extend(events);
        Ok(())
    }

    async fn release(&self, _: Lease) -> Result<(), StoreError> {
        Ok(())
    }

    fn inbox(&self, _: RunId) -> Result<Vec<Request>, StoreError> {
        Ok(Vec::new())
    }

    fn version(&self) -> Result<i64, StoreError> {
        Ok(0)
    }
}
