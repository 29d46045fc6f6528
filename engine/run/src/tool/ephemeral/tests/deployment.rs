//! Deployments of the sample's merge requests, from finding the commit to the release.

use std::time::Duration;

use aa_spec::tool::ErrorKind;
use serde_json::{Value, json};

use super::super::http::Asker;
use super::bench::{Bench, SERVICE, git};
use crate::tool::ToolError;

const COMMIT_OF_123: &str = "9ec066cd2a16b7853d1517ba0932651fa473d024";

/// Finds, reserves and checks out a merge request; gives the namespace.
async fn check_out(bench: &Bench, mr: u64) -> Value {
    let found = bench.call("ephemeral_merge_request", json!({ "mr": mr })).await.unwrap();
    let reserved = bench.call("ephemeral_reserve", json!({"owner": "ada"})).await.unwrap();
    let args = json!({
        "namespace": reserved["namespace"],
        "repository": found["repository"],
        "reference": found["reference"],
        "commit": found["commit"],
    });
    bench.call("ephemeral_checkout", args).await.unwrap();
    json!({"namespace": reserved["namespace"]})
}

async fn get(url: &str) -> Result<String, ToolError> {
    Asker::new().get(url, Duration::from_secs(5)).await.map(|answer| answer.body)
}

async fn release(bench: &Bench, namespace: &Value) -> Value {
    let released = bench.call("ephemeral_release", namespace.clone()).await.unwrap();
    let name = namespace["namespace"].as_str().unwrap();
    assert_eq!(released["released"], json!([name]));
    assert!(!bench.namespaces().join(name).exists());
    assert_eq!(bench.call("ephemeral_list", json!({})).await.unwrap()["count"], 0);
    released
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_merge_request_is_deployed_and_released() {
    let bench = Bench::new();
    let namespace = check_out(&bench, 123).await;
    let built = bench.call("ephemeral_build", namespace.clone()).await.unwrap();
    assert_eq!((&built["commit"], &built["commands"]), (&json!(COMMIT_OF_123), &json!(1)));
    bench.call("ephemeral_test", namespace.clone()).await.unwrap();
    assert!(bench.lines().iter().any(|line| line.starts_with("test result: ok")), "{:?}", bench.lines());

    let started = bench.call("ephemeral_start", namespace.clone()).await.unwrap();
    let again = bench.call("ephemeral_start", namespace.clone()).await.unwrap();
    assert_eq!(started, again, "a started service is not started twice");
    let healthy = bench.call("ephemeral_wait", namespace.clone()).await.unwrap();
    assert_eq!(healthy["status"], 200);
    let smoke = bench.call("ephemeral_smoke", namespace.clone()).await.unwrap();
    assert_eq!(smoke["passed"], 4);

    let url = started["url"].as_str().unwrap();
    assert!(get(&format!("{url}/version")).await.unwrap().contains(COMMIT_OF_123));
    let status = bench.call("ephemeral_status", namespace.clone()).await.unwrap();
    assert_eq!((&status["state"], &status["healthy"]), (&json!("running"), &json!(true)));
    let logs = bench.call("ephemeral_logs", namespace.clone()).await.unwrap();
    assert!(logs["lines"][0].as_str().unwrap().starts_with("greeter 9ec066cd"), "{logs}");

    let released = release(&bench, &namespace).await;
    assert_eq!(released["processes"], 1);
    assert_eq!(get(url).await.unwrap_err().kind, ErrorKind::Network);
}

#[tokio::test]
async fn a_build_that_fails_shows_the_compiler_s_words() {
    let bench = Bench::new();
    let namespace = check_out(&bench, 124).await;
    let error = bench.call("ephemeral_build", namespace.clone()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Permanent);
    assert_eq!(error.message, "`rustc` ended with exit code 1: error[E0308]: mismatched types");
    let last = error.details["last_lines"].to_string();
    assert!(last.contains("src/route.rs:29"), "{last}");
    let logs = bench
        .call("ephemeral_logs", json!({"namespace": namespace["namespace"], "log": "build", "lines": 500}));
    assert_eq!(
        logs.await.unwrap()["lines"][0],
        "$ rustc --edition=2021 -C opt-level=1 -o greeter src/main.rs"
    );
    let unbuilt = bench.call("ephemeral_start", namespace.clone()).await.unwrap_err();
    assert!(unbuilt.message.ends_with("`ephemeral_build` comes first"), "{unbuilt}");
    release(&bench, &namespace).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_never_becomes_healthy_is_given_up() {
    let bench = Bench::new();
    let namespace = check_out(&bench, 125).await;
    bench.call("ephemeral_build", namespace.clone()).await.unwrap();
    let started = bench.call("ephemeral_start", namespace.clone()).await.unwrap();
    let wait = json!({"namespace": namespace["namespace"], "timeout": "600ms"});
    let error = bench.call("ephemeral_wait", wait).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Timeout);
    assert!(error.message.starts_with("`greeter` was not healthy after 0."), "{error}");
    assert!(
        error.message.ends_with(r#": it answered 503 {"error":"there are no phrases at GREETER_PHRASES"}"#),
        "{error}"
    );
    let last = error.details["last_lines"].to_string();
    assert!(last.contains("GET /healthz HTTP/1.1 -> 503"), "{last}");
    release(&bench, &namespace).await;
    assert_eq!(get(started["url"].as_str().unwrap()).await.unwrap_err().kind, ErrorKind::Network);
}

#[tokio::test]
async fn what_is_not_there_is_said_with_what_is() {
    let bench = Bench::new();
    let error = bench.call("ephemeral_merge_request", json!({"mr": 7})).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
    assert_eq!(error.message, "`sample` has no merge request 7");
    assert_eq!(error.details["hint"], "it has 125, 124, 123");

    let nowhere = json!({"mr": 7, "repository": "no/such/folder"});
    let error = bench.call("ephemeral_merge_request", nowhere).await.unwrap_err();
    assert!(error.message.starts_with("there is no repository at"), "{error}");
    let option = json!({"mr": 7, "repository": "--upload-pack=touch x"});
    let error = bench.call("ephemeral_merge_request", option).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Invalid);
    let unreachable = json!({"mr": 7, "repository": "http://127.0.0.1:1/x.git"});
    let error = bench.call("ephemeral_merge_request", unreachable).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Network, "{error}");
}

