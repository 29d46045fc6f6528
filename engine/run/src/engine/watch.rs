//! Events of a run as they come, whoever drives it.

use std::time::Duration;

use tokio::sync::mpsc;

use crate::event::{Event, RunId};
use crate::store::{Store, StoreError};

/// How late an event of another process may be seen.
const INTERVAL: Duration = Duration::from_millis(100);

/// Events from a `seq` on; ends with the run, or when nobody drives it any more.
pub(super) fn watch(
    store: Store,
    run: RunId,
    from: u64,
) -> Result<mpsc::UnboundedReceiver<Event>, StoreError> {
    store.run(run)?;
    let (sender, receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        if let Err(error) = follow(&store, run, from, &sender).await {
            tracing::error!(%run, %error, "cannot watch");
        }
    });
    Ok(receiver)
}

async fn follow(
    store: &Store,
    run: RunId,
    mut next: u64,
    sender: &mpsc::UnboundedSender<Event>,
) -> Result<(), StoreError> {
    let mut commits = store.commits();
    loop {
        let version = store.version()?;
        // Read before the events, so that none is missed when it is over.
        let still = store.run(run)?;
        let moving = still.ended_at.is_none() && !still.interrupted;
        for event in store.events(run, next)? {
            next = event.seq + 1;
            if sender.send(event).is_err() {
                return Ok(());
            }
        }
        if !moving {
            return Ok(());
        }
        while store.version()? == version {
            tokio::select! {
                _ = commits.changed() => break,
                () = tokio::time::sleep(INTERVAL) => {}
                () = sender.closed() => return Ok(()),
            }
        }
    }
}
