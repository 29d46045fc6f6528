//! How a step, an item or an attempt starts.

use std::collections::BTreeMap;

use aa_spec::plan::{Action, StepPlan};
use aa_spec::template::{Scope, Template};
use aa_spec::tool::ErrorKind;
use aa_spec::{duration, form, input};
use chrono::DateTime;
use serde_json::{Map, Value, json};

use super::place::Place;
use super::unit::{State, Unit};
use super::{Machine, earliest, evaluate, foreach, later};
use crate::event::{Body, StepError, StepPath, Time};

/// A start that is about to be recorded.
struct Start<'a> {
    place: Place,
    step: &'a StepPlan,
    /// The unit, if this is not its first attempt.
    unit: Option<&'a Unit>,
    now: Time,
}

/// What a start says besides its step and attempt.
#[derive(Default)]
struct Details {
    kind: &'static str,
    target: Option<String>,
    args: Option<Value>,
    until: Option<Time>,
    items: Option<u64>,
}

impl Machine {
    /// The event with which a step, an item or the next attempt at it starts: its start,
    /// or that it is skipped, or that it cannot start.
    pub(super) fn start(&self, place: Place, now: Time) -> Body {
        self.try_start(place, now).unwrap_or_else(|error| self.failed(place, error, now))
    }

    fn try_start(&self, place: Place, now: Time) -> Result<Body, StepError> {
        let gone = || StepError::new(ErrorKind::Invalid, "the step is not in the plan");
        let frame = self.frame(place.frame).ok_or_else(gone)?;
        let step = frame.layout.step(place.step).ok_or_else(gone)?;
        if frame.deadline.is_some_and(|deadline| deadline <= now) {
            return Err(StepError::new(
                ErrorKind::Timeout,
                "the skill's time is over before the step could start",
            ));
        }
        let unit = self.unit(place);
        if unit.is_none() && is_decided_at(place, step) {
            let condition = step.condition.as_ref();
            let holds =
                condition.map(|condition| evaluate::holds(condition, &self.scope(place), "condition"));
            if holds.transpose()? == Some(false) {
                return Ok(Body::StepSkipped {
                    step: self.path(place),
                    reason: "condition is false".to_owned(),
                });
            }
        }
        let start = Start { place, step, unit, now };
        let details = self.details(&start)?;
        let attempt = unit.map_or(1, |unit| unit.attempt.saturating_add(1));
        let Details { kind, target, args, until, items } = details;
        Ok(Body::StepStarted {
            step: self.path(place),
            attempt,
            kind: kind.to_owned(),
            target,
            args,
            until,
            items,
        })
    }

    fn details(&self, start: &Start<'_>) -> Result<Details, StepError> {
        let Start { place, step, unit, now } = *start;
        if let Some(foreach) = step.foreach.as_ref().filter(|_| place.item.is_none()) {
            let items = evaluate::value(&foreach.items, &self.scope(place), "foreach")?;
            let items = foreach::items_of(items)?;
            let count = u64::try_from(items.len()).ok();
            return Ok(Details {
                kind: "foreach",
                items: count,
                args: Some(json!({ "items": items })),
                ..Details::default()
            });
        }
        let until = self.attempt_deadline(place, step, now);
        match &step.action {
            Action::Tool { tool, args, nullable, .. } => {
                let args = match unit {
                    Some(unit) => unit.args.clone(),
                    None => evaluate::arguments(args, Some(nullable), &self.scope(place))?,
                };
                Ok(Details {
                    kind: "tool",
                    target: Some(tool.clone()),
                    args: Some(Value::Object(args)),
                    until,
                    items: None,
                })
            }
            Action::Skill { skill, args } => {
                let inputs = match unit {
                    Some(unit) => unit.args.clone(),
                    None => self.inputs(place, skill, args)?,
                };
                let args = Some(Value::Object(inputs));
                Ok(Details { kind: "skill", target: Some(skill.clone()), args, until, items: None })
            }
            Action::Compute { .. } => Ok(Details { kind: "compute", until, ..Details::default() }),
            Action::Confirm { .. } => Ok(Details { kind: "confirm", until, ..Details::default() }),
            Action::WaitFor { duration } => {
                let until =
                    if self.dry_run { now } else { later(now, wait_ms(duration, &self.scope(place))?) };
                Ok(Details { kind: "wait", until: Some(until), ..Details::default() })
            }
            Action::WaitUntil { until } => {
                let until = if self.dry_run { now } else { wait_time(until, &self.scope(place))? };
                Ok(Details { kind: "wait", until: Some(until), ..Details::default() })
            }
            Action::Return { .. } => Ok(Details { kind: "then", ..Details::default() }),
        }
    }

