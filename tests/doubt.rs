//! Writes that fail, and whether they have acted all the same: then they are taken back, and neither tried again nor
//! healed; else they are tried again, and there is nothing to take back.

use std::io::Write;

use serde_json::json;

use crate::support::server::{Reply, Server};
use crate::support::{Aa, eventually};

const UNDO: &str = "
module: back
description: Takes back
tools:
  - {name: back_undo, description: Says so, effect: write, input: {}, run: [sh, -c, 'echo undo >> log']}
  - {name: back_act, description: Acts, effect: write, input: {}, run: [sh, -c, 'echo act >> log']}
";

/// A service that is asked to act by `POST /CASE`.
fn service() -> Server {
    Server::taking(|request, mut stream| {
        let case = request.path.first().cloned().unwrap_or_default();
        let reply = match case.as_str() {
            "cut" => return,
            "garbage" => {
                let _ = stream.write_all(b"WHAT IS THIS\r\n\r\n");
                return;
            }
            "elsewhere" => Reply::empty().header("location", "http://127.0.0.1:1/"),
            "broken" => Reply { body: "{\"id\": ".to_owned(), ..Reply::ok(&json!({})) },
            "big" => Reply::text(&"x".repeat(2_000_000)),
            "later" => Reply::empty().header("retry-after", "0"),
            "breaks" => Reply::ok(&json!({"ok": false, "error": "internal_error"})),
            "objection" => Reply::ok(&json!({"ok": false, "error": "no_such_channel"})),
            _ => Reply::ok(&json!({"ok": true})),
        };
        let status = match case.as_str() {
            "elsewhere" => 303,
            "later" => 503,
            case => case.parse().unwrap_or(200),
        };
        Reply { status, ..reply }.send(stream);
    })
}

/// What becomes of a step that calls a tool of module `far` and may be tried three times.
fn becomes(aa: &Aa, call: &str) -> Vec<String> {
    let skill = format!(
        "name: go\ndescription: Goes\non_failure: undo\nsteps:\n  - {{name: go, {call}, retry: {{attempts: 3, delay: 10ms}}, undo: {{tool: back_undo}}}}\n"
    );
    std::fs::write(aa.path(".aa/skills/go.yaml"), skill).unwrap();
    let ran = aa.args(["skill", "run", "go"]).run().code(1);
    let log = std::fs::read_to_string(aa.path("log")).unwrap_or_default();
    let _ = std::fs::remove_file(aa.path("log"));
    assert!(!ran.err().contains("panicked"), "{ran}");
    log.lines().map(ToOwned::to_owned).collect()
}

fn project(module: &str) -> Aa {
    Aa::new().tools("back", UNDO).tools("far", module).skill("go", "{}")
}

#[test]
fn requests_whose_outcome_nobody_knows_are_made_once_and_taken_back() {
    let server = service();
    let module = format!(
        "module: far\ndescription: A service\nhttp: {{base: '{}', retries: 0}}\ntools:\n  - name: far_post\n    description: Acts\n    effect: write\n    input: {{case: {{type: string, description: What comes of it}}}}\n    http: {{method: POST, path: '/{{case}}', redirects: true, failure: {{when: 'body.ok == false', message: body.error}}}}\n  - name: far_value\n    description: Acts and makes nothing of the answer\n    effect: write\n    input: {{}}\n    http: {{method: POST, path: /value}}\n    value: \"{{{{ body.nothing + 1 }}}}\"\n  - name: far_strict\n    description: Acts, and is done with 200 only\n    effect: write\n    input: {{}}\n    http: {{method: POST, path: /202, ok: [200], kinds: {{202: transient}}}}\n",
        server.url
    );
    let aa = project(&module);
    let asked = |call: &str| {
        server.news();
        let log = becomes(&aa, call);
        (server.news().len(), log)
    };
    let taken_back = || (1, vec!["undo".to_owned()]);
    for case in ["500", "502", "503", "504", "408", "cut", "garbage", "elsewhere", "broken", "big"] {
        let module = format!("tool: far_post, args: {{case: '{case}'}}");
        assert_eq!(asked(&module), taken_back(), "module, {case}");
        let plain = format!("tool: http_request, args: {{method: POST, url: '{}/{case}'}}", server.url);
        assert_eq!(asked(&plain), taken_back(), "plain, {case}");
    }
    assert_eq!(asked("tool: far_value"), taken_back());
    assert_eq!(asked("tool: far_strict"), taken_back(), "a success that was not expected is no refusal");
    assert_eq!(asked("tool: far_post, args: {case: breaks}"), taken_back(), "what is broken may have acted");
    for (case, times) in [("later", 3), ("429", 3), ("404", 1), ("422", 1), ("501", 1)] {
        let module = format!("tool: far_post, args: {{case: '{case}'}}");
        assert_eq!(asked(&module), (times, vec![]), "module, {case}");
        let plain = format!("tool: http_request, args: {{method: POST, url: '{}/{case}'}}", server.url);
        assert_eq!(asked(&plain), (times, vec![]), "plain, {case}");
    }
    assert_eq!(asked("tool: far_post, args: {case: objection}"), (1, vec![]), "it says that it has not");
    assert_eq!(becomes(&aa, "tool: http_request, args: {method: POST, url: 'http://127.0.0.1:1/'}"), [""; 0]);
}

