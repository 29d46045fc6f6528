//! `serve:` in a configuration: what clients see, and where they may work.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::yaml::Spanned;

/// How AI clients and others are served.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Serve {
    /// Tools in a client's list at most (default 80); the rest is found by searching.
    #[schemars(range(min = 1))]
    #[serde(deserialize_with = "crate::skill::at_least_one")]
    pub tool_budget: Option<Spanned<u32>>,
    /// Folders that principals with a key may work in, with all that lies in them, besides the folder
    /// that the server was started in; a relative one is relative to this file.
    pub folders: Vec<Spanned<String>>,
    /// A conversation without a call for so long is no longer gone on with by itself (default `24h`).
    #[serde(deserialize_with = "crate::duration::written")]
    #[schemars(with = "Option<crate::duration::Written>")]
    pub session_stale: Option<Spanned<String>>,
    /// A conversation without a call for so long is forgotten (default `30d`).
    #[serde(deserialize_with = "crate::duration::written")]
    #[schemars(with = "Option<crate::duration::Written>")]
    pub session_keep: Option<Spanned<String>>,
}
