//! Taking back what has been done, newest first, one at a time: completed steps, and writes that were cut off and may
//! have acted all the same.

use std::collections::BTreeSet;

use aa_spec::name::fold;
use aa_spec::plan::StepPlan;
use aa_spec::tool::ErrorKind;
use serde_json::{Map, Value};

use super::frame::Stop;
use super::place::{Job, Place, Spot};
use super::unit::State;
use super::{Machine, Misfit, ROOT, Signal, evaluate, later, misfit};
use crate::event::{Body, Resolution, StepError, StepPath, Time};
use crate::machine::fold::Started;

/// A step or item that has completed, or may have acted although it failed, and can be taken back.
#[derive(Debug)]
pub(super) struct Completed {
    pub(super) place: Place,
    /// What it gave; nothing when it was cut off.
    pub(super) output: Option<Value>,
    /// What `item` was.
    pub(super) item: Option<Value>,
    /// Attempts at taking it back.
    pub(super) attempts: u32,
    /// The last of these, when nobody knows how it ended and it must not be made again just like that.
    pub(super) open: Option<UndoCall>,
    pub(super) undone: bool,
}

/// How far a frame's taking back has come.
#[derive(Debug)]
pub(super) enum TakingBack {
    No,
    Running(Undo),
    Over,
}

/// A taking back that runs.
#[derive(Debug)]
pub(super) struct Undo {
    /// What is left, the next one last; indices into the completed steps.
    queue: Vec<usize>,
    current: Option<UndoCall>,
    failed: Vec<StepPath>,
    /// Someone wants no more of it.
    abandoned: bool,
}

#[derive(Debug)]
pub(super) struct UndoCall {
    pub(super) args: Map<String, Value>,
    pub(super) since: Time,
    pub(super) deadline: Option<Time>,
    pub(super) state: UndoState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UndoState {
    Calling,
    /// The process died during the call.
    Unknown,
    /// To be called again with the same arguments.
    Again,
}

impl Machine {
    /// Whether something of the run can be taken back.
    pub fn can_undo(&self) -> bool {
        !self.undo_candidates(ROOT).is_empty()
    }

    /// Steps within a frame that can be taken back, in the order in which they ended.
    ///
    /// A sub-skill's step that says how to take it back stands for all steps inside.
    pub(super) fn undo_candidates(&self, frame: usize) -> Vec<usize> {
        if !self.frame(frame).is_some_and(|frame| frame.holds) {
            return Vec::new();
        }
        let own: BTreeSet<Place> = self.completed.iter().map(|entry| entry.place).collect();
        let fits = |place: Place| {
            let mut at = place.frame;
            while at != frame {
                match self.frame(at).and_then(|inner| inner.parent) {
                    Some(parent) if !(self.has_undo(parent) && own.contains(&parent)) => at = parent.frame,
                    _ => return false,
                }
            }
            true
        };
        let entries = self.completed.iter().enumerate();
        entries.filter(|(_, entry)| !entry.undone && fits(entry.place)).map(|(index, _)| index).collect()
    }

    fn has_undo(&self, place: Place) -> bool {
        self.step(place).is_some_and(|step| step.undo.is_some())
    }

    /// The step that a frame takes back now or next.
    pub(super) fn undo_place(&self, frame: usize) -> Option<Place> {
        Some(self.completed.get(*self.undo(frame)?.queue.last()?)?.place)
    }

    fn undo(&self, frame: usize) -> Option<&Undo> {
        match &self.frame(frame)?.taking_back {
            TakingBack::Running(undo) => Some(undo),
            _ => None,
        }
    }

    fn undo_mut(&mut self, frame: usize) -> Option<&mut Undo> {
        match &mut self.frame_mut(frame)?.taking_back {
            TakingBack::Running(undo) => Some(undo),
            _ => None,
        }
    }

