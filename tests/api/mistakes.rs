//! What is wrong with a request is told: which parameter or key, what is expected, and what was meant.

use serde_json::{Value, json};

use super::support::{found, project, serve, stands, start};
use crate::mcp::wire::{Reply, Served};

/// Asks for what cannot be, and gives the problem.
#[track_caller]
fn wrong(served: &Served, line: &str, sent: &str, (status, kind): (u16, &str)) -> Value {
    told(line, &served.ask(line, &[], sent), (status, kind))
}

#[track_caller]
fn told(line: &str, reply: &Reply, (status, kind): (u16, &str)) -> Value {
    assert_eq!(reply.status, status, "{line}: {reply:?}");
    assert_eq!(reply.header("content-type"), Some("application/problem+json"), "{line}: {reply:?}");
    let problem: Value = serde_json::from_str(&reply.body).unwrap();
    assert_eq!(problem["type"], format!("/api/problems/{kind}"), "{line}: {problem}");
    problem
}

/// A request, what is sent, what it is answered with, and parts of what is told and of what to do.
type Mistake<'a> = (&'a str, &'a str, (u16, &'a str), &'a str, &'a str);

const QUERY: (u16, &str) = (400, "bad-query");
const BODY: (u16, &str) = (400, "bad-body");
const NONE: (u16, &str) = (404, "not-found");

