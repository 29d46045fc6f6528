//! A process that runs although nobody is there, on the running binary.

/// Tools that it calls outside of runs.
mod alone;
/// Killed again and again while it has a lot to do.
mod kill;
/// Started, looked at, drained, stopped, restarted.
mod life;
/// Listening for what is new.
mod listen;
/// Files that change under it.
mod reload;
/// Commands that leave their work to it.
mod work;

use std::net::SocketAddr;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::mcp::wire::{self, Reply};
use crate::support::{Aa, Ran, eventually};

/// Tools that leave lines in the file `log` of the project: at once, after a while, and never.
pub(crate) const TOOLS: &str = "\
module: probe
description: Leaves lines in the file `log`
tools:
  - name: note
    description: Notes a text after a while
    effect: write
    idempotent: true
    input: {text: {type: string}, after: {type: string, default: '0'}}
    run: [sh, -c, 'text=$(cat); sleep \"$1\"; echo \"$text\" >> log', '-', '{{ after }}']
    stdin: '{{ text }}'
  - name: once
    description: Notes a text after a while, and must not do it twice
    effect: write
    input: {text: {type: string}, after: {type: string, default: '0'}}
    run: [sh, -c, 'text=$(cat); echo \"begin $text\" >> log; sleep \"$1\"; echo \"$text\" >> log', '-', '{{ after }}']
    stdin: '{{ text }}'
  - name: mark
    description: Says the variable MARK
    effect: read
    input: {}
    env_pass: [MARK]
    run: [sh, -c, 'printf %s \"$MARK\"']
";

/// A skill of two steps.
pub(crate) const TWO: &str = "\
name: two
description: Leaves two lines
inputs: [{name: after, type: string, default: '0'}, {name: tool, type: string, default: ''}]
steps:
  - {name: first, tool: note, args: {text: first, after: '{{ inputs.after }}'}}
  - {name: second, tool: note, args: {text: second}, needs: [first]}
outputs: [{name: done, value: 'yes'}]
";

/// The daemon of a project; ended with the test.
pub(crate) struct Daemon<'a> {
    aa: &'a Aa,
    pub(crate) address: SocketAddr,
    token: String,
}

/// A project with those tools and skills.
pub(crate) fn project(config: &str) -> Aa {
    Aa::new().tools("probe", TOOLS).skill("two", TWO).own_config(&allowing(config))
}

/// A configuration in which whoever has a key may run what writes.
pub(crate) fn allowing(config: &str) -> String {
    let allow = "serve: {policy: {write: allow}";
    if config.contains("serve: {") {
        config.replace("serve: {", &format!("{allow}, "))
    } else {
        format!("{config}{allow}}}\n")
    }
}

/// What `aa daemon status` says.
pub(crate) fn status(aa: &Aa) -> Value {
    aa.args(["daemon", "status", "--format", "json"]).run().json()
}

/// A daemon that was started with the command.
pub(crate) fn start(aa: &Aa) -> Daemon<'_> {
    aa.args(["daemon", "start", "--listen", "127.0.0.1:0"]).run().code(0);
    running(aa)
}

/// The daemon that runs.
pub(crate) fn running(aa: &Aa) -> Daemon<'_> {
    let known = status(aa);
    let address = known["daemon"]["address"].as_str().unwrap_or_else(|| panic!("{known}")).parse().unwrap();
    let token = std::fs::read_to_string(state(aa).join("serve.token")).unwrap().trim().to_owned();
    Daemon { aa, address, token }
}

/// The folder of the store.
pub(crate) fn state(aa: &Aa) -> std::path::PathBuf {
    let shown = aa.args(["config", "show", "--format", "json"]).run().code(0).json();
    shown["store.folder"].as_str().unwrap().into()
}

impl Daemon<'_> {
    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(status(self.aa)["daemon"]["pid"].as_i64().unwrap()).unwrap()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.pid()).unwrap(), signal).unwrap();
    }

    pub(crate) fn get(&self, path: &str) -> Reply {
        wire::ask((self.address, &self.token), &format!("GET {path}"), &[], "")
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Reply {
        wire::ask((self.address, &self.token), &format!("POST {path}"), &[], &body.to_string())
    }

    /// Starts a run, and gives its number.
    #[track_caller]
    pub(crate) fn start(&self, skill: &str, inputs: &Value) -> i64 {
        let reply = self.post(&format!("/api/skills/{skill}/run"), &json!({"inputs": inputs}));
        assert_eq!(reply.status, 201, "{reply:?}");
        reply.message()["run"].as_i64().unwrap()
    }

    /// Has ended by itself, or was killed.
    pub(crate) fn gone(&self) {
        eventually("the daemon is gone", || status(self.aa)["running"] == false);
    }
}

impl Drop for Daemon<'_> {
    fn drop(&mut self) {
        // When none runs, that is all the same.
        self.aa.args(["daemon", "stop", "--now"]).run();
    }
}

/// What `log` has.
pub(crate) fn lines(aa: &Aa) -> Vec<String> {
    aa.text("log").lines().map(str::to_owned).collect()
}

/// How a run stands.
pub(crate) fn run_status(aa: &Aa, run: i64) -> Value {
    let runs = aa.args(["run", "list", "--format", "json"]).run().code(0).json();
    runs.as_array().unwrap().iter().find(|found| found["id"] == run).cloned().unwrap_or_default()
}

/// A command of the daemon.
pub(crate) fn daemon(aa: &Aa, args: &[&str]) -> Ran {
    aa.args(["daemon"].iter().chain(args)).run()
}
