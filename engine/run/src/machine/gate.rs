//! The question that is put before anything of a run begins: whether it may.
//!
//! It is the run's second event, in one commit with the first; no step can ask that early, so it
//! needs no mark. Until it is answered the run does nothing but end.

use super::frame::Stop;
use super::place::Job;
use super::unit::Question;
use super::{Machine, Misfit, ROOT, later, misfit};
use crate::event::{Body, StepError, StepPath, Time};
use aa_spec::tool::ErrorKind;

/// The step path of the question.
pub const APPROVAL: &str = "approval";
/// The answer that lets the run begin.
pub const APPROVE: &str = "approve";
/// The answer that ends it.
pub const REJECT: &str = "reject";

impl Machine {
    /// The event that holds a run up until a person has approved of it; the run's second.
    pub fn approval(message: String) -> Body {
        Body::ConfirmRequested {
            step: StepPath(APPROVAL.to_owned()),
            message,
            options: vec![APPROVE.to_owned(), REJECT.to_owned()],
            form: None,
            default: None,
            until: None,
            want: None,
        }
    }

    /// Whether nothing of the run may begin yet.
    pub fn is_held_up(&self) -> bool {
        self.gate.is_some() && self.frame(ROOT).is_some_and(|frame| frame.stop.is_none())
    }

    /// Whether someone wants the run to end.
    pub fn is_cancelled(&self) -> bool {
        self.cancels > 0
    }

    pub(super) fn is_gate(&self, step: &StepPath) -> bool {
        self.gate.is_some() && step.0 == APPROVAL
    }

    pub(super) fn fold_gate(&mut self, step: &StepPath, options: &[String]) -> Result<(), Misfit> {
        if step.0 != APPROVAL || !options.iter().any(|option| option == APPROVE) {
            return misfit("only an approval is asked for before anything begins");
        }
        let options = options.to_vec();
        self.gate = Some(Question { options, form: None, default: None, until: None, want: None });
        // The time that a person takes is not the skill's.
        if let Some(frame) = self.frame_mut(ROOT)
            && let Some(deadline) = frame.deadline.take()
        {
            self.deadlines.remove(&(deadline, ROOT));
        }
        Ok(())
    }

    pub(super) fn fold_gate_answer(&mut self, answer: &str, by: &str, at: Time) -> Result<(), Misfit> {
        let Some(gate) = self.gate.take_if(|gate| gate.options.iter().any(|option| option == answer)) else {
            return misfit(format!("`{answer}` is no answer to `{APPROVAL}`"));
        };
        if self.frame(ROOT).is_none_or(|frame| frame.stop.is_some()) {
            self.gate = Some(gate);
            return misfit("the run is about to end");
        }
        if answer != APPROVE {
            let error = StepError::new(ErrorKind::Permanent, format!("it was rejected by {by}"));
            self.stop_frame(ROOT, Stop::Failed { error, step: Some(StepPath(APPROVAL.to_owned())) });
            return Ok(());
        }
        let timeout = self.layout.skill().timeout_ms;
        if let Some(frame) = self.frame_mut(ROOT)
            && let Some(timeout) = timeout
        {
            let deadline = later(at, timeout);
            frame.deadline = Some(deadline);
            self.deadlines.insert((deadline, ROOT));
        }
        self.agenda.insert(Job::Frame(ROOT));
        Ok(())
    }
}
