//! How each event changes the state. Nothing else does, and nothing here evaluates.

use std::sync::Arc;

use aa_spec::plan::Action;
use aa_spec::tool::Effect;
use serde_json::{Map, Value, json};

use super::foreach::Fan;
use super::frame::{Opening, Stop};
use super::place::{Job, Place, Spot};
use super::undo::Completed;
use super::unit::{Ended, Question, State, Status, StepState, Unit};
use super::{Machine, Misfit, ROOT, Signal, earliest, misfit};
use crate::event::{Body, Event, StepError, StepPath, Time};

/// A start, as the event has it.
pub(super) struct Started<'a> {
    pub(super) attempt: u32,
    pub(super) args: Option<&'a Value>,
    pub(super) until: Option<Time>,
    pub(super) items: Option<u64>,
    pub(super) at: Time,
}

/// How a step or item ended.
struct End<'a> {
    status: Status,
    output: &'a Value,
    error: Option<&'a StepError>,
    /// The failure brings down what the step is part of.
    fatal: bool,
    duration_ms: u64,
}

impl Machine {
    /// Whether an event is the next one of this run's journal.
    pub(super) fn check_place_in_journal(&self, event: &Event) -> Result<(), Misfit> {
        if event.seq != self.seq {
            return misfit(format!("event {} stands where event {} belongs", event.seq, self.seq));
        }
        if self.run.is_some_and(|run| run != event.run_id) {
            return misfit(format!("event {} belongs to run {}", event.seq, event.run_id));
        }
        let starts = matches!(event.body, Body::SkillStarted { .. });
        if starts != (self.seq == 0) {
            return misfit("a journal begins with `skill_started`, and only once");
        }
        let after_end = matches!(event.body, Body::UndoStarted { .. } | Body::WorkspaceUpdated { .. });
        if self.ending().is_some() && !after_end {
            return misfit(format!("event {} comes after the run's end", event.seq));
        }
        Ok(())
    }

    pub(super) fn fold(&mut self, event: &Event) -> Result<(), Misfit> {
        let at = event.at.max(self.now);
        match &event.body {
            Body::SkillStarted { .. } => {
                self.fold_start(event);
                Ok(())
            }
            Body::StepStarted { step, attempt, args, until, items, .. } => {
                let started =
                    Started { attempt: *attempt, args: args.as_ref(), until: *until, items: *items, at };
                self.admit_call(step, args.as_ref());
                self.admit_healing(step, at);
                match self.locate(step)? {
                    Spot::Unit(place) => self.fold_started(place, &started),
                    Spot::Reconcile(place) => self.fold_inquiry(place, &started),
                    Spot::Undo(frame) => self.fold_undo_call(frame, &started),
                }
            }
            Body::StepRetrying { step, attempt, error, until } => {
                let place = self.place(step)?;
                self.fold_retrying(place, *attempt, error, *until)
            }
            Body::ConfirmRequested { step, options, .. } if self.seq == 1 => self.fold_gate(step, options),
            Body::ConfirmRequested { step, options, form, default, until, want, .. } => {
                let (options, form, default) = (options.clone(), form.clone(), default.clone());
                let (until, want) = (*until, want.clone());
                let question = Question { options, form, default, until, want };
                let place = self.place(step)?;
                self.fold_question(place, question)
            }
            Body::ConfirmAnswered { step, answer, by } if self.is_gate(step) => {
                self.fold_gate_answer(answer, by, at)
            }
            Body::ConfirmAnswered { step, answer, .. } => {
                let place = self.place(step)?;
                self.fold_answer(place, answer)
            }
            Body::StepCompleted { step, output, duration_ms, .. } => match self.locate(step)? {
                Spot::Unit(place) => self.fold_completed(place, output, *duration_ms),
                Spot::Undo(frame) => self.fold_undone(frame, true, None),
                Spot::Reconcile(_) => misfit(format!("`{step}` cannot complete")),
            },
            Body::StepFailed { step, error, continued, duration_ms } => {
                self.admit_call(step, None);
                match self.locate(step)? {
                    Spot::Unit(place) => {
                        let end = End {
                            status: Status::Failed,
                            output: &Value::Null,
                            error: Some(error),
                            fatal: !*continued,
                            duration_ms: *duration_ms,
                        };
                        self.fold_not_completed(place, &end)
                    }
                    Spot::Undo(frame) => self.fold_undone(frame, false, Some(error)),
                    Spot::Reconcile(place) => self.fold_inquiry_failed(place),
                }
            }
            Body::StepSkipped { step, .. } => {
                let place = self.place(step)?;
                if self.unit(place).is_some() || self.fan(place).is_some() && place.item.is_none() {
                    return misfit(format!("`{step}` runs, and cannot be skipped"));
                }
                let end = End {
                    status: Status::Skipped,
                    output: &Value::Null,
                    error: None,
                    fatal: false,
                    duration_ms: 0,
                };
                self.fold_not_completed(place, &end)
            }
            Body::CancelRequested { .. } => {
                self.fold_cancel();
                Ok(())
            }
            Body::RunResumed { unknown, .. } => self.fold_resumed(unknown),
            Body::StepResolved { step, resolution, .. } => {
                let spot = self.locate(step)?;
                self.fold_resolved(spot, resolution)
            }
            Body::UndoStarted { step, error, .. } => self.fold_undo_started(step.as_ref(), error.as_ref()),
            Body::UndoFinished { step, .. } => self.fold_undo_finished(step.as_ref()),
            Body::SkillCompleted { .. } | Body::SkillFailed { .. } | Body::SkillCancelled { .. } => {
                self.fold_ending(&event.body)
            }
            Body::HealStarted { step, .. } => {
                let place = self.place(step)?;
                self.fold_heal_started(place, &event.body)
            }
            Body::HealFinished { step, healed, .. } => {
                let place = self.place(step)?;
                self.fold_heal_finished(place, *healed, at)
            }
            Body::StepProgress { .. } | Body::WorkspaceUpdated { .. } => Ok(()),
        }
    }