#[test]
fn commands_whose_outcome_nobody_knows_are_run_once_and_taken_back() {
    let tool = |name: &str, end: &str, more: &str| {
        format!(
            "  - {{name: far_{name}, description: Acts, effect: write, input: {{}}, run: [sh, -c, 'echo act >> log; {end}'], {more}}}\n"
        )
    };
    let module = format!(
        "module: far\ndescription: Commands\ntools:\n{}{}{}{}{}{}{}",
        tool("lost", "echo unexpected EOF; echo connection reset by peer >&2; exit 1", "result: text"),
        tool("gateway", "echo 502 Bad Gateway >&2; exit 1", "result: text"),
        tool("killed", "kill -9 $$", "result: text"),
        tool("unread", "echo {", "result: json"),
        tool("value", "echo {}", "result: json, value: \"{{ result.nothing + 1 }}\""),
        tool("refused", "echo connection refused >&2; exit 1", "result: text"),
        ["EOF", "Error: read ECONNRESET", "curl: (52) Empty reply from server", "socket hang up"]
            .iter()
            .enumerate()
            .map(|(at, said)| tool(
                &format!("said{at}"),
                &format!("echo \"{said}\" >&2; exit 1"),
                "result: text"
            ))
            .collect::<String>(),
    );
    let aa = project(&module);
    for name in ["lost", "gateway", "killed", "unread", "value", "said0", "said1", "said2", "said3"] {
        assert_eq!(becomes(&aa, &format!("tool: far_{name}")), ["act", "undo"], "{name}");
    }
    assert_eq!(becomes(&aa, "tool: far_refused"), ["act", "act", "act"], "it says that it has not");
    for script in [
        "echo act >> log; kill -9 $$",
        "echo act >> log; echo {",
        // The last of several commands speaks for itself only.
        "echo act >> log; false",
        "echo act >> log; echo connection refused >&2; exit 7",
    ] {
        let call = format!("tool: shell, args: {{script: '{script}', result: json}}");
        assert_eq!(becomes(&aa, &call), ["act", "undo"], "{script}");
    }
}

#[test]
fn a_result_of_which_nothing_can_be_asserted_may_have_been_made() {
    let aa = project("module: far\ndescription: Nothing\ntools: []\n");
    for validate in [
        "{condition: 'go + 1 > 2', message: nope}",
        "{condition: 'go == 3', message: 'too {{ go[0] / 0 }}'}",
        "{condition: 'go == 3', message: nope}",
    ] {
        let call = "tool: shell, args: {script: 'echo act >> log; echo null', result: json}";
        let skill = format!(
            "name: go\ndescription: Goes\non_failure: undo\nsteps:\n  - {{name: go, {call}, validate: [{validate}], undo: {{tool: back_undo}}}}\n"
        );
        std::fs::write(aa.path(".aa/skills/go.yaml"), skill).unwrap();
        aa.args(["skill", "run", "go"]).run().code(1);
        assert_eq!(aa.text("log"), "act\nundo\n", "{validate}");
        std::fs::remove_file(aa.path("log")).unwrap();
    }
}

#[test]
fn a_folder_that_was_copied_in_part_is_taken_back() {
    let aa =
        project("module: far\ndescription: Nothing\ntools: []\n").file("from/a", "a").file("from/b", "b");
    // What cannot be copied comes behind what can, or before it: both are a part of it.
    let fifo = std::process::Command::new("mkfifo").arg(aa.path("from/c")).status().unwrap();
    assert!(fifo.success());
    assert_eq!(becomes(&aa, "tool: file_copy, args: {from: from, to: to}"), ["undo"]);
    assert!(aa.path("to").exists());
    assert_eq!(becomes(&aa, "tool: file_copy, args: {from: nowhere, to: other}"), [""; 0]);
}

