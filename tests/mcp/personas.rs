//! Personas, workspaces and sessions over HTTP, by the binary.

use serde_json::{Value, json};

use super::wire::{Served, modern, modern_headers};
use crate::support::Aa;

const PROBE: &str = "\
module: probe
description: Looks around
tools:
  - {name: probe_where, description: Says where it runs, effect: read, input: {}, output: {type: string}, run: [pwd]}
";

const OTHER: &str = "\
module: other
description: Is another one
tools:
  - {name: other_say, description: Says something, effect: read, input: {}, output: {type: string}, run: [echo, hello]}
";

const LOOK: &str = "\
name: look
description: Looks where it is
steps: [{name: here, tool: probe_where}]
outputs: [{name: place, value: '{{ here }}'}]
";

/// A project with two personas, and another project beside it.
fn machine() -> Aa {
    let aa = Aa::new().tools("probe", PROBE).tools("other", OTHER).skill("look", LOOK);
    let persona = |name: &str, rest: &str| format!("name: {name}\ndescription: A part\n{rest}");
    aa.file(".aa/personas/one.yaml", persona("one", "modules: [probe]\nskills: [look]\n"))
        .file(".aa/personas/two.yaml", persona("two", "modules: [other]\nskills: []\n"))
        .file("sub/.aa/tools/probe.yaml", PROBE)
        .file("sub/.aa/skills/look.yaml", LOOK)
        .file("sub/.aa/personas/two.yaml", persona("two", "modules: [probe]\nskills: [look]\n"))
}

/// A client of the session era at an address.
struct Client<'a> {
    served: &'a Served,
    path: &'a str,
    session: String,
}

impl<'a> Client<'a> {
    fn new(served: &'a Served, path: &'a str) -> Self {
        Self { served, path, session: served.session(path, &[]) }
    }

    fn ask(&self, message: &Value) -> Value {
        let reply = self.served.post(self.path, &[("Mcp-Session-Id", &self.session)], message);
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.message()["result"].clone()
    }

    /// Names of listed tools of modules and of skills.
    fn names(&self, meta: &Value) -> Vec<String> {
        let message = json!({"jsonrpc": "2.0", "id": 5, "method": "tools/list", "params": {"_meta": meta}});
        names(&self.ask(&message))
    }

    fn call(&self, tool: &str, args: &Value, meta: &Value) -> Value {
        let params = json!({"name": tool, "arguments": args, "_meta": meta});
        self.ask(&json!({"jsonrpc": "2.0", "id": 6, "method": "tools/call", "params": params}))
    }
}

fn names(listed: &Value) -> Vec<String> {
    let all = listed["tools"].as_array().unwrap_or_else(|| panic!("{listed}")).iter();
    let all = all.map(|tool| tool["name"].as_str().unwrap().to_owned());
    all.filter(|name| ["probe_", "other_", "look"].iter().any(|of| name.starts_with(of))).collect()
}

#[test]
fn two_clients_at_once_see_only_their_own() {
    let aa = machine();
    let served = Served::new(&aa, &["--persona", "one"]);
    let (one, two) = (Client::new(&served, "/mcp"), Client::new(&served, "/mcp"));
    let none = json!({});
    let sub = aa.path("sub").canonicalize().unwrap().display().to_string();
    let there = json!({"aa/workspace": sub});
    assert_eq!(one.names(&none), ["look", "probe_where"]);
    let loaded = two.call("persona_load", &json!({"persona_name": "two"}), &none);
    assert_eq!(loaded["structuredContent"]["tools"], json!(["other_say"]), "{loaded}");
    assert_eq!(two.names(&none), ["other_say"]);
    assert_eq!(one.names(&none), ["look", "probe_where"]);
    // The same persona is another one in another folder.
    assert_eq!(two.names(&there), ["look", "probe_where"]);
    let ran = two.call("look", &none, &there);
    assert_eq!(ran["structuredContent"]["place"], sub.as_str(), "{ran}");
    let ran = one.call("look", &none, &none);
    let here = aa.path("").canonicalize().unwrap().display().to_string();
    assert_eq!(ran["structuredContent"]["place"], here.as_str(), "{ran}");
    assert_eq!(Client::new(&served, "/mcp/two").names(&none), ["other_say"]);
    let pinned = Client::new(&served, "/mcp/one").call("agent_load", &json!({"agent_name": "two"}), &none);
    assert_eq!(pinned["isError"], true);
    assert!(pinned["content"][0]["text"].as_str().unwrap().contains("/mcp/two"), "{pinned}");
}

