//! Tools that are called outside of runs, when it ends: nothing of them is left.

use std::thread;

use rustix::process::{Pid, test_kill_process};
use serde_json::json;

use super::{daemon, project, start};
use crate::mcp::wire::{Piped, call};
use crate::support::{Aa, eventually};

/// A tool that only reads, leaves the number of its process in a file of that name, and does not end.
const HANGS: &str = "\
module: hangs
description: x
tools:
  - name: hang
    description: Does not end
    effect: read
    input: {name: {type: string}}
    run: [sh, -c, 'echo $$ > \"$1\"; exec sleep 300', '-', '{{ name }}']
";

/// The process of a call, once it has begun.
fn process(aa: &Aa, name: &str) -> Pid {
    let number = || std::fs::read_to_string(aa.path(name)).ok()?.trim().parse().ok();
    eventually(&format!("`{name}` has begun"), || number().is_some());
    Pid::from_raw(number().unwrap()).unwrap()
}

#[test]
fn calls_outside_of_runs_end_with_it() {
    let config = "daemon: {drain_timeout: 1s}
schedules: {asks: {skill: two, poll: {tool: hang, args: {name: poll}, every: 1s}}}
";
    let aa = project(config).tools("hangs", HANGS);
    for stop in [&["stop", "--now"][..], &["stop"]] {
        for name in ["poll", "api", "client"] {
            // There is none the first time.
            let _none = std::fs::remove_file(aa.path(name));
        }
        let it = start(&aa);
        let mut client = Piped::greeted(aa.args(["mcp", "--all"]));
        client.say(&call(2, "hang", &json!({"name": "client"})));
        let processes = thread::scope(|scope| {
            scope.spawn(|| it.post("/api/tools/hang/call", &json!({"args": {"name": "api"}})));
            let processes = ["poll", "api", "client"].map(|name| process(&aa, name));
            daemon(&aa, stop).code(0);
            processes
        });
        assert!(processes.iter().all(|process| test_kill_process(*process).is_err()), "{stop:?}");
    }
}