    /// The call with which a frame takes a step back at the moment.
    pub(super) fn undo_call(&self, frame: usize) -> Option<&UndoCall> {
        self.undo(frame)?.current.as_ref()
    }

    /// Number of the present attempt at taking a step back, and the tool that does it.
    pub(super) fn undo_target(&self, frame: usize) -> Option<(u32, String)> {
        let entry = self.completed.get(*self.undo(frame)?.queue.last()?)?;
        Some((entry.attempts, self.step(entry.place)?.undo.as_ref()?.tool.clone()))
    }

    /// Whether an interrupted undo may simply be called again.
    pub(super) fn may_repeat_undo(&self, frame: usize) -> bool {
        let step = self.undo_place(frame).and_then(|place| self.step(place));
        step.and_then(|step| step.undo.as_ref()).is_some_and(|undo| undo.idempotent)
    }

    /// The next event of a frame's taking back.
    pub(super) fn decide_undo(&self, frame: usize, now: Time) -> Option<Body> {
        let undo = self.undo(frame)?;
        match &undo.current {
            Some(call) if call.state == UndoState::Calling => return None,
            Some(call) if call.state == UndoState::Unknown && !undo.abandoned => return None,
            Some(call) if !undo.abandoned => return self.start_undo(frame, Ok(call.args.clone()), now),
            _ => {}
        }
        if let Some(entry) = undo.queue.last().filter(|_| !undo.abandoned) {
            let args = self.undo_args(self.completed.get(*entry)?);
            return self.start_undo(frame, args, now);
        }
        let left =
            undo.queue.iter().rev().filter_map(|entry| Some(self.path(self.completed.get(*entry)?.place)));
        let failed = undo.failed.iter().cloned().chain(left).collect();
        Some(Body::UndoFinished { step: self.frame(frame)?.parent.map(|place| self.path(place)), failed })
    }

    fn start_undo(
        &self,
        frame: usize,
        args: Result<Map<String, Value>, StepError>,
        now: Time,
    ) -> Option<Body> {
        let entry = self.completed.get(*self.undo(frame)?.queue.last()?)?;
        let step = self.spot_path(Spot::Undo(frame))?;
        let plan = self.step(entry.place)?;
        Some(match args {
            Ok(args) => Body::StepStarted {
                step,
                attempt: entry.attempts.saturating_add(1),
                kind: "undo".to_owned(),
                target: plan.undo.as_ref().map(|undo| undo.tool.clone()),
                args: Some(Value::Object(args)),
                until: plan.timeout_ms.map(|timeout| later(now, timeout)),
                items: None,
            },
            Err(error) => Body::StepFailed { step, error, continued: true, duration_ms: 0 },
        })
    }

    fn undo_args(&self, entry: &Completed) -> Result<Map<String, Value>, StepError> {
        let plan = self.step(entry.place).and_then(|step| Some((step, step.undo.as_ref()?)));
        let Some((step, undo)) = plan else { return Ok(Map::new()) };
        let mut scope = self.scope(Place { item: None, ..entry.place });
        if let (Some(item), Some(index)) = (&entry.item, entry.place.item) {
            scope.set("item", item);
            scope.set("index", &Value::from(index));
        }
        match &entry.output {
            Some(output) => scope.set(&step.output, output),
            None => without_output(step)?,
        }
        evaluate::arguments(&undo.args, Some(&undo.nullable), &scope)
    }

    /// The event that the end of an undo's call amounts to.
    pub(super) fn settle_undo(
        &self,
        frame: usize,
        result: Result<Value, StepError>,
        now: Time,
    ) -> Result<Body, Misfit> {
        let call = self.undo_call(frame).filter(|call| call.state == UndoState::Calling);
        let (Some(call), Some(step)) = (call, self.spot_path(Spot::Undo(frame))) else {
            return misfit("nothing is being taken back");
        };
        let duration_ms = super::elapsed(call.since, now);
        Ok(match result {
            Ok(output) => Body::StepCompleted { step, output, duration_ms, reads: Vec::new() },
            Err(error) => Body::StepFailed { step, error, continued: true, duration_ms },
        })
    }

