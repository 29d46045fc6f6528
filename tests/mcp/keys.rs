//! Keys: read again while the server serves, with rules of their own, and never from a project.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::wire::{Served, hello, modern, modern_headers};
use crate::support::{Aa, eventually};

const ANN: &str = "Bearer ann-0123456789abcdef0123456789abcdef";
const NEW: &str = "Bearer new-0123456789abcdef0123456789abcdef";
const BEN: &str = "Bearer ben-0123456789abcdef0123456789abcdef";

/// A user's configuration with keys out of files. Here keys are shown until they open, more often than one may.
fn config(keys: &str) -> String {
    let secrets = "secrets: {ANN: {file: ann.key}, BEN: {file: ben.key}}\n";
    format!("{secrets}serve:\n  limits: {{wrong_keys: 100000}}\n  keys:\n{keys}")
}

const OF_ANN: &str = "    - {principal: ann, key: '{{ secrets.ANN }}'}\n";
const OF_BEN: &str = "    - {principal: ben, key: '{{ secrets.BEN }}'}\n";

fn key(aa: Aa, name: &str, key: &str) -> Aa {
    aa.file(&format!("../home/config/aa-workflow/{name}.key"), format!("{}\n", &key[7..]))
}

fn status(served: &Served, key: &str) -> u16 {
    served.post("/mcp", &[("Authorization", key)], &hello()).status
}

fn call(served: &Served, key: &str, tool: &str, args: &Value) -> Value {
    let mut headers = modern_headers(tool);
    headers.push(("Authorization", key));
    served.post("/mcp", &headers, &modern(1, tool, args)).message()["result"].clone()
}

#[test]
fn other_keys_open_at_once_and_those_that_were_taken_away_close() {
    let aa = key(key(Aa::new(), "ann", ANN), "ben", BEN).own_config(&config(OF_ANN));
    let served = Served::new(&aa, &[]);
    assert_eq!((status(&served, ANN), status(&served, BEN)), (200, 401));
    let session = served.session("/mcp", &[("Authorization", ANN)]);
    let (aa, begun) = std::thread::scope(|scope| {
        let listens = scope.spawn(|| {
            let headers = [
                ("Authorization", ANN),
                ("Mcp-Session-Id", session.as_str()),
                ("Accept", "text/event-stream"),
            ];
            served.ask("GET /mcp", &headers, "")
        });
        std::thread::sleep(Duration::from_millis(200));
        let listened = !listens.is_finished();
        // Another secret under the same name.
        let (aa, begun) = (key(aa, "ann", NEW), Instant::now());
        eventually("the new key opens", || status(&served, NEW) == 200);
        assert_eq!(status(&served, ANN), 401);
        let heard = listens.join().unwrap();
        assert!(listened, "it was listening when the key was exchanged");
        assert_eq!((heard.status, heard.header("content-type")), (200, Some("text/event-stream")));
        (aa, begun)
    });
    assert!(begun.elapsed() < Duration::from_secs(10), "what the old key listened to has ended");
    assert_eq!(
        served.post("/mcp", &[("Authorization", ANN), ("Mcp-Session-Id", &session)], &hello()).status,
        401
    );
    let aa = aa.own_config(&config(OF_BEN));
    eventually("another principal comes in", || status(&served, BEN) == 200);
    assert_eq!(status(&served, NEW), 401, "nobody has that key any more");
    assert_eq!(status(&served, &format!("Bearer {}", served.token)), 200);
    eventually("it is noted", || served.said().contains("principals=[\"local\", \"ben\"]"));
    drop(aa);
}

#[test]
fn half_a_file_changes_nothing_and_is_complained_about() {
    let aa = key(key(Aa::new(), "ann", ANN), "ben", BEN).own_config(&config(OF_ANN));
    let served = Served::new(&aa, &[]);
    let complaints = || served.said().matches("the keys stay as they were").count();
    let broken = [
        "serve: {keys: [".to_owned(),
        "serve: {keys: [{principal: ben}]}\n".to_owned(),
        config(OF_BEN).replace("ben.key", "no.key"),
    ];
    for (number, broken) in broken.iter().enumerate() {
        std::fs::write(aa.home().join("config/aa-workflow/config.yaml"), broken).unwrap();
        eventually("it says so", || complaints() == number + 1);
        assert_eq!((status(&served, ANN), status(&served, BEN)), (200, 401), "{broken}");
    }
    assert!(served.said().contains("config.yaml:1: "), "{}", served.said());
    std::fs::write(aa.home().join("config/aa-workflow/config.yaml"), config(OF_BEN)).unwrap();
    eventually("the whole file counts", || status(&served, BEN) == 200);
    assert_eq!(status(&served, ANN), 401);
}

