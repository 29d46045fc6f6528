//! Slack: the Web API with its tokens, and Socket Mode.

use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tungstenite::handshake::derive_accept_key;
use tungstenite::protocol::{Role, WebSocket};
use tungstenite::{Error, Message};

use super::{Reply, Request, Service};

pub(crate) const BOT: &str = "xoxb-5eCr3tT0ken";
pub(crate) const APP: &str = "xapp-5eCr3tT0ken";

/// An event that waits to be acknowledged is sent again after so long, on whatever connection there is.
const AGAIN: Duration = Duration::from_secs(2);

#[derive(Debug, Default)]
pub(crate) struct Slack {
    /// Messages of the channel `C01`, oldest first.
    pub(crate) messages: Vec<Value>,
    /// Where the socket is; without one, Socket Mode is off.
    pub(crate) socket: Option<String>,
    /// Messages that were sent by the bot.
    pub(crate) sent: Vec<Value>,
    /// Events that nobody has acknowledged: envelope, event, when it was sent.
    waiting: Vec<(String, Value, Option<Instant>)>,
    /// Envelopes that were acknowledged.
    pub(crate) acknowledged: Vec<String>,
    /// How many sockets were opened.
    pub(crate) connections: u32,
    /// Tells the open connection to be renewed.
    pub(crate) refresh: bool,
    /// Drops the open connection without a word.
    pub(crate) cut: bool,
    /// Answers every request with an error of its own.
    pub(crate) out_of_order: bool,
    tickets: Vec<String>,
}

impl Service for Slack {
    fn answer(&mut self, request: &Request) -> Reply {
        let (method, path) = request.route();
        let ["api", name] = path[..] else { return Reply { status: 404, ..Reply::text("") } };
        if self.out_of_order {
            return no("fatal_error");
        }
        let wanted = if name == "apps.connections.open" { APP } else { BOT };
        match request.bearer() {
            None => return no("not_authed"),
            Some(token) if token != wanted && [BOT, APP].contains(&token) => {
                return no("not_allowed_token_type");
            }
            Some(token) if token != wanted => return no("invalid_auth"),
            _ => {}
        }
        match (method, name) {
            ("POST", "apps.connections.open") => self.open(),
            ("POST", "chat.postMessage") => self.post(request),
            ("POST", "reactions.add") => react(request),
            ("GET", "users.info") => match request.param("user") {
                Some("U01") => yes(
                    json!({"user": {"id": "U01", "name": "ute", "real_name": "Ute", "profile": {"display_name": "ute"}}}),
                ),
                _ => no("user_not_found"),
            },
            ("GET", "users.conversations") => yes(
                json!({"channels": [{"id": "C01", "name": "ops", "is_private": false}], "response_metadata": {"next_cursor": ""}}),
            ),
            ("GET", "conversations.history") => self.history(request),
            ("GET", "conversations.replies") => self.replies(request),
            _ => no("unknown_method"),
        }
    }

    fn socket(state: &Arc<Mutex<Self>>, request: &Request, mut stream: TcpStream) {
        use std::io::Write as _;
        let ticket = request.param("ticket").unwrap_or_default().to_owned();
        let known = {
            let mut slack = state.lock().unwrap();
            let known = slack.tickets.iter().position(|one| *one == ticket);
            known.map(|at| slack.tickets.remove(at)).is_some()
        };
        if !known {
            let _gone = write!(stream, "HTTP/1.1 401 x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            return;
        }
        let accept = derive_accept_key(request.headers["sec-websocket-key"].as_bytes());
        write!(stream, "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: {accept}\r\n\r\n").unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let mut socket = WebSocket::from_raw_socket(stream, Role::Server, None);
        // Whoever listened may have been killed.
        let _gone = talk(state, &mut socket);
    }
}

/// Speaks until the connection is over.
fn talk(state: &Mutex<Slack>, socket: &mut WebSocket<TcpStream>) -> Result<(), Error> {
    socket.send(Message::text(
        json!({"type": "hello", "num_connections": 1, "connection_info": {"app_id": "A01"}}).to_string(),
    ))?;
    state.lock().unwrap().connections += 1;
    loop {
        let (due, refresh, cut) = {
            let mut slack = state.lock().unwrap();
            (slack.due(), std::mem::take(&mut slack.refresh), std::mem::take(&mut slack.cut))
        };
        if cut {
            return Ok(());
        }
        if refresh {
            socket.send(Message::text(
                json!({"type": "disconnect", "reason": "refresh_requested"}).to_string(),
            ))?;
        }
        for (envelope, event) in due {
            let payload =
                json!({"type": "event_callback", "event_id": format!("Ev{envelope}"), "event": event});
            let message = json!({"envelope_id": envelope, "type": "events_api", "accepts_response_payload": false, "payload": payload});
            socket.send(Message::text(message.to_string()))?;
        }
        match socket.read() {
            Ok(Message::Text(text)) => {
                let answer: Value = serde_json::from_str(&text).unwrap();
                let envelope =
                    answer["envelope_id"].as_str().expect("only envelopes are acknowledged").to_owned();
                let mut slack = state.lock().unwrap();
                slack.waiting.retain(|(known, ..)| *known != envelope);
                slack.acknowledged.push(envelope);
            }
            Ok(Message::Close(_)) => return Ok(()),
            Ok(_) => {}
            Err(Error::Io(error))
                if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {}
            Err(error) => return Err(error),
        }
    }
}

impl Slack {
    /// Somebody says something in the channel; the app is told by an event, if it listens.
    pub(crate) fn say(&mut self, text: &str) {
        let ts = format!("{}.{:06}", chrono::Utc::now().timestamp() + 1, self.messages.len());
        let message = json!({"type": "message", "user": "U01", "text": text, "ts": ts});
        self.messages.push(message.clone());
        if self.socket.is_some() {
            let mut event = message;
            event["channel"] = "C01".into();
            event["event_ts"] = ts.into();
            self.waiting.push((format!("E{}", self.messages.len()), event, None));
        }
    }

