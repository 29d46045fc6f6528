//! A compute step that runs: its block, and the calls that the block has made so far.
//!
//! A block's calls are steps of a frame of their own, `health/1_git_log`, made up as the
//! block asks for them. So they are written down, recovered, resolved, cancelled and taken
//! back like all other steps. A block that has lost its process is run again from its
//! beginning, and the calls that it had made are answered from here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aa_spec::compute::{Block, CalleeKind};
use aa_spec::name;
use aa_spec::plan::{Action, StepPlan};
use aa_spec::skill::OnError;
use aa_spec::template::{Scope, seal};
use aa_spec::tool::ErrorKind;
use serde_json::{Map, Value};

use super::frame::{Frame, Opening, Stop};
use super::layout::Layout;
use super::place::{Job, Place, Spot};
use super::unit::State;
use super::{Machine, Misfit, Signal, misfit};
use crate::compute::{Computed, HostCall};
use crate::event::{Body, StepError, StepPath, Time};

/// What the frame of a block's calls has besides them.
#[derive(Debug)]
pub(super) struct Script {
    /// What the block sees. Taken when the attempt starts, so that a block that is run
    /// again sees the same, whatever other steps have done meanwhile.
    scope: Scope,
    /// When the attempt started.
    at: Time,
    /// One for each step of the frame.
    calls: Vec<Asked>,
}

/// A call that a block has asked for.
#[derive(Debug)]
struct Asked {
    target: String,
    /// `None` when it failed before it could start.
    args: Option<Map<String, Value>>,
    answer: Option<Result<Value, StepError>>,
}

/// One run of a block.
#[derive(Clone, Debug, PartialEq)]
pub struct ComputeCall {
    /// Which step.
    pub step: StepPath,
    /// From 1.
    pub attempt: u32,
    /// Canonical name of the skill whose file the block is in.
    pub skill: String,
    /// What to run.
    pub block: Arc<Block>,
    /// The values of what it reads, or why it cannot have them.
    pub names: Result<Map<String, Value>, StepError>,
    /// Every name that has a value, if the block asks for them.
    pub known: Vec<String>,
    /// What its clock shows.
    pub now: Time,
    /// Must be over by then.
    pub deadline: Option<Time>,
    /// The calls that this attempt has made before, in order.
    pub done: Vec<Made>,
}

/// A call that a block has made, and its answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Made {
    /// The tool or skill.
    pub target: String,
    /// Its arguments, or the bound inputs of a skill; `None` when it failed before it started.
    pub args: Option<Map<String, Value>>,
    /// What came of it.
    pub answer: Result<Value, StepError>,
}

impl Made {
    /// Whether a block that is run again asks for the same.
    pub fn is(&self, call: &HostCall) -> bool {
        // The inputs of a skill are written down with their defaults filled in.
        let held = |(name, value): (&String, &Value), args: &Map<String, Value>| {
            let folded = name::fold(name);
            let known = args.iter().find(|(arg, _)| **arg == *name || name::fold(arg) == folded);
            known.is_some_and(|(_, known)| known == value || value.is_null())
        };
        self.target == call.target
            && self.args.as_ref().is_none_or(|args| call.args.iter().all(|given| held(given, args)))
    }
}

impl Script {
    /// Takes down how a call ended.
    pub(super) fn answer(&mut self, call: usize, answer: Result<Value, StepError>) {
        if let Some(asked) = self.calls.get_mut(call) {
            asked.answer = Some(answer);
        }
    }

    fn done(&self) -> Vec<Made> {
        let made = |asked: &Asked| {
            let answer = asked.answer.clone()?;
            Some(Made { target: asked.target.clone(), args: asked.args.clone(), answer })
        };
        self.calls.iter().map_while(made).collect()
    }
}

impl Machine {
    /// Opens the frame for the calls of a block that starts.
    pub(super) fn open_script(&mut self, place: Place, (at, deadline): (Time, Option<Time>)) -> usize {
        let skill = self.frame(place.frame).map_or("", |frame| frame.layout.skill().name.as_str());
        let layout = Arc::new(Layout::script(skill));
        let script = Script { scope: self.scope(place), at, calls: Vec::new() };
        let inputs = Map::new();
        let id = self.open_frame(Opening { layout, parent: Some(place), inputs: &inputs, at, deadline });
        if let Some(frame) = self.frame_mut(id) {
            frame.script = Some(Box::new(script));
        }
        self.signals.push_back(Signal::Compute(place));
        id
    }

