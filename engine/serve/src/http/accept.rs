//! Connections: taken, bounded, and ended in order.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aa_run::drain::Drain;
use axum::{Extension, Router};
use futures_util::future::join_all;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::Closing;
use super::crowd::{Counted, Crowd};

/// Connections at once that are asked by; who comes then waits in the system's queue. What has become a socket of
/// a listener counts there.
const CONNECTIONS: usize = 1024;

/// How long a connection may take to send the head of its next request.
const HEAD: Duration = Duration::from_mins(1);

/// Headers of a request that are read; with more it is refused without a word.
const HEADERS: usize = 512;

/// Headers of a request at most: whoever sends more is told so at the door.
pub(super) const MOST_HEADERS: usize = 64;

/// Longest head of a request, in bytes; also what is read of a body at once. What is read in one go may go beyond, so
/// the door measures again.
pub(super) const LONGEST_HEAD: usize = 64 << 10;

/// How long somebody who has too many connections may take to hear so, and how many of them are told at once.
const REFUSAL: Duration = Duration::from_secs(1);
const REFUSALS: usize = 32;

/// What they are told.
const CROWDED: &[u8] =
    b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/// How long those wait who were given up, to be told so.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How long to wait when no connection can be taken, e.g. for want of descriptors.
const RECOVER: Duration = Duration::from_millis(100);

/// Where a request comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// What all connections have in common.
#[derive(Clone)]
struct Ending {
    /// No connection is asked by any more.
    stop: CancellationToken,
    /// Held by each connection.
    _alive: mpsc::Sender<Infallible>,
}

/// What those have to pass who connect.
struct Entrance {
    crowd: Arc<Crowd>,
    refusals: Arc<Semaphore>,
}

/// Serves at each address until a signal. Then runs come to rest, while whoever wants something new is told to come
/// again; at last no connection is taken any more, and what is under way comes to its end.
pub(super) async fn serve(
    doors: Vec<(TcpListener, Router)>,
    closing: &Closing,
    connections: usize,
    (drain, patience): (Drain, Duration),
) -> io::Result<()> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let (alive, mut ended) = mpsc::channel(1);
    let ending = Ending { stop: CancellationToken::new(), _alive: alive };
    let entrance = Entrance { crowd: Crowd::new(connections), refusals: Arc::new(Semaphore::new(REFUSALS)) };
    let taking = doors.iter().map(|(listener, router)| take(listener, router, &entrance, &ending));
    let mut taking = Box::pin(join_all(taking));
    tokio::select! {
        _ = &mut taking => {}
        () = told(&mut terminate, &mut interrupt) => {}
    }
    drain.begin();
    let at_once = tokio::select! {
        _ = &mut taking => false,
        cut_off = drain.finish(patience) => {
            if cut_off > 0 {
                tracing::warn!("{cut_off} runs were cut off in the middle of a step");
            }
            false
        }
        // Told twice.
        () = told(&mut terminate, &mut interrupt) => true,
    };
    drop(taking);
    drop(doors);
    if at_once {
        drain.finish(Duration::ZERO).await;
        return Ok(());
    }
    ending.stop.cancel();
    drop(ending);
    tokio::select! {
        () = end(&mut ended, closing, patience) => {}
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

async fn take(listener: &TcpListener, router: &Router, entrance: &Entrance, ending: &Ending) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, address)) => match entrance.crowd.enter(address.ip()) {
                Some(counted) => converse(stream, Peer(address), router, ending, (place, counted)),
                None => entrance.refuse(stream, address),
            },
            Err(error) => {
                tracing::warn!("no connection can be taken: {error}");
                sleep(RECOVER).await;
            }
        }
    }
}

impl Entrance {
    /// Tells somebody who has too many connections so, when not too many are being told just now.
    fn refuse(&self, mut stream: TcpStream, address: SocketAddr) {
        if self.crowd.is_news(Instant::now()) {
            tracing::warn!(peer = %address.ip(), "too many connections of one address; `serve.limits.connections` is the bound");
        }
        let Ok(telling) = Arc::clone(&self.refusals).try_acquire_owned() else { return };
        tokio::spawn(async move {
            let told = async {
                stream.write_all(CROWDED).await?;
                stream.shutdown().await?;
                // What was asked is read: else the answer may be lost with it.
                tokio::io::copy(&mut stream, &mut tokio::io::sink()).await
            };
            let _heard = timeout(REFUSAL, told).await;
            drop(telling);
        });
    }
}

fn converse(
    stream: TcpStream,
    peer: Peer,
    router: &Router,
    ending: &Ending,
    place: (OwnedSemaphorePermit, Counted),
) {
    // An answer is two small writes, and the second would wait 40 ms for the other side to confirm the first.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!("the connection will be slow: {error}");
    }
    let service = TowerToHyperService::new(router.clone().layer(Extension(peer)));
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_headers(HEADERS)
        .max_buf_size(LONGEST_HEAD);
    let connection = builder.serve_connection(TokioIo::new(stream), service).with_upgrades();
    let ending = ending.clone();
    tokio::spawn(async move {
        let mut connection = pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = ending.stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!("a connection ended: {error}");
        }
        drop((place, ending));
    });
}

/// Waits for answers under way, but not for ever.
fn end(
    ended: &mut mpsc::Receiver<Infallible>,
    closing: &Closing,
    patience: Duration,
) -> impl Future<Output = ()> {
    closing.streams.cancel();
    let calls = closing.calls.clone();
    async move {
        // Nothing is ever sent: it closes with the last connection.
        if timeout(patience, ended.recv()).await.is_err() {
            calls.cancel();
            let _cut_off = timeout(LAST_WORDS, ended.recv()).await;
        }
    }
}