    /// The bound inputs of a sub-skill.
    fn inputs(
        &self,
        place: Place,
        skill: &str,
        args: &BTreeMap<String, Template>,
    ) -> Result<Map<String, Value>, StepError> {
        let given = evaluate::arguments(args, None, &self.scope(place))?;
        self.bound(place.frame, skill, &given)
    }

    /// The inputs of a sub-skill of a frame, checked and with their defaults.
    pub(super) fn bound(
        &self,
        frame: usize,
        skill: &str,
        given: &Map<String, Value>,
    ) -> Result<Map<String, Value>, StepError> {
        let invalid = |message: String| StepError::new(ErrorKind::Invalid, message);
        if !self.may_nest(frame) {
            return Err(invalid(format!("skill `{skill}` is nested too deeply")));
        }
        let Some(layout) = self.layouts.get(skill) else {
            return Err(invalid(format!("the plan has no skill `{skill}`")));
        };
        let mut scope = self.outer_scope();
        scope.set("defaults", &layout.skill().defaults);
        input::bind(layout.skill(), given, &scope).map_err(|errors| {
            let all: Vec<String> = errors.iter().map(ToString::to_string).collect();
            invalid(all.join("; "))
        })
    }

    /// When an attempt that starts now must be over: never later than what it is part of.
    pub(super) fn attempt_deadline(&self, place: Place, step: &StepPlan, now: Time) -> Option<Time> {
        let frame = self.frame(place.frame).and_then(|frame| frame.deadline);
        earliest(frame, step.timeout_ms.map(|timeout| later(now, timeout)))
    }

    /// The next event of a step or item that runs.
    pub(super) fn decide_unit(&self, place: Place, now: Time) -> Option<Body> {
        let unit = self.unit(place)?;
        let halted = self.is_halted(place);
        match &unit.state {
            State::Answered => Some(self.conclude(place, Ok(self.dry_answer(place, unit)), now)),
            State::Answer(answer) => Some(self.conclude(place, self.answer_value(place, answer), now)),
            State::Returning => Some(self.returning(place, now)),
            State::Retrying { .. } | State::Asking(_) | State::Sleeping { .. } | State::Unhealed(_)
                if halted =>
            {
                Some(self.dropped(place, now))
            }
            State::Computing { frame, running: false } if halted && self.is_quiet(*frame) => {
                Some(self.dropped(place, now))
            }
            State::Healing(healing) if halted && healing.frame().is_none() => Some(self.dropped(place, now)),
            State::Healing(healing) if healing.patience().is_some_and(|until| until <= now) => {
                Some(self.failed(place, healing.error().clone(), now))
            }
            State::Unhealed(error) => Some(self.heal_or_fail(place, error.clone(), now)),
            State::Calling
            | State::Nested { .. }
            | State::Computing { .. }
            | State::Healing(_)
            | State::Retrying { .. } => None,
            State::Sleeping { until } => self.decide_sleeping(place, *until, now),
            State::Asking(_) => self.decide_asking(place, now),
            State::Unknown(_) | State::Resolved(_) | State::Again => self.decide_unknown(place, now),
        }
    }

    fn returning(&self, place: Place, now: Time) -> Body {
        let value = match self.step(place).map(|step| &step.action) {
            Some(Action::Return { value }) => evaluate::value(value, &self.scope(place), "return"),
            _ => Ok(Value::Null),
        };
        self.conclude(place, value, now)
    }

    fn decide_sleeping(&self, place: Place, until: Time, now: Time) -> Option<Body> {
        if until <= now {
            return Some(self.conclude(place, Ok(Value::Null), now));
        }
        self.unit(place)?.deadline.filter(|deadline| *deadline <= now)?;
        let error = StepError::new(ErrorKind::Timeout, "its time is over before the wait is");
        Some(self.conclude(place, Err(error), now))
    }