    pub(super) fn fold_undo_started(
        &mut self,
        step: Option<&StepPath>,
        error: Option<&StepError>,
    ) -> Result<(), Misfit> {
        let id = self.frame_of(step)?;
        let over = self.ending.is_some();
        let fits = !self.undoing.contains(&id) && (over && id == ROOT || !over && self.is_settled(id));
        if !fits {
            return misfit("nothing can be taken back while steps run");
        }
        let queue = self.undo_candidates(id);
        let Some(frame) = self.frame_mut(id) else { return misfit("the skill is gone") };
        frame.taking_back =
            TakingBack::Running(Undo { queue, current: None, failed: Vec::new(), abandoned: false });
        if let Some(error) = error
            && frame.stop.is_none()
        {
            frame.stop = Some(Stop::Failed { error: error.clone(), step: None });
        }
        self.undoing.insert(id);
        self.ask_again(id);
        self.agenda.insert(Job::Undo(id));
        Ok(())
    }

    /// An attempt of which nobody knows how it ended stays so until somebody says, whatever has happened since.
    fn ask_again(&mut self, frame: usize) {
        let next = self.undo(frame).filter(|undo| undo.current.is_none()).and_then(|undo| undo.queue.last());
        let open = next.copied().and_then(|entry| self.completed.get_mut(entry)?.open.take());
        if let Some((undo, call)) = self.undo_mut(frame).zip(open) {
            undo.current = Some(call);
        }
    }

    pub(super) fn fold_undo_finished(&mut self, step: Option<&StepPath>) -> Result<(), Misfit> {
        let id = self.frame_of(step)?;
        let done = self.undo(id).is_some_and(|undo| {
            undo.current.as_ref().is_none_or(|call| call.state != UndoState::Calling)
                && (undo.queue.is_empty() || undo.abandoned)
        });
        let Some(frame) = self.frame_mut(id).filter(|_| done) else {
            return misfit("the taking back is not over");
        };
        if let TakingBack::Running(undo) = std::mem::replace(&mut frame.taking_back, TakingBack::Over)
            && let Some((call, entry)) = undo.current.zip(undo.queue.last().copied())
            && call.state == UndoState::Unknown
        {
            self.leave_open(entry, call);
        }
        self.undoing.remove(&id);
        self.agenda.insert(Job::Frame(id));
        Ok(())
    }

    pub(super) fn fold_undo_call(&mut self, frame: usize, started: &Started<'_>) -> Result<(), Misfit> {
        let entry = self.undo(frame).and_then(|undo| {
            let waits = undo.current.as_ref().is_none_or(|call| call.state == UndoState::Again);
            undo.queue.last().copied().filter(|_| waits)
        });
        let Some(entry) = entry.and_then(|entry| self.completed.get_mut(entry)) else {
            return misfit("nothing is to be taken back");
        };
        if started.attempt != entry.attempts.saturating_add(1) {
            return misfit(format!("attempt {} at taking a step back cannot start", started.attempt));
        }
        entry.attempts = started.attempt;
        let args = started.args.and_then(Value::as_object).cloned().unwrap_or_default();
        if let Some(undo) = self.undo_mut(frame) {
            let (since, deadline) = (started.at, started.until);
            undo.current = Some(UndoCall { args, since, deadline, state: UndoState::Calling });
        }
        self.signals.push_back(Signal::Call(Spot::Undo(frame)));
        self.agenda.insert(Job::Undo(frame));
        Ok(())
    }

    /// Takes down that nobody knows whether an undo has acted.
    fn leave_open(&mut self, entry: usize, call: UndoCall) {
        if let Some(entry) = self.completed.get_mut(entry).filter(|_| self.doubts) {
            entry.open = Some(UndoCall { state: UndoState::Unknown, ..call });
        }
    }

