//! A journal in memory that can be held, filled and broken.

use std::sync::Mutex;

use async_trait::async_trait;
use tokio::sync::watch;

use crate::driver::Journal;
use crate::event::{Event, Origin, RunId};
use crate::store::{Ask, Lease, Request, StoreError};

/// What a run has written, and what it is asked.
pub(super) struct Memory {
    commits: Mutex<Vec<Vec<Event>>>,
    inbox: Mutex<Vec<Request>>,
    asked: Mutex<i64>,
    released: Mutex<bool>,
    /// Appends wait while this is false.
    gate: watch::Sender<bool>,
    /// Appends fail once this many have worked.
    limit: Mutex<usize>,
}

impl Memory {
    pub(super) fn new() -> Self {
        Self {
            commits: Mutex::default(),
            inbox: Mutex::default(),
            asked: Mutex::default(),
            released: Mutex::default(),
            gate: watch::Sender::new(true),
            limit: Mutex::new(usize::MAX),
        }
    }

    pub(super) fn events(&self) -> Vec<Event> {
        self.commits.lock().unwrap().concat()
    }

    pub(super) fn commits(&self) -> Vec<Vec<Event>> {
        self.commits.lock().unwrap().clone()
    }

    pub(super) fn start(&self, event: Event) {
        self.commits.lock().unwrap().push(vec![event]);
    }

    pub(super) fn hold(&self, held: bool) {
        self.gate.send_replace(!held);
    }

    pub(super) fn fail_after(&self, commits: usize) {
        *self.limit.lock().unwrap() = commits;
    }

    pub(super) fn released(&self) -> bool {
        *self.released.lock().unwrap()
    }

    pub(super) fn waiting(&self) -> usize {
        self.inbox.lock().unwrap().len()
    }

    /// Puts a request into the inbox, as another process would.
    pub(super) fn ask(&self, ask: Ask) {
        let mut asked = self.asked.lock().unwrap();
        *asked += 1;
        let request = Request { id: *asked, origin: Origin::Http, by: "ann".to_owned(), ask };
        self.inbox.lock().unwrap().push(request);
    }
}

#[async_trait]
impl Journal for Memory {
    async fn append(&self, lease: Lease, events: Vec<Event>, taken: Vec<i64>) -> Result<(), StoreError> {
        let mut gate = self.gate.subscribe();
        gate.wait_for(|open| *open).await.unwrap();
        let mut commits = self.commits.lock().unwrap();
        if commits.len() >= *self.limit.lock().unwrap() {
            return Err(StoreError::Fenced(lease.run));
        }
        commits.push(events);
        self.inbox.lock().unwrap().retain(|request| !taken.contains(&request.id));
        Ok(())
    }

    async fn release(&self, _: Lease) -> Result<(), StoreError> {
        *self.released.lock().unwrap() = true;
        Ok(())
    }

    fn inbox(&self, _: RunId) -> Result<Vec<Request>, StoreError> {
        Ok(self.inbox.lock().unwrap().clone())
    }

    fn version(&self) -> Result<i64, StoreError> {
        Ok(*self.asked.lock().unwrap())
    }
}
