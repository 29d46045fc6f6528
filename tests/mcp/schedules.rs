//! Schedules for AI clients: found by words, looked at and steered by whoever may.

use serde_json::{Value, json};

use super::wire::{Served, modern, modern_headers};
use crate::support::{Aa, eventually};

const OPS: &str = "ops-0123456789abcdef0123456789abcdef";
const RED: &str = "red-0123456789abcdef0123456789abcdef";

const LOOK: &str = "name: look\ndescription: Looks\nsteps: [{name: see, tool: trace_look}]\n";
const WIPE: &str =
    "name: wipe\ndescription: Removes\nsteps: [{name: it, tool: shell, args: {script: 'true'}}]\n";

const CONFIG: &str = "\
secrets: {OPS: {env: OPS}, RED: {env: RED}}
serve:
  keys:
    - {principal: ops, key: '{{ secrets.OPS }}', scopes: ['schedule:look*:run', 'skill:*:read']}
    - {principal: red, tenant: red, key: '{{ secrets.RED }}', roles: [admin]}
schedules:
  look_in: {skill: look, every: 90d}
  wipe_out: {skill: wipe, every: 90d}
";

fn serve(aa: &Aa) -> Served {
    Served::start(aa.args(["serve", "--listen", "127.0.0.1:0"]).env("OPS", OPS).env("RED", RED))
}

/// Calls a tool with a key, or as whoever owns the store.
fn call(served: &Served, key: &str, tool: &str, args: &Value) -> Value {
    let (key, mut headers) = (format!("Bearer {key}"), modern_headers(tool));
    if key != "Bearer " {
        headers.push(("Authorization", &key));
    }
    let reply = served.post("/mcp", &headers, &modern(1, tool, args));
    let message = reply.message();
    assert!(message["result"].is_object(), "{tool}: {reply:?}");
    message["result"].clone()
}

fn told(result: &Value) -> &Value {
    assert_ne!(result["isError"], true, "{result}");
    &result["structuredContent"]
}

#[test]
fn schedules_are_found_by_words_and_steered_under_both_names() {
    let aa = Aa::traced().skill("look", LOOK).skill("wipe", WIPE).own_config(CONFIG);
    let served = serve(&aa);
    let found = call(&served, "", "tool_search", &json!({"query": "cron"}));
    let names: Vec<&str> =
        told(&found)["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    for name in ["schedule_list", "schedule_run", "cron_run_now"] {
        assert!(names.contains(&name), "{names:?}");
    }
    for (tool, args) in [
        ("schedule_list", json!({})),
        ("cron_status", json!({})),
        ("tool_call", json!({"tool_name": "cron_list"})),
    ] {
        let listed = call(&served, "", tool, &args);
        assert_eq!(told(&listed)["schedules"][0]["name"], "look_in", "{tool}: {listed}");
        assert_eq!(told(&listed)["scheduler"], true);
    }
    let ran = call(
        &served,
        "",
        "tool_call",
        &json!({"tool_name": "schedule_run", "arguments": {"name": "look_in"}}),
    );
    assert_eq!(told(&ran)["run_id"], 1, "{ran}");
    eventually("it went well", || {
        let shown = call(&served, "", "schedule_show", &json!({"name": "look-in"}));
        told(&shown)["why"].to_string().contains("run 1 went well")
    });
    let held = call(&served, "", "schedule_pause", &json!({"name": "look_in", "reason": "moving"}));
    let pause = &told(&held)["schedule"]["paused"];
    assert_eq!((&pause["by"], &pause["why"]), (&json!("local (mcp schedule_pause)"), &json!("moving")));
    let goes = call(&served, "", "cron_enable", &json!({"name": "look_in"}));
    assert_eq!(told(&goes)["schedule"]["paused"], Value::Null);
    let held = call(&served, "", "cron_enable", &json!({"name": "look_in", "enabled": false}));
    assert!(told(&held)["schedule"]["paused"].is_object(), "{held}");
    assert_eq!(told(&call(&served, "", "schedule_notices", &json!({})))["notices"], json!([]));
    // What a person would have to approve is not run in this way.
    let refused = call(&served, "", "schedule_run", &json!({"name": "wipe_out"}));
    assert!(refused["isError"] == true && refused.to_string().contains("approved by a person"), "{refused}");
    let misspelt = call(&served, "", "schedule_run", &json!({"name": "look_inn"})).to_string();
    assert!(misspelt.contains("did you mean `look_in`?"), "{misspelt}");
    let lacking = call(&served, "", "schedule_run", &json!({})).to_string();
    assert!(lacking.contains("was not called"), "{lacking}");
}

#[test]
fn schedules_are_there_for_whom_a_scope_names_them_and_for_no_other_tenant() {
    let aa = Aa::traced().skill("look", LOOK).skill("wipe", WIPE).own_config(CONFIG);
    let served = serve(&aa);
    let listed = call(&served, OPS, "schedule_list", &json!({}));
    assert_eq!(told(&listed)["schedules"].as_array().unwrap().len(), 1, "{listed}");
    let ran = call(&served, OPS, "schedule_run", &json!({"name": "look_in"}));
    assert_eq!(told(&ran)["run_id"], Value::Null, "the run is the owner's: {ran}");
    assert_eq!(call(&served, OPS, "schedule_notices", &json!({}))["isError"], true);
    assert_eq!(told(&call(&served, RED, "schedule_list", &json!({})))["schedules"], json!([]));
    for (key, tool, name) in [
        (OPS, "schedule_show", "wipe_out"),
        (RED, "schedule_show", "look_in"),
        (RED, "schedule_run", "look_in"),
        (RED, "schedule_pause", "look_in"),
        (RED, "cron_enable", "look_in"),
    ] {
        let refused = call(&served, key, tool, &json!({"name": name}));
        let text = refused.to_string();
        assert!(refused["isError"] == true && text.contains("there is no schedule"), "{tool}: {text}");
    }
}

#[test]
fn a_model_does_not_let_a_project_run_what_nobody_has_let_run() {
    let aa = Aa::traced().skill("look", LOOK).config("schedules: {theirs: {skill: look, every: 90d}}\n");
    let served = serve(&aa);
    for tool in ["schedule_resume", "schedule_run"] {
        let refused = call(&served, "", tool, &json!({"name": "theirs"}));
        assert!(refused.to_string().contains("a person has to let it run first"), "{tool}: {refused}");
    }
    aa.args(["schedule", "resume", "theirs"]).run().code(0);
    told(&call(&served, "", "schedule_pause", &json!({"name": "theirs"})));
    told(&call(&served, "", "schedule_resume", &json!({"name": "theirs"})));
}
