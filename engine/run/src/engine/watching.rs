//! A run's events as they come, whoever drives it; and whether files have changed.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use super::{Engine, Notice, Outcome, RunHandle, steering};
use crate::event::{Event, RunId};
use crate::home::Kind;
use crate::store::{Store, StoreError};

impl Engine {
    /// A number that is another one once a file of a skill, a tool module or a persona has changed; none while
    /// a folder of them cannot be read.
    pub fn files_stamp(&self) -> Option<u64> {
        let mut hasher = DefaultHasher::new();
        let parts = self.current().parts;
        // What is configured has a say in what there is.
        Arc::as_ptr(&parts).hash(&mut hasher);
        for kind in [Kind::Skill, Kind::Module, Kind::Persona] {
            for entry in parts.home.all(kind).ok()? {
                let Some(path) = entry.path() else { continue };
                let known = std::fs::metadata(path).ok();
                path.hash(&mut hasher);
                known.map(|known| (known.modified().ok(), known.len())).hash(&mut hasher);
            }
        }
        Some(hasher.finish())
    }
}

/// How late the event of another process may be seen.
const TICK: Duration = Duration::from_millis(100);

/// Events from a `seq` on; ends with the run.
pub(super) fn watch(
    store: Store,
    run: RunId,
    from: u64,
) -> Result<mpsc::UnboundedReceiver<Event>, StoreError> {
    store.run(run)?;
    let (sender, receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let tell = |event| sender.send(event).is_ok();
        if let Err(error) = pass_on(&store, run, from, tell, || sender.is_closed()).await {
            tracing::warn!(%run, "cannot watch it any more: {error}");
        }
    });
    Ok(receiver)
}

/// A run that another one drives, as if it were driven here.
pub(super) fn follow(store: Store, run: RunId) -> Result<RunHandle, StoreError> {
    let (sender, notices) = mpsc::unbounded_channel();
    store.run(run)?;
    let outcome = tokio::spawn(async move {
        let tell = |event| sender.send(Notice::Event(Box::new(event))).is_ok();
        // Whoever drops the handle is not kept informed for as long as the run may wait.
        pass_on(&store, run, 0, tell, || sender.is_closed()).await?;
        Ok(steering::outcome(&store.events(run, 0)?).unwrap_or(Outcome::Waiting(Vec::new())))
    });
    Ok(RunHandle { id: run, notices, outcome, stage: None, joined: true })
}

/// Gives every event to `tell` until the run is over or nobody wants more.
async fn pass_on(
    store: &Store,
    run: RunId,
    from: u64,
    tell: impl Fn(Event) -> bool,
    unwanted: impl Fn() -> bool,
) -> Result<(), StoreError> {
    let mut next = from;
    let mut commits = store.commits();
    loop {
        commits.mark_unchanged();
        let version = store.version()?;
        // Looked at first: what comes before the end is then among the events.
        let over = store.run(run)?.ended_at.is_some();
        for event in store.events(run, next)? {
            next = event.seq + 1;
            if !tell(event) {
                return Ok(());
            }
        }
        if over {
            return Ok(());
        }
        changed(store, &mut commits, version, &unwanted).await?;
        if unwanted() {
            return Ok(());
        }
    }
}

/// Waits until somebody wrote to the store.
async fn changed(
    store: &Store,
    commits: &mut watch::Receiver<u64>,
    version: i64,
    unwanted: &impl Fn() -> bool,
) -> Result<(), StoreError> {
    // An error of `changed` means that the store is closing, and it is ours as well.
    while !unwanted() && timeout(TICK, commits.changed()).await.is_err() && store.version()? == version {}
    Ok(())
}
