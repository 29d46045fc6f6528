//! Messages over streamable HTTP.

use std::sync::Arc;

use aa_run::engine::Engine;
use axum::Router;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};

use super::Options;
use super::seat::Seat;
use super::server::Server;

/// The route `/mcp`.
pub(crate) fn router(engine: &Engine, options: &Options) -> Router {
    let engine = engine.clone();
    let options = options.clone();
    let config = StreamableHttpServerConfig::default().enforce_origin_validation();
    let make = move || Ok(Server { seat: Arc::new(Seat::new(engine.clone(), &options)) });
    let service = StreamableHttpService::new(make, Arc::new(LocalSessionManager::default()), config);
    Router::new().route_service("/mcp", service)
}
