//! The HTTP server: who comes in, and to what.
//!
//! Reading order: [`door`] (what every request has to pass), [`bounds`] (how much each principal may
//! ask), [`strangers`] (how often wrong keys may be shown), [`accept`] (connections, and their end), [`crowd`] (how many
//! each address may have), [`hook`] (signed requests that set schedules off), [`correlate`] (what a request is called), [`ready`] (whether work can be given to it), then [`crate::mcp`] for what is behind the door.

mod accept;
mod bounds;
mod correlate;
mod crowd;
mod door;
mod hook;
mod ready;
mod strangers;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use aa_run::engine::{Engine, Keyring};
use aa_run::key::Keys;
use aa_run::settings::Serve;
use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::api::{self, problem::Problem};
use crate::audit;
use crate::dashboard::{self, Dashboard};
use crate::events::{self, Events};
use crate::local::{Local, Talk};
use crate::mcp::http::Endpoint;
use crate::mcp::{self, Options};
use crate::metrics::{self, Metrics};
pub(crate) use accept::Peer;
pub(crate) use door::{Door, Pass, Unheld, Wait, hold, is_here};

/// How often it is looked whether other keys open.
const LOOK_EVERY: Duration = Duration::from_secs(1);

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
    } else if settings.keys.is_empty() && settings.issuers.is_empty() {
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

/// Where a server listens.
#[derive(Debug)]
pub struct Listeners {
    /// For everybody with a key.
    pub main: TcpListener,
    /// For editors, which speak WebSocket at a port of their own.
    pub editors: Option<TcpListener>,
    /// For commands on this machine.
    pub local: Option<Local>,
}

/// Serves until the process is told to stop; then runs have so long to come to rest.
///
/// # Errors
/// The listener cannot be used any more.
pub async fn serve(
    listeners: Listeners,
    engine: &Engine,
    (keys, ring): (Keys, Keyring),
    options: &Options,
    (metrics, patience): (&Arc<Metrics>, Duration),
) -> io::Result<()> {
    mcp::task::go_on_with_all(engine);
    let settings = engine.settings().serve.clone();
    let address = listeners.main.local_addr()?;
    audit::began(engine, address).await?;
    let auditor = tokio::spawn({
        let engine = engine.clone();
        async move { engine.keep_audit().await }
    });
    let closing = Closing::default();
    let endpoint = Endpoint::new(engine, options, closing.clone());
    let (holder, keys) = watch::channel(Arc::new(keys));
    let keeper = tokio::spawn(keep(engine.clone(), ring, holder));
    let door = Arc::new(Door::new(keys, &settings, address));
    let events = Events::new(engine, &door, &closing);
    let sweeper = tokio::spawn(mcp::http::sweep(Arc::clone(&endpoint)));
    let main = (listeners.main, router(&door, endpoint, &events, engine, metrics));
    let editors = listeners.editors.map(|editors| (editors, looked_at(events::port(&events), &door)));
    let doors = std::iter::once(main).chain(editors).collect();
    let served = accept::serve(doors, &closing, settings.connections, (engine.drain(), patience));
    let talk = Talk::new(engine, &closing, options.message_bytes);
    tokio::select! {
        served = served => served?,
        () = keep_files(engine) => {}
        () = engine.watch_files() => {}
        () = talk.listen(listeners.local.as_ref()) => {}
    }
    events.ended().await;
    talk.ended().await;
    sweeper.abort();
    keeper.abort();
    auditor.abort();
    audit::ended(engine, address).await;
    Ok(())
}

/// Exchanges the keys whenever what says who may come in has changed. What cannot be read changes nothing:
/// nobody shall be shut out, or let in, by half a file.
async fn keep(engine: Engine, mut ring: Keyring, holder: watch::Sender<Arc<Keys>>) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        match ring.read_if_changed().await {
            None => {}
            Some(Ok(keys)) => {
                crate::audit::keys(&engine, &keys).await;
                holder.send_replace(Arc::new(keys));
            }
            Some(Err(error)) => {
                tracing::error!("the keys stay as they were, nobody is shut out or let in: {error}");
            }
        }
    }
}

/// Keeps what others read as files; never ends.
async fn keep_files(engine: &Engine) {
    match &engine.settings().events.state_file {
        Some(path) => events::keep_state_file(engine, path).await,
        None => std::future::pending().await,
    }
}

/// Everything there is, each of it behind the door; those who sign their requests show no key.
fn router(
    door: &Arc<Door>,
    endpoint: Arc<Endpoint>,
    events: &Arc<Events>,
    engine: &Engine,
    metrics: &Arc<Metrics>,
) -> Router {
    let pages = Dashboard::new(engine, door);
    let behind = Router::new()
        .route("/mcp", any(mcp::http::own))
        .route("/mcp/{persona}", any(mcp::http::of_persona))
        .with_state(endpoint)
        .nest("/api", api::router(engine))
        .merge(events::stream(events))
        .merge(metrics::router(metrics))
        .merge(dashboard::pages(&pages, events))
        .fallback(|| async {
            problem("not-found", "there is nothing here; AI clients connect to `/mcp`, programs to `/api`")
        });
    let known = axum::middleware::from_fn_with_state(Arc::clone(door), door::admit);
    let open = Router::new()
        .route("/healthz", get(healthy))
        .merge(ready::router(engine))
        .merge(hook::router(engine));
    let all = behind.layer(known).merge(open).merge(events::sockets(events)).merge(dashboard::open(&pages));
    let all = all.method_not_allowed_fallback(|| async {
        problem("method-not-allowed", "there is no such method here")
    });
    looked_at(dashboard::with_sessions(all, &pages), door)
        .layer(axum::middleware::from_fn_with_state(metrics.requests(), metrics::count))
        .layer(axum::middleware::from_fn(correlate::name))
}

/// What needs no key, asked under a name of ours and by no foreign page.
fn looked_at(router: Router, door: &Arc<Door>) -> Router {
    router.layer(axum::middleware::from_fn_with_state(Arc::clone(door), door::look))
}

async fn healthy() -> Response {
    axum::Json(serde_json::json!({"status": "ok"})).into_response()
}

/// An answer that says what is wrong, by the name of its kind.
pub(crate) fn problem(kind: &str, message: impl Into<String>) -> Response {
    Problem::of(kind, message).into_response()
}
