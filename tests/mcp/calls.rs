//! Calls of a real `aa mcp`: what happens to them when the server or the client goes away.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, channel};

use serde_json::{Value, json};

use crate::support::{Aa, PATIENCE, eventually};

const TOOLS: &str = r#"
module: probe
description: Tools that leave a trace
tools:
  - name: nap
    description: Takes its time
    effect: read
    input: {}
    run: [sh, -c, 'echo nap >> naps; sleep 1; echo slept']
  - name: note
    description: Notes a text
    effect: write
    input: {text: {type: string}}
    run: [sh, -c, 'text=$(cat); echo "$text" >> log; echo "$text"']
    stdin: "{{ text }}"
  - name: sting
    description: Changes something, and takes long over it
    effect: write
    input: {}
    run: [sh, -c, 'echo stung >> log; exec sleep 300']
  - name: family
    description: Hangs with a child
    effect: read
    input: {}
    run: [sh, -c, 'sleep 300 & echo $$ $! > pids; wait']
"#;

const LONG: &str = "\
name: long
description: Takes its time, then writes
steps:
  - {name: first, tool: nap}
  - {name: second, tool: note, args: {text: '{{ first }}'}}
outputs:
  - {name: said, value: '{{ second }}'}
";

fn project() -> Aa {
    Aa::new()
        .tools("probe", TOOLS)
        .skill("long", LONG)
        .skill("hang", "name: hang\ndescription: Hangs\nsteps:\n  - {name: a, tool: family}\n")
        .config("serve: {task_after: 200ms}\n")
        // The user's own: a project could not make a policy laxer.
        .own_config("serve: {policy: {write: allow}}\n")
}

/// A server and the pipe to it; killed at the end.
pub(super) struct Server {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<Value>,
    id: u64,
}

impl Server {
    pub(super) fn start(aa: &Aa) -> Self {
        let mut command = aa.args(["mcp", "--all"]).command();
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if sender.send(serde_json::from_str(&line).unwrap()).is_err() {
                    return;
                }
            }
        });
        Self { stdin: child.stdin.take(), child, lines, id: 0 }
    }

    fn send(&mut self, message: &Value) {
        writeln!(self.stdin.as_mut().unwrap(), "{message}").unwrap();
    }

    /// Asks as a client of the newer era that knows tasks; gives the number of the request.
    fn ask(&mut self, method: &str, mut params: Value) -> u64 {
        self.id += 1;
        // Beside what is said of the request itself.
        for (key, value) in [
            ("protocolVersion", json!("2026-07-28")),
            ("clientInfo", json!({"name": "test", "version": "1"})),
            ("clientCapabilities", json!({"extensions": {"io.modelcontextprotocol/tasks": {}}})),
        ] {
            params["_meta"][format!("io.modelcontextprotocol/{key}")] = value;
        }
        self.send(&json!({"jsonrpc": "2.0", "id": self.id, "method": method, "params": params}));
        self.id
    }

    fn next(&self) -> Value {
        self.lines.recv_timeout(PATIENCE).expect("the server says something")
    }

    pub(super) fn result(&mut self, method: &str, params: Value) -> Value {
        let id = self.ask(method, params);
        loop {
            let answer = self.next();
            if answer["id"] == id {
                assert!(answer.get("error").is_none(), "{answer}");
                return answer["result"].clone();
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_task_survives_the_server_that_was_killed_in_the_middle_of_it() {
    let aa = project();
    let mut server = Server::start(&aa);
    let call = json!({"name": "long", "arguments": {}});
    let task = server.result("tools/call", call);
    assert_eq!(
        (&task["resultType"], &task["taskId"], &task["status"]),
        (&json!("task"), &json!("1"), &json!("working"))
    );
    eventually("the first step runs", || aa.text("naps") == "nap\n");
    server.child.kill().unwrap();
    drop(server);
    assert_eq!(aa.text("log"), "");

    let mut server = Server::start(&aa);
    let mut task = Value::Null;
    eventually("the task completes", || {
        task = server.result("tasks/get", json!({"taskId": "1"}));
        task["status"] == "completed"
    });
    assert_eq!(task["result"]["structuredContent"], json!({"said": "slept"}), "{task}");
    assert_eq!((aa.text("naps").as_str(), aa.text("log").as_str()), ("nap\nnap\n", "slept\n"));
}

#[test]
fn what_only_a_person_can_know_is_said_to_whoever_asks() {
    let aa =
        project().skill("stings", "name: stings\ndescription: Stings\nsteps:\n  - {name: a, tool: sting}\n");
    let mut server = Server::start(&aa);
    assert_eq!(server.result("tools/call", json!({"name": "stings", "arguments": {}}))["taskId"], "1");
    eventually("it stings", || aa.text("log") == "stung\n");
    server.child.kill().unwrap();
    drop(server);

    let mut server = Server::start(&aa);
    let mut task = Value::Null;
    eventually("it is known that nobody knows", || {
        task = server.result("tasks/get", json!({"taskId": "1"}));
        task["statusMessage"].to_string().contains("aa run resolve 1 a --done JSON")
    });
    assert_eq!(task["status"], "working", "{task}");
    let args = json!({"name": "run_status", "arguments": {"run_id": 1, "wait_seconds": 20}});
    let status = server.result("tools/call", args)["structuredContent"].take();
    assert_eq!(
        (&status["status"], &status["unresolved"][0]["step"]),
        (&json!("waiting"), &json!("a")),
        "{status}"
    );
    assert!(status["unresolved"][0]["resolve"].as_str().unwrap().contains("`--retry`"), "{status}");
    // One who asks by himself is told the same, and does not wait for what never comes.
    let told = aa.args(["run", "explain", "1", "--format", "json"]).run().code(0).json();
    assert_eq!(told["next"][0]["command"], "aa run resolve 1 a --done JSON", "{told}");
    aa.args(["run", "resolve", "1", "a", "--done", "\"stung\""]).run().code(0);
    eventually("the task completes", || {
        server.result("tasks/get", json!({"taskId": "1"}))["status"] == "completed"
    });
    assert_eq!(aa.text("log"), "stung\n", "nothing is done twice");
}

#[test]
fn a_cancelled_call_leaves_no_process() {
    let aa = project().config("serve: {task_after: 1h}\n");
    let mut server = Server::start(&aa);
    let id = server.ask("tools/call", json!({"name": "hang", "arguments": {}}));
    eventually("it hangs", || aa.text("pids").ends_with('\n'));
    server.send(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}}));
    let pids = aa.text("pids");
    for pid in pids.split_whitespace() {
        eventually("its processes are gone", || !std::path::Path::new(&format!("/proc/{pid}")).exists());
    }
    // The next answer is that of the next question.
    let id = server
        .ask("tools/call", json!({"name": "run_status", "arguments": {"run_id": 1, "wait_seconds": 20}}));
    let answer = server.next();
    assert_eq!(answer["id"], id, "{answer}");
    assert_eq!(answer["result"]["structuredContent"]["status"], "cancelled", "{answer}");
}

