//! `/metrics`: what runs, how long it takes, and what waits, in numbers.
//!
//! Reading order: [`runs`] (counted as it happens, from the events of runs), [`requests`] (those that come in),
//! [`state`] (looked up when somebody asks). Labels have few values whatever people and services are called, so
//! that no series grows without bound.

mod requests;
mod runs;
mod state;

use std::sync::Arc;

use aa_run::engine::Engine;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::encoding::{prometheus_text, text};
use prometheus_client::registry::Registry;

pub(crate) use requests::{Requests, count};
use runs::Runs;
use state::State as Now;

use crate::http::problem;

/// What every name begins with.
const PREFIX: &str = "aa";

/// The format of `OpenMetrics`, for those who ask for it.
const OPEN: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// The older format, which everybody reads.
const PLAIN: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The figures of one process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Arc<Requests>,
}

impl Metrics {
    /// Counts from now on what an engine does.
    pub fn of(engine: &Engine) -> Arc<Self> {
        let mut registry = Registry::with_prefix(PREFIX);
        let runs = Runs::new(engine, &mut registry);
        engine.observe(Arc::new(runs));
        let requests = Arc::new(Requests::new(&mut registry));
        let build = vec![("version".to_owned(), env!("CARGO_PKG_VERSION").to_owned())];
        let one = prometheus_client::metrics::family::Family::<_, prometheus_client::metrics::gauge::Gauge>::default();
        one.get_or_create(&build).set(1);
        registry.register("build_info", "What runs here", one);
        registry.register_collector(Box::new(Now::new(engine)));
        Arc::new(Self { registry, requests })
    }

    /// Those that count requests.
    pub(crate) fn requests(&self) -> Arc<Requests> {
        Arc::clone(&self.requests)
    }

    fn write(&self, open: bool) -> Result<String, std::fmt::Error> {
        let mut written = String::new();
        if open {
            text::encode(&mut written, &self.registry)?;
        } else {
            prometheus_text::encode(&mut written, &self.registry)?;
        }
        Ok(written)
    }
}

/// Bytes that this process has in use, where the system says so.
pub(crate) fn memory() -> Option<u64> {
    state::Process::read().map(|process| process.memory)
}

/// `/metrics`, for whoever has shown a key.
pub(crate) fn router(metrics: &Arc<Metrics>) -> Router {
    Router::new().route("/metrics", get(tell)).with_state(Arc::clone(metrics))
}

async fn tell(State(metrics): State<Arc<Metrics>>, headers: HeaderMap) -> Response {
    let accepted = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let open = accepted.contains("application/openmetrics-text");
    // The store is read.
    let written = tokio::task::spawn_blocking(move || metrics.write(open)).await;
    let Ok(Ok(written)) = written else {
        return problem("unavailable", "the figures cannot be written down now");
    };
    let kind = HeaderValue::from_static(if open { OPEN } else { PLAIN });
    ([(header::CONTENT_TYPE, kind)], written).into_response()
}
