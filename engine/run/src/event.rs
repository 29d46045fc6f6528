//! The events a run is made of: the only things that can happen to it.
//!
//! A run changes only by appending an event, so everything that shows or resumes a
//! run reads events and nothing else. They are a file format: add variants and
//! optional fields only.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use aa_spec::tool::ErrorKind;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::want::Want;

/// Number of a run in its store, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct RunId(pub i64);

/// A moment, UTC, to the millisecond.
pub type Time = DateTime<Utc>;

/// Which step of a run, e.g. `build`, `fan[3]` (an item of a foreach step),
/// `release/build` (a step of a sub-skill), `health/1_git_log` (the first call of a
/// block), `build#undo` (a step's taking back), `build#heal/1_kube_login` (the first call
/// that is to mend what made it fail).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct StepPath(pub String);

impl StepPath {
    /// Where it is asked how an interrupted call of this step has ended. That has no end of its own: it is over
    /// when the step is resolved.
    #[must_use]
    pub fn inquiry(&self) -> Self {
        Self(format!("{}#reconcile", self.0))
    }

    /// Whether this is the taking back of a step.
    fn is_undo(&self) -> bool {
        self.0.ends_with("#undo")
    }
}

impl Resolution {
    /// How this ends the step that it is about, if that has no other end.
    ///
    /// A step comes to an end of its own after it was resolved. The taking back of a step does not: what was
    /// said of it is its end.
    pub fn end(&self, step: &StepPath) -> Option<Result<(), StepError>> {
        match self {
            Self::Done { .. } if step.is_undo() => Some(Ok(())),
            Self::Fail if step.is_undo() => Some(Err(Self::failure())),
            _ => None,
        }
    }

    /// The error of a call that was said to have failed.
    pub(crate) fn failure() -> StepError {
        StepError::new(ErrorKind::Permanent, "it was interrupted, and said to have failed")
    }
}

/// Who started a run or acted on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// A person at a terminal.
    Cli,
    /// The scheduler.
    Cron,
    /// An AI client.
    Mcp,
    /// The HTTP API or the dashboard.
    Http,
    /// Another run.
    Parent,
}

impl Origin {
    /// The word for it in the store and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cli => "cli",
            Self::Cron => "cron",
            Self::Mcp => "mcp",
            Self::Http => "http",
            Self::Parent => "parent",
        }
    }
}

/// One entry of a run's journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// The run it belongs to.
    pub run_id: RunId,
    /// Position in the run's journal, from 0 without gaps.
    pub seq: u64,
    /// When it was decided.
    pub at: Time,
    /// Who started the run, or who acted on it in this event.
    pub source: Origin,
    /// What happened.
    #[serde(flatten)]
    pub body: Body,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
