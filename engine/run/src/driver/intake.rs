//! What has happened meanwhile, as events: calls and blocks that have ended, what they said and asked for, and
//! what others want of the run.

use super::Driver;
use super::blocks::{Ask, Over};
use super::calls::Ended;
use super::lines::{self, Line};
use crate::engine::Notice;
use crate::event::{Body, StepPath};
use crate::machine::Admission;
use crate::store::StoreError;

impl Driver {
    /// A call has ended.
    pub(super) fn settle(&mut self, ended: Ended) -> Result<(), StoreError> {
        if let Some(halted) = ended.halted {
            // What could not be written down has not failed: it is made by whoever goes on with the run.
            return Err(halted);
        }
        self.lines.forget(&ended.step);
        self.questions.forget(&ended.step);
        let now = self.now();
        let error = self.lesson(&ended);
        let body = self.run.machine.settle(&ended.step, ended.result, now);
        let body = body.map_err(|misfit| self.corrupt(&misfit.message))?;
        self.learn(ended.call.as_deref(), error.as_ref(), &body);
        self.record(body, None)
    }

    /// Lets a rule act, or not. A step that meanwhile waits for none needs no answer.
    pub(super) fn admit(
        &mut self,
        step: &StepPath,
        seq: u64,
        admission: Admission,
    ) -> Result<(), StoreError> {
        match self.run.machine.admit(step, seq, admission, self.now()) {
            Ok(body) => self.record(body, None),
            Err(_) => Ok(()),
        }
    }

    /// A block has ended.
    pub(super) fn settle_block(&mut self, over: Over) -> Result<(), StoreError> {
        let Over { step, mut result } = over;
        for line in result.iter_mut().flat_map(|computed| std::mem::take(&mut computed.printed)) {
            self.tell(Notice::Line { step: step.clone(), line, level: None });
        }
        let body = self.run.machine.settle_block(&step, result, self.now());
        let body = body.map_err(|misfit| self.corrupt(&misfit.message))?;
        self.record(body, None)
    }

    /// Starts the call that a block asks for, or ends the block.
    pub(super) fn host_call(&mut self, ask: Ask) -> Result<(), StoreError> {
        if !self.blocks.is_current(&ask) {
            return Ok(());
        }
        if self.run.machine.begins_nothing() {
            self.blocks.put_off(ask);
            return Ok(());
        }
        let body = match self.run.machine.host_call(&ask.step, &ask.call, self.now()) {
            Ok(body) => body,
            Err(error) => {
                ask.refuse(error);
                return Ok(());
            }
        };
        if let Some(call) = body.step() {
            self.blocks.await_end(call.clone(), ask);
        }
        self.record(body, None)
    }

    /// A step has said something.
    pub(super) fn show(&mut self, line: Line) -> Result<(), StoreError> {
        if self.calls.is_running(&line.step) && self.lines.is_due(&line.step, self.now()) {
            let message = lines::shortened(&line.text);
            self.record(Body::StepProgress { step: line.step.clone(), message, mistake: None }, None)?;
        }
        self.tell(Notice::Line { step: line.step, line: line.text, level: line.level });
        Ok(())
    }

    /// Somebody has asked for something.
    pub(super) fn read_inbox(&mut self) -> Result<(), StoreError> {
        for request in self.run.journal.inbox(self.run.lease.run)? {
            if self.taken.contains(&request.id) {
                continue;
            }
            self.taken.push(request.id);
            match self.run.machine.request(&request) {
                Ok(body) => self.record(body, Some(request.origin))?,
                Err(misfit) => {
                    tracing::warn!(run = %self.run.lease.run, by = request.by, "ignored a request: {misfit}");
                }
            }
        }
        Ok(())
    }
}
