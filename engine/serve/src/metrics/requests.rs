//! Requests that come in: how many, how long they take, and how they are answered.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::Response;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// Bounds of the durations of answers, in seconds.
const SECONDS: [f64; 10] = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0];

type Labels<const N: usize> = [(&'static str, &'static str); N];

/// Requests of one process.
#[derive(Debug)]
pub(crate) struct Requests {
    all: Family<Labels<2>, Counter>,
    seconds: Family<Labels<1>, Histogram, fn() -> Histogram>,
    under_way: Gauge,
}

impl Requests {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let new: fn() -> Histogram = || Histogram::new(SECONDS);
        let requests = Self {
            all: Family::default(),
            seconds: Family::new_with_constructor(new),
            under_way: Gauge::default(),
        };
        let help = "Requests that were answered, by door and status";
        registry.register("http_requests", help, requests.all.clone());
        let help = "Time to the head of an answer";
        registry.register_with_unit("http_request_duration", help, Unit::Seconds, requests.seconds.clone());
        let help = "Requests whose answer has not begun";
        registry.register("http_requests_under_way", help, requests.under_way.clone());
        requests
    }
}

/// Takes one off again, however the request ends.
struct UnderWay(Gauge);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Counts a request.
pub(crate) async fn count(State(requests): State<Arc<Requests>>, request: Request, next: Next) -> Response {
    let (door, came) = (door(request.uri().path()), Instant::now());
    requests.under_way.inc();
    let under_way = UnderWay(requests.under_way.clone());
    let response = next.run(request).await;
    drop(under_way);
    requests.all.get_or_create(&[("door", door), ("status", class(response.status()))]).inc();
    requests.seconds.get_or_create(&[("door", door)]).observe(came.elapsed().as_secs_f64());
    response
}

/// What a path leads to: never the path itself, of which there is no end.
fn door(path: &str) -> &'static str {
    match path.trim_start_matches('/').split('/').next().unwrap_or_default() {
        "api" => "api",
        "mcp" => "mcp",
        "events" => "events",
        "ws" => "ws",
        "hooks" => "hooks",
        "ui" => "ui",
        "healthz" | "readyz" => "health",
        "metrics" => "metrics",
        _ => "other",
    }
}

fn class(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 => "401",
        403 => "403",
        429 => "429",
        503 => "503",
        ..200 => "1xx",
        200..300 => "2xx",
        300..400 => "3xx",
        400..500 => "4xx",
        _ => "5xx",
    }
}
