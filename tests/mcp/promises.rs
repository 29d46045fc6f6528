//! What is promised of calls (`docs/security.md`), on the running binary.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::wire::{Piped, Served, call, modern, modern_headers};
use crate::support::{Aa, eventually};

const TOOLS: &str = "\
module: box
description: Changes things
requires: {commands: [sh]}
tools:
  - {name: box_put, description: Puts, effect: write, input: {what: {type: string}}, run: [sh, -c, 'echo put >> log'], result: text}
  - {name: box_wait, description: Waits, effect: read, input: {}, run: [sh, -c, 'touch begun; exec sleep 60'], result: text}
";

const PUT: &str = "name: put\ndescription: Puts\nsteps: [{name: a, tool: box_put, args: {what: x}}]\n";
const WAITS: &str = "name: waits\ndescription: Waits\nsteps: [{name: a, tool: box_wait}]\n";

fn project() -> Aa {
    Aa::new().tools("box", TOOLS).skill("put", PUT).skill("waits", WAITS).config("serve: {wait: 300ms}\n")
}

fn said(client: &mut Piped, id: u64, tool: &str, args: &Value) -> Value {
    client.say(&call(id, tool, args));
    client.answer(id)["result"].clone()
}

#[test]
fn a_model_does_not_approve_of_its_own_run() {
    let aa = project();
    let mut client = Piped::greeted(aa.args(["mcp"]));
    let begun = said(&mut client, 2, "skill_run", &json!({"skill_name": "put"}));
    assert_eq!(begun["structuredContent"]["status"], "waiting", "{begun}");
    let approve = json!({"run_id": 1, "question": "approval", "answer": "approve"});
    let refused = said(&mut client, 3, "run_answer", &approve);
    assert!(refused["content"][0]["text"].as_str().unwrap().contains("a person has to answer"), "{refused}");
    // Nor by what it sends along before anybody was asked.
    let mut sneaky = call(4, "skill_run", &json!({"skill_name": "put"}));
    sneaky["params"]["inputResponses"] =
        json!({"approval": {"action": "accept", "content": {"answer": "approve"}}});
    client.say(&sneaky);
    client.answer(4);
    assert!(!aa.path("log").exists());
    aa.args(["run", "answer", "1", "approval", "approve"]).run().code(0);
    eventually("a person does", || aa.path("log").exists());
}

#[test]
fn a_model_does_not_end_what_a_person_has_started() {
    let aa = project();
    let running = aa.args(["skill", "run", "waits", "-q"]).start();
    eventually("it waits", || aa.path("begun").exists());
    let mut client = Piped::greeted(aa.args(["mcp"]));
    let refused = said(&mut client, 2, "run_cancel", &json!({"run_id": 1}));
    assert_eq!(refused["isError"], true, "{refused}");
    let status = said(&mut client, 3, "run_status", &json!({"run_id": 1}));
    assert_eq!(status["structuredContent"]["status"], "running", "{status}");
    aa.args(["run", "cancel", "1"]).run().code(0);
    drop(running);
}

#[test]
fn arguments_are_held_against_the_schema_and_addresses_lead_nowhere_else() {
    let aa = project();
    let mut client = Piped::greeted(aa.args(["mcp", "--all", "--skills-extension"]));
    for (id, args) in [(2, json!({"what": 5})), (3, json!({"what": "x", "more": 1}))] {
        let refused = said(&mut client, id, "box_put", &args);
        assert_eq!(refused["isError"], true, "{refused}");
    }
    assert!(!aa.path("log").exists());
    let addresses = [
        "aa://skills/..%2F..%2Fconfig",
        "aa://memory/../../../../etc/passwd",
        "aa://memory/%2e%2e%2f%2e%2e%2fkey",
        "skill://put/../waits/SKILL.md",
        "skill://put/..%2Fwaits%2FSKILL.md",
        "file:///etc/passwd",
    ];
    for (id, uri) in (10..).zip(addresses) {
        client.say(&json!({"jsonrpc": "2.0", "id": id, "method": "resources/read", "params": {"uri": uri}}));
        let answer = client.answer(id);
        assert!(answer["error"].is_object(), "{uri}: {answer}");
    }
}

