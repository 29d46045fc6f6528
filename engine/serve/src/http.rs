//! The HTTP server: who comes in, and to what.
//!
//! Reading order: [`door`] (what every request has to pass), [`bounds`] (how much each principal may
//! ask), [`accept`] (connections, and their end), [`hook`] (signed requests that set schedules off), then [`crate::mcp`] for what is behind the door.

mod accept;
mod bounds;
mod door;
mod hook;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use aa_run::engine::Engine;
use aa_run::key::Keys;
use aa_run::settings::Serve;
use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::mcp::http::Endpoint;
use crate::mcp::{self, Options};
use door::Door;
pub(crate) use door::hold;

/// Why an address is not listened at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Others could reach it, and nobody but the owner of this machine has a key.
    NoKeys,
    /// Others could reach it, and nobody has said that they may.
    NotAllowed,
}

/// Whether an address may be listened at.
///
/// # Errors
/// It may not.
pub fn may_listen(address: SocketAddr, settings: &Serve, allow_remote: bool) -> Result<(), Refusal> {
    if address.ip().is_loopback() {
        Ok(())
    } else if settings.keys.is_empty() {
        Err(Refusal::NoKeys)
    } else if allow_remote {
        Ok(())
    } else {
        Err(Refusal::NotAllowed)
    }
}

/// When a server stops.
#[derive(Clone, Debug, Default)]
pub(crate) struct Closing {
    /// Streams that would never end by themselves end.
    pub(crate) streams: CancellationToken,
    /// Calls that are still under way are given up.
    pub(crate) calls: CancellationToken,
}

/// Serves until the process is told to stop.
///
/// # Errors
/// The listener cannot be used any more.
pub async fn serve(listener: TcpListener, engine: &Engine, keys: Keys, options: &Options) -> io::Result<()> {
    mcp::task::go_on_with_all(engine);
    let settings = engine.settings().serve.clone();
    let closing = Closing::default();
    let endpoint = Endpoint::new(engine, options, closing.clone());
    let door = Door::new(keys, &settings, listener.local_addr()?);
    let sweeper = tokio::spawn(mcp::http::sweep(Arc::clone(&endpoint)));
    accept::serve(listener, &router(door, endpoint, engine), &closing, settings.shutdown_timeout).await?;
    sweeper.abort();
    Ok(())
}

/// Everything there is, each of it behind the door; those who sign their requests show no key.
fn router(door: Door, endpoint: Arc<Endpoint>, engine: &Engine) -> Router {
    let behind = Router::new()
        .route("/mcp", any(mcp::http::own))
        .route("/mcp/{persona}", any(mcp::http::of_persona))
        .with_state(endpoint)
        .fallback(|| async {
            problem(StatusCode::NOT_FOUND, "there is nothing here; AI clients connect to `/mcp`")
        });
    let door = Arc::new(door);
    let known = axum::middleware::from_fn_with_state(Arc::clone(&door), door::admit);
    let all = axum::middleware::from_fn_with_state(door, door::look);
    behind.layer(known).route("/healthz", get(healthy)).merge(hook::router(engine)).layer(all)
}

async fn healthy() -> Response {
    axum::Json(serde_json::json!({"status": "ok"})).into_response()
}

/// An answer that says what is wrong.
pub(crate) fn problem(status: StatusCode, message: impl Into<String>) -> Response {
    (status, axum::Json(serde_json::json!({"error": message.into()}))).into_response()
}
