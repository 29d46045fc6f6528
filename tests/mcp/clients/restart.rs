//! Runs and tasks that outlive their server, as clients that others have written see them.

use std::process::{Child, Stdio};
use std::sync::mpsc::Receiver;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::inspector::Connection;
use super::{CLIENTS, Client, Served, inspect, lines, over_stdio};
use crate::support::{Aa, PATIENCE, eventually};

const GATED: &str = "\
module: gate
description: Waits for a file
requires: {commands: [sh]}
tools:
  - {name: gate_note, description: Notes, effect: read, input: {}, run: [sh, -c, 'echo noted >> notes'], result: text}
  - {name: gate_pass, description: Waits, effect: read, input: {}, run: [sh, -c, 'touch begun; until [ -e go ]; do sleep 0.02; done; printf passed'], result: text}
";

const LONG: &str = "\
name: long
description: Takes long
steps:
  - {name: note, tool: gate_note}
  - {name: pass, tool: gate_pass, needs: [note]}
outputs: [{name: said, value: '{{ pass }}'}]
";

fn project() -> Aa {
    Aa::new().tools("gate", GATED).skill("long", LONG)
}

/// Kills the server while the second step runs.
fn kill(aa: &Aa, served: Served) {
    eventually("the second step begins", || aa.path("begun").exists());
    drop(served);
}

/// Opens the gate for the step that another server does again; the first one is not done twice.
fn open(aa: &Aa) {
    std::fs::write(aa.path("go"), "").unwrap();
}

#[track_caller]
fn assert_done_once(aa: &Aa) {
    assert_eq!(aa.text("notes"), "noted\n", "a step that was done is not done again");
}

#[test]
fn a_run_that_they_began_is_followed_at_the_next_server() {
    for client in CLIENTS {
        let aa = project();
        let served = Served::start(&aa, &["--all"]);
        let begin = json!([{"call": "skill_run", "args": {"skill_name": "long", "wait_seconds": 0.2}}]);
        let begun = client.drive(&aa, &served.address, &begin);
        let run = &begun[0]["structured"]["run_id"];
        assert!(run.is_number(), "{client:?}: {begun:?}");
        kill(&aa, served);
        let served = Served::start(&aa, &["--all"]);
        open(&aa);
        let look = json!([{"call": "run_status", "args": {"run_id": run, "wait_seconds": 60}}]);
        let status = &client.drive(&aa, &served.address, &look)[0]["structured"];
        assert_eq!(
            (&status["status"], &status["outputs"]),
            (&json!("completed"), &json!({"said": "passed"})),
            "{client:?}: {status}"
        );
        assert_done_once(&aa);
    }
}

#[test]
fn the_inspector_follows_it_in_both_eras() {
    let aa = project();
    let call = |served: &Served, era: &str, tool: &str, args: &Value| {
        let args = args.to_string();
        let words =
            ["--protocol-era", era, "--method", "tools/call", "--tool-name", tool, "--tool-args-json", &args];
        let (code, said) = inspect(&aa, &served.address, &words);
        assert_eq!(code, Some(0), "{era}: {said}");
        said
    };
    let served = Served::start(&aa, &["--all"]);
    call(&served, "legacy", "skill_run", &json!({"skill_name": "long", "wait_seconds": 0.2}));
    kill(&aa, served);
    let served = Served::start(&aa, &["--all"]);
    open(&aa);
    for era in ["legacy", "modern"] {
        let said = call(&served, era, "run_status", &json!({"run_id": 1, "wait_seconds": 60}));
        assert!(said.contains("completed") && said.contains("passed"), "{era}: {said}");
    }
    assert_done_once(&aa);
}

/// Clients that can be taught tasks. Those of the session era have none to know: there the protocol gives them
/// none, and runs are followed by their number.
const TAUGHT: [Client; 3] = [Client::Python("auto"), Client::FastMcp("auto"), Client::TypeScript(2, "auto")];

