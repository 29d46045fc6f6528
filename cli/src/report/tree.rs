//! What the events of a run say about each step, as a tree.
//!
//! Pure, and a fold like the engine's own: the live display, plain lines and
//! `aa run show` all read the same tree.

use std::collections::HashMap;

use aa_run::course::parent;
use aa_run::event::{Body, Event, Resolution, RunId, StepError, StepPath, Time};
use aa_run::machine::APPROVAL;
use serde_json::{Map, Value};

use crate::words;

/// A run as far as its events are known.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    /// Its number; 0 before the first event.
    pub(crate) run: i64,
    /// Canonical name of the skill.
    pub(crate) skill: String,
    /// When it started.
    pub(crate) started_at: Option<Time>,
    /// Whether it only reads, and what it would write is answered from the plan.
    pub(crate) dry_run: bool,
    /// Steps in the order in which they were first heard of.
    pub(crate) nodes: Vec<Node>,
    /// Nodes without a parent.
    pub(crate) top: Vec<usize>,
    /// How it ended, once it has.
    pub(crate) ending: Option<Ending>,
    /// Whether it is taken back after its end.
    pub(crate) taking_back: TakingBack,
    by_path: HashMap<StepPath, usize>,
}

/// One step, item or nested step.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// Where it is.
    pub(crate) path: StepPath,
    /// The step or item that it is part of.
    pub(crate) parent: Option<usize>,
    /// Its own parts.
    pub(crate) children: Vec<usize>,
    /// `tool`, `skill`, `compute`, `confirm`, `wait`, `then`, `foreach`; empty when it never
    /// started.
    pub(crate) kind: String,
    /// The tool or skill.
    pub(crate) target: Option<String>,
    /// How it is doing.
    pub(crate) state: State,
    /// When its first attempt started.
    pub(crate) started_at: Time,
    /// The attempt that is on, or was the last.
    pub(crate) attempt: u32,
    /// What it took, in milliseconds, once it is over.
    pub(crate) duration_ms: u64,
    /// The last line that it printed.
    pub(crate) line: String,
    /// What it was warned of before it started.
    pub(crate) warnings: Vec<String>,
    /// Number of items of a foreach step.
    pub(crate) items: Option<u64>,
    /// How many of its parts are over, and how.
    pub(crate) parts: Parts,
}

/// How a step is doing.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum State {
    /// It goes on.
    Running,
    /// It failed and is tried again.
    Retrying {
        /// Why it failed.
        error: StepError,
        /// When the next attempt starts.
        until: Time,
    },
    /// It waits until then.
    Waiting(Time),
    /// It asks a person.
    Asking(Question),
    /// It has its result; for `confirm`, the answer.
    Done(String),
    /// It failed for good.
    Failed {
        /// Why.
        error: StepError,
        /// The run goes on all the same.
        continued: bool,
    },
    /// It did not run, and why.
    Skipped(String),
    /// Its process died; nobody knows how it ended.
    Unknown,
}

/// A question to a person.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Question {
    /// Which step asks.
    pub(crate) step: StepPath,
    /// What.
    pub(crate) message: String,
    /// Possible answers.
    pub(crate) options: Vec<String>,
    /// JSON Schema of the form that is to be filled in instead.
    pub(crate) form: Option<Value>,
    /// The answer when nobody answers in time.
    pub(crate) default: Option<String>,
    /// When that is.
    pub(crate) until: Option<Time>,
}

impl Question {
    /// How it can be answered, in words.
    pub(crate) fn answers(&self) -> Vec<String> {
        aa_spec::form::answers(&self.options, self.form.as_ref())
    }
}

/// How many parts of a step are over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Parts {
    /// With a result.
    pub(crate) done: u64,
    /// Without.
    pub(crate) failed: u64,
    /// Without having run.
    pub(crate) skipped: u64,
}

/// How far taking back a run after its end is.
#[derive(Debug, Default, PartialEq)]
pub(crate) enum TakingBack {
    /// Nobody has asked for it.
    #[default]
    Never,
    /// It goes on, or waits for a person.
    Begun,
    /// It is over, and has failed for these steps.
    Over(Vec<StepPath>),
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Ending {
    /// It succeeded.
    Completed {
        /// Results by name.
        outputs: Map<String, Value>,
        /// What it took, in milliseconds.
        duration_ms: u64,
    },
    /// It failed.
    Failed {
        /// Why.
        error: StepError,
        /// The step that brought it down.
        step: Option<StepPath>,
        /// What it took, in milliseconds.
        duration_ms: u64,
    },
    /// It was cancelled.
    Cancelled {
        /// What it took, in milliseconds.
        duration_ms: u64,
    },
}

/// What an event changed that is worth a line.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Change {
    /// Nothing that is shown for good.
    None,
    /// The run started.
    Started,
    /// The run was taken over; these steps have an unknown outcome.
    Resumed {
        /// Steps of which it is unknown how they ended.
        unknown: Vec<StepPath>,
        /// What the process before had left running.
        ended: Vec<String>,
        /// Tools that are not what they were when it started.
        changed: Vec<String>,
    },
    /// A step is over.
    Finished(usize),
    /// A step is warned of a mistake before it starts.
    Warned(usize),
    /// A step is tried again.
    Retrying(usize),
    /// A heal rule is tried for a step, or has been.
    Healing(usize, String),
    /// A step asks a person.
    Asked(usize),
    /// Someone said how a step with unknown outcome ended.
    Resolved(usize),
    /// Someone asked for the run's end.
    CancelRequested(String),
    /// Completed steps are taken back.
    UndoStarted(String),
    /// The run is over.
    Ended,
}

