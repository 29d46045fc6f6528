//! Being told what is new, over a WebSocket.
//!
//! A connection is asked for afresh each time, since its address is good for one. As soon as it
//! is ready, a poll brings what came before. A connection that says nothing, not even a ping,
//! is taken for dead.

use std::time::Duration;

use aa_spec::tool::ErrorKind;
use aa_spec::tool::listener::Socket as Recipe;
use futures_util::{SinkExt as _, StreamExt as _};
use reqwest::header::{CONNECTION, HeaderMap, HeaderValue, UPGRADE};
use reqwest::{Client, StatusCode, Upgraded};
use serde_json::{Map, Value};
use tokio::time::{Instant, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Bytes, Message};

use super::{Asker, Listener, Tell, Tidings, Trouble, evaluate, fill, say, scope, text};
use crate::event::StepError;

/// Connecting, and the first word on a connection, must not take longer.
const PATIENCE: Duration = Duration::from_secs(20);
/// After so long a silence the other side is asked whether it is there …
const SILENCE: Duration = Duration::from_secs(30);
/// … and has so long to answer.
const ANSWER: Duration = Duration::from_secs(15);
/// The longest message, in bytes.
const LONGEST: usize = 8 << 20;
/// How often a poll makes sure that a connection has lost nothing, and moves positions on.
const RECHECK: Duration = Duration::from_mins(5);
/// How long to wait before the second attempt, and at most.
const BACK_OFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));
/// A connection that lasted so long was a good one.
const GOOD: Duration = Duration::from_secs(10);

type Stream = WebSocketStream<Upgraded>;

/// How a connection ended.
enum End {
    /// The other side wants a new one.
    Renew,
    /// It is lost.
    Lost(String),
}

impl<A: Asker> Listener<A> {
    /// Keeps a connection, and polls while there is none. Ends only where no connection is ever
    /// possible, which leaves polling.
    pub(super) async fn attend(&self, tell: &Tell) {
        let mut trouble = Trouble::default();
        let mut wait = BACK_OFF.0;
        loop {
            let start = Instant::now();
            let end = match self.connection(&mut trouble, tell).await {
                Ok(End::Renew) => None,
                Ok(End::Lost(why)) => Some(why),
                Err(error) if error.kind == ErrorKind::Invalid => {
                    return say(tell, Tidings::Disconnected(error.message));
                }
                Err(error) => Some(error.message),
            };
            if start.elapsed() >= GOOD {
                wait = BACK_OFF.0;
            }
            if let Some(why) = end {
                say(tell, Tidings::Disconnected(why));
            } else if start.elapsed() >= GOOD {
                continue;
            }
            self.poll_until(Instant::now() + wait, &mut trouble, tell).await;
            wait = (wait * 2).min(BACK_OFF.1);
        }
    }

    /// One connection, from its beginning to its end.
    async fn connection(&self, trouble: &mut Trouble, tell: &Tell) -> Result<End, StepError> {
        let Some(recipe) = &self.recipe.socket else { return Ok(End::Lost(String::new())) };
        let answer = self.asker.ask(&recipe.open, Map::new()).await?;
        let url = text(&evaluate(&recipe.url, &scope([("result", &answer)]))?);
        let url = url.ok_or_else(|| lost("the service gives no address for a socket"))?;
        let mut stream = connect(&self.web.usual()?, &url).await?;
        if recipe.ready.is_none() {
            self.ready(trouble, tell).await;
        }
        let mut recheck = Instant::now() + RECHECK;
        loop {
            let message = match next(&mut stream).await {
                Ok(message) => message,
                Err(why) => return Ok(End::Lost(why)),
            };
            if self.take(recipe, &mut stream, message, trouble, tell).await? {
                let _gone = stream.close(None).await;
                return Ok(End::Renew);
            }
            if Instant::now() >= recheck {
                self.poll(trouble, tell).await;
                recheck = Instant::now() + RECHECK;
            }
        }
    }

    async fn ready(&self, trouble: &mut Trouble, tell: &Tell) {
        self.poll(trouble, tell).await;
        say(tell, Tidings::Connected);
    }

