//! Pages as people see them: driven in Debian's Chromium by the scripts beside this file.

use serde_json::{Value, json};

use super::support::{browse, browse_in, project, serve, waits};
use crate::api::support::{found, stands, start};
use crate::mcp::wire::{Served, modern, modern_headers};

/// Starts a run, and waits until it is over.
fn ran(served: &Served, skill: &str, inputs: &Value, status: &str) -> i64 {
    let run = start(served, skill, &json!({ "inputs": inputs }));
    stands(served, run, status);
    run
}

/// Starts a run that waits for a person.
fn asking(served: &Served, skill: &str) -> i64 {
    let run = start(served, skill, &json!({}));
    waits(served, run);
    run
}

/// Calls a tool over the API, and waits until it has done what it does.
fn call(served: &Served, tool: &str, args: &Value) {
    let reply = served.post(&format!("/api/tools/{tool}/call"), &[], &json!({ "args": args }));
    assert_eq!(reply.status, 200, "{tool}: {reply:?}");
    if let Some(run) = reply.message()["run"].as_i64() {
        stands(served, run, "completed");
    }
}

/// Something of everything that can be remembered.
fn remember(served: &Served) {
    let work = json!({
        "active_issues": [{"key": "AAP-1234", "summary": "Mend the build", "status": "In Progress"}],
        "follow_ups": [{"task": "tell the others"}],
    });
    call(served, "memory_write", &json!({"key": "state/current_work", "content": work}));
    let notes = json!({"animals": ["a zebra was seen in the log"], "count": 3});
    call(served, "memory_write", &json!({"key": "learned/animals", "content": notes}));
    call(served, "memory_session_log", &json!({"action": "looked at the build"}));
    call(served, "knowledge_scan", &json!({}));
    // The same call fails again and again.
    for _ in 0..3 {
        let run = start(served, "moody", &json!({"inputs": {"bad": true}}));
        stands(served, run, "failed");
    }
}

/// Works in a folder as an AI client does; gives its address.
fn work_in(served: &Served) -> String {
    let args = json!({"name": "mending the build"});
    let opened = served.post("/mcp", &modern_headers("session_start"), &modern(1, "session_start", &args));
    assert_eq!(opened.status, 200, "{opened:?}");
    let all = found(served, "/api/workspaces");
    let uri = all["items"][0]["workspace_uri"].as_str().unwrap_or_else(|| panic!("{all}"));
    uri.replace('/', "%2F").replace(':', "%3A")
}

/// Has every page looked at in some windows.
#[track_caller]
fn looked_at(windows: &Value) {
    let aa = project();
    let served = serve(&aa);
    let done = ran(&served, "look", &json!({"note": "x"}), "completed");
    ran(&served, "moody", &json!({"bad": false}), "completed");
    let failed = ran(&served, "moody", &json!({"bad": true}), "failed");
    let asks = asking(&served, "story");
    asking(&served, "form");
    start(&served, "hang", &json!({}));
    remember(&served);
    let folder = work_in(&served);
    let pages = json!({
        "overview": "/ui",
        "runs": "/ui/runs",
        "runs-failed": "/ui/runs?status=failed&age=day",
        "runs-none": "/ui/runs?skill=nothing",
        "run-graph": format!("/ui/runs/{asks}"),
        "run-timeline": format!("/ui/runs/{asks}?view=timeline&step=first"),
        "run-log": format!("/ui/runs/{failed}?view=log&step=break"),
        "run-data": format!("/ui/runs/{done}?view=data"),
        "run-compare": format!("/ui/runs/{failed}/compare"),
        "skills": "/ui/skills",
        "skill": "/ui/skills/story",
        "skill-broken": "/ui/skills/broken",
        "skill-start": "/ui/skills/several/run",
        "schedules": "/ui/schedules",
        "schedule": "/ui/schedules/often",
        "tools": "/ui/tools",
        "tool": "/ui/tools/git_log",
        "tool-call": "/ui/tools/git_log/call",
        "tool-call-write": "/ui/tools/trace_write/call",
        "memory": "/ui/memory",
        "memory-document": "/ui/memory/documents/state/current_work",
        "memory-found": "/ui/memory/search?q=zebra",
        "memory-knowledge": "/ui/memory/knowledge",
        "memory-mistakes": "/ui/memory/mistakes",
        "workspaces": "/ui/workspaces",
        "workspace": format!("/ui/workspaces/folder?uri={folder}"),
        "audit": "/ui/audit",
        "audit-none": "/ui/audit?who=nobody",
        "personas": "/ui/personas",
        "persona": "/ui/personas/developer",
        "health": "/ui/health",
    });
    browse_in(&served, "pages", &json!({ "pages": pages, "windows": windows }));
}