impl Tree {
    /// Folds one event into the tree.
    pub(crate) fn apply(&mut self, event: &Event) -> Change {
        let at = event.at;
        match &event.body {
            Body::SkillStarted { skill, dry_run, .. } => {
                let RunId(run) = event.run_id;
                self.dry_run = *dry_run;
                (self.run, self.skill, self.started_at) = (run, skill.clone(), Some(at));
                Change::Started
            }
            Body::StepStarted { step, attempt, kind, target, until, items, .. } => {
                let node = self.touch(step, at);
                node.kind.clone_from(kind);
                node.target.clone_from(target);
                node.attempt = *attempt;
                node.items = *items;
                node.state = match until {
                    Some(until) if kind == "wait" => State::Waiting(*until),
                    _ => State::Running,
                };
                Change::None
            }
            Body::StepProgress { step, message, mistake } => {
                self.line(step, message);
                if mistake.is_some() { self.warn(step, message, at) } else { Change::None }
            }
            Body::StepRetrying { step, error, until, .. } => {
                self.touch(step, at).state = State::Retrying { error: error.clone(), until: *until };
                Change::Retrying(self.by_path[step])
            }
            Body::ConfirmRequested { step, message, options, form, default, until, .. } => {
                let question = Question {
                    step: step.clone(),
                    message: message.clone(),
                    options: options.clone(),
                    form: form.clone(),
                    default: default.clone(),
                    until: *until,
                };
                self.touch(step, at).state = State::Asking(question);
                Change::Asked(self.by_path[step])
            }
            Body::ConfirmAnswered { step, answer, by } => {
                let node = self.touch(step, at);
                let said = format!("{answer} (by {by})");
                if node.kind.is_empty() && step.0 == APPROVAL {
                    // Whether the run may begin is no step of it.
                    return self.finish(step, at, State::Done(said), 0);
                }
                node.line = said;
                node.state = State::Running;
                Change::None
            }
            Body::StepCompleted { step, duration_ms, .. } => {
                let said = std::mem::take(&mut self.touch(step, at).line);
                let asked = self.nodes[self.by_path[step]].kind == "confirm";
                self.finish(step, at, State::Done(if asked { said } else { String::new() }), *duration_ms)
            }
            Body::StepFailed { step, error, continued, duration_ms } => {
                let state = State::Failed { error: error.clone(), continued: *continued };
                self.finish(step, at, state, *duration_ms)
            }
            Body::StepSkipped { step, reason } => self.finish(step, at, State::Skipped(reason.clone()), 0),
            Body::CancelRequested { by, .. } => Change::CancelRequested(by.clone()),
            Body::RunResumed { unknown, ended, changed } => {
                for step in unknown {
                    self.touch(step, at).state = State::Unknown;
                }
                Change::Resumed { unknown: unknown.clone(), ended: ended.clone(), changed: changed.clone() }
            }
            Body::StepResolved { step, resolution, .. } => self.resolve(step, resolution, at),
            Body::UndoStarted { by, step, .. } => {
                if step.is_none() && self.ending.is_some() {
                    self.taking_back = TakingBack::Begun;
                }
                Change::UndoStarted(by.clone())
            }
            Body::SkillCompleted { outputs, duration_ms } => {
                self.end(Ending::Completed { outputs: outputs.clone(), duration_ms: *duration_ms })
            }
            Body::SkillFailed { error, step, duration_ms } => self.end(Ending::Failed {
                error: error.clone(),
                step: step.clone(),
                duration_ms: *duration_ms,
            }),
            Body::SkillCancelled { duration_ms } => self.end(Ending::Cancelled { duration_ms: *duration_ms }),
            Body::UndoFinished { step: None, failed } if self.ending.is_some() => {
                self.taking_back = TakingBack::Over(failed.clone());
                Change::None
            }
            Body::HealStarted { .. } | Body::HealFinished { .. } => self.healing(&event.body, at),
            Body::UndoFinished { .. } | Body::WorkspaceUpdated { .. } => Change::None,
        }
    }

    /// A heal rule is tried for a step, or has been.
    fn healing(&mut self, body: &Body, at: Time) -> Change {
        match body {
            Body::HealStarted { step, rule, error, .. } => {
                let why = error.as_ref().map_or("", |error| error.message.as_str());
                self.touch(step, at).line = format!("healing by {rule}");
                let why = if why.is_empty() { String::new() } else { format!(": {why}") };
                Change::Healing(self.by_path[step], format!("failed, and `{rule}` is tried{why}"))
            }
            Body::HealFinished { step, rule, healed, note, .. } => {
                self.touch(step, at).line.clear();
                let how = if *healed { "to be tried again" } else { "not mended" };
                let note = if note.is_empty() { String::new() } else { format!(": {note}") };
                Change::Healing(self.by_path[step], format!("{how} after `{rule}`{note}"))
            }
            _ => Change::None,
        }
    }

