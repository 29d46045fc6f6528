//! A detached process group: started behind a gate, recognised later, ended for good.
//!
//! A process number alone says little, because numbers are used again. A process is
//! recognised by its number, its start time and the boot it was started in, or by a
//! mark in its environment, which its descendants inherit. Nothing else is signalled.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt as _;
use tokio::process::ChildStdin;
use tokio::time::{Instant, sleep};

/// The environment variable that marks the processes of a namespace.
pub(super) const MARK: &str = "EPHEMERAL_MARK";

/// How long a service may take to end before it is killed, and a killed one to be gone.
const GRACE: Duration = Duration::from_secs(5);

/// How often to look whether processes have ended.
const LOOK: Duration = Duration::from_millis(10);

/// Waits for a line, then becomes the command. Without a line it ends: a command whose
/// start could not be written down never runs.
const GATE: &str = r#"read -r _ && exec "$@" </dev/null"#;

/// One process, as no other process will ever be called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Identity {
    /// Its number, and that of its group.
    pub(super) pid: u32,
    /// When it was started, in ticks since the boot.
    ticks: u64,
    /// Id of that boot.
    boot: String,
}

/// A command that waits behind its gate. Dropped, it ends without having run.
pub(super) struct Gated {
    /// The process that it is, and will be.
    pub(super) identity: Identity,
    gate: ChildStdin,
}

/// What to start.
pub(super) struct Detached<'a> {
    /// Program and arguments.
    pub(super) argv: &'a [String],
    /// Working folder.
    pub(super) folder: &'a Path,
    /// Its whole environment.
    pub(super) env: &'a BTreeMap<String, String>,
    /// Takes what it prints.
    pub(super) log: File,
}

/// Starts a command behind a gate, in a group of its own that outlives this process.
pub(super) fn start(detached: Detached<'_>) -> io::Result<Gated> {
    let errors = detached.log.try_clone()?;
    let mut child = tokio::process::Command::new("/bin/sh")
        .args(["-c", GATE, "sh"])
        .args(detached.argv)
        .current_dir(detached.folder)
        .env_clear()
        .envs(detached.env)
        .stdin(Stdio::piped())
        .stdout(detached.log)
        .stderr(errors)
        .process_group(0)
        .spawn()?;
    let gone = || io::Error::other("it ended at once");
    let gate = child.stdin.take().ok_or_else(gone)?;
    let identity = child.id().and_then(identify).ok_or_else(gone)?;
    Ok(Gated { identity, gate })
}

impl Gated {
    /// Lets the command run.
    pub(super) async fn open(mut self) -> io::Result<()> {
        self.gate.write_all(b"\n").await
    }
}

impl Identity {
    /// Whether this very process is alive.
    pub(super) fn is_alive(&self) -> bool {
        identify(self.pid).as_ref() == Some(self)
    }
}

/// Ends every process that carries the mark, and the group of `leader` if that is
/// alive: asks first, kills later. Returns how many there were.
///
/// # Errors
/// Someone survived even that.
pub(super) async fn end(mark: &str, leader: Option<&Identity>) -> io::Result<usize> {
    let group = leader.filter(|leader| leader.is_alive()).map(|leader| leader.pid);
    let found = members(mark, group);
    for signal in [Signal::TERM, Signal::KILL] {
        let until = Instant::now() + GRACE;
        signal_all(&members(mark, group), signal);
        while !members(mark, group).is_empty() && Instant::now() < until {
            sleep(LOOK).await;
        }
    }
    match members(mark, group).as_slice() {
        [] => Ok(found.len()),
        [first, ..] => {
            Err(io::Error::other(format!("process {} cannot be ended, not even killed", first.pid)))
        }
    }
}

fn signal_all(members: &[Identity], signal: Signal) {
    for member in members {
        let pid = i32::try_from(member.pid).ok().and_then(Pid::from_raw);
        // Number and process cannot part between the second look and the signal.
        let Some(Ok(handle)) = pid.map(|pid| rustix::process::pidfd_open(pid, PidfdFlags::empty())) else {
            continue;
        };
        if member.is_alive() {
            let _gone = rustix::process::pidfd_send_signal(handle, signal);
        }
    }
}

fn members(mark: &str, group: Option<u32>) -> Vec<Identity> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| {
            is_marked(*pid, mark)
                || (group.is_some() && stat(*pid).is_some_and(|stat| Some(stat.group) == group))
        })
        .filter_map(identify)
        .collect()
}

fn is_marked(pid: u32, mark: &str) -> bool {
    let wanted = format!("{MARK}={mark}");
    fs::read(format!("/proc/{pid}/environ")).is_ok_and(|environ| {
        environ.split(|byte| *byte == 0).any(|entry| entry.starts_with(wanted.as_bytes()))
    })
}

/// The living process of that number.
fn identify(pid: u32) -> Option<Identity> {
    let ticks = stat(pid)?.ticks;
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?.trim().to_owned();
    Some(Identity { pid, ticks, boot })
}

struct Stat {
    group: u32,
    ticks: u64,
}

/// What the kernel says of a living process.
fn stat(pid: u32) -> Option<Stat> {
    let text = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let text = String::from_utf8_lossy(&text);
    // The name stands in parentheses and may hold anything, also parentheses.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let alive = !matches!(*fields.first()?, "Z" | "X");
    let stat = Stat { group: fields.get(2)?.parse().ok()?, ticks: fields.get(19)?.parse().ok()? };
    alive.then_some(stat)
}