#[test]
fn what_was_not_sent_is_not_taken_back() {
    let server = Server::new(|_| Reply { status: 429, ..Reply::empty().header("retry-after", "30") });
    let module = format!(
        "module: far\ndescription: A service\nhttp: {{base: '{}', retries: 0}}\ntools:\n  - {{name: far_post, description: Acts, effect: write, input: {{}}, http: {{method: POST, path: /}}}}\n",
        server.url
    );
    let skill = "name: late\ndescription: Too late\non_failure: undo\nsteps:\n  - {name: a, tool: far_post, on_error: continue}\n  - {name: b, tool: far_post, timeout: 1s, undo: {tool: back_undo}}\n";
    let aa = project(&module).skill("late", skill);
    aa.args(["skill", "run", "late"]).run().code(1);
    assert_eq!(server.asked().len(), 1);
    assert!(!aa.path("log").exists(), "nothing was done");
    let plain = |url: &str| format!("tool: http_request, args: {{method: POST, url: '{url}', retries: 0}}");
    // What is left out of a request is no reason to doubt where it went.
    for url in ["http://u:p@127.0.0.1:1/", "http://127.0.0.1:1/#part"] {
        assert_eq!(becomes(&aa, &plain(url)), [""; 0], "{url}");
    }
    let aa = aa.own_config("http: {ca: nowhere.pem}\n");
    assert_eq!(becomes(&aa, &plain(&server.url)), [""; 0], "it was never sent");
}

/// A server that acts, and then says what it is told to say, or takes the call on and knows nothing of it.
const FAR: &str = r#"
import json, sys
def send(message):
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)
for line in sys.stdin:
    message = json.loads(line)
    method, id, params = message.get("method"), message.get("id"), message.get("params") or {}
    if method == "server/discover":
        send({"id": id, "result": {"resultType": "complete", "supportedVersions": ["2026-07-28"], "ttlMs": 0, "cacheScope": "private",
              "capabilities": {"tools": {}, "extensions": {"io.modelcontextprotocol/tasks": {}}},
              "_meta": {"io.modelcontextprotocol/serverInfo": {"name": "far", "version": "1"}}}})
    elif method == "tools/list":
        schema = {"type": "object", "properties": {"say": {"type": "string"}}}
        tool = {"name": "act", "description": "Acts", "inputSchema": schema}
        send({"id": id, "result": {"resultType": "complete", "tools": [tool], "ttlMs": 0, "cacheScope": "private"}})
    elif method == "tools/call":
        with open("log", "a") as log:
            log.write("act\n")
        said = params["arguments"]["say"]
        if said == "task":
            state = {"taskId": "t1", "status": "working", "ttlMs": None, "pollIntervalMs": 50,
                     "createdAt": "2026-01-01T00:00:00Z", "lastUpdatedAt": "2026-01-01T00:00:00Z"}
            send({"id": id, "result": {"resultType": "task", **state}})
        else:
            send({"id": id, "result": {"resultType": "complete", "content": [{"type": "text", "text": said}], "isError": True}})
    elif id is not None:
        send({"id": id, "error": {"code": -32602, "message": "nothing is known of that"}})
"#;

#[test]
fn calls_of_a_foreign_server_whose_outcome_nobody_knows_are_made_once_and_taken_back() {
    let module =
        "module: far\ndescription: A server\nmcp:\n  command: [python3, far.py]\n  default_effect: write\n";
    let aa = project(module).file("far.py", FAR);
    aa.args(["tool", "trust", "far", "--yes"]).run().code(0);
    let call = |say: &str| becomes(&aa, &format!("tool: far_act, args: {{say: '{say}'}}"));
    // What it says may be about a part of what it has done.
    for say in [
        "task",
        "upstream request timed out",
        "connection reset by peer",
        "502 Bad Gateway",
        "429 Too Many Requests",
        "made ticket 7, and then: connection refused",
        "there is no such table",
    ] {
        assert_eq!(call(say), ["act", "undo"], "{say}");
    }
}

/// A command that has parts: the first acts, and the second says why it cannot.
#[test]
fn what_a_command_says_that_may_have_parts_may_be_about_one_of_them() {
    for say in ["connect to x port 443: Connection refused", "there is no such target"] {
        let tool = format!(
            "  - {{name: back_parts, description: Does, effect: unknown, input: {{}}, run: [sh, -c, 'echo act >> log; echo \"{say}\" >&2; exit 7']}}\n"
        );
        assert_eq!(
            becomes(&project(&(UNDO.to_owned() + &tool)), "tool: back_parts"),
            ["act", "undo"],
            "{say}"
        );
    }
}

