//! Healing: a failed step that waits while a rule's call mends what made it fail.
//!
//! Which rule is tried follows from the pinned plan and the failure, so it is decided here.
//! Whether the rule may act now depends on other runs as well, so the driver asks for that
//! ([`HealCall`]) and the answer ([`Admission`]) is in the next event: the start of the call,
//! or the end of the healing. The call is a step of a frame of its own,
//! `build#heal/1_kube_login`, and so is written down, recovered, resolved and cancelled like
//! all other steps.

use std::sync::Arc;

use aa_spec::heal::{Bounds, Failure, HealPlan};
use aa_spec::plan::{Action, StepPlan, digest};
use aa_spec::skill::OnError;
use aa_spec::template::seal;
use serde_json::{Map, Value};

use super::frame::Opening;
use super::layout::Layout;
use super::place::{Job, Place, Spot};
use super::unit::{State, Status, Unit};
use super::{Machine, Misfit, Signal, earliest, evaluate, later, misfit};
use crate::event::{Body, StepError, StepPath, Time};

/// What a failed step waits for.
#[derive(Debug)]
pub(super) struct Healing {
    rule: String,
    /// Which healing of the step, from 1.
    number: u32,
    /// Number of the event after the one that began it.
    seq: u64,
    /// Why the step failed.
    error: StepError,
    /// What the call is given.
    args: Map<String, Value>,
    /// When what the step is part of must be over.
    deadline: Option<Time>,
    /// Where the call is a step, once it has started.
    frame: Option<usize>,
    /// How the call ended.
    worked: Option<bool>,
}

/// A rule wants to act: whoever knows of other runs must say whether it may.
#[derive(Clone, Debug, PartialEq)]
pub struct HealCall {
    /// Which step has failed.
    pub step: StepPath,
    /// Which rule.
    pub rule: String,
    /// Which healing of the step, from 1.
    pub number: u32,
    /// The same for the same call with the same arguments, whichever run makes it.
    pub key: String,
    /// What is called, in short, e.g. `kube_login(cluster=stage)`.
    pub action: String,
    /// The tool that failed; empty for what is no tool.
    pub tool: String,
    /// Why the step failed.
    pub error: StepError,
    /// When the attempt that failed had started.
    pub since: Time,
    /// Number of the first event that can tell how it went. Whoever asks for the same healing
    /// once more has the same number, and nobody else in the run.
    pub seq: u64,
    /// How long the call may take, in milliseconds.
    pub timeout_ms: u64,
    /// How often the rule may act.
    pub bounds: Bounds,
}

/// Whether a rule may act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It may: the call is to be made.
    Granted,
    /// It need not: the same call has just helped somebody else.
    Reused(String),
    /// It must not, for this reason.
    Refused(String),
}

impl Healing {
    /// Why the step failed.
    pub(super) fn error(&self) -> &StepError {
        &self.error
    }

    /// Until when it may wait for its call to start.
    pub(super) fn patience(&self) -> Option<Time> {
        self.deadline.filter(|_| self.frame.is_none())
    }

    /// Where its call is a step.
    pub(super) fn frame(&self) -> Option<usize> {
        self.frame
    }
}

impl Machine {
    /// The failure for good, or the rule that is tried before it comes to that.
    pub(super) fn heal_or_fail(&self, place: Place, error: StepError, now: Time) -> Body {
        match self.healing(place, &error) {
            Ok(Some(body)) => body,
            Ok(None) => self.failed(place, error, now),
            Err(unclear) => {
                let message = format!("{}; {}", error.message, unclear.message);
                self.failed(place, StepError { message, ..error }, now)
            }
        }
    }

