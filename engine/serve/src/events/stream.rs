//! `/events`: what happens as server-sent events.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use aa_run::feed::{Gone, Happening, Listener};
use aa_run::key::Guest;
use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{Asked, Events};
use crate::api::problem::Problem;
use crate::api::visitor::Visitor;
use crate::http::Unheld;

/// After so much silence a sign of life is sent, with the cursor.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// `GET /events`.
pub(super) async fn events(
    State(events): State<Arc<Events>>,
    Extension(guest): Extension<Arc<Guest>>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    match begin(&events, guest, &headers, &uri).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    }
}

async fn begin(
    events: &Arc<Events>,
    guest: Arc<Guest>,
    headers: &HeaderMap,
    uri: &Uri,
) -> Result<Response, Problem> {
    let last = headers.get("last-event-id").map(|last| last.to_str().unwrap_or("?"));
    let (wanted, since) = Asked::read(uri.query().unwrap_or_default(), last)?;
    let place = events.place()?;
    let listener = Visitor::new(&events.engine, guest).engine.hear(wanted, since).await?;
    let telling =
        Telling { listener, closing: events.closing.streams.clone(), greeted: false, _place: place };
    let body = Body::from_stream(stream::unfold(Some(telling), |telling| async { telling?.next().await }));
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response.extensions_mut().insert(Unheld);
    Ok(response)
}

/// An answer that goes on.
struct Telling {
    listener: Listener,
    closing: CancellationToken,
    greeted: bool,
    _place: OwnedSemaphorePermit,
}

impl Telling {
    /// The next part, and whether there is more.
    async fn next(mut self) -> Option<(Result<Bytes, Infallible>, Option<Self>)> {
        if !self.greeted {
            self.greeted = true;
            let part = sign(&self.listener, "listening");
            return Some((Ok(part), Some(self)));
        }
        let come = tokio::select! {
            come = timeout(HEARTBEAT, self.listener.next()) => come,
            () = self.closing.cancelled() => {
                return Some((Ok(last(&self.listener, "closing", "the server is stopping")), None));
            }
        };
        Some(match come {
            Ok(Ok(happenings)) => (Ok(told(&happenings)), Some(self)),
            Ok(Err(gone)) => {
                let event = if matches!(gone, Gone::Lagged) { "lagging" } else { "broken" };
                (Ok(last(&self.listener, event, &gone.to_string())), None)
            }
            Err(_) => (Ok(sign(&self.listener, "heartbeat")), Some(self)),
        })
    }
}

fn told(happenings: &[Arc<Happening>]) -> Bytes {
    let mut text = String::new();
    for happening in happenings {
        let Happening { kind, cursor, json, .. } = &**happening;
        let _never_fails = write!(text, "event: {kind}\nid: {cursor}\ndata: {json}\n\n");
    }
    text.into()
}

/// A sign of life: no event, but the place to go on from.
fn sign(listener: &Listener, word: &str) -> Bytes {
    format!(": {word}\nid: {}\n\n", listener.cursor()).into()
}

/// Why there is nothing more here, and from where to go on.
fn last(listener: &Listener, event: &str, why: &str) -> Bytes {
    let data = serde_json::json!({"type": event, "cursor": listener.cursor().to_string(), "detail": why});
    format!("event: {event}\nid: {}\ndata: {data}\n\n", listener.cursor()).into()
}
