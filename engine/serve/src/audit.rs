//! Who called what, and how it went: a line for each call, under the log target `aa::audit`.
//!
//! What was asked is there as a hash only: arguments may be secret.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Instant;

use rmcp::model::{CallToolRequestParams, CallToolResponse, ErrorData};
use sha2::{Digest, Sha256};
use tracing::Level;

const TARGET: &str = "aa::audit";

/// A call that is under way; none when nobody listens.
#[derive(Debug)]
pub(crate) struct Note(Option<Box<Begun>>);

#[derive(Debug)]
struct Begun {
    at: Instant,
    principal: String,
    tool: String,
    arguments: String,
}

impl Note {
    /// Begins to note a call.
    pub(crate) fn new(principal: &str, request: &CallToolRequestParams) -> Self {
        if !tracing::enabled!(target: TARGET, Level::INFO) {
            return Self(None);
        }
        let begun = Begun {
            at: Instant::now(),
            principal: principal.to_owned(),
            // A name is said by the client; a line has no place for more.
            tool: request.name.chars().take(64).collect(),
            arguments: request.arguments.as_ref().map_or_else(|| "-".to_owned(), hash),
        };
        Self(Some(Box::new(begun)))
    }

    /// Says how it went.
    pub(crate) fn end(self, answer: &Result<CallToolResponse, ErrorData>) {
        let Some(begun) = self.0 else { return };
        let Begun { at, principal, tool, arguments } = *begun;
        let (outcome, ms) = (outcome(answer), at.elapsed().as_millis());
        tracing::info!(target: TARGET, ?principal, ?tool, arguments, outcome, ms, "call");
    }
}

fn outcome(answer: &Result<CallToolResponse, ErrorData>) -> &'static str {
    match answer {
        Ok(CallToolResponse::Complete(result)) if result.is_error == Some(true) => "failed",
        Ok(CallToolResponse::Complete(_)) => "ok",
        Ok(CallToolResponse::InputRequired(_)) => "asked",
        Ok(_) => "task",
        Err(_) => "refused",
    }
}

fn hash(arguments: &impl serde::Serialize) -> String {
    let bytes = serde_json::to_vec(arguments).unwrap_or_default();
    Sha256::digest(bytes).iter().take(6).fold(String::new(), |mut text, byte| {
        let _never_fails = write!(text, "{byte:02x}");
        text
    })
}

/// Notes somebody without a key.
pub(crate) fn stranger(peer: SocketAddr, path: &str) {
    tracing::warn!(target: TARGET, %peer, ?path, outcome = "unauthorised", "refused");
}
