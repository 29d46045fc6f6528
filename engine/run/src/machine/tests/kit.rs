//! Plans in a few words, and a world that answers calls without any task or clock.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aa_spec::plan::Plan;
use aa_spec::tool::ErrorKind;
use serde_json::{Map, Value, json};

use super::blocks::Running;
use crate::event::{Body, Event, Origin, RunId, StepError, StepPath, Time};
use crate::machine::{Admission, Call, Command, HealCall, Machine};

/// Completes a sparse step to the JSON of a step plan.
fn step(sparse: &Value, index: usize) -> Value {
    let mut full = json!({
        "name": format!("s{index}"), "needs": [], "effect": "write", "idempotent": false,
        "on_error": "fail", "line": 1,
    });
    merge(&mut full, sparse);
    if full.get("output").is_none() {
        full["output"] = full["name"].clone();
    }
    for (key, defaults) in [
        (
            "retry",
            json!({"backoff": "constant", "delay_ms": 1000, "max_delay_ms": 60_000, "on": ["transient"]}),
        ),
        ("foreach", json!({"concurrency": 1})),
        ("undo", json!({"args": {}})),
    ] {
        if let Some(given) = full.get(key).cloned() {
            let mut whole = defaults;
            merge(&mut whole, &given);
            full[key] = whole;
        }
    }
    if let Some(tool) = full.as_object_mut().and_then(|full| full.remove("tool")) {
        let args = full.as_object_mut().and_then(|full| full.remove("args")).unwrap_or(json!({}));
        let reconcile = full.as_object_mut().and_then(|full| full.remove("reconcile"));
        let nullable = full.as_object_mut().and_then(|full| full.remove("nullable")).unwrap_or(json!([]));
        full["action"] =
            json!({"tool": {"tool": tool, "args": args, "nullable": nullable, "reconcile": reconcile}});
    }
    if let Some(block) = full.as_object_mut().and_then(|full| full.remove("block")) {
        full["action"] = json!({"compute": {"block": super::blocks::block(&block)}});
    }
    full
}

fn merge(into: &mut Value, from: &Value) {
    if let (Some(into), Some(from)) = (into.as_object_mut(), from.as_object()) {
        into.extend(from.clone());
    }
}

/// Completes a sparse skill to the JSON of a skill plan.
fn skill(name: &str, sparse: &Value) -> Value {
    let mut full = json!({
        "name": name, "description": "", "inputs": [], "on_failure": "stop", "concurrency": 16, "outputs": [],
    });
    merge(&mut full, sparse);
    let steps = sparse["steps"].as_array().cloned().unwrap_or_default();
    full["steps"] = steps.iter().enumerate().map(|(index, sparse)| step(sparse, index)).collect();
    full
}

/// A plan from a sparse skill and its sparse sub-skills.
pub(super) fn plan_with(main: &Value, others: &[(&str, Value)]) -> Arc<Plan> {
    let others: Map<String, Value> =
        others.iter().map(|(name, sparse)| ((*name).to_owned(), skill(name, sparse))).collect();
    let heal = main.get("heal").cloned().unwrap_or(json!([]));
    let plan = json!({"format": 2, "skill": skill("main", main), "skills": others, "heal": heal});
    Arc::new(serde_json::from_value(plan).unwrap())
}

/// A plan from a sparse skill.
pub(super) fn plan(main: &Value) -> Arc<Plan> {
    plan_with(main, &[])
}

/// A plan of these steps.
pub(super) fn steps(steps: &Value) -> Arc<Plan> {
    plan(&json!({ "steps": steps }))
}

pub(super) fn at(ms: i64) -> Time {
    Time::from_timestamp_millis(1_800_000_000_000 + ms).unwrap()
}

pub(super) fn fault(kind: ErrorKind, message: &str) -> StepError {
    StepError::new(kind, message)
}

/// The tools of a test: what a call comes to.
pub(super) type Tools = Arc<dyn Fn(&Call) -> Result<Value, StepError> + Send + Sync>;

