//! What a request is called, in logs, in the journal and by whoever has sent it.
//!
//! The name is what the client or a proxy has given in `X-Request-Id`, if that is harmless, or else a new one; it is
//! sent back. A `traceparent` says to which trace the request belongs.

use aa_run::event::Link;
use aa_run::trace::Parent;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument;

/// The header that names a request.
const NAME: HeaderName = HeaderName::from_static("x-request-id");
/// The header that says to which trace a request belongs.
const TRACE: HeaderName = HeaderName::from_static("traceparent");
/// Longest name that is taken over.
const LONGEST: usize = 64;

/// Names a request. What is logged while it is answered has the name with it.
pub(super) async fn name(mut request: Request, next: Next) -> Response {
    let link = link(request.headers());
    let name = link.request.clone().unwrap_or_default();
    let span = tracing::info_span!(target: "aa::audit", "request", id = name);
    request.extensions_mut().insert(link);
    let mut response = next.run(request).instrument(span).await;
    if let Ok(name) = HeaderValue::from_str(&name) {
        response.headers_mut().insert(NAME, name);
    }
    response
}

fn link(headers: &HeaderMap) -> Link {
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let given = text(&NAME).filter(|name| is_harmless(name)).map(str::to_owned);
    let trace = text(&TRACE).filter(|trace| Parent::read(trace).is_some()).map(str::to_owned);
    Link { request: Some(given.unwrap_or_else(new)), trace }
}

/// Whether a name is short, and nothing that could pass for something else where it is written down.
fn is_harmless(name: &str) -> bool {
    (1..=LONGEST).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':'))
}

fn new() -> String {
    aa_run::trace::fresh()
}
