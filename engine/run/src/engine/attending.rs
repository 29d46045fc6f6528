//! Who waits for a run in this process: one that goes away must not end it for the others, nor what none of
//! them has started.

use std::sync::{Arc, PoisonError};

use super::Engine;
use super::folders::Shared;
use crate::event::RunId;

/// All who wait for one run.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    count: usize,
    /// Whether one of them has started it, or of those who were there before the last of them came.
    started: bool,
}

/// Somebody who waits for a run, until it is dropped.
pub struct Presence {
    shared: Arc<Shared>,
    run: RunId,
    here: bool,
}

impl Engine {
    /// Counts one more who waits for a run, and may have started it.
    pub fn be_present(&self, run: RunId, started: bool) -> Presence {
        let shared = Arc::clone(&self.parts.shared);
        {
            let mut present = shared.present.lock().unwrap_or_else(PoisonError::into_inner);
            let waiting = present.entry(run).or_default();
            waiting.count += 1;
            waiting.started |= started;
        }
        Presence { shared, run, here: true }
    }
}

impl Presence {
    /// Goes away; whether nobody is left who wants the run: it was started by one of those who have waited for
    /// it here, and this was the last of them.
    pub fn leave(&mut self) -> bool {
        if !std::mem::take(&mut self.here) {
            return false;
        }
        let mut present = self.shared.present.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(waiting) = present.get_mut(&self.run) else { return false };
        waiting.count = waiting.count.saturating_sub(1);
        if waiting.count > 0 {
            return false;
        }
        present.remove(&self.run).is_some_and(|waiting| waiting.started)
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.leave();
    }
}

impl std::fmt::Debug for Presence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Presence").field("run", &self.run).finish_non_exhaustive()
    }
}