    fn fold_start(&mut self, event: &Event) {
        let Body::SkillStarted { skill, nonce, inputs, config, env, folder, dry_run, link, .. } = &event.body
        else {
            return;
        };
        self.run = Some(event.run_id);
        self.started = event.at;
        self.now = event.at;
        self.nonce.clone_from(nonce);
        self.link.clone_from(link);
        self.dry_run = *dry_run;
        self.base.set("config", config);
        self.base.set("env", &Value::Object(env.clone()));
        let started_at = event.at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
        let run = json!({"id": event.run_id, "skill": skill, "started_at": started_at, "folder": folder});
        self.base.set("run", &run);
        self.base.set_secrets(&self.secrets);
        let layout = Arc::clone(&self.layout);
        self.open_frame(Opening { layout, parent: None, inputs, at: event.at, deadline: None });
    }

    fn fold_started(&mut self, place: Place, started: &Started<'_>) -> Result<(), Misfit> {
        let Some(layout) = self.frame(place.frame).map(|frame| Arc::clone(&frame.layout)) else {
            return misfit("a step of no skill starts");
        };
        let Some(step) = layout.step(place.step) else { return misfit("a step of no plan starts") };
        if step.foreach.is_some() && place.item.is_none() {
            return self.fold_fan(place, started);
        }
        let unit = self.unit_to_start(place, started)?;
        let deadline = self.attempt_deadline(place, step, started.at);
        let state = match &step.action {
            Action::Tool { .. }
                if self.dry_run && (step.effect != Effect::Read || layout.rests_on_change(place.step)) =>
            {
                State::Answered
            }
            Action::Tool { .. } => State::Calling,
            Action::Skill { skill, .. } => {
                let deadline = earliest(started.until, deadline);
                State::Nested { frame: self.open_nested(place, skill, &unit.args, (started.at, deadline))? }
            }
            Action::Compute { .. } => {
                let deadline = earliest(started.until, deadline);
                State::Computing { frame: self.open_script(place, (started.at, deadline)), running: true }
            }
            Action::Confirm { .. } => State::Asking(None),
            Action::WaitFor { .. } | Action::WaitUntil { .. } => match started.until {
                Some(until) => State::Sleeping { until },
                None => return misfit("a wait has no end"),
            },
            Action::Return { .. } => State::Returning,
        };
        if matches!(state, State::Calling) {
            self.signals.push_back(Signal::Call(Spot::Unit(place)));
        }
        self.put(place, Box::new(Unit { deadline, state, ..unit }))
    }

