//! Tenants: nobody sees anything of another one, not even somebody of the same name.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use super::support::{FAIL, LOOK, Stream, found};
use crate::mcp::wire::{Reply, Served, modern, modern_headers};
use crate::memory_commands::BRANCHES;
use crate::support::Aa;

const RED: &str = "0123456789abcdef0123456789abcdef-red";
const BLUE: &str = "0123456789abcdef0123456789abcdef-blue";
const BOSS: &str = "0123456789abcdef0123456789abcdef-boss";

const REMEMBER: &str = r#"
name: remember
description: Remembers an animal
inputs: [{name: animal, type: string, required: true}]
steps:
  - {name: write, tool: memory_write, args: {key: notes/same, content: {animal: '{{ inputs.animal }}', what: an animal}}}
  - {name: block, needs: [write], compute: 'result = memory.append_to_list("notes/same", "list", inputs.animal)'}
"#;

/// Makes the same mistake until somebody warns of it.
const WANDER: &str = r"
name: wander
description: Checks out branches
steps:
  - {name: one, tool: branch_checkout, args: {target: mian}, on_error: continue}
  - {name: two, tool: branch_checkout, args: {target: mian}, on_error: continue}
  - {name: three, tool: branch_checkout, args: {target: mian}, on_error: continue}
  - {name: four, tool: branch_checkout, args: {target: mian}, on_error: continue}
";

fn served() -> (Aa, Served) {
    served_with(&[])
}

fn served_with(variables: &[(&str, &str)]) -> (Aa, Served) {
    let key = |who: &str, tenant: &str, more: &str| {
        format!(
            "    - {{principal: {who}, tenant: {tenant}, key: '{{{{ secrets.{} }}}}'{more}}}\n",
            tenant.to_uppercase()
        )
    };
    let config = format!(
        "secrets: {{RED: {{env: RED}}, BLUE: {{env: BLUE}}, BOSS: {{env: BOSS}}}}\nserve:\n  policy: {{write: allow}}\n  keys:\n{}{}    - {{principal: chief, tenant: blue, roles: [admin], key: '{{{{ secrets.BOSS }}}}'}}\nschedules: {{rarely: {{skill: look, every: 90d}}}}\n",
        key("ann", "red", ""),
        key("ann", "blue", "")
    );
    let aa = Aa::traced()
        .tools("branches", BRANCHES)
        .skill("look", LOOK)
        .skill("fail", FAIL)
        .skill("remember", REMEMBER)
        .skill("wander", WANDER)
        .own_config(&config);
    let mut call =
        aa.args(["serve", "--listen", "127.0.0.1:0"]).env("RED", RED).env("BLUE", BLUE).env("BOSS", BOSS);
    for (name, value) in variables {
        call = call.env(name, value);
    }
    let served = Served::start(call);
    (aa, served)
}

fn ask(served: &Served, key: &str, line: &str, body: &str) -> Reply {
    let key = format!("Bearer {key}");
    served.ask(line, &[("Authorization", key.as_str())], body)
}

fn start(served: &Served, key: &str) -> i64 {
    ask(served, key, "POST /api/skills/look/run", "{}").message()["run"].as_i64().unwrap()
}

fn runs(served: &Served, key: &str) -> Vec<i64> {
    let list = ask(served, key, "GET /api/runs", "").message();
    list["items"].as_array().unwrap().iter().map(|run| run["id"].as_i64().unwrap()).collect()
}

