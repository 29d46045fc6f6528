//! Sockets that wait for less long than others do, over real connections.

use std::time::{Duration, Instant};

use aa_run::key::{Guest, Keys};
use aa_run::settings::{Serve, Settings, Surroundings};
use axum::Extension;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::*;
use crate::http::Peer;

const PING: Duration = Duration::from_millis(100);
const SILENCE: Duration = Duration::from_millis(500);
const KEY: &str = "0123456789abcdef0123456789abcdef";

/// A server with sockets whose times are short.
struct Sockets {
    _root: tempfile::TempDir,
    address: std::net::SocketAddr,
}

impl Sockets {
    async fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let environment = [("HOME".to_owned(), root.path().display().to_string())].into();
        let settings = Settings::resolve(&Surroundings {
            folder: root.path().to_owned(),
            environment,
            ..Surroundings::default()
        });
        let engine = Engine::new(settings.unwrap());
        let mut keys = Keys::default();
        keys.add(KEY, Guest::local()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (held, keys) = watch::channel(Arc::new(keys));
        let door = Arc::new(Door::new(keys, &Serve::default(), address));
        let times = Times { key: SILENCE, ping: PING, silence: SILENCE };
        let events = Events::with(&engine, &door, &Closing::default(), times);
        let router = sockets(&events).layer(Extension(Peer("127.0.0.1:9".parse().unwrap())));
        tokio::spawn(async move {
            let _held = held;
            axum::serve(listener, router).await.unwrap();
        });
        Self { _root: root, address }
    }

    /// A client that does nothing by itself; with a key it has been greeted.
    async fn client(&self, key: Option<&str>) -> Client {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let key = key.map(|key| format!("Authorization: Bearer {key}\r\n")).unwrap_or_default();
        let head = format!(
            "GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{key}\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(stream.read_u8().await.unwrap());
        }
        assert!(answer.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&answer));
        Client { stream }
    }
}

/// A client that sees every frame and answers none by itself.
struct Client {
    stream: TcpStream,
}

#[derive(Debug, PartialEq)]
enum Frame {
    Said(Value),
    Ping,
    Closed(u16),
}

impl Client {
    async fn next(&mut self) -> Frame {
        let mut head = [0; 2];
        self.stream.read_exact(&mut head).await.unwrap();
        let length = match head[1] {
            126 => usize::from(self.stream.read_u16().await.unwrap()),
            127 => panic!("nothing as long as that is said"),
            short => usize::from(short),
        };
        let mut payload = vec![0; length];
        self.stream.read_exact(&mut payload).await.unwrap();
        match head[0] & 0x0f {
            1 => Frame::Said(serde_json::from_slice(&payload).unwrap()),
            8 => Frame::Closed(u16::from_be_bytes([payload[0], payload[1]])),
            9 => Frame::Ping,
            other => panic!("a frame of kind {other}"),
        }
    }

    /// Sends a frame, with a mask that changes nothing.
    async fn send(&mut self, kind: u8, text: &str) {
        let length = u8::try_from(text.len()).unwrap();
        assert!(length < 126);
        let head = [0x80 | kind, 0x80 | length, 0, 0, 0, 0];
        self.stream.write_all(&[&head, text.as_bytes()].concat()).await.unwrap();
    }

    /// Reads on until it is closed; gives how often it was pinged, and the code.
    async fn until_closed(&mut self) -> (usize, u16) {
        let mut pings = 0;
        loop {
            match self.next().await {
                Frame::Ping => pings += 1,
                Frame::Closed(code) => return (pings, code),
                Frame::Said(_) => {}
            }
        }
    }
}

#[test]
fn sockets_are_asked_every_half_minute_and_given_up_after_one_and_a_half() {
    let Times { key, ping, silence } = Times::default();
    assert_eq!([key, ping, silence].map(|time| time.as_secs()), [10, 30, 90]);
}

#[tokio::test]
async fn whoever_is_silent_is_asked_and_then_given_up() {
    let sockets = Sockets::new().await;
    let mut client = sockets.client(Some(KEY)).await;
    let start = Instant::now();
    let (pings, code) = client.until_closed().await;
    assert_eq!(code, 4408);
    assert!(pings >= 4, "it was asked {pings} times before");
    assert!(start.elapsed() >= SILENCE);
}

#[tokio::test]
async fn a_sign_of_life_of_any_kind_keeps_a_socket_open() {
    let sockets = Sockets::new().await;
    let (mut beating, mut answering) = (sockets.client(Some(KEY)).await, sockets.client(Some(KEY)).await);
    let end = Instant::now() + 3 * SILENCE;
    let mut acknowledged = 0;
    while Instant::now() < end {
        // One says that it is there, and answers no question whether it is.
        beating.send(1, r#"{"type": "heartbeat"}"#).await;
        while let frame = beating.next().await
            && !matches!(&frame, Frame::Said(said) if said["type"] == "heartbeat_ack")
        {
            assert!(!matches!(frame, Frame::Closed(_)), "{frame:?}");
        }
        acknowledged += 1;
        // The other one answers only.
        while let frame = answering.next().await
            && frame != Frame::Ping
        {
            assert!(!matches!(frame, Frame::Closed(_)), "{frame:?}");
        }
        answering.send(10, "").await;
    }
    assert!(acknowledged >= 5, "{acknowledged}");
    assert_eq!(beating.until_closed().await.1, 4408);
    assert_eq!(answering.until_closed().await.1, 4408);
}

#[tokio::test]
async fn a_heartbeat_is_answered_with_the_cursor() {
    let sockets = Sockets::new().await;
    let mut client = sockets.client(Some(KEY)).await;
    client.send(1, r#"{"type": "heartbeat"}"#).await;
    let answer = loop {
        match client.next().await {
            Frame::Said(said) if said["type"] == "heartbeat_ack" => break said,
            Frame::Closed(code) => panic!("closed with {code}"),
            _ => {}
        }
    };
    assert!(answer["cursor"].as_str().is_some_and(|cursor| cursor.parse::<Cursor>().is_ok()), "{answer}");
}

#[tokio::test]
async fn whoever_shows_no_key_in_time_is_given_up() {
    let sockets = Sockets::new().await;
    let mut late = sockets.client(None).await;
    assert_eq!(late.until_closed().await.1, 4401);
    let mut wrong = sockets.client(None).await;
    wrong.send(1, &json!({"type": "authenticate", "key": "x"}).to_string()).await;
    assert_eq!(wrong.until_closed().await.1, 4401);
}
