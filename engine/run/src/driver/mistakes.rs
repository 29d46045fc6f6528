//! What the loop tells the run's watch over mistakes, and hears from it.

use super::calls::Ended;
use super::{Driver, lines};
use crate::event::{Body, StepError};
use crate::machine::Call;
use crate::store::StoreError;

impl Driver {
    /// Puts down what a call is warned of that is about to start.
    pub(super) fn warn(&mut self, call: &Call) -> Result<(), StoreError> {
        let now = self.now();
        let Some(watch) = &mut self.run.watch else { return Ok(()) };
        for (mistake, message) in watch.before(call, now) {
            let (step, message) = (call.step.clone(), lines::shortened(&message));
            self.record(Body::StepProgress { step, message, mistake: Some(mistake) }, None)?;
        }
        Ok(())
    }

    /// The error of a call, where anybody learns from it. A success is watched as well, but
    /// what it gave does not matter.
    pub(super) fn lesson(&self, ended: &Ended) -> Option<StepError> {
        self.run.watch.as_ref()?;
        ended.result.as_ref().err().cloned()
    }

    /// Learns from a call that has ended, as `body` says.
    pub(super) fn learn(&mut self, call: Option<&Call>, error: Option<&StepError>, body: &Body) {
        let now = self.now();
        if let (Some(watch), Some(call)) = (&mut self.run.watch, call) {
            // Whatever follows but its failure may yet make it work.
            let goes_on = !matches!(body, Body::StepFailed { .. });
            watch.after(call, (error, goes_on), now, &self.run.means.tools);
        }
    }

    /// Waits for what was to be written down.
    pub(super) async fn finish_watch(&mut self) {
        if let Some(watch) = &mut self.run.watch {
            watch.finish().await;
        }
    }
}
