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

use crate::tool::native::{Native as _, tool};
use crate::tool::process::Launcher;
use crate::tool::{CallContext, Tool, ToolError};

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

use build::{Build, Test};
use checkout::Checkout;
use extend::Extend;
use http::Asker;
use list::List;
use logs::Logs;
use merge_request::FindMergeRequest;
use namespace::{NamespaceError, Namespaces};
use release::Release;
use repository::Repository;
use reserve::Reserve;
use smoke::Smoke;
use start::Start;
use status::Status;
use wait::Wait;

/// What a call means that does not say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Defaults {
    /// The repository of merge requests: a folder, bundle or address, or `sample`.
    pub repository: String,
    /// How long a namespace lives, e.g. `2h`.
    pub ttl: String,
}

/// Makes one of the tools.
pub(crate) type Make = fn(Local) -> Arc<dyn Tool>;

/// Every tool of the module by name, in the order in which a deployment uses them.
pub(crate) const TOOLS: &[(&str, Make)] = &[
    (FindMergeRequest::FACE.name, |local| tool(FindMergeRequest(local))),
    (Reserve::FACE.name, |local| tool(Reserve(local))),
    (Checkout::FACE.name, |local| tool(Checkout(local))),
    (Build::FACE.name, |local| tool(Build(local))),
    (Test::FACE.name, |local| tool(Test(local))),
    (Start::FACE.name, |local| tool(Start(local))),
    (Wait::FACE.name, |local| tool(Wait(local))),
    (Smoke::FACE.name, |local| tool(Smoke(local))),
    (Status::FACE.name, |local| tool(Status(local))),
    (List::FACE.name, |local| tool(List(local))),
    (Logs::FACE.name, |local| tool(Logs(local))),
    (Extend::FACE.name, |local| tool(Extend(local))),
    (Release::FACE.name, |local| tool(Release(local))),
];

/// The provider `local`: folders and processes of this machine. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Local {
    namespaces: Arc<Namespaces>,
    launcher: Arc<Launcher>,
    asker: Arc<Asker>,
    defaults: Arc<Defaults>,
}

impl Default for Defaults {
    fn default() -> Self {
        Self { repository: repository::SAMPLE.to_owned(), ttl: "2h".to_owned() }
    }
}

impl Local {
    /// Namespaces in the folder `ephemeral` of the state folder.
    pub(crate) fn new(state_folder: &Path, launcher: Arc<Launcher>, defaults: Defaults) -> Self {
        Self {
            namespaces: Arc::new(Namespaces::new(state_folder.join("ephemeral"))),
            launcher,
            asker: Arc::new(Asker::new()),
            defaults: Arc::new(defaults),
        }
    }

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
