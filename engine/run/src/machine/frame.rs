//! A frame: one running skill, the run's own or a sub-skill of a step or item; or the
//! calls of one running block.

use std::collections::BTreeSet;
use std::sync::Arc;

use aa_spec::plan::StepPlan;
use aa_spec::skill::OnFailure;
use aa_spec::template::Scope;
use aa_spec::tool::ErrorKind;
use serde_json::{Map, Value};

use super::layout::Layout;
use super::place::{Job, Place, Spot};
use super::script::Script;
use super::undo::TakingBack;
use super::unit::StepState;
use super::{Machine, ROOT, Signal, evaluate};
use crate::event::{Body, StepError, StepPath, Time};

/// Skills in skills, counted from the one that runs.
const MAX_DEPTH: usize = 64;

/// A running skill.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) layout: Arc<Layout>,
    /// The unit that runs it; `None` for the run's own skill.
    pub(super) parent: Option<Place>,
    /// What the paths of its steps begin with: nothing, or `release/`.
    pub(super) prefix: String,
    depth: usize,
    pub(super) scope: Scope,
    /// Of a frame that holds the calls of a block.
    pub(super) script: Option<Box<Script>>,
    /// It holds the call of a heal rule.
    pub(super) heals: bool,
    pub(super) steps: Vec<StepState>,
    /// For each step, the needs that are not over.
    unmet: Vec<usize>,
    /// Steps that may start as soon as there is a slot.
    pub(super) ready: BTreeSet<usize>,
    /// Steps that run.
    pub(super) active: BTreeSet<usize>,
    /// Slots in use.
    pub(super) busy: usize,
    /// Steps that are not over.
    pub(super) open: usize,
    /// No step before this one is pending.
    swept: usize,
    pub(super) deadline: Option<Time>,
    pub(super) stop: Option<Stop>,
    /// The value of a `then` step.
    pub(super) returned: Option<Value>,
    pub(super) taking_back: TakingBack,
    /// Whether it, or a frame in it, has completed something that can be taken back.
    pub(super) holds: bool,
    pub(super) over: bool,
}

/// Why nothing new starts in a frame, and why its skill does not succeed.
#[derive(Clone, Debug)]
pub(super) enum Stop {
    /// It has failed.
    Failed { error: StepError, step: Option<StepPath> },
    /// The run is cancelled.
    Cancelled,
    /// What it is part of has stopped.
    Outer,
}

/// What a new frame starts with.
#[derive(Debug)]
pub(super) struct Opening<'a> {
    pub(super) layout: Arc<Layout>,
    pub(super) parent: Option<Place>,
    pub(super) inputs: &'a Map<String, Value>,
    pub(super) at: Time,
    pub(super) deadline: Option<Time>,
}

impl Frame {
    /// One more call of a block, about to start.
    pub(super) fn grow(&mut self, step: StepPlan) {
        // Nothing but this frame keeps a block's layout, so nothing is copied.
        Arc::make_mut(&mut self.layout).grow(step);
        self.ready.insert(self.steps.len());
        self.steps.push(StepState::Pending);
        self.unmet.push(0);
        self.open += 1;
    }

    /// What has a deadline, for messages.
    fn shown(&self) -> String {
        match &self.script {
            Some(_) => format!("step `{}`", self.prefix.trim_end_matches('/')),
            None => format!("skill `{}`", self.layout.skill().name),
        }
    }
}

impl Machine {
    /// Starts a skill in a frame of its own.
    pub(super) fn open_frame(&mut self, opening: Opening<'_>) -> usize {
        let Opening { layout, parent, inputs, at, deadline } = opening;
        let id = self.frames.len();
        let skill = layout.skill();
        let own = skill.timeout_ms.map(|timeout| super::later(at, timeout));
        let deadline = super::earliest(deadline, own);
        let mut scope = self.base.child();
        scope.set_lenient(skill.lenient);
        scope.set("inputs", &Value::Object(inputs.clone()));
        scope.set("defaults", &skill.defaults);

        let outer = parent.and_then(|place| self.frame(place.frame)).map_or(0, |frame| frame.depth + 1);
        let count = skill.steps.len();
        let frame = Frame {
            prefix: parent.map_or_else(String::new, |place| format!("{}/", self.path(place))),
            parent,
            depth: outer,
            scope,
            script: None,
            heals: false,
            steps: std::iter::repeat_with(|| StepState::Pending).take(count).collect(),
            unmet: layout.needs.clone(),
            ready: (0..count).filter(|step| layout.needs[*step] == 0).collect(),
            active: BTreeSet::new(),
            busy: 0,
            open: count,
            swept: 0,
            deadline,
            stop: None,
            returned: None,
            taking_back: TakingBack::No,
            holds: false,
            over: false,
            layout,
        };
        self.frames.push(Some(Box::new(frame)));
        self.deadlines.extend(deadline.map(|time| (time, id)));
        self.agenda.insert(Job::Frame(id));
        id
    }

