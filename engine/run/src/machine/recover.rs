//! What a dead process left behind, and what only a person can decide.

use aa_spec::plan::Action;
use aa_spec::template::{Expression, Scope, Template};
use aa_spec::tool::{Effect, ErrorKind, Reconcile};
use serde_json::{Map, Value};

use super::place::{Place, Spot};
use super::undo::UndoState;
use super::unit::{Inquiry, State};
use super::{APPROVAL, Call, Machine, Misfit, Signal, evaluate, misfit};
use crate::event::{Body, Resolution, StepError, StepPath, Time};
use crate::machine::fold::Started;
use crate::store::{Ask, Request};

/// What whoever goes on with a run has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// What the process before had left running, and what has been ended since.
    pub ended: Vec<String>,
    /// Tools that are no longer what they were when the run started.
    pub changed: Vec<String>,
}

impl Machine {
    /// The event with which a new process takes the run over, once it has ended what the last one had left running.
    pub fn resume(&self, left: Left) -> Body {
        Body::RunResumed { unknown: self.unfinished(), ended: left.ended, changed: left.changed }
    }

    /// The idempotency keys of all calls that were being made, as far as the events tell.
    pub fn open_keys(&self) -> Vec<String> {
        let calls = self.calls().into_iter().filter_map(|spot| self.call(spot));
        calls.map(|call| call.idempotency_key).collect()
    }

    /// Steps that only a person can move on: open questions and unknown outcomes.
    pub fn waiting(&self) -> Vec<StepPath> {
        let asks = |place: &Place| {
            self.unit(*place).is_some_and(|unit| {
                matches!(unit.state, State::Asking(Some(_)) | State::Unknown(Inquiry::Person))
            })
        };
        let places = self.every_place().into_iter().filter(asks);
        let undos = self.undoing.iter().copied().filter(|frame| self.is_undo(*frame, UndoState::Unknown));
        let undos = undos.filter_map(|frame| self.spot_path(Spot::Undo(frame)));
        let gate = self.gate.is_some().then(|| StepPath(APPROVAL.to_owned()));
        gate.into_iter().chain(places.map(|place| self.path(place))).chain(undos).collect()
    }

    /// The event that a request amounts to.
    ///
    /// # Errors
    /// Why the request does not fit the state, in words for whoever made it.
    pub fn request(&self, request: &Request) -> Result<Body, Misfit> {
        let by = request.by.clone();
        if self.run.is_none() || self.ending().is_some() {
            return misfit("the run is over");
        }
        match &request.ask {
            Ask::Cancel { reason } => Ok(Body::CancelRequested { by, reason: reason.clone() }),
            Ask::Answer { step, answer, question } => {
                self.check_question(step, *question)?;
                let answer = self.check_answer(step, answer)?;
                Ok(Body::ConfirmAnswered { step: step.clone(), answer, by })
            }
            Ask::Resolve { step, resolution } => {
                self.check_doubt(step)?;
                Ok(Body::StepResolved { step: step.clone(), resolution: resolution.clone(), by })
            }
        }
    }

    /// Whether there is such a step, now or later: what is within one shows only once it has begun.
    pub fn may_have(&self, step: &StepPath) -> bool {
        let top = step.0.split(['/', '[', '#']).next().unwrap_or_default();
        step.0 == APPROVAL || self.locate(&StepPath(top.to_owned())).is_ok()
    }

    /// Whether the question that is answered is the one that the step asked last.
    fn check_question(&self, step: &StepPath, question: Option<u64>) -> Result<(), Misfit> {
        match question {
            Some(seq) if self.asked.get(step) != Some(&seq) => {
                misfit(format!("the question of step `{step}` that this answers is not open any more"))
            }
            _ => Ok(()),
        }
    }

    /// An answer as it is written down, if it is one.
    fn check_answer(&self, step: &StepPath, answer: &str) -> Result<String, Misfit> {
        let question = match &self.gate {
            Some(gate) if self.is_gate(step) => Some(gate),
            _ => match self.locate(step) {
                Ok(Spot::Unit(place)) => self.open_question(place),
                // It was asked before there were steps.
                Err(_) if step.0 == APPROVAL => None,
                Err(misfit) => return Err(misfit),
                Ok(_) => None,
            },
        };
        match question {
            Some(question) => question.settle(step, answer),
            None => misfit(format!("step `{step}` has no open question")),
        }
    }

