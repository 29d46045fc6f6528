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
use crate::tool::{Tool, ToolError, typed};

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

/// Every tool of the module, over namespaces in the folder `ephemeral` of the state folder.
pub fn tools(state_folder: &Path, launcher: &Arc<Launcher>) -> Vec<Arc<dyn Tool>> {
    let local = Local {
        namespaces: Arc::new(Namespaces::new(state_folder.join("ephemeral"))),
        launcher: Arc::clone(launcher),
    };
    vec![
        typed::tool(merge_request::FindMergeRequest(local.clone())),
        typed::tool(reserve::Reserve(local.clone())),
        typed::tool(checkout::Checkout(local.clone())),
        typed::tool(build::Build(local.clone())),
        typed::tool(build::Test(local.clone())),
        typed::tool(start::Start(local.clone())),
        typed::tool(wait::Wait(local.clone())),
        typed::tool(smoke::Smoke(local.clone())),
        typed::tool(status::Status(local.clone())),
        typed::tool(list::List(local.clone())),
        typed::tool(logs::Logs(local.clone())),
        typed::tool(extend::Extend(local.clone())),
        typed::tool(release::Release(local)),
    ]
}

/// The provider `local`: folders and processes of this machine.
#[derive(Clone, Debug)]
struct Local {
    namespaces: Arc<Namespaces>,
    launcher: Arc<Launcher>,
}

impl Local {
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
