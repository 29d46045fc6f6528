//! Heal rules that want to act, as tasks: each waits until it is known whether it may.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use aa_spec::plan::digest;
use tokio::task::{AbortHandle, Id, JoinSet};

use super::{Drive, Healer};
use crate::event::{Body, Event, RunId, StepPath};
use crate::machine::{Admission, HealCall};

/// The rules of a run that wait, and the steps that were healed.
pub(super) struct Heals {
    healer: Option<Arc<dyn Healer>>,
    run: RunId,
    folder: PathBuf,
    tasks: JoinSet<Admission>,
    asked: HashMap<Id, Asked>,
    /// Steps whose end tells whether a rule has helped.
    healed: BTreeSet<StepPath>,
}

/// Who waits for an answer.
struct Asked {
    step: StepPath,
    seq: u64,
    task: AbortHandle,
}

impl Heals {
    pub(super) fn new(run: &Drive) -> Self {
        Self {
            healer: run.means.healer.clone(),
            run: run.lease.run,
            folder: run.folder.clone(),
            tasks: JoinSet::new(),
            asked: HashMap::new(),
            healed: run.machine.healed().into_iter().collect(),
        }
    }

    /// Rules that wait for an answer.
    pub(super) fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Asks whether a rule may act. What is called the same in another folder may be another login: what has worked
    /// there has not worked here.
    pub(super) fn start(&mut self, mut call: HealCall) {
        call.key = digest(format!("{}\0{}", self.folder.display(), call.key));
        let (healer, run) = (self.healer.clone(), self.run);
        let (step, seq) = (call.step.clone(), call.seq);
        let task = self.tasks.spawn(async move {
            match healer {
                Some(healer) => healer.admit(run, &call).await,
                None => Admission::Refused("nothing is healed here".to_owned()),
            }
        });
        self.asked.insert(task.id(), Asked { step, seq, task });
    }

    /// The next answer, with the step and the number of the first event after what began the
    /// healing; `None` when nobody waits for one. May be cancelled without losing any.
    pub(super) async fn next(&mut self) -> Option<(StepPath, u64, Admission)> {
        loop {
            let (id, admission) = match self.tasks.join_next_with_id().await? {
                Ok(ended) => ended,
                Err(error) => {
                    (error.id(), Admission::Refused("it cannot be known whether it may act".to_owned()))
                }
            };
            // Nobody waits any more for what is not put down.
            if let Some(Asked { step, seq, .. }) = self.asked.remove(&id) {
                return Some((step, seq, admission));
            }
        }
    }

    /// Asks no more for a step that is over, so that it takes nobody's turn.
    fn stop(&mut self, step: &StepPath) {
        self.asked.retain(|_, asked| {
            let over = asked.step == *step;
            if over {
                asked.task.abort();
            }
            !over
        });
    }

    /// Whether durable events tell how a healing went.
    pub(super) fn concerns(&mut self, events: &[Event]) -> bool {
        let mut concerns = false;
        for event in events {
            match &event.body {
                Body::HealStarted { step, .. } => {
                    self.healed.insert(step.clone());
                }
                Body::HealFinished { .. } => concerns = true,
                Body::StepCompleted { step, .. } | Body::StepFailed { step, .. }
                    if !self.healed.is_empty() =>
                {
                    self.stop(step);
                    concerns |= self.healed.remove(step);
                }
                _ => {}
            }
        }
        concerns
    }

    /// Puts down how the run's healings went.
    pub(super) async fn settle(&self) {
        if let Some(healer) = &self.healer {
            healer.settle(self.run).await;
        }
    }

    /// Waits for no answer any more.
    pub(super) async fn drop_all(&mut self) {
        self.tasks.shutdown().await;
    }
}
