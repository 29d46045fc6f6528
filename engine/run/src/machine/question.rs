//! Questions that come up during a call: put and answered like those of a `confirm` step,
//! while the call goes on.

use super::place::{Place, Spot};
use super::unit::{Question, State};
use super::{Command, Machine, Misfit, Signal, misfit};
use crate::event::{Body, StepPath};

impl Machine {
    /// The event with which a running call asks a person; `anew` when it has taken back what it
    /// has asked before.
    ///
    /// # Errors
    /// No call of a step is running there, or it has asked already.
    pub fn call_question(
        &self,
        step: &StepPath,
        question: crate::tool::Question,
        anew: bool,
    ) -> Result<Body, Misfit> {
        let unit = match self.locate(step)? {
            Spot::Unit(place) => self.unit(place).filter(|unit| matches!(unit.state, State::Calling)),
            // Taking back and finding out are left to themselves.
            Spot::Undo(_) | Spot::Reconcile(_) => None,
        };
        let Some(unit) = unit else {
            return misfit(format!("no call that could ask is running at `{step}`"));
        };
        if unit.question.is_some() && !anew {
            return misfit(format!("`{step}` waits for an answer already"));
        }
        Ok(Body::ConfirmRequested {
            step: step.clone(),
            message: question.message,
            options: question.options,
            default: None,
            until: unit.deadline,
            want: question.want,
        })
    }

    /// The open question at a place: of a `confirm` step, or of a call.
    pub(super) fn open_question(&self, place: Place) -> Option<&Question> {
        let unit = self.unit(place)?;
        match &unit.state {
            State::Asking(question) => question.as_ref(),
            State::Calling => unit.question.as_ref(),
            _ => None,
        }
    }

    pub(super) fn fold_question(&mut self, place: Place, question: Question) -> Result<(), Misfit> {
        if self.calls_at(place) {
            return self.set_question(place, None, Some(question));
        }
        self.change(place, |state| match state {
            State::Asking(None) => Some(State::Asking(Some(question))),
            _ => None,
        })
    }

    pub(super) fn fold_answer(&mut self, place: Place, answer: &str) -> Result<(), Misfit> {
        let fits = |question: &Question| question.check(answer).is_ok();
        if self.calls_at(place) {
            if !self.open_question(place).is_some_and(fits) {
                return misfit(format!("`{}` is not in a state for this", self.path(place)));
            }
            self.set_question(place, Some(answer.to_owned()), None)?;
            self.signals.push_back(Signal::Answer(place));
            return Ok(());
        }
        self.change(place, |state| match state {
            State::Asking(Some(question)) if fits(question) => Some(State::Answer(answer.to_owned())),
            _ => None,
        })
    }

    /// What a call that has asked is to be told.
    pub(super) fn answer_of_call(&self, place: Place) -> Option<Command> {
        let answer = self.unit(place)?.answer.clone()?;
        Some(Command::Answer { step: self.path(place), answer })
    }

    fn calls_at(&self, place: Place) -> bool {
        self.unit(place).is_some_and(|unit| matches!(unit.state, State::Calling))
    }

    fn set_question(
        &mut self,
        place: Place,
        answer: Option<String>,
        question: Option<Question>,
    ) -> Result<(), Misfit> {
        let Some(mut unit) = self.take(place) else { return misfit("a step has lost its place") };
        (unit.answer, unit.question) = (answer, question);
        self.put(place, unit)
    }
}
