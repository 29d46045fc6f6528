//! A module whose tools come from an MCP server.
//!
//! ```yaml
//! module: files
//! description: Files of the handbook
//! mcp:
//!   command: [mcp-server-filesystem, /srv/handbook]
//!   tools: {read_text_file: {effect: read}}
//! ```
//!
//! The server says which tools there are; the module says what they may do.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::Tier;
use super::http::AuthForm;
use crate::tool::Effect;
use crate::yaml::Spanned;

/// An MCP server: how to reach it, and what its tools do to the world.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "McpServer")]
pub struct Mcp {
    /// The command that speaks the protocol on its standard input and output.
    #[serde(default)]
    pub command: Vec<Spanned<String>>,
    /// Environment variables to set for the command.
    #[serde(default)]
    pub env: BTreeMap<String, Spanned<String>>,
    /// Environment variables to pass on. Without it the command sees `PATH`, `HOME` and the like.
    #[serde(default)]
    pub env_pass: Vec<Spanned<String>>,
    /// Folder to run the command in, relative to the working folder.
    #[serde(default)]
    pub cwd: Option<Spanned<String>>,
    /// Address of a server that speaks streamable HTTP, in place of a command.
    #[serde(default)]
    pub url: Option<Spanned<String>>,
    /// Headers of every request to `url`.
    #[serde(default)]
    pub headers: BTreeMap<String, Spanned<String>>,
    /// How to prove to `url` who asks. Of a list, the first whose values are not null is used.
    #[serde(default)]
    pub auth: Option<AuthForm>,
    /// What the names of its tools begin with (default: the module's name and `_`).
    #[serde(default)]
    pub prefix: Option<Spanned<String>>,
    /// Starting the server and asking it for its tools may each take this long (default `1m`).
    #[serde(default, deserialize_with = "crate::duration::written")]
    #[schemars(with = "Option<crate::duration::Written>")]
    pub start_timeout: Option<Spanned<String>>,
    /// A call may take this long, not counting the time that a person takes to answer (default `5m`).
    #[serde(default, deserialize_with = "crate::duration::written")]
    #[schemars(with = "Option<crate::duration::Written>")]
    pub timeout: Option<Spanned<String>>,
    /// What is known here of its tools, by the names that the server gives them.
    #[serde(default)]
    pub tools: BTreeMap<String, McpTool>,
    /// What a tool does to the world that `tools` says nothing of (default `unknown`).
    #[serde(default = "unknown")]
    pub default_effect: Effect,
}

/// What is known here of a tool. What the server claims of its effects is not believed.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct McpTool {
    /// What a call does to the world.
    pub effect: Option<Effect>,
    /// Whether calling it twice equals calling it once (default: only for `effect: read`).
    pub idempotent: Option<bool>,
    /// `basic` tools are offered first, `extra` ones on request (default `basic`).
    pub tier: Tier,
    /// Name that skills use, in place of the prefix and the server's name.
    pub name: Option<Spanned<String>>,
    /// Whether it is left out.
    pub hidden: bool,
    /// What a text that it gives is: a `text` as it is, or a `json` document to be read (default `text`).
    pub result: McpText,
}

/// What a text of a tool is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum McpText {
    /// The text as it is.
    #[default]
    Text,
    /// A JSON document.
    Json,
}

fn unknown() -> Effect {
    Effect::Unknown
}