#[expect(
    clippy::large_enum_variant,
    reason = "the largest is the first event of a run, and the only one of its kind there"
)]
pub enum Body {
    /// The run exists. Always the first event.
    SkillStarted {
        /// Canonical name of the skill.
        skill: String,
        /// Hash of the pinned plan.
        plan: String,
        /// Random text that makes idempotency keys unique among stores.
        nonce: String,
        /// Bound inputs, defaults filled in.
        inputs: Map<String, Value>,
        /// `values:` of the configuration as of now.
        #[serde(default)]
        config: Value,
        /// Declared environment variables as of now.
        #[serde(default)]
        env: Map<String, Value>,
        /// The folder it was started in, which templates see as `run.folder`.
        #[serde(default)]
        folder: String,
        /// Dry run: reads run, writes are answered from the plan.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        dry_run: bool,
        /// Hash of the canned answers that stand for tools and people; absent when none do.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stubs: Option<String>,
        /// Names of the inputs that were given; the others are what their defaults came to. Absent where nobody
        /// has taken note.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        given: Option<BTreeSet<String>>,
        /// What each tool that it may call was: a hash of the text that defines it.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        tools: BTreeMap<String, String>,
        /// The request that it was started by, where that can be found again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        link: Option<Link>,
        /// Hash of all that the plan was resolved to which it was started by; absent when none was named.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        planned: Option<String>,
    },
    /// A step, an item of it, or one more attempt at it is about to start.
    StepStarted {
        /// Which step.
        step: StepPath,
        /// From 1.
        attempt: u32,
        /// What kind of step: `tool`, `skill`, `compute`, `confirm`, `wait`, `then`,
        /// `foreach`; of a path with `#`: `undo` or `reconcile`.
        kind: String,
        /// The tool or skill.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        target: Option<String>,
        /// Arguments with secrets as references; inputs of a sub-skill; `{"items": […]}`
        /// of a foreach step.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        args: Option<Value>,
        /// The attempt ends at this time at the latest; for `wait`, ends then.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Time>,
        /// Number of items of a foreach step.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        items: Option<u64>,
    },
    /// A step says how it is doing. At most one a second for each step.
    StepProgress {
        /// Which step.
        step: StepPath,
        /// Its last line, or the warning.
        message: String,
        /// The mistake that the call is warned of, before it starts; absent for what the
        /// step says itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mistake: Option<String>,
    },
    /// An attempt failed and another one follows.
    StepRetrying {
        /// Which step.
        step: StepPath,
        /// The attempt that failed.
        attempt: u32,
        /// Why it failed.
        error: StepError,
        /// When the next attempt starts.
        until: Time,
    },
    /// A heal rule has fired.
    HealStarted {
        /// Which step failed.
        step: StepPath,
        /// Which rule.
        rule: String,
        /// Which healing of the step, from 1.
        #[serde(default)]
        number: u32,
        /// Why the step failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<StepError>,
        /// The tool or skill that is to mend it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        target: Option<String>,
        /// What that is given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        args: Option<Value>,
    },
    /// A heal rule is done.
    HealFinished {
        /// Which step failed.
        step: StepPath,
        /// Which rule.
        rule: String,
        /// Which healing of the step, from 1.
        #[serde(default)]
        number: u32,
        /// Whether its call worked, so that the step is tried again.
        healed: bool,
        /// Why the call was not made; empty when it was.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        note: String,
    },
    /// A person is asked.
    ConfirmRequested {
        /// Which step.
        step: StepPath,
        /// The question.
        message: String,
        /// Possible answers.
        options: Vec<String>,
        /// JSON Schema of a form to fill in; the answer is then its values as JSON.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        form: Option<Value>,
        /// The answer when nobody answers in time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        default: Option<String>,
        /// When the default is taken, or the step fails.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Time>,
        /// What only the AI client that has started the run can give, and is asked for it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        want: Option<Want>,
    },
    /// The question is answered.
    ConfirmAnswered {
        /// Which step.
        step: StepPath,
        /// One of the options, the values of a form as JSON, or what else was wanted as JSON.
        answer: String,
        /// Who answered; `timeout` for the default.
        by: String,
    },
    /// A step has its result.
    StepCompleted {
        /// Which step.
        step: StepPath,
        /// The result.
        output: Value,
        /// From the first attempt's start, in milliseconds.
        duration_ms: u64,
        /// The names that a block has really read.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        reads: Vec<String>,
    },
    /// A step has failed for good.
    StepFailed {
        /// Which step.
        step: StepPath,
        /// Why.
        error: StepError,
        /// The run goes on all the same (`on_error: continue`).
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        continued: bool,
        /// From the first attempt's start, in milliseconds.
        duration_ms: u64,
    },
    /// A step did not run.
    StepSkipped {
        /// Which step.
        step: StepPath,
        /// Why, e.g. "condition is false".
        reason: String,
    },
    /// Someone wants the run to end.
    CancelRequested {
        /// Who.
        by: String,
        /// Why; may be empty.
        #[serde(default)]
        reason: String,
    },
    /// The process that drove the run died; another took over.
    RunResumed {
        /// Steps that had started and not finished: their outcome is unknown.
        unknown: Vec<StepPath>,
        /// What those steps had started and what was still alive: it has been ended.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        ended: Vec<String>,
        /// Tools that are no longer what they were when the run started.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        changed: Vec<String>,
    },
    /// A person or a reconcile rule said how a step with unknown outcome ended.
    StepResolved {
        /// Which step.
        step: StepPath,
        /// What is to be believed.
        resolution: Resolution,
        /// Who said so; `reconcile` for the rule.
        by: String,
    },
    /// The completed steps are being taken back.
    UndoStarted {
        /// Who asked; `on_failure` when the skill says so.
        by: String,
        /// The step that runs the sub-skill in question; absent for the whole run.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step: Option<StepPath>,
        /// The failure that is the reason; absent when someone asked or cancelled.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<StepError>,
    },
    /// Taking back is over.
    UndoFinished {
        /// The step that runs the sub-skill in question; absent for the whole run.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step: Option<StepPath>,
        /// Steps whose taking back failed.
        failed: Vec<StepPath>,
    },
    /// The run succeeded.
    SkillCompleted {
        /// Results by name.
        outputs: Map<String, Value>,
        /// From the start, in milliseconds.
        duration_ms: u64,
    },
    /// The run failed.
    SkillFailed {
        /// Why.
        error: StepError,
        /// The step that brought it down.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step: Option<StepPath>,
        /// From the start, in milliseconds.
        duration_ms: u64,
    },
    /// The run was cancelled.
    SkillCancelled {
        /// From the start, in milliseconds.
        duration_ms: u64,
    },
    /// A workspace or one of its sessions changed.
    WorkspaceUpdated {
        /// Which workspace.
        workspace_uri: String,
    },
}

