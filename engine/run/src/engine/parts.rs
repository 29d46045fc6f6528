//! What an engine is made of: each part is made when it is first needed, and once.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use aa_spec::compute::Interpreter;

use super::cards::Catalogue;
use super::checked::CheckedBefore;
use super::folders::{Shared, Spot};
use super::schedules::KeptFaults;
use super::showing::Showing;
use super::stamps::Stamps;
use super::{modules, reconfiguring};
use crate::compute::Computer;
#[cfg(feature = "compute")]
use crate::compute::{WorkerCommand, Workers};
use crate::driver::{AfterCommit, Means, WallClock};
use crate::heal::Gate;
use crate::home::{FileError, Home};
use crate::schedule::book::Book;
use crate::settings::{Looking, SecretStore, Settings};
use crate::store::{LazyStore, Store, StoreError};
use crate::tool::configuration::Configuration;
use crate::tool::ephemeral;
use crate::tool::process::Environment;
use crate::toolbox::{Toolbox, ToolboxOptions};

/// What all clones of an engine share.
pub(super) struct Parts {
    pub(super) settings: Settings,
    pub(super) home: Home,
    pub(super) secrets: Arc<SecretStore>,
    /// What engines of other folders have, too.
    pub(super) shared: Arc<Shared>,
    /// The tools, and what tells whether the files of their modules are still the same; without
    /// stamps they stay as they are.
    toolbox: Mutex<Option<(Toolbox, Option<Stamps>)>>,
    /// Skills that need not be checked again.
    pub(super) checked: CheckedBefore,
    /// What clients are told, as of when it was last looked at.
    pub(super) catalogue: Mutex<Option<Arc<Catalogue>>>,
    /// What clients were shown last.
    pub(super) showing: Showing,
    /// The schedules, and what tells whether the skills that define them are still the same.
    pub(super) book: Mutex<Option<(Stamps, Arc<Book>)>>,
    /// What is wrong with them, once somebody has looked.
    pub(super) faults: Mutex<Option<KeptFaults>>,
    /// When they were looked at last.
    looked: Mutex<Option<Instant>>,
    /// The files of the configuration as they were when it was made; of a process that serves.
    pub(super) configured: Arc<Stamps>,
    /// A mark of the environment, once somebody has asked for it.
    mark: OnceLock<u64>,
    #[cfg(feature = "compute")]
    workers: Workers,
}

impl Parts {
    pub(super) fn new(settings: Settings) -> Self {
        let shared = Arc::new(Shared::new(&settings));
        Self::sharing(settings, shared)
    }

    /// The parts of an engine of other settings over the same store and permits.
    pub(super) fn sharing(settings: Settings, shared: Arc<Shared>) -> Self {
        Self {
            home: Home::new(&settings),
            secrets: Arc::new(SecretStore::new(&settings)),
            shared,
            toolbox: Mutex::default(),
            checked: CheckedBefore::default(),
            catalogue: Mutex::default(),
            showing: Showing::default(),
            book: Mutex::default(),
            faults: Mutex::default(),
            looked: Mutex::default(),
            mark: OnceLock::new(),
            // A command reads them once.
            configured: Arc::new(match settings.looking {
                Looking::Every(_) => reconfiguring::stamps(&settings),
                Looking::Always => Stamps::default(),
            }),
            #[cfg(feature = "compute")]
            workers: Workers::new(WorkerCommand::own(), settings.compute.clone()),
            settings,
        }
    }

    /// Where and in what environment it works.
    pub(super) fn spot(&self) -> Spot {
        let mark = *self.mark.get_or_init(|| {
            let mut hasher = DefaultHasher::new();
            self.settings.environment.hash(&mut hasher);
            hasher.finish()
        });
        (self.settings.folder.clone(), mark)
    }

    /// The parts of an engine of other settings over the same tools.
    pub(super) fn sharing_tools(settings: Settings, toolbox: Toolbox) -> Self {
        let parts = Self::new(settings);
        *parts.toolbox.lock().unwrap_or_else(PoisonError::into_inner) = Some((toolbox, None));
        parts
    }

    /// The store; opened, and created if need be, by the first who asks.
    pub(super) fn store(&self) -> Result<Store, StoreError> {
        self.shared.store.get()
    }

    /// The store, for whoever may not need it.
    pub(super) fn lazy_store(&self) -> &LazyStore {
        &self.shared.store
    }

    /// Begins to open the store, for a run that will need it.
    pub(super) fn open_store_early(&self) {
        self.shared.store.open_early();
    }

    /// The store, as soon as writes can be put in its queue; see [`LazyStore::coming`].
    pub(super) async fn store_coming(&self) -> Result<Store, StoreError> {
        self.shared.store.coming().await
    }

    /// The store, without keeping a thread waiting.
    pub(super) async fn store_soon(&self) -> Result<Store, StoreError> {
        self.shared.store.soon().await
    }

