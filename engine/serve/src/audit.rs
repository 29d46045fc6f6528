//! Who called what, and how it went: a line for each call, under the log target `aa::audit`.
//!
//! What was asked is there as a hash only, with the key of the store: arguments may be secret, and a plain
//! hash of them could be guessed.

use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::time::Instant;

use aa_run::engine::Engine;
use aa_run::key::Keys;
use aa_run::token::TokenError;
use axum::http::{Method, StatusCode};
use rmcp::model::{CallToolResponse, ErrorData};
use serde::Serialize;
use serde_json::json;
use sha2::{Digest, Sha256};
use tracing::Level;

use crate::mcp::seat::Seat;
use crate::mcp::visit::Visit;

const TARGET: &str = "aa::audit";

/// What runs here.
const VERSION: &str = env!("CARGO_PKG_VERSION");

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
    /// Begins to note a call of a tool, or another request that shows or changes something.
    pub(crate) fn new(seat: &Seat, visit: &Visit, what: &str, arguments: Option<&impl Serialize>) -> Self {
        if !tracing::enabled!(target: TARGET, Level::INFO) {
            return Self(None);
        }
        let begun = Begun {
            at: Instant::now(),
            principal: visit.guest.principal.clone(),
            // A name is said by the client; a line has no place for more.
            tool: what.chars().take(64).collect(),
            arguments: arguments
                .map_or_else(|| "-".to_owned(), |arguments| hash(seat.audit_key(), arguments)),
        };
        Self(Some(Box::new(begun)))
    }

    /// Says how a call of a tool went.
    pub(crate) fn answered(self, answer: &Result<CallToolResponse, ErrorData>) {
        self.end(outcome(answer));
    }

    /// Says how another request went.
    pub(crate) fn done<T>(self, answer: &Result<T, ErrorData>) {
        self.end(if answer.is_ok() { "ok" } else { "refused" });
    }

    fn end(self, outcome: &str) {
        let Some(begun) = self.0 else { return };
        let Begun { at, principal, tool, arguments } = *begun;
        let ms = u64::try_from(at.elapsed().as_millis()).unwrap_or(u64::MAX);
        let (principal, tool) = (principal.as_str(), tool.as_str());
        tracing::info!(target: TARGET, principal, tool, arguments, outcome, ms, "call");
    }
}

/// A request to the API that changes something.
#[derive(Debug)]
pub(crate) struct Asked(Option<(Instant, String, String)>);

impl Asked {
    /// Begins to note a request; one that only looks is not noted.
    pub(crate) fn new(principal: &str, method: &Method, path: &str) -> Self {
        Self::at(principal, method, "/api", path)
    }

    /// The same of a form of the dashboard.
    pub(crate) fn page(principal: &str, method: &Method, path: &str) -> Self {
        // Names in it are said by whoever asks; a line has no place for more.
        Self::at(principal, method, "", &path.chars().take(128).collect::<String>())
    }

    fn at(principal: &str, method: &Method, root: &str, path: &str) -> Self {
        let is_noted = *method != Method::GET && tracing::enabled!(target: TARGET, Level::INFO);
        Self(is_noted.then(|| (Instant::now(), principal.to_owned(), format!("{method} {root}{path}"))))
    }

    /// Says how it went.
    pub(crate) fn answered(self, status: StatusCode) {
        let Some((at, principal, tool)) = self.0 else { return };
        let outcome = if status.is_success() { "ok" } else { "refused" };
        let ms = u64::try_from(at.elapsed().as_millis()).unwrap_or(u64::MAX);
        let (principal, tool) = (principal.as_str(), tool.as_str());
        tracing::info!(target: TARGET, principal, tool, status = status.as_u16(), outcome, ms, "call");
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

/// Without a key, nothing is said.
fn hash(key: Option<&[u8]>, arguments: &impl Serialize) -> String {
    let Some(key) = key else { return "-".to_owned() };
    let bytes = serde_json::to_vec(arguments).unwrap_or_default();
    // The key around both ends: what is appended to the arguments gives another hash altogether.
    let inner = Sha256::new().chain_update(key).chain_update(bytes).finalize();
    Sha256::new().chain_update(key).chain_update(inner).finalize().iter().take(6).fold(
        String::new(),
        |mut text, byte| {
            let _never_fails = write!(text, "{byte:02x}");
            text
        },
    )
}

/// Notes that a client has ended its session.
pub(crate) fn left(principal: &str) {
    tracing::info!(target: TARGET, principal, outcome = "ok", "session ended");
}

/// Notes that a server begins; one that cannot be noted must not.
pub(crate) async fn began(engine: &Engine, address: SocketAddr) -> io::Result<()> {
    let noted = engine.note_server("serve.start", &address.to_string(), json!({"version": VERSION})).await;
    noted.map_err(|error| io::Error::other(format!("the audit cannot be written: {error}")))
}

/// Notes that a server ends, after all that its runs have brought about.
pub(crate) async fn ended(engine: &Engine, address: SocketAddr) {
    if let Err(error) = engine.note_server("serve.stop", &address.to_string(), json!({})).await {
        tracing::error!("the audit cannot be written: {error}");
    }
}

/// Notes that somebody with a key wanted to change what they may not.
pub(crate) async fn denied(engine: &Engine, what: &str, why: &str) {
    if let Err(error) = engine.note_refused("http.request", what, why).await {
        tracing::error!("the audit cannot be written: {error}");
    }
}

/// Notes that other keys open from now on.
pub(crate) async fn keys(engine: &Engine, keys: &Keys) {
    let principals: Vec<&str> = keys.guests().map(|guest| guest.principal.as_str()).collect();
    let detail = json!({ "principals": principals });
    if let Err(error) = engine.note_server("keys.reread", "keys", detail).await {
        tracing::error!("the audit cannot be written: {error}");
    }
    tracing::info!(target: TARGET, ?principals, outcome = "ok", "keys read again");
}

/// Notes a signed request for a schedule.
pub(crate) fn hook(schedule: &str, outcome: &str) {
    let schedule: String = schedule.chars().take(64).collect();
    tracing::info!(target: TARGET, schedule = schedule.as_str(), outcome, "hook");
}

/// Notes a token that opens nothing, and why: who shows it is not told.
pub(crate) fn token(peer: SocketAddr, why: &TokenError) {
    tracing::info!(target: TARGET, %peer, %why, outcome = "refused", "token");
}

/// Notes somebody without a key that opens, how many of them were not noted before, and whether they are told to wait.
pub(crate) fn stranger(peer: SocketAddr, path: &str, (hushed, waits): (u64, bool)) {
    let outcome = if waits { "throttled" } else { "unauthorised" };
    tracing::warn!(target: TARGET, %peer, path, outcome, unsaid = hushed, "refused");
}