#[test]
fn a_block_is_taken_back_for_what_it_has_called() {
    let blocks = [
        ("while True: pass", "1s", vec![]),
        ("call_tool('back_act')\n      while True: pass", "2s", vec!["act", "undo"]),
        ("run_skill('inner', {})", "20s", vec!["act", "undo"]),
    ];
    let inner = "name: inner\ndescription: Acts and fails\nsteps:\n  - {name: a, tool: back_act}\n  - {name: b, tool: shell, args: {script: exit 3}}\n";
    for (block, time, log) in blocks {
        let skill = format!(
            "name: go\ndescription: Goes\non_failure: undo\nsteps:\n  - name: go\n    timeout: {time}\n    undo: {{tool: back_undo}}\n    compute: |\n      {block}\n      result = 1\n"
        );
        let aa = Aa::new().tools("back", UNDO).skill("inner", inner).skill("go", &skill);
        aa.args(["skill", "run", "go"]).run().code(1);
        let seen = std::fs::read_to_string(aa.path("log")).unwrap_or_default();
        assert_eq!(seen.lines().collect::<Vec<_>>(), log, "{block}");
    }
}

const RULES: &str = "module: heal
description: Rules
heal:
  - {name: fix, match: {kind: network}, do: {tool: back_fix}}
";

#[test]
fn nothing_that_has_acted_is_healed_into_acting_twice() {
    let fix = UNDO.to_owned()
        + "  - {name: back_fix, description: Mends, effect: write, idempotent: true, input: {}, run: [sh, -c, 'echo fix >> log']}\n";
    let look = "http_get, args: {url: 'http://127.0.0.1:1/', retries: 0}";
    let inner = format!(
        "name: inner\ndescription: Acts and fails\nsteps:\n  - {{name: a, tool: back_act}}\n  - {{name: b, tool: {look}}}\n"
    );
    let steps = [
        ("skill: inner", "act\n"),
        (
            "compute: \"call_tool('back_act')\\nresult = call_tool('http_get', url='http://127.0.0.1:1/', retries=0)\"",
            "act\n",
        ),
        (&format!("tool: {look}"), "fix\n"),
    ];
    for (step, log) in steps {
        let skill =
            format!("name: go\ndescription: Goes\nsteps:\n  - {{name: go, {step}, on_error: auto_heal}}\n");
        let aa =
            Aa::new().tools("back", &fix).tools("heal", RULES).skill("inner", &inner).skill("go", &skill);
        aa.args(["skill", "run", "go"]).run().code(1);
        assert_eq!(aa.text("log"), log, "{step}");
    }
}

#[test]
fn a_write_that_was_cut_off_and_then_made_again_in_vain_is_taken_back() {
    let module = "module: far\ndescription: Commands\ntools:\n  - {name: far_put, description: Acts, effect: write, idempotent: true, input: {}, run: [sh, -c, 'echo act >> log; test ! -e second || exit 3; touch second; sleep 30']}\n";
    let skill = "name: go\ndescription: Goes\non_failure: undo\nsteps:\n  - {name: go, tool: far_put, undo: {tool: back_undo}}\n";
    let aa = project(module).skill("go", skill);
    let running = aa.args(["skill", "run", "go"]).start();
    eventually("it has acted", || aa.path("second").exists());
    running.signal(rustix::process::Signal::KILL);
    running.wait().killed();
    aa.args(["run", "resume", "1"]).run().code(1);
    assert_eq!(aa.text("log"), "act\nact\nundo\n");
}

/// A step whose undo takes its time and must not be made twice.
const SLOW_UNDO: &str = "name: go\ndescription: Goes\nsteps:\n  - {name: go, tool: back_act, undo: {tool: shell, args: {script: 'echo undo >> log; sleep 30'}}}\n";

#[test]
fn an_undo_of_which_nobody_knows_how_it_ended_is_not_made_again_just_like_that() {
    let aa = Aa::new().tools("back", UNDO).skill("go", SLOW_UNDO);
    aa.args(["skill", "run", "go"]).run().code(0);
    let undoing = aa.args(["run", "undo", "1"]).start();
    eventually("it is being taken back", || aa.text("log").contains("undo"));
    undoing.signal(rustix::process::Signal::KILL);
    undoing.wait().killed();
    aa.args(["run", "resume", "1"]).run().code(6).stderr_contains("aa run resolve 1 go#undo");
    aa.args(["run", "cancel", "1"]).run().code(0);
    // Given up, it is as unknown as before.
    aa.args(["run", "undo", "1"]).run().code(6).stderr_contains("aa run resolve 1 go#undo");
    assert_eq!(aa.text("log"), "act\nundo\n");
    aa.args(["run", "resolve", "1", "go#undo", "--done", "null"]).run().code(0);
    aa.args(["run", "undo", "1"]).run().stderr_contains("nothing");
    assert_eq!(aa.text("log"), "act\nundo\n");
}
