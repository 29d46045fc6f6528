//! What the tests of the API have in common.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;
use tungstenite::handshake::client::generate_key;
use tungstenite::http::Request;
use tungstenite::{Message, WebSocket};

use crate::mcp::wire::{Reply, Served};
use crate::support::{Aa, PATIENCE, eventually};

/// A skill that only reads.
pub(crate) const LOOK: &str = "name: look\ndescription: Looks\ninputs: [{name: note, type: string, default: ''}]\nsteps: [{name: see, tool: trace_look, args: {note: '{{ inputs.note }}'}}]\noutputs: [{name: seen, value: '{{ see }}'}]\n";

/// A skill that changes something.
pub(crate) const WRITE: &str = "name: write\ndescription: Writes\ninputs: [{name: line, type: string, required: true}]\nsteps: [{name: put, tool: trace_write, args: {line: '{{ inputs.line }}'}, undo: {tool: trace_unwrite, args: {line: '{{ inputs.line }}'}}}]\noutputs: [{name: said, value: '{{ put }}'}]\n";

/// A skill that asks.
pub(crate) const ASK: &str = "name: ask\ndescription: Asks\nsteps: [{name: sure, confirm: {message: sure?, options: ['yes', 'no']}}]\noutputs: [{name: said, value: '{{ sure }}'}]\n";

/// A skill that does not end by itself.
pub(crate) const HANG: &str =
    "name: hang\ndescription: Hangs\nsteps: [{name: wait, tool: trace_hang, args: {mark: hang}}]\n";

/// A skill that fails.
pub(crate) const FAIL: &str =
    "name: fail\ndescription: Fails\nsteps: [{name: break, tool: trace_fail, args: {message: no luck}}]\n";

/// The key of the guest `ci`.
pub(crate) const CI: &str = "0123456789abcdef0123456789abcdef-ci";

/// A project with those skills, and a guest with a key.
pub(crate) fn project(more: &str) -> Aa {
    let config = format!(
        "secrets: {{CI: {{env: CI_KEY}}}}\nserve:\n  runs: 50\n  keys: [{{principal: ci, key: '{{{{ secrets.CI }}}}'}}]\n{more}"
    );
    Aa::traced()
        .skill("look", LOOK)
        .skill("write", WRITE)
        .skill("ask", ASK)
        .skill("hang", HANG)
        .skill("fail", FAIL)
        .own_config(&config)
}

/// The server of a project.
pub(crate) fn serve(aa: &Aa) -> Served {
    Served::start(aa.args(["serve", "--listen", "127.0.0.1:0"]).env("CI_KEY", CI))
}

/// Asks for something.
pub(crate) fn get(served: &Served, path: &str) -> Reply {
    served.ask(&format!("GET {path}"), &[], "")
}

/// Asks for something that must be there.
#[track_caller]
pub(crate) fn found(served: &Served, path: &str) -> Value {
    let reply = get(served, path);
    assert_eq!(reply.status, 200, "{path}: {reply:?}");
    reply.message()
}

/// Starts a run, and gives its number.
#[track_caller]
pub(crate) fn start(served: &Served, skill: &str, body: &Value) -> i64 {
    let reply = served.post(&format!("/api/skills/{skill}/run"), &[], body);
    assert_eq!(reply.status, 201, "{reply:?}");
    reply.message()["run"].as_i64().unwrap()
}

/// Waits until a run stands so.
#[track_caller]
pub(crate) fn stands(served: &Served, run: i64, status: &str) -> Value {
    let mut last = Value::Null;
    eventually(&format!("run {run} is {status}"), || {
        last = found(served, &format!("/api/runs/{run}"));
        last["run"]["status"] == status
    });
    last
}

/// A socket to the server.
pub(crate) struct Socket {
    socket: WebSocket<TcpStream>,
}

