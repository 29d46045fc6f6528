//! Where a driver writes down what happens, and reads what is asked of it.

use async_trait::async_trait;

use crate::event::{Event, RunId};
use crate::store::{Lease, Request, Store, StoreError};

/// Where a run's events go and its requests come from.
#[async_trait]
pub trait Journal: Send + Sync {
    /// Appends events and takes requests off the inbox, in one commit. On return they are durable.
    async fn append(&self, lease: Lease, events: Vec<Event>, taken: Vec<i64>) -> Result<(), StoreError>;
    /// Gives the run back.
    async fn release(&self, lease: Lease) -> Result<(), StoreError>;
    /// Requests for a run, oldest first.
    fn inbox(&self, run: RunId) -> Result<Vec<Request>, StoreError>;
    /// A number that changes when another process wrote.
    fn version(&self) -> Result<i64, StoreError>;
}

#[async_trait]
impl Journal for Store {
    async fn append(&self, lease: Lease, events: Vec<Event>, taken: Vec<i64>) -> Result<(), StoreError> {
        self.append(lease, events, taken).await
    }

    async fn release(&self, lease: Lease) -> Result<(), StoreError> {
        self.release(lease).await
    }

    fn inbox(&self, run: RunId) -> Result<Vec<Request>, StoreError> {
        self.inbox(run)
    }

    fn version(&self) -> Result<i64, StoreError> {
        self.version()
    }
}
