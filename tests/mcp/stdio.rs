//! `aa mcp` as a client starts it: fast, quiet, and ended in order.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use super::wire::{Piped, call, hello};
use crate::support::{Aa, eventually};

const SLOW: &str = "module: slow\ndescription: Waits\nrequires: {commands: [sh]}\ntools:\n  - name: slow_wait\n    description: Waits\n    effect: read\n    input: {}\n    run: [sh, -c, '[ -e begun ] && exit; touch begun; sleep 60']\n    result: text\n";

const WAITS: &str = "name: waits\ndescription: Waits\nsteps: [{name: wait, tool: slow_wait}]\n";

#[test]
fn the_first_answer_waits_for_no_module() {
    let aa = (0..200).fold(Aa::new(), |aa, index| {
        let name = format!("m{index}");
        aa.tools(&name, &SLOW.replace("slow", &name))
    });
    let mut client = Piped::greeted(aa.args(["mcp", "--all"]));
    client.say(&json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list"}));
    client.say(&json!({"jsonrpc": "2.0", "id": 3, "method": "ping"}));
    // What comes before an answer is passed over: a list that had come first would be missed now.
    assert_eq!(client.answer(3)["result"], json!({}));
    client.answer(2);
}

#[test]
fn the_first_answer_comes_soon() {
    let aa = (0..50).fold(Aa::new(), |aa, index| {
        let name = format!("m{index}");
        aa.tools(&name, &SLOW.replace("slow", &name))
    });
    let best = (0..5).map(|_| {
        let started = Instant::now();
        let mut client = Piped::new(aa.args(["mcp", "--all"]));
        client.say(&hello());
        client.answer(1);
        started.elapsed()
    });
    let best = best.min().unwrap();
    assert!(best < Duration::from_millis(200), "{best:?}");
}

#[test]
fn stdout_is_for_messages_only() {
    let aa = Aa::new().tools("slow", SLOW);
    let mut client = Piped::greeted(aa.args(["mcp"]).env("AA_LOG", "trace"));
    client.say(&json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list"}));
    // Whatever comes before an answer must be a message, too.
    assert!(client.answer(2)["result"]["tools"].is_array());
    client.say(&call(3, "no_such_tool", &json!({})));
    assert!(client.answer(3)["error"].is_object());
    client.write("this is no message\n");
    client.say(&call(4, "skill_list", &json!({})));
    assert_ne!(client.answer(4)["result"]["isError"], true);
    client.close();
    let (code, lines, errors) = client.ended();
    assert_eq!((code, lines), (Some(0), Vec::new()));
    assert!(errors.contains("aa::audit"), "{errors}");
    assert!(!errors.contains("rmcp"), "{errors}");
}

#[test]
fn a_client_that_goes_gets_its_answers_and_ends_the_server() {
    let aa = Aa::new();
    let mut client = Piped::greeted(aa.args(["mcp"]));
    client.say(&call(2, "skill_list", &json!({})));
    client.close();
    let (code, lines, _) = client.ended();
    assert_eq!(code, Some(0));
    assert!(lines.iter().any(|line| line.contains("\"id\":2")), "{lines:?}");
    // One that has said nothing is no error either.
    let mut silent = Piped::new(aa.args(["mcp"]));
    silent.close();
    assert_eq!(silent.ended().0, Some(0));
}

/// A run that is under way when the server is told to end.
fn left_alone(end: impl FnOnce(&mut Piped)) {
    let aa = Aa::new().tools("slow", SLOW).skill("waits", WAITS);
    let mut client = Piped::greeted(aa.args(["mcp"]));
    client.say(&call(2, "skill_run", &json!({"skill_name": "waits", "inputs": {}})));
    eventually("the step begins", || aa.path("begun").exists());
    end(&mut client);
    let begun = Instant::now();
    assert_eq!(client.ended().0, Some(0));
    assert!(begun.elapsed() < Duration::from_secs(20));
    let run = aa.args(["run", "list", "--format", "json"]).run().code(0).json()[0].clone();
    assert_eq!(run["status"], "running", "{run}");
    // Nobody drives it, so whoever comes may.
    aa.args(["run", "list"]).run().code(0).stdout_contains("interrupted");
    aa.args(["run", "resume", "1"]).run().code(0);
    let run = aa.args(["run", "list", "--format", "json"]).run().code(0).json()[0].clone();
    assert_eq!(run["status"], "completed", "nobody has cancelled it: {run}");
}

#[test]
fn a_signal_leaves_runs_to_be_resumed() {
    left_alone(|client| client.signal(Signal::TERM));
}

#[test]
fn the_end_of_stdin_leaves_runs_to_be_resumed() {
    left_alone(Piped::close);
}

#[test]
fn a_call_that_is_given_up_ends_no_run_that_another_server_has_started() {
    let aa = Aa::new().tools("slow", SLOW).skill("waits", WAITS);
    let (mut first, mut second) =
        (Piped::greeted(aa.args(["mcp", "--alone"])), Piped::greeted(aa.args(["mcp", "--alone"])));
    let args = json!({"skill_name": "waits", "idempotency_key": "k", "wait_seconds": 60});
    first.say(&call(2, "skill_run", &args));
    eventually("it waits", || aa.path("begun").exists());
    second.say(&call(2, "skill_run", &args));
    std::thread::sleep(Duration::from_millis(700));
    second.say(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 2}}));
    std::thread::sleep(Duration::from_millis(700));
    let status = |client: &mut Piped, id: u64| {
        client.say(&call(id, "run_status", &json!({"run_id": 1})));
        client.answer(id)["result"]["structuredContent"]["status"].clone()
    };
    assert_eq!(status(&mut second, 3), "running");
    first.say(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 2}}));
    eventually("whoever has started it ends it", || status(&mut second, 4) == "cancelled");
}

