//! How far guests reach into the files of this machine.

use std::path::{Path, PathBuf};

use aa_spec::config::Secret;
use serde_json::{Map, Value};

use super::Engine;
use super::courses::SINGLE;
use crate::caller::{LOCAL, MAIN};
use crate::fence::Fence;

impl Engine {
    /// The fence of a run. What is called as a run of one step is named by whoever calls.
    pub(super) fn fence_of_run(
        &self,
        (tenant, principal): (&str, &str),
        skill: &str,
        folder: &Path,
    ) -> Fence {
        let fence = self.fence_of((tenant, principal));
        if skill.starts_with(SINGLE) { self.named(&fence, folder) } else { fence }
    }

    /// The fence of what the caller calls outside a run.
    pub(super) fn fence_of_call(&self) -> Fence {
        let fence = self.fence_of((&self.caller.tenant, &self.caller.principal));
        self.named(&fence, &self.settings().folder)
    }

    /// That the caller may name everything that these values name: arguments or inputs.
    ///
    /// # Errors
    /// What may not be named.
    pub(super) fn may_name(&self, values: &Map<String, Value>) -> Result<(), String> {
        self.fence_of_call().lets_values(values, &self.settings().folder)
    }

    /// The fence of what a guest names.
    fn named(&self, fence: &Fence, folder: &Path) -> Fence {
        let settings = self.settings();
        let open: Vec<PathBuf> =
            settings.clients.folders.iter().cloned().chain([folder.to_owned()]).collect();
        fence.within(&open, settings.project_folder.as_slice())
    }

    /// What no guest gets to see: who may come in, what others have done, and what the owner keeps secret. The folders
    /// of ephemeral namespaces lie below the store, and runs work in them.
    fn fence_of(&self, (tenant, principal): (&str, &str)) -> Fence {
        if principal == LOCAL && tenant == MAIN {
            return Fence::default();
        }
        let settings = self.settings();
        let secrets = settings.secrets.values().filter_map(|secret| match secret {
            Secret::File(path) => Some(PathBuf::from(path)),
            _ => None,
        });
        let closed = [settings.state_folder.clone(), settings.config_folder.clone()];
        let closed: Vec<PathBuf> = closed.into_iter().chain(secrets).collect();
        Fence::closing(&closed, &[settings.state_folder.join("ephemeral")])
    }
}
