//! What happens, told while it does: to programs as server-sent events, to editors and pages over WebSocket.
//!
//! Reading order: [`stream`] (`/events`), [`upgrade`] (how a request becomes a socket), [`socket`] (what is
//! said on it), [`state_file`] (the same as a file). All of them read the engine's one stream, which can be gone
//! on with from a cursor.

mod socket;
mod state_file;
mod stream;
mod upgrade;

use std::sync::Arc;
use std::time::Duration;

use aa_run::engine::Engine;
use aa_run::event::RunId;
use aa_run::feed::{TYPES, Wanted};
use aa_run::store::Cursor;
use aa_spec::name::{list, suggest};
use axum::Router;
use axum::routing::get;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::api::problem::Problem;
use crate::api::query;
use crate::http::{Closing, Door};
use socket::Times;
pub(crate) use state_file::keep as keep_state_file;

/// How long listeners may take to hear that the server ends.
const FAREWELL: Duration = Duration::from_secs(1);

/// What is behind `/events` and `/ws`.
#[derive(Debug)]
pub(crate) struct Events {
    engine: Engine,
    door: Arc<Door>,
    closing: Closing,
    /// Listeners at once.
    places: Arc<Semaphore>,
    most: usize,
    /// Sockets that have shown no key yet.
    strangers: Arc<Semaphore>,
    times: Times,
}

/// Sockets that may be without a key at the same time.
const STRANGERS: usize = 64;

impl Events {
    pub(crate) fn new(engine: &Engine, door: &Arc<Door>, closing: &Closing) -> Arc<Self> {
        Self::with(engine, door, closing, Times::default())
    }

    fn with(engine: &Engine, door: &Arc<Door>, closing: &Closing, times: Times) -> Arc<Self> {
        let most = engine.settings().events.listeners.min(Semaphore::MAX_PERMITS);
        Arc::new(Self {
            engine: engine.clone(),
            door: Arc::clone(door),
            closing: closing.clone(),
            places: Arc::new(Semaphore::new(most)),
            most,
            strangers: Arc::new(Semaphore::new(STRANGERS)),
            times,
        })
    }

    /// A place among the listeners.
    fn place(&self) -> Result<OwnedSemaphorePermit, Problem> {
        Arc::clone(&self.places)
            .try_acquire_owned()
            .map_err(|_| Problem::of("full", format!("{} listen already (`events.listeners`)", self.most)))
    }

    /// Waits until every listener has been told that the server ends, but not long.
    pub(crate) async fn ended(&self) {
        let all = u32::try_from(self.most).unwrap_or(u32::MAX);
        let _told = timeout(FAREWELL, self.places.acquire_many(all)).await;
    }
}

/// `/events`, for whoever has shown a key.
pub(crate) fn stream(events: &Arc<Events>) -> Router {
    Router::new().route("/events", get(stream::events)).with_state(Arc::clone(events))
}

/// The same at another place, for pages whose cookies are of that place only.
pub(crate) fn below(root: &str, events: &Arc<Events>) -> Router {
    Router::new().route(&format!("{root}/events"), get(stream::events)).with_state(Arc::clone(events))
}

/// `/ws`, where a key may be shown on the socket.
pub(crate) fn sockets(events: &Arc<Events>) -> Router {
    Router::new().route("/ws", get(upgrade::socket)).with_state(Arc::clone(events))
}

/// The port for editors.
pub(crate) fn port(events: &Arc<Events>) -> Router {
    let keyless = events.engine.settings().events.keyless;
    let socket = if keyless { get(upgrade::keyless) } else { get(upgrade::socket) };
    Router::new().route("/", socket.clone()).route("/ws", socket).with_state(Arc::clone(events))
}

/// What somebody wants to hear.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Asked {
    /// Go on after this cursor, which every message carries; default: from now on.
    since: Option<String>,
    /// Only of this run.
    run: Option<RunId>,
    /// Only these types of messages.
    types: Vec<String>,
}

impl Asked {
    /// Of an address; a header has the last word, as browsers repeat the address they began with.
    fn read(text: &str, last: Option<&str>) -> Result<(Wanted, Option<Cursor>), Problem> {
        let Self { since, run, types } = query(text)?;
        let since = last.filter(|last| !last.is_empty()).map(str::to_owned).or(since);
        if let Some(odd) = types.iter().find(|one| !TYPES.contains(&one.as_str())) {
            let near = suggest(odd, TYPES).map(|near| format!("did you mean `{near}`? "));
            let hint = format!("{}types are {}", near.unwrap_or_default(), list(&TYPES));
            return Err(Problem::of("bad-query", format!("there is no type of messages `{odd}`")).hint(hint));
        }
        let since = since.map(|text| text.parse().map_err(|why: String| Problem::of("bad-query", why)));
        Ok((Wanted { run, types }, since.transpose()?))
    }
}

#[cfg(test)]
mod tests;
