//! A small HTTP server that keeps what it is asked.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

/// What was asked.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Path and query as they were sent.
    pub(crate) target: String,
    /// Segments of the path, decoded: an encoded slash does not part them.
    pub(crate) path: Vec<String>,
    pub(crate) query: Vec<(String, String)>,
    /// By names in small letters.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

/// What is answered.
#[derive(Debug)]
pub(crate) struct Reply {
    /// 0 when it never arrives.
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

/// A server on a free port of this machine, until the test's process ends.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    pub(crate) fn new(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        Self::taking(move |request, stream| answer(request).send(stream))
    }

    /// A server that deals with each connection itself, once it has been asked something on it.
    pub(crate) fn taking(take: impl Fn(&Request, TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen: Arc<Mutex<Vec<Request>>> = Arc::default();
        let (log, take) = (Arc::clone(&seen), Arc::new(take));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (log, take, stream) = (Arc::clone(&log), Arc::clone(&take), stream.unwrap());
                std::thread::spawn(move || {
                    let Some(request) = read(&stream) else { return };
                    log.lock().unwrap().push(request.clone());
                    take(&request, stream);
                });
            }
        });
        Self { url, seen }
    }

    /// Everything that it was asked.
    pub(crate) fn asked(&self) -> Vec<Request> {
        self.seen.lock().unwrap().clone()
    }

    /// What it was asked since the last time.
    pub(crate) fn news(&self) -> Vec<Request> {
        std::mem::take(&mut *self.seen.lock().unwrap())
    }
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let path = path.split('/').skip(1).map(|segment| decoded(segment, false)).collect();
    Some(Request { method, query: pairs(query), target, path, headers, body })
}

fn pairs(text: &str) -> Vec<(String, String)> {
    let parts = text.split('&').filter(|part| !part.is_empty());
    let pair = |part: &str| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        (decoded(name, true), decoded(value, true))
    };
    parts.map(pair).collect()
}

fn decoded(text: &str, form: bool) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        match (first, tail) {
            (b'%', [high, low, tail @ ..]) => {
                let digits = String::from_utf8(vec![*high, *low]).unwrap();
                bytes.push(u8::from_str_radix(&digits, 16).unwrap());
                rest = tail;
                continue;
            }
            (b'+', _) if form => bytes.push(b' '),
            (byte, _) => bytes.push(*byte),
        }
        rest = tail;
    }
    String::from_utf8(bytes).unwrap()
}

impl Request {
    /// Method and target, as in the first line.
    pub(crate) fn line(&self) -> String {
        format!("{} {}", self.method, self.target)
    }

    /// The path as it was sent.
    pub(crate) fn raw_path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// All headers, a line each.
    pub(crate) fn head(&self) -> String {
        let lines = self.headers.iter().map(|(name, value)| format!("{name}: {value}\n"));
        lines.collect::<Vec<_>>().concat()
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Method and path, to be matched.
    pub(crate) fn route(&self) -> (&str, Vec<&str>) {
        (&self.method, self.path.iter().map(String::as_str).collect())
    }

    /// A parameter of the query.
    pub(crate) fn param(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The token that was sent as a bearer.
    pub(crate) fn bearer(&self) -> Option<&str> {
        self.headers.get("authorization")?.strip_prefix("Bearer ")
    }

    /// The body; `None` when it is not sent as JSON.
    pub(crate) fn json(&self) -> Option<Value> {
        let kind = self.headers.get("content-type")?;
        if !kind.starts_with("application/json") {
            return None;
        }
        serde_json::from_slice(&self.body).ok()
    }

    /// A parameter that is not among the known ones.
    pub(crate) fn stranger(&self, known: &[&str]) -> Option<&str> {
        self.query.iter().map(|(name, _)| name.as_str()).find(|name| !known.contains(name))
    }
}

impl Reply {
    /// Sends it and hangs up.
    pub(crate) fn send(&self, mut stream: TcpStream) {
        if self.status == 0 {
            // The answer is lost: whoever waits for it waits.
            return std::thread::sleep(super::PATIENCE);
        }
        let mut head = format!("HTTP/1.1 {} x\r\nconnection: close\r\n", self.status);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if self.status != 204 {
            head.push_str(&format!("content-length: {}\r\n", self.body.len()));
        }
        // Whoever asked may be gone: it was killed.
        let _gone = write!(stream, "{head}\r\n{}", self.body);
    }

    pub(crate) fn json(status: u16, body: &Value) -> Self {
        let headers = vec![("content-type", "application/json".to_owned())];
        Self { status, headers, body: body.to_string() }
    }

    pub(crate) fn ok(body: &Value) -> Self {
        Self::json(200, body)
    }

    pub(crate) fn text(body: &str) -> Self {
        Self { status: 200, headers: vec![("content-type", "text/plain".to_owned())], body: body.to_owned() }
    }

    pub(crate) fn empty() -> Self {
        Self { status: 204, headers: Vec::new(), body: String::new() }
    }

    /// In the manner of GitLab and many others.
    pub(crate) fn message(status: u16, message: &str) -> Self {
        Self::json(status, &json!({"message": message}))
    }

    #[must_use]
    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}
