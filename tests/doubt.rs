//! Writes that fail, and whether they have acted all the same: then they are taken back, and neither tried again nor
//! healed; else they are tried again, and there is nothing to take back.

use std::io::Write;

use serde_json::json;

use crate::support::server::{Reply, Server};
use crate::support::{Aa, eventually};

const UNDO: &str = "
module: back
description: Takes back
tools:
  - {name: back_undo, description: Says so, effect: write, input: {}, run: [sh, -c, 'echo undo >> log']}
  - {name: back_act, description: Acts, effect: write, input: {}, run: [sh, -c, 'echo act >> log']}
";

/// A service that is asked to act by `POST /CASE`.
fn service() -> Server {
    Server::taking(|request, mut stream| {
        let case = request.path.first().cloned().unwrap_or_default();
        let reply = match case.as_str() {
            "cut" => return,
            "garbage" => {
                let _ = stream.write_all(b"WHAT IS THIS\r\n\r\n");
                return;
            }
            "elsewhere" => Reply::empty().header("location", "http://127.0.0.1:1/"),
            "broken" => Reply { body: "{\"id\": ".to_owned(), ..Reply::ok(&json!({})) },
            "big" => Reply::text(&"x".repeat(2_000_000)),
            "objection" => Reply::ok(&json!({"ok": false, "error": "no_such_channel"})),
            _ => Reply::ok(&json!({"ok": true})),
        };
        let status = if case == "elsewhere" { 303 } else { case.parse().unwrap_or(200) };
        Reply { status, ..reply }.send(stream);
    })
}

/// What becomes of a step that calls a tool of module `far` and may be tried three times.
fn becomes(aa: &Aa, call: &str) -> Vec<String> {
    let skill = format!(
        "name: go\ndescription: Goes\non_failure: undo\nsteps:\n  - {{name: go, {call}, retry: {{attempts: 3, delay: 10ms}}, undo: {{tool: back_undo}}}}\n"
    );
    std::fs::write(aa.path(".aa/skills/go.yaml"), skill).unwrap();
    let ran = aa.args(["skill", "run", "go"]).run().code(1);
    let log = std::fs::read_to_string(aa.path("log")).unwrap_or_default();
    let _ = std::fs::remove_file(aa.path("log"));
    assert!(!ran.err().contains("panicked"), "{ran}");
    log.lines().map(ToOwned::to_owned).collect()
}

fn project(module: &str) -> Aa {
    Aa::new().tools("back", UNDO).tools("far", module).skill("go", "{}")
}

#[test]
fn requests_whose_outcome_nobody_knows_are_made_once_and_taken_back() {
    let server = service();
    let module = format!(
        "module: far\ndescription: A service\nhttp: {{base: '{}', retries: 0}}\ntools:\n  - name: far_post\n    description: Acts\n    effect: write\n    input: {{case: {{type: string, description: What comes of it}}}}\n    http: {{method: POST, path: '/{{case}}', redirects: true, failure: {{when: 'body.ok == false', message: body.error}}}}\n  - name: far_value\n    description: Acts and makes nothing of the answer\n    effect: write\n    input: {{}}\n    http: {{method: POST, path: /value}}\n    value: \"{{{{ body.nothing + 1 }}}}\"\n",
        server.url
    );
    let aa = project(&module);
    let asked = |call: &str| {
        server.news();
        let log = becomes(&aa, call);
        (server.news().len(), log)
    };
    let taken_back = || (1, vec!["undo".to_owned()]);
    for case in ["500", "502", "504", "408", "cut", "garbage", "elsewhere", "broken", "big"] {
        let module = format!("tool: far_post, args: {{case: '{case}'}}");
        assert_eq!(asked(&module), taken_back(), "module, {case}");
        let plain = format!("tool: http_request, args: {{method: POST, url: '{}/{case}'}}", server.url);
        assert_eq!(asked(&plain), taken_back(), "plain, {case}");
    }
    assert_eq!(asked("tool: far_value"), taken_back());
    for (case, times) in [("503", 3), ("429", 3), ("404", 1), ("422", 1), ("501", 1)] {
        let module = format!("tool: far_post, args: {{case: '{case}'}}");
        assert_eq!(asked(&module), (times, vec![]), "module, {case}");
        let plain = format!("tool: http_request, args: {{method: POST, url: '{}/{case}'}}", server.url);
        assert_eq!(asked(&plain), (times, vec![]), "plain, {case}");
    }
    assert_eq!(asked("tool: far_post, args: {case: objection}"), (1, vec![]), "it says that it has not");
    assert_eq!(becomes(&aa, "tool: http_request, args: {method: POST, url: 'http://127.0.0.1:1/'}"), [""; 0]);
}

