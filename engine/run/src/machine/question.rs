//! Questions that come up during a call: put and answered like those of a `confirm` step,
//! while the call goes on.

use aa_spec::form;
use serde_json::Value;

use super::place::{Place, Spot};
use super::unit::{Question, State};
use super::{Command, Machine, Misfit, Signal, misfit};
use crate::event::{Body, StepPath};
use crate::tool::Question as Asked;

impl Machine {
    /// The event with which a running call asks a person; `anew` when it has taken back what it
    /// has asked before.
    ///
    /// # Errors
    /// No call of a step is running there, or it has asked already.
    pub fn call_question(&self, step: &StepPath, question: Asked, anew: bool) -> Result<Body, Misfit> {
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
        let Asked { message, options, form, want } = question;
        Ok(Body::ConfirmRequested {
            step: step.clone(),
            message,
            options,
            form,
            default: None,
            until: unit.deadline,
            want,
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
        let fits = |question: &Question| question.fits(answer);
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

impl Question {
    /// An answer as it is written down: the values of a form with what was left alone.
    ///
    /// # Errors
    /// It is no answer to this question.
    pub(super) fn settle(&self, step: &StepPath, answer: &str) -> Result<String, Misfit> {
        if self.options.iter().any(|option| option == answer) {
            return Ok(answer.to_owned());
        }
        if let Some(form) = &self.form {
            let given = aa_spec::json::read(answer.as_bytes()).unwrap_or(Value::Null);
            let filled = form::fill(form, &given);
            return match filled {
                Ok(filled) => Ok(Value::Object(filled).to_string()),
                Err(problem) => misfit(format!("that does not fill in the form of `{step}`: {problem}")),
            };
        }
        if let Some(want) = &self.want {
            let read = want.read(answer).map(|_| answer.to_owned());
            return read.or_else(|why| misfit(format!("that is no answer to `{step}`: {why}")));
        }
        let options: Vec<String> = self.options.iter().map(|option| format!("`{option}`")).collect();
        misfit(format!("`{answer}` is not an answer to `{step}`; it is one of {}", options.join(", ")))
    }

    /// Whether an answer that is written down answers it.
    fn fits(&self, answer: &str) -> bool {
        self.options.iter().any(|option| option == answer)
            || self.form.is_some()
                && serde_json::from_str::<Value>(answer).is_ok_and(|value| value.is_object())
            || self.want.as_ref().is_some_and(|want| want.read(answer).is_ok())
    }

    /// What a dry run answers: one that shows what would follow, so none that ends the skill if there is another.
    pub(super) fn usual(&self, ends: &[String]) -> Option<String> {
        let filled = || self.form.as_ref().map(|form| Value::Object(form::example(form)).to_string());
        let goes_on = |answer: &&String| !ends.contains(answer);
        let default = self.default.as_ref().filter(goes_on).cloned();
        let first = || self.options.iter().find(goes_on).or_else(|| self.options.first()).cloned();
        default.or_else(filled).or_else(first)
    }
}