#[test]
fn nobody_sees_a_run_of_another_tenant_even_under_the_same_name() {
    let (_aa, served) = served();
    let own = served.post("/api/skills/look/run", &[], &json!({})).message()["run"].as_i64().unwrap();
    let (red, blue) = (start(&served, RED), start(&served, BLUE));
    assert_eq!((runs(&served, RED), runs(&served, BLUE)), (vec![red], vec![blue]));
    assert_eq!(runs(&served, BOSS), [blue], "an admin sees the runs of their own tenant");
    for (key, run) in [(RED, blue), (BLUE, red), (BOSS, red), (BOSS, own), (RED, own)] {
        assert_eq!(ask(&served, key, &format!("GET /api/runs/{run}"), "").status, 404, "{key} {run}");
        assert_eq!(ask(&served, key, &format!("POST /api/runs/{run}/cancel"), "{}").status, 404);
    }
    let counts = ask(&served, RED, "GET /api/runs/counts", "").message();
    let all: i64 = counts.as_object().unwrap().values().filter_map(Value::as_i64).sum();
    assert_eq!(all, 1, "{counts}");
    let everything = found(&served, "/api/runs");
    assert_eq!(everything["items"].as_array().unwrap().len(), 3, "the owner of the store sees all of it");
    assert_eq!(everything["items"][0]["tenant"], "blue");
}

#[test]
fn the_same_request_key_is_another_one_in_another_tenant() {
    let (_aa, served) = served();
    let start = |key: &str| {
        let key = format!("Bearer {key}");
        let headers = [("Authorization", key.as_str()), ("Idempotency-Key", "same")];
        served.post("/api/skills/look/run", &headers, &json!({})).message()["run"].clone()
    };
    let (red, blue) = (start(RED), start(BLUE));
    assert_ne!(red, blue);
    assert_eq!(start(RED), red);
}

#[test]
fn what_happens_is_told_within_the_tenant() {
    let (_aa, served) = served();
    let (red, boss) = (format!("Bearer {RED}"), format!("Bearer {BOSS}"));
    let mut of_red = Stream::open(&served, "/events", &[("Authorization", red.as_str())]);
    let mut of_boss = Stream::open(&served, "/events", &[("Authorization", boss.as_str())]);
    let (blue, last) = (start(&served, BLUE), start(&served, RED));
    assert_eq!(of_boss.next().unwrap().data["run_id"], blue);
    assert_eq!(of_red.next().unwrap().data["run_id"], last, "nothing of the other tenant came before it");
}

#[test]
fn what_is_of_this_machine_is_closed_to_other_tenants() {
    let (_aa, served) = served();
    for line in [
        "GET /api/heal/rules",
        "GET /api/heal/proposals",
        "GET /api/memory/mistakes",
        "GET /ui/memory/mistakes",
    ] {
        assert_eq!(ask(&served, RED, line, "").status, 403, "{line}");
        assert_eq!(ask(&served, BOSS, line, "").status, 403, "{line}");
    }
}

#[test]
fn other_tenants_see_neither_what_runs_on_this_machine_nor_what_listens_near_it() {
    let (_aa, served) = served();
    let call = |key: &str, tool: &str, args: &Value| {
        ask(&served, key, &format!("POST /api/tools/{tool}/call"), &json!({ "args": args }).to_string())
    };
    for tool in ["processes", "listening_ports"] {
        for key in [RED, BOSS] {
            let refused = call(key, tool, &json!({}));
            assert_eq!(refused.status, 403, "{tool}: {refused:?}");
        }
    }
    assert_eq!(served.post("/api/tools/processes/call", &[], &json!({"args": {}})).status, 200);
    for (tool, url) in [
        ("http_get", "http://127.0.0.1:1/"),
        ("http_get", "http://169.254.169.254/latest/meta-data/"),
        ("http_get", "http://localhost:1/"),
        ("http_wait", "http://[::1]:1/"),
    ] {
        let refused = call(RED, tool, &json!({ "url": url }));
        assert!(refused.status >= 400 && refused.body.contains("this machine or one near it"), "{refused:?}");
    }
    let port = served.address.port();
    let told = call(RED, "port_check", &json!({"host": "127.0.0.1", "port": port}));
    assert!(!told.body.contains("\"open\":true") && told.body.contains("one near it"), "{told:?}");
    let owner =
        served.post("/api/tools/http_get/call", &[], &json!({"args": {"url": "http://127.0.0.1:1/"}}));
    assert!(!owner.body.contains("one near it"), "{owner:?}");
}

