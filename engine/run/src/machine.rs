//! What the events so far add up to, and what follows from them.
//!
//! Pure: no clock, no I/O, no tasks, no order that depends on a hash. The same plan
//! and events give the same state and the same next commands, in any process.
//!
//! A run is a tree of frames ([`frame`]): one for the skill, one for each running
//! sub-skill, one for the calls of each running block ([`script`]). A frame's steps are units ([`unit`]), or fans of units ([`foreach`]).
//! Events change the state ([`fold`]) and put whatever they may have moved on the
//! agenda; [`Machine::poll`] takes the agenda's entries in order and asks each for its
//! next event ([`start`], [`settle`], [`undo`], [`recover`]). So the cost of an event
//! does not grow with the number of steps, and templates are evaluated only before an
//! event is made, never when it is folded: what they gave is in the event.

mod evaluate;
mod fold;
mod foreach;
mod frame;
mod gate;
mod heal;
mod layout;
mod place;
mod question;
mod recover;
mod retry;
mod script;
mod settle;
mod start;
mod undo;
mod unit;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use aa_spec::plan::{Plan, StepPlan};
use aa_spec::template::Scope;
use chrono::TimeDelta;
use serde_json::{Map, Value};

use self::frame::Frame;
pub use self::gate::{APPROVAL, APPROVE, REJECT};
pub use self::heal::{Admission, HealCall};
use self::layout::Layout;
use self::place::{Job, Place, Spot};
pub use self::recover::Left;
pub use self::script::{ComputeCall, Made};
use self::undo::Completed;
use crate::event::{Body, Event, Link, RunId, StepPath, Time};
use crate::trace::Trace;

/// The frame of the skill that the run is about.
const ROOT: usize = 0;

/// A run's state and rules.
#[derive(Debug)]
pub struct Machine {
    layout: Arc<Layout>,
    layouts: BTreeMap<String, Arc<Layout>>,
    secrets: Vec<String>,
    /// Number of the next event.
    seq: u64,
    /// Time of the last event.
    now: Time,
    run: Option<RunId>,
    started: Time,
    nonce: String,
    link: Option<Link>,
    dry_run: bool,
    /// Whether writes that were cut off are taken back, too: they are not in runs of older plans, whose journals
    /// tell another story.
    doubts: bool,
    /// What every skill of the run sees.
    base: Scope,
    /// By number; `None` once nothing can ask for it any more.
    frames: Vec<Option<Box<Frame>>>,
    /// What may have a next event now.
    agenda: BTreeSet<Job>,
    /// Units that want to be looked at, and when.
    timers: BTreeSet<(Time, Place)>,
    /// Frames and when their time is over.
    deadlines: BTreeSet<(Time, usize)>,
    /// What the driver has not been told yet.
    signals: VecDeque<Signal>,
    /// Steps and items that can be taken back, in the order in which they ended.
    completed: Vec<Completed>,
    /// Frames that are being taken back.
    undoing: BTreeSet<usize>,
    /// The question that holds the run up before anything of it has begun.
    gate: Option<unit::Question>,
    /// The number of the event by which each step has asked last.
    asked: BTreeMap<StepPath, u64>,
    /// How often someone asked for the run's end.
    cancels: u32,
    ending: Option<Body>,
    /// No step begins any more.
    rests: bool,
}

/// What the driver must do now.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Write this down; then it is so.
    Record(Body),
    /// Call a tool. Its start has been recorded.
    Call(Call),
    /// Run a block. Its start has been recorded.
    Compute(ComputeCall),
    /// Find out whether a heal rule may act, and say so with [`Machine::admit`].
    Heal(HealCall),
    /// Ask the call or block at this step to stop.
    Stop(StepPath),
    /// End the call or block at this step at once.
    Kill(StepPath),
    /// Tell the call at this step what a person has answered.
    Answer {
        /// Which step.
        step: StepPath,
        /// One of the options.
        answer: String,
    },
}

