//! The HTTP server: one router on loopback.

use aa_run::engine::Engine;
use axum::Router;
use tokio::net::TcpListener;

use crate::mcp::{self, Options};

/// Serves until the process is told to stop.
///
/// # Errors
/// The listener cannot be used any more.
pub async fn serve(listener: TcpListener, engine: &Engine, options: &Options) -> std::io::Result<()> {
    mcp::task::go_on_with_all(engine);
    let router: Router = mcp::http::router(engine, options);
    axum::serve(listener, router).await
}