#[test]
fn lists_are_for_no_shared_cache() {
    let aa = project();
    let served = Served::new(&aa, &[]);
    for method in ["tools/list", "prompts/list", "resources/list", "resources/templates/list"] {
        let mut message = modern(2, "", &json!({}));
        let meta = message["params"]["_meta"].clone();
        (message["method"], message["params"]) = (method.into(), json!({ "_meta": meta }));
        let headers = [("MCP-Protocol-Version", "2026-07-28"), ("Mcp-Method", method)];
        let list = served.post("/mcp", &headers, &message).message();
        assert_eq!(list["result"]["cacheScope"], "private", "{method}: {list}");
    }
}

const SECRET: &str = "s3cret-t0ken/with+odd=parts";

/// Tools that tell what they were trusted with, in several ways.
const LEAKS: &str = r#"
module: leak
description: Tells what it was trusted with
requires: {commands: [sh, base64]}
config: {token: {env: NONE, secret: true}}
tools:
  - name: leak_say
    description: Says it
    effect: read
    input: {}
    run: [sh, -c, 'echo "it is $TOKEN, or $(printf %s "$TOKEN" | base64)"']
    env: {TOKEN: "{{ config.token }}"}
    result: text
  - name: leak_fail
    description: Fails over it
    effect: read
    input: {}
    run: [sh, -c, 'echo "printed $TOKEN"; echo "refused: $TOKEN is not valid" >&2; exit 3']
    env: {TOKEN: "{{ config.token }}"}
"#;

fn leaking() -> Aa {
    let skill = |name: &str, tool: &str| {
        format!(
            "name: {name}\ndescription: Tells\nsteps: [{{name: a, tool: {tool}}}]\noutputs: [{{name: said, value: '{{{{ a }}}}'}}]\n"
        )
    };
    let caught = "name: caught\ndescription: Tells why\nsteps: [{name: a, tool: leak_fail, on_error: continue}, {name: b, needs: [a], tool: leak_say}]\noutputs: [{name: said, value: '{{ b }}'}]\n";
    Aa::new()
        .tools("leak", LEAKS)
        .skill("says", &skill("says", "leak_say"))
        .skill("fails", &skill("fails", "leak_fail"))
        .skill("caught", caught)
        .config("secrets: {TOKEN: {env: REAL_TOKEN}}\nmodules: {leak: {token: '{{ secrets.TOKEN }}'}}\n")
}

