//! What an engine is made of; everything that costs time is made by its first use.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::sync::{Semaphore, watch};

use crate::driver::{AfterCommit, Means, WallClock};
use crate::home::{FileError, Home, Kind};
use crate::settings::{SecretStore, Settings};
use crate::store::{Store, StoreError};
use crate::tool::ephemeral;
use crate::tool::process::Environment;
use crate::toolbox::{ModuleText, Toolbox, ToolboxOptions};

/// The parts that all runs of an engine share.
pub(super) struct Parts {
    pub(super) settings: Settings,
    pub(super) home: Home,
    pub(super) secrets: Arc<SecretStore>,
    /// Changes when this process puts something into an inbox.
    pub(super) nudge: watch::Sender<()>,
    permits: Arc<Semaphore>,
    toolbox: OnceLock<Result<Toolbox, FileError>>,
    store: Mutex<Option<Store>>,
}

impl Parts {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            home: Home::new(&settings),
            secrets: Arc::new(SecretStore::new(&settings)),
            nudge: watch::Sender::new(()),
            permits: Arc::new(Semaphore::new(settings.calls)),
            toolbox: OnceLock::new(),
            store: Mutex::default(),
            settings,
        }
    }

    /// The store; opened by the first call that succeeds.
    pub(super) fn store(&self) -> Result<Store, StoreError> {
        let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = &*store {
            return Ok(open.clone());
        }
        let open = Store::open(&self.settings.state_folder, self.settings.store)?;
        *store = Some(open.clone());
        Ok(open)
    }

    /// Every tool; the texts of modules are read by the first call.
    pub(super) fn toolbox(&self) -> Result<&Toolbox, FileError> {
        self.toolbox.get_or_init(|| self.read_toolbox()).as_ref().map_err(Clone::clone)
    }

    fn read_toolbox(&self) -> Result<Toolbox, FileError> {
        let read = |entry: crate::home::Entry| {
            Ok(ModuleText { source: self.home.read(&entry)?, layer: entry.layer })
        };
        let modules: Result<Vec<_>, FileError> =
            self.home.list(Kind::Module)?.into_iter().map(read).collect();
        let variables = self.settings.environment.iter().map(|(name, value)| (name.into(), value.into()));
        let options = ToolboxOptions {
            environment: Environment::new(variables),
            output_bytes: self.settings.output_bytes,
            proxy: self.settings.environment.get("HTTPS_PROXY").filter(|proxy| !proxy.is_empty()).cloned(),
            state_folder: self.settings.state_folder.clone(),
            ephemeral: self.ephemeral(),
        };
        Ok(Toolbox::new(modules?, &options))
    }

    fn ephemeral(&self) -> ephemeral::Defaults {
        let mut defaults = ephemeral::Defaults::default();
        let written = &self.settings.ephemeral;
        if let Some(repository) = &written.repository {
            defaults.repository.clone_from(repository);
        }
        if let Some(ttl) = written.ttl {
            defaults.ttl = format!("{}ms", ttl.as_millis());
        }
        defaults
    }

    /// Commands that calls of a tool start, as far as its module says.
    pub(super) fn touches(&self, tool: &str) -> Vec<String> {
        let Ok(toolbox) = self.toolbox() else { return Vec::new() };
        let Some(tool) = toolbox.tool(tool) else { return Vec::new() };
        let modules = toolbox.modules().into_iter();
        modules
            .filter(|module| module.name == tool.spec().module)
            .flat_map(|module| module.requires)
            .collect()
    }

    /// What a driver works with.
    pub(super) fn means(&self, after_commit: Option<AfterCommit>) -> Result<Means, FileError> {
        let toolbox = self.toolbox()?.clone();
        Ok(Means {
            tools: Arc::new(move |name| toolbox.tool(name)),
            permits: Arc::clone(&self.permits),
            secrets: self.secrets.clone(),
            clock: Arc::new(WallClock),
            nudge: self.nudge.subscribe(),
            call_timeout: self.settings.step_timeout,
            after_commit,
        })
    }
}
