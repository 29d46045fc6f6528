//! The service that runs in a namespace: what is known of it, its address, its log.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::net::TcpListener;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::group::Identity;

/// Lines of a log that an error shows.
const SHOWN: usize = 20;
/// How far back a log is read, in bytes.
const TAIL: u64 = 1024 * 1024;

/// A service that was started.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Service {
    /// Its process.
    pub(super) process: Identity,
    /// Port that it was told to listen on.
    pub(super) port: u16,
    /// Commit that it was built from.
    pub(super) commit: String,
}

/// What a namespace is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    /// Nothing was started in it yet.
    Reserved,
    /// Its service is alive.
    Running,
    /// Its service has ended.
    Stopped,
}

impl Service {
    /// Where it answers, without a path.
    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl State {
    /// The state that a service puts its namespace in.
    pub(super) fn of(service: Option<&Service>) -> Self {
        match service {
            None => Self::Reserved,
            Some(service) if service.process.is_alive() => Self::Running,
            Some(_) => Self::Stopped,
        }
    }
}

/// A port of the loopback address that nobody listens on and that is not `taken`.
pub(super) fn free_port(taken: &[u16]) -> io::Result<u16> {
    loop {
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        if !taken.contains(&port) {
            return Ok(port);
        }
    }
}

/// The last lines of a log, oldest first, and whether there are more before them.
pub(super) fn tail(path: &Path, lines: usize) -> io::Result<(Vec<String>, bool)> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    let from = size.saturating_sub(TAIL);
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(TAIL).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let all: Vec<&str> = text.lines().skip(usize::from(from > 0)).collect();
    let skipped = all.len().saturating_sub(lines);
    Ok((all[skipped..].iter().map(|line| (*line).to_owned()).collect(), skipped > 0 || from > 0))
}

/// The end of a log for an error; empty when there is none.
pub(super) fn last_words(path: &Path) -> Vec<String> {
    tail(path, SHOWN).map(|(lines, _)| lines).unwrap_or_default()
}

/// Opens a log to write on at its end.
pub(super) fn append_to(path: &Path) -> io::Result<File> {
    fs::OpenOptions::new().create(true).append(true).open(path)
}
