//! What is promised of calls (`docs/security.md`), on the running binary.

use serde_json::{Value, json};

use super::wire::{Piped, Served, call, modern};
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