/// The request that has started a run, as others know it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Link {
    /// What the request is called in logs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// The trace that it belongs to, as a W3C `traceparent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
}

/// How a step with unknown outcome is resolved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Resolution {
    /// It took place, with this result.
    Done {
        /// The result.
        output: Value,
    },
    /// It is to be run again.
    Retry,
    /// It did not work.
    Fail,
}

/// Why a step failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StepError {
    /// What kind of failure.
    pub kind: ErrorKind,
    /// One line.
    pub message: String,
    /// Whatever else is known: exit code, last lines of stderr, HTTP status …
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub details: Value,
}

/// Where the details of an error say that what was wanted may have been done all the same: the other side was asked and
/// has not answered, has answered what cannot be read, or has not kept what was asserted.
pub(crate) const MAY_HAVE_ACTED: &str = "may_have_acted";

/// Details with the mark; what is no mapping is kept beside it.
pub(crate) fn marked(details: Value) -> Value {
    let mut marked = match details {
        Value::Object(entries) => entries,
        Value::Null => Map::new(),
        other => Map::from_iter([("details".to_owned(), other)]),
    };
    marked.insert(MAY_HAVE_ACTED.to_owned(), true.into());
    Value::Object(marked)
}

impl StepError {
    /// Whether the call may have done what it is for.
    pub(crate) fn may_have_acted(&self) -> bool {
        self.details.get(MAY_HAVE_ACTED).is_some()
    }

    /// Says that it may.
    #[must_use]
    pub(crate) fn unsure(mut self) -> Self {
        self.details = marked(self.details);
        self
    }
}

impl Body {
    /// The step that it is about; none for what concerns the whole run or several steps.
    pub fn step(&self) -> Option<&StepPath> {
        match self {
            Self::StepStarted { step, .. }
            | Self::StepProgress { step, .. }
            | Self::StepRetrying { step, .. }
            | Self::HealStarted { step, .. }
            | Self::HealFinished { step, .. }
            | Self::ConfirmRequested { step, .. }
            | Self::ConfirmAnswered { step, .. }
            | Self::StepCompleted { step, .. }
            | Self::StepFailed { step, .. }
            | Self::StepSkipped { step, .. }
            | Self::StepResolved { step, .. } => Some(step),
            Self::SkillStarted { .. }
            | Self::CancelRequested { .. }
            | Self::RunResumed { .. }
            | Self::UndoStarted { .. }
            | Self::UndoFinished { .. }
            | Self::SkillCompleted { .. }
            | Self::SkillFailed { .. }
            | Self::SkillCancelled { .. }
            | Self::WorkspaceUpdated { .. } => None,
        }
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for StepPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Body {
    /// The name by which it is stored and shown, e.g. `step_started`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::SkillStarted { .. } => "skill_started",
            Self::StepStarted { .. } => "step_started",
            Self::StepProgress { .. } => "step_progress",
            Self::StepRetrying { .. } => "step_retrying",
            Self::HealStarted { .. } => "heal_started",
            Self::HealFinished { .. } => "heal_finished",
            Self::ConfirmRequested { .. } => "confirm_requested",
            Self::ConfirmAnswered { .. } => "confirm_answered",
            Self::StepCompleted { .. } => "step_completed",
            Self::StepFailed { .. } => "step_failed",
            Self::StepSkipped { .. } => "step_skipped",
            Self::CancelRequested { .. } => "cancel_requested",
            Self::RunResumed { .. } => "run_resumed",
            Self::StepResolved { .. } => "step_resolved",
            Self::UndoStarted { .. } => "undo_started",
            Self::UndoFinished { .. } => "undo_finished",
            Self::SkillCompleted { .. } => "skill_completed",
            Self::SkillFailed { .. } => "skill_failed",
            Self::SkillCancelled { .. } => "skill_cancelled",
            Self::WorkspaceUpdated { .. } => "workspace_updated",
        }
    }
}

impl StepError {
    /// An error without details.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), details: Value::Null }
    }
}
