//! `serve:` in a configuration: how AI clients and others are served.

use schemars::JsonSchema;
use serde::Deserialize;

use super::entrance::{Key, Limits};
use crate::yaml::Spanned;

/// How AI clients and others are served.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Serve {
    /// Who may come in over HTTP, besides whoever can read the token file.
    pub keys: Vec<Key>,
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
}
