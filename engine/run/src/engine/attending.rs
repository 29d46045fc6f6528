//! Who waits for a run in this process: one that goes away must not end it for the others.

use std::sync::{Arc, PoisonError};

use super::Engine;
use super::folders::Shared;
use crate::event::RunId;

/// Somebody who waits for a run, until it is dropped.
pub struct Presence {
    shared: Arc<Shared>,
    run: RunId,
    here: bool,
}

impl Engine {
    /// Counts one more who waits for a run.
    pub fn be_present(&self, run: RunId) -> Presence {
        let shared = Arc::clone(&self.parts.shared);
        *shared.present.lock().unwrap_or_else(PoisonError::into_inner).entry(run).or_default() += 1;
        Presence { shared, run, here: true }
    }
}

impl Presence {
    /// Goes away; whether nobody is left.
    pub fn leave(&mut self) -> bool {
        if !std::mem::take(&mut self.here) {
            return false;
        }
        let mut present = self.shared.present.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(count) = present.get_mut(&self.run) else { return true };
        *count = count.saturating_sub(1);
        if *count == 0 {
            present.remove(&self.run);
            return true;
        }
        false
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