#[test]
fn a_newer_client_names_its_session() {
    let aa = machine();
    let served = Served::new(&aa, &["--persona", "one"]);
    let begun = served.call("session_start", &json!({"agent": "two"}));
    let session = begun["structuredContent"]["session"].as_str().unwrap_or_else(|| panic!("{begun}"));
    let list = |session: Option<&str>| {
        let mut message = modern(3, "", &json!({}));
        message["method"] = "tools/list".into();
        let mut meta = message["params"]["_meta"].clone();
        if let Some(session) = session {
            meta["aa/session"] = session.into();
        }
        message["params"] = json!({ "_meta": meta });
        let headers = [("MCP-Protocol-Version", "2026-07-28"), ("Mcp-Method", "tools/list")];
        names(&served.post("/mcp", &headers, &message).message()["result"])
    };
    assert_eq!(list(None), ["look", "probe_where"], "no earlier request changes a list");
    assert_eq!(list(Some(session)), ["other_say"]);
    let called = served.call("tool_call", &json!({"tool_name": "other_say"}));
    assert_eq!(called["structuredContent"]["result"], "hello", "{called}");
    let mut message = modern(4, "skill_list", &json!({}));
    message["params"]["_meta"]["aa/session"] = "0123456789abcdef0123456789abcdef".into();
    let reply = served.post("/mcp", &modern_headers("skill_list"), &message);
    assert!(
        reply.message()["error"]["message"].as_str().unwrap().contains("there is no session"),
        "{reply:?}"
    );
}

/// A request of a newer client that names a session or none.
fn say(served: &Served, tool: &str, args: &Value, session: Option<&str>) -> Value {
    let mut message = modern(4, tool, args);
    if let Some(session) = session {
        message["params"]["_meta"]["aa/session"] = session.into();
    }
    served.post("/mcp", &modern_headers(tool), &message).message()
}

/// What such a request is shown.
fn shown(served: &Served, session: &str) -> Vec<String> {
    let mut message = modern(3, "", &json!({}));
    message["method"] = "tools/list".into();
    let mut meta = message["params"]["_meta"].clone();
    meta["aa/session"] = session.into();
    message["params"] = json!({ "_meta": meta });
    let headers = [("MCP-Protocol-Version", "2026-07-28"), ("Mcp-Method", "tools/list")];
    names(&served.post("/mcp", &headers, &message).message()["result"])
}

#[test]
fn a_persona_that_is_loaded_without_a_session_is_nobody_elses() {
    let aa = machine();
    let served = Served::new(&aa, &["--persona", "one"]);
    let begun = say(&served, "session_start", &json!({"agent": "two"}), None);
    let session = begun["result"]["structuredContent"]["session"].as_str().unwrap().to_owned();
    // Another client of the same person in the same folder.
    let loaded = say(&served, "persona_load", &json!({"persona_name": "one"}), None);
    let other =
        loaded["result"]["structuredContent"]["session"].as_str().unwrap_or_else(|| panic!("{loaded}"));
    assert_ne!(other, session);
    assert_eq!(shown(&served, &session), ["other_say"]);
    assert_eq!(shown(&served, other), ["look", "probe_where"]);
    say(&served, "persona_load", &json!({"persona_name": "one"}), Some(&session));
    assert_eq!(shown(&served, &session), ["look", "probe_where"], "its own is switched");
}

#[test]
fn a_session_that_nobody_uses_is_forgotten_also_by_the_next_server() {
    let aa = machine().own_config("serve: {session_keep: 2s}\n");
    let served = Served::new(&aa, &["--persona", "one"]);
    let begin = |served: &Served| {
        let begun = say(served, "session_start", &json!({}), None);
        begun["result"]["structuredContent"]["session"].as_str().unwrap().to_owned()
    };
    let is_there = |served: &Served, session: &str| {
        say(served, "skill_list", &json!({}), Some(session))["error"].is_null()
    };
    let (old, used) = (begin(&served), begin(&served));
    for _ in 0..6 {
        std::thread::sleep(std::time::Duration::from_millis(500));
        assert!(is_there(&served, &used), "it is used");
    }
    assert!(!is_there(&served, &old));
    assert!(say(&served, "session_start", &json!({"session": old}), None)["result"]["isError"] == true);
    let left = begin(&served);
    drop(served);
    std::thread::sleep(std::time::Duration::from_millis(2500));
    assert!(!is_there(&Served::new(&aa, &["--persona", "one"]), &left));
}

#[test]
fn a_shipped_persona_shows_what_a_model_can_choose_from() {
    let aa = Aa::new();
    let served = Served::new(&aa, &[]);
    for name in ["core", "developer", "devops", "incident", "release", "slack"] {
        let path = format!("/mcp/{name}");
        let session = served.session(&path, &[]);
        let list = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list"});
        let listed = served.post(&path, &[("Mcp-Session-Id", &session)], &list).message();
        let count = listed["result"]["tools"].as_array().unwrap().len();
        assert!((25..=40).contains(&count), "{name}: {count}");
    }
    // What is one's own is shown all the same.
    let aa = aa.skill("look", LOOK).tools("probe", PROBE);
    assert_eq!(Client::new(&Served::new(&aa, &[]), "/mcp/core").names(&json!({})), ["look"]);
}
