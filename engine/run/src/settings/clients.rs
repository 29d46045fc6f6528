//! What clients of a server see, and where they may work.

use std::path::PathBuf;

use chrono::Duration;

use super::layer::{Field, Layers};
use super::time;

/// What clients see, and where they may work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clients {
    /// Tools in a list at most; the rest is found by searching.
    pub tool_budget: usize,
    /// Folders that principals other than the owner may work in, besides the server's own.
    pub folders: Vec<PathBuf>,
    /// After so long without a call a session is no longer the one that is worked in.
    pub session_stale: Duration,
    /// After so long without a call a session is forgotten.
    pub session_keep: Duration,
}

pub(super) fn resolve(layers: &mut Layers<'_>) -> Clients {
    Clients {
        tool_budget: super::count(layers, "serve.tool_budget", |c| &c.serve.tool_budget, 80) as usize,
        folders: layers.folders(),
        session_stale: span(layers, "serve.session_stale", |c| &c.serve.session_stale, "24h"),
        session_keep: span(layers, "serve.session_keep", |c| &c.serve.session_keep, "30d"),
    }
}

fn span(layers: &mut Layers<'_>, key: &'static str, field: Field<String>, usual: &str) -> Duration {
    Duration::from_std(time(layers, key, field, usual)).unwrap_or(Duration::MAX)
}
