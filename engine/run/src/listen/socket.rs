//! Being told what is new, over a WebSocket.
//!
//! A connection is asked for afresh each time, since its address is good for one. As soon as it
//! is ready, a poll beside it brings what came before. A connection that says nothing, not even a ping,
//! is taken for dead.

use std::time::Duration;

use aa_spec::template::{Expression, Scope};
use aa_spec::tool::ErrorKind;
use aa_spec::tool::listener::Socket as Recipe;
use futures_util::{SinkExt as _, StreamExt as _};
use reqwest::header::{CONNECTION, HeaderMap, HeaderValue, UPGRADE};
use reqwest::{Client, StatusCode, Upgraded};
use serde_json::{Map, Value};
use tokio::sync::Notify;
use tokio::sync::mpsc::{self, UnboundedSender};
use tokio::time::{Instant, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Bytes, Message};

use super::{Asker, Listener, Met, Tell, Tidings, Trouble, evaluate, fill, is, say, scope, text, unread};
use crate::event::StepError;
use crate::store::{Heard, Positions};

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
    /// No connection is ever possible.
    Never(String),
}

impl<A: Asker> Listener<A> {
    /// Keeps a connection, and polls while there is none. Ends only where no connection is ever
    /// possible, which leaves polling.
    pub(super) async fn attend(&self, tell: &Tell) {
        let (meet, mut met) = mpsc::unbounded_channel();
        tokio::select! {
            () = self.stay(&meet, tell) => {}
            () = self.introduce(&mut met, tell) => {}
        }
        while let Ok(Met { pending, .. }) = met.try_recv() {
            say(tell, Tidings::Heard(Box::new(pending)));
        }
    }

