//! Module `system` on the machine that runs the tests.

use aa_spec::tool::ErrorKind;
use serde_json::json;

use super::*;

#[tokio::test]
async fn facts_are_those_of_this_machine() {
    let bench = Bench::new();
    let os = bench.ok("os_info", json!({})).await;
    assert_eq!(os["system"], "Linux");
    assert_eq!(os["machine"], std::env::consts::ARCH);
    let memory = bench.ok("system_memory", json!({})).await;
    assert!(memory["total_kib"].as_u64() > memory["available_kib"].as_u64(), "{memory}");
    assert!(bench.ok("system_load", json!({})).await["one"].is_f64());
}

#[tokio::test]
async fn processes_are_sorted() {
    let list = Bench::new().ok("processes", json!({"limit": 5000, "sort": "pid"})).await;
    let pids: Vec<_> =
        list.as_array().unwrap().iter().map(|process| process["pid"].as_u64().unwrap()).collect();
    assert!(pids.is_sorted_by(|a, b| a > b));
    assert!(pids.contains(&u64::from(std::process::id())));
    let three = Bench::new().ok("processes", json!({"limit": 3})).await;
    assert_eq!(three.as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_listener_is_seen() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let ports = Bench::new().ok("listening_ports", json!({})).await;
    let own = ports.as_array().unwrap().iter().find(|entry| entry["port"] == port).unwrap();
    assert_eq!((&own["address"], &own["pid"]), (&json!("127.0.0.1"), &json!(std::process::id())));
}

#[tokio::test]
async fn commands_are_found_and_say_their_version() {
    let bench = Bench::new();
    let found = bench.ok("command_find", json!({"command": "git"})).await;
    assert!(found["path"].as_str().unwrap().ends_with("/git"));
    let missing = bench.ok("command_find", json!({"command": "no-such-command"})).await;
    assert_eq!(missing, json!({"found": false, "path": null}));
    let version = bench.ok("command_version", json!({"command": "git"})).await;
    assert!(version["text"].as_str().unwrap().contains(version["version"].as_str().unwrap()), "{version}");
    let error = bench.error("command_version", json!({"command": "no-such-command"})).await;
    assert_eq!(error.kind, ErrorKind::NotFound);
    let error = bench.error("command_version", json!({"command": "../x"})).await;
    assert_eq!(error.kind, ErrorKind::Invalid);
}