#[test]
fn every_page_is_accessible_and_fits_on_a_desk() {
    looked_at(&json!([
        {"size": "wide", "scheme": "light"}, {"size": "wide", "scheme": "dark"}, {"size": "tablet", "scheme": "light"},
    ]));
}

#[test]
fn every_page_is_accessible_and_fits_on_a_phone() {
    looked_at(&json!([{"size": "phone", "scheme": "light"}, {"size": "phone", "scheme": "dark"}]));
}

/// Has every live page watched while much happens.
#[track_caller]
fn watched(windows: &Value) {
    let aa = project();
    let served = serve(&aa);
    ran(&served, "moody", &json!({"bad": false}), "completed");
    ran(&served, "moody", &json!({"bad": true}), "failed");
    ran(&served, "look", &json!({}), "completed");
    asking(&served, "form");
    start(&served, "hang", &json!({}));
    let folder = format!("/ui/workspaces/folder?uri={}", work_in(&served));
    browse_in(&served, "steady", &json!({ "windows": windows, "folder": folder }));
}

#[test]
fn nothing_moves_on_a_desk_while_much_happens() {
    watched(&json!([{"size": "wide"}]));
}

#[test]
fn nothing_moves_on_a_phone_while_much_happens() {
    watched(&json!([{"size": "phone"}]));
}

#[test]
fn whoever_has_a_key_comes_in_and_goes_and_nobody_else() {
    let aa = project();
    let served = serve(&aa);
    let run = asking(&served, "story");
    browse(&served, "entry", &json!({ "run": run }), &json!({"key": ""}));
}

#[test]
fn a_run_page_shows_what_happens_while_it_does_and_nothing_moves() {
    let aa = project();
    let served = serve(&aa);
    let (run, asks) = (asking(&served, "story"), asking(&served, "form"));
    browse_in(&served, "live", &json!({ "run": run, "asks": asks }));
    let said = stands(&served, asks, "completed");
    assert_eq!(said["outputs"]["said"]["title"], "</textarea><script>alert(1)</script>", "{said}");
}

/// A tool that works once somebody is logged in, and a login.
const SERVICE: &str = "\
module: service
description: A service that wants a login
tools:
  - name: oc_get
    description: Gets the value
    effect: read
    input: {cluster: {type: string, default: stage}}
    run: [sh, -c, 'if [ -e \"in-$1\" ]; then printf value; else echo \"error: You must be logged in to the server (Unauthorized)\" >&2; exit 1; fi', sh, '{{ cluster }}']
";
const LOGIN: &str = "kube_login: {command: [sh, -c, 'touch \"in-$1\"', sh, '{cluster}'], check: [sh, -c, 'test -e \"in-$1\" && echo tester', sh, '{cluster}']}\n";
const HEALED: &str = "\
name: healed
description: Gets a value, and is mended
steps:
  - {name: get, tool: oc_get, on_error: auto_heal}
  - {name: flaky, tool: trace_flaky, args: {line: x}, retry: {attempts: 3, delay: 50ms}, needs: [get]}
";

#[test]
fn a_step_shows_what_healed_it_and_how_often_it_was_tried() {
    let aa = project().tools("service", SERVICE).skill("healed", HEALED).config(LOGIN);
    let served = serve(&aa);
    let run = ran(&served, "healed", &json!({}), "completed");
    browse_in(&served, "healed", &json!({ "run": run }));
}

#[test]
fn a_run_is_started_from_a_form_after_its_plan_was_shown() {
    let aa = project();
    browse_in(&serve(&aa), "start", &json!({}));
}