    /// The step that was being taken back is, or is not; then with an error, if its call had one.
    pub(super) fn fold_undone(
        &mut self,
        frame: usize,
        worked: bool,
        error: Option<&StepError>,
    ) -> Result<(), Misfit> {
        let Some(place) = self.undo_place(frame) else { return misfit("nothing is being taken back") };
        let (path, repeatable) = (self.path(place), self.may_repeat_undo(frame));
        let Some(undo) = self.undo_mut(frame) else { return misfit("nothing is being taken back") };
        if worked && undo.current.is_none() {
            return misfit(format!("`{path}` is not being taken back"));
        }
        let call = undo.current.take();
        let entry = undo.queue.pop();
        if !worked {
            undo.failed.push(path);
        }
        if let Some(entry) = entry.and_then(|entry| self.completed.get_mut(entry)) {
            entry.undone = worked;
        }
        let in_doubt = error.is_some_and(StepError::may_have_acted) && !repeatable;
        if let Some((entry, call)) = entry.zip(call).filter(|_| in_doubt) {
            self.leave_open(entry, call);
        }
        self.ask_again(frame);
        self.agenda.insert(Job::Undo(frame));
        Ok(())
    }

    /// A person said how an interrupted undo ended.
    pub(super) fn fold_undo_resolved(&mut self, frame: usize, resolution: &Resolution) -> Result<(), Misfit> {
        let unknown = |call: &UndoCall| call.state == UndoState::Unknown;
        if !self.undo_call(frame).is_some_and(unknown) {
            return misfit("the outcome of taking it back is not in doubt");
        }
        match resolution {
            Resolution::Done { .. } => self.fold_undone(frame, true, None),
            Resolution::Fail => self.fold_undone(frame, false, None),
            Resolution::Retry => {
                self.set_undo_state(frame, UndoState::Again);
                Ok(())
            }
        }
    }

    pub(super) fn set_undo_state(&mut self, frame: usize, state: UndoState) {
        if let Some(call) = self.undo_mut(frame).and_then(|undo| undo.current.as_mut()) {
            call.state = state;
        }
        self.agenda.insert(Job::Undo(frame));
    }

    /// Nobody wants anything more taken back.
    pub(super) fn abandon_undo(&mut self) {
        for frame in self.undoing.clone() {
            let Some(undo) = self.undo_mut(frame) else { continue };
            undo.abandoned = true;
            if undo.current.as_ref().is_some_and(|call| call.state == UndoState::Calling) {
                self.signals.push_back(Signal::Kill(Spot::Undo(frame)));
            }
            self.agenda.insert(Job::Undo(frame));
        }
    }

    /// The frame of the run's skill, or of the sub-skill that a step runs.
    fn frame_of(&self, step: Option<&StepPath>) -> Result<usize, Misfit> {
        let Some(step) = step else { return Ok(ROOT) };
        match self.locate(step)? {
            Spot::Unit(place) => match self.unit(place).map(|unit| &unit.state) {
                Some(State::Nested { frame }) => Ok(*frame),
                _ => misfit(format!("`{step}` runs no skill")),
            },
            _ => misfit(format!("`{step}` runs no skill")),
        }
    }
}

/// That a step can be taken back although it gave nothing.
fn without_output(step: &StepPlan) -> Result<(), StepError> {
    let starts = |path: &str| path.split('.').next().is_some_and(|root| fold(root) == fold(&step.output));
    let args = step.undo.iter().flat_map(|undo| &undo.args);
    for (name, template) in args {
        if template.references().iter().any(|path| starts(path)) {
            let message = format!(
                "step `{}` may have acted although it failed; argument `{name}` of its undo needs `{}`, which it has not given",
                step.name, step.output
            );
            return Err(StepError::new(ErrorKind::Invalid, message));
        }
    }
    Ok(())
}
