//! A tool of a server for people who look for what is wrong with it: what is trusted, and what the
//! server says now.

use std::time::Duration;

use aa_spec::tool::ErrorKind;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{McpModule, outside};
use crate::event::Time;
use crate::tool::ToolError;

/// How long a server may take to say what its tools are, when that is only a part of the story.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is trusted of a tool of an MCP server.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Trusted {
    /// The server's own name for it.
    pub tool: String,
    /// When its definition was first seen, or last trusted.
    pub since: Time,
    /// The definition: `title`, `description`, `input`, `output` and the server's `hints`.
    pub definition: Value,
    /// What the server says now.
    pub now: Saying,
}

/// What a server says of a tool, beside what is trusted.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "says", rename_all = "snake_case")]
pub enum Saying {
    /// What is trusted.
    Same,
    /// Something else; calls are refused until somebody has trusted it.
    Other {
        /// What it says.
        definition: Value,
    },
    /// That it has no such tool.
    Gone,
    /// Nothing.
    Nothing {
        /// Why not.
        why: String,
    },
}

impl Trusted {
    /// Names the parts that differ in place of what they say now: a model must not read what nobody trusts.
    pub(crate) fn withhold(&mut self) {
        let Saying::Other { definition: now } = &mut self.now else { return };
        let empty = Map::new();
        let (was, is) = (self.definition.as_object().unwrap_or(&empty), now.as_object().unwrap_or(&empty));
        let known = ["title", "description", "input", "output", "hints"];
        let differ: Vec<&str> = known.into_iter().filter(|part| was.get(*part) != is.get(*part)).collect();
        *now = json!({ "differs": differ });
    }
}

impl McpModule {
    /// What is trusted of a tool, and what the server, which is asked, says now; `None` when it has no
    /// tool of that name. What is trusted was started before, so asking it again starts nothing new.
    pub(crate) fn trusted(&self, name: &str) -> Option<Trusted> {
        let offer = self.known().ok()??.tools.get(name)?.clone();
        let pinned = self.pinned().ok()??;
        let module = self.clone();
        let listing = self.parts.around.host.block(async move {
            let late = || ToolError::new(ErrorKind::Timeout, "it does not answer in time");
            tokio::time::timeout(PATIENCE, module.ask(&outside())).await.unwrap_or_else(|_| Err(late()))
        });
        let said = |listing: &[(String, Value)]| {
            let found = listing.iter().find(|(tool, _)| *tool == offer.remote);
            found.map(|(_, definition)| definition.clone())
        };
        let now = match listing.map(|listing| said(&listing)) {
            Err(error) => Saying::Nothing { why: error.message },
            Ok(None) => Saying::Gone,
            Ok(Some(definition)) if definition == offer.definition => Saying::Same,
            Ok(Some(definition)) => Saying::Other { definition },
        };
        Some(Trusted { tool: offer.remote, since: pinned.at, definition: offer.definition, now })
    }
}
