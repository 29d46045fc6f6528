//! `serve:` in a configuration: who may come in over HTTP, what clients may do, and how much of it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::Policy;
use super::entrance::{Key, Limits};
use super::issuer::Issuer;
use crate::yaml::Spanned;

/// How AI clients and others are served.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Serve {
    /// Who may come in over HTTP, besides whoever can read the token file. Like `hosts`, `origins` and `folders`
    /// this is heard in the user's own file only: whoever clones a project has not written the project's.
    pub keys: Vec<Key>,
    /// Roles that keys and tokens may have: by a name for each, what they may use. Heard like `keys`.
    pub roles: BTreeMap<String, Vec<Spanned<String>>>,
    /// Issuers of tokens (JWT) that open, too, by a name for each. Heard like `keys`.
    pub issuers: BTreeMap<String, Spanned<Issuer>>,
    /// Names under which the server may be asked for, besides those of this machine itself, e.g.
    /// `aa.example.org`.
    pub hosts: Vec<Spanned<String>>,
    /// Web pages that may ask it, e.g. `https://app.example.org`; default: none.
    pub origins: Vec<Spanned<String>>,
    /// A session that is not used for so long is forgotten (default `1h`).
    #[serde(deserialize_with = "crate::duration::written")]
    #[schemars(with = "Option<crate::duration::Written>")]
    pub session_timeout: Option<Spanned<String>>,
    /// How long a server that is told to stop waits for answers under way (default `10s`).
    #[serde(deserialize_with = "crate::duration::written")]
    #[schemars(with = "Option<crate::duration::Written>")]
    pub shutdown_timeout: Option<Spanned<String>>,
    /// Bounds of each principal.
    pub limits: Limits,
    /// Runs that move at once, in all (default 5). Those that wait for a person do not count.
    #[schemars(range(min = 1, max = 4_294_967_295_u32))]
    #[serde(deserialize_with = "crate::skill::at_least_one")]
    pub runs: Option<Spanned<u32>>,
    /// Runs of one session that move at once (default 2).
    #[schemars(range(min = 1, max = 4_294_967_295_u32))]
    #[serde(deserialize_with = "crate::skill::at_least_one")]
    pub runs_per_session: Option<Spanned<u32>>,
    /// Runs of clients that wait for a place to move at most (default 1000); beyond that, none is begun.
    #[schemars(range(min = 1, max = 4_294_967_295_u32))]
    #[serde(deserialize_with = "crate::skill::at_least_one")]
    pub waiting_runs: Option<Spanned<u32>>,
    /// How long a call waits for its run before it is answered with where the run stands (default `40s`).
    #[serde(deserialize_with = "crate::duration::written")]
    #[schemars(with = "Option<crate::duration::Written>")]
    pub wait: Option<Spanned<String>>,
    /// How long a call waits before a client that knows tasks is given one (default `1s`).
    #[serde(deserialize_with = "crate::duration::written")]
    #[schemars(with = "Option<crate::duration::Written>")]
    pub task_after: Option<Spanned<String>>,
    /// What may be run without asking, by the strongest effect of what is run.
    pub policy: Policy,
    /// Whether a model may answer the questions of runs itself, instead of a person (default `false`).
    pub self_approve: Option<Spanned<bool>>,
    /// Whether each skill is also shown as a folder with a `SKILL.md`, to clients that know the draft of
    /// that extension (default no).
    pub skills_extension: Option<Spanned<bool>>,
    /// Tools in the list of a persona at most (default 80); the rest is found by searching.
    #[schemars(range(min = 1, max = 4_294_967_295_u32))]
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