#[test]
fn no_command_asks_this_machine_for_whoever_comes_with_a_key() {
    let (aa, served) = served();
    let made = std::process::Command::new("git").args(["init", "--quiet"]).arg(aa.path("")).status();
    assert!(made.unwrap().success());
    let near = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    near.set_nonblocking(true).unwrap();
    let port = near.local_addr().unwrap().port();
    let remotes = [
        format!("http://127.0.0.1:{port}/a"),
        format!("http://2130706433:{port}/a"),
        format!("http://0x7f.1:{port}/a"),
        format!("http://[::ffff:127.0.0.1]:{port}/a"),
        format!("http://localhost:{port}/a"),
        format!("http://a.localhost:{port}/a"),
        format!("http://example.org@127.0.0.1:{port}/a"),
        format!("http::http://127.0.0.1:{port}/a"),
        format!("git://127.0.0.1:{port}/a"),
        format!("ssh://ann@127.0.0.1:{port}/a"),
        "ann@127.0.0.1:a".to_owned(),
        "[::1]:a".to_owned(),
        "ext::sh -c true".to_owned(),
    ];
    let mut calls: Vec<(&str, Value)> =
        remotes.iter().map(|remote| ("git_ls_remote", json!({ "remote": remote }))).collect();
    for tool in ["git_fetch", "git_pull", "git_push"] {
        calls.push((tool, json!({ "remote": remotes[0] })));
    }
    for host in ["127.0.0.1", "localhost", "[::1]", "0177.0.0.1"] {
        calls.push(("tls_certificate", json!({"host": host, "port": port})));
    }
    calls.extend([
        ("git_clone", json!({"url": remotes[0], "path": "copy"})),
        ("git_remote", json!({"action": "add", "name": "near", "url": remotes[0]})),
        ("skopeo_inspect", json!({"repository": format!("127.0.0.1:{port}/a/b"), "tag": "1"})),
        ("skopeo_list_tags", json!({"repository": "a/b/c", "namespace": format!("127.0.0.1:{port}")})),
    ]);
    for (tool, args) in &calls {
        let said = failure(&served, RED, tool, args);
        assert!(said.contains("for whoever comes with a key"), "{tool} {args}: {said}");
    }
    assert!(near.accept().is_err(), "nobody has come");
    drop(near);
    // Whoever owns the store asks whom they like.
    let said = failure(&served, &served.token, "git_ls_remote", &json!({ "remote": remotes[0] }));
    assert!(!said.contains("comes with a key"), "{said}");
}

#[test]
fn what_was_looked_at_is_what_ssh_connects_to() {
    let tools = tempfile::tempdir().unwrap();
    let ssh = tools.path().join("ssh");
    // Writes down what it was called with, and ends as where nobody is.
    std::fs::write(&ssh, "#!/bin/sh\necho \"$*\" >> \"$0.calls\"\nexit 255\n").unwrap();
    std::fs::set_permissions(&ssh, std::fs::Permissions::from_mode(0o755)).unwrap();
    let calls = tools.path().join("ssh.calls");
    let path = format!("{}:{}", tools.path().display(), std::env::var("PATH").unwrap());
    let (_aa, served) = served_with(&[("PATH", &path)]);
    for (remote, expected) in [
        ("ann@1.1.1.1:a", "-o HostName=1.1.1.1 -o HostKeyAlias=1.1.1.1"),
        ("ssh://ann@[2606:4700::1111]/a", "-o HostName=2606:4700::1111 -o HostKeyAlias=2606:4700::1111"),
    ] {
        failure(&served, RED, "git_ls_remote", &json!({ "remote": remote }));
        let called = std::fs::read_to_string(&calls).unwrap();
        assert!(called.trim().lines().last().unwrap().contains(expected), "{remote}: {called}");
        failure(&served, &served.token, "git_ls_remote", &json!({ "remote": remote }));
        let called = std::fs::read_to_string(&calls).unwrap();
        assert!(!called.trim().lines().last().unwrap().contains("HostName"), "{remote}: {called}");
    }
    // The plain protocol of git cannot be told where to connect.
    let said = failure(&served, RED, "git_ls_remote", &json!({"remote": "git://1.1.1.1/a"}));
    assert!(said.contains("transport 'git' not allowed"), "{said}");
}

