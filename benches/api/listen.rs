//! Those who listen: many who count, some who do not read, and one who notes when.

use std::collections::HashMap;
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use tungstenite::handshake::client::generate_key;
use tungstenite::http::Request;
use tungstenite::{Message, WebSocket};

use super::server::Server;

/// Stack of a thread that counts; there are many of them.
const STACK: usize = 128 << 10;

fn socket(server: &Server, path: &str) -> WebSocket<TcpStream> {
    let request = Request::builder()
        .uri(format!("ws://{}{path}", server.address))
        .header("Host", server.address.to_string())
        .header("Authorization", format!("Bearer {}", server.token))
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", generate_key())
        .body(())
        .unwrap();
    let stream = TcpStream::connect(server.address).unwrap();
    let (mut socket, _) = tungstenite::client(request, stream).unwrap();
    // What it is greeted with.
    socket.read().unwrap();
    socket
}

/// Many who listen.
pub(crate) struct Listeners {
    count: Arc<AtomicUsize>,
    _deaf: Vec<WebSocket<TcpStream>>,
}

impl Listeners {
    pub(crate) fn open(server: &Server, count: usize, deaf: usize) -> Self {
        let heard = Arc::new(AtomicUsize::new(0));
        let mut silent = Vec::new();
        for number in 0..count {
            let mut socket = socket(server, "/ws");
            if number % 100 < deaf {
                silent.push(socket);
                continue;
            }
            let heard = Arc::clone(&heard);
            let listen = move || {
                while let Ok(message) = socket.read() {
                    heard.fetch_add(usize::from(message.is_text()), Ordering::Relaxed);
                }
            };
            thread::Builder::new().stack_size(STACK).spawn(listen).unwrap();
        }
        Self { count: heard, _deaf: silent }
    }

    /// Messages that were heard so far, by all of them.
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }
}

/// One who notes when each run ended.
pub(crate) struct Heard {
    ended: Arc<(Mutex<HashMap<u64, Instant>>, Condvar)>,
    asked: Mutex<HashMap<u64, Instant>>,
    wanted: usize,
}

impl Heard {
    pub(crate) fn follow(server: &Server, wanted: usize) -> Self {
        let mut socket = socket(server, "/ws?types=skill_completed");
        let ended: Arc<(Mutex<HashMap<u64, Instant>>, Condvar)> = Arc::default();
        let told = Arc::clone(&ended);
        thread::spawn(move || {
            while let Ok(message) = socket.read() {
                let Message::Text(text) = message else { continue };
                let message: serde_json::Value = serde_json::from_str(&text).unwrap();
                if let Some(run) = message["run_id"].as_u64() {
                    told.0.lock().unwrap().insert(run, Instant::now());
                    told.1.notify_all();
                }
            }
        });
        Self { ended, asked: Mutex::default(), wanted }
    }

    /// Notes when a run was asked for.
    pub(crate) fn asked(&self, run: u64, at: Instant) {
        self.asked.lock().unwrap().insert(run, at);
    }

    /// How long each run took from its request to its end here, once all have ended.
    pub(crate) fn all(&self, patience: Duration) -> Vec<Duration> {
        let ended = self.ended.0.lock().unwrap();
        let more = |ended: &mut HashMap<u64, Instant>| ended.len() < self.wanted;
        let (ended, waited) = self.ended.1.wait_timeout_while(ended, patience, more).unwrap();
        assert!(!waited.timed_out(), "only {} of {} runs have ended", ended.len(), self.wanted);
        let asked = self.asked.lock().unwrap();
        asked.iter().map(|(run, at)| ended[run].duration_since(*at)).collect()
    }
}
