//! `aa serve` in a folder of its own, and a client of it without a library.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

const SKILL: &str = "name: two\ndescription: Two steps\nsteps:\n  - {name: a, tool: echo, args: {value: 1}}\n  - {name: b, tool: echo, args: {value: '{{ a.value }}'}}\noutputs: [{name: b, value: '{{ b.value }}'}]\n";
const CONFIG: &str = "serve: {runs: 64, limits: {requests: 4096, rate: 100000}}\nevents: {listeners: 4000}\n";

/// A server that ends with this value.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    pub(crate) token: String,
    _root: TempDir,
}

impl Server {
    pub(crate) fn start() -> Self {
        let root = tempfile::tempdir().unwrap();
        let skills = root.path().join("project/.aa/skills");
        std::fs::create_dir_all(&skills).unwrap();
        std::fs::write(skills.join("two.yaml"), SKILL).unwrap();
        std::fs::write(root.path().join("project/.aa/config.yaml"), CONFIG).unwrap();
        let home = root.path().join("home");
        let mut child = Command::new(env!("CARGO_BIN_EXE_aa"))
            .args(["serve", "--listen", "127.0.0.1:0"])
            .current_dir(root.path().join("project"))
            .envs([("HOME", &home), ("XDG_STATE_HOME", &home.join("state"))])
            .env("AA_LOG", "error")
            // A bench asks more than any client may.
            .env("AA_SERVE_LIMITS_RATE", "10000000")
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let mut line = |start: &str| {
            lines.by_ref().find_map(|line| line.strip_prefix(start).map(str::to_owned)).unwrap()
        };
        let address = line("serving AI clients at http://").trim_end_matches("/mcp").parse().unwrap();
        let token =
            std::fs::read_to_string(line("the key of this machine is in ")).unwrap().trim().to_owned();
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address, token, _root: root }
    }

    /// A connection that is kept.
    pub(crate) fn client(&self) -> Client {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_nodelay(true).unwrap();
        let head = format!(
            "POST /api/skills/two/run HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nContent-Length: 0\r\n\r\n",
            self.address, self.token
        );
        Client { head, stream: BufReader::new(stream) }
    }

    /// Its memory, in KiB.
    pub(crate) fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

/// One who starts runs.
pub(crate) struct Client {
    head: String,
    stream: BufReader<TcpStream>,
}

impl Client {
    /// Starts a run, and gives its number.
    pub(crate) fn run(&mut self) -> u64 {
        self.stream.get_mut().write_all(self.head.as_bytes()).unwrap();
        let (mut length, mut line) = (0, String::new());
        let mut status = String::new();
        loop {
            line.clear();
            self.stream.read_line(&mut line).unwrap();
            if status.is_empty() {
                status.clone_from(&line);
            }
            if let Some(text) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
                length = text.trim().parse().unwrap();
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).unwrap();
        assert!(status.contains(" 201 "), "{status}{}", String::from_utf8_lossy(&body));
        let started: serde_json::Value = serde_json::from_slice(&body).unwrap();
        started["run"].as_u64().unwrap()
    }
}