/// What is said of a call that fails, at once or as a run.
fn failure(served: &Served, key: &str, tool: &str, args: &Value) -> String {
    let body = json!({ "args": args }).to_string();
    let reply = ask(served, key, &format!("POST /api/tools/{tool}/call"), &body);
    if reply.status >= 400 {
        return reply.body;
    }
    let run = reply.message()["run"].as_i64().unwrap_or_else(|| panic!("{tool}: {reply:?}"));
    ended(served, key, run, "failed").to_string()
}

#[test]
fn what_is_closed_to_a_tenant_is_told_by_no_list_search_or_hint() {
    let (_aa, served) = served();
    let tool = |key: &str, name: &str, args: &Value| {
        let key = format!("Bearer {key}");
        let mut headers = modern_headers(name);
        headers.push(("Authorization", key.as_str()));
        served.post("/mcp", &headers, &modern(1, name, args)).body
    };
    let places = |key: &str| {
        [
            tool(key, "tool_list", &json!({"module": "system"})),
            tool(key, "tool_search", &json!({"query": "ports that somebody listens on"})),
            tool(key, "debug_tool", &json!({"tool_name": "listening_ports"})),
            tool(key, "tool_call", &json!({"tool_name": "listening_port"})),
            ask(&served, key, "GET /api/tools?module=system", "").body,
            ask(&served, key, "GET /api/tools/listening_port", "").body,
            ask(&served, key, "GET /ui/tools", "").body,
            ask(&served, key, "GET /ui/tools/listening_port", "").body,
        ]
    };
    let definition = "TCP ports that somebody on this machine listens on";
    for said in places(&served.token) {
        assert!(said.contains("listening_ports") || said.contains(definition), "{said}");
    }
    for said in places(RED) {
        let said = said.replace("opens nothing that is called `listening_ports`", "");
        assert!(!said.contains("listening_ports") && !said.contains(definition), "{said}");
    }
    let list = tool(RED, "tool_list", &json!({"module": "system"}));
    assert!(list.contains("os_info"), "the others of its module are there: {list}");
}

#[test]
fn schedules_are_not_there_for_other_tenants_whatever_their_keys_say() {
    let (_aa, served) = served();
    let list = ask(&served, BOSS, "GET /api/schedules", "").message();
    assert_eq!(list["items"], json!([]), "{list}");
    for line in [
        "GET /api/schedules/rarely",
        "GET /api/schedules/rarely/slots",
        "GET /api/schedules/rarely/next",
        "GET /api/schedules/rarely/why",
        "POST /api/schedules/rarely/run",
        "POST /api/schedules/rarely/pause",
        "POST /api/schedules/rarely/resume",
        "GET /ui/schedules/rarely",
        "POST /ui/schedules/rarely/run",
    ] {
        let body = if line.contains(" /ui/") { "" } else { "{}" };
        let reply = ask(&served, BOSS, line, body);
        assert!(reply.status == 404 && !reply.body.contains("did you mean"), "{line}: {reply:?}");
    }
    let window = r#"{"from": "2020-01-01T00:00:00Z"}"#;
    assert_eq!(ask(&served, BOSS, "POST /api/schedules/rarely/backfill", window).status, 404);
    for page in ["GET /ui/schedules", "GET /ui"] {
        let shown = ask(&served, BOSS, page, "");
        assert!(shown.status == 200 && !shown.body.contains("rarely"), "{shown:?}");
    }
    let left = found(&served, "/api/schedules/rarely");
    assert_eq!((&left["paused"], &left["last"]), (&Value::Null, &Value::Null), "nothing was done: {left}");
}