#[test]
fn commands_whose_outcome_nobody_knows_are_run_once_and_taken_back() {
    let tool = |name: &str, end: &str, more: &str| {
        format!(
            "  - {{name: far_{name}, description: Acts, effect: write, input: {{}}, run: [sh, -c, 'echo act >> log; {end}'], {more}}}\n"
        )
    };
    let module = format!(
        "module: far\ndescription: Commands\ntools:\n{}{}{}{}{}{}",
        tool("lost", "echo unexpected EOF; echo connection reset by peer >&2; exit 1", "result: text"),
        tool("gateway", "echo 502 Bad Gateway >&2; exit 1", "result: text"),
        tool("killed", "kill -9 $$", "result: text"),
        tool("unread", "echo {", "result: json"),
        tool("value", "echo {}", "result: json, value: \"{{ result.nothing + 1 }}\""),
        tool("refused", "echo connection refused >&2; exit 1", "result: text"),
    );
    let aa = project(&module);
    for name in ["lost", "gateway", "killed", "unread", "value"] {
        assert_eq!(becomes(&aa, &format!("tool: far_{name}")), ["act", "undo"], "{name}");
    }
    assert_eq!(becomes(&aa, "tool: far_refused"), ["act", "act", "act"], "it says that it has not");
    for script in ["echo act >> log; kill -9 $$", "echo act >> log; echo {"] {
        let call = format!("tool: shell, args: {{script: '{script}', result: json}}");
        assert_eq!(becomes(&aa, &call), ["act", "undo"], "{script}");
    }
}

#[test]
fn what_was_not_sent_is_not_taken_back() {
    let server = Server::new(|_| Reply { status: 429, ..Reply::empty().header("retry-after", "30") });
    let module = format!(
        "module: far\ndescription: A service\nhttp: {{base: '{}', retries: 0}}\ntools:\n  - {{name: far_post, description: Acts, effect: write, input: {{}}, http: {{method: POST, path: /}}}}\n",
        server.url
    );
    let skill = "name: late\ndescription: Too late\non_failure: undo\nsteps:\n  - {name: a, tool: far_post, on_error: continue}\n  - {name: b, tool: far_post, timeout: 1s, undo: {tool: back_undo}}\n";
    let aa = project(&module).skill("late", skill);
    aa.args(["skill", "run", "late"]).run().code(1);
    assert_eq!(server.asked().len(), 1);
    assert!(!aa.path("log").exists(), "nothing was done");
}

#[test]
fn a_block_is_taken_back_for_what_it_has_called() {
    let blocks = [
        ("while True: pass", "1s", vec![]),
        ("call_tool('back_act')\n      while True: pass", "2s", vec!["act", "undo"]),
        ("run_skill('inner', {})", "20s", vec!["act", "undo"]),
    ];
    let inner = "name: inner\ndescription: Acts and fails\nsteps:\n  - {name: a, tool: back_act}\n  - {name: b, tool: shell, args: {script: exit 3}}\n";
    for (block, time, log) in blocks {
        let skill = format!(
            "name: go\ndescription: Goes\non_failure: undo\nsteps:\n  - name: go\n    timeout: {time}\n    undo: {{tool: back_undo}}\n    compute: |\n      {block}\n      result = 1\n"
        );
        let aa = Aa::new().tools("back", UNDO).skill("inner", inner).skill("go", &skill);
        aa.args(["skill", "run", "go"]).run().code(1);
        let seen = std::fs::read_to_string(aa.path("log")).unwrap_or_default();
        assert_eq!(seen.lines().collect::<Vec<_>>(), log, "{block}");
    }
}