#[test]
fn no_error_result_or_resource_holds_a_secret() {
    let aa = leaking();
    let served = Served::start(
        aa.args(["serve", "--listen", "127.0.0.1:0", "--all"])
            .env("REAL_TOKEN", SECRET)
            .env("AA_LOG", "trace"),
    );
    let mut client = Piped::greeted(aa.args(["mcp", "--all"]).env("REAL_TOKEN", SECRET));
    let mut calls = vec![("leak_say", json!({})), ("leak_fail", json!({}))];
    calls.extend(["says", "fails", "caught"].map(|skill| (skill, json!({}))));
    calls.extend(["says", "fails", "caught"].map(|skill| ("skill_run", json!({ "skill_name": skill }))));
    let mut all = String::new();
    for (id, (tool, args)) in (100..).zip(&calls) {
        for result in [said(&mut client, id, tool, args), served.call(tool, args)] {
            let fails = matches!(*tool, "leak_fail" | "fails") || args["skill_name"] == "fails";
            assert_eq!(result["isError"] == true, fails, "{tool} {args}: {result}");
            assert!(
                result.to_string().contains("secret:"),
                "what is hidden is marked: {tool} {args}: {result}"
            );
            all += &result.to_string();
        }
    }
    let runs = aa.args(["run", "list", "--format", "json"]).run().code(0).json();
    let runs: Vec<&Value> = runs.as_array().unwrap().iter().map(|run| &run["id"]).collect();
    assert!(runs.len() >= 12, "{runs:?}");
    let mut uris = vec!["aa://runs".to_owned(), "aa://config".to_owned()];
    for (id, run) in (200..).step_by(2).zip(&runs) {
        all += &said(&mut client, id, "run_status", &json!({ "run_id": run })).to_string();
        all += &said(&mut client, id + 1, "run_explain", &json!({ "run_id": run })).to_string();
        for more in ["", "/events", "/outputs", "/logs", "/steps/a"] {
            uris.push(format!("aa://runs/{run}{more}"));
        }
    }
    for (id, uri) in (300..).zip(&uris) {
        client.say(&json!({"jsonrpc": "2.0", "id": id, "method": "resources/read", "params": {"uri": uri}}));
        all += &client.answer(id).to_string();
    }
    all += &served.said();
    assert!(all.contains("refused:") && all.contains("printed"), "the rest of the error is told");
    let base64 = "czNjcmV0LXQwa2VuL3dpdGgrb2RkPXBhcnRz";
    for shape in [SECRET, &SECRET.replace('/', "\\/"), &SECRET.replace('/', "%2F"), base64] {
        assert!(!all.contains(shape), "{shape} was told: {all}");
    }
}

/// Asks for a stream, and gives how long it takes until the server says that it is still there.
fn sign_of_life(served: &Served, line: &str, more: &[(&str, &str)], body: &Value) -> Duration {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let mut head = format!(
        "{line} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nAccept: application/json, text/event-stream\r\nContent-Type: application/json\r\nContent-Length: {}\r\n",
        served.address,
        served.token,
        body.len()
    );
    for (name, value) in more {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let mut stream = TcpStream::connect(served.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(25))).unwrap();
    stream.write_all(format!("{head}\r\n{body}").as_bytes()).unwrap();
    let start = Instant::now();
    let mut said = String::new();
    for read in BufReader::new(stream).lines() {
        let read = read.unwrap_or_else(|error| panic!("{line} is silent: {error}: {said}"));
        // A call that tells anew how it goes says as much as a comment.
        let tells = read.contains("notifications/progress") && start.elapsed() > Duration::from_secs(2);
        if tells || read.starts_with(':') {
            return start.elapsed();
        }
        said += &format!("{read}\n");
    }
    panic!("{line} has ended: {said}");
}

#[test]
fn an_open_stream_gives_signs_of_life() {
    let aa = project().config("serve: {wait: 1m, task_after: 1m}\n");
    let served = Served::new(&aa, &["--all"]);
    let session = served.session("/mcp", &[]);
    let mut listen = modern(1, "", &json!({}));
    let meta = listen["params"]["_meta"].clone();
    listen["method"] = "subscriptions/listen".into();
    listen["params"] = json!({"notifications": {"toolsListChanged": true}, "_meta": meta});
    let listens = [("MCP-Protocol-Version", "2026-07-28"), ("Mcp-Method", "subscriptions/listen")];
    // What is told of how it goes opens the stream of a call.
    let mut long = modern(2, "waits", &json!({}));
    long["params"]["_meta"]["progressToken"] = "how".into();
    let session = [("Mcp-Session-Id", session.as_str()), ("MCP-Protocol-Version", "2025-06-18")];
    let served = &served;
    std::thread::scope(|scope| {
        let streams = [
            scope.spawn(move || sign_of_life(served, "GET /mcp", &session, &Value::Null)),
            scope.spawn(move || sign_of_life(served, "POST /mcp", &listens, &listen)),
            scope.spawn(move || sign_of_life(served, "POST /mcp", &modern_headers("waits"), &long)),
        ];
        for took in streams.map(|stream| stream.join().unwrap()) {
            assert!(took < Duration::from_secs(20), "a sign after {took:?}");
        }
    });
}