/// A tool box in which `fail_N` fails the first N attempts and everything else answers
/// with its arguments.
pub(super) fn tools() -> Tools {
    Arc::new(|call: &Call| match call.tool.strip_prefix("fail_").map(str::parse::<u32>) {
        Some(Ok(times)) if call.attempt <= times => Err(fault(ErrorKind::Transient, "try again")),
        Some(Err(_)) => Err(fault(ErrorKind::Permanent, "no")),
        _ => Ok(call.args.get("give").cloned().unwrap_or(Value::Object(call.args.clone()))),
    })
}

/// A run in a world without tasks: calls wait until the test lets them end.
pub(super) struct World {
    pub(super) machine: Machine,
    pub(super) plan: Arc<Plan>,
    pub(super) events: Vec<Event>,
    pub(super) now: i64,
    pub(super) tools: Tools,
    /// Calls that have started and not ended.
    pub(super) open: Vec<Call>,
    /// Blocks that have started and not ended.
    pub(super) blocks: Vec<Running>,
    /// Every call that was made.
    pub(super) made: Vec<Call>,
    /// Steps whose calls took effect, each with the number of the event that says so.
    pub(super) effects: Vec<(u64, StepPath)>,
    /// Calls that were asked to stop, and killed.
    pub(super) stopped: BTreeSet<StepPath>,
    pub(super) killed: BTreeSet<StepPath>,
    /// What heal rules are told; nothing leaves them waiting.
    pub(super) gate: fn(&HealCall) -> Option<Admission>,
    /// Which of the open calls ends next.
    pub(super) choose: Box<dyn FnMut(usize) -> usize>,
    /// Milliseconds that each call takes.
    pub(super) pace: i64,
}

impl World {
    /// A run that has just been created.
    pub(super) fn new(plan: Arc<Plan>) -> Self {
        Self::with(plan, &json!({}))
    }

    /// A run with changes to its first event.
    pub(super) fn with(plan: Arc<Plan>, start: &Value) -> Self {
        let mut body = json!({
            "event": "skill_started", "skill": "main", "plan": "hash", "nonce": "nonce", "inputs": {},
            "config": {"region": "eu"}, "folder": "/work",
        });
        merge(&mut body, start);
        let mut world = Self::replay(plan, &[]);
        world.record(serde_json::from_value(body).unwrap());
        world
    }

    /// A run whose first events are known.
    pub(super) fn replay(plan: Arc<Plan>, events: &[Event]) -> Self {
        let machine = Machine::replay(&plan, events).unwrap();
        let now = events.last().map_or(0, |event| event.at.timestamp_millis() - at(0).timestamp_millis());
        Self {
            machine,
            plan,
            events: events.to_vec(),
            now,
            tools: tools(),
            open: Vec::new(),
            blocks: Vec::new(),
            made: Vec::new(),
            effects: Vec::new(),
            stopped: BTreeSet::new(),
            killed: BTreeSet::new(),
            gate: |_| Some(Admission::Granted),
            choose: Box::new(|_| 0),
            pace: 10,
        }
    }

    /// The run in a new process: whatever was being called is unknown.
    pub(super) fn crash(&self, kept: usize) -> Self {
        let mut world = Self::replay(Arc::clone(&self.plan), &self.events[..kept]);
        world.tools = Arc::clone(&self.tools);
        world.effects = self.effects.iter().filter(|(seq, _)| *seq < kept as u64).cloned().collect();
        if world.machine.ending().is_none() {
            let resumed = world.machine.resume(crate::machine::Left::default());
            world.record(resumed);
        }
        world
    }

    pub(super) fn tools(
        mut self,
        tools: impl Fn(&Call) -> Result<Value, StepError> + Send + Sync + 'static,
    ) -> Self {
        self.tools = Arc::new(tools);
        self
    }

    pub(super) fn record(&mut self, body: Body) {
        let seq = self.events.len() as u64;
        let event = Event { run_id: RunId(1), seq, at: at(self.now), source: Origin::Cli, body };
        if let Err(misfit) = self.machine.apply(&event) {
            panic!("{misfit}: {event:?}\n{}", self.story());
        }
        self.hear(&event.body);
        self.events.push(event);
    }

