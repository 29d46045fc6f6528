//! A journal whose inbox also has the canned answers to questions.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use super::Stage;
use crate::driver::Journal;
use crate::event::{Event, Origin, RunId, StepPath};
use crate::store::{Ask, Lease, Request, StoreError};

/// Who answers, in the journal.
pub(super) const BY: &str = "stubs";

pub(super) struct StagedJournal {
    inner: Arc<dyn Journal>,
    stage: Arc<Stage>,
    nudge: Box<dyn Fn() + Send + Sync>,
    /// Numbers of canned requests, below those of the store.
    numbers: Mutex<BTreeMap<StepPath, i64>>,
}

impl StagedJournal {
    pub(super) fn new(
        inner: Arc<dyn Journal>,
        stage: Arc<Stage>,
        nudge: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        Self { inner, stage, nudge: Box::new(nudge), numbers: Mutex::default() }
    }

    fn number(&self, step: &StepPath) -> i64 {
        let mut numbers = self.numbers.lock().unwrap_or_else(PoisonError::into_inner);
        let next = -1 - i64::try_from(numbers.len()).unwrap_or(0);
        *numbers.entry(step.clone()).or_insert(next)
    }
}

#[async_trait]
impl Journal for StagedJournal {
    async fn append(&self, lease: Lease, events: Vec<Event>, taken: Vec<i64>) -> Result<(), StoreError> {
        for event in &events {
            self.stage.hear(&event.body);
        }
        let taken = taken.into_iter().filter(|number| *number >= 0).collect();
        self.inner.append(lease, events, taken).await?;
        if !self.stage.replies().is_empty() {
            (self.nudge)();
        }
        Ok(())
    }

    async fn release(&self, lease: Lease) -> Result<(), StoreError> {
        self.inner.release(lease).await
    }

    fn inbox(&self, run: RunId) -> Result<Vec<Request>, StoreError> {
        let mut requests = self.inner.inbox(run)?;
        for (step, answer) in self.stage.replies().iter() {
            let ask = Ask::Answer { step: step.clone(), answer: answer.clone(), question: None };
            let id = self.number(step);
            requests.push(Request { id, origin: Origin::Parent, by: BY.to_owned(), ask });
        }
        Ok(requests)
    }

    fn version(&self) -> Result<i64, StoreError> {
        self.inner.version()
    }
}
