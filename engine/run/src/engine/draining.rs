//! The end of a process that serves: runs come to rest, and nothing new begins.

use super::{Engine, StartError};
use crate::drain::Drain;

impl Engine {
    /// What tells all runs of this process, in whatever folder, that it is about to end.
    pub fn drain(&self) -> Drain {
        self.parts.shared.drain.clone()
    }

    /// Whether a run may begin or go on here.
    pub(super) fn may_begin(&self) -> Result<(), StartError> {
        if self.parts.shared.drain.has_begun() { Err(StartError::Draining) } else { Ok(()) }
    }
}