#[test]
fn runs_schedules_and_switches_are_steered() {
    let aa = project();
    let served = serve(&aa);
    let hangs = start(&served, "hang", &json!({}));
    let wrote = ran(&served, "write", &json!({}), "completed");
    ran(&served, "moody", &json!({"bad": false}), "completed");
    let failed = ran(&served, "moody", &json!({"bad": true}), "failed");
    browse_in(&served, "acts", &json!({ "hangs": hangs, "wrote": wrote, "failed": failed }));
    stands(&served, hangs, "cancelled");
    assert_eq!(aa.text("trace"), "x\n-x\n");
}

/// A rule that never helps, and soon stops.
const IDLE: &str = "\
module: heal
description: Rules of this project
heal:
  - {name: kube_login, enabled: false, match: {kind: auth}, do: {tool: vpn_connect}}
  - {name: idle, match: {kind: auth}, do: {tool: trace_look}, per_step: 2, cool_down: 0s, breaker: {failures: 2}}
";

#[test]
fn what_has_stopped_is_let_go_on() {
    let aa = project().tools("service", SERVICE).tools("heal", IDLE).skill("healed", HEALED);
    aa.args(["skill", "run", "look", "-q"]).env("AA_TEST_KILL_AFTER", "1").run().killed();
    let served = serve(&aa);
    ran(&served, "healed", &json!({}), "failed");
    let reply = served.post("/api/tools/trace_write/call", &[], &json!({"args": {"line": "again"}}));
    let called = reply.message()["run"].as_i64().unwrap_or_else(|| panic!("{reply:?}"));
    stands(&served, called, "completed");
    browse_in(&served, "again", &json!({"called": called, "died": 1, "rule": "idle"}));
    assert_eq!(aa.text("trace"), "again\nagain\n");
    assert_eq!(stands(&served, 1, "completed")["run"]["skill"], "look");
}

#[test]
fn what_is_in_doubt_is_shown_and_resolved_where_people_look_first() {
    let aa = project().tools(
        "slow",
        "module: slow\ndescription: Slow\nrequires: {commands: [sh]}\ntools:\n  - {name: slow_write, description: Writes slowly, effect: write, input: {}, run: [sleep, '100']}\n",
    );
    let aa = aa.skill("slow", "name: slow\ndescription: Slow\nsteps: [{name: put, tool: slow_write}]\n");
    for _ in 0..3 {
        aa.args(["skill", "run", "slow", "-q"]).env("AA_TEST_KILL_AFTER", "2").run().killed();
    }
    let served = serve(&aa);
    for run in 1..=3 {
        served.post(&format!("/api/runs/{run}/resume"), &[], &json!({}));
        waits(&served, run);
    }
    let asks = asking(&served, "story");
    browse_in(&served, "doubt", &json!({"first": 1, "second": 2, "asks": asks, "all": 4}));
    stands(&served, 1, "failed");
    assert_eq!(stands(&served, 2, "completed")["steps"][0]["state"], "completed");
}

#[test]
fn a_tool_is_called_from_a_form_and_one_that_writes_after_it_was_shown_again() {
    let aa = project();
    browse_in(&serve(&aa), "tool", &json!({}));
    assert_eq!(aa.text("trace"), "second\n");
}

#[test]
fn who_did_what_is_listed_and_checked() {
    let aa = project();
    let served = serve(&aa);
    ran(&served, "moody", &json!({"bad": false}), "completed");
    let run = asking(&served, "story");
    let answer = json!({"step": "gate", "answer": "yes"});
    assert_eq!(served.post(&format!("/api/runs/{run}/answer"), &[], &answer).status, 200);
    stands(&served, run, "completed");
    browse_in(&served, "audit", &json!({ "run": run }));
    drop(served);
    let store = rusqlite::Connection::open(aa.home().join("state/aa-workflow/aa.db")).unwrap();
    store.execute("update audit set who = 'nobody' where did = 'run.answer'", ()).unwrap();
    browse_in(&serve(&aa), "audit", &json!({"tampered": true}));
}

#[test]
fn what_is_remembered_and_worked_on_is_found() {
    let aa = project();
    let served = serve(&aa);
    remember(&served);
    work_in(&served);
    browse_in(&served, "memory", &json!({}));
}

#[test]
fn all_of_it_works_without_a_mouse() {
    let aa = project();
    let served = serve(&aa);
    let run = ran(&served, "look", &json!({}), "completed");
    ran(&served, "look", &json!({}), "completed");
    browse_in(&served, "keyboard", &json!({ "run": run }));
}

