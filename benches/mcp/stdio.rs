//! A client over pipes that speaks plain lines.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use super::peers::{Peer, Project};
use super::{ALONE, Figures, IN_FLIGHT, TOGETHER, memory, micros, quantile};

pub(crate) const HELLO: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"bench","version":"0"}}}"#;
pub(crate) const READY: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
pub(crate) const LIST: &str = r#"{"jsonrpc":"2.0","id":2,"method":"tools/list"}"#;

/// A server that was started, and the ends of its pipes.
pub(crate) struct Client {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    line: String,
    id: usize,
}

pub(crate) fn measure(peer: &Peer, project: &Project) -> Figures {
    let began = Instant::now();
    let mut client = Client::start(peer.on_stdio(project));
    client.greet();
    let start_ms = micros(began.elapsed()) / 1e3;
    std::thread::sleep(Duration::from_millis(500));
    let idle_mib = memory(client.child.id());
    for _ in 0..ALONE / 10 {
        client.echo();
    }
    let alone: Vec<f64> = (0..ALONE).map(|_| micros(client.echo())).collect();
    Figures {
        start_ms,
        idle_mib,
        p50_us: quantile(alone.clone(), 50),
        p99_us: quantile(alone, 99),
        per_second: client.together(),
    }
}

pub(crate) fn call(id: usize, tool: &str, args: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"{tool}","arguments":{args}}}}}"#
    )
}

impl Client {
    pub(crate) fn start(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let (to, from) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, to, from, line: String::new(), id: 10 }
    }

    /// The handshake, and the first list.
    pub(crate) fn greet(&mut self) {
        self.say(HELLO);
        self.hear();
        self.say(READY);
        self.say(LIST);
        while self.hear() != 2 {}
    }

    /// Calls a tool and waits for its answer, which must be none of a failure.
    pub(crate) fn call(&mut self, tool: &str, args: &str) {
        self.id += 1;
        self.say(&call(self.id, tool, args));
        while self.hear() != self.id {}
        assert!(
            !self.line.contains("\"isError\":true") && !self.line.contains("\"error\":{"),
            "{}",
            self.line
        );
    }

    fn echo(&mut self) -> Duration {
        let began = Instant::now();
        self.call("echo", r#"{"value":"hello"}"#);
        began.elapsed()
    }

    /// Calls a second with sixteen under way.
    fn together(&mut self) -> f64 {
        let began = Instant::now();
        let (mut asked, mut open) = (0, HashSet::new());
        while asked < TOGETHER || !open.is_empty() {
            let mut batch = String::new();
            while open.len() < IN_FLIGHT && asked < TOGETHER {
                self.id += 1;
                asked += 1;
                batch.push_str(&call(self.id, "echo", r#"{"value":"hello"}"#));
                batch.push('\n');
                open.insert(self.id);
            }
            if !batch.is_empty() {
                self.to.write_all(batch.as_bytes()).unwrap();
            }
            let id = self.hear();
            open.remove(&id);
        }
        f64::from(u32::try_from(TOGETHER).unwrap()) / began.elapsed().as_secs_f64()
    }

    fn say(&mut self, message: &str) {
        self.to.write_all(format!("{message}\n").as_bytes()).unwrap();
    }

    /// The id of the next answer; 0 for what answers nothing.
    fn hear(&mut self) -> usize {
        self.line.clear();
        assert!(self.from.read_line(&mut self.line).unwrap() > 0, "the server has gone");
        id(&self.line)
    }
}

/// The id of an answer, without reading all of it: the client must not cost more than the server.
pub(crate) fn id(message: &str) -> usize {
    let rest = message.split("\"id\":").nth(1).unwrap_or_default();
    let end = rest.bytes().take_while(u8::is_ascii_digit).count();
    rest[..end].parse().unwrap_or(0)
}

impl Drop for Client {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}
