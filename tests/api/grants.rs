//! Roles and scopes of keys: what is not named is not there, and what is there is there up to an effect.

use serde_json::{Value, json};

use super::support::{ASK, CI, FAIL, HANG, LOOK, Socket, WRITE, found, stands, start};
use crate::mcp::wire::{Reply, Served, modern, modern_headers};
use crate::support::{Aa, eventually};

fn project(serve: &str, key: &str) -> Aa {
    let config = format!(
        "secrets: {{CI: {{env: CI_KEY}}}}\nserve:\n  policy: {{write: allow}}\n{serve}  keys: [{{principal: ci, key: '{{{{ secrets.CI }}}}'{key}}}]\n"
    );
    Aa::traced().skill("look", LOOK).skill("write", WRITE).skill("fail", FAIL).own_config(&config)
}

fn serve(aa: &Aa) -> Served {
    Served::start(aa.args(["serve", "--all", "--listen", "127.0.0.1:0"]).env("CI_KEY", CI))
}

fn guest(served: &Served, line: &str, body: &Value) -> Reply {
    let key = format!("Bearer {CI}");
    let body = if line.starts_with("GET") { String::new() } else { body.to_string() };
    served.ask(line, &[("Authorization", key.as_str())], &body)
}

fn call(served: &Served, tool: &str, args: &Value) -> Value {
    let key = format!("Bearer {CI}");
    let mut headers = modern_headers(tool);
    headers.push(("Authorization", key.as_str()));
    served.post("/mcp", &headers, &modern(1, tool, args)).message()
}