/// A skill of so many steps, ten at a time.
fn long(steps: usize) -> String {
    let step = |at: usize| {
        let needs = at.checked_sub(10).map(|before| format!(", needs: [s{before}]")).unwrap_or_default();
        format!("  - {{name: s{at}, wait: 30ms{needs}}}\n")
    };
    let steps: String = (0..steps).map(step).collect();
    format!("name: long\ndescription: Takes many steps\nsteps:\n{steps}")
}

#[test]
fn thousands_of_runs_and_a_thousand_steps_are_no_trouble() {
    let aa = project().skill("long", &long(1000));
    let runs = 10_000;
    let served = serve(&aa);
    ran(&served, "look", &json!({"note": "first"}), "completed");
    super::support::copy_runs(&aa, runs);
    let big = start(&served, "long", &json!({}));
    browse_in(&served, "many", &json!({ "big": big, "runs": runs }));
}

/// What everybody may write who writes skills, tools, inputs and answers.
const HOSTILE: &str = "</script></svg></title><script>window.stolen = 1; alert(1)</script><img src=x onerror=alert(2)><b style='color:red'>x</b>\"'&";

#[test]
fn what_is_written_by_others_is_text() {
    let quoted = json!(HOSTILE).to_string();
    let tool = format!(
        "module: evil\ndescription: {quoted}\ntools:\n  - {{name: evil_say, description: {quoted}, effect: read, input: {{word: {{type: string, description: {quoted}}}}}, run: [echo, '{{{{ word }}}}']}}\n"
    );
    let fails = format!(
        "name: evil_fail\ndescription: {quoted}\nsteps: [{{name: break, tool: trace_fail, args: {{message: {quoted}}}}}]\n"
    );
    let aa = project().tools("evil", &tool).skill("evil_fail", &fails).skill("evil", &hostile_story(&quoted));
    let served = serve(&aa);
    let run = start(&served, "evil", &json!({"inputs": {"word": HOSTILE}}));
    waits(&served, run);
    let failed = ran(&served, "evil_fail", &json!({}), "failed");
    call(&served, "memory_write", &json!({"key": "learned/evil", "content": {HOSTILE: [HOSTILE]}}));
    let cancel = json!({"reason": HOSTILE});
    served.post(&format!("/api/runs/{}/cancel", asking(&served, "story")), &[], &cancel);
    let pages = [
        "/ui".to_owned(),
        "/ui/runs".to_owned(),
        format!("/ui/runs?skill={}", "%3C%2Finput%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E%22%3E%3Cb%3E"),
        format!("/ui/runs/{run}?step=gate"),
        format!("/ui/runs/{run}?step=first&view=timeline"),
        format!("/ui/runs/{run}?view=data"),
        format!("/ui/runs/{failed}?view=log&step=break"),
        format!("/ui/runs/{failed}/compare"),
        "/ui/skills/evil".to_owned(),
        "/ui/skills/evil/run".to_owned(),
        format!("/ui/skills/evil/run?like={run}"),
        "/ui/tools/evil_say".to_owned(),
        "/ui/tools/evil_say/call".to_owned(),
        "/ui/memory/documents/learned/evil".to_owned(),
        "/ui/memory/search?q=stolen".to_owned(),
        "/ui/audit".to_owned(),
        "/ui/audit?who=%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E".to_owned(),
        "/ui/tools".to_owned(),
        "/ui/%3Cscript%3Ealert(1)%3C%2Fscript%3E".to_owned(),
        "/ui/login?next=%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E".to_owned(),
    ];
    browse_in(&served, "hostile", &json!({ "pages": pages }));
}

/// A skill that says and asks what could be taken for markup.
fn hostile_story(quoted: &str) -> String {
    format!(
        "name: evil\ndescription: {quoted}\ninputs: [{{name: word, type: string, default: {quoted}, description: {quoted}}}]\nsteps:\n  - {{name: first, description: {quoted}, tool: evil_say, args: {{word: '{{{{ inputs.word }}}}'}}}}\n  - {{name: gate, confirm: {{message: {quoted}, options: [{quoted}, 'no']}}, needs: [first]}}\noutputs: [{{name: said, value: '{{{{ first }}}}'}}]\n"
    )
}
