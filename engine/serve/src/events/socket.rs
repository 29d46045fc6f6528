//! What is said on a socket: to the client what happens, by the client its key, answers and signs of life.

mod greeting;

use std::sync::Arc;
use std::time::Duration;

use aa_run::engine::Engine;
use aa_run::feed::{Gone, Happening, Listener, Wanted};
use aa_run::key::Guest;
use aa_run::store::Cursor;
use axum::http::HeaderMap;
use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::Events;
use crate::api::visitor::Visitor;
use crate::http::{Pass, Peer};

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// How long the other side may take to take what is sent.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long it may take to be told why a socket closes.
const FAREWELL: Duration = Duration::from_secs(1);
/// Answers of a client that may be under way at once.
const ANSWERS: usize = 16;

/// How long a socket waits for what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    /// How long a client may take to show its key.
    pub(super) key: Duration,
    /// So often the other side is asked whether it is there.
    pub(super) ping: Duration,
    /// After so much silence it is not.
    pub(super) silence: Duration,
}

impl Default for Times {
    fn default() -> Self {
        let (key, ping) = (Duration::from_secs(10), Duration::from_secs(30));
        Self { key, ping, silence: 3 * ping }
    }
}

/// Why a socket closes, as its code says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The server stops.
    Stopping,
    /// No key was shown, or one that opens nothing.
    NoKey,
    /// Nothing was heard of the other side for too long.
    Silent,
    /// The other side does not take what is sent as fast as it comes.
    Lagging,
    /// The store cannot be read, or the cursor is of another one.
    Broken,
    /// The other side has gone.
    Gone,
}

impl End {
    fn frame(self) -> Option<CloseFrame> {
        let (code, reason) = match self {
            Self::Stopping => (1001, "the server is stopping; come back with your cursor"),
            Self::NoKey => (4401, "a key is needed: send {\"type\": \"authenticate\", \"key\": …} first"),
            Self::Silent => (4408, "nothing was heard of you"),
            Self::Lagging => (4429, "you are too far behind; come back with your cursor"),
            Self::Broken => (4500, "what happens cannot be told any more"),
            Self::Gone => return None,
        };
        Some(CloseFrame { code: CloseCode::from(code), reason: reason.into() })
    }
}

/// Who is on the other side.
pub(super) enum Standing {
    /// Somebody who has shown a key.
    Known(Pass),
    /// Somebody who has not, and may listen all the same.
    Listening(Arc<Guest>),
    /// Somebody who has not shown one yet; there may be so many of them.
    Unknown(OwnedSemaphorePermit),
}

/// What came with the request for a socket.
pub(super) struct Visit {
    pub(super) events: Arc<Events>,
    pub(super) peer: Peer,
    pub(super) headers: HeaderMap,
    pub(super) wanted: Wanted,
    pub(super) since: Option<Cursor>,
    /// A place among the listeners, held until the socket has closed.
    pub(super) place: OwnedSemaphorePermit,
}

/// What a client may say.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Said {
    /// Its key.
    Authenticate {
        key: String,
    },
    /// An answer to a question. What else it should hold for is not kept.
    ConfirmationResponse {
        id: String,
        response: Value,
        #[serde(default, rename = "remember")]
        _remember: Option<String>,
    },
    /// It is there.
    Heartbeat,
    /// What editors say and nothing follows from.
    PauseTimer,
    ResumeTimer,
}

/// Talks until one of both has enough.
pub(super) async fn talk(mut socket: Socket, visit: Visit, standing: Standing) {
    let end = tokio::select! {
        end = converse(&mut socket, &visit, standing) => end,
        () = visit.events.closing.streams.cancelled() => End::Stopping,
    };
    if let Some(frame) = end.frame() {
        let farewell = async {
            socket.close(Some(frame)).await?;
            // Until the other side has said so, too: else it may not hear why.
            while let Some(Ok(_)) = socket.next().await {}
            Ok::<(), tokio_tungstenite::tungstenite::Error>(())
        };
        let _heard = timeout(FAREWELL, farewell).await;
    }
    drop(visit.place);
}

async fn converse(socket: &mut Socket, visit: &Visit, standing: Standing) -> End {
    let pass = match standing {
        Standing::Known(pass) => pass,
        Standing::Listening(guest) => return listen(socket, visit, guest, false).await,
        Standing::Unknown(_waiting) => match timeout(visit.events.times.key, key(socket, visit)).await {
            Ok(Ok(pass)) => pass,
            Ok(Err(end)) => return end,
            Err(_) => return End::NoKey,
        },
    };
    let gone = visit.events.door.gone(&pass);
    tokio::select! {
        end = listen(socket, visit, pass.guest, true) => end,
        () = gone => End::NoKey,
    }
}

async fn listen(socket: &mut Socket, visit: &Visit, guest: Arc<Guest>, may_answer: bool) -> End {
    let engine = Visitor::new(&visit.events.engine, Arc::clone(&guest)).engine;
    let listener = match engine.hear(visit.wanted.clone(), visit.since).await {
        Ok(listener) => listener,
        Err(error) => {
            let _told = send(socket, json!({"type": "error", "detail": error.to_string()})).await;
            return End::Broken;
        }
    };
    let hello = greeting::of(&engine, &listener);
    if let Err(end) = send(socket, hello).await {
        return end;
    }
    let (replies, to_send) = mpsc::channel(ANSWERS);
    let talk = Talk { engine, guest, may_answer, visit, replies };
    talk.go_on(socket, listener, to_send).await
}