#[test]
fn parameters_that_do_not_fit_are_told_from_methods_that_do_not_exist() {
    let aa = Aa::new();
    let mut client = Piped::greeted(aa.args(["mcp"]));
    let mut code = |id: u64, method: &str, params: serde_json::Value| {
        client.say(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        client.answer(id)["error"]["code"].as_i64()
    };
    assert_eq!(code(2, "tools/call", json!({"name": "skill_list", "arguments": "{}"})), Some(-32602));
    assert_eq!(code(3, "tools/call", json!({})), Some(-32602));
    assert_eq!(code(4, "prompts/get", json!({})), Some(-32602));
    assert_eq!(code(5, "tools/calls", json!({})), Some(-32601));
}

#[test]
fn every_request_is_answered_also_one_that_cannot_be_read() {
    let aa = Aa::new().config("serve: {limits: {message: 64KB}}\n");
    let mut client = Piped::greeted(aa.args(["mcp"]));
    let long = "x".repeat(100_000);
    // The Python and the TypeScript client say the identifier first and last.
    let first = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": long}});
    let last = format!(r#"{{"method":"tools/call","params":{{"name":"{long}"}},"jsonrpc":"2.0","id":3}}"#);
    let deep = "[".repeat(200) + &"]".repeat(200);
    let deep = format!(r#"{{"method":"tools/call","params":{{"name":{deep}}},"jsonrpc":"2.0","id":4}}"#);
    for (id, line, expected) in [
        (2, first.to_string(), "may have 64000 bytes"),
        (3, last, "may have 64000 bytes"),
        (4, deep, "127 deep"),
        (5, r#"{"jsonrpc": "1.0", "id": 5, "method": "ping"}"#.to_owned(), "`jsonrpc` is"),
    ] {
        client.write(&format!("{line}\n"));
        let error = client.answer(id)["error"].clone();
        assert_eq!(error["code"], -32600, "{error}");
        assert!(error["message"].as_str().unwrap().contains(expected), "{error}");
    }
    // Who belongs to none of them is told without an identifier.
    client.write("this is no message\n");
    client.say(&json!({"jsonrpc": "2.0", "id": 6, "method": "ping"}));
    client.answer(6);
    client.close();
    assert_eq!(client.ended().0, Some(0));
}

#[test]
fn a_large_result_is_cut_whoever_asks_for_it() {
    let tool = "module: much\ndescription: Much\ntools: [{name: much_say, description: Says much, effect: read, input: {}, run: [seq, '20000'], result: text}]\n";
    let skill = "name: huge\ndescription: Is huge\nsteps: [{name: say, tool: much_say}]\noutputs: [{name: said, value: '{{ say }}'}]\n";
    let aa = Aa::new().tools("much", tool).skill("huge", skill);
    aa.args(["skill", "run", "huge", "-q"]).run().code(0);
    let mut client = Piped::greeted(aa.args(["mcp"]));
    client.say(&call(2, "run_status", &json!({"run_id": 1})));
    let result = client.answer(2)["result"].clone();
    assert!(result.to_string().len() < 50_000, "{}", result.to_string().len());
    assert_eq!(result["structuredContent"]["status"], "completed");
    let link = &result["content"][2];
    assert_eq!(link["type"], "resource_link", "{result}");
    // Of one document in several pages, no page is JSON.
    client
        .say(&json!({"jsonrpc": "2.0", "id": 3, "method": "resources/read", "params": {"uri": link["uri"]}}));
    let page = client.answer(3)["result"]["contents"][0].clone();
    assert_eq!(
        (&link["mimeType"], &page["mimeType"]),
        (&json!("text/plain"), &json!("text/plain")),
        "{link}"
    );
}

#[test]
fn above_all_skills_there_are_their_folders() {
    let aa = Aa::new().tools("slow", SLOW).skill("waits", WAITS);
    let mut client = Piped::greeted(aa.args(["mcp", "--skills-extension"]));
    let ask = json!({"jsonrpc": "2.0", "id": 2, "method": "resources/directory/read", "params": {"uri": "skill://"}});
    client.say(&ask);
    let entries = client.answer(2)["result"]["resources"].clone();
    let waits = entries
        .as_array()
        .unwrap_or_else(|| panic!("{entries}"))
        .iter()
        .find(|entry| entry["name"] == "waits");
    assert_eq!(waits.unwrap_or_else(|| panic!("{entries}"))["uri"], "skill://waits");
}

/// A skill that is called like a tool of the server itself.
const OURS: &str = "name: run_list\ndescription: Lists miles\nsteps: [{name: a, wait: 1ms}]\noutputs: [{name: miles, value: '26'}]\n";

#[test]
fn a_skill_that_is_called_like_a_tool_of_ours_is_one_all_the_same() {
    let aa = Aa::new().skill("run_list", OURS);
    let mut client = Piped::greeted(aa.args(["mcp"]));
    client.say(&json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list"}));
    let tools = client.answer(2)["result"]["tools"].as_array().unwrap().clone();
    let name = |tool: &serde_json::Value| tool["name"].as_str().unwrap().to_owned();
    let names: Vec<String> = tools.iter().map(name).filter(|name| name.starts_with("run_list")).collect();
    assert!(
        names.len() == 2 && names[0] == "run_list" && names[1].len() == "run_list_".len() + 8,
        "{names:?}"
    );
    client.say(&call(3, &names[1], &json!({})));
    assert_eq!(client.answer(3)["result"]["structuredContent"], json!({"miles": "26"}));
    client.say(&call(4, "run_list", &json!({})));
    assert!(client.answer(4)["result"]["structuredContent"]["runs"].is_array());
    let caller = tools.iter().find(|tool| tool["name"] == "tool_call").unwrap();
    assert!(!caller["description"].as_str().unwrap().contains("Hidden"), "{caller}");
}

#[test]
fn a_persona_that_is_not_there_is_said_at_once() {
    for words in ["mcp --persona incidnt", "serve --persona incidnt --listen 127.0.0.1:0"] {
        let ran = Aa::new().args(words.split(' ')).run().code(4);
        ran.stderr_contains("there is no persona `incidnt`").stderr_contains("did you mean `incident`?");
    }
}

#[test]
fn a_persona_of_a_module_with_mistakes_is_refused_with_these() {
    let persona = "name: two\ndescription: Two\nmodules: [srv]\n";
    let broken = "module: srv\ndescription: S\ntools: {name: srv_hi}\n";
    let aa = Aa::new().tools("srv", broken).file(".aa/personas/two.yaml", persona);
    let mut client = Piped::greeted(aa.args(["mcp"]));
    client.say(&call(2, "persona_load", &json!({"persona_name": "two"})));
    let result = client.answer(2)["result"].clone();
    let why = result["content"][0]["text"].as_str().unwrap();
    assert!(
        result["isError"] == true && why.contains("srv.yaml:3") && why.contains("must be a list"),
        "{why}"
    );
}

#[test]
fn a_persona_of_a_server_that_does_not_start_is_refused_and_one_that_lacks_a_command_is_warned_of() {
    let aa = Aa::new();
    let up = aa.path("up");
    let command = json!(["sh", "-c", "test -e $0 && exec $1 mcp --tools echo", up, crate::support::binary()]);
    let twin =
        format!("module: twin\ndescription: Itself\nmcp: {{command: {command}, start_timeout: 20s}}\n");
    let persona = |name: &str| {
        format!("name: {name}\ndescription: Two\nmodules: [{name}]\ntools: [echo]\nskills: []\n")
    };
    let aa = aa
        .tools("twin", &twin)
        .tools("bare", &SLOW.replace("slow", "bare").replace("[sh]", "[no-such-command]"))
        .file(".aa/personas/twin.yaml", persona("twin"))
        .file(".aa/personas/bare.yaml", persona("bare"))
        .file("up", "");
    aa.args(["tool", "trust", "twin", "--yes"]).run().code(0);
    let mut client = Piped::greeted(aa.args(["mcp", "--tools", "echo"]));
    let mut load = |id: u64, name: &str| {
        client.say(&call(id, "persona_load", &json!({ "persona_name": name })));
        client.answer(id)["result"].clone()
    };
    std::fs::remove_file(&up).unwrap();
    let refused = load(2, "twin");
    let why = refused["content"][0]["text"].as_str().unwrap();
    assert!(
        refused["isError"] == true && why.starts_with("nothing has changed") && why.contains("`twin`"),
        "{why}"
    );
    std::fs::write(&up, "").unwrap();
    assert_eq!(load(3, "twin")["structuredContent"]["persona"], "twin");
    let loaded = load(4, "bare")["structuredContent"].clone();
    let warning = loaded["warnings"][0].as_str().unwrap();
    assert!(warning.contains("`bare` need the command `no-such-command`"), "{loaded}");
}
