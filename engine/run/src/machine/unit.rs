//! A unit: what is attempted, that is a step, or one item of a foreach step.

use serde_json::{Map, Value};

use super::place::{Job, Place};
use super::{Machine, Misfit};
use crate::event::{Resolution, StepError, Time};
use crate::machine::foreach::Fan;
use crate::machine::heal::Healing;
use crate::want::Want;

/// A unit from its first start to its end.
#[derive(Debug)]
pub(super) struct Unit {
    /// The last attempt that was started, from 1.
    pub(super) attempt: u32,
    /// Attempts of which nobody knows how they ended; they do not count as tries.
    pub(super) lost: u32,
    /// A failed attempt may have acted all the same, or something within has.
    pub(super) unsure: bool,
    /// A dead process had called it, and nobody has said how that ended.
    pub(super) adrift: bool,
    /// When the first attempt started.
    pub(super) since: Time,
    /// When the last attempt started.
    pub(super) started: Time,
    /// Heal rules that were tried, in order.
    pub(super) heals: Vec<String>,
    /// Those of them that were not let act.
    pub(super) refused: Vec<String>,
    /// Arguments of the last attempt, or inputs of the sub-skill.
    pub(super) args: Map<String, Value>,
    /// When the present attempt must be over.
    pub(super) deadline: Option<Time>,
    /// What the call that runs asks a person.
    pub(super) question: Option<Question>,
    /// What the person has answered it.
    pub(super) answer: Option<String>,
    pub(super) state: State,
}

/// What a unit is up to.
#[derive(Debug)]
pub(super) enum State {
    /// A tool is being called.
    Calling,
    /// A call that a dry run does not make.
    Answered,
    /// A person is asked; at first the question is still to be put.
    Asking(Option<Question>),
    /// The person has answered.
    Answer(String),
    /// Time passes.
    Sleeping { until: Time },
    /// A sub-skill runs in this frame.
    Nested { frame: usize },
    /// A block runs, whose calls are in this frame. `running` while a process is told to
    /// run it; not while it waits for calls that a dead process had begun.
    Computing { frame: usize, running: bool },
    /// The value with which the skill ends is to be made.
    Returning,
    /// An attempt failed, and the next one has its time.
    Retrying { until: Time, error: StepError },
    /// An attempt failed, and a heal rule is tried.
    Healing(Box<Healing>),
    /// An attempt failed, and the rule that was tried has not helped.
    Unhealed(StepError),
    /// The process died during a call.
    Unknown(Inquiry),
    /// Somebody knows how an unknown call ended.
    Resolved(Resolution),
    /// To be called again with the same arguments.
    Again,
}

/// An open question.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) options: Vec<String>,
    pub(super) form: Option<Value>,
    pub(super) default: Option<String>,
    pub(super) until: Option<Time>,
    pub(super) want: Option<Want>,
}

/// How far finding out about an unknown call has come.
#[derive(Clone, Debug)]
pub(super) enum Inquiry {
    /// Nobody has been asked yet.
    Open,
    /// The reconcile tool is being called with these arguments since that time.
    Asking { args: Map<String, Value>, since: Time, deadline: Option<Time> },
    /// Only a person can tell.
    Person,
}

/// How a step ended, for `steps.NAME`.
#[derive(Clone, Debug)]
pub(super) struct Ended {
    pub(super) status: Status,
    pub(super) error: Option<String>,
    pub(super) attempts: u32,
    pub(super) duration_ms: u64,
}

/// The end of a step in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Completed,
    Failed,
    Skipped,
}

/// A step of a frame.
#[derive(Debug)]
pub(super) enum StepState {
    /// Waits for other steps, or for a free slot.
    Pending,
    /// Runs.
    Active(Box<Unit>),
    /// Runs once per item.
    Fan(Box<Fan>),
    /// Is over.
    Ended,
}

impl Unit {
    /// Whether it may have acted although it has not completed.
    pub(super) fn may_have_acted(&self) -> bool {
        self.unsure || self.adrift
    }

    /// Whether it counts against the skill's concurrency: people and clocks are waited for
    /// in any number.
    fn holds_slot(&self) -> bool {
        matches!(
            self.state,
            State::Calling
                | State::Answered
                | State::Nested { .. }
                | State::Computing { .. }
                | State::Returning
        )
    }