#[test]
fn what_one_tenant_did_wrong_is_told_to_no_other() {
    let (aa, served) = served();
    let reply = ask(&served, RED, "POST /api/skills/wander/run", "{}").message();
    let shown = ended(&served, RED, reply["run"].as_i64().unwrap(), "completed");
    assert!(!shown.to_string().contains("failed of it"), "{shown}");
    aa.args(["memory", "patterns"]).run().code(0).stdout("");
    // Whoever owns the store is warned, and others are not warned of that either.
    aa.args(["skill", "run", "wander"]).run().code(0).stderr_contains("failed of it 3 times");
    let reply = ask(&served, BLUE, "POST /api/skills/wander/run", "{}").message();
    let run = reply["run"].as_i64().unwrap();
    ended(&served, BLUE, run, "completed");
    let events = ask(&served, BLUE, &format!("GET /api/runs/{run}/events"), "");
    assert!(events.status == 200 && !events.body.contains("failed of it"), "{events:?}");
}

/// Calls a tool and waits for its end.
fn call(served: &Served, key: &str, tool: &str, args: &Value) -> Value {
    let body = json!({ "args": args }).to_string();
    let reply = ask(served, key, &format!("POST /api/tools/{tool}/call"), &body);
    assert_eq!(reply.status, 200, "{tool}: {reply:?}");
    match reply.message()["run"].as_i64() {
        Some(run) => ended(served, key, run, "completed"),
        None => reply.message(),
    }
}

/// Waits until a run has ended like this, and shows it.
fn ended(served: &Served, key: &str, run: i64, status: &str) -> Value {
    let mut shown = Value::Null;
    crate::support::eventually("the run ends", || {
        shown = ask(served, key, &format!("GET /api/runs/{run}"), "").message();
        shown["run"]["status"] == status
    });
    shown
}

/// Whether anything of a tenant's is said anywhere: by lists, documents, search, tools, pages and resources.
fn places(served: &Served, key: &str) -> Vec<(&'static str, String)> {
    let body = |line: &str| {
        let reply = ask(served, key, line, "");
        assert!(reply.status == 200 || reply.status == 404, "{line}: {reply:?}");
        reply.body
    };
    let tool = |name: &str, args: Value| call(served, key, name, &args).to_string();
    vec![
        ("list", body("GET /api/memory")),
        ("document", body("GET /api/memory/document?name=notes/same")),
        ("search", body("GET /api/memory/search?words=animal&limit=50")),
        ("page", body("GET /ui/memory")),
        ("page of a document", body("GET /ui/memory/documents/notes/same")),
        ("page of a search", body("GET /ui/memory/search?q=animal")),
        ("page of knowledge", body("GET /ui/memory/knowledge")),
        ("memory_read", tool("memory_read", json!({"key": "notes/same"}))),
        ("memory_search", tool("memory_search", json!({"query": "animal"}))),
        ("knowledge_list", tool("knowledge_list", json!({}))),
        ("check_known_issues", tool("check_known_issues", json!({"tool_name": "trace_fail"}))),
        ("resource", resource(served, key, "resources/read", "aa://memory/notes/same")),
        ("resource of keys", resource(served, key, "resources/read", "aa://memory")),
        ("resources", resource(served, key, "resources/list", "")),
    ]
}

/// What an AI client is answered.
fn resource(served: &Served, key: &str, method: &str, uri: &str) -> String {
    let mut message = modern(1, "", &json!({}));
    let meta = message["params"]["_meta"].clone();
    let params = if uri.is_empty() { json!({ "_meta": meta }) } else { json!({"uri": uri, "_meta": meta}) };
    (message["method"], message["params"]) = (method.into(), params);
    let key = format!("Bearer {key}");
    let mut headers =
        vec![("MCP-Protocol-Version", "2026-07-28"), ("Mcp-Method", method), ("Authorization", key.as_str())];
    if !uri.is_empty() {
        headers.push(("Mcp-Name", uri));
    }
    served.post("/mcp", &headers, &message).body
}

