//! Ephemeral namespaces: somewhere to run one commit of a service for a while.
//!
//! Provider `local`: a namespace is a folder under the state folder with an owner and
//! a time to live. It holds a checkout, its build, its logs and at most one running
//! service. Reading order: [`namespace`] (the folder and its record), [`repository`]
//! (where commits come from), [`manifest`] (what `ephemeral.yaml` says), [`group`] and
//! [`service`] (the process), [`http`] (asking it), and one file per tool.

use std::path::Path;
use std::sync::Arc;

use aa_spec::tool::ErrorKind;

use crate::tool::process::Launcher;
use crate::tool::{CallContext, Tool, ToolError, native};

mod build;
mod checkout;
mod clock;
mod command;
mod extend;
mod group;
mod http;
mod list;
mod logs;
pub mod manifest;
mod merge_request;
mod namespace;
mod release;
mod repository;
mod reserve;
mod service;
mod smoke;
mod start;
mod status;
#[cfg(test)]
mod tests;
mod wait;

use namespace::{NamespaceError, Namespaces};
use repository::Repository;

/// What a call means that does not say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Defaults {
    /// The repository of merge requests: a folder, bundle or address, or `sample`.
    pub repository: String,
    /// How long a namespace lives, e.g. `2h`.
    pub ttl: String,
}

/// Every tool of the module, over namespaces in the folder `ephemeral` of the state folder.
pub fn tools(state_folder: &Path, launcher: &Arc<Launcher>, defaults: Defaults) -> Vec<Arc<dyn Tool>> {
    let local = Local {
        namespaces: Arc::new(Namespaces::new(state_folder.join("ephemeral"))),
        launcher: Arc::clone(launcher),
        defaults: Arc::new(defaults),
    };
    vec![
        native::tool(merge_request::FindMergeRequest(local.clone())),
        native::tool(reserve::Reserve(local.clone())),
        native::tool(checkout::Checkout(local.clone())),
        native::tool(build::Build(local.clone())),
        native::tool(build::Test(local.clone())),
        native::tool(start::Start(local.clone())),
        native::tool(wait::Wait(local.clone())),
        native::tool(smoke::Smoke(local.clone())),
        native::tool(status::Status(local.clone())),
        native::tool(list::List(local.clone())),
        native::tool(logs::Logs(local.clone())),
        native::tool(extend::Extend(local.clone())),
        native::tool(release::Release(local)),
    ]
}

/// The provider `local`: folders and processes of this machine.
#[derive(Clone, Debug)]
struct Local {
    namespaces: Arc<Namespaces>,
    launcher: Arc<Launcher>,
    defaults: Arc<Defaults>,
}

impl Default for Defaults {
    fn default() -> Self {
        Self { repository: repository::SAMPLE.to_owned(), ttl: "2h".to_owned() }
    }
}

impl Local {
    /// The repository that a call means.
    fn repository(&self, context: &CallContext, given: Option<&str>) -> Result<Repository, ToolError> {
        Repository::read(given.unwrap_or(&self.defaults.repository), &context.folder)
    }

    /// Does something with the namespaces on disk, on a thread that may block.
    async fn on_disk<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Namespaces) -> Result<T, NamespaceError> + Send + 'static,
    ) -> Result<T, ToolError> {
        let namespaces = Arc::clone(&self.namespaces);
        match tokio::task::spawn_blocking(move || work(&namespaces)).await {
            Ok(result) => Ok(result?),
            Err(error) => Err(broken("cannot use the namespaces", &error)),
        }
    }
}

/// An error of the machine that another attempt will not mend.
fn broken(what: &str, error: &dyn std::fmt::Display) -> ToolError {
    ToolError::new(ErrorKind::Permanent, format!("{what}: {error}"))
}