    /// Takes one message; whether the other side wants a new connection.
    async fn take(
        &self,
        recipe: &Recipe,
        stream: &mut Stream,
        message: Message,
        trouble: &mut Trouble,
        tell: &Tell,
    ) -> Result<bool, StepError> {
        let Message::Text(message) = message else { return Ok(false) };
        let Ok(message) = serde_json::from_str::<Value>(&message) else {
            trouble.tell(lost("a message on the socket is no JSON"), tell);
            return Ok(false);
        };
        let given = scope([("message", &message)]);
        let is = |condition: Option<&aa_spec::template::Expression>| match condition {
            Some(condition) => evaluate(condition, &given).map(|value| value == Value::Bool(true)),
            None => Ok(false),
        };
        if is(recipe.close.as_ref())? {
            return Ok(true);
        }
        if is(recipe.ready.as_ref())? {
            self.ready(trouble, tell).await;
        }
        let item = evaluate(&recipe.item, &given)?;
        if !item.is_null() {
            self.item(recipe, &item, tell).await?;
        }
        // Only now: what is acknowledged is on disk.
        if let Some((condition, answer)) = &recipe.ack
            && condition.is_true(&given).map_err(|error| StepError::new(error.kind, error.message))?
        {
            let answer = fill(answer, &given)?.to_string();
            let sent = stream.send(Message::text(answer)).await;
            sent.map_err(|error| lost(format!("cannot answer on the socket: {error}")))?;
        }
        Ok(false)
    }

    async fn item(&self, recipe: &Recipe, item: &Value, tell: &Tell) -> Result<(), StepError> {
        let source = recipe.source.as_ref().map(|source| evaluate(source, &scope([("item", item)])));
        let source = source.transpose()?.as_ref().and_then(text).unwrap_or_default();
        let heard = self.prepare(item, &source).await?;
        self.keep(&source, heard.into_iter().collect(), None, tell).await.map(|_| ())
    }
}

/// The next message that is none of the protocol's own.
async fn next(stream: &mut Stream) -> Result<Message, String> {
    let mut asked = false;
    loop {
        let patience = if asked { ANSWER } else { SILENCE };
        match timeout(patience, stream.next()).await {
            Ok(Some(Ok(Message::Close(frame)))) => {
                let why = frame.map(|frame| frame.reason.to_string()).filter(|why| !why.is_empty());
                return Err(why.unwrap_or_else(|| "the service has closed the socket".to_owned()));
            }
            // A pong is sent by the next read or write.
            Ok(Some(Ok(Message::Ping(_) | Message::Pong(_)))) => {
                asked = false;
                stream.flush().await.map_err(|error| format!("the socket is lost: {error}"))?;
            }
            Ok(Some(Ok(message))) => return Ok(message),
            Ok(Some(Err(error))) => return Err(format!("the socket is lost: {error}")),
            Ok(None) => return Err("the service has closed the socket".to_owned()),
            Err(_) if asked => return Err("the socket has gone silent".to_owned()),
            Err(_) => {
                asked = true;
                let ping = stream.send(Message::Ping(Bytes::new())).await;
                ping.map_err(|error| format!("the socket is lost: {error}"))?;
            }
        }
    }
}

/// Opens a WebSocket through the HTTP client, whose proxy and certificates it shares.
async fn connect(client: &Client, url: &str) -> Result<Stream, StepError> {
    let address = match url.split_once("://") {
        Some(("ws" | "http", rest)) => format!("http://{rest}"),
        Some(("wss" | "https", rest)) => format!("https://{rest}"),
        _ => return Err(lost("the address of the socket is none of a WebSocket")),
    };
    let key = generate_key();
    let request = client.get(address).headers(upgrade(&key)?);
    let cannot = |error: reqwest::Error| lost(format!("cannot connect the socket: {}", error.without_url()));
    let sent = timeout(PATIENCE, request.send()).await;
    let response = sent.map_err(|_| lost("cannot connect the socket: it takes too long"))?.map_err(cannot)?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(lost(format!("cannot connect the socket: status {}", response.status().as_u16())));
    }
    let accept = response.headers().get("sec-websocket-accept").map(HeaderValue::as_bytes);
    if accept != Some(derive_accept_key(key.as_bytes()).as_bytes()) {
        return Err(lost("cannot connect the socket: the other side is no WebSocket"));
    }
    let upgraded = response.upgrade().await.map_err(cannot)?;
    let config = WebSocketConfig::default().max_message_size(Some(LONGEST)).max_frame_size(Some(LONGEST));
    Ok(WebSocketStream::from_raw_socket(upgraded, Role::Client, Some(config)).await)
}

fn upgrade(key: &str) -> Result<HeaderMap, StepError> {
    let mut headers = HeaderMap::new();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert("sec-websocket-version", HeaderValue::from_static("13"));
    let key = HeaderValue::from_str(key).map_err(|_| lost("cannot connect the socket: no key"))?;
    headers.insert("sec-websocket-key", key);
    Ok(headers)
}

fn lost(message: impl Into<String>) -> StepError {
    StepError::new(ErrorKind::Network, message)
}