    async fn stay(&self, meet: &UnboundedSender<Met>, tell: &Tell) {
        let mut trouble = Trouble::default();
        let mut wait = BACK_OFF.0;
        loop {
            let start = Instant::now();
            let end = match self.connection(&mut trouble, meet, tell).await {
                Ok(End::Renew) => None,
                Ok(End::Lost(why)) => Some(why),
                Ok(End::Never(why)) => return say(tell, Tidings::Disconnected(why)),
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

    /// One connection, from its beginning to its end. Polls run beside it: the other side waits for
    /// answers meanwhile.
    async fn connection(
        &self,
        trouble: &mut Trouble,
        meet: &UnboundedSender<Met>,
        tell: &Tell,
    ) -> Result<End, StepError> {
        let Some(recipe) = &self.recipe.socket else { return Ok(End::Never(String::new())) };
        let answer = match self.asker.ask(&recipe.open, Map::new()).await {
            Err(error) if error.kind == ErrorKind::Invalid => return Ok(End::Never(error.message)),
            answer => answer?,
        };
        let url = text(&evaluate(&recipe.url, &scope([("result", &answer)]))?);
        let url = url.ok_or_else(|| lost("the service gives no address for a socket"))?;
        let stream = connect(&self.web.usual()?, &url).await?;
        let ready = Notify::new();
        if recipe.ready.is_none() {
            ready.notify_one();
        }
        let mut talk =
            Talk { listener: self, recipe, stream, ready: &ready, meet, tell, trouble: Trouble::default() };
        tokio::select! {
            end = talk.read() => end,
            () = self.recheck(&ready, trouble, tell) => Ok(End::Renew),
        }
    }

    /// Polls as soon as a connection is ready, and from time to time. Does not end.
    async fn recheck(&self, ready: &Notify, trouble: &mut Trouble, tell: &Tell) {
        loop {
            let is_new = timeout(RECHECK, ready.notified()).await.is_ok();
            self.poll(trouble, tell).await;
            if is_new {
                say(tell, Tidings::Connected);
            }
        }
    }
}

/// What is said on one connection.
struct Talk<'a, A> {
    listener: &'a Listener<A>,
    recipe: &'a Recipe,
    stream: Stream,
    ready: &'a Notify,
    meet: &'a UnboundedSender<Met>,
    tell: &'a Tell,
    trouble: Trouble,
}

impl<A: Asker> Talk<'_, A> {
    /// Takes messages until the connection is over.
    async fn read(&mut self) -> Result<End, StepError> {
        loop {
            let message = match next(&mut self.stream).await {
                Ok(Message::Text(message)) => message,
                Ok(_) => continue,
                Err(why) => return Ok(End::Lost(why)),
            };
            match aa_spec::json::read(message.as_bytes()) {
                Ok(message) if self.take(&message).await? => {
                    let _gone = self.stream.close(None).await;
                    return Ok(End::Renew);
                }
                Ok(_) => {}
                Err(_) => self.trouble.tell(lost("a message on the socket is no JSON"), self.tell),
            }
        }
    }

    /// Takes one message; whether the other side wants a new connection. An odd message does not
    /// end the connection: it would be sent again on the next one.
    async fn take(&mut self, message: &Value) -> Result<bool, StepError> {
        let recipe = self.recipe;
        let given = scope([("message", message)]);
        if self.holds(recipe.close.as_ref(), &given) {
            return Ok(true);
        }
        if self.holds(recipe.ready.as_ref(), &given) {
            self.ready.notify_one();
        }
        self.hear(message, &given).await?;
        // Only now: what is acknowledged is on disk.
        if let Some((condition, answer)) = &recipe.ack
            && self.holds(Some(condition), &given)
        {
            match fill(answer, &given) {
                Ok(answer) => self.send(answer.to_string()).await?,
                Err(error) => self.trouble.tell(error, self.tell),
            }
        }
        Ok(false)
    }

    /// Whether a condition is there and holds.
    fn holds(&mut self, condition: Option<&Expression>, given: &Scope) -> bool {
        let held = condition.map_or(Ok(false), |condition| is(condition, given));
        held.unwrap_or_else(|error| {
            self.trouble.tell(error, self.tell);
            false
        })
    }

    /// Puts what a message brings into the queue. Whom it comes from is found out later: the other
    /// side does not wait that long to be answered.
    async fn hear(&mut self, message: &Value, given: &Scope) -> Result<(), StepError> {
        let item = match evaluate(&self.recipe.item, given) {
            Ok(Value::Null) => return Ok(()),
            Ok(item) => self.prepare(&item),
            Err(error) => Err((error, message.clone())),
        };
        let (source, heard, whom) = match item {
            Ok(None) => return Ok(()),
            Ok(Some(known)) => known,
            Err((error, raw)) => {
                let heard = unread(&raw, &error);
                self.trouble.tell(error, self.tell);
                (String::new(), heard, None)
            }
        };
        for pending in self.listener.keep(&source, vec![heard], Positions::new(), self.tell).await? {
            let _gone = self.meet.send(Met { pending, whom: whom.clone() });
        }
        Ok(())
    }

    /// The source of an item, what is kept of it and whom it comes from; or what is wrong with it.
    #[expect(clippy::result_large_err, reason = "an odd message is rare, and its error is shown at once")]
    fn prepare(&self, item: &Value) -> Result<Option<Known>, (StepError, Value)> {
        let source = self.recipe.source.as_ref().map(|source| evaluate(source, &scope([("item", item)])));
        let source = source.transpose().map_err(|error| (error, item.clone()))?;
        let source = source.as_ref().and_then(text).unwrap_or_default();
        let prepared = self.listener.prepare(item, &source).map_err(|error| (error, item.clone()))?;
        Ok(prepared.map(|(heard, whom)| (source, heard, whom)))
    }

    async fn send(&mut self, text: String) -> Result<(), StepError> {
        let sent = self.stream.send(Message::text(text)).await;
        sent.map_err(|error| lost(format!("cannot answer on the socket: {error}")))
    }
}

/// Where an item was heard, what is kept of it, and the id of whom it comes from.
type Known = (String, Heard, Option<String>);

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
