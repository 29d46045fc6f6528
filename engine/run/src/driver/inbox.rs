//! When to look into a run's inbox.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::{Drive, Journal};

/// How late a request of another process may be seen.
const INTERVAL: Duration = Duration::from_millis(150);

/// Notices when there may be something new in an inbox.
pub(super) struct Inbox {
    journal: Arc<dyn Journal>,
    /// The store's version when the inbox was last read.
    version: Option<i64>,
    next_look: Instant,
    /// Changes at once for requests of this process; `None` when nobody can make any.
    nudge: Option<watch::Receiver<()>>,
    again: bool,
}

impl Inbox {
    pub(super) fn new(run: &Drive) -> Self {
        let mut nudge = run.means.nudge.clone();
        nudge.mark_unchanged();
        Self {
            journal: Arc::clone(&run.journal),
            // Most runs end before the first look, and never have to open the store for it.
            version: None,
            next_look: Instant::now() + INTERVAL,
            nudge: Some(nudge),
            again: false,
        }
    }

    /// Makes the next [`Self::changed`] return at once.
    pub(super) fn look_again(&mut self) {
        self.again = true;
    }

    /// Returns when the inbox is to be read. May be cancelled and called again.
    pub(super) async fn changed(&mut self) {
        if std::mem::take(&mut self.again) {
            return;
        }
        loop {
            tokio::select! {
                nudged = nudged(self.nudge.as_mut()) => {
                    if nudged {
                        return;
                    }
                    self.nudge = None;
                }
                () = sleep_until(self.next_look) => {
                    self.next_look = Instant::now() + INTERVAL;
                    // A store that cannot be read now will say so when it is written.
                    let version = self.journal.version().ok();
                    if version != self.version {
                        self.version = version;
                        return;
                    }
                }
            }
        }
    }
}

/// True after a nudge, false when there will be none any more.
async fn nudged(nudge: Option<&mut watch::Receiver<()>>) -> bool {
    match nudge {
        Some(nudge) => nudge.changed().await.is_ok(),
        None => std::future::pending().await,
    }
}