const TOOLS: &str = "\
module: box
description: Changes things
requires: {commands: [sh]}
tools:
  - {name: box_put, description: Puts, effect: write, input: {}, run: [sh, -c, 'echo put >> log'], result: text}
  - {name: box_wipe, description: Wipes, effect: destructive, input: {}, run: [sh, -c, 'echo wipe >> log'], result: text}
";

const ASK: &str = "name: ask\ndescription: Asks\nsteps: [{name: sure, confirm: {message: 'really?', options: [yes, no]}}]\n";

#[test]
fn a_key_has_rules_of_its_own() {
    let rules = "    - {principal: ann, key: '{{ secrets.ANN }}', policy: {write: allow, destructive: deny}, self_approve: true}\n";
    let aa = key(key(Aa::new(), "ann", ANN), "ben", BEN).own_config(&config(&format!("{rules}{OF_BEN}")));
    let aa = aa.tools("box", TOOLS).skill("ask", ASK).config("serve: {wait: 100ms}\n");
    let served = Served::new(&aa, &[]);
    let tool = |key: &str, tool: &str| call(&served, key, "tool_call", &json!({"tool_name": tool}));
    assert_ne!(tool(ANN, "box_put")["isError"], true);
    assert_eq!(aa.text("log"), "put\n");
    let refused = tool(ANN, "box_wipe");
    assert!(refused["content"][0]["text"].as_str().unwrap().contains("the policy forbids"), "{refused}");
    for asked in [tool(BEN, "box_put"), tool(BEN, "box_wipe")] {
        assert_eq!(asked["structuredContent"]["status"], "waiting", "{asked}");
    }
    assert_eq!(aa.text("log"), "put\n");
    let answer = |key: &str| {
        let run =
            call(&served, key, "skill_run", &json!({"skill_name": "ask"}))["structuredContent"]["run_id"]
                .clone();
        call(&served, key, "run_answer", &json!({"run_id": run, "question": "sure", "answer": "yes"}))
    };
    assert_ne!(answer(ANN)["isError"], true);
    assert!(answer(BEN)["content"][0]["text"].as_str().unwrap().contains("a person has to answer"));
}

#[test]
fn a_project_is_stricter_than_a_key_and_lets_nobody_in() {
    let rules = "    - {principal: ann, key: '{{ secrets.ANN }}', policy: {write: allow}}\n";
    let project = "secrets: {ANN: {env: THEIRS}, BEN: {env: THEIRS}}\nserve:\n  keys: [{principal: ben, key: '{{ secrets.BEN }}'}]\n  hosts: [evil.example.org]\n  policy: {write: deny}\n";
    let aa = key(Aa::new(), "ann", ANN).own_config(&config(rules)).config(project).tools("box", TOOLS);
    let served = Served::start(aa.args(["serve", "--listen", "127.0.0.1:0"]).env("THEIRS", &BEN[7..]));
    // Not even under a name that the user has given to a secret of their own.
    assert_eq!((status(&served, ANN), status(&served, BEN)), (200, 401));
    assert_eq!(served.post("/mcp", &[("Host", "evil.example.org")], &hello()).status, 403);
    let refused = call(&served, ANN, "tool_call", &json!({"tool_name": "box_put"}));
    assert!(refused["content"][0]["text"].as_str().unwrap().contains("the policy forbids"), "{refused}");
    let doubts = aa.args(["config", "check"]).run().code(0);
    doubts
        .stderr_contains("`serve.keys` is not heard here")
        .stderr_contains("`serve.hosts` is not heard here");
}

