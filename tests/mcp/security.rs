//! The security checklist (`docs/security.md`) on the running binary.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use super::wire::{Served, call, hello, modern, modern_headers};
use crate::support::server::{Reply, Server};
use crate::support::{Aa, eventually};

const ANN: &str = "Bearer ann-0123456789abcdef0123456789abcdef";
const BEN: &str = "Bearer ben-0123456789abcdef0123456789abcdef";

/// A project in which two more may come in; `ben` plays one persona.
fn shared(more: &str) -> Aa {
    let config = format!(
        "secrets: {{ANN: {{env: ANN_KEY}}, BEN: {{env: BEN_KEY}}}}\nserve:\n  keys:\n    - {{principal: ann, key: '{{{{ secrets.ANN }}}}'}}\n    - {{principal: ben, key: '{{{{ secrets.BEN }}}}', personas: [small]}}\n{more}"
    );
    let small = "name: small\ndescription: Little\ntools: [echo]\nskills: []\n";
    Aa::new().own_config(&config).file(".aa/personas/small.yaml", small)
}

fn serve(aa: &Aa, args: &[&str]) -> Served {
    let call = aa.args(["serve", "--listen", "127.0.0.1:0"].iter().chain(args));
    Served::start(call.env("ANN_KEY", &ANN[7..]).env("BEN_KEY", &BEN[7..]))
}

#[test]
fn other_machines_are_shut_out_unless_somebody_says_so_and_has_a_key() {
    let listen = |aa: &Aa| aa.args(["serve", "--listen", "0.0.0.0:0"]).run().code(2);
    listen(&Aa::new()).stderr_contains("nobody has a key");
    let flag = Aa::new().args(["serve", "--listen", "[::]:0", "--allow-remote"]).run().code(2);
    flag.stderr_contains("nobody has a key");
    listen(&shared("")).stderr_contains("--allow-remote").stderr_contains("TLS");
}

