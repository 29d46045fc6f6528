//! What a run was started for.

use crate::engine::{Engine, StartError};
use crate::event::RunId;
use crate::schedule::Slot;

/// The time of a schedule that a run was started for.
#[derive(Clone, Debug)]
pub struct Cause {
    /// The schedule's name. It may not be there any more.
    pub schedule: String,
    /// The time, and what has become of it.
    pub slot: Slot,
}

impl Engine {
    /// The time of a schedule that a run was started for; none when it is of no schedule, or of one that is not
    /// there for the caller.
    ///
    /// # Errors
    /// There is no such run for the caller, or the store cannot be read.
    pub fn run_cause(&self, run: RunId) -> Result<Option<Cause>, StartError> {
        self.own(run)?;
        let Some(slot) = self.parts.store()?.slot_of(run)? else { return Ok(None) };
        // Before the name it says where it is defined. The files are not read for this.
        let name = slot.schedule.rsplit('\n').next().unwrap_or_default().to_owned();
        Ok(self.shows_schedule(&name).then_some(Cause { schedule: name, slot }))
    }
}
