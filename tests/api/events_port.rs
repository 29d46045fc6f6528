//! The port for editors, and the file for those that watch one.

use std::net::{SocketAddr, TcpListener};

use serde_json::{Value, json};

use super::support::{Socket, project, serve, stands, start};
use crate::support::eventually;

/// A port that is free now.
fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[test]
fn editors_listen_at_a_port_of_their_own() {
    let address = free();
    let aa = project(&format!("events: {{port: {}}}\n", address.port()));
    let served = serve(&aa);
    eventually("the port is open", || served.said().contains("telling editors"));
    for path in ["/", "/ws"] {
        let mut socket = Socket::open(address, path, &[]).unwrap();
        socket.say(&json!({"type": "authenticate", "key": served.token}));
        assert_eq!(socket.hear()["type"], "connected");
        start(&served, "look", &json!({}));
        assert_eq!(socket.hear_of("skill_completed")["success"], true);
    }
    let mut silent = Socket::open(address, "/", &[]).unwrap();
    silent.say(&json!({"type": "heartbeat"}));
    assert_eq!(silent.closed(), 4401);
    assert_eq!(Socket::open(address, "/", &[("Origin", "https://evil.example.org")]).err(), Some(403));
    assert_eq!(Socket::open(address, "/api/runs", &[]).err(), Some(404));
}

#[test]
fn editors_without_a_key_may_listen_where_that_is_allowed_and_not_answer() {
    let address = free();
    let aa = project(&format!("events: {{port: {}, keyless: true}}\n", address.port()));
    let served = serve(&aa);
    eventually("the port is open", || served.said().contains("without a key"));
    let mut socket = Socket::open(address, "/", &[]).unwrap();
    assert_eq!(socket.hear()["type"], "connected");
    let run = start(&served, "ask", &json!({}));
    let id = socket.hear_of("confirmation_required")["id"].clone();
    let answer = json!({"type": "confirmation_response", "id": id, "response": "yes"});
    socket.say(&answer);
    assert!(socket.hear_of("confirmation_refused")["detail"].as_str().unwrap().contains("key"));
    socket.say(&json!({"type": "authenticate", "key": served.token}));
    socket.hear_of("authenticated");
    socket.say(&answer);
    socket.hear_of("confirmation_answered");
    stands(&served, run, "completed");
    // The main port has no such door, and somebody passed on by a proxy is not on this machine.
    let mut main = Socket::open(served.address, "/ws", &[]).unwrap();
    main.say(&json!({"type": "heartbeat"}));
    assert_eq!(main.closed(), 4401);
    let mut passed_on = Socket::open(address, "/", &[("X-Forwarded-For", "192.0.2.7")]).unwrap();
    passed_on.say(&json!({"type": "heartbeat"}));
    assert_eq!(passed_on.closed(), 4401);
}

#[test]
fn a_port_that_is_taken_is_said_and_the_server_runs_without_it() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let aa = project(&format!("events: {{port: {port}}}\n"));
    let served = serve(&aa);
    let run = start(&served, "look", &json!({}));
    stands(&served, run, "completed");
    eventually("it says so", || served.said().contains(&format!("port {port} cannot be used")));
}

#[test]
fn the_state_file_has_what_runs_and_what_ran() {
    let aa = project("events: {state_file: run/state.json}\n");
    let served = serve(&aa);
    let path = aa.path("../home/config/aa-workflow/run/state.json");
    let read = || -> Value {
        std::fs::read_to_string(&path)
            .ok()
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_default()
    };
    eventually("the file is there", || read()["version"] == 2);
    let run = start(&served, "ask", &json!({}));
    let execution = || read()["executions"][run.to_string()].clone();
    eventually("the run is in it", || execution()["status"] == "running");
    let failed = start(&served, "fail", &json!({}));
    eventually("a failure is in it", || read()["executions"][failed.to_string()]["status"] == "failed");
    let events = read()["executions"][failed.to_string()]["events"].clone();
    let types: Vec<_> =
        events.as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["skill_start", "step_start", "step_failed", "skill_complete"]);
    assert_eq!((&events[2]["stepName"], &events[2]["stepIndex"]), (&json!("break"), &json!(0)));
    served.post(&format!("/api/runs/{run}/answer"), &[], &json!({"step": "sure", "answer": "yes"}));
    eventually("its end is in it", || execution()["status"] == "success");
    assert_eq!(execution()["skillName"], "ask");
    assert!(execution()["workspaceUri"].as_str().unwrap().starts_with("file://"));
    let folder = aa.path("../home/config/aa-workflow/run");
    eventually("nothing else is left there", || std::fs::read_dir(&folder).unwrap().count() == 1);
}

#[test]
fn the_state_file_after_a_crash_is_what_the_journal_says() {
    let aa = project("events: {state_file: run/state.json}\n")
        .tools(
            "slow",
            "module: slow\ndescription: Slow\nrequires: {commands: [sh]}\ntools:\n  - {name: slow_write, description: Writes slowly, effect: write, input: {}, run: [sleep, '100']}\n",
        )
        .skill("slow", "name: slow\ndescription: Slow\nsteps: [{name: put, tool: slow_write}]\n");
    aa.args(["skill", "run", "slow", "-q"]).env("AA_TEST_KILL_AFTER", "2").run().killed();
    let served = serve(&aa);
    let asks = start(&served, "ask", &json!({}));
    served.post("/api/runs/1/resume", &[], &json!({}));
    let path = aa.path("../home/config/aa-workflow/run/state.json");
    let of = |run: i64| -> Value {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        serde_json::from_str::<Value>(&text).unwrap_or_default()["executions"][run.to_string()].clone()
    };
    let types = |run: i64| -> Vec<String> {
        let events = of(run)["events"].as_array().cloned().unwrap_or_default();
        events.iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect()
    };
    eventually("it is in doubt", || of(1)["status"] == "waiting");
    let mut served = served;
    served.signal(rustix::process::Signal::KILL);
    served.ended();
    std::fs::remove_file(&path).unwrap();
    let served = serve(&aa);
    eventually("both are there again", || of(1)["status"] == "waiting" && of(asks)["status"] == "running");
    assert_eq!(of(1)["inDoubt"], json!(["put"]));
    assert_eq!(
        (types(1), types(asks)[0].clone()),
        (vec!["skill_start".to_owned(), "step_start".to_owned()], "skill_start".to_owned())
    );
    let fails = json!({"step": "put", "resolution": "fail"});
    let reply = served.post("/api/runs/1/resolve", &[], &fails);
    assert_eq!(reply.status, 200, "{reply:?}");
    eventually("its end is in it", || of(1)["status"] == "failed");
    assert_eq!(types(1).iter().filter(|of| *of == "skill_start").count(), 1, "nothing is told twice");
    assert_eq!(of(1)["inDoubt"], json!([]));
}