const ECHO: &str = "name: narrow\ndescription: Little\ntools: [echo]\nskills: []\n";

/// The same persona as a project has it that would like to open more, with something to read that a tool says.
const WIDE: &str = "name: NAME\ndescription: Much\nmodules: [box]\ntools: [echo, git_status]\nresources: [{uri: 'box://secret', name: secret, tool: {name: box_peek, args: {}}}]\n";

#[test]
fn a_projects_persona_opens_no_more_than_the_users_or_that_of_the_server() {
    let keys = "    - {principal: ann, key: '{{ secrets.ANN }}', personas: [narrow, here]}\n";
    let there = "serve:\n  folders: [PLACE]\n";
    let peek = "  - {name: box_peek, description: Peeks, effect: read, input: {}, run: [echo, peeked], result: text}\n";
    let (tools, here) = (format!("{TOOLS}{peek}"), ECHO.replace("narrow", "here"));
    let aa = key(Aa::new(), "ann", ANN).file("other/.aa/tools/box.yaml", &tools);
    let aa = aa.skill("ask", ASK).file("other/.aa/skills/ask.yaml", ASK).tools("box", &tools);
    let other = aa.path("other").canonicalize().unwrap().display().to_string();
    let folders = there.replace("PLACE", &other).replace("serve:\n", "");
    let aa = aa.own_config(&format!("{}{folders}", config(keys)));
    let aa = aa.file("../home/config/aa-workflow/personas/narrow.yaml", ECHO);
    let aa = aa.file(".aa/personas/narrow.yaml", WIDE.replace("NAME", "narrow"));
    let aa = aa.file("other/.aa/personas/narrow.yaml", WIDE.replace("NAME", "narrow"));
    // Only projects have the other one: then it is the one of the folder that the server was started in.
    let aa = aa.file(".aa/personas/here.yaml", here);
    let aa = aa.file("other/.aa/personas/here.yaml", WIDE.replace("NAME", "here"));
    let served = Served::new(&aa, &["--all"]);
    let ask = |folder: &str, path: &str, method: &str, params: &Value| {
        let id = served.session(path, &[("Authorization", ANN)]);
        let mut params = params.clone();
        params["_meta"] = json!({"aa/workspace": folder});
        let ask = json!({"jsonrpc": "2.0", "id": 2, "method": method, "params": params});
        served.post(path, &[("Authorization", ANN), ("Mcp-Session-Id", &id)], &ask).message()
    };
    let start = aa.path("").canonicalize().unwrap().display().to_string();
    for (folder, path) in
        [(&other, "/mcp/narrow"), (&start, "/mcp/narrow"), (&other, "/mcp/here"), (&start, "/mcp/here")]
    {
        let listed = ask(folder, path, "tools/list", &json!({}));
        let names: Vec<&str> = listed["result"]["tools"]
            .as_array()
            .unwrap_or_else(|| panic!("{listed}"))
            .iter()
            .map(|tool| tool["name"].as_str().unwrap())
            .collect();
        assert!(
            names.contains(&"echo")
                && !names.iter().any(|name| ["ask", "git_status", "box_put"].contains(name)),
            "{folder} {path}: {names:?}"
        );
        let read = ask(folder, path, "resources/read", &json!({"uri": "box://secret"}));
        assert!(!read.to_string().contains("peeked"), "{folder} {path}: {read}");
        for (tool, args) in [
            ("tool_call", json!({"tool_name": "box_peek"})),
            ("tool_call", json!({"tool_name": "git_status"})),
            ("skill_run", json!({"skill_name": "ask"})),
            ("debug_tool", json!({"tool_name": "box_peek"})),
        ] {
            let refused = ask(folder, path, "tools/call", &json!({"name": tool, "arguments": args}));
            assert_eq!(refused["result"]["isError"], true, "{folder} {path} {tool}: {refused}");
        }
        let told = ask(
            folder,
            path,
            "tools/call",
            &json!({"name": "tool_call", "arguments": {"tool_name": "echo", "arguments": {"value": 1}}}),
        );
        assert_ne!(told["result"]["isError"], true, "{told}");
    }
    let shown = served.ask("GET /api/personas/narrow", &[("Authorization", ANN)], "").message();
    assert_eq!((&shown["tools"], &shown["skills"]), (&json!(["echo"]), &json!([])), "{shown}");
}

