//! Workspaces and sessions of whoever calls, and what a new session is told.

use std::path::Path;

use serde_json::{Map, Value};
use tokio::sync::broadcast;

use super::Engine;
use crate::caller::Whose;
use crate::settings::project_folder;
use crate::store::{RunFilter, RunStatus, RunSummary, StoreError};
use crate::tool::seen_in;
use crate::workspace::{ChatSession, Opening, WorkspaceState, WorkspaceUpdated, is_within, uri_of};

/// Entries of the session log that are told.
const LOG: usize = 5;

/// Runs that wait and are told of.
const WAITING: u32 = 20;

/// What the memory of the caller's tenant tells whoever begins to work.
#[derive(Clone, Debug, Default)]
pub struct Remembered {
    /// `state/current_work`; empty when nothing is known.
    pub current_work: Map<String, Value>,
    /// The last entries of the session logs, newest first.
    pub log: Vec<Value>,
}

impl Engine {
    /// The folder as the caller works in it.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn workspace(&self) -> Result<WorkspaceState, StoreError> {
        let stale = self.settings().clients.session_stale;
        self.registry().workspace((&self.caller.whose(), self.folder()), stale, || self.look())
    }

    /// The folders that the caller works in, the last used first.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn workspaces(&self) -> Result<Vec<WorkspaceState>, StoreError> {
        self.parts.store()?.workspaces(&self.caller.whose())
    }

    /// The sessions of the caller in this folder, the last used first.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn sessions(&self, limit: u32) -> Result<Vec<ChatSession>, StoreError> {
        self.parts.store()?.chat_sessions(&self.caller.whose(), &uri_of(self.folder()), limit)
    }

    /// The same in another folder of theirs, whether it is still there or not.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn sessions_about(
        &self,
        workspace: &WorkspaceState,
        limit: u32,
    ) -> Result<Vec<ChatSession>, StoreError> {
        self.parts.store()?.chat_sessions(&self.caller.whose(), &workspace.workspace_uri, limit)
    }

    /// A session of the caller, in whatever folder; that of another one is not there, nor one that is forgotten.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn session(&self, id: &str) -> Result<Option<ChatSession>, StoreError> {
        self.registry().session(&self.caller.whose(), id, self.settings().clients.session_keep)
    }

    /// The session of the caller in this folder that was used last, unless that is long ago.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn active_session(&self) -> Result<Option<ChatSession>, StoreError> {
        let Some(id) = self.workspace()?.active_session_id else { return Ok(None) };
        self.session(&id)
    }

    /// Makes a session, or goes on with one; `None` when the caller has none of that id.
    /// On return it is durable.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn open_session(&self, opening: Opening) -> Result<Option<ChatSession>, StoreError> {
        self.forget_sessions().await?;
        let keep = self.settings().clients.session_keep;
        self.registry().open((&self.caller.whose(), self.folder()), (opening, keep), self.look()).await
    }

    /// Forgets sessions that nobody has used for as long as they are kept; to be asked for now and then, and does
    /// nothing too often.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn forget_sessions(&self) -> Result<(), StoreError> {
        self.registry().tidy(self.settings().clients.session_keep).await
    }

    /// Notes that a tool was called; `is_other` when it is none that the session shows.
    pub async fn note_call(&self, session: Option<&str>, tool: &str, is_other: bool) {
        if session.is_some() && self.workspace().is_err() {
            return;
        }
        let place = (&self.caller.whose(), self.folder());
        let Some(writing) = self.registry().count(place, session, (tool, is_other)) else { return };
        // Counts are no reason for a call to fail.
        if let Err(error) = self.registry().write(writing).await {
            tracing::warn!("a session is not written: {error}");
        }
    }

    /// Writes what was merely counted; to be done before the process ends.
    pub async fn save_sessions(&self) {
        for writing in self.registry().unwritten() {
            if let Err(error) = self.registry().write(writing).await {
                tracing::warn!("a session is not written: {error}");
            }
        }
    }

    /// What changes about workspaces from now on. Of all principals: whoever passes it on shows
    /// each of them only their own.
    pub fn workspace_notices(&self) -> broadcast::Receiver<WorkspaceUpdated> {
        self.registry().notices()
    }

    /// Whether the caller may work in a folder: whoever owns the store in any, others in those
    /// that the configuration names and in the one that this engine was started in. That is one project: another one
    /// within it, which whoever writes files there could have brought, is nobody's word.
    pub fn may_work_in(&self, folder: &Path) -> bool {
        let settings = self.settings();
        let is_own = || {
            is_within(folder, &settings.folder)
                && project_folder(folder).is_none_or(|project| !is_below(&project, &settings.folder))
        };
        let is_named = || settings.clients.folders.iter().any(|allowed| is_within(folder, allowed));
        self.caller.whose() == Whose::local() || is_own() || is_named()
    }

    /// What is remembered and worth knowing at the beginning. Who may know it is for the front end to decide.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn remembered(&self) -> Result<Remembered, StoreError> {
        let (store, tenant) = (self.parts.store()?, &self.caller.tenant);
        let mut log = Vec::new();
        for key in store.memory_keys(tenant, "sessions/")?.iter().rev() {
            let entries = store.memory(tenant, key)?.and_then(|mut day| day.remove("entries"));
            let Some(Value::Array(entries)) = entries else { continue };
            log.extend(entries.into_iter().rev());
            if log.len() >= LOG {
                break;
            }
        }
        log.truncate(LOG);
        let current_work = store.memory(tenant, "state/current_work")?.unwrap_or_default();
        Ok(Remembered { current_work, log })
    }

    /// The last runs of the caller that wait for a person.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn waiting_runs(&self) -> Result<Vec<RunSummary>, StoreError> {
        self.runs(&RunFilter {
            status: vec![RunStatus::Waiting],
            limit: Some(WAITING),
            ..RunFilter::default()
        })
    }

    /// What is seen in the folder. That the store cannot be read is said by whoever needs it.
    fn look(&self) -> crate::workspace::Surroundings {
        let projects =
            self.parts.store().and_then(|store| store.memory(&self.caller.tenant, "state/projects"));
        seen_in(&self.settings().folder, &projects.ok().flatten().unwrap_or_default())
    }

    fn folder(&self) -> &Path {
        &self.settings().folder
    }

    fn registry(&self) -> &crate::workspace::Registry {
        &self.parts.shared.workspaces
    }
}

/// Whether a project's folder lies in one within a folder, and not in the folder itself.
fn is_below(project: &Path, folder: &Path) -> bool {
    project.parent().is_some_and(|at| is_within(at, folder) && !is_within(folder, at))
}