    fn decide_asking(&self, place: Place, now: Time) -> Option<Body> {
        let State::Asking(question) = &self.unit(place)?.state else { return None };
        let Some(question) = question else {
            return Some(
                self.question(place, now).unwrap_or_else(|error| self.conclude(place, Err(error), now)),
            );
        };
        if self.dry_run {
            return Some(answered(self.path(place), &question.usual(self.ends(place))?, "dry run"));
        }
        question.until.filter(|until| *until <= now)?;
        if let Some(answer) = &question.default {
            return Some(answered(self.path(place), answer, "timeout"));
        }
        let error = StepError::new(ErrorKind::Timeout, "nobody answered in time");
        Some(self.conclude(place, Err(error), now))
    }

    /// Answers that end the skill.
    fn ends(&self, place: Place) -> &[String] {
        match self.step(place).map(|step| &step.action) {
            Some(Action::Confirm { ends, .. }) => ends,
            _ => &[],
        }
    }

    /// The result of a step that was answered: the option, or the values of its form.
    fn answer_value(&self, place: Place, answer: &str) -> Result<Value, StepError> {
        if self.ends(place).iter().any(|end| end == answer) {
            let message = format!("the answer is `{answer}`, so nothing after it is done");
            return Err(StepError::new(ErrorKind::Permanent, message));
        }
        Ok(match self.step(place).map(|step| &step.action) {
            Some(Action::Confirm { form: Some(form), .. }) => {
                let mut values: Map<String, Value> = serde_json::from_str(answer).unwrap_or_default();
                // Templates can ask for every field.
                for (name, _) in form::properties(form) {
                    values.entry(name.as_str()).or_insert(Value::Null);
                }
                values.into()
            }
            _ => answer.into(),
        })
    }

    fn question(&self, place: Place, now: Time) -> Result<Body, StepError> {
        let Some(Action::Confirm { message, options, form, default, timeout_ms, .. }) =
            self.step(place).map(|step| &step.action)
        else {
            return Err(StepError::new(ErrorKind::Invalid, "the step asks nothing"));
        };
        let own = timeout_ms.map(|timeout| later(now, timeout));
        Ok(Body::ConfirmRequested {
            step: self.path(place),
            message: evaluate::text(message, &self.scope(place), "message")?,
            options: options.clone(),
            form: form.clone(),
            default: default.clone(),
            until: earliest(own, self.unit(place).and_then(|unit| unit.deadline)),
            want: None,
        })
    }

    /// What a dry run says in the place of a call.
    fn dry_answer(&self, place: Place, unit: &Unit) -> Value {
        let tool = match self.step(place).map(|step| &step.action) {
            Some(Action::Tool { tool, .. }) => tool.as_str(),
            _ => "",
        };
        json!({ "dry_run": true, "tool": tool, "args": unit.args })
    }
}

/// Whether a step's condition is decided at this place: a foreach step's is decided
/// once, unless it asks for `item` or `index`.
fn is_decided_at(place: Place, step: &StepPlan) -> bool {
    step.foreach.is_none() || step.condition_per_item == place.item.is_some()
}

fn answered(step: StepPath, answer: &str, by: &str) -> Body {
    Body::ConfirmAnswered { step, answer: answer.to_owned(), by: by.to_owned() }
}

/// Milliseconds to wait. Numbers that a check has left in the plan are milliseconds;
/// those that a template gives are seconds, as people write them.
fn wait_ms(template: &Template, scope: &Scope) -> Result<u64, StepError> {
    let invalid = |message: String| StepError::new(ErrorKind::Invalid, format!("wait: {message}"));
    if let Some(ms) = template.source().as_u64() {
        return Ok(ms);
    }
    match evaluate::value(template, scope, "wait")? {
        Value::String(text) => duration::parse_ms(&text).map_err(invalid),
        Value::Number(number) => duration::parse_ms(&number.to_string()).map_err(invalid),
        _ => Err(invalid("a duration is a text like `30s`, or a number of seconds".to_owned())),
    }
}

fn wait_time(template: &Template, scope: &Scope) -> Result<Time, StepError> {
    let text = evaluate::text(template, scope, "wait")?;
    let time = DateTime::parse_from_rfc3339(text.trim());
    time.map(|time| time.to_utc()).map_err(|_| {
        let message = format!("wait: `{text}` is not a time; write it like `2026-01-31T08:00:00Z`");
        StepError::new(ErrorKind::Invalid, message)
    })
}
