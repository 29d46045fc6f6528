//! Runs that a dead process has left behind, gone on with by one that lives on.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::{Engine, StartError, steering};
use crate::caller::Caller;
use crate::driver::Park;
use crate::event::{Origin, RunId};
use crate::standing::Standing;
use crate::store::{RunFilter, RunStatus, RunSummary, Store, StoreError};

/// How often it is looked for runs whose process has died, and for requests to runs that nobody drives.
const EVERY: Duration = Duration::from_secs(1);
/// How often it is looked at runs that wait for a person, too: something of them may have become due.
const ALL: Duration = Duration::from_mins(1);
/// A run that could not be gone on with is left alone for so long.
const PAUSE: Duration = Duration::from_mins(5);

impl Engine {
    /// Goes on with the runs that clients have started and that a dead server has left behind, each in
    /// its own folder, and gives their numbers. What only waits for a person is left alone: whoever
    /// brings the answer goes on with it. Needs a runtime; the runs go on by themselves.
    ///
    /// # Errors
    /// The list of runs cannot be read.
    pub async fn take_over(&self) -> Result<Vec<RunId>, StartError> {
        let store = self.parts.store_soon().await?;
        let mut left = Vec::new();
        for origin in [Origin::Mcp, Origin::Http] {
            let of = RunFilter { origin: Some(origin), ..RunFilter::default() };
            left.extend(store.runs(&RunFilter { interrupted: true, ..of.clone() })?);
            let parked = store.runs(&RunFilter { status: vec![RunStatus::Waiting], ..of })?;
            left.extend(parked.into_iter().filter(|run| !run.interrupted));
        }
        Ok(self.adopt(&store, left, &mut HashMap::new()).await)
    }

    /// Goes on with every run that nobody drives any more and that does not just wait for a person, whoever has
    /// started it, now and from now on; ends when the process is about to.
    pub async fn keep_adopting(&self) {
        let (drain, mut failed) = (self.drain(), HashMap::new());
        let mut all = None;
        loop {
            let looks_at_all = all.is_none_or(|all: Instant| all.elapsed() >= ALL);
            if looks_at_all {
                all = Some(Instant::now());
            }
            failed.retain(|_, at: &mut Instant| at.elapsed() < PAUSE);
            match self.adrift(looks_at_all).await {
                Ok((store, left)) => {
                    let adopted = self.adopt(&store, left, &mut failed).await;
                    if !adopted.is_empty() {
                        tracing::info!("goes on with {} that were left behind", adopted.len());
                    }
                }
                Err(error) => tracing::warn!("cannot look for runs that were left behind: {error}"),
            }
            tokio::select! {
                () = drain.begun() => return,
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }

    /// Runs that may have to be gone on with.
    async fn adrift(&self, all: bool) -> Result<(Store, Vec<RunSummary>), StoreError> {
        let store = self.parts.store_soon().await?;
        let mut left = store.runs(&RunFilter { status: vec![RunStatus::Running], ..RunFilter::default() })?;
        left.retain(|run| run.interrupted);
        if all {
            left.extend(store.runs(&RunFilter { status: vec![RunStatus::Waiting], ..RunFilter::default() })?);
        } else {
            for run in store.asked()? {
                left.push(store.run(run)?);
            }
        }
        Ok((store, left))
    }

    /// Goes on with those that nobody drives, the oldest first.
    async fn adopt(
        &self,
        store: &Store,
        mut left: Vec<RunSummary>,
        failed: &mut HashMap<RunId, Instant>,
    ) -> Vec<RunId> {
        left.retain(|run| !run.driven && run.ended_at.is_none() && !failed.contains_key(&run.id));
        left.sort_by_key(|run| run.id);
        left.dedup_by_key(|run| run.id);
        let mut adopted = Vec::new();
        for run in left {
            match self.adopt_one(store, &run).await {
                Ok(true) => adopted.push(run.id),
                // It waits, another process was faster, or this one is about to end.
                Ok(false)
                | Err(
                    StartError::Draining | StartError::Over { .. } | StartError::Store(StoreError::Busy(_)),
                ) => {}
                // Its folder is gone, or only a person can help it.
                Err(error) => {
                    tracing::warn!(run = %run.id, "cannot go on with it: {error}");
                    failed.insert(run.id, Instant::now());
                }
            }
        }
        adopted
    }

    async fn adopt_one(&self, store: &Store, run: &RunSummary) -> Result<bool, StartError> {
        let idle = store.inbox(run.id)?.is_empty() && Standing::of(&store.events(run.id, 0)?).only_waits();
        if idle {
            return Ok(false);
        }
        let (principal, tenant) = (run.principal.clone(), run.tenant.clone());
        let caller = Caller { principal, tenant, origin: run.origin, ..self.caller.clone() };
        let engine = self.in_folder(&run.folder)?.for_caller(caller);
        let turn = Some(engine.turn(&format!("run {}", run.id)));
        steering::resume_in_turn(&engine, run.id, Park::Stay, turn).await?;
        Ok(true)
    }
}