const RULES: &str = "module: heal
description: Rules
heal:
  - {name: fix, match: {kind: network}, do: {tool: back_fix}}
";

#[test]
fn nothing_that_has_acted_is_healed_into_acting_twice() {
    let fix = UNDO.to_owned()
        + "  - {name: back_fix, description: Mends, effect: write, idempotent: true, input: {}, run: [sh, -c, 'echo fix >> log']}\n";
    let look = "http_get, args: {url: 'http://127.0.0.1:1/', retries: 0}";
    let inner = format!(
        "name: inner\ndescription: Acts and fails\nsteps:\n  - {{name: a, tool: back_act}}\n  - {{name: b, tool: {look}}}\n"
    );
    let steps = [
        ("skill: inner", "act\n"),
        (
            "compute: \"call_tool('back_act')\\nresult = call_tool('http_get', url='http://127.0.0.1:1/', retries=0)\"",
            "act\n",
        ),
        (&format!("tool: {look}"), "fix\n"),
    ];
    for (step, log) in steps {
        let skill =
            format!("name: go\ndescription: Goes\nsteps:\n  - {{name: go, {step}, on_error: auto_heal}}\n");
        let aa =
            Aa::new().tools("back", &fix).tools("heal", RULES).skill("inner", &inner).skill("go", &skill);
        aa.args(["skill", "run", "go"]).run().code(1);
        assert_eq!(aa.text("log"), log, "{step}");
    }
}

#[test]
fn a_write_that_was_cut_off_and_then_made_again_in_vain_is_taken_back() {
    let module = "module: far\ndescription: Commands\ntools:\n  - {name: far_put, description: Acts, effect: write, idempotent: true, input: {}, run: [sh, -c, 'echo act >> log; test ! -e second || exit 3; touch second; sleep 30']}\n";
    let skill = "name: go\ndescription: Goes\non_failure: undo\nsteps:\n  - {name: go, tool: far_put, undo: {tool: back_undo}}\n";
    let aa = project(module).skill("go", skill);
    let running = aa.args(["skill", "run", "go"]).start();
    eventually("it has acted", || aa.path("second").exists());
    running.signal(rustix::process::Signal::KILL);
    running.wait().killed();
    aa.args(["run", "resume", "1"]).run().code(1);
    assert_eq!(aa.text("log"), "act\nact\nundo\n");
}

/// A step whose undo takes its time and must not be made twice.
const SLOW_UNDO: &str = "name: go\ndescription: Goes\nsteps:\n  - {name: go, tool: back_act, undo: {tool: shell, args: {script: 'echo undo >> log; sleep 30'}}}\n";

#[test]
fn an_undo_of_which_nobody_knows_how_it_ended_is_not_made_again_just_like_that() {
    let aa = Aa::new().tools("back", UNDO).skill("go", SLOW_UNDO);
    aa.args(["skill", "run", "go"]).run().code(0);
    let undoing = aa.args(["run", "undo", "1"]).start();
    eventually("it is being taken back", || aa.text("log").contains("undo"));
    undoing.signal(rustix::process::Signal::KILL);
    undoing.wait().killed();
    aa.args(["run", "resume", "1"]).run().code(6).stderr_contains("aa run resolve 1 go#undo");
    aa.args(["run", "cancel", "1"]).run().code(0);
    // Given up, it is as unknown as before.
    aa.args(["run", "undo", "1"]).run().code(6).stderr_contains("aa run resolve 1 go#undo");
    assert_eq!(aa.text("log"), "act\nundo\n");
    aa.args(["run", "resolve", "1", "go#undo", "--done", "null"]).run().code(0);
    aa.args(["run", "undo", "1"]).run().stderr_contains("nothing");
    assert_eq!(aa.text("log"), "act\nundo\n");
}
