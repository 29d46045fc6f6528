//! `serve:`: what clients of a server may do, and how much of it at once.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Policy;
use crate::yaml::Spanned;

/// How other programs are served.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Serve {
    /// Runs that move at once, in all (default 5). Those that wait for a person do not count.
    #[schemars(range(min = 1))]
    #[serde(deserialize_with = "crate::skill::at_least_one")]
    pub runs: Option<Spanned<u32>>,
    /// Runs of one session that move at once (default 2).
    #[schemars(range(min = 1))]
    #[serde(deserialize_with = "crate::skill::at_least_one")]
    pub runs_per_session: Option<Spanned<u32>>,
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
}
