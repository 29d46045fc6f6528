//! `daemon:` in a configuration: how a process lives that runs skills although nobody is there.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Bytes;
use crate::yaml::Spanned;

/// How `aa daemon` lives. It is heard in the user's own file only.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Daemon {
    /// How long steps that are under way may take to end when the daemon is told to stop (default `30s`). What is
    /// not over by then is cut off, and gone on with by the next daemon.
    #[serde(deserialize_with = "crate::duration::written")]
    #[schemars(with = "Option<crate::duration::Written>")]
    pub drain_timeout: Option<Spanned<String>>,
    /// How long its log may get before a new one is begun (default `10MiB`).
    pub log_bytes: Option<Spanned<Bytes>>,
    /// How many older logs are kept (default 5).
    #[schemars(range(min = 1, max = 4_294_967_295_u32))]
    #[serde(deserialize_with = "crate::skill::at_least_one")]
    pub log_files: Option<Spanned<u32>>,
}
