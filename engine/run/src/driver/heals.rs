//! Heal rules that want to act, as tasks: each waits until it is known whether it may.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use tokio::task::{Id, JoinSet};

use super::{Drive, Healer};
use crate::event::{Body, Event, RunId, StepPath};
use crate::machine::{Admission, HealCall};

/// The rules of a run that wait, and the steps that were healed.
pub(super) struct Heals {
    healer: Option<Arc<dyn Healer>>,
    run: RunId,
    tasks: JoinSet<Admission>,
    step_of: HashMap<Id, StepPath>,
    /// Steps whose end tells whether a rule has helped.
    healed: BTreeSet<StepPath>,
}

impl Heals {
    pub(super) fn new(run: &Drive) -> Self {
        Self {
            healer: run.means.healer.clone(),
            run: run.lease.run,
            tasks: JoinSet::new(),
            step_of: HashMap::new(),
            healed: run.machine.healed().into_iter().collect(),
        }
    }

    /// Rules that wait for an answer.
    pub(super) fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Asks whether a rule may act.
    pub(super) fn start(&mut self, call: HealCall) {
        let (healer, run) = (self.healer.clone(), self.run);
        let step = call.step.clone();
        let task = self.tasks.spawn(async move {
            match healer {
                Some(healer) => healer.admit(run, &call).await,
                None => Admission::Refused("nothing is healed here".to_owned()),
            }
        });
        self.step_of.insert(task.id(), step);
    }

    /// The next answer; `None` when nobody waits for one. May be cancelled without losing any.
    pub(super) async fn next(&mut self) -> Option<(StepPath, Admission)> {
        let (id, admission) = match self.tasks.join_next_with_id().await? {
            Ok(ended) => ended,
            Err(error) => {
                (error.id(), Admission::Refused("it cannot be known whether it may act".to_owned()))
            }
        };
        // Every task is put down when it is started.
        let step = self.step_of.remove(&id).unwrap_or_else(|| StepPath(String::new()));
        Some((step, admission))
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
