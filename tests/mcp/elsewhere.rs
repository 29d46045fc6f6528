//! Calls about another folder than the server's: clients that poll or answer say nothing of it.

use serde_json::{Value, json};

use super::calls::Server;
use super::wire::{Served, modern};
use crate::support::{Aa, eventually};

const SLOW: &str = "name: slow\ndescription: Takes its time\nsteps: [{name: a, wait: 1s}]\noutputs: [{name: at, value: there}]\n";

const ASK: &str = "name: ask\ndescription: Asks\nsteps: [{name: sure, confirm: {message: 'really?', options: [yes, no]}}]\noutputs: [{name: sure, value: '{{ sure }}'}]\n";

const KEY: &str = "Bearer ann-0123456789abcdef0123456789abcdef";

/// A project, and another one beside it whose skills it has not.
fn two() -> Aa {
    let aa = Aa::new().file("other/.aa/skills/slow.yaml", SLOW).file("other/.aa/skills/ask.yaml", ASK);
    let other = aa.path("other").canonicalize().unwrap().display().to_string();
    let keys = format!(
        "secrets: {{ANN: {{env: ANN_KEY}}}}\nserve: {{task_after: 200ms, folders: ['{other}'], keys: [{{principal: ann, key: '{{{{ secrets.ANN }}}}'}}]}}\n"
    );
    aa.own_config(&keys)
}

#[test]
fn a_task_is_found_by_its_number_whatever_the_folder() {
    let aa = two();
    let mut server = Server::start(&aa);
    let begun = server
        .result("tools/call", json!({"name": "session_start", "arguments": {"workspace": aa.path("other")}}));
    assert_ne!(begun["isError"], true, "{begun}");
    let session = &begun["structuredContent"]["session"];
    let call = json!({"name": "slow", "arguments": {}, "_meta": {"aa/session": session}});
    let task = server.result("tools/call", call);
    assert_eq!(task["taskId"], "1", "{task}");
    drop(server);
    let mut server = Server::start(&aa);
    let mut task = Value::Null;
    eventually("the task completes", || {
        task = server.result("tasks/get", json!({"taskId": "1"}));
        task["status"] == "completed"
    });
    assert_eq!(task["result"]["structuredContent"], json!({"at": "there"}), "{task}");
}

/// Asks as a client of the newer era that knows tasks and forms, about a folder if it says so.
fn ask(
    served: &Served,
    (method, name, key): (&str, &str, &str),
    params: Value,
    folder: Option<&Aa>,
) -> Value {
    let mut message = modern(1, "", &json!({}));
    let mut meta = message["params"]["_meta"].clone();
    meta["io.modelcontextprotocol/clientCapabilities"] =
        if method == "tools/call" && ["ask", "skill_run"].contains(&name) {
            json!({"elicitation": {}})
        } else {
            json!({"extensions": {"io.modelcontextprotocol/tasks": {}}})
        };
    if let Some(aa) = folder {
        meta["aa/workspace"] = json!(aa.path("other"));
    }
    (message["method"], message["params"]) = (method.into(), params);
    message["params"]["_meta"] = meta;
    let headers = [
        ("MCP-Protocol-Version", "2026-07-28"),
        ("Mcp-Method", method),
        ("Mcp-Name", name),
        ("Authorization", key),
    ];
    served.post("/mcp", &headers, &message).message()
}

#[test]
fn over_http_neither_a_poll_nor_an_answer_names_the_folder() {
    let aa = two();
    let served =
        Served::start(aa.args(["serve", "--all", "--listen", "127.0.0.1:0"]).env("ANN_KEY", &KEY[7..]));
    let local = format!("Bearer {}", served.token);
    let begun =
        ask(&served, ("tools/call", "slow", KEY), json!({"name": "slow", "arguments": {}}), Some(&aa));
    assert_eq!(begun["result"]["taskId"], "1", "{begun}");
    let get = |key: &str| ask(&served, ("tasks/get", "1", key), json!({"taskId": "1"}), None);
    eventually("it completes", || get(KEY)["result"]["status"] == "completed");
    assert!(
        get(&local)["error"]["message"].as_str().unwrap().contains("there is no task"),
        "{}",
        get(&local)
    );

    let call = json!({"name": "ask", "arguments": {}});
    let asked = ask(&served, ("tools/call", "ask", KEY), call.clone(), Some(&aa));
    let state = asked["result"]["requestState"].clone();
    assert!(state.is_string(), "{asked}");
    let mut again = call;
    again["requestState"] = state;
    again["inputResponses"] = json!({"sure": {"action": "accept", "content": {"answer": "yes"}}});
    let foreign = ask(&served, ("tools/call", "ask", &local), again.clone(), None);
    assert!(foreign["error"].is_object(), "{foreign}");
    let done = ask(&served, ("tools/call", "ask", KEY), again, None);
    assert_eq!(done["result"]["structuredContent"], json!({"sure": "yes"}), "{done}");
}

#[test]
fn an_answer_that_comes_along_still_says_where_its_run_is() {
    let aa = two();
    let served =
        Served::start(aa.args(["serve", "--all", "--listen", "127.0.0.1:0"]).env("ANN_KEY", &KEY[7..]));
    let args = json!({"skill_name": "ask", "workspace": aa.path("other")});
    let mut call = json!({"name": "skill_run", "arguments": args});
    let asked = ask(&served, ("tools/call", "skill_run", KEY), call.clone(), None);
    call["requestState"] = asked["result"]["requestState"].clone();
    assert!(call["requestState"].is_string(), "{asked}");
    call["inputResponses"] = json!({"sure": {"action": "decline"}});
    let waits = ask(&served, ("tools/call", "skill_run", KEY), call, None);
    let said = waits["result"]["content"].to_string();
    assert!(said.contains("run_status") && said.contains("look there with `workspace: "), "{waits}");
}
