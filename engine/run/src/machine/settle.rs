//! What the end of an attempt amounts to: completed, retrying or failed.

use aa_spec::tool::ErrorKind;
use serde_json::{Value, json};

use super::frame::Stop;
use super::place::{Job, Place, Spot};
use super::unit::{State, Unit};
use super::{Machine, Misfit, elapsed, evaluate, later, misfit, retry};
use crate::event::{Body, StepError, StepPath, Time};

impl Machine {
    /// The event that the end of a call amounts to: completed, retrying or failed.
    ///
    /// # Errors
    /// No call is running at this step.
    pub fn settle(
        &self,
        step: &StepPath,
        result: Result<Value, StepError>,
        now: Time,
    ) -> Result<Body, Misfit> {
        let now = now.max(self.now);
        match self.locate(step)? {
            Spot::Unit(place) if self.is_calling(place) => Ok(self.conclude(place, result, now)),
            Spot::Reconcile(place) => self.settle_inquiry(place, result, now),
            Spot::Undo(frame) => self.settle_undo(frame, result, now),
            Spot::Unit(_) => misfit(format!("no call is running at `{step}`")),
        }
    }

    fn is_calling(&self, place: Place) -> bool {
        self.unit(place).is_some_and(|unit| matches!(unit.state, State::Calling))
    }

    /// The event that the end of an attempt amounts to.
    pub(super) fn conclude(&self, place: Place, result: Result<Value, StepError>, now: Time) -> Body {
        match result.and_then(|output| self.validated(place, output)) {
            Ok(output) => {
                let (step, duration_ms) = (self.path(place), self.duration(place, now));
                Body::StepCompleted { step, output, duration_ms, reads: Vec::new() }
            }
            Err(error) => self.unsuccessful(place, error, now),
        }
    }

    /// Another attempt, or a failure for good.
    fn unsuccessful(&self, place: Place, error: StepError, now: Time) -> Body {
        match self.retrying(place, &error, now) {
            Ok(Some(body)) => body,
            Ok(None) => self.heal_or_fail(place, self.too_late(place, error, now), now),
            Err(unclear) => {
                let message = format!("{}; {}", error.message, unclear.message);
                self.failed(place, StepError { message, ..error }, now)
            }
        }
    }

    /// A failure for good, which brings the run down unless the step says otherwise.
    pub(super) fn failed(&self, place: Place, error: StepError, now: Time) -> Body {
        let continued = self.step(place).is_some_and(|step| step.on_error.goes_on());
        self.failure(place, error, continued, now)
    }

    /// The end of something that only waits, because what it is part of has stopped.
    pub(super) fn dropped(&self, place: Place, now: Time) -> Body {
        let error = match self.unit(place).map(|unit| &unit.state) {
            Some(State::Retrying { error, .. } | State::Unhealed(error)) => error.clone(),
            Some(State::Healing(healing)) => healing.error().clone(),
            Some(State::Unknown(_) | State::Again) if !self.is_read(place) => StepError::new(
                ErrorKind::Cancelled,
                format!("{}; whether the interrupted call took place is unknown", self.reason(place)),
            ),
            _ => StepError::new(ErrorKind::Cancelled, self.reason(place)),
        };
        // Where the skill has returned, what was still waiting does not spoil it.
        self.failure(place, error, self.has_returned(place), now)
    }

    /// Whether what still runs at a place is stopped, although nothing has gone wrong.
    pub(super) fn has_returned(&self, place: Place) -> bool {
        self.frame(place.frame).is_some_and(|frame| frame.stop.is_none() && frame.returned.is_some())
    }

    fn failure(&self, place: Place, error: StepError, continued: bool, now: Time) -> Body {
        Body::StepFailed { step: self.path(place), error, continued, duration_ms: self.duration(place, now) }
    }

    /// Whether nothing new starts at a place.
    pub(super) fn is_halted(&self, place: Place) -> bool {
        let frame = self.frame(place.frame);
        frame.is_none_or(|frame| frame.stop.is_some() || frame.returned.is_some())
            || (place.item.is_some() && self.fan(place).is_some_and(|fan| fan.failed.is_some()))
    }

    /// Puts a unit on the agenda again, and stops the skill or the calls that it runs.
    pub(super) fn review_unit(&mut self, place: Place) {
        self.agenda.insert(Job::Unit(place));
        if let Some(State::Computing { frame, .. }) = self.unit(place).map(|unit| &unit.state) {
            // The block itself may come to its end, as a call may.
            let calls = *frame;
            self.stop_frame(calls, Stop::Outer);
        } else if let Some(inner) = self.unit(place).and_then(Unit::inner) {
            // One that has only its end to record may still have it.
            if self.frame(inner).is_some_and(|inner| inner.open > 0) {
                self.stop_frame(inner, Stop::Outer);
            }
        }
    }

