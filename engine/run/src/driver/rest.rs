//! A run that comes to rest because its process is about to end: nothing more of it begins, what is under way ends,
//! and the lease is given back, so that whoever comes next goes on with it.

use super::Driver;
use crate::drain::Drain;
use crate::engine::Outcome;
use crate::store::StoreError;

/// Returns when the process begins to end, or, for a run that knows that, when nothing is waited for any more.
pub(super) async fn news(drain: &Drain, is_known: bool) {
    if is_known { drain.over().await } else { drain.begun().await }
}

impl Driver {
    /// Lets nothing more begin, once the process is about to end.
    pub(super) fn mind_drain(&mut self) {
        if self.run.means.drain.has_begun() {
            self.run.machine.begin_nothing();
        }
    }

    /// Whether the process is about to end, and nothing of the run is waited for.
    pub(super) fn is_at_rest(&self) -> bool {
        let drain = &self.run.means.drain;
        let is_idle = self.calls.is_empty() && self.blocks.busy() == 0 && self.heals.len() == 0;
        self.run.machine.begins_nothing() && (is_idle || drain.is_over())
    }

    /// Gives the run back as it is. A call that is cut off here is in doubt, as after a crash.
    pub(super) async fn leave(&mut self) -> Result<Outcome, StoreError> {
        self.calls.kill_all().await;
        self.blocks.kill_all().await;
        self.heals.drop_all().await;
        self.give_back().await?;
        Ok(Outcome::Left)
    }
}
