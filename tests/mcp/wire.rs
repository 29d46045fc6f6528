//! Clients without a library: bytes to and from the binary, over stdio and HTTP.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use rustix::process::{Pid, Signal};
use serde_json::{Value, json};

use crate::support::{Aa, Call, PATIENCE, eventually};

/// What both kinds of MCP clients of the session era say first.
pub(crate) fn hello() -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "wire", "version": "0"}
    }})
}

/// What both kinds say then.
pub(crate) fn ready() -> Value {
    json!({"jsonrpc": "2.0", "method": "notifications/initialized"})
}

/// A call of a tool.
pub(crate) fn call(id: u64, tool: &str, args: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": tool, "arguments": args}})
}

/// A call of the sessionless era: it says by itself who asks.
pub(crate) fn modern(id: u64, tool: &str, args: &Value) -> Value {
    let mut call = call(id, tool, args);
    call["params"]["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "wire", "version": "0"},
    });
    call
}

/// The headers that go with it.
pub(crate) fn modern_headers(tool: &str) -> Vec<(&str, &str)> {
    vec![("MCP-Protocol-Version", "2026-07-28"), ("Mcp-Method", "tools/call"), ("Mcp-Name", tool)]
}

/// `aa serve` on a free port; ended with the test.
pub(crate) struct Served {
    child: Child,
    pub(crate) address: SocketAddr,
    /// The key of this machine.
    pub(crate) token: String,
    said: Arc<Mutex<String>>,
}

/// An answer over HTTP.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// In small letters.
    pub(crate) headers: String,
    pub(crate) body: String,
}

impl Served {
    pub(crate) fn new(aa: &Aa, args: &[&str]) -> Self {
        Self::start(aa.args(["serve", "--listen", "127.0.0.1:0"].iter().chain(args)))
    }

    pub(crate) fn start(call: Call) -> Self {
        let mut child = call.command().stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let mut line = |start: &str| {
            let found = lines.by_ref().find_map(|line| line.strip_prefix(start).map(str::to_owned));
            found.unwrap_or_else(|| panic!("it has not said: {start}"))
        };
        let address = line("serving AI clients at http://").trim_end_matches("/mcp").parse().unwrap();
        let token =
            std::fs::read_to_string(line("the key of this machine is in ")).unwrap().trim().to_owned();
        let said = Arc::new(Mutex::new(String::new()));
        let heard = Arc::clone(&said);
        std::thread::spawn(move || {
            lines.for_each(|line| heard.lock().unwrap().push_str(&format!("{line}\n")));
        });
        Self { child, address, token, said }
    }

    /// What it has said on stderr since it started.
    pub(crate) fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        rustix::process::kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// How it ended.
    pub(crate) fn ended(&mut self) -> Option<i32> {
        let mut code = None;
        eventually("the server ends", || {
            self.child.try_wait().unwrap().is_some_and(|status| {
                code = status.code();
                true
            })
        });
        code
    }

    /// Asks with the headers that every client sends, and some more; a header that is given twice is
    /// sent as it was given.
    pub(crate) fn ask(&self, line: &str, more: &[(&str, &str)], body: &str) -> Reply {
        ask((self.address, &self.token), line, more, body)
    }

    /// Posts a message to an address.
    pub(crate) fn post(&self, path: &str, more: &[(&str, &str)], message: &Value) -> Reply {
        self.ask(&format!("POST {path}"), more, &message.to_string())
    }

    /// Begins a session.
    pub(crate) fn session(&self, path: &str, more: &[(&str, &str)]) -> String {
        let reply = self.post(path, more, &hello());
        assert_eq!(reply.status, 200, "{reply:?}");
        let id = reply.header("mcp-session-id").unwrap().to_owned();
        let with: Vec<_> = more.iter().copied().chain([("Mcp-Session-Id", id.as_str())]).collect();
        assert_eq!(self.post(path, &with, &ready()).status, 202);
        id
    }

    /// Calls a tool in the sessionless era.
    pub(crate) fn call(&self, tool: &str, args: &Value) -> Value {
        let reply = self.post("/mcp", &modern_headers(tool), &modern(7, tool, args));
        assert_eq!(reply.status, 200, "{reply:?}");
        let result = reply.message()["result"].clone();
        assert!(result.is_object(), "{reply:?}");
        result
    }
}

