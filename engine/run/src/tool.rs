//! What a step calls.

pub(crate) mod api;
mod asked;
mod built_in;
mod client;
mod code;
pub(crate) mod command;
pub mod configuration;
pub(crate) mod declared;
mod diagnosis;
pub mod ephemeral;
mod file;
mod http;
mod knowledge;
mod login;
pub(crate) mod mcp;
mod memory;
pub(crate) mod native;
mod net;
mod person;
mod plain;
pub mod process;
mod project;
pub(crate) mod queue;
pub mod replay;
pub(crate) mod sent;
mod shell;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use aa_spec::plan::resolve::Touched;
use aa_spec::tool::{ErrorKind, ToolSpec};
use async_trait::async_trait;
use serde_json::{Map, Value};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub(crate) use self::built_in::BuiltIn;
pub(crate) use self::http::Web;
pub use self::login::Logins;
pub(crate) use self::memory::known_issues;
pub(crate) use self::memory::{DEEPEST, Key, check_size, shape};
pub use self::person::{DECLINE, Level, Nobody, Person, Question};
pub(crate) use self::plain::touches_nothing;
pub(crate) use self::project::seen_in;
pub use self::sent::Sent;
use crate::caller::MAIN;
use crate::event::{RunId, StepError, StepPath, marked};
use crate::fence::Fence;

/// What kind of error a command has had, by what it said.
pub fn kind_of(said: &str) -> ErrorKind {
    diagnosis::sign(said).unwrap_or(ErrorKind::Permanent)
}

/// Something with an effect on the world. All of them go through here.
#[async_trait]
pub trait Tool: Send + Sync {
    /// What is known of it before it is called.
    fn spec(&self) -> &Arc<ToolSpec>;

    /// What it touches by the configuration of its module, as far as that is known without a call.
    fn touches(&self) -> Touched {
        Touched::default()
    }

    /// Whether an argument becomes part of a command line, which everybody on the machine can read.
    fn is_on_command_line(&self, _argument: &str) -> bool {
        false
    }

    /// What kind of error it makes of what the other side said, where its definition has a rule for that.
    fn kind_of(&self, _said: &str) -> Option<ErrorKind> {
        None
    }

    /// Calls it. `args` fit the input schema; secrets in them are already opened.
    ///
    /// A call must end soon after `context.cancel` fires or `context.deadline`
    /// passes, and leave no process behind when it does.
    async fn call(&self, context: &CallContext, args: Map<String, Value>) -> Result<Value, ToolError>;
}

/// What a call may know of where it takes place.
#[derive(Clone)]
pub struct CallContext {
    /// The run, if there is one (`aa tool call` has none).
    pub run: Option<RunId>,
    /// The step; empty without a run.
    pub step: StepPath,
    /// The same for every attempt at the same step or item of the same run, and for no other.
    pub idempotency_key: String,
    /// The trace that the call belongs to, as a W3C `traceparent`; none when nobody traces runs.
    pub trace: Option<String>,
    /// How far the call has come.
    pub sent: Sent,
    /// The call must be over by then.
    pub deadline: Option<Instant>,
    /// Fires when the call should stop.
    pub cancel: CancellationToken,
    /// Takes lines to show while the call runs.
    pub progress: Progress,
    /// Whoever may be asked while the call runs.
    pub person: Arc<dyn Person>,
    /// Takes what a tool knows and nobody may see, before it is used.
    pub conceal: Conceal,
    /// Tells which of the secrets in the arguments a text holds.
    pub detect: Detect,
    /// Folder that relative paths of the skill mean.
    pub folder: PathBuf,
    /// Of which tenant whoever calls is: what is remembered is remembered for it.
    pub tenant: Arc<str>,
    /// How far whoever calls reaches into the files of this machine.
    pub fence: Fence,
}

impl CallContext {
    /// A path as the skill means it: relative to the call's folder.
    pub fn resolve(&self, path: &Path) -> PathBuf {
        // Joining an empty path would add a slash that nobody wrote.
        if path.as_os_str().is_empty() { self.folder.clone() } else { self.folder.join(path) }
    }

    /// The same for a file or folder that is to be used.
    ///
    /// # Errors
    /// It is closed to whoever calls.
    pub fn reach(&self, path: &Path) -> Result<PathBuf, ToolError> {
        let path = self.resolve(path);
        self.fence.lets(&path).map_err(closed)?;
        Ok(path)
    }

    /// The same for a folder that is to be used with everything below it.
    ///
    /// # Errors
    /// It, or something within, is closed to whoever calls.
    pub fn reach_tree(&self, path: &Path) -> Result<PathBuf, ToolError> {
        let path = self.resolve(path);
        self.fence.lets_tree(&path).map_err(closed)?;
        Ok(path)
    }

    /// A call outside of any run for whoever owns the store: nobody watches it, and nothing stops it.
    pub fn detached(folder: impl Into<PathBuf>) -> Self {
        Self {
            run: None,
            step: StepPath(String::new()),
            idempotency_key: String::new(),
            trace: None,
            sent: Sent::default(),
            deadline: None,
            cancel: CancellationToken::new(),
            progress: Arc::new(|_| {}),
            person: Arc::new(Nobody),
            conceal: Arc::new(|_, _| Ok(())),
            detect: Arc::new(|_| None),
            folder: folder.into(),
            tenant: MAIN.into(),
            fence: Fence::default(),
        }
    }
}

fn closed(why: String) -> ToolError {
    ToolError::new(ErrorKind::Auth, why)
}

/// Takes the lines that a running call wants to show.
pub type Progress = Arc<dyn Fn(&str) + Send + Sync>;

/// Takes the name and the value of a secret, to hide the value in everything that comes back;
/// says why when that is not possible.
pub type Conceal = Arc<dyn Fn(&str, &str) -> Result<(), String> + Send + Sync>;

/// Gives the name of a secret that a text holds, if it holds one.
pub type Detect = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct ToolError {
    /// Drives retry, healing and recovery.
    pub kind: ErrorKind,
    /// One line.
    pub message: String,
    /// Whatever else is known: exit code, last lines of stderr, HTTP status …
    pub details: Value,
}

impl ToolError {
    /// An error without details.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), details: Value::Null }
    }

    /// Says that what was wanted may have been done all the same.
    #[must_use]
    pub(crate) fn unsure(mut self) -> Self {
        self.details = marked(self.details);
        self
    }

    /// Adds details.
    #[must_use]
    pub fn details(mut self, details: Value) -> Self {
        self.details = details;
        self
    }
}

impl From<ToolError> for StepError {
    fn from(error: ToolError) -> Self {
        Self { kind: error.kind, message: error.message, details: error.details }
    }
}

impl std::fmt::Debug for CallContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CallContext")
            .field("run", &self.run)
            .field("step", &self.step)
            .finish_non_exhaustive()
    }
}