#[test]
fn an_approval_is_given_in_a_terminal_while_the_client_polls() {
    let aa = project().own_config("serve: {policy: {write: ask}}\n");
    let mut server = Server::start(&aa);
    let task = server.result("tools/call", json!({"name": "long", "arguments": {}}));
    // It has no form to show, and is told where somebody else has one.
    assert_eq!((&task["taskId"], &task["status"]), (&json!("1"), &json!("working")), "{task}");
    assert!(task["statusMessage"].as_str().unwrap().contains("`aa run answer 1 approval ANSWER`"), "{task}");
    let other = aa.args(["run", "answer", "1", "approval#2", "approve"]).run().code(1);
    other.stderr_contains("the question `approval#2` of run 1 is not open; now it is `approval`");
    aa.args(["run", "answer", "1", "approval", "approve"]).run().code(0);
    let mut task = Value::Null;
    eventually("the task completes", || {
        task = server.result("tasks/get", json!({"taskId": "1"}));
        task["status"] == "completed"
    });
    assert_eq!(aa.text("log"), "slept\n");
    let shown = aa.args(["run", "show", "1"]).run().code(0).out();
    assert!(shown.contains("approval"), "{shown}");
}

#[test]
fn a_form_is_filled_in_by_name() {
    let form = "name: where\ndescription: Asks\nsteps:\n  - name: to\n    confirm: {message: where to?, form: {region: {enum: [eu, us]}, replicas: {type: integer, default: 2}}}\noutputs:\n  - {name: to, value: '{{ to }}'}\n";
    let aa = project().skill("where", form);
    aa.args(["skill", "run", "where"]).run().code(6);
    assert!(!aa.args(["run", "answer", "1", "to", "region=asia"]).run().stderr_contains("region").is_ok());
    let ran =
        aa.args(["run", "answer", "1", "to", "region=eu", "replicas=3", "--format", "quiet"]).run().code(0);
    let out = ran.out();
    assert!(out.contains("eu") && out.contains('3'), "{out}");
}

#[test]
fn what_did_not_fit_into_the_answer_of_a_tool_is_read_page_by_page() {
    let tool = "module: much\ndescription: Much\ntools: [{name: much_say, description: Says much, effect: read, input: {}, run: [seq, '20000'], result: text}]\n";
    let aa = project().tools("much", tool);
    let mut server = Server::start(&aa);
    let result = server.result("tools/call", json!({"name": "much_say", "arguments": {}}));
    let link = result["content"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(
        (&link["type"], &link["mimeType"]),
        (&json!("resource_link"), &json!("text/plain")),
        "{result}"
    );
    let (mut uri, mut all) = (link["uri"].as_str().unwrap().to_owned(), String::new());
    assert!(result["content"][1]["text"].as_str().unwrap().contains(&uri), "{result}");
    loop {
        let contents = server.result("resources/read", json!({"uri": uri}))["contents"][0].clone();
        let text = contents["text"].as_str().unwrap();
        all.push_str(&text[..text.rfind("\n[bytes ").unwrap()]);
        let Some(next) = contents["_meta"]["aa/next"].as_str() else { break };
        next.clone_into(&mut uri);
    }
    let expected: Vec<String> = (1..=20_000).map(|n| n.to_string()).collect();
    assert_eq!(all, expected.join("\n"));
    assert_eq!(aa.args(["run", "list", "--format", "json"]).run().code(0).json(), json!([]));
}