    fn check_doubt(&self, step: &StepPath) -> Result<(), Misfit> {
        let doubtful = match self.locate(step)? {
            Spot::Unit(place) => {
                self.unit(place).is_some_and(|unit| matches!(unit.state, State::Unknown(Inquiry::Person)))
            }
            Spot::Undo(frame) => self.is_undo(frame, UndoState::Unknown),
            Spot::Reconcile(_) => false,
        };
        if doubtful { Ok(()) } else { misfit(format!("the outcome of step `{step}` is not in doubt")) }
    }

    /// Calls that are being made and blocks that run, as far as the events tell.
    pub(super) fn calls(&self) -> Vec<Spot> {
        let calls = self.every_place().into_iter().filter_map(|place| match &self.unit(place)?.state {
            State::Calling | State::Computing { running: true, .. } => Some(Spot::Unit(place)),
            State::Unknown(Inquiry::Asking { .. }) => Some(Spot::Reconcile(place)),
            _ => None,
        });
        let undos = self.undoing.iter().copied().filter(|frame| self.is_undo(*frame, UndoState::Calling));
        calls.chain(undos.map(Spot::Undo)).collect()
    }

    /// The call to make at a spot, if it is to be made.
    pub(super) fn call(&self, spot: Spot) -> Option<Call> {
        let (attempt, tool, args, deadline) = match spot {
            Spot::Unit(place) => {
                let unit = self.unit(place).filter(|unit| matches!(unit.state, State::Calling))?;
                let Action::Tool { tool, .. } = &self.step(place)?.action else { return None };
                (unit.attempt, tool.clone(), unit.args.clone(), unit.deadline)
            }
            Spot::Reconcile(place) => {
                let State::Unknown(Inquiry::Asking { args, deadline, .. }) = &self.unit(place)?.state else {
                    return None;
                };
                (1, self.reconcile(place)?.tool.clone(), args.clone(), *deadline)
            }
            Spot::Undo(frame) => {
                let call = self.undo_call(frame).filter(|call| call.state == UndoState::Calling)?;
                let (attempt, tool) = self.undo_target(frame)?;
                (attempt, tool, call.args.clone(), call.deadline)
            }
        };
        let step = self.spot_path(spot)?;
        let idempotency_key = self.idempotency_key(&self.keyed(spot, &step));
        Some(Call { step, attempt, tool, args, idempotency_key, deadline })
    }

    /// Steps that started and of which no event tells the end.
    fn unfinished(&self) -> Vec<StepPath> {
        let unfinished = |place: &Place| {
            self.unit(*place).is_some_and(|unit| matches!(unit.state, State::Calling | State::Unknown(_)))
        };
        let places = self.every_place().into_iter().filter(unfinished).map(|place| self.path(place));
        let undos = self
            .undoing
            .iter()
            .filter(|frame| self.undo_call(**frame).is_some_and(|call| call.state != UndoState::Again));
        places.chain(undos.filter_map(|frame| self.spot_path(Spot::Undo(*frame)))).collect()
    }

    pub(super) fn every_place(&self) -> Vec<Place> {
        (0..self.frames.len()).flat_map(|frame| self.active_places(frame)).collect()
    }

    fn is_undo(&self, frame: usize, state: UndoState) -> bool {
        self.undo_call(frame).is_some_and(|call| call.state == state)
    }

    fn reconcile(&self, place: Place) -> Option<&Reconcile> {
        match &self.step(place)?.action {
            Action::Tool { reconcile, .. } => reconcile.as_ref(),
            _ => None,
        }
    }

    /// Whether an interrupted call may simply be made again.
    pub(super) fn is_repeatable(&self, place: Place) -> bool {
        self.is_read(place) || self.step(place).is_some_and(|step| step.idempotent)
    }

    /// Whether a step changes nothing, so that it does not matter how a call of it ended.
    pub(super) fn is_read(&self, place: Place) -> bool {
        self.step(place).is_some_and(|step| step.effect == Effect::Read)
    }

