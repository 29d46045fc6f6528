//! The module through its tools: real git, real builds, real processes, real HTTP.

mod bench;
mod deployment;
mod processes;
mod sample;

use serde_json::json;

use super::manifest::Manifest;
use bench::{Bench, SERVICE};

#[test]
fn every_tool_says_what_it_is() {
    let bench = Bench::new();
    let faces: Vec<String> = bench
        .tools()
        .map(|tool| {
            let spec = tool.spec();
            let repeat = if spec.idempotent { "" } else { ", not idempotent" };
            assert_eq!(spec.input["additionalProperties"], false, "{}", spec.name);
            assert_eq!(spec.input["type"], "object", "{}", spec.name);
            assert!(spec.input["properties"].is_object(), "{}", spec.name);
            assert!(!spec.input.to_string().contains("$ref"), "{}", spec.name);
            assert!(!spec.output.to_string().contains("$ref"), "{}", spec.name);
            format!("{}: {:?}{repeat}, needs {}", spec.name, spec.effect, spec.input["required"])
        })
        .collect();
    insta::assert_snapshot!(faces.join("\n"), @r#"
    ephemeral_merge_request: Read, needs ["mr"]
    ephemeral_reserve: Write, needs null
    ephemeral_checkout: Write, needs ["namespace","reference"]
    ephemeral_build: Write, needs ["namespace"]
    ephemeral_test: Write, needs ["namespace"]
    ephemeral_start: Write, needs ["namespace"]
    ephemeral_wait: Read, needs ["namespace"]
    ephemeral_smoke: Read, needs ["namespace"]
    ephemeral_status: Read, needs ["namespace"]
    ephemeral_list: Read, needs null
    ephemeral_logs: Read, needs ["namespace"]
    ephemeral_extend: Write, needs ["namespace","ttl"]
    ephemeral_release: Destructive, needs null
    "#);
}

#[tokio::test]
async fn a_key_reserves_one_namespace_however_often_it_asks() {
    let bench = Bench::new();
    let first = bench.call("ephemeral_reserve", json!({"ttl": "1h", "owner": "ada"})).await.unwrap();
    let again = bench.call("ephemeral_reserve", json!({"ttl": "1h", "owner": "ada"})).await.unwrap();
    assert_eq!(first, again);
    let other = bench.with_key("other").call("ephemeral_reserve", json!({})).await.unwrap();
    assert_ne!(first["namespace"], other["namespace"]);
    assert_ne!(other["owner"], "", "the owner is who runs this");

    let listed = bench.call("ephemeral_list", json!({})).await.unwrap();
    assert_eq!(listed["count"], 2);
    assert_eq!(listed["namespaces"][0]["state"], "reserved");
    let of_ada = bench.call("ephemeral_list", json!({"owner": "ada"})).await.unwrap();
    assert_eq!(of_ada["namespaces"][0]["namespace"], first["namespace"]);
    assert_eq!(of_ada["count"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_reserves_one_namespace_also_all_at_once() {
    let bench = Bench::new();
    let ask = || bench.call("ephemeral_reserve", json!({"owner": "ada"}));
    let (a, b, c, d) = tokio::join!(ask(), ask(), ask(), ask());
    let names = [a, b, c, d].map(|reserved| reserved.unwrap()["namespace"].clone());
    assert!(names.iter().all(|name| *name == names[0]), "{names:?}");
}

#[tokio::test]
async fn a_call_without_a_key_reserves_a_new_namespace_each_time() {
    let bench = Bench::new().with_key("");
    let first = bench.call("ephemeral_reserve", json!({"owner": "ada"})).await.unwrap();
    let second = bench.call("ephemeral_reserve", json!({"owner": "ada"})).await.unwrap();
    assert_ne!(first["namespace"], second["namespace"]);
}

#[tokio::test]
async fn times_to_live_are_checked_extended_and_run_out() {
    let bench = Bench::new();
    for wrong in ["never", "0s", "31days"] {
        let error = bench.call("ephemeral_reserve", json!({"ttl": wrong, "owner": "ada"})).await.unwrap_err();
        assert!(error.message.contains(wrong), "{error}");
    }
    let short = bench.call("ephemeral_reserve", json!({"ttl": "1s", "owner": "ada"})).await.unwrap();
    let long = bench.with_key("long").call("ephemeral_reserve", json!({"owner": "ada"})).await.unwrap();
    let kept =
        bench.call("ephemeral_extend", json!({"namespace": long["namespace"], "ttl": "1m"})).await.unwrap();
    assert_eq!(kept["expires"], long["expires"], "time is never taken away");
    let longer =
        bench.call("ephemeral_extend", json!({"namespace": long["namespace"], "ttl": "3h"})).await.unwrap();
    assert!(longer["expires"].as_str() > long["expires"].as_str());

    let left = [".new-ephemeral-ab23cd", ".gone-ephemeral-ab23cd"].map(|name| bench.namespaces().join(name));
    for folder in &left {
        std::fs::create_dir_all(folder.join("deep")).unwrap();
    }
    let expired = bench.until("ephemeral_list", json!({"expired": true}), |list| list["count"] == 1).await;
    assert_eq!(expired["namespaces"][0]["namespace"], short["namespace"]);
    assert_eq!(expired["namespaces"][0]["left"], "expired");
    let released = bench.call("ephemeral_release", json!({"expired": true})).await.unwrap();
    assert_eq!(released["released"], json!([short["namespace"]]));
    assert_eq!(bench.call("ephemeral_list", json!({})).await.unwrap()["count"], 1);
    assert!(!left.iter().any(|folder| folder.exists()), "what a dead process left behind is gone too");
}

#[tokio::test]
async fn a_release_touches_nothing_that_is_not_a_namespace() {
    let bench = Bench::new();
    let release = |name: &str| bench.call("ephemeral_release", json!({ "namespace": name }));
    let gone = release("ephemeral-ab23cd").await.unwrap();
    assert_eq!(gone, json!({"released": [], "absent": ["ephemeral-ab23cd"], "processes": 0}));

    for name in ["../state", "ephemeral-../../x", "", "ephemeral-AB23CD", "other"] {
        let error = release(name).await.unwrap_err();
        assert!(error.message.contains("is not the name of an ephemeral namespace"), "{error}");
    }
    let foreign = bench.namespaces().join("ephemeral-ab23cd");
    std::fs::create_dir_all(&foreign).unwrap();
    std::fs::write(foreign.join("precious"), "").unwrap();
    let error = release("ephemeral-ab23cd").await.unwrap_err();
    assert!(error.message.contains("cannot use the namespace"), "{error}");
    std::fs::write(foreign.join("namespace.json"), r#"{"format": 2}"#).unwrap();
    release("ephemeral-ab23cd").await.unwrap_err();
    assert!(foreign.join("precious").exists());

    let neither = bench.call("ephemeral_release", json!({})).await.unwrap_err();
    assert_eq!(neither.message, "give either a `namespace` or `expired: true`");
}

#[tokio::test]
async fn steps_in_the_wrong_order_say_which_comes_first() {
    let bench = Bench::new();
    let reserved = bench.call("ephemeral_reserve", json!({"owner": "ada"})).await.unwrap();
    let namespace = json!({"namespace": reserved["namespace"]});
    for tool in ["ephemeral_build", "ephemeral_test", "ephemeral_start", "ephemeral_wait", "ephemeral_smoke"]
    {
        let error = bench.call(tool, namespace.clone()).await.unwrap_err();
        assert!(error.message.ends_with("`ephemeral_checkout` comes first"), "{error}");
    }
    let unknown = bench.call("ephemeral_status", json!({"namespace": "ephemeral-zzzzzz"})).await.unwrap_err();
    assert_eq!(unknown.message, "there is no namespace `ephemeral-zzzzzz`");
    assert_eq!(unknown.details["hint"], format!("there are {}", reserved["namespace"].as_str().unwrap()));
}

#[test]
fn a_manifest_is_read_strictly() {
    Manifest::parse(SERVICE).unwrap();
    let wrong = |change: (&str, &str)| {
        let text = SERVICE.replacen(change.0, change.1, 1);
        assert_ne!(text, SERVICE, "{change:?} changes nothing");
        Manifest::parse(&text).unwrap_err().message
    };
    assert!(wrong(("health:", "heath:")).contains("`heath`"));
    let messages = [
        wrong(("health: /", "health: ready")),
        wrong(("{{ port }}", "{{ prt }}")),
        wrong(("{{ port }}", "{{ port")),
        wrong(("build: [[", "build: [[], [")),
        wrong(("build: [[sh", "build: [['', sh")),
    ];
    insta::assert_snapshot!(messages.join("\n"), @"
    ephemeral.yaml:4:9: `ready` is not a path: it does not start with `/`
    ephemeral.yaml:3:15: there is no `prt` here; there are `commit`, `namespace`, `port`, `url`
    ephemeral.yaml:3:15: this is not a template: unexpected character
    ephemeral.yaml:2:9: a command has no words
    ephemeral.yaml:2:10: a command has no name
    ");
}
