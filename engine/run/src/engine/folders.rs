//! One engine for several folders: each has its own skills, tools, personas and settings; they
//! share the store, the permits and who works where.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, watch};

use super::parts::Parts;
use super::reads::Reads;
use super::{Engine, StartError};
use crate::event::RunId;
use crate::feed::Feed;
use crate::permits::Permits;
use crate::observe::Observers;
use crate::places::Places;
use crate::settings::{Settings, SettingsError, Surroundings};
use crate::store::LazyStore;
use crate::workspace::Registry;

/// Engines of other folders that are kept at hand.
const MOST: usize = 32;

/// What the engines of all folders have in common.
pub(super) struct Shared {
    pub(super) permits: Arc<Permits>,
    /// Reads of clients that are under way, or kept.
    pub(super) reads: Reads,
    /// How many runs of clients move at once.
    pub(super) places: Places,
    /// Changes when this process has put something into an inbox.
    pub(super) nudge: watch::Sender<()>,
    /// Wakes the scheduler of this process.
    pub(super) due: Arc<Notify>,
    pub(super) store: LazyStore,
    pub(super) workspaces: Registry,
    /// All that happens, for whoever listens.
    pub(super) feed: Feed,
    /// How many wait for a run, of those for which anybody does.
    pub(super) present: Mutex<HashMap<RunId, usize>>,
    /// Who watches what happens here.
    pub(super) observers: Observers,
    folders: Mutex<BTreeMap<PathBuf, Arc<Parts>>>,
}

impl Shared {
    pub(super) fn new(settings: &Settings) -> Self {
        let store = LazyStore::new(&settings.state_folder, settings.store);
        Self {
            permits: Arc::new(Permits::new(settings.calls, &settings.calls_of)),
            reads: Reads::default(),
            nudge: watch::Sender::new(()),
            due: Arc::default(),
            places: Places::new(settings.calling.runs, settings.calling.runs_per_session),
            workspaces: Registry::new(store.clone()),
            feed: Feed::new(store.clone()),
            store,
            present: Mutex::default(),
            observers: Observers::default(),
            folders: Mutex::default(),
        }
    }
}

impl Engine {
    /// Lets go of the engines of other folders, which keep the store open as long as they are at hand.
    pub fn leave_folders(&self) {
        self.parts.shared.folders.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The same engine with other settings, over this store and these permits.
    pub(super) fn with_settings(&self, settings: Settings) -> Self {
        let parts = Arc::new(Parts::sharing(settings, Arc::clone(&self.parts.shared)));
        Self { parts, ..self.clone() }
    }

    /// What wakes the scheduler of this process.
    pub(crate) fn due(&self) -> Arc<Notify> {
        Arc::clone(&self.parts.shared.due)
    }

    /// The engine of another folder, for the same caller. It has that folder's settings, but for
    /// the store and the permits, which are this engine's.
    ///
    /// # Errors
    /// There is no such folder, or its configuration has errors.
    pub fn in_folder(&self, folder: &Path) -> Result<Self, StartError> {
        if folder == self.settings().folder {
            return Ok(self.clone());
        }
        let shared = &self.parts.shared;
        let known = shared.folders.lock().unwrap_or_else(PoisonError::into_inner).get(folder).cloned();
        if let Some(parts) = known {
            return Ok(Self { parts, ..self.clone() });
        }
        if !folder.is_dir() {
            return Err(StartError::Refused(format!("there is no folder `{}`", folder.display())));
        }
        let surroundings = Surroundings {
            folder: folder.to_owned(),
            environment: self.settings().environment.clone(),
            store: Some(self.settings().state_folder.clone()),
        };
        let settings = Settings::resolve(&surroundings).map_err(|error| match error {
            SettingsError::Invalid(diagnostics) => StartError::Invalid(diagnostics),
            other => StartError::Refused(other.to_string()),
        })?;
        let parts = Arc::new(Parts::sharing(settings, Arc::clone(shared)));
        let mut folders = shared.folders.lock().unwrap_or_else(PoisonError::into_inner);
        if folders.len() >= MOST {
            // What somebody still works with stays; the rest is made again when it is needed.
            folders.retain(|_, parts| Arc::strong_count(parts) > 1);
        }
        let parts = folders.entry(folder.to_owned()).or_insert(parts);
        Ok(Self { parts: Arc::clone(parts), ..self.clone() })
    }
}