    /// The unit that a start begins or goes on with, out of its place.
    fn unit_to_start(&mut self, place: Place, started: &Started<'_>) -> Result<Unit, Misfit> {
        let args = started.args.and_then(Value::as_object).cloned().unwrap_or_default();
        if let Some(unit) = self.unit(place) {
            let waits = matches!(unit.state, State::Retrying { .. } | State::Again);
            if !waits || started.attempt != unit.attempt.saturating_add(1) {
                return misfit(format!("attempt {} at `{}` cannot start", started.attempt, self.path(place)));
            }
            let Some(unit) = self.take(place) else { return misfit("a step has lost its place") };
            let (attempt, started) = (started.attempt, started.at);
            return Ok(Unit { attempt, started, args, question: None, answer: None, ..*unit });
        }
        if started.attempt != 1 || !self.may_begin(place) {
            return misfit(format!("attempt {} at `{}` cannot start", started.attempt, self.path(place)));
        }
        self.begin(place);
        let (since, heals) = (started.at, Vec::new());
        let unit = Unit {
            attempt: 1,
            lost: 0,
            unsure: false,
            adrift: false,
            since,
            started: since,
            heals,
            refused: Vec::new(),
            args,
            deadline: None,
            question: None,
            answer: None,
            state: State::Again,
        };
        Ok(unit)
    }

    /// Whether a step or item that has not started may do so.
    fn may_begin(&self, place: Place) -> bool {
        let Some(frame) = self.frame(place.frame).filter(|frame| !frame.over) else { return false };
        match place.item {
            None => {
                matches!(frame.steps.get(place.step), Some(StepState::Pending))
                    && frame.ready.contains(&place.step)
            }
            Some(item) => self.fan(place).is_some_and(|fan| fan.next == item && item < fan.items.len()),
        }
    }

    /// A step or item is no longer one that has not started.
    fn begin(&mut self, place: Place) {
        match place.item {
            None => {
                if let Some(frame) = self.frame_mut(place.frame) {
                    frame.ready.remove(&place.step);
                }
            }
            Some(_) => {
                if let Some(fan) = self.fan_mut(place) {
                    fan.next += 1;
                }
            }
        }
    }

    fn fold_fan(&mut self, place: Place, started: &Started<'_>) -> Result<(), Misfit> {
        let items = started.args.and_then(|args| args.get("items")).and_then(Value::as_array).cloned();
        let fits = items.as_ref().is_some_and(|items| u64::try_from(items.len()).ok() == started.items);
        let Some(items) = items.filter(|_| fits && self.may_begin(place)) else {
            return misfit(format!("foreach step `{}` cannot start", self.path(place)));
        };
        self.begin(place);
        let fan = Box::new(Fan::new(items, started.at));
        if let Some(frame) = self.frame_mut(place.frame)
            && let Some(state) = frame.steps.get_mut(place.step)
        {
            *state = StepState::Fan(fan);
            frame.active.insert(place.step);
            frame.busy += 1;
        }
        self.agenda.insert(Job::Fan(place));
        Ok(())
    }

    fn open_nested(
        &mut self,
        place: Place,
        skill: &str,
        inputs: &Map<String, Value>,
        (at, deadline): (Time, Option<Time>),
    ) -> Result<usize, Misfit> {
        let Some(layout) = self.layouts.get(skill).map(Arc::clone) else {
            return misfit(format!("the plan has no skill `{skill}`"));
        };
        Ok(self.open_frame(Opening { layout, parent: Some(place), inputs, at, deadline }))
    }

    fn fold_retrying(
        &mut self,
        place: Place,
        attempt: u32,
        error: &StepError,
        until: Time,
    ) -> Result<(), Misfit> {
        let fits = self.unit(place).is_some_and(|unit| unit.attempt == attempt) && self.may_end(place, false);
        if !fits {
            return misfit(format!("attempt {attempt} at `{}` is not running", self.path(place)));
        }
        self.close_nested(place);
        self.doubt(place, error);
        self.change(place, |_| Some(State::Retrying { until, error: error.clone() }))
    }

    fn fold_completed(&mut self, place: Place, output: &Value, duration_ms: u64) -> Result<(), Misfit> {
        if !self.may_end(place, true) {
            return misfit(format!("`{}` cannot complete", self.path(place)));
        }
        self.keep_for_undo(place, Some(output));
        let returns = matches!(self.step(place).map(|step| &step.action), Some(Action::Return { .. }));
        if returns
            && place.item.is_none()
            && let Some(frame) = self.frame_mut(place.frame)
        {
            frame.returned.get_or_insert_with(|| output.clone());
        }
        let end = End { status: Status::Completed, output, error: None, fatal: false, duration_ms };
        self.end(place, &end)?;
        if returns {
            self.review_frame(place.frame);
        }
        Ok(())
    }