#[tokio::test]
async fn a_folder_with_pull_requests_is_a_repository_too() {
    let bench = Bench::new();
    let folder = bench.repository("service", &[("ephemeral.yaml", SERVICE)]);
    git(&folder, &["update-ref", "refs/pull/5/head", "HEAD"]);
    let args = json!({"mr": 5, "repository": "service"});
    let found = bench.call("ephemeral_merge_request", args.clone()).await.unwrap();
    assert_eq!(found["reference"], "refs/pull/5/head");

    // The pull request moves on: its older commit is still what was asked for.
    let newer = bench.commit("service", &[("more", "")]);
    git(&folder, &["update-ref", "refs/pull/5/head", "HEAD"]);
    let reserved = bench.call("ephemeral_reserve", json!({"owner": "ada"})).await.unwrap();
    let mut checkout = json!({
        "namespace": reserved["namespace"],
        "repository": found["repository"],
        "reference": found["reference"],
        "commit": found["commit"],
    });
    let older = bench.call("ephemeral_checkout", checkout.clone()).await.unwrap();
    assert_eq!(older["commit"], found["commit"]);
    checkout.as_object_mut().unwrap().remove("commit");
    let newest = bench.call("ephemeral_checkout", checkout.clone()).await.unwrap();
    assert_eq!(newest["commit"], newer);

    checkout["commit"] = json!("0".repeat(40));
    let error = bench.call("ephemeral_checkout", checkout).await.unwrap_err();
    assert!(error.message.starts_with("`refs/pull/5/head` has moved on to "), "{error}");
}

#[tokio::test]
async fn a_commit_without_a_good_manifest_is_refused() {
    let bench = Bench::new();
    let reserved = bench.call("ephemeral_reserve", json!({"owner": "ada"})).await.unwrap();
    let checkout = async |repository: &str| -> ToolError {
        let args = json!({
            "namespace": reserved["namespace"],
            "repository": repository,
            "reference": "refs/heads/main",
        });
        bench.call("ephemeral_checkout", args).await.unwrap_err()
    };
    bench.repository("bare", &[("README", "")]);
    assert_eq!(checkout("bare").await.message, "the commit has no `ephemeral.yaml`");
    bench.repository("typo", &[("ephemeral.yaml", &SERVICE.replace("health", "heath"))]);
    let error = checkout("typo").await;
    assert!(error.message.starts_with("ephemeral.yaml:"), "{error}");
    assert!(error.message.contains("`heath`"), "{error}");
}