    /// The block to run at a place, if it is to be run.
    pub(super) fn compute(&self, place: Place) -> Option<ComputeCall> {
        let unit = self.unit(place)?;
        let State::Computing { frame, running: true } = unit.state else { return None };
        let script = self.frame(frame)?.script.as_ref()?;
        let block = self.block(place)?;
        let mut known = if block.lists_names { script.scope.known() } else { Vec::new() };
        known.retain(|name| is_for_blocks(name));
        let skill = self.frame(place.frame)?.layout.skill();
        Some(ComputeCall {
            step: self.path(place),
            attempt: unit.attempt,
            skill: skill.name.clone(),
            block: Arc::new(block.clone()),
            names: readable(block, &script.scope, skill.lenient),
            known,
            now: script.at,
            deadline: unit.deadline,
            done: script.done(),
        })
    }

    fn block(&self, place: Place) -> Option<&Block> {
        match &self.step(place)?.action {
            Action::Compute { block } => Some(block),
            _ => None,
        }
    }

    /// The event with which a block's next call starts, or fails at once.
    ///
    /// # Errors
    /// Why the block must not go on.
    pub fn host_call(&self, step: &StepPath, call: &HostCall, now: Time) -> Result<Body, StepError> {
        let invalid = |message: String| StepError::new(ErrorKind::Invalid, message);
        let now = now.max(self.now);
        let place = self.place(step).map_err(|misfit| invalid(misfit.message))?;
        let Some((id, frame)) = self.running_script(place) else {
            return Err(invalid(format!("no block is running at `{step}`")));
        };
        self.may_call(place, frame, now)?;
        let number = frame.steps.len() + 1;
        if usize::try_from(call.number).ok() != Some(number) || !frame.active.is_empty() {
            return Err(invalid(format!("call {} of the block comes out of turn", call.number)));
        }
        let Some(plan) = self.call_plan(place, number, &call.target) else {
            return Err(invalid(format!("`{}` is none of the calls that the plan knows", call.target)));
        };
        let step = StepPath(format!("{step}/{}", plan.name));
        let (kind, args) = match &plan.action {
            Action::Skill { skill, .. } => ("skill", self.bound(id, skill, &call.args)),
            _ => ("tool", Ok(call.args.clone())),
        };
        Ok(match args {
            Ok(args) => Body::StepStarted {
                step,
                attempt: 1,
                kind: kind.to_owned(),
                target: Some(call.target.clone()),
                args: Some(Value::Object(args)),
                until: frame.deadline,
                items: None,
            },
            Err(error) => Body::StepFailed { step, error, continued: true, duration_ms: 0 },
        })
    }

    /// The frame of the calls of a block that runs at a place.
    fn running_script(&self, place: Place) -> Option<(usize, &Frame)> {
        match self.unit(place)?.state {
            State::Computing { frame, running: true } => Some((frame, self.frame(frame)?)),
            _ => None,
        }
    }

    /// Whether a block may make one more call.
    fn may_call(&self, place: Place, frame: &Frame, now: Time) -> Result<(), StepError> {
        if self.is_halted(place) {
            return Err(StepError::new(ErrorKind::Cancelled, self.reason(place)));
        }
        let late = frame.deadline.is_some_and(|deadline| deadline <= now);
        if late || matches!(frame.stop, Some(Stop::Failed { .. })) {
            return Err(StepError::new(ErrorKind::Timeout, "the step's time is over"));
        }
        Ok(())
    }

    /// A call of a block as a step, if the plan knows it. A failure is for the block to
    /// deal with, so it brings nothing down by itself.
    fn call_plan(&self, place: Place, number: usize, target: &str) -> Option<StepPlan> {
        let block = self.block(place)?;
        let callee = block.calls.get(target)?;
        let name = format!("{number}_{target}");
        let args = BTreeMap::new();
        let target = target.to_owned();
        Some(StepPlan {
            output: name.clone(),
            name,
            description: String::new(),
            action: match callee.kind {
                CalleeKind::Tool => Action::Tool {
                    tool: target,
                    args,
                    nullable: BTreeSet::new(),
                    reconcile: callee.reconcile.clone(),
                },
                CalleeKind::Skill => Action::Skill { skill: target, args },
            },
            needs: Vec::new(),
            effect: callee.effect,
            idempotent: callee.idempotent,
            condition: None,
            condition_per_item: false,
            foreach: None,
            retry: None,
            timeout_ms: None,
            on_error: OnError::Continue,
            undo: None,
            validate: Vec::new(),
            line: block.line,
        })
    }