    /// Whether a step of this frame may run one more skill inside.
    pub(super) fn may_nest(&self, frame: usize) -> bool {
        self.frame(frame).is_some_and(|frame| frame.depth < MAX_DEPTH)
    }

    /// Forgets a frame, unless something in it can still be taken back.
    pub(super) fn close_frame(&mut self, id: usize) {
        let Some(frame) = self.frame_mut(id) else { return };
        frame.over = true;
        let (deadline, holds) = (frame.deadline, frame.holds);
        if let Some(time) = deadline {
            self.deadlines.remove(&(time, id));
        }
        if !holds && id != ROOT {
            self.frames[id] = None;
        }
    }

    /// Lets nothing new start in a frame and what it runs; what only waits will be dropped.
    pub(super) fn stop_frame(&mut self, id: usize, stop: Stop) {
        let Some(frame) = self.frame_mut(id) else { return };
        if frame.stop.is_none() {
            frame.stop = Some(stop);
            self.review_frame(id);
        }
    }

    /// Looks again at everything that runs in a frame, because the frame has stopped.
    pub(super) fn review_frame(&mut self, id: usize) {
        self.agenda.insert(Job::Frame(id));
        for place in self.active_places(id) {
            match self.fan(place) {
                Some(_) if place.item.is_none() => {
                    self.agenda.insert(Job::Fan(place));
                }
                _ => self.review_unit(place),
            }
        }
    }

    /// Steps and items that run in a frame, not in the frames inside it.
    pub(super) fn active_places(&self, id: usize) -> Vec<Place> {
        let Some(frame) = self.frame(id) else { return Vec::new() };
        let mut places = Vec::new();
        for step in &frame.active {
            let place = Place { frame: id, step: *step, item: None };
            places.push(place);
            if let Some(fan) = self.fan(place) {
                places.extend(fan.active.keys().map(|item| Place { item: Some(*item), ..place }));
            }
        }
        places
    }

    /// Marks frames as failed whose time was over at this moment.
    pub(super) fn expire(&mut self, at: Time) {
        while let Some((time, id)) = self.deadlines.first().copied().filter(|(time, _)| *time <= at) {
            self.deadlines.remove(&(time, id));
            let Some(frame) = self.frame(id).filter(|frame| frame.open > 0) else { continue };
            let error = StepError::new(ErrorKind::Timeout, format!("the time of {} is over", frame.shown()));
            self.stop_frame(id, Stop::Failed { error, step: None });
        }
    }

    /// A step of a frame is over: whoever waited for it may go on.
    pub(super) fn release_dependents(&mut self, id: usize, step: usize) {
        let Some(frame) = self.frame_mut(id) else { return };
        let layout = Arc::clone(&frame.layout);
        frame.open = frame.open.saturating_sub(1);
        for dependent in layout.dependents.get(step).into_iter().flatten() {
            let Some(unmet) = frame.unmet.get_mut(*dependent) else { continue };
            *unmet = unmet.saturating_sub(1);
            if *unmet == 0 && matches!(frame.steps.get(*dependent), Some(StepState::Pending)) {
                frame.ready.insert(*dependent);
            }
        }
        self.agenda.insert(Job::Frame(id));
    }

    /// The next event of a frame: a step's start, a skipped step, or the frame's end.
    pub(super) fn decide_frame(&mut self, id: usize, now: Time) -> Option<Body> {
        let frame = self.frame(id)?;
        if frame.over || self.undoing.contains(&id) {
            return None;
        }
        if frame.heals {
            return self.decide_healing(id, now);
        }
        if frame.script.is_some() {
            // A block says itself what it calls and when it ends; only calls that a dead
            // process had begun are taken up from here.
            let step = frame.ready.first().copied().filter(|_| frame.stop.is_none())?;
            return Some(self.start(Place { frame: id, step, item: None }, now));
        }
        if frame.stop.is_none() {
            if frame.returned.is_some() {
                if let Some(step) = self.next_pending(id) {
                    let reason = "the skill has returned".to_owned();
                    return Some(Body::StepSkipped {
                        step: self.path(Place { frame: id, step, item: None }),
                        reason,
                    });
                }
            } else if frame.busy < slots(&frame.layout)
                && let Some(step) = frame.ready.first().copied()
            {
                return Some(self.start(Place { frame: id, step, item: None }, now));
            }
        }
        let frame = self.frame(id)?;
        if !frame.active.is_empty() {
            return None;
        }
        if frame.open > 0 && frame.stop.is_none() {
            // Only a plan that no check has seen gets here.
            let step = self.next_pending(id)?;
            let error = StepError::new(ErrorKind::Invalid, "the steps wait for each other");
            return Some(self.failed(Place { frame: id, step, item: None }, error, now));
        }
        self.end_frame(id, now)
    }

