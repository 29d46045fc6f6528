//! What servers log for programs.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::api::support::{project, serve, start};
use crate::mcp::wire::Served;
use crate::support::eventually;

/// The lines that a server says until it is ready, and how it is ended.
fn first_lines(call: crate::support::Call) -> Vec<String> {
    let mut child = call.command().stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let mut said = Vec::new();
    for line in lines {
        let is_last = line.contains("the key of this machine");
        said.push(line);
        if is_last {
            break;
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    said
}

#[test]
fn each_line_is_json_when_that_is_wanted() {
    let serve = |aa: &crate::support::Aa, more: &[&str]| {
        let args = ["serve", "--listen", "127.0.0.1:0"].iter().chain(more);
        first_lines(aa.args(args).env("CI_KEY", crate::api::support::CI))
    };
    let flag = serve(&project(""), &["--log-format", "json"]);
    let file = serve(&project("log: {format: json}\n"), &[]);
    for lines in [&flag, &file] {
        assert!(lines.len() >= 2, "{lines:?}");
        for line in lines {
            let entry: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
            for key in ["timestamp", "level", "message", "target"] {
                assert!(entry[key].is_string(), "{line}");
            }
        }
    }
    let text = serve(&project("log: {format: json}\n"), &["--log-format", "text"]);
    assert!(text[0].starts_with("serving AI clients at http://"), "{text:?}");
}

#[test]
fn a_request_can_be_followed_by_its_id() {
    let aa = project("");
    let served =
        Served::start(aa.args(["serve", "--listen", "127.0.0.1:0"]).env("CI_KEY", crate::api::support::CI));
    let reply = served.ask("GET /api/runs", &[("X-Request-Id", "from-the-proxy-7")], "");
    assert_eq!(reply.header("x-request-id"), Some("from-the-proxy-7"), "{reply:?}");
    let reply = served.ask("GET /api/runs", &[], "");
    let made = reply.header("x-request-id").unwrap().to_owned();
    assert_eq!(made.len(), 32, "{made}");
    // What could forge a line of a log, or is too long, is not taken over.
    for bad in ["a b", "a\"b", &"x".repeat(200), "<script>"] {
        let reply = served.ask("GET /api/runs", &[("X-Request-Id", bad)], "");
        assert_ne!(reply.header("x-request-id").unwrap(), bad);
    }
    let reply = served.post("/api/skills/look/run", &[("X-Request-Id", "start-1")], &json!({}));
    assert_eq!(reply.status, 201, "{reply:?}");
    start(&served, "look", &json!({}));
    crate::support::eventually("the request is in the log", || {
        served.said().lines().any(|line| line.contains("start-1") && line.contains("aa::audit"))
    });
}

#[test]
fn a_file_that_breaks_is_said_although_nobody_asks() {
    let aa = project("");
    let served = serve(&aa);
    std::fs::write(aa.path(".aa/skills/torn.yaml"), "name: torn\nnonsense: 1\n").unwrap();
    eventually("it is said", || served.said().contains("torn.yaml") && served.said().contains("has errors"));
}