#[track_caller]
fn all_told(served: &Served, mistakes: &[Mistake<'_>]) {
    for &(line, sent, kind, detail, hint) in mistakes {
        let problem = wrong(served, line, sent, kind);
        let has = |name: &str, part: &str| problem[name].as_str().unwrap_or_default().contains(part);
        assert!(has("detail", detail) && has("hint", hint), "{line} {sent}: {problem}");
        for inner in ["i64", "u32", "expected a", "invalid type"] {
            assert!(!has("detail", inner), "{line}: {problem}");
        }
    }
}

#[test]
fn what_an_address_has_that_does_not_fit_is_named_with_what_is_expected() {
    let aa = project("");
    let served = serve(&aa);
    all_told(
        &served,
        &[
            ("GET /api/runs?limit=x", "", QUERY, "the parameter `limit` must be a whole number, not `x`", ""),
            ("GET /api/runs?limit=-1", "", QUERY, "the parameter `limit` must be at least", ""),
            ("GET /api/runs?status=odd", "", QUERY, "the parameter `status` must be one of `running`", ""),
            ("GET /api/runs?since=now", "", QUERY, "the parameter `since` must be a time such as", ""),
            (
                "GET /api/runs?odd=1",
                "",
                QUERY,
                "there is no parameter `odd` here",
                "parameters are `skill`, `status`",
            ),
            (
                "GET /api/runs/counts?odd=1",
                "",
                QUERY,
                "there is no parameter `odd` here",
                "it takes no parameters",
            ),
            ("GET /api/runs/1/diff", "", QUERY, "what was sent needs the parameter `with`", ""),
            (
                "GET /api/runs/abc",
                "",
                NONE,
                "there is no run `abc`",
                "`run` in the address is a whole number",
            ),
            ("GET /api/skills/loook", "", NONE, "there is no skill `loook`", "did you mean `look`?"),
            (
                "GET /api/skills/zzzz/check",
                "",
                NONE,
                "there is no skill `zzzz`",
                "`GET /api/skills` lists them",
            ),
            (
                "GET /api/tools/trace_lok",
                "",
                NONE,
                "there is no tool `trace_lok`",
                "did you mean `trace_look`?",
            ),
            ("GET /api/tools/zzzz", "", NONE, "there is no tool `zzzz`", "`GET /api/tools` lists them"),
            (
                "GET /api/schedules/zzzz",
                "",
                NONE,
                "there is no schedule `zzzz`",
                "`GET /api/schedules` lists them",
            ),
            (
                "GET /api/workspaces/sessions?workspace=",
                "",
                QUERY,
                "`workspace` must be an absolute path",
                "folders",
            ),
        ],
    );
}

#[test]
fn what_a_body_has_that_does_not_fit_is_named_with_what_is_expected() {
    let aa = project("");
    let served = serve(&aa);
    let run = start(&served, "ask", &json!({}));
    stands(&served, run, "waiting");
    let answer = format!("POST /api/runs/{run}/answer");
    all_told(
        &served,
        &[
            (
                "POST /api/heal/rules/kube_logn/reset",
                "{}",
                NONE,
                "there is no heal rule `kube_logn`",
                "`kube_login`",
            ),
            (
                &answer,
                "{\"step\": 5, \"answer\": \"yes\"}",
                BODY,
                "the key `step` must be text, not a number",
                "openapi",
            ),
            (&answer, "{\"step\": \"sure\"}", BODY, "what was sent needs the key `answer`", "openapi"),
            (
                &answer,
                "{\"step\": \"shure\", \"answer\": \"yes\"}",
                NONE,
                "has no step `shure`",
                "did you mean `sure`?",
            ),
            (
                "POST /api/skills/look/run",
                "{\"session\": \"nope\"}",
                BODY,
                "there is no conversation `nope`",
                "sessions",
            ),
            (
                "POST /api/skills/look/run",
                "{\"inputs\": {}, \"inputs\": {}}",
                BODY,
                "the key `inputs` is given twice",
                "",
            ),
            (
                "POST /api/skills/look/run",
                "{\"inputs\": 5}",
                BODY,
                "the key `inputs` must be a mapping, not a number",
                "",
            ),
            (
                "POST /api/skills/look/plan",
                "{\"workspace\": \"x\"}",
                BODY,
                "`workspace` must be an absolute path",
                "",
            ),
        ],
    );
    assert_eq!(found(&served, "/api/runs")["items"].as_array().unwrap().len(), 1, "nothing was started");
}

#[test]
fn what_is_not_there_to_be_heard_is_not_listened_to() {
    let aa = project("");
    let served = serve(&aa);
    for path in ["/events?types=bogus", "/events?types=skill_failed,step_failed", "/ui/events?types="] {
        let problem = wrong(&served, &format!("GET {path}"), "", (400, "bad-query"));
        assert!(problem["detail"].as_str().unwrap().contains("there is no type of messages"), "{problem}");
        assert!(problem["hint"].as_str().unwrap().contains("`skill_started`"), "{problem}");
    }
    let asked = [
        ("Connection", "upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let reply = served.ask("GET /ws?types=bogus", &asked, "");
    told("/ws", &reply, (400, "bad-query"));
}

#[test]
fn whatever_is_wrong_at_the_door_is_a_problem() {
    let aa = project("");
    let served = serve(&aa);
    wrong(&served, "GET /hooks/push", "", (405, "method-not-allowed"));
    wrong(&served, "POST /hooks/push", &"x".repeat(2 << 20), (413, "too-large"));
    wrong(&served, "POST /hooks/%ff", "{}", (401, "unsigned"));
    for path in ["/healthz", "/readyz", "/events", "/ws", "/metrics"] {
        wrong(&served, &format!("DELETE {path}"), "", (405, "method-not-allowed"));
    }
    let names: Vec<String> = (0..80).map(|at| format!("X-{at}")).collect();
    let many: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "1")).collect();
    for line in ["GET /api/runs", "POST /hooks/push"] {
        told(line, &served.ask(line, &many, ""), (431, "head-too-large"));
    }
}

#[test]
fn lists_by_name_are_told_page_by_page() {
    let aa = project(
        "schedules: {a: {skill: look, every: 1h}, b: {skill: look, every: 1h}, c: {skill: look, every: 1h}}\n",
    );
    let served = serve(&aa);
    for (path, size, more) in [("/api/skills", 10, 30), ("/api/tools", 150, 300), ("/api/schedules", 1, 3)] {
        let mut names: Vec<String> = Vec::new();
        let mut from = String::new();
        loop {
            let page = found(&served, &format!("{path}?limit={size}{from}"));
            let items = page["items"].as_array().unwrap();
            assert!(items.len() <= size, "{path}");
            names.extend(items.iter().map(|item| item["name"].as_str().unwrap().to_owned()));
            let Some(next) = page["next"].as_str() else { break };
            assert_eq!(Some(next), names.last().map(String::as_str), "{path}");
            from = format!("&after={next}");
        }
        assert!(names.is_sorted() && names.len() >= more, "{path}: {}", names.len());
        names.dedup();
        assert!(names.len() >= more, "{path}: nothing comes twice");
        wrong(&served, &format!("GET {path}?limit=501"), "", (400, "bad-query"));
    }
}

/// A tool that only reads, and finds fault with what it reads.
const PICKY: &str = "\
module: picky
description: Reads
tools:
  - {name: picky_read, description: Reads, effect: read, input: {path: {type: string}}, run: [cat, '{{ path }}']}
";

#[test]
fn a_tool_that_fails_is_no_body_that_cannot_be_read() {
    let aa = project("").tools("picky", PICKY).file("binary", [0xff, 0xfe, 0, 1]);
    let served = serve(&aa);
    let call = |tool: &str, args: Value| {
        served.post(&format!("/api/tools/{tool}/call"), &[], &json!({ "args": args }))
    };
    let binary = call("file_read", json!({"path": "binary"}));
    let nothing = call("picky_read", json!({"path": "not-there"}));
    for reply in [&binary, &nothing] {
        told("call", reply, (502, "tool-failed"));
    }
    for args in [json!({}), json!({"path": 5, "odd": 1})] {
        let problem = told("call", &call("picky_read", args), (400, "bad-body"));
        assert!(problem["hint"].as_str().unwrap().contains("/api/tools/picky_read"), "{problem}");
    }
}

#[test]
fn of_two_answers_at_once_by_one_key_one_counts() {
    let aa = project("");
    let served = serve(&aa);
    for _ in 0..8 {
        let run = start(&served, "ask", &json!({}));
        stands(&served, run, "waiting");
        let path = format!("/api/runs/{run}/answer");
        let say = |answer: &'static str| {
            let (served, path) = (&served, &path);
            move || served.post(path, &[], &json!({"step": "sure", "answer": answer}))
        };
        let replies = std::thread::scope(|scope| {
            let both = [("yes", scope.spawn(say("yes"))), ("no", scope.spawn(say("no")))];
            both.map(|(answer, asked)| (answer, asked.join().unwrap()))
        });
        let said = stands(&served, run, "completed")["outputs"]["said"].clone();
        for (answer, reply) in replies {
            assert_eq!(
                reply.status,
                if said == answer { 200 } else { 409 },
                "{said}, and {answer}: {reply:?}"
            );
        }
    }
}