    /// The event with which the next rule is tried, if there is one.
    ///
    /// # Errors
    /// The arguments of its call cannot be made.
    fn healing(&self, place: Place, error: &StepError) -> Result<Option<Body>, StepError> {
        let Some((unit, step)) = self.unit(place).zip(self.step(place)) else { return Ok(None) };
        let wanted = step.on_error.heals() && !self.dry_run && !self.is_halted(place);
        if !wanted || self.is_within_healing(place.frame) {
            return Ok(None);
        }
        // It may have acted, and must not act twice.
        let may_have_acted = error.may_have_acted() || unit.may_have_acted();
        if self.doubts && may_have_acted && !self.is_repeatable(place) {
            return Ok(None);
        }
        let tool = step.tool();
        let failure = Failure {
            tool,
            args: &unit.args,
            kind: error.kind,
            message: &error.message,
            details: &error.details,
        };
        let rules = self.layout.heal_rules().iter();
        let Some(rule) = rules.filter(|rule| unit.may_try(rule)).find(|rule| rule.fits(&failure)) else {
            return Ok(None);
        };
        let (Action::Tool { args, .. } | Action::Skill { args, .. }) = &rule.action else { return Ok(None) };
        let unclear = |error: StepError| StepError {
            message: format!("heal rule `{}`: {}", rule.name, error.message),
            ..error
        };
        let args = evaluate::arguments(args, None, &rule.scope(&failure)).map_err(unclear)?;
        Ok(Some(Body::HealStarted {
            step: self.path(place),
            rule: rule.name.clone(),
            number: unit.heals_so_far() + 1,
            error: Some(error.clone()),
            target: Some(rule.target().to_owned()),
            args: Some(Value::Object(args)),
        }))
    }

    /// Whether a frame is part of a healing, where nothing is healed in turn.
    fn is_within_healing(&self, frame: usize) -> bool {
        std::iter::once(frame)
            .chain(self.ancestors(frame))
            .any(|id| self.frame(id).is_some_and(|frame| frame.heals))
    }

    fn rule(&self, name: &str) -> Option<&HealPlan> {
        self.layout.heal_rules().iter().find(|rule| rule.name == name)
    }

    pub(super) fn fold_heal_started(&mut self, place: Place, body: &Body) -> Result<(), Misfit> {
        let Body::HealStarted { rule, number, error: Some(error), args, .. } = body else {
            return misfit("a healing says not what it is for");
        };
        let fits = self.unit(place).is_some_and(|unit| unit.heals_so_far() + 1 == *number);
        if !fits || self.rule(rule).is_none() || !self.may_end(place, false) {
            return misfit(format!("`{}` cannot be healed by `{rule}`", self.path(place)));
        }
        self.close_nested(place);
        self.doubt(place, error);
        let healing = Healing {
            rule: rule.clone(),
            number: *number,
            seq: self.seq + 1,
            error: error.clone(),
            args: args.as_ref().and_then(Value::as_object).cloned().unwrap_or_default(),
            deadline: self.frame(place.frame).and_then(|frame| frame.deadline),
            frame: None,
            worked: None,
        };
        let Some(mut unit) = self.take(place) else { return misfit("a step has lost its place") };
        unit.heals.push(rule.clone());
        unit.state = State::Healing(Box::new(healing));
        self.put(place, unit)?;
        self.signals.push_back(Signal::Heal(place));
        Ok(())
    }

    /// The question whether a rule may act, while it is open.
    pub(super) fn heal_call(&self, place: Place) -> Option<HealCall> {
        let healing = self.waiting_healing(place)?;
        let (unit, step) = (self.unit(place)?, self.step(place)?);
        let rule = self.rule(&healing.rule)?;
        let args = Value::Object(healing.args.clone());
        Some(HealCall {
            step: self.path(place),
            rule: rule.name.clone(),
            number: healing.number,
            key: digest(format!("{}\0{args}", rule.target())),
            action: shown(rule.target(), &healing.args),
            tool: step.tool().to_owned(),
            error: healing.error.clone(),
            since: unit.started,
            seq: healing.seq,
            timeout_ms: rule.timeout_ms,
            bounds: rule.bounds,
        })
    }

    /// A healing whose call has not started.
    fn waiting_healing(&self, place: Place) -> Option<&Healing> {
        match &self.unit(place)?.state {
            State::Healing(healing) if healing.frame.is_none() => Some(healing),
            _ => None,
        }
    }