    /// Does what the machine wants until it has nothing more to say.
    pub(super) fn poll(&mut self) {
        while let Some(command) = self.machine.poll(at(self.now)) {
            match command {
                Command::Record(body) => self.record(body),
                Command::Call(call) => {
                    self.open.push(call.clone());
                    self.made.push(call);
                }
                Command::Compute(call) => self.blocks.push(Running::new(call)),
                Command::Heal(call) => {
                    if let Some(admission) = (self.gate)(&call) {
                        let body = self.machine.admit(&call.step, call.seq, admission, at(self.now)).unwrap();
                        self.record(body);
                    }
                }
                Command::Stop(step) => {
                    self.stopped.insert(step);
                }
                Command::Kill(step) => {
                    self.killed.insert(step);
                }
                // No call here asks.
                Command::Answer { .. } => {}
            }
            assert!(self.events.len() < 10_000, "the machine does not come to an end:\n{}", self.story());
        }
    }

    /// Ends one call as its tool says, or as stopped.
    pub(super) fn end(&mut self, index: usize) {
        let call = self.open.remove(index);
        self.now += self.pace;
        let ended = self.stopped.contains(&call.step) || self.killed.contains(&call.step);
        let late = call.deadline.is_some_and(|deadline| deadline < at(self.now));
        let result = if ended {
            let cut_off = json!({crate::event::MAY_HAVE_ACTED: true});
            Err(StepError { details: cut_off, ..fault(ErrorKind::Cancelled, "stopped") })
        } else if late {
            Err(fault(ErrorKind::Timeout, "too late"))
        } else {
            self.effects.push((self.events.len() as u64, call.step.clone()));
            (self.tools)(&call)
        };
        let body = self.machine.settle(&call.step, result, at(self.now)).unwrap();
        self.record(body);
    }

    /// One turn of what a driver does; false when only a person can move the run on.
    pub(super) fn turn(&mut self) -> bool {
        self.poll();
        let blocks = self.free_blocks();
        if !self.open.is_empty() || !blocks.is_empty() {
            let index = (self.choose)(self.open.len() + blocks.len());
            match index.checked_sub(self.open.len()) {
                None => self.end(index),
                Some(block) => self.step_block(blocks[block]),
            }
            return true;
        }
        match self.machine.wake_at() {
            Some(time) if self.machine.ending().is_none() => {
                self.now = self.now.max(time.timestamp_millis() - at(0).timestamp_millis());
                true
            }
            _ => false,
        }
    }

    /// Runs until the end, or until only a person can move the run on.
    pub(super) fn run(&mut self) -> &mut Self {
        while self.turn() {}
        self
    }

    pub(super) fn cancel(&mut self) {
        self.record(Body::CancelRequested { by: "ann".to_owned(), reason: String::new() });
    }

    pub(super) fn answer(&mut self, step: &str, answer: &str) {
        let step = StepPath(step.to_owned());
        self.record(Body::ConfirmAnswered { step, answer: answer.to_owned(), by: "ann".to_owned() });
    }

    /// The events, one line each, as a person would tell them.
    pub(super) fn story(&self) -> String {
        let lines: Vec<String> = self.events.iter().skip(1).map(|event| line(&event.body)).collect();
        lines.join("\n")
    }

    /// Outputs of a run that has completed.
    pub(super) fn outputs(&self) -> Value {
        match self.machine.ending() {
            Some(Body::SkillCompleted { outputs, .. }) => Value::Object(outputs.clone()),
            other => panic!("the run has not completed but {other:?}\n{}", self.story()),
        }
    }

    /// Runs to the end; `person` moves on what only a person can.
    pub(super) fn run_with(&mut self, mut person: impl FnMut(&mut Self, &StepPath)) -> &mut Self {
        loop {
            self.run();
            let waiting = self.machine.waiting();
            let Some(step) = waiting.first().filter(|_| self.machine.ending().is_none()) else { return self };
            person(self, step);
        }
    }

    /// How often each event that ends a run is in the journal.
    pub(super) fn endings(&self) -> usize {
        let ends = |body: &Body| {
            matches!(
                body,
                Body::SkillCompleted { .. } | Body::SkillFailed { .. } | Body::SkillCancelled { .. }
            )
        };
        self.events.iter().filter(|event| ends(&event.body)).count()
    }

