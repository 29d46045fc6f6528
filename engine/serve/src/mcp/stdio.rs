//! Messages over the process's own stdin and stdout.

use std::io;
use std::sync::Arc;

use aa_run::engine::Engine;
use rmcp::ServiceExt;

use super::Options;
use super::seat::Seat;
use super::server::Server;

/// Serves whoever has started the process, until it closes our stdin.
///
/// # Errors
/// Nobody speaks the protocol at the other end, or stdin or stdout cannot be used.
pub async fn serve(engine: &Engine, options: &Options) -> io::Result<()> {
    let server = Server { seat: Arc::new(Seat::new(engine.clone(), options)) };
    let service = server.serve((tokio::io::stdin(), tokio::io::stdout())).await.map_err(io::Error::other)?;
    service.waiting().await.map_err(io::Error::other)?;
    Ok(())
}
