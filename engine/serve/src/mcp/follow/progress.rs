//! How a run goes, told to a client that has asked for it: not too often, and never for long nothing.

use std::time::Duration;

use aa_run::standing::Standing;
use rmcp::model::{ProgressNotificationParam, ProgressToken};
use rmcp::service::{Peer, RoleServer};
use tokio::time::{Instant, sleep_until};

/// Shortest time between two notifications.
const PAUSE: Duration = Duration::from_millis(250);
/// Longest time between two of them.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// What a notification without news adds, so that the number grows all the same.
const NOTHING: f64 = 1e-6;

/// Tells a client how a run goes.
pub(super) struct Teller {
    peer: Peer<RoleServer>,
    token: ProgressToken,
    total: Option<usize>,
    last: f64,
    line: String,
    /// There is something that the client has not been told.
    news: bool,
    told: Option<Instant>,
}

impl Teller {
    pub(super) fn new(peer: Peer<RoleServer>, token: ProgressToken, total: Option<usize>) -> Self {
        Self { peer, token, total, last: 0.0, line: String::new(), news: true, told: None }
    }

    /// Takes note of how the run stands now.
    pub(super) fn see(&mut self, standing: &Standing) {
        self.news |= done(standing) > self.last || standing.line() != self.line;
    }

    /// Returns when the client is to be told something. May be cancelled and called again.
    pub(super) async fn due(&self) {
        if let Some(told) = self.told {
            sleep_until(told + if self.news { PAUSE } else { HEARTBEAT }).await;
        }
    }

    /// Takes note of what a call says that is no run.
    pub(super) fn hear(&mut self, line: &str) {
        line.clone_into(&mut self.line);
        self.news = true;
    }

    /// Tells it. A client that is gone is noticed elsewhere.
    pub(super) async fn tell(&mut self, standing: &Standing) {
        let line = standing.line();
        if !line.is_empty() {
            self.line = line;
        }
        self.notify(done(standing)).await;
    }

    /// Tells what was heard last.
    pub(super) async fn tell_line(&mut self) {
        self.notify(0.0).await;
    }

    async fn notify(&mut self, done: f64) {
        self.last = done.max(self.last + NOTHING);
        self.news = false;
        self.told = Some(Instant::now());
        let mut told = ProgressNotificationParam::new(self.token.clone(), self.last);
        if let Some(total) = self.total.and_then(|total| u32::try_from(total).ok()) {
            told = told.with_total(f64::from(total));
        }
        if !self.line.is_empty() {
            told = told.with_message(self.line.clone());
        }
        let _ = self.peer.notify_progress(told).await;
    }
}

fn done(standing: &Standing) -> f64 {
    f64::from(u32::try_from(standing.done.len()).unwrap_or(u32::MAX))
}
