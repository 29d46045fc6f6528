//! Calls of single tools by a client: warned of mistakes that repeat, and healed, like steps of a run.

use serde_json::{Value, json};

use super::calls::Server;
use crate::support::Aa;

const TOOLS: &str = r#"
module: service
description: A service that wants a login
tools:
  - name: branch_show
    description: Shows a branch
    effect: read
    input: {target: {type: string}}
    run: [sh, -c, 'if [ "$1" = main ]; then printf shown; else echo "error: pathspec \"$1\" did not match any file(s) known to git" >&2; exit 1; fi', sh, "{{ target }}"]
  - name: branch_set
    description: Goes to a branch
    effect: write
    input: {target: {type: string}}
    run: [sh, -c, 'if [ "$1" = main ]; then printf set; else echo "error: pathspec \"$1\" did not match any file(s) known to git" >&2; exit 1; fi', sh, "{{ target }}"]
  - name: oc_get
    description: Gets the value
    effect: read
    input: {cluster: {type: string, default: stage}}
    run: &run [sh, -c, 'if [ -e "in-$1" ]; then echo got >> gets; printf value; else echo "error: You must be logged in to the server (Unauthorized)" >&2; exit 1; fi', sh, "{{ cluster }}"]
  - name: oc_set
    description: Sets the value
    effect: write
    input: {cluster: {type: string, default: stage}}
    run: *run
"#;

const LOGIN: &str = r#"
kube_login:
  command: [sh, -c, 'echo "login $1" >> logins; touch "in-$1"', sh, "{cluster}"]
  check: [sh, -c, 'test -e "in-$1" && echo tester', sh, "{cluster}"]
"#;

fn project(policy: &str) -> Aa {
    Aa::new()
        .tools("service", TOOLS)
        .config(LOGIN)
        .own_config(&format!("serve: {{policy: {{write: {policy}}}}}\n"))
}

/// What a call of a tool says, and whether it has failed.
fn call(server: &mut Server, tool: &str, arguments: &Value) -> (String, bool) {
    let result = server.result("tools/call", json!({"name": tool, "arguments": arguments}));
    let content = result["content"].as_array().unwrap_or_else(|| panic!("{result}"));
    let texts: Vec<&str> = content.iter().filter_map(|block| block["text"].as_str()).collect();
    (texts.join("\n"), result["isError"] == true)
}

fn patterns(aa: &Aa) -> Value {
    aa.args(["memory", "patterns", "--format", "json"]).run().code(0).json()
}

#[test]
fn a_mistake_that_repeats_is_counted_and_warned_of_also_without_a_run() {
    for tool in ["branch_show", "branch_set"] {
        let aa = project("allow");
        let mut server = Server::start(&aa);
        let wrong = json!({"target": "mian"});
        for _ in 0..3 {
            let (said, failed) = call(&mut server, tool, &wrong);
            assert!(failed && !said.contains("warning: "), "{tool}: {said}");
        }
        let known = patterns(&aa);
        assert_eq!((&known[0]["seen"], &known[0]["warns"]), (&json!(3), &json!(true)), "{tool}: {known:#}");
        let told = server.result("tools/call", json!({"name": "session_start", "arguments": {}}));
        let mistakes = told["structuredContent"]["known_mistakes"].as_array().unwrap();
        assert!(mistakes[0].as_str().unwrap().contains(tool), "{told}");

        let (said, failed) = call(&mut server, tool, &wrong);
        let warning = format!("warning: `target` is \"mian\": `{tool}` failed of it 3 times");
        assert!(failed && said.contains(&warning), "{tool}: {said}");
        call(&mut server, "tool_call", &json!({"tool_name": tool, "arguments": wrong}));
        assert_eq!(patterns(&aa)[0]["seen"], 5, "{tool}");
        let (said, failed) = call(&mut server, tool, &json!({"target": "main"}));
        assert!(!failed && !said.contains("warning: "), "{tool}: {said}");
    }
}

#[test]
fn runs_and_calls_warn_of_what_the_others_have_learned() {
    let skill = "name: wander\ndescription: Goes\nsteps:\n  - {name: a, tool: branch_show, args: {target: mian}, on_error: continue}\n";
    let aa = project("allow").skill("wander", skill);
    let mut server = Server::start(&aa);
    for _ in 0..3 {
        aa.args(["skill", "run", "wander"]).run().code(0);
    }
    let (said, _) = call(&mut server, "branch_show", &json!({"target": "mian"}));
    assert!(said.contains("failed of it 3 times"), "what runs have learned is known to calls: {said}");
    let ran = aa.args(["skill", "run", "wander"]).run().code(0).err();
    assert!(ran.contains("failed of it 4 times"), "and the other way round: {ran}");
}

#[test]
fn a_read_of_a_client_that_wants_a_login_gets_it() {
    for policy in ["allow", "plan"] {
        let aa = project(policy);
        let mut server = Server::start(&aa);
        let (said, failed) = call(&mut server, "oc_get", &json!({}));
        assert!(!failed && said.contains("value"), "{policy}: {said}");
        assert_eq!(aa.text("logins"), "login stage\n", "{policy}");
        let stats = aa.args(["heal", "stats", "--format", "json"]).run().code(0).json();
        assert_eq!(stats["healings"][0]["helped"], true, "{policy}: {stats:#}");
        let (said, failed) = call(&mut server, "oc_get", &json!({}));
        assert!(!failed && said.contains("value"), "{policy}: {said}");
        assert_eq!(aa.text("logins"), "login stage\n", "{policy}");
    }
}

#[test]
fn a_login_that_nobody_has_configured_is_not_tried() {
    let aa = Aa::new().tools("service", TOOLS);
    let mut server = Server::start(&aa);
    let (said, failed) = call(&mut server, "oc_get", &json!({}));
    assert!(failed && said.contains("Unauthorized") && said.contains("debug_tool"), "{said}");
    assert_eq!(aa.args(["run", "list", "--format", "json"]).run().code(0).json(), json!([]));
}

#[test]
fn what_a_policy_forbids_or_wants_asked_heals_nothing() {
    for policy in ["ask", "deny"] {
        let aa = project(policy);
        let mut server = Server::start(&aa);
        let (said, failed) = call(&mut server, "oc_get", &json!({}));
        assert!(failed && said.contains("Unauthorized"), "{policy}: {said}");
        assert_eq!(aa.text("logins"), "", "{policy}");
    }
}

#[test]
fn a_write_of_a_client_that_wants_a_login_gets_it_within_its_run() {
    let aa = project("allow");
    let mut server = Server::start(&aa);
    let (said, failed) = call(&mut server, "oc_set", &json!({}));
    assert!(!failed && said.contains("value"), "{said}");
    assert_eq!(aa.text("logins"), "login stage\n");
    let events = aa.args(["run", "show", "1", "--format", "json"]).run().code(0).json_lines();
    let healed = events.iter().filter(|event| event["event"] == "heal_finished");
    assert_eq!(healed.map(|event| &event["healed"]).collect::<Vec<_>>(), [&json!(true)]);
}

#[test]
fn a_call_that_no_rule_is_for_fails_without_a_run() {
    let aa = project("allow");
    let mut server = Server::start(&aa);
    let (said, failed) = call(&mut server, "branch_show", &json!({"target": "mian"}));
    assert!(failed && said.contains("did not match"), "{said}");
    assert_eq!(aa.args(["run", "list", "--format", "json"]).run().code(0).json(), json!([]));
}