    /// The end of something that ran, or that has not even started.
    fn fold_not_completed(&mut self, place: Place, end: &End<'_>) -> Result<(), Misfit> {
        let runs = self.unit(place).is_some() || (place.item.is_none() && self.fan(place).is_some());
        let fits = if runs {
            self.may_end(place, false)
        } else {
            let frame = self.frame(place.frame).filter(|frame| !frame.over);
            match place.item {
                None => {
                    frame.is_some_and(|frame| matches!(frame.steps.get(place.step), Some(StepState::Pending)))
                }
                Some(_) => self.may_begin(place),
            }
        };
        if !fits {
            return misfit(format!("`{}` cannot end like this", self.path(place)));
        }
        if !runs {
            self.begin(place);
        }
        if let Some(error) = end.error {
            self.doubt(place, error);
        }
        // A sub-skill that fails is taken back by what its own steps say.
        let runs_skill = self.step(place).is_some_and(|step| matches!(step.action, Action::Skill { .. }));
        if !runs_skill && self.unit(place).is_some_and(Unit::may_have_acted) {
            self.keep_for_undo(place, None);
        }
        self.end(place, end)
    }

    /// Whether what runs at a place may end: with a result, or without one.
    pub(super) fn may_end(&self, place: Place, with_result: bool) -> bool {
        if place.item.is_none()
            && let Some(fan) = self.fan(place)
        {
            return if with_result { fan.is_complete() } else { fan.active.is_empty() };
        }
        self.unit(place).is_some_and(|unit| match &unit.state {
            State::Nested { frame } => self.is_settled(*frame),
            State::Computing { frame, .. } => self.is_quiet(*frame),
            State::Calling
            | State::Answered
            | State::Answer(_)
            | State::Sleeping { .. }
            | State::Returning
            | State::Resolved(_) => true,
            State::Asking(_)
            | State::Retrying { .. }
            | State::Unhealed(_)
            | State::Unknown(_)
            | State::Again => !with_result,
            // A call that is under way comes to its own end first.
            State::Healing(healing) => !with_result && healing.frame().is_none(),
        })
    }

    fn end(&mut self, place: Place, end: &End<'_>) -> Result<(), Misfit> {
        self.close_nested(place);
        let unit = self.take(place);
        let acted =
            end.status == Status::Completed || unit.as_ref().is_some_and(|unit| unit.may_have_acted());
        let attempts = unit.map_or_else(|| u32::from(self.fan(place).is_some()), |unit| unit.attempt);
        if acted {
            self.doubt_around(place);
        }
        if let Some(item) = place.item {
            let Some(fan) = self.fan_mut(place) else { return misfit("an item has lost its step") };
            if let Some(output) = fan.outputs.get_mut(item) {
                output.clone_from(end.output);
            }
            if end.fatal && fan.failed.is_none() {
                fan.failed = end.error.map(|error| (item, error.clone()));
                self.review_items(place.fan());
            }
            self.agenda.insert(Job::Fan(place.fan()));
            return Ok(());
        }
        let path = self.path(place);
        let Some(frame) = self.frame_mut(place.frame) else { return misfit("a step has lost its skill") };
        if let Some(StepState::Fan(_)) = frame.steps.get(place.step) {
            frame.active.remove(&place.step);
            frame.busy = frame.busy.saturating_sub(1);
        }
        if let Some(state) = frame.steps.get_mut(place.step) {
            *state = StepState::Ended;
        }
        let error = end.error.map(|error| error.message.clone());
        if let Some(script) = &mut frame.script {
            script.answer(
                place.step,
                end.error.map_or_else(|| Ok(end.output.clone()), |error| Err(error.clone())),
            );
        } else if !frame.heals {
            let duration_ms = end.duration_ms;
            frame.show(place.step, &Ended { status: end.status, error, attempts, duration_ms });
            frame.set_output(place.step, end.output, end.status);
        }
        self.heal_call_ended(place.frame, end.status);
        self.release_dependents(place.frame, place.step);
        if let Some(error) = end.error.filter(|_| end.fatal) {
            self.stop_frame(place.frame, Stop::Failed { error: error.clone(), step: Some(path) });
        }
        self.go_on_computing(place.frame)
    }