    /// When it wants to be looked at although nothing happened.
    fn timer(&self) -> Option<Time> {
        match &self.state {
            State::Retrying { until, .. } => Some(*until),
            State::Sleeping { until } => Some(self.deadline.map_or(*until, |deadline| deadline.min(*until))),
            State::Asking(Some(question)) => question.until,
            State::Healing(healing) => healing.patience(),
            _ => None,
        }
    }

    /// The frame that must be over before this can go on, other than that of a block.
    pub(super) fn inner(&self) -> Option<usize> {
        match &self.state {
            State::Nested { frame } => Some(*frame),
            State::Healing(healing) => healing.frame(),
            _ => None,
        }
    }

    /// Tries so far.
    pub(super) fn tries(&self) -> u32 {
        self.attempt.saturating_sub(self.lost)
    }
}

impl Machine {
    /// The unit at a place, while it runs.
    pub(super) fn unit(&self, place: Place) -> Option<&Unit> {
        match (self.frame(place.frame)?.steps.get(place.step)?, place.item) {
            (StepState::Active(unit), None) => Some(unit),
            (StepState::Fan(fan), Some(item)) => fan.active.get(&item).map(|unit| &**unit),
            _ => None,
        }
    }

    pub(super) fn unit_mut(&mut self, place: Place) -> Option<&mut Unit> {
        match (self.frame_mut(place.frame)?.steps.get_mut(place.step)?, place.item) {
            (StepState::Active(unit), None) => Some(unit),
            (StepState::Fan(fan), Some(item)) => fan.active.get_mut(&item).map(|unit| &mut **unit),
            _ => None,
        }
    }

    /// The foreach step at a place, while it runs.
    pub(super) fn fan(&self, place: Place) -> Option<&Fan> {
        match self.frame(place.frame)?.steps.get(place.step)? {
            StepState::Fan(fan) => Some(fan),
            _ => None,
        }
    }

    pub(super) fn fan_mut(&mut self, place: Place) -> Option<&mut Fan> {
        match self.frame_mut(place.frame)?.steps.get_mut(place.step)? {
            StepState::Fan(fan) => Some(fan),
            _ => None,
        }
    }

    /// Puts a unit into its place, with its slot and timer.
    pub(super) fn put(&mut self, place: Place, unit: Box<Unit>) -> Result<(), Misfit> {
        let (slot, timer) = (unit.holds_slot(), unit.timer());
        let lost = || Misfit::new("a step has lost its place");
        match place.item {
            None => {
                let frame = self.frame_mut(place.frame).ok_or_else(lost)?;
                *frame.steps.get_mut(place.step).ok_or_else(lost)? = StepState::Active(unit);
                frame.active.insert(place.step);
                frame.busy += usize::from(slot);
            }
            Some(item) => {
                let fan = self.fan_mut(place).ok_or_else(lost)?;
                fan.active.insert(item, unit);
            }
        }
        self.timers.extend(timer.map(|time| (time, place)));
        self.agenda.insert(Job::Unit(place));
        Ok(())
    }

    /// Takes a unit out of its place, freeing slot and timer. A single step is left
    /// pending; it must be put back or ended.
    pub(super) fn take(&mut self, place: Place) -> Option<Box<Unit>> {
        self.unit(place)?;
        let unit = match place.item {
            None => {
                let frame = self.frame_mut(place.frame)?;
                frame.active.remove(&place.step);
                frame.ready.remove(&place.step);
                let StepState::Active(unit) =
                    std::mem::replace(frame.steps.get_mut(place.step)?, StepState::Pending)
                else {
                    return None;
                };
                frame.busy = frame.busy.saturating_sub(usize::from(unit.holds_slot()));
                self.agenda.insert(Job::Frame(place.frame));
                unit
            }
            Some(item) => {
                let fan = self.fan_mut(place)?;
                let unit = fan.active.remove(&item)?;
                fan.ready.remove(&item);
                self.agenda.insert(Job::Fan(place.fan()));
                unit
            }
        };
        if let Some(time) = unit.timer() {
            self.timers.remove(&(time, place));
        }
        Some(unit)
    }

    /// Lets a unit start its next attempt as soon as there is a slot.
    pub(super) fn make_ready(&mut self, place: Place) {
        match place.item {
            None => {
                if let Some(frame) = self.frame_mut(place.frame) {
                    frame.ready.insert(place.step);
                }
                self.agenda.insert(Job::Frame(place.frame));
            }
            Some(item) => {
                if let Some(fan) = self.fan_mut(place) {
                    fan.ready.insert(item);
                }
                self.agenda.insert(Job::Fan(place.fan()));
            }
        }
    }
}