fn names(list: &Value) -> Vec<&str> {
    list["items"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect()
}

#[test]
fn a_scope_names_what_may_be_used_and_how_strongly() {
    let aa = project("", ", scopes: ['skill:look:read', 'skill:write:read', 'tool:trace_look:read']");
    let served = serve(&aa);
    assert_eq!(names(&guest(&served, "GET /api/skills", &json!({})).message()), ["look", "write"]);
    assert_eq!(names(&guest(&served, "GET /api/tools", &json!({})).message()), ["trace_look"]);
    let ran = guest(&served, "POST /api/skills/look/run", &json!({}));
    assert_eq!(ran.status, 201, "{ran:?}");
    let refused = guest(&served, "POST /api/skills/write/run", &json!({"inputs": {"line": "x"}}));
    assert_eq!(refused.status, 403, "{refused:?}");
    assert!(refused.body.contains("`write` with the effect `write`"), "{refused:?}");
    let dry =
        guest(&served, "POST /api/skills/write/run", &json!({"inputs": {"line": "x"}, "dry_run": true}));
    assert_eq!(dry.status, 201, "a dry run changes nothing: {dry:?}");
    assert_eq!(guest(&served, "POST /api/skills/fail/run", &json!({})).status, 403);
    assert_eq!(guest(&served, "POST /api/tools/trace_look/call", &json!({})).status, 200);
    assert_eq!(
        guest(&served, "POST /api/tools/trace_write/call", &json!({"args": {"line": "x"}})).status,
        403
    );
    let modules = call(&served, "tool_list", &json!({}))["result"]["structuredContent"]["modules"].clone();
    assert_eq!(modules.as_array().map(Vec::len), Some(1), "no others are told: {modules}");
    // The same for AI clients, whatever they call it by.
    for (tool, args) in [
        ("write", json!({"line": "x"})),
        ("skill_run", json!({"skill_name": "write", "inputs": {"line": "x"}})),
        ("skill_run", json!({"skill_name": "fail"})),
        ("tool_call", json!({"tool_name": "trace_write", "arguments": {"line": "x"}})),
        ("fail", json!({})),
        ("trace_write", json!({"line": "x"})),
    ] {
        let said = call(&served, tool, &args);
        let refused = said["error"].is_object() || said["result"]["isError"] == true;
        assert!(refused, "{tool}: {said}");
    }
    let looked = call(&served, "look", &json!({}));
    assert!(looked["result"].is_object() && looked["result"]["isError"] != true, "{looked}");
    let runs = found(&served, "/api/runs?skill=write");
    assert_eq!(runs["items"].as_array().unwrap().len(), 1, "only the dry run: {runs}");
}

#[test]
fn roles_are_bundles_of_scopes_and_an_admin_sees_all_runs_of_the_tenant() {
    let aa = project("  roles: {deployer: ['skill:wr*:write']}\n", ", roles: [deployer]");
    let served = serve(&aa);
    assert_eq!(names(&guest(&served, "GET /api/skills", &json!({})).message()), ["write"]);
    assert_eq!(guest(&served, "POST /api/skills/write/run", &json!({"inputs": {"line": "x"}})).status, 201);
    assert_eq!(guest(&served, "GET /api/memory", &json!({})).status, 403);
    drop(served);
    let aa = project("", ", roles: [admin]");
    let served = serve(&aa);
    let own = served.post("/api/skills/look/run", &[], &json!({})).message()["run"].clone();
    assert_eq!(guest(&served, &format!("GET /api/runs/{own}"), &json!({})).status, 200);
    assert_eq!(guest(&served, "GET /api/runs", &json!({})).message()["items"].as_array().unwrap().len(), 1);
    assert_eq!(guest(&served, "POST /api/heal/rules/kube_login/reset", &json!({})).status, 200);
    drop(served);
    let aa = project("", ", roles: [viewer]");
    let served = serve(&aa);
    let own = served.post("/api/skills/look/run", &[], &json!({})).message()["run"].clone();
    assert_eq!(guest(&served, &format!("GET /api/runs/{own}"), &json!({})).status, 404);
    assert_eq!(guest(&served, "POST /api/skills/write/run", &json!({"inputs": {"line": "x"}})).status, 403);
    assert_eq!(guest(&served, "POST /api/heal/rules/kube_login/reset", &json!({})).status, 403);
}

#[test]
fn a_key_expires_with_whatever_it_listens_to() {
    let soon = chrono::Utc::now() + chrono::TimeDelta::seconds(20);
    let aa = project("", &format!(", expires: '{}'", soon.to_rfc3339()));
    let served = serve(&aa);
    assert_eq!(guest(&served, "GET /api/skills", &json!({})).status, 200);
    let key = format!("Bearer {CI}");
    let mut socket = Socket::open(served.address, "/ws", &[("Authorization", key.as_str())]).unwrap();
    assert_eq!(socket.hear()["type"], "connected");
    eventually("it opens nothing any more", || guest(&served, "GET /api/skills", &json!({})).status == 401);
    assert_eq!(socket.closed(), 4401);
}

#[test]
fn a_key_that_was_made_is_kept_as_a_hash_and_opens() {
    let maker = Aa::new();
    let mut call = maker.args(["config", "key", "robot", "--role", "viewer"]).command();
    let made = call.output().unwrap();
    // As it came: what is printed for people elsewhere hides hashes.
    let (out, err) = (String::from_utf8(made.stdout).unwrap(), String::from_utf8(made.stderr).unwrap());
    let key = out.trim().to_owned();
    assert!(key.starts_with("aa_") && key.len() > 50, "{key}");
    let line = err.lines().find(|line| line.contains("sha256:")).unwrap().trim().to_owned();
    assert!(!err.contains(&key), "the key itself is only on stdout");
    let aa = Aa::traced().skill("look", LOOK).own_config(&format!("serve:\n  keys:\n    {line}\n"));
    let served = Served::new(&aa, &[]);
    let bearer = format!("Bearer {key}");
    let reply = served.ask("GET /api/skills", &[("Authorization", bearer.as_str())], "");
    assert_eq!(reply.status, 200, "{reply:?}");
    let wrong = format!("Bearer {key}x");
    assert_eq!(served.ask("GET /api/skills", &[("Authorization", wrong.as_str())], "").status, 401);
}

/// A skill that is the owner's word: it reads a path of its own, and one that it is given.
const READS: &str = "name: reads\ndescription: Reads\ninputs: [{name: path, type: string, required: true}]\nsteps:\n  - {name: own, tool: file_read, args: {path: OWN}}\n  - {name: given, tool: file_read, args: {path: '{{ inputs.path }}'}}\n";

#[test]
fn whoever_may_only_look_reads_nothing_that_lies_elsewhere() {
    let aa = project("", ", roles: [viewer]").file("note.txt", "hello").file(".aa/notes", "own");
    let outside = tempfile::NamedTempFile::new().unwrap();
    let aa = aa.skill("reads", &READS.replace("OWN", &outside.path().display().to_string()));
    std::os::unix::fs::symlink(aa.home().join("state"), aa.path("way")).unwrap();
    let served = serve(&aa);
    let state = aa.home().join("state/aa-workflow");
    let token = state.join("serve.token").display().to_string();
    let config = aa.home().join("config/aa-workflow/config.yaml").display().to_string();
    let read = |path: &str| {
        let body = json!({"args": {"path": path}});
        (
            guest(&served, "POST /api/tools/file_read/call", &body),
            call(&served, "file_read", &json!({"path": path})),
        )
    };
    let other = outside.path().display().to_string();
    for path in [token.as_str(), "way/aa-workflow/serve.token", &config, &other, "/etc/passwd", ".aa/notes"] {
        let (api, mcp) = read(path);
        assert_eq!(api.status, 403, "{path}: {api:?}");
        assert!(api.body.contains("is closed to whoever asks with a key"), "{path}: {api:?}");
        assert_eq!(mcp["result"]["isError"], true, "{path}: {mcp}");
        let ran = guest(&served, "POST /api/skills/reads/run", &json!({"inputs": {"path": path}}));
        assert_eq!(ran.status, 403, "{path}: {ran:?}");
    }
    for (tool, args) in [
        ("file_search", json!({"path": state, "pattern": "."})),
        ("file_hash", json!({"path": token})),
        ("git_log", json!({"repo": state})),
        ("code_search", json!({"project": state, "query": "a"})),
    ] {
        let refused = guest(&served, &format!("POST /api/tools/{tool}/call"), &json!({ "args": args }));
        assert_eq!(refused.status, 403, "{tool}: {refused:?}");
    }
    let (api, _) = read("note.txt");
    assert_eq!((api.status, &api.message()["result"]["content"]), (200, &json!("hello")), "{api:?}");
    // What the skill names itself, its owner names.
    let ran = guest(&served, "POST /api/skills/reads/run", &json!({"inputs": {"path": "note.txt"}}));
    stands(&served, ran.message()["run"].as_i64().unwrap(), "completed");
}

#[test]
fn no_run_of_a_guest_reads_who_may_come_in() {
    let aa = project("", ", roles: [operator]");
    let token = aa.home().join("state/aa-workflow/serve.token").display().to_string();
    let skill = "name: leaks\ndescription: L\nsteps: [{name: own, tool: file_read, args: {path: TOKEN}}]\noutputs: [{name: said, value: '{{ own.content }}'}]\n";
    let aa = aa.skill("leaks", &skill.replace("TOKEN", &token));
    let served = serve(&aa);
    let ran = guest(&served, "POST /api/skills/leaks/run", &json!({}));
    let failed = stands(&served, ran.message()["run"].as_i64().unwrap(), "failed");
    assert!(failed.to_string().contains("closed to whoever asks with a key"), "{failed}");
    // A project may have been written by anybody, and its links lead anywhere.
    std::os::unix::fs::symlink(&token, aa.path("README.md")).unwrap();
    let scan = json!({"args": {"project": "", "force": true}});
    let ran = guest(&served, "POST /api/tools/knowledge_scan/call", &scan);
    let seen = stands(&served, ran.message()["run"].as_i64().unwrap(), "completed");
    let kept = guest(&served, "POST /api/tools/knowledge_query/call", &json!({"args": {}}));
    let secret = std::fs::read_to_string(&token).unwrap();
    assert!(!format!("{seen}{kept:?}").contains(secret.trim()), "{seen}{kept:?}");
    // The owner reads what is theirs.
    stands(&served, start(&served, "leaks", &json!({})), "completed");
}

#[test]
fn no_guest_brings_a_project_of_their_own() {
    let planted = "module: y\ndescription: Y\ntools: [{name: y_id, description: Y, effect: read, input: {}, run: [id]}]\n";
    let aa = project("", "").file("sub/.aa/tools/y.yaml", planted).file("plain/note.txt", "hello");
    let served = serve(&aa);
    for path in ["other/.aa/tools/y.yaml", "other/.AA/tools/y.yaml", "sub/.aa/tools/z.yaml"] {
        let body = json!({"args": {"path": path, "content": planted}});
        let made = guest(&served, "POST /api/tools/file_write/call", &body);
        let run = made.message()["run"].as_i64().unwrap_or_else(|| panic!("{path}: {made:?}"));
        let failed = stands(&served, run, "failed");
        assert!(failed.to_string().contains("is closed to whoever asks with a key"), "{path}: {failed}");
        assert!(!aa.path(path).exists(), "{path}");
    }
    // One that came there in another way is not worked in.
    let within = |folder: &str| {
        let mut message = modern(1, "tool_call", &json!({"tool_name": "y_id"}));
        message["params"]["_meta"]["aa/workspace"] = json!(aa.path(folder));
        let key = format!("Bearer {CI}");
        let mut headers = modern_headers("tool_call");
        headers.push(("Authorization", key.as_str()));
        served.post("/mcp", &headers, &message).message().to_string()
    };
    assert!(within("sub").contains("may not work in"), "{}", within("sub"));
    assert!(within("plain").contains("there is no tool `y_id`"), "{}", within("plain"));
}

#[test]
fn commands_of_a_guest_are_not_run() {
    let shells = "name: shells\ndescription: S\nsteps: [{name: own, tool: shell, args: {script: echo hello}}]\noutputs: [{name: said, value: '{{ own }}'}]\n";
    let aa = project("  self_approve: true\n", "").skill("shells", shells);
    let served = serve(&aa);
    let called = guest(&served, "POST /api/tools/shell/call", &json!({"args": {"command": "id"}}));
    let run = called.message()["run"].as_i64().unwrap_or_else(|| panic!("{called:?}"));
    let answer = json!({"step": "approval", "answer": "approve"});
    guest(&served, &format!("POST /api/runs/{run}/answer"), &answer);
    let failed = stands(&served, run, "failed");
    assert!(failed.to_string().contains("commands of whoever asks with a key are not run"), "{failed}");
    // Those of a skill are its owner's.
    let called = guest(&served, "POST /api/skills/shells/run", &json!({}));
    let run = called.message()["run"].as_i64().unwrap();
    guest(&served, &format!("POST /api/runs/{run}/answer"), &answer);
    stands(&served, run, "completed");
}

#[test]
fn nobody_approves_of_what_they_have_started_themselves() {
    let aa = project("", "").skill("ask", ASK);
    let served = serve(&aa);
    let waits = || {
        let called = guest(&served, "POST /api/tools/shell/call", &json!({"args": {"command": "id"}}));
        let run = called.message()["run"].as_i64().unwrap_or_else(|| panic!("{called:?}"));
        stands(&served, run, "waiting");
        run
    };
    let answer = |run: i64, step: &str, answer: &str| {
        guest(&served, &format!("POST /api/runs/{run}/answer"), &json!({"step": step, "answer": answer}))
    };
    let run = waits();
    let refused = answer(run, "approval", "approve");
    assert_eq!(refused.status, 403, "{refused:?}");
    for said in ["/api/problems/policy", "somebody else has to approve", "the owner of this server may"] {
        assert!(refused.body.contains(said), "{said}: {refused:?}");
    }
    stands(&served, run, "waiting");
    let by_owner = json!({"step": "approval", "answer": "approve"});
    assert_eq!(served.post(&format!("/api/runs/{run}/answer"), &[], &by_owner).status, 200);
    // To want it no more is no approval, and what a skill asks is asked of anybody.
    assert_eq!(answer(waits(), "approval", "reject").status, 200);
    let asked = guest(&served, "POST /api/skills/ask/run", &json!({})).message()["run"].as_i64().unwrap();
    stands(&served, asked, "waiting");
    assert_eq!(answer(asked, "sure", "yes").status, 200);
}

/// Calls the shell as a client that can show a form, or once more with what came back.
fn with_form(served: &Served, key: &str, again: Option<&Value>) -> Value {
    let mut message = modern(1, "shell", &json!({"command": "id"}));
    let capabilities = "io.modelcontextprotocol/clientCapabilities";
    message["params"]["_meta"][capabilities] = json!({"elicitation": {}});
    if let Some(state) = again {
        message["params"]["requestState"] = state.clone();
        let filled = json!({"action": "accept", "content": {"answer": "approve"}});
        message["params"]["inputResponses"] = json!({ "approval": filled });
    }
    let key = format!("Bearer {key}");
    let mut headers = modern_headers("shell");
    headers.push(("Authorization", key.as_str()));
    served.post("/mcp", &headers, &message).message()["result"].clone()
}

#[test]
fn a_form_is_no_approval_of_what_the_same_key_has_started() {
    let aa = project("", "");
    let served = serve(&aa);
    let waits = with_form(&served, CI, None);
    assert!(waits["inputRequests"].is_null(), "nobody is asked whose answer does not count: {waits}");
    let said = waits["content"].to_string();
    assert!(said.contains("somebody else has to approve of it"), "{waits}");
    let run = waits["structuredContent"]["run_id"].as_i64().unwrap();
    stands(&served, run, "waiting");
    let by_owner = json!({"step": "approval", "answer": "approve"});
    assert_eq!(served.post(&format!("/api/runs/{run}/answer"), &[], &by_owner).status, 200);

    // The owner of the server is asked, and so is whoever is let.
    let aa = project("", ", self_approve: true");
    let served = serve(&aa);
    for key in [CI, served.token.as_str()] {
        let asked = with_form(&served, key, None);
        assert!(asked["inputRequests"]["approval"].is_object(), "{asked}");
        let done = with_form(&served, key, Some(&asked["requestState"]));
        assert!(!done["content"].to_string().contains("somebody else"), "{done}");
    }
}

#[test]
fn to_see_the_runs_of_others_is_not_to_steer_them() {
    let aa = project("", ", scopes: ['runs:all', 'skill:look:read']").skill("ask", ASK).skill("hang", HANG);
    let served = serve(&aa);
    let asked = start(&served, "ask", &json!({}));
    stands(&served, asked, "waiting");
    let hangs = start(&served, "hang", &json!({}));
    assert_eq!(guest(&served, &format!("GET /api/runs/{asked}"), &json!({})).status, 200);
    for (run, what, body) in [
        (asked, "answer", json!({"step": "sure", "answer": "yes"})),
        (asked, "resolve", json!({"step": "sure", "resolution": "fail"})),
        (hangs, "cancel", json!({})),
    ] {
        let refused = guest(&served, &format!("POST /api/runs/{run}/{what}"), &body);
        assert_eq!(refused.status, 403, "{what}: {refused:?}");
    }
    stands(&served, asked, "waiting");
    served.post(&format!("/api/runs/{hangs}/cancel"), &[], &json!({}));
    stands(&served, hangs, "cancelled");
}

#[test]
fn settings_are_the_owners_business() {
    let aa = project("", "");
    let served = serve(&aa);
    let read = |key: &str| {
        let session = served.session("/mcp", &[("Authorization", key)]);
        let headers = [("Authorization", key), ("Mcp-Session-Id", session.as_str())];
        let ask = |method: &str, params: Value| {
            let message = json!({"jsonrpc": "2.0", "id": 2, "method": method, "params": params});
            served.post("/mcp", &headers, &message).message()
        };
        (ask("resources/read", json!({"uri": "aa://config"})), ask("resources/list", json!({})))
    };
    let (settings, list) = read(&format!("Bearer {CI}"));
    assert_eq!(settings["error"]["message"], "there is no such resource", "{settings}");
    assert!(!list.to_string().contains("aa://config"), "{list}");
    let (settings, list) = read(&format!("Bearer {}", served.token));
    assert!(settings["result"]["contents"][0]["text"].as_str().unwrap().contains("principal"), "{settings}");
    assert!(list.to_string().contains("aa://config"), "{list}");
}
