//! `/readyz`: whether work can be given to this server.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aa_run::engine::{Check, Engine, Health};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;
use tokio::sync::Mutex;

use crate::api::problem::AGAIN;

/// For so long an answer is given again: whoever asks has shown no key, and the store is written to for it.
const FRESH: Duration = Duration::from_secs(1);

/// How it stood, and when that was looked at.
struct Ready {
    engine: Engine,
    known: Mutex<Option<(Instant, Health)>>,
}

/// `/readyz`, for whoever asks.
pub(super) fn router(engine: &Engine) -> Router {
    let ready = Ready { engine: engine.clone(), known: Mutex::default() };
    Router::new().route("/readyz", get(answer)).with_state(Arc::new(ready))
}

async fn answer(State(ready): State<Arc<Ready>>) -> Response {
    let health = ready.look().await;
    let (status, word) = match (health.draining, health.is_ready()) {
        (true, _) => (StatusCode::SERVICE_UNAVAILABLE, "draining"),
        (false, true) => (StatusCode::OK, "ready"),
        (false, false) => (StatusCode::SERVICE_UNAVAILABLE, "not-ready"),
    };
    let listeners: BTreeMap<_, _> =
        health.listeners.iter().map(|(module, check)| (module, told(check))).collect();
    let body = json!({
        "status": word,
        "checks": {
            "store": told(&health.store), "catalog": told(&health.catalog), "scheduler": told(&health.scheduler),
        },
        "listeners": listeners,
        "broken_files": health.broken.len(),
    });
    let mut response = (status, Json(body)).into_response();
    if status != StatusCode::OK {
        response.headers_mut().insert(header::RETRY_AFTER, AGAIN);
    }
    response
}

/// Strangers are not told why.
fn told(check: &Check) -> &'static str {
    match check {
        Check::Ok => "ok",
        Check::Off => "off",
        Check::Elsewhere => "elsewhere",
        Check::Failing(_) => "failing",
    }
}

impl Ready {
    async fn look(&self) -> Health {
        let mut known = self.known.lock().await;
        if let Some((at, health)) = &*known
            && at.elapsed() < FRESH
        {
            let draining = self.engine.drain().has_begun();
            return Health { draining, ..health.clone() };
        }
        let health = self.engine.health().await;
        *known = Some((Instant::now(), health.clone()));
        health
    }
}