    /// The lowest step that has not started.
    fn next_pending(&mut self, id: usize) -> Option<usize> {
        let frame = self.frame_mut(id)?;
        let pending = |step: &StepState| matches!(step, StepState::Pending);
        let found = frame.steps.iter().skip(frame.swept).position(pending)?;
        frame.swept += found;
        Some(frame.swept)
    }

    /// The event with which a frame ends, all its steps being over.
    fn end_frame(&self, id: usize, now: Time) -> Option<Body> {
        let frame = self.frame(id)?;
        let result = self.result_of(id);
        if let Err(failure) = &result
            && self.must_take_back(id)
        {
            let error = match &**failure {
                Stop::Failed { error, .. } => Some(error.clone()),
                Stop::Cancelled | Stop::Outer => None,
            };
            let step = frame.parent.map(|place| self.path(place));
            return Some(Body::UndoStarted { by: "on_failure".to_owned(), step, error });
        }
        match frame.parent {
            Some(place) => self.end_nested(place, result, now),
            None => Some(self.end_run(result, now)),
        }
    }

    fn end_run(&self, result: Result<Map<String, Value>, Box<Stop>>, now: Time) -> Body {
        let duration_ms = super::elapsed(self.started, now);
        match result.map_err(|stop| *stop) {
            Ok(outputs) => Body::SkillCompleted { outputs, duration_ms },
            Err(Stop::Failed { error, step }) => Body::SkillFailed { error, step, duration_ms },
            Err(Stop::Cancelled | Stop::Outer) => Body::SkillCancelled { duration_ms },
        }
    }

    fn end_nested(
        &self,
        place: Place,
        result: Result<Map<String, Value>, Box<Stop>>,
        now: Time,
    ) -> Option<Body> {
        self.unit(place)?;
        Some(match result.map_err(|stop| *stop) {
            Ok(outputs) => self.conclude(place, Ok(Value::Object(outputs)), now),
            Err(Stop::Failed { mut error, step }) => {
                if let Some(step) = step {
                    error.message = format!("step `{step}` failed: {}", error.message);
                }
                self.conclude(place, Err(error), now)
            }
            Err(Stop::Cancelled | Stop::Outer) => self.dropped(place, now),
        })
    }

    /// What a skill comes to, all its steps being over.
    fn result_of(&self, id: usize) -> Result<Map<String, Value>, Box<Stop>> {
        let failed = |error| Box::new(Stop::Failed { error, step: None });
        let gone = || failed(StepError::new(ErrorKind::Invalid, "the skill is gone"));
        let frame = self.frame(id).ok_or_else(gone)?;
        if let Some(stop) = &frame.stop {
            return Err(Box::new(stop.clone()));
        }
        let outputs = match &frame.returned {
            Some(Value::Object(outputs)) => outputs.clone(),
            Some(value) => Map::from_iter([("return".to_owned(), value.clone())]),
            None => self.outputs(id).map_err(failed)?,
        };
        // A dry run has no values of what it would have done.
        if !self.dry_run {
            evaluate::kept(&frame.layout.skill().outputs, &outputs).map_err(failed)?;
        }
        Ok(outputs)
    }

    /// Whether a stopped frame is to be taken back before it ends. Of nested skills that
    /// want it, the outermost one that stops does it for all, so that the order is kept.
    fn must_take_back(&self, id: usize) -> bool {
        let wants = |id: usize| {
            self.frame(id).is_some_and(|frame| frame.layout.skill().on_failure == OnFailure::Undo)
        };
        let outer_does = self
            .ancestors(id)
            .any(|outer| wants(outer) && self.frame(outer).is_some_and(|frame| frame.stop.is_some()));
        wants(id)
            && !outer_does
            && self.frame(id).is_some_and(|frame| matches!(frame.taking_back, TakingBack::No))
            && !self.undo_candidates(id).is_empty()
    }

    /// The frames around a frame, from the inside.
    pub(super) fn ancestors(&self, id: usize) -> impl Iterator<Item = usize> {
        let outer = |id: &usize| Some(self.frame(*id)?.parent?.frame);
        std::iter::successors(outer(&id), outer)
    }

    /// Whether a frame has nothing left to run, so that its end may be recorded.
    pub(super) fn is_settled(&self, id: usize) -> bool {
        self.frame(id)
            .is_some_and(|frame| frame.active.is_empty() && (frame.open == 0 || frame.stop.is_some()))
            && !self.undoing.contains(&id)
    }

    /// Ends every call of the run: kindly, or at once.
    pub(super) fn stop_calls(&mut self, at_once: bool) {
        let signal = if at_once { Signal::Kill } else { Signal::Stop };
        let spots: Vec<Spot> =
            self.calls().into_iter().filter(|spot| !matches!(spot, Spot::Undo(_))).collect();
        self.signals.extend(spots.into_iter().map(signal));
    }
}

fn slots(layout: &Layout) -> usize {
    usize::try_from(layout.skill().concurrency.max(1)).unwrap_or(usize::MAX)
}
