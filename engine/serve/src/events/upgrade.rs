//! How a request becomes a socket: with a key in its head, or one that is shown on the socket first.

use std::sync::Arc;

use aa_run::key::Guest;
use axum::Extension;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::sync::OwnedSemaphorePermit;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::socket::{self, Standing};
use super::{Asked, Events};
use crate::api::problem::Problem;
use crate::http::{Peer, is_here};

/// Longest message of a client, in bytes.
const LONGEST: usize = 64 << 10;

/// Bytes that a socket reads and gathers for writing at once: there may be thousands of sockets, and clients say
/// little.
const READ: usize = 4 << 10;
const WRITE: usize = 16 << 10;

/// `GET /ws`.
pub(super) async fn socket(
    State(events): State<Arc<Events>>,
    Extension(peer): Extension<Peer>,
    request: Request,
) -> Response {
    open(&events, peer, request, false).await.unwrap_or_else(IntoResponse::into_response)
}

/// The port for editors, where those on this machine may listen without a key.
pub(super) async fn keyless(
    State(events): State<Arc<Events>>,
    Extension(peer): Extension<Peer>,
    request: Request,
) -> Response {
    open(&events, peer, request, true).await.unwrap_or_else(IntoResponse::into_response)
}

async fn open(
    events: &Arc<Events>,
    peer: Peer,
    mut request: Request,
    keyless: bool,
) -> Result<Response, Problem> {
    let accept = accept(request.headers())?;
    let (wanted, since) = Asked::read(request.uri().query().unwrap_or_default(), None)?;
    let place = events.place()?;
    let headers = request.headers().clone();
    let standing = standing(events, peer, (&headers, request.uri().path()), keyless).await?;
    let Some(upgrade) = request.extensions_mut().remove::<OnUpgrade>() else {
        return Err(Problem::of("no-socket", "this connection cannot become a socket"));
    };
    let events = Arc::clone(events);
    tokio::spawn(async move {
        let upgraded = match upgrade.await {
            Ok(upgraded) => TokioIo::new(upgraded),
            Err(error) => return tracing::debug!("no socket came of a request: {error}"),
        };
        let config = WebSocketConfig::default()
            .read_buffer_size(READ)
            .write_buffer_size(WRITE)
            .max_message_size(Some(LONGEST))
            .max_frame_size(Some(LONGEST));
        let socket = WebSocketStream::from_raw_socket(upgraded, Role::Server, Some(config)).await;
        let visit = socket::Visit { events, peer, headers, wanted, since, place };
        socket::talk(socket, visit, standing).await;
    });
    let mut response = StatusCode::SWITCHING_PROTOCOLS.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    Ok(response)
}

/// What the other side is told so that it knows that we speak WebSocket.
fn accept(headers: &HeaderMap) -> Result<HeaderValue, Problem> {
    let says = |name: header::HeaderName, word: &str| {
        let all = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
        all.flat_map(|value| value.split(',')).any(|value| value.trim().eq_ignore_ascii_case(word))
    };
    let asks = says(header::CONNECTION, "upgrade") && says(header::UPGRADE, "websocket");
    if !asks || !says(header::SEC_WEBSOCKET_VERSION, "13") {
        return Err(Problem::of("no-socket", "WebSocket is spoken here, version 13"));
    }
    let key = headers.get(header::SEC_WEBSOCKET_KEY).map(HeaderValue::as_bytes).unwrap_or_default();
    HeaderValue::from_str(&derive_accept_key(key))
        .map_err(|error| Problem::of("no-socket", error.to_string()))
}

/// Who is there, as far as that is known before the first message.
async fn standing(
    events: &Events,
    peer: Peer,
    (headers, path): (&HeaderMap, &str),
    keyless: bool,
) -> Result<Standing, Problem> {
    if headers.contains_key(header::AUTHORIZATION) {
        let pass = events.door.guest(headers, peer).await;
        return pass.map(Standing::Known).ok_or_else(|| match events.door.stranger(peer, path, true) {
            Some(wait) => wait.into(),
            None => Problem::of("unauthorised", "that key opens nothing here"),
        });
    }
    if keyless && is_here(headers, peer) {
        return Ok(Standing::Listening(Arc::new(Guest::local())));
    }
    let waiting: Result<OwnedSemaphorePermit, _> = Arc::clone(&events.strangers).try_acquire_owned();
    let waiting = waiting.map_err(|_| Problem::of("full", "too many sockets have not shown a key yet"))?;
    Ok(Standing::Unknown(waiting))
}
