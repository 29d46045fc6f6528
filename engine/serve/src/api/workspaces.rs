//! `/api/workspaces`: folders that are worked in, and conversations about them.

use aa_run::workspace::{ChatSession, WorkspaceState};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::answer::Json;
use super::page::{List, size};
use super::problem::Problem;
use super::route::{Asked, Nothing, Route, get};

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/workspaces", "List the folders that you work in", list),
        get("/workspaces/sessions", "List conversations about a folder, the last used first", sessions),
    ]
}

async fn list(asked: Asked) -> Result<Json<List<WorkspaceState>>, Problem> {
    Ok(Json(List { items: asked.visitor.engine.workspaces()? }))
}

/// Which conversations.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Which {
    /// The folder, as a path or `file://` address; default: the server's.
    workspace: Option<String>,
    /// At most this many (default 50).
    #[schemars(range(min = 1, max = 500))]
    limit: Option<u32>,
}

/// Conversations about a folder.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "WorkspaceSessions")]
struct Sessions {
    /// The folder.
    workspace: WorkspaceState,
    /// The conversations.
    items: Vec<ChatSession>,
}

async fn sessions(asked: Asked<Nothing, Which>) -> Result<Json<Sessions>, Problem> {
    let visitor = asked.visitor.within(asked.query.workspace.as_deref(), "bad-query")?;
    let items = visitor.engine.sessions(size(asked.query.limit)?)?;
    Ok(Json(Sessions { workspace: visitor.engine.workspace()?, items }))
}