    /// The event that the answer amounts to: the start of the call, or the end of the healing.
    ///
    /// `seq` is that of the [`HealCall`], so that no later healing of the step gets its answer.
    ///
    /// # Errors
    /// Nobody waits for it any more.
    pub fn admit(&self, step: &StepPath, seq: u64, admission: Admission, now: Time) -> Result<Body, Misfit> {
        let place = self.place(step)?;
        let Some(healing) = self.waiting_healing(place).filter(|healing| healing.seq == seq) else {
            return misfit(format!("`{step}` waits for no rule"));
        };
        let now = now.max(self.now);
        Ok(match admission {
            Admission::Granted => self.heal_step(place, healing, now)?,
            Admission::Reused(note) => finished(step, healing, true, note),
            Admission::Refused(note) => finished(step, healing, false, note),
        })
    }

    /// The start of a healing's call, or its end when the call cannot start.
    fn heal_step(&self, place: Place, healing: &Healing, now: Time) -> Result<Body, Misfit> {
        let Some(rule) = self.rule(&healing.rule) else { return misfit("a rule is not in the plan") };
        let step = self.path(place);
        let (kind, args) = match &rule.action {
            Action::Skill { skill, .. } => ("skill", self.bound(place.frame, skill, &healing.args)),
            _ => ("tool", Ok(healing.args.clone())),
        };
        let args = match args {
            Ok(args) => args,
            Err(error) => return Ok(finished(&step, healing, false, error.message)),
        };
        Ok(Body::StepStarted {
            step: StepPath(format!("{step}#heal/{}", call_name(healing.number, rule))),
            attempt: 1,
            kind: kind.to_owned(),
            target: Some(rule.target().to_owned()),
            args: Some(Value::Object(args)),
            until: earliest(healing.deadline, Some(later(now, rule.timeout_ms))),
            items: None,
        })
    }

    /// Opens the frame of a healing's call when the event that starts it comes.
    pub(super) fn admit_healing(&mut self, path: &StepPath, at: Time) {
        let Some((outer, name)) = path.0.rsplit_once("#heal/") else { return };
        let Ok(Spot::Unit(place)) = self.locate(&StepPath(outer.to_owned())) else { return };
        let Some(healing) = self.waiting_healing(place) else { return };
        let Some(rule) = self.rule(&healing.rule) else { return };
        let plan = call_plan(healing.number, rule, self.step(place).map_or(0, |step| step.line));
        if plan.name != name {
            return;
        }
        let skill = self.frame(place.frame).map_or("", |frame| frame.layout.skill().name.as_str());
        let layout = Arc::new(Layout::script(skill));
        let inputs = Map::new();
        let deadline = self.frame(place.frame).and_then(|frame| frame.deadline);
        let id = self.open_frame(Opening { layout, parent: Some(place), inputs: &inputs, at, deadline });
        let prefix = format!("{}#heal/", self.path(place));
        if let Some(frame) = self.frame_mut(id) {
            frame.heals = true;
            frame.prefix = prefix;
            frame.grow(plan);
        }
        if let Some(until) = self.waiting_healing(place).and_then(Healing::patience) {
            self.timers.remove(&(until, place));
        }
        self.with_healing(place, |healing| healing.frame = Some(id));
    }

    fn with_healing(&mut self, place: Place, change: impl FnOnce(&mut Healing)) {
        if let Some(Unit { state: State::Healing(healing), .. }) = self.unit_mut(place) {
            change(healing);
        }
    }

    /// Takes down how a healing's call ended.
    pub(super) fn heal_call_ended(&mut self, frame: usize, status: Status) {
        let heals = self.frame(frame).filter(|frame| frame.heals);
        if let Some(place) = heals.and_then(|frame| frame.parent) {
            self.with_healing(place, |healing| healing.worked = Some(status == Status::Completed));
        }
    }

