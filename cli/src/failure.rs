//! What went wrong, in words, with advice and an exit code.

use std::process::ExitCode;

use aa_run::engine::StartError;
use aa_run::home::FileError;
use aa_run::settings::SettingsError;
use aa_run::store::StoreError;
use aa_spec::diagnostic::Diagnostic;

use crate::diagnostic;
use crate::printer::Printer;
use crate::words;

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All is well.
    Ok = 0,
    /// The run failed, or something else that was asked for could not be done.
    Failed = 1,
    /// The command line makes no sense.
    Usage = 2,
    /// A YAML file has errors.
    Invalid = 3,
    /// What was named does not exist.
    NotFound = 4,
    /// The run was cancelled.
    Cancelled = 5,
    /// A person must say how the run goes on.
    Waiting = 6,
    /// A bug of ours.
    Bug = 70,
}

/// Why a command could not do its work.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    /// Each with what to do about it.
    errors: Vec<(String, Vec<String>)>,
    diagnostics: Vec<Diagnostic>,
}

impl Failure {
    /// A failure with an exit code and a message.
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, errors: vec![(message.into(), Vec::new())], diagnostics: Vec::new() }
    }

    /// The command line makes no sense.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// Something does not exist.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(Exit::NotFound, message)
    }

    /// Something could not be done.
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::new(Exit::Failed, message)
    }

    /// A file has errors.
    pub(crate) fn invalid(diagnostics: Vec<Diagnostic>) -> Self {
        let message = diagnostic::summary(&diagnostics);
        Self { diagnostics, ..Self::new(Exit::Invalid, message) }
    }

    /// Adds an error.
    #[must_use]
    pub(crate) fn error(mut self, message: impl Into<String>) -> Self {
        self.errors.push((message.into(), Vec::new()));
        self
    }

    /// Adds advice.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        let hint = hint.into();
        if let Some((_, hints)) = self.errors.last_mut()
            && !hint.is_empty()
        {
            hints.push(hint);
        }
        self
    }

    /// Adds `did you mean …`, if there is a near name.
    #[must_use]
    pub(crate) fn suggest(self, near: Option<&str>) -> Self {
        match near {
            Some(near) => self.hint(format!("did you mean `{near}`?")),
            None => self,
        }
    }

    /// All of it in a line.
    pub(crate) fn line(&self) -> String {
        let errors = self.errors.iter().map(|(message, _)| message.as_str());
        let problems = self.diagnostics.iter().map(|problem| problem.message.as_str());
        errors.chain(problems).collect::<Vec<_>>().join("; ")
    }

    /// Says it all on stderr.
    pub(crate) fn report(&self, printer: &Printer) -> Exit {
        diagnostic::draw_all(&self.diagnostics, printer);
        for (message, hints) in &self.errors {
            printer.error(words::harmless(message));
            for hint in hints {
                printer.hint(words::harmless(hint));
            }
        }
        self.exit
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        let message = error.to_string();
        match error {
            StartError::UnknownSkill { suggestion, .. } => Self::not_found(message)
                .suggest(suggestion.as_deref())
                .hint("`aa skill list` shows every skill"),
            StartError::UnknownSchedule { suggestion, .. } => Self::not_found(message)
                .suggest(suggestion.as_deref())
                .hint("`aa schedule list` shows every schedule"),
            StartError::Invalid(diagnostics) => Self::invalid(diagnostics),
            StartError::Inputs(errors) => inputs(&errors),
            StartError::PlanChanged { .. } => {
                Self::failed(message).hint("`aa skill plan` shows what would happen now, and its hash")
            }
            StartError::FolderGone { run, .. } => {
                Self::failed(message).hint(format!("make it again, or give up with `aa run cancel {run}`"))
            }
            StartError::Over { run, .. } | StartError::NothingLeft(run) => {
                Self::failed(message).hint(format!("`aa run show {run}` shows how it went"))
            }
            StartError::NoStep { run, suggestion, .. } => Self::failed(message)
                .suggest(suggestion.as_deref())
                .hint(format!("`aa run show {run}` shows its steps")),
            StartError::Refused(_)
            | StartError::NeedsTask(_)
            | StartError::Unwritable { .. }
            | StartError::Denied { .. }
            | StartError::NotGranted(_)
            | StartError::OwnApproval(_)
            | StartError::Full
            | StartError::KeyUsed(_)
            | StartError::KeyOfSchedule(_) => Self::failed(message),
            StartError::KeyPlanned(run) => Self::failed(message).hint(format!(
                "another `--key` starts a run of this plan; `aa run show {run}` shows how the other one went"
            )),
            StartError::Shipped(_) => {
                Self::usage(message).hint("copy it to `.aa/skills` to change it; the copy wins over it")
            }
            StartError::Draining => Self::failed(message).hint("try again in a few seconds"),
            StartError::Unreadable { .. } | StartError::NotThere { .. } => Self::not_found(message),
            StartError::Store(error) => error.into(),
        }
    }
}

impl From<FileError> for Failure {
    fn from(error: FileError) -> Self {
        Self::not_found(error.to_string())
    }
}

impl From<SettingsError> for Failure {
    fn from(error: SettingsError) -> Self {
        let message = error.to_string();
        match error {
            SettingsError::NoHome { variable, .. } => {
                Self::failed(message).hint(format!("set `{variable}` to a folder"))
            }
            SettingsError::File(_) => Self::failed(message),
            SettingsError::Invalid(diagnostics) => Self::invalid(diagnostics),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let message = error.to_string();
        match error {
            StoreError::NoRun(_) => Self::not_found(message).hint("`aa run list` shows the runs"),
            StoreError::Busy(run) | StoreError::Fenced(run) => {
                Self::failed(message).hint(format!("`aa run watch {run}` follows it"))
            }
            StoreError::TooNew { .. } => Self::failed(message).hint("use a newer `aa`, or another `--store`"),
            StoreError::Unusable { .. } => {
                Self::failed(message).hint("`aa doctor` says more; `--store DIR` uses another folder")
            }
            StoreError::Folder(_) => Self::failed(message).hint("rename the folder, or work in another one"),
            StoreError::Write { .. } => {
                Self::failed(message).hint("`aa doctor` looks at the store and its disk")
            }
            StoreError::Over { run, .. } => {
                Self::failed(message).hint(format!("`aa run show {run}` shows how it went"))
            }
            StoreError::Corrupt { .. } | StoreError::Stopped => Self::failed(message),
        }
    }
}

/// Everything that does not fit, each with its hint.
fn inputs(errors: &[aa_spec::input::InputError]) -> Failure {
    let hints = |hint: &String| Some(hint.clone()).filter(|hint| !hint.is_empty()).into_iter().collect();
    let errors = errors.iter().map(|error| (error.to_string(), hints(&error.hint))).collect();
    Failure { exit: Exit::Usage, errors, diagnostics: Vec::new() }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