    /// Somebody replies to a message of the channel; no event tells of it.
    pub(crate) fn reply(&mut self, to: &str, text: &str) {
        let ts = format!("{}.{:06}", chrono::Utc::now().timestamp() + 1, self.messages.len());
        let parent = self.messages.iter_mut().find(|message| message["text"] == to).unwrap();
        let thread = parent["ts"].clone();
        parent["thread_ts"] = thread.clone();
        parent["reply_count"] = (parent["reply_count"].as_u64().unwrap_or_default() + 1).into();
        parent["latest_reply"] = ts.clone().into();
        let reply = json!({"type": "message", "user": "U01", "text": text, "ts": ts, "thread_ts": thread});
        self.messages.push(reply);
    }

    /// What has to be sent now.
    fn due(&mut self) -> Vec<(String, Value)> {
        let now = Instant::now();
        let due = self.waiting.iter_mut().filter(|(_, _, sent)| sent.is_none_or(|sent| now > sent + AGAIN));
        due.map(|(envelope, event, sent)| {
            *sent = Some(now);
            (envelope.clone(), event.clone())
        })
        .collect()
    }

    fn open(&mut self) -> Reply {
        let Some(socket) = self.socket.clone() else { return no("internal_error") };
        let ticket = format!("t{}", self.tickets.len() + self.connections as usize);
        self.tickets.push(ticket.clone());
        yes(
            json!({"url": format!("{}/link/?ticket={ticket}&app_id=A01", socket.replace("http://", "ws://"))}),
        )
    }

    fn post(&mut self, request: &Request) -> Reply {
        let Some(given) = request.json() else { return no("invalid_form_data") };
        if !["C01", "U01"].iter().any(|known| given["channel"] == *known) {
            return no("channel_not_found");
        }
        if given["text"].as_str().is_none_or(str::is_empty) {
            return no("no_text");
        }
        let ts = format!("1772352000.{:06}", self.sent.len());
        self.sent.push(given.clone());
        yes(json!({"channel": given["channel"], "ts": ts, "message": {"text": given["text"], "user": "UB"}}))
    }

    fn history(&self, request: &Request) -> Reply {
        if request.param("channel") != Some("C01") {
            return no("channel_not_found");
        }
        if let Some(name) = request.stranger(&["channel", "oldest", "limit", "cursor"]) {
            return no(&format!("invalid_arguments: {name}"));
        }
        let oldest = request.param("oldest").unwrap_or_default();
        let is_reply =
            |message: &Value| !message["thread_ts"].is_null() && message["thread_ts"] != message["ts"];
        let wanted = |message: &&Value| message["ts"].as_str().unwrap() > oldest && !is_reply(message);
        // Newest first, two a page.
        paged(self.messages.iter().rev().filter(wanted).collect(), request)
    }

    fn replies(&self, request: &Request) -> Reply {
        if request.param("channel") != Some("C01") {
            return no("channel_not_found");
        }
        if let Some(name) = request.stranger(&["channel", "ts", "oldest", "limit", "cursor"]) {
            return no(&format!("invalid_arguments: {name}"));
        }
        let (thread, oldest) = (request.param("ts"), request.param("oldest").unwrap_or_default());
        if !self.messages.iter().any(|message| message["ts"].as_str() == thread) {
            return no("thread_not_found");
        }
        // The message itself comes always.
        let wanted = |message: &&Value| {
            message["ts"].as_str() == thread
                || message["thread_ts"].as_str() == thread && message["ts"].as_str().unwrap() > oldest
        };
        paged(self.messages.iter().filter(wanted).collect(), request)
    }
}

/// Two a page.
fn paged(found: Vec<&Value>, request: &Request) -> Reply {
    let from: usize =
        request.param("cursor").map_or(0, |cursor| cursor.strip_prefix("at:").unwrap().parse().unwrap());
    let more = found.len() > from + 2;
    let shown: Vec<_> = found.into_iter().skip(from).take(2).collect();
    let next = if more { format!("at:{}", from + 2) } else { String::new() };
    yes(json!({"messages": shown, "has_more": more, "response_metadata": {"next_cursor": next}}))
}

fn react(request: &Request) -> Reply {
    let Some(given) = request.json() else { return no("invalid_form_data") };
    if given["name"] == "eyes" { no("already_reacted") } else { no("invalid_name") }
}

fn yes(mut body: Value) -> Reply {
    body["ok"] = true.into();
    Reply::ok(&body)
}

/// Slack says no with status 200.
fn no(error: &str) -> Reply {
    Reply::ok(&json!({"ok": false, "error": error}))
}