    /// The tools; the texts of all modules that are files are read by the first who asks, and again when a file
    /// has come, changed or gone and it is time to look. Whoever holds a toolbox keeps what was there.
    pub(super) fn toolbox(&self) -> Result<Toolbox, FileError> {
        self.toolbox_of(|| self.looks_again())
    }

    /// The tools as the files of their modules are now, for whoever has seen that they have changed.
    pub(super) fn toolbox_now(&self) -> Result<Toolbox, FileError> {
        self.toolbox_of(|| true)
    }

    fn toolbox_of(&self, looks_again: impl Fn() -> bool) -> Result<Toolbox, FileError> {
        let mut held = self.toolbox.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((toolbox, stamps)) = &*held
            && (stamps.is_none() || !looks_again())
        {
            return Ok(toolbox.clone());
        }
        let (entries, stamps) = modules::files(&self.home)?;
        if let Some((toolbox, Some(known))) = &*held
            && *known == stamps
        {
            return Ok(toolbox.clone());
        }
        let texts = match (modules::texts(&self.home, entries), &*held) {
            (Ok(texts), _) => texts,
            // A file that is being saved, say. What was there serves until all can be read.
            (Err(error), Some((before, _))) => {
                tracing::warn!("the tool modules stay as they were: {error}");
                return Ok(before.clone());
            }
            (Err(error), None) => return Err(error),
        };
        let toolbox = match &*held {
            Some((before, _)) => before.with_modules(texts),
            None => {
                Toolbox::new(texts, &self.options()).and(modules::shipped).serving_in(&self.settings.folder)
            }
        };
        *held = Some((toolbox.clone(), Some(stamps)));
        Ok(toolbox)
    }

    /// Whether it is time to look at files again; then it is not for a while.
    fn looks_again(&self) -> bool {
        let Looking::Every(every) = self.settings.looking else { return true };
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        let due = looked.is_none_or(|looked| looked.elapsed() >= every);
        if due {
            *looked = Some(Instant::now());
        }
        due
    }

    /// Evaluates expressions in Python, if this build can.
    #[cfg(feature = "compute")]
    #[expect(clippy::unnecessary_wraps, reason = "the same as where there are no workers")]
    pub(super) fn interpreter(&self) -> Option<Arc<dyn Interpreter>> {
        Some(Arc::new(self.workers.clone()))
    }

    #[cfg(not(feature = "compute"))]
    #[expect(clippy::unused_self, reason = "the same as where there are workers")]
    pub(super) fn interpreter(&self) -> Option<Arc<dyn Interpreter>> {
        None
    }

    /// Runs blocks, if this build can; no worker is started before the first block.
    #[cfg(feature = "compute")]
    #[expect(clippy::unnecessary_wraps, reason = "a build without workers has none")]
    fn computer(&self) -> Option<Arc<dyn Computer>> {
        Some(Arc::new(self.workers.clone()))
    }

    #[cfg(not(feature = "compute"))]
    #[expect(clippy::unused_self, reason = "the same as where there are workers")]
    fn computer(&self) -> Option<Arc<dyn Computer>> {
        None
    }

    /// What a driver needs beside its run.
    pub(super) fn means(&self, toolbox: Toolbox, after_commit: Option<AfterCommit>) -> Means {
        Means {
            tools: Arc::new(move |name| toolbox.tool(name)),
            computer: self.computer(),
            permits: Arc::clone(&self.shared.permits),
            secrets: self.secrets.clone(),
            healer: Some(Arc::new(Gate::new(self.shared.store.clone()))),
            clock: Arc::new(WallClock),
            nudge: self.shared.nudge.subscribe(),
            call_timeout: self.settings.step_timeout,
            interpreter: self.interpreter(),
            drain: self.shared.drain.clone(),
            after_commit,
            observers: self.shared.observers.clone(),
            trace: None,
        }
    }

    /// Tells the drivers of this process that an inbox has something new.
    pub(super) fn nudge(&self) {
        self.shared.nudge.send_replace(());
    }

    fn options(&self) -> ToolboxOptions {
        let own = &self.settings.ephemeral;
        let usual = ephemeral::Defaults::default();
        ToolboxOptions {
            environment: Environment::of(&self.settings.environment),
            output_bytes: self.settings.output_bytes,
            proxy: self.settings.proxy.clone(),
            ca: self.settings.ca.clone(),
            configuration: Configuration {
                modules: self.settings.modules.clone(),
                environment: self.settings.environment.clone(),
                secret_names: self.secrets.names(),
                secrets: Some(self.secrets.clone()),
                standing_in: false,
            },
            state_folder: self.settings.state_folder.clone(),
            open_folders: self.settings.clients.folders.clone(),
            store: self.shared.store.clone(),
            logins: self.settings.logins.clone(),
            ephemeral: ephemeral::Defaults {
                repository: own.repository.clone().unwrap_or(usual.repository),
                ttl: own.ttl.clone().unwrap_or(usual.ttl),
            },
        }
    }
}
