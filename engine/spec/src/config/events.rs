//! `events:` in a configuration: how editors and others hear of what happens.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::yaml::Spanned;

/// How editors and others hear of what happens. `/events` and `/ws` of the server are there in any case.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Events {
    /// A port of this machine at which `aa serve` also speaks WebSocket to editors, which look for it at
    /// 9876 (default: none).
    #[schemars(range(min = 1, max = 65535))]
    #[serde(deserialize_with = "crate::skill::at_least_one")]
    pub port: Option<Spanned<u32>>,
    /// Whether whoever is on this machine may listen at that port without a key, as editors that know of none do
    /// (default `false`). They hear of all runs; answering still needs a key.
    pub keyless: Option<Spanned<bool>>,
    /// Listeners at once, in all (default 2000).
    #[schemars(range(min = 1, max = 4_294_967_295_u32))]
    #[serde(deserialize_with = "crate::skill::at_least_one")]
    pub listeners: Option<Spanned<u32>>,
    /// A file that `aa serve` keeps up to date with what runs, for editors that watch it (default: none); a
    /// relative path is relative to this file.
    pub state_file: Option<Spanned<String>>,
}
