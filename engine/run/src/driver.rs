//! The loop that gives a machine hands.
//!
//! One loop per run owns the machine, the lease and the journal. Calls run as tasks
//! that hand back a value and touch nothing, so there is nothing to lock.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Semaphore, mpsc, watch};

use crate::engine::{Notice, Outcome};
use crate::event::{Event, Origin, RunId, Time};
use crate::machine::Machine;
use crate::store::{Lease, Request, Store, StoreError};
use crate::tool::Tool;

/// One run about to be driven.
pub struct Drive {
    /// The run's state: all its events so far are folded in.
    pub machine: Machine,
    /// Why it is driven.
    pub entry: Entry,
    /// The right to append to it.
    pub lease: Lease,
    /// Who started it; the source of every event that nobody in particular caused.
    pub origin: Origin,
    /// Folder that relative paths mean.
    pub folder: PathBuf,
    /// Where its events go.
    pub journal: Arc<dyn Journal>,
    /// What all runs of this process share.
    pub means: Means,
    /// Takes what happens, from the next event on. Nobody listening is fine.
    pub watchers: mpsc::UnboundedSender<Notice>,
    /// What to do when only a person can move the run on.
    pub park: Park,
}

/// Why a run is driven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// It has just been created.
    Fresh,
    /// Another process (or this one, before it parked the run) drove it: `run_resumed` comes first.
    Resume,
    /// It is over, and its completed steps are to be taken back.
    Undo {
        /// Who asked.
        by: String,
    },
}

/// What to do when only a person can move a run on and no timer is pending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Park {
    /// Keep the lease and wait for the answer.
    Stay,
    /// Release the lease and end with [`Outcome::Waiting`].
    Release,
}

/// What all runs of a process share.
#[derive(Clone)]
pub struct Means {
    /// Finds a tool by its canonical name.
    pub tools: Toolbox,
    /// Calls of this process that may run at once.
    pub permits: Arc<Semaphore>,
    /// Opens secrets right before a call.
    pub secrets: Arc<dyn Secrets>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Changes when this process has put something into an inbox.
    pub nudge: watch::Receiver<()>,
    /// Longest time for a call that has no deadline of its own.
    pub call_timeout: Option<Duration>,
    /// Called with every event after its commit; tests of crashes hang themselves in here.
    pub after_commit: Option<AfterCommit>,
}

/// Finds a tool by its canonical name.
pub type Toolbox = Arc<dyn Fn(&str) -> Option<Arc<dyn Tool>> + Send + Sync>;

/// Sees every event after its commit and before anything that follows from it.
pub type AfterCommit = Arc<dyn Fn(&Event) + Send + Sync>;

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

/// Opens sealed secrets.
#[async_trait]
pub trait Secrets: Send + Sync {
    /// The value of a secret.
    ///
    /// # Errors
    /// Why it cannot be had, in one line without any part of the value.
    async fn reveal(&self, name: &str) -> Result<String, String>;
}

/// Tells the time, and waits for it.
#[async_trait]
pub trait Clock: Send + Sync {
    /// Now, to the millisecond.
    fn now(&self) -> Time;
    /// Returns when `now` has reached this time.
    async fn sleep_until(&self, time: Time);
}

/// The clock on the wall.
#[derive(Clone, Copy, Debug, Default)]
pub struct WallClock;

/// Drives a run until it is over, or parked, or cannot be written any more.
///
/// # Errors
/// The journal's: then every call has been stopped and nothing was told that is not durable.
/// A machine that refuses an event gives [`StoreError::Corrupt`].
pub async fn drive(run: Drive) -> Result<Outcome, StoreError> {
    Err(StoreError::NoRun(run.lease.run))
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

#[async_trait]
impl Clock for WallClock {
    fn now(&self) -> Time {
        chrono::Utc::now()
    }

    async fn sleep_until(&self, time: Time) {
        if let Ok(left) = (time - self.now()).to_std() {
            tokio::time::sleep(left).await;
        }
    }
}

impl std::fmt::Debug for Drive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Drive")
            .field("lease", &self.lease)
            .field("entry", &self.entry)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Means {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Means").field("call_timeout", &self.call_timeout).finish_non_exhaustive()
    }
}