/// One attempt at calling a tool.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// Which step.
    pub step: StepPath,
    /// From 1.
    pub attempt: u32,
    /// The tool's canonical name.
    pub tool: String,
    /// Arguments with secrets as references.
    pub args: Map<String, Value>,
    /// Same for every attempt at this step of this run.
    pub idempotency_key: String,
    /// Must be over by then.
    pub deadline: Option<Time>,
}

/// An event or request that does not fit the state it meets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Misfit {
    /// What does not fit.
    pub message: String,
}

/// A command to a call, until it is told.
#[derive(Clone, Copy, Debug)]
enum Signal {
    Call(Spot),
    Compute(Place),
    Heal(Place),
    Stop(Spot),
    Kill(Spot),
    Answer(Place),
}

impl Machine {
    /// The state before any event.
    pub fn new(plan: &Arc<Plan>) -> Self {
        let (layout, layouts) = Layout::prepare(plan);
        Self {
            layout,
            layouts,
            secrets: layout::secret_names(plan),
            seq: 0,
            now: Time::UNIX_EPOCH,
            run: None,
            started: Time::UNIX_EPOCH,
            nonce: String::new(),
            link: None,
            dry_run: false,
            doubts: plan.format >= 2,
            base: Scope::default(),
            frames: Vec::new(),
            agenda: BTreeSet::new(),
            timers: BTreeSet::new(),
            deadlines: BTreeSet::new(),
            signals: VecDeque::new(),
            completed: Vec::new(),
            undoing: BTreeSet::new(),
            gate: None,
            asked: BTreeMap::new(),
            cancels: 0,
            ending: None,
            rests: false,
        }
    }

    /// The trace that the run is, or is part of.
    pub fn trace(&self) -> Trace {
        Trace::new(&self.nonce, self.link.as_ref())
    }

    /// The state after these events.
    ///
    /// # Errors
    /// The first event that does not fit: the journal is corrupt, or another plan's.
    pub fn replay(plan: &Arc<Plan>, events: &[Event]) -> Result<Self, Misfit> {
        let mut machine = Self::new(plan);
        for event in events {
            machine.apply(event)?;
        }
        Ok(machine)
    }

    /// Folds one event into the state. The only way the state changes.
    ///
    /// # Errors
    /// The event does not fit. The state must not be used any more.
    pub fn apply(&mut self, event: &Event) -> Result<(), Misfit> {
        self.check_place_in_journal(event)?;
        self.fold(event)?;
        if let Body::ConfirmRequested { step, .. } = &event.body {
            self.asked.insert(step.clone(), event.seq);
        }
        self.seq += 1;
        self.now = self.now.max(event.at);
        self.expire(self.now);
        Ok(())
    }

    /// The next thing to do now, given the time; `None` when there is nothing. A record
    /// must be applied before the next poll.
    pub fn poll(&mut self, now: Time) -> Option<Command> {
        while let Some(signal) = self.signals.pop_front() {
            if let Some(command) = self.tell(signal) {
                return Some(command);
            }
        }
        self.next_record(now).map(Command::Record)
    }

    /// The next thing to write down, given the time; calls are left for [`Self::poll`].
    pub fn next_record(&mut self, now: Time) -> Option<Body> {
        if self.is_held_up() {
            return None;
        }
        let now = now.max(self.now);
        self.wake(now);
        while let Some(job) = self.agenda.first().copied() {
            let body = match job {
                Job::Unit(place) => self.decide_unit(place, now),
                Job::Fan(place) => self.decide_fan(place, now),
                Job::Frame(frame) => self.decide_frame(frame, now),
                Job::Undo(frame) => self.decide_undo(frame, now),
            };
            if body.is_some() && !(self.rests && matches!(body, Some(Body::StepStarted { .. }))) {
                return body;
            }
            self.agenda.remove(&job);
        }
        None
    }

    /// From now on no step begins. What has begun can end, and the run with it; else another machine goes on.
    pub fn begin_nothing(&mut self) {
        self.rests = true;
    }

    /// Whether no step begins any more.
    pub fn begins_nothing(&self) -> bool {
        self.rests
    }