    pub(super) fn reason(&self, place: Place) -> String {
        if self.cancels > 0 {
            return "the run was cancelled".to_owned();
        }
        let frame = self.frame(place.frame);
        match frame.and_then(|frame| frame.stop.as_ref()) {
            Some(Stop::Failed { step: Some(step), .. }) => format!("stopped because step `{step}` failed"),
            Some(Stop::Failed { step: None, error }) => format!("stopped because {}", error.message),
            Some(Stop::Cancelled) => "the run was cancelled".to_owned(),
            Some(Stop::Outer) => "stopped with the step that it is part of".to_owned(),
            None if frame.is_some_and(|frame| frame.returned.is_some()) => {
                "the skill has returned".to_owned()
            }
            None => "stopped because another item failed".to_owned(),
        }
    }

    fn duration(&self, place: Place, now: Time) -> u64 {
        let since = self.unit(place).map(|unit| unit.since);
        since.or_else(|| self.fan(place).map(|fan| fan.since)).map_or(0, |since| elapsed(since, now))
    }

    /// The result, when it keeps the step's assertions.
    fn validated(&self, place: Place, output: Value) -> Result<Value, StepError> {
        let Some(step) = self.step(place).filter(|step| !step.validate.is_empty()) else { return Ok(output) };
        if self.unit(place).is_some_and(|unit| matches!(unit.state, State::Answered)) {
            // Nothing was done, so there is nothing to assert.
            return Ok(output);
        }
        let mut scope = self.scope(place);
        scope.set(&step.output, &output);
        for validation in &step.validate {
            if evaluate::holds(&validation.condition, &scope, "validate").map_err(StepError::unsure)? {
                continue;
            }
            let message = match &validation.message {
                Some(message) => evaluate::text(message, &scope, "message").map_err(StepError::unsure)?,
                None => format!("`{}` is not true", validation.condition.source()),
            };
            let details = json!({"assertion": validation.condition.source()});
            return Err(StepError { details, ..StepError::new(ErrorKind::Invalid, message) }.unsure());
        }
        Ok(output)
    }

    /// The event that announces another attempt, if there is to be one.
    ///
    /// # Errors
    /// The condition for it cannot be evaluated.
    fn retrying(&self, place: Place, error: &StepError, now: Time) -> Result<Option<Body>, StepError> {
        let announced = self.next_attempt(place, error, now);
        let when = self.step(place).and_then(|step| step.retry.as_ref()?.when.as_ref());
        let (Some(_), Some(when)) = (&announced, when) else { return Ok(announced) };
        let mut scope = self.scope(place);
        scope.set("error", &json!(error));
        scope.set("attempt", &json!(self.unit(place).map(Unit::tries)));
        // A condition that cannot be evaluated takes nothing back of what is known of the attempt.
        let carry = |unclear: StepError| if error.may_have_acted() { unclear.unsure() } else { unclear };
        let again = evaluate::holds(when, &scope, "retry.when").map_err(carry)?;
        Ok(announced.filter(|_| again))
    }

    /// The event that announces another attempt, as far as kinds and times allow one.
    fn next_attempt(&self, place: Place, error: &StepError, now: Time) -> Option<Body> {
        let unit = self.unit(place)?;
        let plan = self.step(place)?.retry.as_ref()?;
        if self.is_halted(place) || !plan.on.contains(&error.kind) || unit.tries() >= plan.attempts {
            return None;
        }
        if plan.once && error.may_have_acted() {
            return None;
        }
        let step = self.path(place);
        let delay = retry::delay_ms(plan, unit.tries().max(1), &self.idempotency_key(&step));
        let wish = retry::not_before(error, now);
        let until = wish.into_iter().fold(later(now, delay), Time::max);
        if self.is_too_late(place, until)
            || wish.is_some_and(|wish| wish > later(now, retry::LONGEST_WISH_MS))
        {
            return None;
        }
        Some(Body::StepRetrying { step, attempt: unit.attempt, error: error.clone(), until })
    }

    fn is_too_late(&self, place: Place, at: Time) -> bool {
        self.frame(place.frame).and_then(|frame| frame.deadline).is_some_and(|deadline| deadline <= at)
    }

    /// An error that says so when another attempt is not made because the other side wants it later than there is time.
    fn too_late(&self, place: Place, error: StepError, now: Time) -> StepError {
        let tries = self.unit(place).map_or(0, Unit::tries);
        let plan = self.step(place).and_then(|step| step.retry.as_ref());
        let planned = plan.is_some_and(|plan| plan.on.contains(&error.kind) && tries < plan.attempts);
        let Some(wish) = retry::not_before(&error, now).filter(|_| planned && !self.is_halted(place)) else {
            return error;
        };
        if !self.is_too_late(place, wish) && wish <= later(now, retry::LONGEST_WISH_MS) {
            return error;
        }
        let wish = wish.format("%Y-%m-%d %H:%M:%S UTC");
        let message =
            format!("{}; it is not tried again, since that should wait until {wish}", error.message);
        StepError { message, ..error }
    }
}
