//! `POST /hooks/{schedule}`: signed requests that set schedules off.
//!
//! They show no key but a signature, so what can be learnt and cost without one is bounded here: few at
//! once, of bounded length, and the same answer whatever is wrong.

use std::sync::Arc;
use std::time::Duration;

use aa_run::engine::{Engine, HookRefusal, Hooks};
use aa_run::event::Time;
use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use chrono::Utc;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::problem;
use crate::audit;

/// Longest body, in bytes.
const BODY: usize = 1 << 20;
/// Requests at once; others are told to come again.
const AT_ONCE: usize = 32;
/// How long one may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What all requests share.
#[derive(Clone, Debug)]
struct Entrance {
    hooks: Arc<Hooks>,
    places: Arc<Semaphore>,
}

pub(super) fn router(engine: &Engine) -> Router {
    let hooks = Arc::new(Hooks::new(engine.clone()));
    let entrance = Entrance { hooks, places: Arc::new(Semaphore::new(AT_ONCE)) };
    Router::new()
        .route("/hooks/{schedule}", post(receive))
        .method_not_allowed_fallback(|| async {
            problem("method-not-allowed", "a hook takes `POST` with a signature")
        })
        .layer(DefaultBodyLimit::max(BODY))
        .with_state(entrance)
}

async fn receive(
    State(entrance): State<Entrance>,
    schedule: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    // What is no name is told what every wrong name is told.
    let Ok(Path(schedule)) = schedule else { return refuse("?", &HookRefusal::Closed) };
    let body = match body {
        Ok(body) => body,
        Err(rejection) => return unread(&rejection),
    };
    let Ok(_place) = entrance.places.try_acquire() else {
        return later("too-many", "too many requests are under way");
    };
    let headers = texts(&headers);
    let now = Utc::now();
    let now = Time::from_timestamp_millis(now.timestamp_millis()).unwrap_or(now);
    let delivered = Box::pin(entrance.hooks.deliver(&schedule, &headers, &body, now));
    match timeout(PATIENCE, delivered).await {
        Ok(Ok(delivery)) => {
            audit::hook(&schedule, if delivery.duplicate { "duplicate" } else { "ok" });
            let status = if delivery.due.is_some() && !delivery.duplicate {
                StatusCode::ACCEPTED
            } else {
                StatusCode::OK
            };
            (status, axum::Json(delivery)).into_response()
        }
        Ok(Err(refusal)) => refuse(&schedule, &refusal),
        Err(_) => later("unavailable", "it takes too long now"),
    }
}

fn refuse(schedule: &str, refusal: &HookRefusal) -> Response {
    let (kind, outcome) = match refusal {
        HookRefusal::Closed => ("unsigned", "unauthorised"),
        HookRefusal::Stale => ("stale", "stale"),
        HookRefusal::Unfit(_) => ("inputs-invalid", "unfit"),
        HookRefusal::Held => {
            audit::hook(schedule, "held");
            return later("held", &refusal.to_string());
        }
        HookRefusal::Broken(why) => {
            tracing::warn!(schedule, "a signed request cannot be taken in: {why}");
            audit::hook(schedule, "broken");
            return later("unavailable", "it cannot be taken in now");
        }
    };
    audit::hook(schedule, outcome);
    problem(kind, refusal.to_string())
}

/// Why there is no body.
fn unread(rejection: &BytesRejection) -> Response {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return problem("too-large", format!("a hook takes {BODY} bytes at most"));
    }
    problem("bad-body", "the connection ended before all of it had come")
}

fn later(kind: &str, message: &str) -> Response {
    let mut response = problem(kind, message);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("60"));
    response
}

/// Those headers that are text.
fn texts(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |(name, value): (&header::HeaderName, &HeaderValue)| {
        Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
    };
    headers.iter().filter_map(text).collect()
}