    /// When to poll again at the latest although nothing happened.
    pub fn wake_at(&self) -> Option<Time> {
        self.timers.first().map(|(time, _)| *time)
    }

    /// Whether time alone moves the run on. A question without a default only lapses, which ends the run unless
    /// its step, or one around it, goes on after a failure.
    pub fn moves_by_itself(&self) -> bool {
        let lapses = |place: &Place| match self.unit(*place).map(|unit| &unit.state) {
            Some(unit::State::Asking(Some(question))) => question.default.is_none() && !self.outlives(*place),
            _ => false,
        };
        self.timers.iter().any(|(_, place)| !lapses(place))
    }

    /// Whether a failure at a place is not one of the run.
    fn outlives(&self, place: Place) -> bool {
        let parent = |place: &Place| self.frame(place.frame).and_then(|frame| frame.parent);
        std::iter::successors(Some(place), parent)
            .any(|place| self.step(place).is_some_and(|step| step.on_error.goes_on()))
    }

    /// Number of the next event.
    pub fn next_seq(&self) -> u64 {
        self.seq
    }

    /// Time of the last event; the next one's is not before it.
    pub fn last_at(&self) -> Time {
        self.now
    }

    /// The event with which the run ended, unless it runs, or is being taken back.
    pub fn ending(&self) -> Option<&Body> {
        self.ending.as_ref().filter(|_| self.undoing.is_empty())
    }

    /// Whether the run has ended before; it may still be taken back.
    pub fn is_over(&self) -> bool {
        self.ending.is_some()
    }

    /// Puts units whose time has come on the agenda.
    fn wake(&mut self, now: Time) {
        while let Some((time, place)) = self.timers.first().copied().filter(|(time, _)| *time <= now) {
            self.timers.remove(&(time, place));
            self.agenda.insert(Job::Unit(place));
            if matches!(self.unit(place).map(|unit| &unit.state), Some(unit::State::Retrying { .. })) {
                self.make_ready(place);
            }
        }
    }

    /// The command that a signal amounts to, if it still means anything.
    fn tell(&self, signal: Signal) -> Option<Command> {
        match signal {
            Signal::Call(spot) => self.call(spot).map(Command::Call),
            Signal::Compute(place) => self.compute(place).map(Command::Compute),
            Signal::Heal(place) => self.heal_call(place).map(Command::Heal),
            Signal::Stop(spot) => self.spot_path(spot).map(Command::Stop),
            Signal::Kill(spot) => self.spot_path(spot).map(Command::Kill),
            Signal::Answer(place) => self.answer_of_call(place),
        }
    }

    fn frame(&self, id: usize) -> Option<&Frame> {
        self.frames.get(id)?.as_deref()
    }

    fn frame_mut(&mut self, id: usize) -> Option<&mut Frame> {
        self.frames.get_mut(id)?.as_deref_mut()
    }

    /// Names of the secrets that its plan mentions.
    pub fn secrets(&self) -> &[String] {
        &self.secrets
    }

    /// The plan of the step at a place.
    fn step(&self, place: Place) -> Option<&StepPlan> {
        self.frame(place.frame)?.layout.step(place.step)
    }
}

impl Misfit {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }
}

fn misfit<T>(message: impl Into<String>) -> Result<T, Misfit> {
    Err(Misfit::new(message))
}

/// A time so many milliseconds later, as far as the calendar goes.
fn later(at: Time, ms: u64) -> Time {
    let delta = i64::try_from(ms).ok().and_then(TimeDelta::try_milliseconds);
    delta.and_then(|delta| at.checked_add_signed(delta)).unwrap_or(Time::MAX_UTC)
}

/// The earlier of two times that may be missing.
fn earliest(a: Option<Time>, b: Option<Time>) -> Option<Time> {
    a.into_iter().chain(b).min()
}

/// Milliseconds between two times; nothing when the clock went back.
fn elapsed(since: Time, now: Time) -> u64 {
    u64::try_from((now - since).num_milliseconds()).unwrap_or(0)
}

#[cfg(test)]
mod tests;