#[test]
fn under_a_guessed_number_others_find_nothing() {
    let aa = key(key(Aa::new(), "ann", ANN), "ben", BEN).own_config(&config(&format!("{OF_ANN}{OF_BEN}")));
    let aa = aa.skill("ask", ASK).config("serve: {wait: 100ms}\n");
    let served = Served::new(&aa, &[]);
    let begun = call(&served, ANN, "skill_run", &json!({"skill_name": "ask"}));
    assert_eq!(begun["structuredContent"]["run_id"], 1, "{begun}");
    let other = json!({"run_id": 2});
    for (tool, more) in [
        ("run_status", json!({})),
        ("run_cancel", json!({})),
        ("run_explain", json!({})),
        ("run_answer", json!({"question": "sure", "answer": "yes"})),
    ] {
        let said = |run: &Value| {
            let mut args = more.clone();
            args["run_id"] = run["run_id"].clone();
            let refused = call(&served, BEN, tool, &args);
            assert_eq!(refused["isError"], true, "{tool}: {refused}");
            refused["content"][0]["text"].as_str().unwrap().replace(['1', '2'], "N")
        };
        // What is another's is not told apart from what is not there.
        assert_eq!(said(&json!({"run_id": 1})), said(&other), "{tool}");
    }
    let ask = |key: &str, method: &str, name: &str, params: Value| {
        let mut message = modern(1, "", &json!({}));
        let meta = message["params"]["_meta"].clone();
        (message["method"], message["params"]) = (method.into(), params);
        message["params"]["_meta"] = meta;
        message["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] =
            json!({"extensions": {"io.modelcontextprotocol/tasks": {}}});
        let headers = [
            ("MCP-Protocol-Version", "2026-07-28"),
            ("Mcp-Method", method),
            ("Mcp-Name", name),
            ("Authorization", key),
        ];
        served.post("/mcp", &headers, &message).message()
    };
    let read = |key| ask(key, "resources/read", "aa://runs/1", json!({"uri": "aa://runs/1"}));
    assert!(read(BEN)["error"].is_object() && read(ANN)["result"].is_object());
    let task = |key| ask(key, "tasks/get", "1", json!({"taskId": "1"}));
    assert!(task(BEN)["error"].is_object() && task(ANN)["error"].is_null(), "{} {}", task(BEN), task(ANN));
    assert_eq!(call(&served, BEN, "run_list", &json!({}))["structuredContent"]["runs"], json!([]));
    let status = call(&served, ANN, "run_status", &json!({"run_id": 1}));
    assert_eq!(status["structuredContent"]["status"], "waiting", "nobody has touched it: {status}");
}

#[test]
fn the_rest_of_a_result_is_for_whoever_was_given_the_answer() {
    let tool = "module: much\ndescription: Much\ntools: [{name: much_say, description: Says much, effect: read, input: {}, run: [seq, '20000'], result: text}]\n";
    let aa = key(key(Aa::new().tools("much", tool), "ann", ANN), "ben", BEN);
    let aa = aa.own_config(&config(&format!("{OF_ANN}{OF_BEN}")));
    let served = Served::new(&aa, &["--all"]);
    let result = call(&served, ANN, "much_say", &json!({}));
    let link = result["content"].as_array().unwrap().last().unwrap();
    let uri = link["uri"].as_str().unwrap_or_else(|| panic!("{result}"));
    let read = |key: &'static str| {
        let session = served.session("/mcp", &[("Authorization", key)]);
        let headers = [("Authorization", key), ("Mcp-Session-Id", session.as_str())];
        let ask = json!({"jsonrpc": "2.0", "id": 2, "method": "resources/read", "params": {"uri": uri}});
        served.post("/mcp", &headers, &ask).message()
    };
    let hers = read(ANN);
    assert!(hers["result"]["contents"][0]["text"].as_str().unwrap().starts_with("1\n2\n"), "{hers}");
    let his = read(BEN);
    assert_eq!(his["error"]["message"], "there is no such resource", "{his}");
}