/// The key that is shown first.
async fn key(socket: &mut Socket, visit: &Visit) -> Result<Pass, End> {
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => {
                let Ok(Said::Authenticate { key }) = serde_json::from_str(&text) else {
                    return Err(End::NoKey);
                };
                return admitted(visit, &key).await.ok_or(End::NoKey);
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            Some(Ok(Message::Binary(_))) => return Err(End::NoKey),
            _ => return Err(End::Gone),
        }
    }
}

async fn admitted(visit: &Visit, shown: &str) -> Option<Pass> {
    let pass = visit.events.door.holder(shown, &visit.headers, visit.peer).await;
    if pass.is_none() {
        // The socket closes in any case.
        let _wait = visit.events.door.stranger(visit.peer, "/ws", true);
    }
    pass
}

/// A conversation with somebody who is known.
struct Talk<'a> {
    engine: Engine,
    guest: Arc<Guest>,
    may_answer: bool,
    visit: &'a Visit,
    replies: mpsc::Sender<Value>,
}

impl Talk<'_> {
    async fn go_on(
        mut self,
        socket: &mut Socket,
        mut listener: Listener,
        mut to_send: mpsc::Receiver<Value>,
    ) -> End {
        let Times { ping, silence, .. } = self.visit.events.times;
        let mut ping = interval(ping);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut heard = Instant::now();
        loop {
            let sent = tokio::select! {
                come = listener.next() => match come {
                    Ok(happenings) => send_all(socket, &happenings).await,
                    Err(Gone::Lagged) => Err(End::Lagging),
                    Err(Gone::Store(error)) => {
                        tracing::warn!("what happens cannot be read: {error}");
                        Err(End::Broken)
                    }
                },
                message = socket.next() => {
                    heard = Instant::now();
                    match message {
                        Some(Ok(Message::Text(text))) => self.take(socket, &text, &listener).await,
                        Some(Ok(Message::Close(_)) | Err(_)) | None => Err(End::Gone),
                        Some(Ok(_)) => Ok(()),
                    }
                },
                Some(reply) = to_send.recv() => send(socket, reply).await,
                _ = ping.tick() => {
                    if heard.elapsed() > silence {
                        Err(End::Silent)
                    } else {
                        bounded(socket.send(Message::Ping(Vec::new().into()))).await
                    }
                }
            };
            if let Err(end) = sent {
                return end;
            }
        }
    }

    /// Takes in what the client says.
    async fn take(&mut self, socket: &mut Socket, text: &str, listener: &Listener) -> Result<(), End> {
        match serde_json::from_str(text) {
            Ok(Said::Heartbeat) => {
                let cursor = listener.cursor().to_string();
                send(socket, json!({"type": "heartbeat_ack", "cursor": cursor})).await
            }
            Ok(Said::ConfirmationResponse { id, response, .. }) => self.answer(socket, id, &response).await,
            Ok(Said::Authenticate { key }) => {
                let guest = admitted(self.visit, &key).await.ok_or(End::NoKey)?.guest;
                // Who listens stays who they are; a key of theirs lets them answer.
                if guest.whose() != self.guest.whose() {
                    return Err(End::NoKey);
                }
                self.may_answer = true;
                send(socket, json!({"type": "authenticated", "principal": guest.principal})).await
            }
            Ok(Said::PauseTimer | Said::ResumeTimer) => Ok(()),
            Err(error) => {
                let detail = format!("that message is not known: {error}");
                send(socket, json!({"type": "error", "detail": detail})).await
            }
        }
    }

    /// Passes an answer on. That it counted is told to all, that it did not to whoever gave it.
    async fn answer(&self, socket: &mut Socket, id: String, response: &Value) -> Result<(), End> {
        let refused = |why: &str| json!({"type": "confirmation_refused", "id": id, "detail": why});
        if !self.may_answer {
            return send(socket, refused("a key is needed to answer: send it as `authenticate`")).await;
        }
        let answer = match response {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let Ok(reply) = self.replies.clone().try_reserve_owned() else {
            return send(socket, refused("too many answers are under way")).await;
        };
        let (engine, by) = (self.engine.clone(), format!("{} (socket)", self.guest.principal));
        tokio::spawn(async move {
            if let Err(error) = engine.respond(&id, &answer, &by).await {
                let detail = error.to_string();
                reply.send(json!({"type": "confirmation_refused", "id": id, "detail": detail}));
            }
        });
        Ok(())
    }
}

async fn send(socket: &mut Socket, message: Value) -> Result<(), End> {
    bounded(socket.send(Message::text(message.to_string()))).await
}

/// Many messages in as few writes as possible.
async fn send_all(socket: &mut Socket, happenings: &[Arc<Happening>]) -> Result<(), End> {
    bounded(async {
        for happening in happenings {
            socket.feed(Message::Text(happening.json.clone())).await?;
        }
        socket.flush().await
    })
    .await
}

/// Sends, but waits no longer for the other side than is good for us.
async fn bounded(
    sending: impl Future<Output = Result<(), tokio_tungstenite::tungstenite::Error>>,
) -> Result<(), End> {
    match timeout(PATIENCE, sending).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(End::Gone),
        Err(_) => Err(End::Lagging),
    }
}