    /// Makes a step of a path that is the next call of a running block.
    pub(super) fn admit_call(&mut self, path: &StepPath, args: Option<&Value>) {
        let Some((outer, name)) = path.0.rsplit_once('/') else { return };
        let Ok(Spot::Unit(place)) = self.locate(&StepPath(outer.to_owned())) else { return };
        let Some((id, frame)) = self.running_script(place) else { return };
        let number = frame.steps.len() + 1;
        let target = name.strip_prefix(&format!("{number}_"));
        let Some(target) = target.filter(|_| frame.active.is_empty() && frame.stop.is_none()) else { return };
        let Some(plan) = self.call_plan(place, number, target) else { return };
        let args = args.and_then(Value::as_object).cloned();
        let asked = Asked { target: target.to_owned(), args, answer: None };
        if let Some(frame) = self.frame_mut(id) {
            frame.grow(plan);
            if let Some(script) = &mut frame.script {
                script.calls.push(asked);
            }
        }
    }

    /// Whether nothing is left of a block's calls that has started and not ended.
    pub(super) fn is_quiet(&self, script: usize) -> bool {
        self.frame(script).is_some_and(|frame| frame.active.is_empty())
    }

    /// A call of a block is over. A block that was only waiting for that, because its
    /// process had died, is run again.
    pub(super) fn go_on_computing(&mut self, script: usize) -> Result<(), Misfit> {
        let frame = self.frame(script).filter(|frame| frame.script.is_some() && frame.active.is_empty());
        let Some(place) = frame.and_then(|frame| frame.parent) else { return Ok(()) };
        self.agenda.insert(Job::Unit(place));
        let waits =
            matches!(self.unit(place).map(|unit| &unit.state), Some(State::Computing { running: false, .. }));
        if !waits || self.is_halted(place) {
            return Ok(());
        }
        self.signals.push_back(Signal::Compute(place));
        self.change(place, |_| Some(State::Computing { frame: script, running: true }))
    }

    /// The event that the end of a block amounts to: completed, retrying or failed.
    ///
    /// # Errors
    /// No block is running at this step, or a call of it is.
    pub fn settle_block(
        &self,
        step: &StepPath,
        result: Result<Computed, StepError>,
        now: Time,
    ) -> Result<Body, Misfit> {
        let place = self.place(step)?;
        if self.running_script(place).is_none_or(|(_, frame)| !frame.active.is_empty()) {
            return misfit(format!("no block can end at `{step}`"));
        }
        let now = now.max(self.now);
        if self.has_returned(place) && matches!(&result, Err(error) if error.kind == ErrorKind::Cancelled) {
            return Ok(self.dropped(place, now));
        }
        let (value, read) = match result {
            Ok(computed) => (Ok(computed.value), computed.reads),
            Err(error) => (Err(error), Vec::new()),
        };
        let mut body = self.conclude(place, value, now);
        if let Body::StepCompleted { reads, .. } = &mut body {
            *reads = read;
        }
        Ok(body)
    }
}

/// The values of what a block reads, those that have one; read leniently, the others are null.
fn readable(block: &Block, scope: &Scope, lenient: bool) -> Result<Map<String, Value>, StepError> {
    let invalid = |message: String| StepError::new(ErrorKind::Invalid, message);
    let mut names = Map::new();
    for name in block.reads.iter().filter(|name| is_for_blocks(name)) {
        let Some(value) = scope.json(name) else {
            if lenient {
                names.insert(name.clone(), Value::Null);
            }
            continue;
        };
        let value = value.map_err(|error| invalid(format!("the block cannot have `{name}`: {error}")))?;
        // Worked on, it would no longer be what a tool can open.
        if !seal::is_clean(&value) {
            let why = "a secret cannot be read in Python";
            return Err(invalid(format!("the block cannot have `{name}`: {why}, only given to a tool")));
        }
        names.insert(name.clone(), value);
    }
    Ok(names)
}

/// Whether a block may have a name of the skill: not what is a function there, and not
/// sealed secrets, which would be texts like any other to it.
fn is_for_blocks(name: &str) -> bool {
    !matches!(name, "secrets" | "now")
}