#[test]
fn each_tenant_has_a_memory_of_its_own() {
    let (_aa, served) = served();
    let animals = [(RED, "zebra"), (BLUE, "horse"), (served.token.as_str(), "camel")];
    for (key, animal) in animals {
        // By a skill, by tools, in a block, and as what failures have taught.
        let run = ask(
            &served,
            key,
            "POST /api/skills/remember/run",
            &json!({"inputs": {"animal": animal}}).to_string(),
        );
        ended(&served, key, run.message()["run"].as_i64().unwrap(), "completed");
        let content = json!({"animal": animal});
        call(&served, key, "memory_write", &json!({"key": format!("only/{animal}"), "content": content}));
        call(&served, key, "knowledge_learn", &json!({"learning": animal, "persona": animal}));
        let fix = json!({"tool_name": "trace_fail", "error_pattern": "luck", "root_cause": "c", "fix_description": animal});
        call(&served, key, "learn_tool_fix", &fix);
    }
    for (key, animal) in animals {
        let places = places(&served, key);
        for (place, said) in &places {
            for (_, other) in animals.iter().filter(|(_, other)| *other != animal) {
                assert!(!said.contains(other), "{place} of {animal} has {other}: {said}");
            }
            assert!(said.contains(animal), "{place} of {animal}: {said}");
        }
    }
    // Somebody else of the tenant knows what it knows.
    let document = ask(&served, BOSS, "GET /api/memory/document?name=notes/same", "").message();
    assert_eq!((&document["animal"], &document["list"]), (&json!("horse"), &json!(["horse"])));
    assert_eq!(ask(&served, RED, "GET /api/memory/document?name=only/horse", "").status, 404);
}

#[test]
fn projects_of_others_are_read_neither_by_their_path_nor_by_being_registered() {
    let (aa, served) = served();
    let aa = aa.file("src/owed.rs", "fn total_owed() {}\n").file("../theirs/plan.rs", "fn total_owed() {}\n");
    let theirs = aa.path("../theirs");
    let made = std::process::Command::new("git").args(["init", "--quiet"]).arg(&theirs).status();
    assert!(made.unwrap().success());
    let theirs = theirs.canonicalize().unwrap().display().to_string();
    let search = |project: &str| json!({"query": "total_owed", "project": project});
    let owner = served.token.clone();
    call(&served, &owner, "project_add", &json!({"name": "shop", "path": theirs}));
    for project in ["shop", theirs.as_str()] {
        let found = call(&served, &owner, "code_search", &search(project)).to_string();
        assert!(found.contains("plan.rs"), "its owner looks into it: {found}");
    }
    for (tool, args) in [
        ("code_search", search(&theirs)),
        ("code_search", search("../theirs")),
        ("code_search", search("shop")),
        ("project_detect", json!({"path": theirs})),
        ("project_add", json!({"name": "shop", "path": theirs})),
    ] {
        let said = failure(&served, RED, tool, &args);
        let closed = said.contains("closed to whoever asks with a key");
        assert!(closed || said.contains("not known or not open"), "{tool} {args}: {said}");
    }
    let list = call(&served, RED, "project_list", &json!({})).to_string();
    assert!(!list.contains("shop") && !list.contains(&theirs), "{list}");
    let own = call(&served, RED, "code_search", &search("")).to_string();
    assert!(own.contains("owed.rs") && !own.contains("plan.rs"), "what is open to them is: {own}");
}

#[test]
fn a_failure_is_explained_with_what_its_tenant_knows() {
    let (_aa, served) = served();
    let fix = json!({"tool_name": "trace_fail", "error_pattern": "luck", "root_cause": "c", "fix_description": "a red herring"});
    call(&served, RED, "learn_tool_fix", &fix);
    for (key, knows) in [(RED, true), (BLUE, false), (served.token.as_str(), false)] {
        let run = ask(&served, key, "POST /api/skills/fail/run", "{}").message()["run"].as_i64().unwrap();
        let shown = ended(&served, key, run, "failed").to_string();
        let explained = ask(&served, key, &format!("GET /api/runs/{run}/explain"), "");
        assert_eq!(explained.status, 200, "{explained:?}");
        let events = ask(&served, key, &format!("GET /api/runs/{run}/events"), "").body;
        assert!(events.contains("no luck"), "{events}");
        for said in [events, explained.body] {
            assert_eq!(said.contains("a red herring"), knows, "{said}");
        }
        assert!(knows || !shown.contains("a red herring"), "{shown}");
    }
}