    pub(super) fn close_nested(&mut self, place: Place) {
        let inner = self.unit(place).and_then(|unit| match &unit.state {
            State::Computing { frame, .. } => Some(*frame),
            _ => unit.inner(),
        });
        if let Some(inner) = inner {
            self.close_frame(inner);
        }
    }

    fn fold_cancel(&mut self) {
        self.cancels = self.cancels.saturating_add(1);
        if self.cancels > 1 || self.ending.is_some() {
            self.abandon_undo();
        }
        self.stop_calls(self.cancels > 1);
        if self.ending.is_none() {
            self.stop_frame(ROOT, Stop::Cancelled);
        }
        let everything: Vec<Job> = self.every_place().into_iter().map(Job::Unit).collect();
        self.agenda.extend(everything);
    }

    fn fold_ending(&mut self, body: &Body) -> Result<(), Misfit> {
        let stopped = self.frame(ROOT).is_some_and(|frame| frame.stop.is_some());
        let fits = match body {
            Body::SkillCompleted { .. } => !stopped,
            Body::SkillCancelled { .. } => stopped && self.cancels > 0,
            _ => true,
        };
        if self.ending.is_some() || !self.is_settled(ROOT) || !fits {
            return misfit("the run cannot end like this");
        }
        self.close_frame(ROOT);
        self.signals.clear();
        self.ending = Some(body.clone());
        Ok(())
    }

    /// Moves a unit to another state, if the step from the present one is allowed.
    pub(super) fn change(
        &mut self,
        place: Place,
        next: impl FnOnce(&State) -> Option<State>,
    ) -> Result<(), Misfit> {
        let Some(state) = self.unit(place).and_then(|unit| next(&unit.state)) else {
            return misfit(format!("`{}` is not in a state for this", self.path(place)));
        };
        let Some(mut unit) = self.take(place) else { return misfit("a step has lost its place") };
        unit.state = state;
        self.put(place, unit)
    }

    /// The step or item of a path, which must be no call about it.
    pub(super) fn place(&self, path: &StepPath) -> Result<Place, Misfit> {
        match self.locate(path)? {
            Spot::Unit(place) => Ok(place),
            Spot::Reconcile(_) | Spot::Undo(_) => misfit(format!("`{path}` is not a step")),
        }
    }

    /// Takes down that an attempt which ended like this may have acted. What a block or a sub-skill has done, its calls
    /// and steps tell.
    pub(super) fn doubt(&mut self, place: Place, error: &StepError) {
        let calls = self.step(place).is_some_and(|step| matches!(step.action, Action::Tool { .. }));
        let doubtful = self.doubts && calls && !self.is_read(place) && error.may_have_acted();
        if let Some(unit) = self.unit_mut(place).filter(|_| doubtful) {
            unit.unsure = true;
        }
    }

    /// What a step has done, the block or sub-skill has done that it is part of, however that ends. A healing is no part
    /// of what it heals.
    fn doubt_around(&mut self, place: Place) {
        let mut within = self.doubts && !self.is_read(place);
        let mut at = Some(place.frame);
        while let Some(frame) = at.and_then(|id| self.frame(id)).filter(|frame| within && !frame.heals) {
            let parent = frame.parent;
            if let Some(unit) = parent.and_then(|parent| self.unit_mut(parent)) {
                within = !unit.unsure;
                unit.unsure = true;
            }
            at = parent.map(|parent| parent.frame);
        }
    }

    /// Puts a step or item down as one to take back: what it gave, if it has given anything.
    fn keep_for_undo(&mut self, place: Place, output: Option<&Value>) {
        let undoable = self
            .step(place)
            .is_some_and(|step| step.undo.is_some() && (step.foreach.is_none() || place.item.is_some()));
        if !undoable || self.dry_run {
            return;
        }
        let item = place.item.and_then(|item| self.fan(place)?.items.get(item).cloned());
        let output = output.cloned();
        self.completed.push(Completed { place, output, item, attempts: 0, open: None, undone: false });
        let mut frames = vec![place.frame];
        frames.extend(self.ancestors(place.frame));
        for id in frames {
            if let Some(frame) = self.frame_mut(id) {
                frame.holds = true;
            }
        }
    }
}