    /// The next event of the frame of a healing: its call's next attempt, or its end.
    pub(super) fn decide_healing(&self, id: usize, now: Time) -> Option<Body> {
        let frame = self.frame(id)?;
        if let Some(step) = frame.ready.first().copied().filter(|_| frame.stop.is_none()) {
            return Some(self.start(Place { frame: id, step, item: None }, now));
        }
        if !frame.active.is_empty() {
            return None;
        }
        let place = frame.parent?;
        let State::Healing(healing) = &self.unit(place)?.state else { return None };
        Some(finished(&self.path(place), healing, healing.worked == Some(true), String::new()))
    }

    pub(super) fn fold_heal_finished(&mut self, place: Place, healed: bool, at: Time) -> Result<(), Misfit> {
        let settled = match self.unit(place).map(|unit| &unit.state) {
            Some(State::Healing(healing)) => healing.frame.is_none_or(|frame| self.is_settled(frame)),
            _ => false,
        };
        if !settled {
            return misfit(format!("no healing of `{}` can end", self.path(place)));
        }
        self.close_nested(place);
        self.remember_refusal(place, healed);
        self.change(place, |state| {
            let State::Healing(healing) = state else { return None };
            let error = healing.error.clone();
            Some(if healed { State::Retrying { until: at, error } } else { State::Unhealed(error) })
        })
    }

    /// A rule that was not let act would not be let at once after: this step asks it no more.
    fn remember_refusal(&mut self, place: Place, healed: bool) {
        if let Some(unit) = self.unit_mut(place)
            && let State::Healing(healing) = &unit.state
            && !healed
            && healing.frame.is_none()
        {
            unit.refused.push(healing.rule.clone());
        }
    }

    /// Steps that have been healed and are not over.
    pub fn healed(&self) -> Vec<StepPath> {
        let healed = |place: &Place| self.unit(*place).is_some_and(|unit| !unit.heals.is_empty());
        self.every_place().into_iter().filter(healed).map(|place| self.path(place)).collect()
    }

    /// Asks again for what a dead process had asked for.
    pub(super) fn resume_healing(&mut self, place: Place) {
        if self.waiting_healing(place).is_some() {
            self.signals.push_back(Signal::Heal(place));
        }
        self.agenda.insert(Job::Unit(place));
    }
}

impl Unit {
    fn may_try(&self, rule: &HealPlan) -> bool {
        let tried = self.heals.iter().filter(|name| **name == rule.name).count();
        !self.refused.contains(&rule.name)
            && u32::try_from(tried).is_ok_and(|tried| tried < rule.bounds.per_step)
    }

    fn heals_so_far(&self) -> u32 {
        u32::try_from(self.heals.len()).unwrap_or(u32::MAX)
    }
}

fn finished(step: &StepPath, healing: &Healing, healed: bool, note: String) -> Body {
    Body::HealFinished {
        step: step.clone(),
        rule: healing.rule.clone(),
        number: healing.number,
        healed,
        note,
    }
}

fn call_name(number: u32, rule: &HealPlan) -> String {
    format!("{number}_{}", rule.target())
}

/// A healing's call as a step. Its failure is for the failed step to deal with.
fn call_plan(number: u32, rule: &HealPlan, line: u32) -> StepPlan {
    let name = call_name(number, rule);
    StepPlan {
        output: name.clone(),
        name,
        description: String::new(),
        action: rule.action.clone(),
        needs: Vec::new(),
        effect: rule.effect,
        idempotent: rule.idempotent,
        condition: None,
        condition_per_item: false,
        foreach: None,
        retry: None,
        timeout_ms: Some(rule.timeout_ms),
        on_error: OnError::Continue,
        undo: None,
        validate: Vec::new(),
        line,
    }
}

/// A call in a few words.
fn shown(target: &str, args: &Map<String, Value>) -> String {
    let mut args = Value::Object(args.clone());
    seal::show(&mut args);
    let args = args.as_object().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let args: Vec<String> = args.iter().map(|(name, value)| format!("{name}={}", text(value))).collect();
    format!("{target}({})", args.join(", "))
}