#[test]
fn a_body_that_is_no_message_is_said_to_be_none() {
    let aa = Aa::new();
    let served = Served::new(&aa, &[]);
    let deep = "[".repeat(200) + &"]".repeat(200);
    let deep = format!(r#"{{"method":"ping","params":{deep},"jsonrpc":"2.0","id":4}}"#);
    for (body, code, id) in [
        ("{", -32700, Value::Null),
        ("[]", -32600, Value::Null),
        (r#"{"jsonrpc": "1.0", "id": 5, "method": "ping"}"#, -32600, json!(5)),
        (&deep, -32600, json!(4)),
        (r#"{"jsonrpc": "2.0", "id": null, "method": "ping"}"#, -32600, Value::Null),
        (
            r#"{"jsonrpc": "2.0", "id": 6, "method": "tools/call", "params": {"name": "x", "arguments": {"n": 18446744073709551616}}}"#,
            -32602,
            json!(6),
        ),
    ] {
        let reply = served.ask("POST /mcp", &[], body);
        assert_eq!(reply.status, 400, "{body}: {reply:?}");
        assert_eq!(
            (&reply.message()["error"]["code"], &reply.message()["id"]),
            (&json!(code), &id),
            "{reply:?}"
        );
    }
    // Another type than JSON is another mistake.
    assert_eq!(served.ask("POST /mcp", &[("Content-Type", "text/plain")], "{").status, 415);
}

#[test]
fn foreign_names_and_foreign_pages_are_refused() {
    let aa = Aa::new().own_config("serve: {hosts: [aa.example.org], origins: ['https://app.example.org']}\n");
    let served = Served::new(&aa, &[]);
    let status = |more: &[(&str, &str)]| served.post("/mcp", more, &hello()).status;
    assert_eq!(status(&[("Host", "evil.example.org")]), 403);
    assert_eq!(status(&[("Host", "")]), 403);
    // A name of ours, but the key of this machine is not for whoever comes by it.
    assert_eq!(status(&[("Host", "aa.example.org")]), 401);
    assert_eq!(status(&[("Host", "localhost")]), 200);
    assert_eq!(status(&[("X-Forwarded-For", "192.0.2.7")]), 401);
    for origin in ["null", "http://localhost:3000", "https://evil.example.org", "https://app.example.org:1"] {
        assert_eq!(status(&[("Origin", origin)]), 403, "{origin}");
    }
    assert_eq!(status(&[("Origin", "https://app.example.org")]), 200);
    let preflight = |origin: &str| {
        let asks =
            [("Access-Control-Request-Method", "POST"), ("Access-Control-Request-Headers", "authorization")];
        served.ask("OPTIONS /mcp", &[("Origin", origin), ("Authorization", ""), asks[0], asks[1]], "")
    };
    let allowed = preflight("https://app.example.org");
    assert_eq!(allowed.status, 204);
    assert_eq!(allowed.header("access-control-allow-origin"), Some("https://app.example.org"));
    assert_eq!(allowed.header("access-control-allow-headers"), Some("authorization"));
    assert!(allowed.header("access-control-allow-methods").unwrap().contains("post"));
    let answered = served.post("/mcp", &[("Origin", "https://app.example.org")], &hello());
    assert_eq!(answered.header("access-control-allow-origin"), Some("https://app.example.org"));
    let exposed = answered.header("access-control-expose-headers").unwrap();
    for name in ["mcp-session-id", "x-request-id", "etag", "location"] {
        assert!(exposed.contains(name), "{name}: {exposed}");
    }
    let refused = preflight("https://evil.example.org");
    assert_eq!((refused.status, refused.header("access-control-allow-origin")), (403, None));
    // Also where no key is needed.
    assert_eq!(served.ask("GET /healthz", &[("Host", "evil.example.org")], "").status, 403);
}

#[test]
fn nobody_comes_in_without_a_key() {
    let aa = shared("");
    let served = serve(&aa, &[]);
    for wrong in ["", "Bearer", "Bearer x", "Basic eDp4", "Bearer ann-0123456789abcdef0123456789abcdeX"] {
        for path in ["/mcp", "/mcp/small", "/nowhere"] {
            let reply = served.post(path, &[("Authorization", wrong)], &hello());
            assert_eq!((reply.status, reply.header("www-authenticate")), (401, Some("bearer realm=\"aa\"")));
            assert!(!reply.body.contains("0123456789"), "{reply:?}");
        }
    }
    assert_eq!(served.post("/mcp", &[("Authorization", ANN)], &hello()).status, 200);
    assert_eq!(served.ask("GET /healthz", &[("Authorization", "")], "").status, 200);
    eventually("it is noted", || served.said().contains("outcome=\"unauthorised\""));
}

#[test]
fn a_key_may_stand_under_its_other_name() {
    let aa = Aa::new();
    let served = Served::new(&aa, &[]);
    let (key, bearer) = (served.token.as_str(), format!("Bearer {}", served.token));
    let ask = |path: &str, authorization: &str, key: &str| {
        served.ask(&format!("GET {path}"), &[("Authorization", authorization), ("X-API-Key", key)], "")
    };
    for path in ["/api/runs", "/metrics"] {
        for (authorization, shown, status) in
            [("", key, 200), ("Basic eDp4", key, 200), (&bearer, key, 200), ("", "wrong", 401)]
        {
            assert_eq!(ask(path, authorization, shown).status, status, "{path} {authorization}");
        }
    }
    let refused = ask("/api/runs", &bearer, "another");
    assert_eq!(refused.status, 400);
    assert!(refused.body.contains("two-keys") && refused.body.contains("send one of them"), "{refused:?}");
    assert!(!served.said().contains(key));
}

#[test]
fn a_key_in_an_address_is_refused() {
    let aa = Aa::new();
    let served = Served::new(&aa, &[]);
    for path in ["/mcp?token=", "/mcp?access_token=", "/mcp/core?a=1&key=", "/healthz?api-key="] {
        let reply = served.post(&format!("{path}{}", served.token), &[], &hello());
        assert_eq!(reply.status, 400);
        assert!(reply.body.contains("Authorization: Bearer") && !reply.body.contains(&served.token));
    }
    assert!(!served.said().contains(&served.token));
}

#[test]
fn the_key_of_this_machine_is_for_its_owner() {
    let aa = Aa::new();
    let served = Served::new(&aa, &[]);
    let path = aa.home().join("state/aa-workflow/serve.token");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_to_string(&path).unwrap().trim(), served.token);
    assert!(served.token.len() >= 43);
    drop(served);
    // It stays the same, and is not used once others could have read it.
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let refused = aa.args(["serve", "--listen", "127.0.0.1:0"]).run().code(1);
    refused.stderr_contains("others can read it").stderr_contains("chmod 600");
}

#[test]
fn keys_that_are_weak_or_not_there_open_nothing() {
    let aa = shared("");
    let start = |ann: &str| aa.args(["serve", "--listen", "127.0.0.1:0"]).env("ANN_KEY", ann);
    start("hunter2").env("BEN_KEY", &BEN[7..]).run().code(1).stderr_contains("less than 32 characters");
    start(&ANN[7..]).run().code(1).stderr_contains("the key of `ben` cannot be opened");
    start(&ANN[7..]).env("BEN_KEY", &ANN[7..]).run().code(1).stderr_contains("have the same key");
    let unknown = Aa::new().own_config("serve: {keys: [{principal: ann, key: '{{ secrets.NONE }}'}]}\n");
    unknown.args(["serve"]).run().code(3).stderr_contains("error[unknown-secret]");
    let plain = Aa::new().own_config("serve: {keys: [{principal: ann, key: 0123456789abcdef}]}\n");
    plain.args(["config", "check"]).run().code(3).stderr_contains("error[plain-key]");
}

#[test]
fn a_session_is_there_for_whoever_began_it_only() {
    let aa = shared("");
    let served = serve(&aa, &[]);
    let id = served.session("/mcp", &[("Authorization", ANN)]);
    let status = |line: &str, key: &str| {
        let list = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list"}).to_string();
        served.ask(line, &[("Authorization", key), ("Mcp-Session-Id", &id)], &list).status
    };
    let local = format!("Bearer {}", served.token);
    for line in ["POST /mcp", "GET /mcp", "DELETE /mcp", "POST /mcp/small"] {
        assert_eq!((status(line, BEN), status(line, &local)), (404, 404), "{line}");
    }
    // Another address is another view, also for the one who began it.
    assert_eq!(status("POST /mcp/small", ANN), 404);
    assert_eq!(status("POST /mcp", ANN), 200);
    assert!(id.len() >= 32, "{id} can be guessed");
    assert_eq!(status("DELETE /mcp", ANN), 202);
    assert_eq!(status("POST /mcp", ANN), 404);
}

#[test]
fn a_key_opens_its_personas_only() {
    let aa = shared("  tool_budget: 2000\n");
    let served = serve(&aa, &["--all"]);
    let list = |path: &str, key: &str| {
        let id = served.session(path, &[("Authorization", key)]);
        let list = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list"});
        let reply = served.post(path, &[("Authorization", key), ("Mcp-Session-Id", &id)], &list);
        let tools = reply.message()["result"]["tools"].as_array().unwrap().clone();
        tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let (all, small) = (list("/mcp", ANN), list("/mcp", BEN));
    assert!(all.contains(&"git_log".to_owned()) && !small.contains(&"git_log".to_owned()));
    assert!(small.contains(&"echo".to_owned()));
    assert_eq!(list("/mcp/small", BEN), small);
    assert_eq!(served.post("/mcp/core", &[("Authorization", BEN)], &hello()).status, 403);
}

#[test]
fn a_narrow_key_opens_nothing_by_the_tools_of_the_server() {
    let wide = "name: wide\ndescription: Not for everybody\nsteps: [{name: look, tool: git_status}]\n";
    let aa = shared("").skill("wide", wide);
    for (tool, args) in [
        ("memory_write", r#"{"key": "state/current_work", "content": "active_issue: A-1\n"}"#),
        ("memory_session_log", r#"{"action": "looked"}"#),
    ] {
        aa.args(["tool", "call", tool, "--args", args]).run().code(0);
    }
    let served = serve(&aa, &["--all"]);
    let say = |key: &str, tool: &str, args: &Value| {
        let mut headers = modern_headers(tool);
        headers.push(("Authorization", key));
        served.post("/mcp", &headers, &modern(1, tool, args)).message()["result"].clone()
    };
    for (tool, args) in [
        ("skill_run", json!({"skill_name": "wide"})),
        ("skill_plan", json!({"skill_name": "wide"})),
        ("skill_describe", json!({"skill_name": "wide"})),
        ("debug_tool", json!({"tool_name": "git_status"})),
        ("tool_call", json!({"tool_name": "git_status"})),
        ("tool_exec", json!({"tool_name": "wide"})),
        ("tool_call", json!({"tool_name": "skill_list"})),
    ] {
        let refused = say(BEN, tool, &args);
        assert_eq!(refused["isError"], true, "{tool}: {refused}");
        assert!(refused.to_string().contains("your key opens nothing that is called"), "{tool}: {refused}");
        assert!(!say(ANN, tool, &args).to_string().contains("your key"), "{tool}");
    }
    for (tool, args) in [
        ("skill_list", json!({})),
        ("skill_search", json!({"query": "wide everybody"})),
        ("tool_search", json!({"query": "git status"})),
        ("tool_list", json!({})),
        ("context_filter", json!({"message": "run wide with git_status"})),
    ] {
        let told = say(BEN, tool, &args);
        assert_ne!(told["isError"], true, "{tool}: {told}");
        let told = told["structuredContent"].to_string();
        assert!(!told.contains("wide") && !told.contains("git"), "{tool}: {told}");
    }
    // A new session tells what is remembered to whoever may read that.
    let begun = |key: &str| say(key, "session_start", &json!({}))["structuredContent"].clone();
    assert_eq!(begun(ANN)["current_work"]["active_issue"], "A-1");
    assert_eq!(begun(ANN)["log"][0]["action"], "looked", "{}", begun(ANN));
    let told = begun(BEN);
    assert_eq!((&told["current_work"], &told["log"]), (&json!({}), &json!([])), "{told}");
    // There is no repository, which is a mistake that repeats.
    for _ in 0..3 {
        say(ANN, "tool_call", &json!({"tool_name": "git_status"}));
    }
    assert!(begun(ANN)["known_mistakes"].to_string().contains("git_status"), "{}", begun(ANN));
    assert_eq!(told["known_mistakes"], json!([]), "{told}");
    // What is there for others is not told apart from what is not there at all.
    let direct = |key: &str, tool: &str| {
        let mut headers = modern_headers(tool);
        headers.push(("Authorization", key));
        let reply = served.post("/mcp", &headers, &modern(1, tool, &json!({}))).message();
        reply["error"]["message"].as_str().unwrap_or_default().replace(tool, "it")
    };
    assert_eq!(direct(BEN, "git_status"), direct(BEN, "zzz_zzzzzz"));
    assert_eq!(direct(BEN, "git_status"), "unknown tool `it`");
    assert_ne!(
        say(BEN, "tool_call", &json!({"tool_name": "echo", "arguments": {"value": 1}}))["isError"],
        true
    );
}

const ASK: &str = "name: ask\ndescription: Asks\nsteps: [{name: sure, confirm: {message: 'really?', options: [yes, no]}}]\noutputs: [{name: sure, value: '{{ sure }}'}]\n";

#[test]
fn what_a_client_carries_is_good_for_one_principal_in_one_folder() {
    let aa = shared("").skill("ask", ASK).file("other/.aa/skills/ask.yaml", ASK);
    let served = serve(&aa, &[]);
    let args = json!({"skill_name": "ask"});
    let say = |key: &str, folder: &str, state: Option<&Value>| {
        let mut message = modern(1, "skill_run", &args);
        message["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({"elicitation": {}});
        message["params"]["_meta"]["aa/workspace"] = json!(aa.path(folder));
        if let Some(state) = state {
            message["params"]["requestState"] = state.clone();
            message["params"]["inputResponses"] =
                json!({"sure": {"action": "accept", "content": {"answer": "yes"}}});
        }
        let mut headers = modern_headers("skill_run");
        headers.push(("Authorization", key));
        served.post("/mcp", &headers, &message).message()
    };
    let local = format!("Bearer {}", served.token);
    let state = say(&local, "", None)["result"]["requestState"].clone();
    assert!(state.is_string());
    for (key, folder) in [(ANN, ""), (local.as_str(), "other")] {
        let refused = say(key, folder, Some(&state));
        assert_eq!(refused["error"]["code"], -32602, "{refused}");
        assert!(refused["error"]["message"].as_str().unwrap().contains("request state"), "{refused}");
    }
    let done = say(&local, "", Some(&state));
    assert_eq!(done["result"]["structuredContent"], json!({"sure": "yes"}), "{done}");
}

#[test]
fn an_unknown_persona_is_told_and_a_new_one_needs_no_restart() {
    let aa = shared("");
    let served = serve(&aa, &[]);
    let reply = served.post("/mcp/smal", &[("Authorization", ANN)], &hello());
    assert_eq!(reply.status, 404);
    assert!(reply.body.contains("did you mean `/mcp/small`?") && reply.body.contains("core"), "{reply:?}");
    let hidden = served.post("/mcp/cor", &[("Authorization", BEN)], &hello());
    assert!(!hidden.body.contains("core"), "{hidden:?}");
    assert_eq!(served.post("/mcp/later", &[("Authorization", ANN)], &hello()).status, 404);
    let _aa = aa.file(".aa/personas/later.yaml", "name: later\ndescription: Came later\n");
    assert_eq!(served.post("/mcp/later", &[("Authorization", ANN)], &hello()).status, 200);
    for path in ["/mcp/..", "/mcp/%2e%2e%2fconfig", "/mcp/a%00b"] {
        assert_eq!(served.post(path, &[("Authorization", ANN)], &hello()).status, 404, "{path}");
    }
}

#[test]
fn messages_requests_and_sessions_are_bounded() {
    let aa = shared("  session_timeout: 2s\n  limits: {message: 4096, sessions: 2, rate: 20}\n");
    let served = serve(&aa, &[]);
    let long = modern(1, "skill_list", &json!({"text": "x".repeat(5000)}));
    assert_eq!(served.post("/mcp", &modern_headers("skill_list"), &long).status, 413);
    let ann = [("Authorization", ANN)];
    let ids: Vec<String> = (0..2).map(|_| served.session("/mcp", &ann)).collect();
    // What a header says makes no difference.
    let third = served.session("/mcp", &[("Authorization", ANN), ("Mcp-Method", "initialize")]);
    let ids = [ids[0].clone(), ids[1].clone(), third];
    let ping = json!({"jsonrpc": "2.0", "id": 2, "method": "ping"});
    let status =
        |id: &str| served.post("/mcp", &[("Authorization", ANN), ("Mcp-Session-Id", id)], &ping).status;
    assert_eq!([&ids[0], &ids[1], &ids[2]].map(|id| status(id)), [404, 200, 200]);
    std::thread::sleep(Duration::from_millis(3500));
    assert_eq!((status(&ids[1]), status(&ids[2])), (404, 404));
    let begun = Instant::now();
    let flood = (0..).map(|_| served.post("/mcp", &[("Authorization", BEN)], &ping)).find(|reply| {
        assert!(begun.elapsed() < Duration::from_secs(30), "nothing stops a flood");
        reply.status == 429
    });
    assert!(flood.unwrap().header("retry-after").is_some());
    // The others do not suffer for it.
    assert_ne!(served.post("/mcp", &[], &ping).status, 429);
}

#[test]
fn no_answer_is_for_a_browser_to_use() {
    let aa = Aa::new();
    let served = Served::new(&aa, &[]);
    for (line, key) in
        [("GET /healthz", ""), ("POST /mcp", ""), ("GET /nowhere", &*format!("Bearer {}", served.token))]
    {
        let reply = served.ask(line, &[("Authorization", key)], "");
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("cache-control", "no-store"),
            ("x-frame-options", "deny"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-resource-policy", "same-origin"),
            ("cross-origin-opener-policy", "same-origin"),
            ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
        ] {
            assert_eq!(reply.header(name), Some(value), "{line}");
        }
        assert_eq!(reply.header("access-control-allow-origin"), None);
    }
}

#[test]
fn a_head_that_is_too_long_is_refused() {
    let aa = Aa::new();
    let served = Served::new(&aa, &[]);
    // In whatever pieces it comes.
    for length in [65_536, 70_000, 70_000, 70_000, 131_072, 200_000] {
        let long = "x".repeat(length);
        assert_eq!(served.ask("GET /healthz", &[("X-Long", long.as_str())], "").status, 431, "{length}");
    }
    let fits = "x".repeat(60_000);
    assert_eq!(served.ask("GET /healthz", &[("X-Long", fits.as_str())], "").status, 200);
    let names: Vec<String> = (0..80).map(|number| format!("X-{number}")).collect();
    let many: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "1")).collect();
    assert_eq!(served.ask("GET /healthz", &many, "").status, 431);
    assert_eq!(served.ask("GET /healthz", &many[..40], "").status, 200);
}

#[test]
fn whoever_tries_keys_has_to_wait_and_keeps_nobody_out() {
    let aa = shared("  limits: {wrong_keys: 5}\n");
    let served = serve(&aa, &[]);
    let ask = |key: &str| served.post("/mcp", &[("Authorization", key)], &hello());
    for number in 0..5 {
        assert_eq!(ask(&format!("Bearer {number}-guessed-0123456789abcdef0123456789")).status, 401);
    }
    for number in 5..20 {
        let reply = ask(&format!("Bearer {number}-guessed-0123456789abcdef0123456789"));
        assert_eq!(reply.status, 429, "{reply:?}");
        let wait: u64 = reply.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=12).contains(&wait), "{reply:?}");
        assert!(reply.body.contains("wrong keys"), "{reply:?}");
    }
    // From the same address: a key that opens, no key at all, and what needs none.
    assert_eq!(ask(ANN).status, 200);
    assert_eq!(ask("").status, 401);
    assert_eq!(served.ask("GET /healthz", &[("Authorization", "")], "").status, 200);
    let socket = [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13")];
    let mut socket = socket.to_vec();
    socket.extend([("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="), ("Authorization", "Bearer guessed")]);
    assert_eq!(served.ask("GET /ws", &socket, "").status, 429);
    eventually("it is told", || served.said().contains("outcome=\"throttled\""));
    let told = |outcome: &str| served.said().matches(&format!("outcome=\"{outcome}\"")).count();
    assert_eq!((told("unauthorised"), told("throttled")), (1, 1), "{}", served.said());
    assert!(!served.said().contains("guessed"));
}

#[test]
fn one_address_has_so_many_connections_and_no_more() {
    let aa = Aa::new().own_config("serve: {limits: {connections: 3}}\n");
    let served = Served::new(&aa, &[]);
    let connect = || TcpStream::connect(&served.address).unwrap();
    let mut held = vec![connect(), connect(), connect()];
    let mut crowded = connect();
    crowded.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut answer = String::new();
    crowded.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 429 ") && answer.contains("Retry-After: 1"), "{answer}");
    eventually("it is told", || served.said().contains("serve.limits.connections"));
    held.pop();
    eventually("there is room again", || served.ask("GET /healthz", &[], "").status == 200);
}

#[test]
fn a_callers_key_is_passed_on_to_nobody() {
    let service = Server::new(|_| Reply::json(200, &json!({"seen": true})));
    let module = format!(
        "module: shop\ndescription: A shop\nhttp: {{base: '{}', retries: 0}}\ntools:\n  - name: shop_look\n    description: Looks\n    effect: read\n    input: {{}}\n    output: {{type: object}}\n    http: {{path: /look}}\n",
        service.url
    );
    let aa = Aa::new().tools("shop", &module);
    let served = Served::new(&aa, &["--all"]);
    let result = served.call("shop_look", &json!({}));
    assert_ne!(result["isError"], true, "{result}");
    let asked = service.asked();
    assert_eq!(asked.len(), 1);
    let shown = |value: &String| value.contains(&served.token);
    let headers = &asked[0].headers;
    assert!(!headers.contains_key("authorization") && !headers.values().any(shown), "{asked:?}");
}

#[test]
fn every_call_is_noted_without_what_was_asked() {
    let aa = shared("");
    let served = serve(&aa, &["--all"]);
    let say = |key: &str, tool: &str, args: &Value| {
        let mut headers = modern_headers(tool);
        headers.push(("Authorization", key));
        served.post("/mcp", &headers, &modern(1, tool, args))
    };
    assert_eq!(say(ANN, "echo", &json!({"value": "hunter2"})).status, 200);
    say(ANN, "skill_run", &json!({"skill_name": "no_such_skill"}));
    eventually("both are noted", || served.said().lines().filter(|line| line.contains("ms=")).count() == 2);
    let said = served.said();
    let line = said.lines().find(|line| line.contains("tool=\"echo\"")).unwrap();
    assert!(line.contains("principal=\"ann\"") && line.contains("outcome=\"ok\""), "{line}");
    assert!(said.contains("outcome=\"failed\"") && !said.contains("hunter2"), "{said}");
}

const SLOW: &str = "module: slow\ndescription: Waits\nrequires: {commands: [sh]}\ntools:\n  - name: slow_wait\n    description: Waits\n    effect: read\n    input: {seconds: {type: string}}\n    run: [sh, -c, 'touch begun; sleep \"$1\"; echo over', sh, '{{ seconds }}']\n    result: text\n";

#[test]
fn a_server_that_is_told_to_stop_answers_first() {
    let aa = Aa::new().tools("slow", SLOW);
    let mut served = Served::new(&aa, &["--all"]);
    let answer = std::thread::scope(|scope| {
        let asked = scope.spawn(|| served.call("slow_wait", &json!({"seconds": "1"})));
        eventually("the call is under way", || aa.path("begun").exists());
        served.signal(Signal::TERM);
        eventually("nobody is let in", || TcpStream::connect(served.address).is_err());
        asked.join().unwrap()
    });
    assert!(answer.to_string().contains("over"), "{answer}");
    assert_eq!(served.ended(), Some(0));
}

#[test]
fn a_server_that_is_told_to_stop_does_not_wait_for_ever() {
    let aa = Aa::new().tools("slow", SLOW).config("serve: {shutdown_timeout: 200ms}\n");
    let mut served = Served::new(&aa, &["--all"]);
    let (headers, message) = (modern_headers("slow_wait"), modern(1, "slow_wait", &json!({"seconds": "60"})));
    let begun = std::thread::scope(|scope| {
        scope.spawn(|| served.post("/mcp", &headers, &message));
        eventually("the call is under way", || aa.path("begun").exists());
        served.signal(Signal::INT);
        Instant::now()
    });
    assert_eq!(served.ended(), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_stream_without_end_does_not_keep_a_server() {
    let aa = Aa::new();
    let mut served = Served::new(&aa, &[]);
    let id = served.session("/mcp", &[]);
    std::thread::scope(|scope| {
        let listening = scope.spawn(|| served.ask("GET /mcp", &[("Mcp-Session-Id", &id)], ""));
        let call = call(2, "skill_list", &json!({}));
        assert_eq!(served.post("/mcp", &[("Mcp-Session-Id", &id)], &call).status, 200);
        std::thread::sleep(Duration::from_millis(100));
        let told = Instant::now();
        served.signal(Signal::TERM);
        assert_eq!(listening.join().unwrap().status, 200);
        assert!(told.elapsed() < Duration::from_secs(5));
    });
    assert_eq!(served.ended(), Some(0));
}

#[test]
fn the_checklist_names_tests_that_exist() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let list = std::fs::read_to_string(root.join("docs/security.md")).unwrap();
    let ticked: Vec<&str> = list.lines().filter(|line| line.starts_with("- [x] ")).collect();
    assert!(ticked.len() > 15, "the list is not where this test looks for it");
    for line in list.lines().filter(|line| line.starts_with("- [ ] ")) {
        let reason = line.split_once(": ").map(|(_, reason)| reason).unwrap_or_default();
        assert!(reason.len() > 20 && !reason.contains("tested in"), "neither a test nor a reason: {line}");
    }
    for line in ticked {
        let proof = line.rsplit_once(": `").unwrap_or_else(|| panic!("no test: {line}")).1;
        let mut text = String::new();
        for word in proof.split('`').filter(|word| !word.trim_matches([',', ' ']).is_empty()) {
            if word.contains('/') {
                text = std::fs::read_to_string(root.join(word)).unwrap_or_else(|_| panic!("no file: {word}"));
            } else {
                assert!(text.contains(&format!("fn {word}(")), "no test `{word}`: {line}");
            }
        }
    }
}
