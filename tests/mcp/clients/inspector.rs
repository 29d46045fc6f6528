//! The Inspector's second command line, whose commands use a connection that stays: it is asked, and knows tasks, of
//! which the first one knows nothing.

use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::Served;
use crate::mcp::installed;
use crate::support::{Aa, eventually};

const ASK: &str = "\
name: ask
description: Asks
steps: [{name: sure, confirm: {message: Sure?, options: [go on, stop]}}]
outputs: [{name: said, value: '{{ sure }}'}]
";

const SLOW: &str = "name: slow\ndescription: Slow\nsteps: [{name: held, tool: hold_it}]\n";

const HOLD: &str = "\
module: hold
description: Holds
tools: [{name: hold_it, description: Holds, effect: read, input: {}, run: [sh, -c, 'echo $$ > held; exec sleep 300']}]
";

/// A connection that other commands of it use.
pub(super) struct Connection<'a> {
    aa: &'a Aa,
    name: &'a str,
}

impl<'a> Connection<'a> {
    pub(super) fn open(aa: &'a Aa, server: &Value, name: &'a str, era: &str) -> Self {
        let this = Self { aa, name };
        let (url, token) = (server["url"].as_str().unwrap(), server["token"].as_str().unwrap());
        let (at, key) = (format!("@{name}"), format!("Authorization: Bearer {token}"));
        this.run(&["connect", &at, "--server-url", url, "--era", era, "--header", &key]);
        this
    }

    pub(super) fn command(&self, words: &[&str]) -> Command {
        let home = self.aa.home();
        let mut command = Command::new(installed("clients-npm/node_modules/node/bin/node"));
        command
            .arg(installed("clients-npm/node_modules/.bin/mcpdo"))
            .args(["--format", "json", "--stored-auth-only", "--connection", self.name])
            .args(words)
            // It has a process of its own behind it, which nobody else is to find.
            .envs([("HOME", &home), ("MCP_INSPECTOR_DAEMON_DIR", &home.join("inspector"))])
            .env("MCP_INSPECTOR_DAEMON_TOKEN", "0123456789abcdef0123456789abcdef")
            .stdin(Stdio::null());
        command
    }

    pub(super) fn run(&self, words: &[&str]) -> String {
        let output = self.command(words).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{words:?}: {said}{}", String::from_utf8_lossy(&output.stderr));
        said
    }

    fn json(&self, words: &[&str]) -> Value {
        serde_json::from_str(&self.run(words)).unwrap()
    }
}

impl Drop for Connection<'_> {
    fn drop(&mut self) {
        let _gone = self.command(&["daemon", "stop"]).output();
    }
}

#[test]
fn it_is_asked_in_both_eras() {
    let aa = Aa::new().skill("ask", ASK);
    let served = Served::start(&aa, &["--all"]);
    for era in ["modern", "legacy"] {
        let connection = Connection::open(&aa, &served.address, "t", era);
        let asked = connection.json(&["tools/call", "ask"])["elicitationPending"].clone();
        assert_eq!(asked["message"], "Sure?", "{era}: {asked}");
        let id = asked["elicitationId"].as_str().unwrap();
        let answered = connection.json(&["elicitation/respond", id, "answer:=go on"]);
        assert_eq!(answered["structuredContent"], json!({"said": "go on"}), "{era}: {answered}");
    }
}

#[test]
fn it_cancels_what_it_has_begun() {
    let aa = Aa::new().skill("slow", SLOW).tools("hold", HOLD);
    let served = Served::start(&aa, &["--all"]);
    // It waits for the task that its call becomes, and so does whatever else it does on that connection.
    let waiting = Connection::open(&aa, &served.address, "t", "modern");
    let other = Connection::open(&aa, &served.address, "u", "modern");
    let mut call = waiting.command(&["tools/call", "slow"]).stdout(Stdio::null()).spawn().unwrap();
    eventually("the step begins", || aa.path("held").exists());
    let process = format!("/proc/{}", aa.text("held").trim());
    assert_eq!(other.json(&["tasks/cancel", "1"])["cancelled"], true);
    eventually("the process has ended", || !std::path::Path::new(&process).exists());
    assert!(!call.wait().unwrap().success());
    let runs = aa.args(["run", "list", "--format", "json"]).run().code(0).json();
    assert_eq!(runs[0]["status"], "cancelled", "{runs}");
}

#[test]
fn it_sees_another_persona_where_connections_have_one() {
    let persona = |name: &str, rest: &str| format!("name: {name}\ndescription: A part\n{rest}");
    let aa = Aa::new()
        .skill("ask", ASK)
        .tools("hold", HOLD)
        .file(".aa/personas/one.yaml", persona("one", "skills: [ask]\n"))
        .file(".aa/personas/two.yaml", persona("two", "modules: [hold]\nskills: []\n"));
    let served = Served::start(&aa, &["--persona", "one"]);
    for (era, after) in [("legacy", "hold_it"), ("modern", "ask")] {
        let connection = Connection::open(&aa, &served.address, "t", era);
        let shown = || {
            let list = connection.json(&["tools/list"]);
            let all = list["tools"].as_array().unwrap().iter().filter_map(|tool| tool["name"].as_str());
            all.filter(|name| ["ask", "hold_it"].contains(name)).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(shown(), "ask", "{era}");
        let loaded = connection.json(&["tools/call", "persona_load", "persona_name:=two"]);
        assert_eq!(loaded["structuredContent"]["tools"], json!(["hold_it"]), "{era}: {loaded}");
        assert_eq!(shown(), after, "{era}");
    }
}