    /// What the run is called beside its skill.
    pub(crate) fn title(&self, dot: &str) -> String {
        let dry = if self.dry_run { format!(" {dot} dry run, nothing is changed") } else { String::new() };
        format!("{dot} run {}{dry}", self.run)
    }

    fn warn(&mut self, step: &StepPath, message: &str, at: Time) -> Change {
        self.touch(step, at).warnings.push(message.to_owned());
        Change::Warned(self.by_path[step])
    }

    /// Notes the last line that a step printed.
    pub(crate) fn line(&mut self, step: &StepPath, line: &str) {
        if let Some(&node) = self.by_path.get(step) {
            line.trim().clone_into(&mut self.nodes[node].line);
        }
    }

    /// The step at a path.
    pub(crate) fn node(&self, step: &StepPath) -> Option<&Node> {
        self.by_path.get(step).map(|&node| &self.nodes[node])
    }

    /// The questions that are open, oldest first.
    pub(crate) fn questions(&self) -> impl Iterator<Item = &Question> {
        self.nodes.iter().filter_map(|node| match &node.state {
            State::Asking(question) => Some(question),
            _ => None,
        })
    }

    /// Steps of which nobody knows how they ended.
    pub(crate) fn in_doubt(&self) -> impl Iterator<Item = &StepPath> {
        self.nodes.iter().filter(|node| node.state == State::Unknown).map(|node| &node.path)
    }

    fn end(&mut self, ending: Ending) -> Change {
        self.ending = Some(ending);
        Change::Ended
    }

    fn resolve(&mut self, step: &StepPath, resolution: &Resolution, at: Time) -> Change {
        let took = |node: &Node| u64::try_from((at - node.started_at).num_milliseconds()).unwrap_or_default();
        if let Some(took) = self.node(&step.inquiry()).map(took) {
            self.finish(&step.inquiry(), at, State::Done(String::new()), took);
        }
        self.touch(step, at).state = State::Running;
        let index = self.by_path[step];
        if let Some(ended) = resolution.end(step) {
            let failed = |error| State::Failed { error, continued: false };
            let state = ended.map_or_else(failed, |()| State::Done(String::new()));
            self.finish(step, at, state, took(&self.nodes[index]));
        }
        Change::Resolved(index)
    }

    fn finish(&mut self, step: &StepPath, at: Time, state: State, duration_ms: u64) -> Change {
        self.touch(step, at);
        let index = self.by_path[step];
        let node = &mut self.nodes[index];
        node.duration_ms = duration_ms;
        let parent = node.parent;
        if let Some(parent) = parent {
            self.nodes[parent].parts.add(&state);
        }
        self.nodes[index].state = state;
        Change::Finished(index)
    }

    /// The node of a path, made (with those above it) when it is new.
    fn touch(&mut self, step: &StepPath, at: Time) -> &mut Node {
        let index = match self.by_path.get(step) {
            Some(&index) => index,
            None => self.insert(step, at),
        };
        &mut self.nodes[index]
    }

    fn insert(&mut self, step: &StepPath, at: Time) -> usize {
        let parent = parent(&step.0).map(|path| {
            let path = StepPath(path.to_owned());
            self.touch(&path, at);
            self.by_path[&path]
        });
        let index = self.nodes.len();
        self.nodes.push(Node::new(step.clone(), parent, at));
        self.by_path.insert(step.clone(), index);
        match parent {
            Some(parent) => self.nodes[parent].children.push(index),
            None => self.top.push(index),
        }
        index
    }
}

impl Node {
    fn new(path: StepPath, parent: Option<usize>, at: Time) -> Self {
        Self {
            path,
            parent,
            children: Vec::new(),
            kind: String::new(),
            target: None,
            state: State::Running,
            started_at: at,
            attempt: 1,
            duration_ms: 0,
            line: String::new(),
            warnings: Vec::new(),
            items: None,
            parts: Parts::default(),
        }
    }

    /// Its name within its parent: `tag` of `release/tag`, `fan[3]` of `fan[3]`.
    pub(crate) fn label(&self) -> &str {
        match self.parent {
            Some(_) => self.path.0.rsplit('/').next().unwrap_or(&self.path.0),
            None => &self.path.0,
        }
    }

    /// Whether anything can still happen to it.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.state, State::Done(_) | State::Failed { .. } | State::Skipped(_))
    }

    /// How long it has been going on, or took.
    pub(crate) fn elapsed_ms(&self, now: Time) -> u64 {
        if self.is_over() { self.duration_ms } else { words::between(self.started_at, now) }
    }
}

impl Parts {
    fn add(&mut self, state: &State) {
        match state {
            State::Failed { .. } => self.failed += 1,
            State::Skipped(_) => self.skipped += 1,
            _ => self.done += 1,
        }
    }

    /// How many parts are over.
    pub(crate) fn over(self) -> u64 {
        self.done + self.failed + self.skipped
    }
}
