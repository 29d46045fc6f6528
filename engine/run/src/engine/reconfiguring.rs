//! A configuration that changes under a process that lives on. All of it is exchanged at once, or nothing; whoever
//! works with what was there before goes on with that.

use std::path::Path;
use std::sync::{Arc, PoisonError};
use std::time::Instant;

use aa_spec::diagnostic::Diagnostic;

use super::parts::Parts;
use super::stamps::Stamps;
use super::{BrokenFile, Engine, StartError};
use crate::settings::{Settings, SettingsError, Surroundings, config_file};

/// The engine of a folder as it is configured by now.
pub(super) struct Held {
    pub(super) parts: Arc<Parts>,
    /// Its configuration files as they were when they were read last.
    stamps: Arc<Stamps>,
    /// When they were looked at last.
    looked: Option<Instant>,
}

impl Held {
    /// As it was configured when its parts were made.
    pub(super) fn new(parts: Arc<Parts>) -> Self {
        Self { stamps: Arc::clone(&parts.configured), parts, looked: None }
    }
}

impl Engine {
    /// The same engine with the configuration as its files are by now. One that cannot be read changes nothing. Only
    /// for a process that serves: a command reads its configuration once.
    #[must_use]
    pub fn current(&self) -> Self {
        self.refresh(false).unwrap_or_else(|error| {
            tracing::error!("the configuration stays as it was: {}", in_words(&error));
            self.held()
        })
    }

    /// The same, but says what is wrong with the files.
    pub(super) fn refresh(&self, at_once: bool) -> Result<Self, StartError> {
        let Some(every) = self.settings().looking.every() else { return Ok(self.clone()) };
        let (folder, spot) = (&self.settings().folder, self.parts.spot());
        let mut folders = self.parts.shared.folders.lock().unwrap_or_else(PoisonError::into_inner);
        let held = folders.entry(spot).or_insert_with(|| Held::new(Arc::clone(&self.parts)));
        if at_once || held.looked.is_none_or(|looked| looked.elapsed() >= every) {
            held.looked = Some(Instant::now());
            let now = stamps(&held.parts.settings);
            if now != *held.stamps {
                // Files that are wrong are not read again before they have changed.
                held.stamps = Arc::new(now);
                let read = self.settings_of(folder);
                let wrong = read.as_ref().err().map(|error| broken(error, folder));
                self.parts.shared.broken.configured(folder, wrong);
                let settings = read?;
                let parts = Parts::sharing(settings, Arc::clone(&self.parts.shared));
                held.parts = Arc::new(parts);
                tracing::info!(folder = %folder.display(), "the configuration was read again");
            }
        }
        Ok(Self { parts: Arc::clone(&held.parts), ..self.clone() })
    }

    /// The engine of the folder as it was configured last.
    fn held(&self) -> Self {
        let folders = self.parts.shared.folders.lock().unwrap_or_else(PoisonError::into_inner);
        let parts = folders.get(&self.parts.spot()).map_or(&self.parts, |held| &held.parts);
        Self { parts: Arc::clone(parts), ..self.clone() }
    }

    /// The settings of a folder as its files are now, over the same store.
    pub(super) fn settings_of(&self, folder: &Path) -> Result<Settings, StartError> {
        let own = self.settings();
        let surroundings = Surroundings {
            folder: folder.to_owned(),
            environment: own.environment.clone(),
            store: Some(own.state_folder.clone()),
        };
        let settings = Settings::resolve(&surroundings).map_err(|error| match error {
            SettingsError::Invalid(diagnostics) => StartError::Invalid(diagnostics),
            other => StartError::Refused(other.to_string()),
        })?;
        Ok(Settings { looking: own.looking, ..settings })
    }
}

/// The file that is wrong, and what is wrong with it at first.
fn broken(error: &StartError, folder: &Path) -> BrokenFile {
    let file = match error {
        StartError::Invalid(problems) => problems.first().map(|problem| problem.source.path.to_string()),
        _ => None,
    };
    BrokenFile {
        file: file.unwrap_or_else(|| folder.display().to_string()),
        problem: format!("the configuration stays as it was: {}", in_words(error)),
    }
}

/// What is wrong with a configuration at first.
pub(super) fn in_words(error: &StartError) -> String {
    match error {
        StartError::Invalid(problems) => problems.first().map(at).unwrap_or_default(),
        other => other.to_string(),
    }
}

fn at(problem: &Diagnostic) -> String {
    let line = problem.source.place(problem.span.start).line;
    format!("{}:{line}: {}", problem.source.path, problem.message)
}

/// The stamps of the files that a configuration is read from, whether they are there or not.
pub(super) fn stamps(settings: &Settings) -> Stamps {
    let mut stamps = Stamps::default();
    stamps.add(&config_file(&settings.config_folder));
    if let Some(folder) = &settings.project_folder {
        stamps.add(&config_file(folder));
    }
    stamps
}