    /// How each step ended, and with what: the part of a run that crashes must not change.
    pub(super) fn results(&self) -> BTreeMap<String, String> {
        let mut results = BTreeMap::new();
        for event in &self.events {
            let (step, result) = match &event.body {
                Body::StepCompleted { step, output, .. } => (step.0.clone(), format!("completed {output}")),
                Body::StepFailed { step, error, .. } => (step.0.clone(), format!("failed {}", error.message)),
                Body::StepSkipped { step, .. } => (step.0.clone(), "skipped".to_owned()),
                Body::SkillCompleted { outputs, .. } => {
                    (String::new(), format!("completed {}", Value::Object(outputs.clone())))
                }
                Body::SkillFailed { error, .. } => (String::new(), format!("failed {}", error.message)),
                Body::SkillCancelled { .. } => (String::new(), "cancelled".to_owned()),
                _ => continue,
            };
            results.insert(step, result);
        }
        results
    }
}

fn line(body: &Body) -> String {
    match body {
        Body::StepStarted { step, attempt, kind, target, args, items, .. } => {
            let target = target.as_ref().map(|target| format!(" {target}")).unwrap_or_default();
            let args = args.as_ref().filter(|args| **args != json!({}));
            let args = args.map(|args| format!(" {args}")).unwrap_or_default();
            let attempt = if *attempt > 1 { format!(" attempt {attempt}") } else { String::new() };
            let items = items.map(|items| format!(" items {items}")).unwrap_or_default();
            format!("{step} started: {kind}{target}{args}{attempt}{items}")
        }
        Body::StepRetrying { step, attempt, error, .. } => {
            format!("{step} retrying after {attempt}: {}", error.message)
        }
        Body::HealStarted { step, rule, error, target, args, .. } => {
            let why = error.as_ref().map(|error| error.message.as_str()).unwrap_or_default();
            let (target, args) = (target.clone().unwrap_or_default(), args.clone().unwrap_or_default());
            format!("{step} heals by {rule}: {why} -> {target} {args}")
        }
        Body::HealFinished { step, rule, healed, note, .. } => {
            let not = if *healed { "" } else { "not " };
            let note = if note.is_empty() { String::new() } else { format!(": {note}") };
            format!("{step} {not}healed by {rule}{note}")
        }
        Body::ConfirmRequested { step, message, options, .. } => {
            format!("{step} asks: {message} {options:?}")
        }
        Body::ConfirmAnswered { step, answer, by } => format!("{step} answered: {answer} by {by}"),
        Body::StepCompleted { step, output, .. } => format!("{step} completed: {output}"),
        Body::StepFailed { step, error, continued, .. } => {
            let continued = if *continued { ", continued" } else { "" };
            format!("{step} failed{continued}: {:?} {}", error.kind, error.message)
        }
        Body::StepSkipped { step, reason } => format!("{step} skipped: {reason}"),
        Body::CancelRequested { .. } => "cancel requested".to_owned(),
        Body::RunResumed { unknown, .. } => format!("resumed, unknown: {unknown:?}"),
        Body::StepResolved { step, resolution, by } => format!("{step} resolved by {by}: {resolution:?}"),
        Body::UndoStarted { by, step, error } => {
            let step = step.as_ref().map(|step| format!(" of {step}")).unwrap_or_default();
            let error = error.as_ref().map(|error| format!(": {}", error.message)).unwrap_or_default();
            format!("undo{step} started by {by}{error}")
        }
        Body::UndoFinished { step, failed } => {
            let step = step.as_ref().map(|step| format!(" of {step}")).unwrap_or_default();
            format!("undo{step} finished, failed: {failed:?}")
        }
        Body::SkillCompleted { outputs, .. } => format!("run completed: {}", Value::Object(outputs.clone())),
        Body::SkillFailed { error, step, .. } => {
            format!("run failed at {}: {}", step.as_ref().map_or("-", |step| step.0.as_str()), error.message)
        }
        Body::SkillCancelled { .. } => "run cancelled".to_owned(),
        other => format!("{other:?}"),
    }
}