impl Socket {
    /// Asks for one at an address with headers, or gives the status of the refusal.
    pub(crate) fn open(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Result<Self, u16> {
        let host = address.to_string();
        let mut request = Request::builder()
            .uri(format!("ws://{host}{path}"))
            .header("Host", &host)
            .header("Connection", "Upgrade")
            .header("Upgrade", "websocket")
            .header("Sec-WebSocket-Version", "13")
            .header("Sec-WebSocket-Key", generate_key());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        match tungstenite::client(request.body(()).unwrap(), stream) {
            Ok((socket, _)) => Ok(Self { socket }),
            Err(tungstenite::HandshakeError::Failure(tungstenite::Error::Http(response))) => {
                Err(response.status().as_u16())
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// With the key of this machine, and what it is told first.
    pub(crate) fn of(served: &Served, path: &str) -> (Self, Value) {
        let key = format!("Bearer {}", served.token);
        let mut socket = Self::open(served.address, path, &[("Authorization", key.as_str())]).unwrap();
        let hello = socket.hear();
        assert_eq!(hello["type"], "connected", "{hello}");
        (socket, hello)
    }

    pub(crate) fn say(&mut self, message: &Value) {
        self.socket.send(Message::text(message.to_string())).unwrap();
    }

    /// The next message.
    #[track_caller]
    pub(crate) fn hear(&mut self) -> Value {
        loop {
            match self.socket.read().unwrap() {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Close(frame) => panic!("closed: {frame:?}"),
                _ => {}
            }
        }
    }

    /// The next message of a type, whatever else comes before it.
    #[track_caller]
    pub(crate) fn hear_of(&mut self, kind: &str) -> Value {
        loop {
            let message = self.hear();
            if message["type"] == kind {
                return message;
            }
        }
    }

    /// The code with which it is closed.
    pub(crate) fn closed(&mut self) -> u16 {
        loop {
            match self.socket.read() {
                Ok(Message::Close(frame)) => return frame.map_or(0, |frame| frame.code.into()),
                Ok(_) => {}
                Err(error) => panic!("it was not closed in order: {error}"),
            }
        }
    }

    /// Does not read for a while.
    pub(crate) fn into_stream(self) -> WebSocket<TcpStream> {
        self.socket
    }
}

/// Server-sent events.
pub(crate) struct Stream {
    lines: std::io::Lines<BufReader<TcpStream>>,
}

/// One of them.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) event: String,
    pub(crate) id: String,
    pub(crate) data: Value,
}

impl Stream {
    /// Listens at an address of the server.
    pub(crate) fn open(served: &Served, path: &str, more: &[(&str, &str)]) -> Self {
        let mut stream = TcpStream::connect(served.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut head = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n", served.address);
        if !more.iter().any(|(name, _)| *name == "Authorization") {
            head.push_str(&format!("Authorization: Bearer {}\r\n", served.token));
        }
        for (name, value) in more {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        stream.write_all(format!("{head}\r\n").as_bytes()).unwrap();
        let mut lines = BufReader::new(stream).lines();
        let status = lines.next().unwrap().unwrap();
        assert!(status.contains("200"), "{status}");
        let mut this = Self { lines };
        // The place to go on from is told first.
        while !this.line().starts_with(": listening") {}
        this
    }

    fn line(&mut self) -> String {
        self.lines.next().expect("it goes on").unwrap()
    }

    /// The next event; chunk sizes and signs of life are passed over. None when the stream has ended.
    pub(crate) fn next(&mut self) -> Option<Told> {
        let (mut event, mut id) = (String::new(), String::new());
        loop {
            let line = self.lines.next()?.ok()?;
            if let Some(text) = line.strip_prefix("event: ") {
                text.clone_into(&mut event);
            } else if let Some(text) = line.strip_prefix("id: ") {
                text.clone_into(&mut id);
            } else if let Some(text) = line.strip_prefix("data: ") {
                return Some(Told { event, id, data: serde_json::from_str(text).unwrap() });
            }
        }
    }
}

/// A moment for what should not happen.
pub(crate) const MOMENT: Duration = Duration::from_millis(300);