    pub(super) fn fold_resumed(&mut self, unknown: &[StepPath]) -> Result<(), Misfit> {
        if unknown != self.unfinished() {
            return misfit("the run was resumed from another state");
        }
        self.signals.clear();
        let mut computing = Vec::new();
        for place in self.every_place() {
            self.resume_healing(place);
            let Some(unit) = self.unit(place) else { continue };
            let next = match &unit.state {
                // What a dead process had begun comes first.
                State::Computing { frame, .. } => {
                    let running = self.is_quiet(*frame) && !self.is_halted(place);
                    if running {
                        computing.push(Signal::Compute(place));
                    }
                    State::Computing { frame: *frame, running }
                }
                State::Calling if self.is_repeatable(place) => State::Again,
                State::Calling | State::Unknown(_) if self.reconcile(place).is_none() => {
                    State::Unknown(Inquiry::Person)
                }
                State::Calling | State::Unknown(_) => State::Unknown(Inquiry::Open),
                _ => continue,
            };
            let lost = u32::from(matches!(unit.state, State::Calling));
            let Some(mut unit) = self.take(place) else { continue };
            unit.lost += lost;
            unit.adrift |= self.doubts && lost > 0 && !self.is_read(place);
            let again = matches!(next, State::Again);
            unit.state = next;
            self.put(place, unit)?;
            if again {
                self.make_ready(place);
            }
        }
        self.signals.extend(computing);
        for frame in self.undoing.clone() {
            if self.is_undo(frame, UndoState::Calling) {
                let state = if self.may_repeat_undo(frame) { UndoState::Again } else { UndoState::Unknown };
                self.set_undo_state(frame, state);
            }
        }
        Ok(())
    }

    /// The next event of a step of which it is, or was, unknown how it ended.
    pub(super) fn decide_unknown(&self, place: Place, now: Time) -> Option<Body> {
        let unit = self.unit(place)?;
        // A write that may have taken place is seen through, unless the run is cancelled:
        // what is taken back afterwards depends on it.
        let give_up = self.is_halted(place) && (self.is_read(place) || self.cancels > 0);
        match &unit.state {
            State::Unknown(Inquiry::Asking { .. }) => None,
            State::Unknown(_) | State::Again if give_up => Some(self.dropped(place, now)),
            State::Unknown(Inquiry::Open) => Some(self.inquire(place, now)),
            State::Again if self.is_halted(place) => Some(self.start(place, now)),
            State::Resolved(Resolution::Done { output }) => {
                Some(self.conclude(place, Ok(output.clone()), now))
            }
            State::Resolved(_) => Some(self.failed(place, Resolution::failure(), now)),
            _ => None,
        }
    }

    /// Starts asking the world whether an interrupted call took place.
    fn inquire(&self, place: Place, now: Time) -> Body {
        let step = StepPath(format!("{}#reconcile", self.path(place)));
        let args = self.inquiry_args(place);
        match (self.reconcile(place), args) {
            (Some(reconcile), Ok(args)) => Body::StepStarted {
                step,
                attempt: 1,
                kind: "reconcile".to_owned(),
                target: Some(reconcile.tool.clone()),
                args: Some(Value::Object(args)),
                until: self.step(place).and_then(|plan| self.attempt_deadline(place, plan, now)),
                items: None,
            },
            (_, args) => {
                let gone = || StepError::new(ErrorKind::Invalid, "the step has no `reconcile`");
                let error = args.err().unwrap_or_else(gone);
                Body::StepFailed { step, error, continued: true, duration_ms: 0 }
            }
        }
    }

    fn inquiry_args(&self, place: Place) -> Result<Map<String, Value>, StepError> {
        let Some(reconcile) = self.reconcile(place) else { return Ok(Map::new()) };
        let invalid = |message: String| StepError::new(ErrorKind::Invalid, format!("reconcile: {message}"));
        let template = Template::parse(&reconcile.args).map_err(|error| invalid(error.to_string()))?;
        match evaluate::value(&template, &self.inquiry_scope(place), "reconcile")? {
            Value::Object(args) => Ok(args),
            Value::Null => Ok(Map::new()),
            _ => Err(invalid("`args` is not a mapping".to_owned())),
        }
    }

