//! One engine for several folders: each has its own skills, tools, personas and settings; they
//! share the store, the permits and who works where.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, watch};

use super::attending::Waiting;
use super::broken::Broken;
use super::parts::Parts;
use super::reads::Reads;
use super::reconfiguring::Held;
use super::{Engine, StartError};
use crate::drain::Drain;
use crate::event::RunId;
use crate::feed::Feed;
use crate::listen::Standing;
use crate::observe::Observers;
use crate::permits::Permits;
use crate::places::Places;
use crate::schedule::Pulse;
use crate::settings::{Settings, Variables};
use crate::store::LazyStore;
use crate::workspace::Registry;

/// Engines of other folders that are kept at hand.
const MOST: usize = 32;

/// A folder, and a mark of the environment that it is worked in with.
pub(super) type Spot = (PathBuf, u64);

/// What the engines of all folders have in common.
pub(super) struct Shared {
    pub(super) permits: Arc<Permits>,
    /// Says that this process is about to end.
    pub(super) drain: Drain,
    /// Reads of clients that are under way, or kept.
    pub(super) reads: Reads,
    /// How many runs of clients move at once.
    pub(super) places: Places,
    /// Changes when this process has put something into an inbox.
    pub(super) nudge: watch::Sender<()>,
    /// Wakes the scheduler of this process.
    pub(super) due: Arc<Notify>,
    /// Whether that still looks.
    pub(super) pulse: Pulse,
    /// Files that have errors.
    pub(super) broken: Broken,
    /// How the listeners of this process stand.
    pub(super) listeners: Standing,
    pub(super) store: LazyStore,
    pub(super) workspaces: Registry,
    /// All that happens, for whoever listens.
    pub(super) feed: Feed,
    /// How many wait for a run, of those for which anybody does.
    pub(super) present: Mutex<HashMap<RunId, Waiting>>,
    /// Who watches what happens here.
    pub(super) observers: Observers,
    /// The engines of folders that are worked in.
    pub(super) folders: Mutex<BTreeMap<Spot, Held>>,
}

impl Shared {
    pub(super) fn new(settings: &Settings) -> Self {
        let store = LazyStore::new(&settings.state_folder, settings.store);
        Self {
            permits: Arc::new(Permits::new(settings.calls, &settings.calls_of)),
            drain: Drain::default(),
            reads: Reads::default(),
            nudge: watch::Sender::new(()),
            due: Arc::default(),
            pulse: Pulse::default(),
            broken: Broken::default(),
            listeners: Standing::default(),
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
            return Ok(self.current());
        }
        if let Some(known) = self.at_hand(folder) {
            return Ok(known.current());
        }
        if !folder.is_dir() {
            return Err(StartError::Refused(format!("there is no folder `{}`", folder.display())));
        }
        let settings = self.settings_of(folder)?;
        Ok(self.at(settings))
    }

    /// The engine of a folder as if it had been started there with this environment, over the same store and permits.
    ///
    /// # Errors
    /// There is no such folder, or its configuration has errors.
    pub fn in_surroundings(&self, folder: &Path, environment: Variables) -> Result<Self, StartError> {
        let settings = Settings { environment, ..self.settings().clone() };
        let there = self.with_settings(Settings { folder: folder.to_owned(), ..settings });
        match there.at_hand(folder) {
            Some(known) => Ok(known.current()),
            None => Ok(self.at(there.settings_of(folder)?)),
        }
    }

    /// The engine of a folder with its settings, kept at hand.
    fn at(&self, settings: Settings) -> Self {
        let parts = Arc::new(Parts::sharing(settings, Arc::clone(&self.parts.shared)));
        let mut folders = self.parts.shared.folders.lock().unwrap_or_else(PoisonError::into_inner);
        if folders.len() >= MOST {
            // What somebody still works with stays; the rest is made again when it is needed.
            folders.retain(|_, held| Arc::strong_count(&held.parts) > 1);
        }
        let held = folders.entry(parts.spot()).or_insert_with(|| Held::new(parts));
        Self { parts: Arc::clone(&held.parts), ..self.clone() }
    }

    /// The engine of a folder that was worked in before, with the same environment.
    fn at_hand(&self, folder: &Path) -> Option<Self> {
        let spot = (folder.to_owned(), self.parts.spot().1);
        let folders = self.parts.shared.folders.lock().unwrap_or_else(PoisonError::into_inner);
        let parts = Arc::clone(&folders.get(&spot)?.parts);
        Some(Self { parts, ..self.clone() })
    }
}
