//! Tests of what is known before a run.

use serde_json::json;

use super::*;

fn plan() -> Plan {
    let step = |name: &str, action: Value, more: Value| {
        let mut step = json!({"name": name, "action": action, "output": name, "needs": [], "effect": "read", "idempotent": true,
            "on_error": "fail", "line": 1});
        step.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        step
    };
    let skill = |name: &str, steps: Vec<Value>| {
        json!({"name": name, "description": "", "inputs": [], "on_failure": "stop", "concurrency": 16,
            "steps": steps, "outputs": [], "defaults": {"host": "example.org"}})
    };
    let mut sub = skill(
        "sub",
        vec![step(
            "call",
            json!({"tool": {"tool": "http", "args": {"url": "{{ inputs.url }}", "n": "{{ inputs.n }}", "day": "{{ inputs.day }}"}}}),
            json!({}),
        )],
    );
    sub["inputs"] = json!([
        {"name": "url", "required": true, "schema": {}},
        {"name": "n", "required": false, "default": 3, "schema": {}},
        {"name": "day", "required": false, "default": "{{ today }}", "schema": {}},
    ]);
    let main = skill(
        "main",
        vec![
            step(
                "get",
                json!({"tool": {"tool": "http", "args": {
                    "url": "https://me@{{ defaults.host }}/{{ inputs.mr }}?x",
                    "headers": {"token": "{{ secrets.TOKEN }}", "at": "{{ now() }}", "day": "{{ today }}"},
                    "list": ["{{ inputs.mr }}", "{{ env.HOME }}", "{{ config.a.b }}", "{{ inputs.gone }}", "{{ item }}"]
                }}}),
                json!({"condition": "inputs.mr > 3", "foreach": {"items": "{{ [inputs.mr] }}", "concurrency": 1}}),
            ),
            step(
                "ask",
                json!({"confirm": {"message": "{{ get.title }}?", "options": ["yes"], "default": null, "timeout_ms": null}}),
                json!({"needs": [0], "condition": "get and inputs.mr"}),
            ),
            step(
                "sub",
                json!({"skill": {"skill": "sub", "args": {"url": "http://{{ env.HOME }}:80/"}}}),
                json!({"effect": "write", "undo": {"tool": "x", "args": {"t": "{{ secrets.OTHER }}"}}}),
            ),
            step("unknown", json!({"skill": {"skill": "sub", "args": {"url": "{{ get.url }}"}}}), json!({})),
            step("end", json!({"return": {"value": "{{ inputs.mr }}"}}), json!({})),
        ],
    );
    serde_json::from_value(json!({"format": 1, "skill": main, "skills": {"sub": sub}})).unwrap()
}

fn resolved(mr: u32) -> ResolvedPlan {
    resolved_with(mr, "what it did")
}

fn resolved_with(mr: u32, does: &str) -> ResolvedPlan {
    let inputs = json!({"mr": mr});
    let env = json!({"HOME": "home"});
    let config = json!({"a": {"b": true}});
    let tools = [("get".to_owned(), does.to_owned())].into();
    let (inputs, env) = (inputs.as_object().unwrap(), env.as_object().unwrap());
    let known = Known { inputs, config: &config, env, tools: &tools };
    let touches = |tool: &str| Touched {
        places: vec![format!("command {tool}")],
        secrets: ["FORGE".to_owned()].into(),
    };
    resolve(&plan(), known, &touches)
}

#[test]
fn what_is_known_is_filled_in() {
    insta::assert_snapshot!(serde_json::to_string_pretty(&resolved(7).steps).unwrap());
}

#[test]
fn the_hash_follows_what_is_resolved() {
    assert_eq!(resolved(7).hash, resolved(7).hash);
    assert_ne!(resolved(7).hash, resolved(8).hash);
    assert_ne!(resolved(7).hash, resolved_with(7, "something else").hash, "a tool does something else now");
}
