//! Whether a process that serves can do what it is there for.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use super::{BrokenFile, Engine};
use crate::schedule::Pulse;

/// How long the store may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// How a process stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// Whether it is about to end.
    pub draining: bool,
    /// The store can be written and read.
    pub store: Check,
    /// The files of skills, tools and personas can be read.
    pub catalog: Check,
    /// What is due is run.
    pub scheduler: Check,
    /// Listeners that are configured, by module. Work can be given to a process that does not hear of something.
    #[serde(default)]
    pub listeners: BTreeMap<String, Check>,
    /// Files of skills, tool modules and personas that are refused for their errors, and a configuration that cannot be
    /// read as it is now, so that what was read before holds; everything else works.
    #[serde(default)]
    pub broken: Vec<BrokenFile>,
}

/// How a part stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state", content = "why")]
pub enum Check {
    /// It does what it is there for.
    Ok,
    /// It is not wanted.
    Off,
    /// Another process does it.
    Elsewhere,
    /// It does not, and why.
    Failing(String),
}

impl Health {
    /// What does not do what it is there for, and why.
    pub fn failing(&self) -> Vec<String> {
        let parts = [("store", &self.store), ("catalog", &self.catalog), ("scheduler", &self.scheduler)];
        let told = |(part, check): (&str, &Check)| match check {
            Check::Failing(why) => Some(format!("{part}: {why}")),
            Check::Ok | Check::Off | Check::Elsewhere => None,
        };
        parts.into_iter().filter_map(told).collect()
    }

    /// Whether work can be given to it.
    pub fn is_ready(&self) -> bool {
        !self.draining && [&self.store, &self.catalog, &self.scheduler].iter().all(|check| check.is_good())
    }
}

impl Check {
    /// Whether nothing is wrong with it.
    pub fn is_good(&self) -> bool {
        !matches!(self, Self::Failing(_))
    }

    fn of<E: std::fmt::Display>(result: Result<(), E>) -> Self {
        result.map_or_else(|error| Self::Failing(error.to_string()), |()| Self::Ok)
    }
}

impl Engine {
    /// Looks at every part: the store is written to, files are looked at, the scheduler has looked a moment ago.
    pub async fn health(&self) -> Health {
        let store = async { self.parts.store_soon().await?.ping().await };
        let store = match timeout(PATIENCE, store).await {
            Ok(result) => Check::of(result),
            Err(_) => Check::Failing("it does not answer".to_owned()),
        };
        let current = self.current();
        let catalogue = current.catalogue();
        Health {
            draining: self.parts.shared.drain.has_begun(),
            store,
            broken: match &catalogue {
                Ok(catalogue) => current.broken_files(catalogue),
                Err(_) => self.parts.shared.broken.files(),
            },
            catalog: Check::of(catalogue.map(drop)),
            scheduler: self.pulse().check(),
            listeners: self.parts.shared.listeners.all(),
        }
    }

    /// The pulse of this process's scheduler.
    pub(crate) fn pulse(&self) -> Pulse {
        self.parts.shared.pulse.clone()
    }
}
