//! Why something is not begun.

use std::path::PathBuf;

use aa_spec::diagnostic::Diagnostic;
use aa_spec::input::InputError;

use crate::event::{RunId, StepPath};
use crate::home::FileError;
use crate::store::{RunStatus, StoreError};

/// Why a run cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No skill of that name.
    #[error("there is no skill `{name}`")]
    UnknownSkill {
        /// The name.
        name: String,
        /// A name that is close.
        suggestion: Option<String>,
    },
    /// No schedule of that name.
    #[error("there is no schedule `{name}`")]
    UnknownSchedule {
        /// The name.
        name: String,
        /// A name that is close.
        suggestion: Option<String>,
    },
    /// The file cannot be read.
    #[error("cannot read `{}`: {message}", .path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        message: String,
    },
    /// The file cannot be written.
    #[error("cannot write `{}`: {message}", .path.display())]
    Unwritable {
        /// Which file.
        path: PathBuf,
        /// Why.
        message: String,
    },
    /// The skill is part of the binary, and was to be changed.
    #[error("the skill `{0}` is shipped with `aa` and cannot be changed")]
    Shipped(String),
    /// The skill has errors.
    #[error("the skill has errors")]
    Invalid(Vec<Diagnostic>),
    /// The inputs do not fit.
    #[error("the inputs do not fit")]
    Inputs(Vec<InputError>),
    /// The plan is not the one that was asked for.
    #[error("the plan is `{found}`, not `{wanted}`")]
    PlanChanged {
        /// What was asked for.
        wanted: String,
        /// What it is.
        found: String,
    },
    /// A call of the skill is a task, and whoever calls knows none.
    #[error("a call of `{0}` is always a task, and the client does not know tasks")]
    NeedsTask(String),
    /// The folder in which the run was started is gone.
    #[error("run {run} was started in `{}`, and there is no such folder any more", .folder.display())]
    FolderGone {
        /// Which run.
        run: RunId,
        /// Its folder.
        folder: PathBuf,
    },
    /// The run is over.
    #[error("run {run} is over ({status})")]
    Over {
        /// Which run.
        run: RunId,
        /// How it ended.
        status: RunStatus,
    },
    /// The run was taken back already, as far as it can be.
    #[error("nothing of run {0} is left to take back")]
    NothingLeft(RunId),
    /// The run has no step of that name.
    #[error("run {run} has no step `{step}`")]
    NoStep {
        /// Which run.
        run: RunId,
        /// The name.
        step: StepPath,
        /// A name that is close.
        suggestion: Option<String>,
    },
    /// The request does not fit the run, e.g. no such open question.
    #[error("{0}")]
    Refused(String),
    /// Nothing is there that is called so.
    #[error("there is no {what} `{name}`")]
    NotThere {
        /// What it would be.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// The policy does not let the caller do it.
    #[error("the policy forbids what `{what}` does ({effect})")]
    Denied {
        /// The skill or tool.
        what: String,
        /// What it does to the world.
        effect: &'static str,
    },
    /// The caller's key does not open it.
    #[error("your key does not let you use {0}")]
    NotGranted(String),
    /// Whoever has started a run approves of it.
    #[error("you have started run {0} yourself, so somebody else has to approve of it")]
    OwnApproval(RunId),
    /// Too many runs wait to move.
    #[error("too many runs wait already; come again in a while")]
    Full,
    /// The request's key was used for something else.
    #[error("the idempotency key belongs to run {0}, which is another call")]
    KeyUsed(RunId),
    /// The request's key was used for a schedule.
    #[error("the idempotency key belongs to a request for the schedule `{0}`, which is another call")]
    KeyOfSchedule(String),
    /// The request's key was used for the same with another plan, or with none.
    #[error("the idempotency key belongs to run {0}, which was not started by this plan")]
    KeyPlanned(RunId),
    /// This process is about to end.
    #[error("this server is about to end, and begins nothing new")]
    Draining,
    /// The store says no.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<FileError> for StartError {
    fn from(error: FileError) -> Self {
        Self::Unreadable { path: error.path, message: error.message }
    }
}