    fn inquiry_scope(&self, place: Place) -> Scope {
        let mut scope = self.outer_scope();
        let Some(unit) = self.unit(place) else { return scope };
        scope.set("args", &Value::Object(unit.args.clone()));
        let started_at = unit.started.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
        scope.set("started_at", &Value::String(started_at));
        let key = self.idempotency_key(&self.keyed(Spot::Unit(place), &self.path(place)));
        scope.set("idempotency_key", &Value::String(key));
        scope
    }

    /// The event that the answer to an inquiry amounts to.
    pub(super) fn settle_inquiry(
        &self,
        place: Place,
        result: Result<Value, StepError>,
        now: Time,
    ) -> Result<Body, Misfit> {
        let Some(State::Unknown(Inquiry::Asking { since, .. })) = self.unit(place).map(|unit| &unit.state)
        else {
            return misfit("no inquiry is running");
        };
        let duration_ms = super::elapsed(*since, now);
        Ok(match result.and_then(|answer| self.judge(place, answer)) {
            Ok(resolution) => {
                Body::StepResolved { step: self.path(place), resolution, by: "reconcile".to_owned() }
            }
            Err(error) => {
                let step = StepPath(format!("{}#reconcile", self.path(place)));
                Body::StepFailed { step, error, continued: true, duration_ms }
            }
        })
    }

    /// Whether the answer says that the call took place, and with what.
    fn judge(&self, place: Place, answer: Value) -> Result<Resolution, StepError> {
        let Some(reconcile) = self.reconcile(place) else { return Ok(Resolution::Retry) };
        let invalid = |message: String| StepError::new(ErrorKind::Invalid, format!("reconcile: {message}"));
        let parse = |text: &String| Expression::parse(text).map_err(|error| invalid(error.to_string()));
        let mut scope = self.inquiry_scope(place);
        scope.set("result", &answer);
        if !evaluate::holds(&parse(&reconcile.when)?, &scope, "reconcile")? {
            return Ok(Resolution::Retry);
        }
        let output = match &reconcile.value {
            None => answer,
            Some(value) => {
                parse(value)?.eval(&scope).map_err(|error| invalid(format!("`value`: {error}")))?
            }
        };
        Ok(Resolution::Done { output })
    }

    pub(super) fn fold_inquiry(&mut self, place: Place, started: &Started<'_>) -> Result<(), Misfit> {
        let args = started.args.and_then(Value::as_object).cloned().unwrap_or_default();
        let (since, deadline) = (started.at, started.until);
        self.change(place, |state| match state {
            State::Unknown(Inquiry::Open) => Some(State::Unknown(Inquiry::Asking { args, since, deadline })),
            _ => None,
        })?;
        self.signals.push_back(Signal::Call(Spot::Reconcile(place)));
        Ok(())
    }

    pub(super) fn fold_inquiry_failed(&mut self, place: Place) -> Result<(), Misfit> {
        self.change(place, |state| match state {
            State::Unknown(Inquiry::Open | Inquiry::Asking { .. }) => Some(State::Unknown(Inquiry::Person)),
            _ => None,
        })
    }

    pub(super) fn fold_resolved(&mut self, spot: Spot, resolution: &Resolution) -> Result<(), Misfit> {
        let place = match spot {
            Spot::Unit(place) => place,
            Spot::Undo(frame) => return self.fold_undo_resolved(frame, resolution),
            Spot::Reconcile(_) => return misfit("an inquiry cannot be resolved"),
        };
        let again = *resolution == Resolution::Retry;
        self.change(place, |state| match state {
            State::Unknown(Inquiry::Asking { .. } | Inquiry::Person) if again => Some(State::Again),
            State::Unknown(Inquiry::Asking { .. } | Inquiry::Person) => {
                Some(State::Resolved(resolution.clone()))
            }
            _ => None,
        })?;
        // Whoever says so knows what it has done.
        if let Some(unit) = self.unit_mut(place) {
            unit.adrift = false;
        }
        if again {
            self.make_ready(place);
        }
        Ok(())
    }
}
