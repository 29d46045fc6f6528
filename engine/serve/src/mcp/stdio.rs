//! Messages over the process's own stdin and stdout.
//!
//! Clients connect pipes (most of them) or sockets (those on Node) to us. Both are polled: a hand-over
//! to a blocking thread for every message would cost more than the message. For the same reason
//! one thread is enough, and faster than two: 44 thousand calls a second and more, against 35.

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use aa_run::engine::Engine;
use rmcp::service::{RunningService, ServerInitializeError};
use rmcp::{RoleServer, ServiceExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::Options;
use super::seat::Seat;
use super::server::Server;
use super::task;
use lines::Lines;
use stream::{Reader, Writer};

mod lines;
mod stream;

/// How long a signal waits for answers that are being written. Clients that end a server with one
/// kill it soon after.
const LAST_WORDS: Duration = Duration::from_millis(300);

/// Serves whoever has started the process, until it closes our stdin or a signal ends us. Runs that
/// are under way then are left as they are: the journal has them, and they can be resumed.
///
/// # Errors
/// Nobody speaks the protocol at the other end, or stdin or stdout cannot be used.
pub async fn serve(engine: &Engine, options: &Options) -> io::Result<()> {
    let (input, output) = (Reader::of(&io::stdin())?, Writer::of(&io::stdout())?);
    let mut stop = Stop::new()?;
    task::go_on_with_all(engine);
    Box::pin(serve_over(engine, options, (input, output), stop.asked())).await
}

/// Serves whoever speaks at the other end, until they end it or `stop` returns.
///
/// # Errors
/// Nobody speaks the protocol at the other end.
pub(crate) async fn serve_over(
    engine: &Engine,
    options: &Options,
    (input, output): (impl AsyncRead + Send + Unpin + 'static, impl AsyncWrite + Send + Unpin + 'static),
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let mut stop = pin!(stop);
    let closing = CancellationToken::new();
    let lines = Lines::new((input, output), options.message_bytes, closing.clone());
    let seat = Seat::new(engine.clone(), options.choice.clone())
        .closing_with(closing.clone())
        .with_skill_folders(options.skills_extension);
    let server = Server { seat: Arc::new(seat) };
    let service = tokio::select! {
        started = server.serve(lines) => started,
        () = &mut stop => return Ok(()),
    };
    let service = match service {
        Ok(service) => service,
        // Whoever only looked whether we start has said nothing.
        Err(ServerInitializeError::ConnectionClosed(_)) => return Ok(()),
        Err(error) => return Err(io::Error::other(error)),
    };
    finish(service, stop, &closing).await
}

/// Waits for the end of stdin, or for a signal.
async fn finish(
    service: RunningService<RoleServer, Server>,
    stop: Pin<&mut impl Future<Output = ()>>,
    closing: &CancellationToken,
) -> io::Result<()> {
    let end = service.cancellation_token();
    let ended = service.waiting();
    tokio::pin!(ended);
    tokio::select! {
        result = &mut ended => return result.map(drop).map_err(io::Error::other),
        () = stop => {}
    }
    closing.cancel();
    end.cancel();
    // What takes longer than that is not waited for.
    let _cut_off = tokio::time::timeout(LAST_WORDS, ended).await;
    Ok(())
}

/// The signals that end us.
struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    fn new() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn asked(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

#[cfg(test)]
mod tests;
