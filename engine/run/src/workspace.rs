//! Folders that are worked in, and conversations about them.
//!
//! A *workspace* is a folder as one principal works in it; a *session* is one conversation about
//! it. Both are ours: they outlive connections and processes, and no session of a transport
//! stands for them. The id of a session is random and is a name, no proof: whoever gives one must be
//! the principal whose it is.

mod address;
mod registry;

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::address::{path_of, uri_of};
pub(crate) use self::registry::{Registry, Surroundings};
use crate::caller::{Whose, main_tenant};
use crate::event::Time;

/// A folder as a principal works in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WorkspaceState {
    /// The folder as a `file://` address.
    pub workspace_uri: String,
    /// The tenant whose it is.
    #[serde(default = "main_tenant")]
    pub tenant: String,
    /// Whose it is.
    pub principal: String,
    /// The project in it; empty when it is not known.
    pub project: String,
    /// The persona that was loaded last; empty when none was.
    pub persona: String,
    /// The session that was used last; null when there is none, or it is stale.
    pub active_session_id: Option<String>,
    /// When it was first worked in.
    pub created_at: Time,
    /// When it was last worked in.
    pub last_activity: Time,
    /// Whether the project was seen in the folder and not named by anybody.
    pub is_auto_detected: bool,
}

/// One conversation about a workspace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ChatSession {
    /// Random.
    pub session_id: String,
    /// The workspace that it is about.
    pub workspace_uri: String,
    /// The tenant whose it is.
    #[serde(default = "main_tenant")]
    pub tenant: String,
    /// Whose it is.
    pub principal: String,
    /// What people call it.
    pub name: String,
    /// The persona that it has loaded; empty when none was.
    pub persona: String,
    /// The project that it is about; empty when it is not known.
    pub project: String,
    /// Whether the project was seen in the folder and not named by anybody.
    pub is_project_auto_detected: bool,
    /// The issue that it is about; empty when there is none.
    pub issue_key: String,
    /// The branch that was checked out when it began; empty when there was none.
    pub branch: String,
    /// Tools that its persona shows.
    pub static_tool_count: usize,
    /// Tools besides those that its calls have used.
    pub dynamic_tool_count: usize,
    /// When it was made.
    pub created_at: Time,
    /// When it was last begun or gone on with.
    pub started_at: Time,
    /// When it was last used.
    pub last_activity: Time,
    /// The tool that was called last; empty when none was.
    pub last_tool: String,
    /// When that was.
    pub last_tool_time: Option<Time>,
    /// Calls of tools in all.
    pub tool_call_count: u64,
}

impl ChatSession {
    /// Whose it is.
    pub fn whose(&self) -> Whose {
        Whose { tenant: self.tenant.clone(), principal: self.principal.clone() }
    }

    /// Whether it is somebody's.
    pub fn is_of(&self, whose: &Whose) -> bool {
        self.tenant == whose.tenant && self.principal == whose.principal
    }
}

/// What a session is to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Opening {
    /// The session to go on with; without it a new one is made.
    pub resume: Option<String>,
    /// What people call it.
    pub name: Option<String>,
    /// The persona that it loads, and the number of tools that it shows.
    pub persona: Option<(String, usize)>,
    /// The project that it is about.
    pub project: Option<String>,
    /// The issue that it is about.
    pub issue_key: Option<String>,
}

/// Something about a workspace has changed: the event `workspace_updated`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WorkspaceUpdated {
    /// Which workspace.
    pub workspace_uri: String,
    /// Of which tenant.
    #[serde(default = "main_tenant")]
    pub tenant: String,
    /// Whose; others are not told.
    pub principal: String,
    /// Through which session.
    pub session_id: Option<String>,
    /// The persona that is loaded now; empty when none is.
    pub persona: String,
    /// Whether another persona was loaded before: the tools that the session shows have changed.
    pub persona_changed: bool,
    /// When.
    pub at: Time,
}

/// Whether a folder is another one or lies in it, wherever links lead.
pub(crate) fn is_within(folder: &Path, other: &Path) -> bool {
    match (folder.canonicalize(), other.canonicalize()) {
        (Ok(folder), Ok(other)) => folder.starts_with(other),
        _ => false,
    }
}