/// A client that knows tasks, and what it prints as it happens.
fn begin(client: Client, aa: &Aa, server: &Value, steps: &Value) -> (Child, Receiver<String>) {
    let task = json!({"server": server, "tasks": true, "do": steps});
    let mut command = client.ready(aa, task);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
    let heard = lines(child.stdout.take().unwrap());
    (child, heard)
}

fn next(heard: &Receiver<String>) -> Value {
    serde_json::from_str(&heard.recv_timeout(PATIENCE).expect("the client says something")).unwrap()
}

#[track_caller]
fn assert_passed(told: &Value) {
    assert_eq!(told["status"], "completed", "{told}");
    assert_eq!(told["result"]["structuredContent"], json!({"said": "passed"}), "{told}");
}

/// Follows a task to its end, as a client that has not begun it.
#[track_caller]
fn follow(client: Client, aa: &Aa, server: &Value, task: &str) {
    let (mut process, heard) = begin(client, aa, server, &json!([{ "task": task }]));
    assert_passed(&next(&heard));
    assert!(process.wait().unwrap().success(), "{client:?}");
    assert_done_once(aa);
}

#[test]
fn a_task_outlives_its_server_over_http() {
    for client in TAUGHT {
        let aa = project();
        let served = Served::start(&aa, &["--all"]);
        let (mut process, heard) = begin(client, &aa, &served.address, &json!([{"call": "long"}]));
        let task = next(&heard);
        assert_eq!(task["structured"], json!({"task": "1"}), "{client:?}: {task}");
        // The client ends its connection, which is nothing to the task.
        assert!(process.wait().unwrap().success(), "{client:?}");
        kill(&aa, served);
        let served = Served::start(&aa, &["--all"]);
        open(&aa);
        follow(client, &aa, &served.address, "1");
    }
}

#[test]
fn a_task_outlives_its_server_on_stdio() {
    for client in TAUGHT {
        let aa = project();
        let server = over_stdio(&aa, &["--all"]);
        let (mut process, heard) = begin(client, &aa, &server, &json!([{"call": "long"}, {"changed": 60}]));
        assert_eq!(next(&heard)["structured"], json!({"task": "1"}), "{client:?}");
        eventually("the second step begins", || aa.path("begun").exists());
        let servers = children(process.id());
        assert_eq!(servers.len(), 1, "{client:?} starts the server and nothing else");
        kill_process(servers[0], Signal::KILL).unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
        open(&aa);
        follow(client, &aa, &server, "1");
    }
}

#[test]
fn the_inspector_follows_a_task_that_outlives_its_server() {
    let aa = project();
    let served = Served::start(&aa, &["--all"]);
    let connection = Connection::open(&aa, &served.address, "t", "modern");
    // It waits for the task that its call becomes.
    let mut call = connection.command(&["tools/call", "long"]).stdout(Stdio::null()).spawn().unwrap();
    kill(&aa, served);
    drop(connection);
    call.wait().unwrap();
    let served = Served::start(&aa, &["--all"]);
    let connection = Connection::open(&aa, &served.address, "t", "modern");
    let working = connection.run(&["tasks/get", "1"]);
    assert!(working.contains("\"working\""), "{working}");
    open(&aa);
    let mut told = String::new();
    eventually("the task completes", || {
        told = connection.run(&["tasks/get", "1"]);
        told.contains("\"completed\"")
    });
    assert!(told.contains("passed"), "{told}");
    assert_done_once(&aa);
}

/// The processes that another one has started.
fn children(parent: u32) -> Vec<Pid> {
    let numbers = std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let is_child = |number: &i32| {
        let stat = std::fs::read_to_string(format!("/proc/{number}/stat")).unwrap_or_default();
        // Behind the name, which may hold anything: the state, then the parent.
        let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        rest.split_whitespace().nth(1) == Some(&parent.to_string())
    };
    numbers.filter(is_child).filter_map(Pid::from_raw).collect()
}