/// Asks a server with the headers that every client sends, and some more.
pub(crate) fn ask(
    (address, token): (SocketAddr, &str),
    line: &str,
    more: &[(&str, &str)],
    body: &str,
) -> Reply {
    let given = |name: &str| more.iter().any(|(other, _)| other.eq_ignore_ascii_case(name));
    let (host, key) = (address.to_string(), format!("Bearer {token}"));
    let length = body.len().to_string();
    let usual = [
        ("Host", host.as_str()),
        ("Authorization", key.as_str()),
        ("Accept", "application/json, text/event-stream"),
        ("Content-Type", "application/json"),
        ("Content-Length", length.as_str()),
    ];
    let mut head = format!("{line} HTTP/1.1\r\nConnection: close\r\n");
    for (name, value) in usual.iter().filter(|(name, _)| !given(name)).chain(more) {
        if !value.is_empty() {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // It may answer before it has read everything.
    let _refused = stream.write_all(format!("{head}\r\n{body}").as_bytes());
    Reply::read(stream)
}

impl Drop for Served {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            let _gone = self.child.kill();
            let _gone = self.child.wait();
        }
    }
}

impl Reply {
    fn read(stream: TcpStream) -> Self {
        let mut reader = BufReader::new(stream);
        let mut head = String::new();
        while reader.read_line(&mut head).is_ok_and(|length| length > 2) {}
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        let headers = head.to_lowercase();
        let mut bytes = Vec::new();
        if headers.contains("transfer-encoding: chunked") {
            while let Some(chunk) = chunk(&mut reader) {
                bytes.extend(chunk);
            }
        } else {
            let _reset = reader.read_to_end(&mut bytes);
        }
        Self { status, headers, body: String::from_utf8_lossy(&bytes).into_owned() }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let start = format!("{name}: ");
        self.headers.lines().find_map(|line| line.strip_prefix(start.as_str())).map(str::trim)
    }

    /// The answer in it, whether it came alone or as the last event of a stream.
    pub(crate) fn message(&self) -> Value {
        let mut events = self.body.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim);
        let last = events.rfind(|data| !data.is_empty()).unwrap_or(&self.body);
        serde_json::from_str(last).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

fn chunk(reader: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut size = String::new();
    reader.read_line(&mut size).ok()?;
    let size = usize::from_str_radix(size.trim(), 16).ok().filter(|size| *size > 0)?;
    let mut chunk = vec![0; size + 2];
    reader.read_exact(&mut chunk).ok()?;
    chunk.truncate(size);
    Some(chunk)
}

/// `aa mcp` with its stdin and stdout; ended with the test.
pub(crate) struct Piped {
    pub(crate) child: Child,
    to: Option<ChildStdin>,
    lines: Receiver<String>,
}

impl Piped {
    pub(crate) fn new(call: Call) -> Self {
        let mut command = call.command();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (to, from) = (child.stdin.take(), child.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            BufReader::new(from).lines().map_while(Result::ok).for_each(|line| drop(sender.send(line)));
        });
        Self { child, to, lines }
    }

    /// Goes through the handshake.
    pub(crate) fn greeted(call: Call) -> Self {
        let mut piped = Self::new(call);
        piped.say(&hello());
        assert_eq!(piped.answer(1)["result"]["serverInfo"]["name"], "aa");
        piped.say(&ready());
        piped
    }

    pub(crate) fn say(&mut self, message: &Value) {
        self.write(&format!("{message}\n"));
    }

    pub(crate) fn write(&mut self, text: &str) {
        self.to.as_mut().unwrap().write_all(text.as_bytes()).unwrap();
    }

    /// The next line that answers a request, whatever else is said before it.
    pub(crate) fn answer(&self, id: u64) -> Value {
        self.until(id).pop().unwrap()
    }

    /// All that is said until a request is answered, its answer last.
    pub(crate) fn until(&self, id: u64) -> Vec<Value> {
        let is_answer = |message: &Value| message["id"] == id && message.get("method").is_none();
        self.up_to(&format!("the answer of {id}"), is_answer)
    }

    /// The next request or notification of a kind, whatever else is said before it.
    pub(crate) fn told(&self, method: &str) -> Value {
        self.up_to(method, |message| message["method"] == method).pop().unwrap()
    }

    fn up_to(&self, what: &str, is_it: impl Fn(&Value) -> bool) -> Vec<Value> {
        let end = Instant::now() + PATIENCE;
        let mut said = Vec::new();
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left).unwrap_or_else(|_| panic!("{what} does not come"));
            let message: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("no message: {line}"));
            let is_it = is_it(&message);
            said.push(message);
            if is_it {
                return said;
            }
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        rustix::process::kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    pub(crate) fn close(&mut self) {
        self.to = None;
    }

    /// How it ended, what it had left to say, and what it said on stderr.
    pub(crate) fn ended(mut self) -> (Option<i32>, Vec<String>, String) {
        let mut errors = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        let code = self.child.wait().unwrap().code();
        (code, self.lines.iter().collect(), errors)
    }
}

impl Drop for Piped {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}
