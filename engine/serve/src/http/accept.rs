//! Connections: taken, bounded, and ended in order.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};

use super::Closing;

/// Connections at once; who comes then waits in the system's queue.
const CONNECTIONS: usize = 1024;

/// How long a connection may take to send the head of its next request.
const HEAD: Duration = Duration::from_mins(1);

/// How long those wait who were given up, to be told so.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How long to wait when no connection can be taken, e.g. for want of descriptors.
const RECOVER: Duration = Duration::from_millis(100);

/// Where a request comes from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) SocketAddr);

/// Serves until a signal, then lets what is under way come to its end.
pub(super) async fn serve(
    listener: TcpListener,
    router: &Router,
    closing: &Closing,
    patience: Duration,
) -> io::Result<()> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let graceful = GracefulShutdown::new();
    tokio::select! {
        () = take(&listener, router, &graceful) => {}
        () = told(&mut terminate, &mut interrupt) => {}
    }
    drop(listener);
    tokio::select! {
        () = end(graceful, closing, patience) => {}
        // Told twice: at once.
        () = told(&mut terminate, &mut interrupt) => {}
    }
    Ok(())
}

async fn told(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

async fn take(listener: &TcpListener, router: &Router, graceful: &GracefulShutdown) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, address)) => converse(stream, Peer(address), router, graceful, place),
            Err(error) => {
                tracing::warn!("no connection can be taken: {error}");
                sleep(RECOVER).await;
            }
        }
    }
}

fn converse(
    stream: TcpStream,
    peer: Peer,
    router: &Router,
    graceful: &GracefulShutdown,
    place: OwnedSemaphorePermit,
) {
    // An answer is two small writes, and the second would wait 40 ms for the other side to confirm the first.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!("the connection will be slow: {error}");
    }
    let service = TowerToHyperService::new(router.clone().layer(Extension(peer)));
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD);
    let connection = graceful.watch(builder.serve_connection(TokioIo::new(stream), service));
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!("a connection ended: {error}");
        }
        drop(place);
    });
}

/// Waits for answers under way, but not for ever.
fn end(graceful: GracefulShutdown, closing: &Closing, patience: Duration) -> impl Future<Output = ()> {
    closing.streams.cancel();
    let calls = closing.calls.clone();
    async move {
        let ended = graceful.shutdown();
        tokio::pin!(ended);
        if timeout(patience, &mut ended).await.is_err() {
            calls.cancel();
            let _cut_off = timeout(LAST_WORDS, ended).await;
        }
    }
}
