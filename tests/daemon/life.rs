//! Started, looked at, drained, stopped, restarted.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use super::{daemon, lines, project, run_status, running, start, state, status};
use crate::support::{PATIENCE, eventually};

#[test]
fn it_is_started_looked_at_and_stopped() {
    let aa = project("");
    daemon(&aa, &["status"]).code(1).stdout("not running\n");
    daemon(&aa, &["stop"]).code(0).stderr_contains("no daemon runs");
    daemon(&aa, &["logs"]).code(4).stderr_contains("aa daemon start");
    let begun = Instant::now();
    let it = start(&aa);
    assert!(begun.elapsed() < Duration::from_secs(20));
    let known = status(&aa);
    assert_eq!((&known["running"], &known["ready"]), (&json!(true), &json!(true)));
    for check in ["store", "catalog", "scheduler"] {
        assert_eq!(known["daemon"]["health"][check]["state"], "ok", "{known}");
    }
    daemon(&aa, &["status"]).code(0).stdout_contains("ready: pid").stdout_contains("scheduler  ok");
    daemon(&aa, &["start"]).code(0).stderr_contains("a daemon runs already: pid");
    daemon(&aa, &["run"]).code(1).stderr_contains("a daemon runs already for this store (pid");
    assert_eq!(it.get("/healthz").status, 200);
    let ready = it.get("/readyz");
    let checks = json!({"store": "ok", "catalog": "ok", "scheduler": "ok"});
    assert_eq!((ready.status, &ready.message()["checks"]), (200, &checks), "{ready:?}");
    let (listeners, broken) = (&ready.message()["listeners"], &ready.message()["broken_files"]);
    assert_eq!((listeners, broken), (&json!({}), &json!(0)));
    daemon(&aa, &["logs", "-n", "500"])
        .code(0)
        .stdout_contains("ready after")
        .stdout_contains("serving AI clients");
    daemon(&aa, &["stop"]).code(0).stderr_contains("has ended");
    let folder = state(&aa).join("daemon");
    let left: Vec<_> =
        ["pid", "health.json", "socket"].iter().filter(|name| folder.join(name).exists()).collect();
    assert!(left.is_empty(), "{left:?}");
    daemon(&aa, &["status"]).code(1).stdout("not running\n");
}

#[test]
fn of_several_that_are_started_at_once_one_wins_and_a_dead_one_is_in_nobodys_way() {
    let aa = project("");
    let calls: Vec<_> =
        (0..4).map(|_| aa.args(["daemon", "start", "--listen", "127.0.0.1:0"]).start()).collect();
    for call in calls {
        call.wait().code(0);
    }
    let it = running(&aa);
    let pid = it.pid();
    it.signal(Signal::KILL);
    it.gone();
    // What it has left behind says nothing.
    daemon(&aa, &["status"]).code(1).stdout_contains("has ended without a word");
    daemon(&aa, &["stop"]).code(0).stderr_contains("no daemon runs");
    let next = start(&aa);
    assert_ne!(next.pid(), pid);
    let before = next.address;
    daemon(&aa, &["restart"]).code(0).stderr_contains("the daemon is ready");
    assert_ne!(next.pid(), pid);
    assert_eq!(before.ip(), running(&aa).address.ip());
}

#[test]
fn what_it_leaves_in_the_file_system_is_for_its_owner() {
    let aa = project("daemon: {log_bytes: 300, log_files: 2}\n");
    let it = start(&aa);
    let folder = state(&aa).join("daemon");
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    for name in ["lock", "claim", "pid", "health.json", "socket", "log", "stderr"] {
        assert_eq!(mode(&folder.join(name)), 0o600, "{name}");
    }
    let pid = std::fs::read_to_string(folder.join("pid")).unwrap();
    assert_eq!(pid.trim().parse(), Ok(it.pid()));
    for _ in 0..20 {
        assert_eq!(it.get("/api/runs").status, 200);
    }
    let logs = || {
        let names = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name());
        names.filter(|name| name.to_string_lossy().starts_with("log")).count()
    };
    eventually("older logs are kept, and not many", || logs() == 3);
    // Whoever speaks another language is told so.
    let mut stranger = UnixStream::connect(folder.join("socket")).unwrap();
    stranger.write_all(b"hello\n").unwrap();
    let mut answer = String::new();
    stranger.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("it is not understood"), "{answer}");
}

#[test]
fn what_keeps_it_from_starting_is_said() {
    let aa = project("");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    daemon(&aa, &["start", "--listen", &address]).code(1).stderr_contains("address already in use");
    daemon(&aa, &["start", "--listen", "0.0.0.0:0"]).code(2).stderr_contains("nobody has a key");
    let broken = project("serve: {runs: many}\n");
    daemon(&broken, &["start"]).code(3);
    daemon(&broken, &["status"])
        .code(1)
        .stdout("not running\n")
        .stderr_contains("the configuration has errors");
}

#[test]
fn told_to_end_it_lets_steps_end_refuses_work_and_leaves_the_rest_to_the_next_one() {
    let aa = project("");
    let it = start(&aa);
    let run = it.start("two", &json!({"after": "3"}));
    eventually("the first step has begun", || run_status(&aa, run)["events"].as_u64() >= Some(2));
    it.signal(Signal::TERM);
    eventually("it says so", || status(&aa)["daemon"]["stage"] == "draining");
    let ready = it.get("/readyz");
    assert_eq!((ready.status, ready.message()["status"].as_str()), (503, Some("draining")));
    assert_eq!(ready.header("retry-after"), Some("5"));
    assert_eq!(it.get("/healthz").status, 200);
    let refused = it.post("/api/skills/two/run", &json!({}));
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("5")), "{refused:?}");
    assert_eq!(refused.message()["type"], "/api/problems/draining");
    assert_eq!(lines(&aa), [""; 0], "the step goes on");
    it.gone();
    assert_eq!(lines(&aa), ["first"], "what was under way has ended, and nothing else has begun");
    assert_eq!(run_status(&aa, run)["interrupted"], true);
    let next = start(&aa);
    eventually("the next one goes on with it", || run_status(&aa, run)["status"] == "completed");
    assert_eq!(lines(&aa), ["first", "second"]);
    drop(next);
}

#[test]
fn its_end_in_order_is_a_success_even_when_a_step_has_to_be_cut_off() {
    let hang =
        "name: hang\ndescription: Hangs\nsteps: [{name: it, tool: once, args: {text: x, after: '1000'}}]\n";
    let aa = project("daemon: {drain_timeout: 300ms}\n").skill("hang", hang);
    let call = aa.args(["daemon", "run", "--listen", "127.0.0.1:0"]).start();
    eventually("it is ready", || status(&aa)["ready"] == true);
    let it = running(&aa);
    let run = it.start("hang", &json!({}));
    eventually("the step has begun", || lines(&aa) == ["begin x"]);
    it.signal(Signal::TERM);
    call.wait().code(0);
    assert_eq!(run_status(&aa, run)["interrupted"], true);
    drop(it);
    let next = start(&aa);
    // It may have taken place, so nobody repeats it unasked.
    eventually("a person is waited for", || run_status(&aa, run)["status"] == "waiting");
    assert_eq!(lines(&aa), ["begin x"]);
    let log = daemon(&aa, &["logs", "-n", "500"]).code(0).out();
    assert!(log.contains("1 runs were cut off"), "{log}");
    drop(next);
}

#[test]
fn a_service_manager_hears_when_it_is_ready_and_when_it_ends() {
    let aa = project("");
    let path = aa.home().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let call = aa.args(["daemon", "run", "--listen", "127.0.0.1:0"]).env("NOTIFY_SOCKET", &path).start();
    let hear = || {
        let mut text = [0; 64];
        let length = socket.recv(&mut text).unwrap();
        String::from_utf8_lossy(&text[..length]).into_owned()
    };
    assert_eq!(hear(), "READY=1");
    let it = running(&aa);
    assert_eq!(it.get("/readyz").status, 200);
    it.signal(Signal::INT);
    assert_eq!(hear(), "STOPPING=1");
    call.wait().code(0);
}

#[test]
fn a_service_is_written_for_whatever_starts_services() {
    let aa = project("daemon: {drain_timeout: 90s}\n");
    let unit = daemon(&aa, &["install", "--kind", "systemd", "--print"]).code(0).out();
    for part in
        ["Type=notify", "\"daemon\" \"run\"", "TimeoutStopSec=130", "Restart=on-failure", "KillMode=mixed"]
    {
        assert!(unit.contains(part), "{part}: {unit}");
    }
    let plist = daemon(&aa, &["install", "--kind", "launchd", "--print"]).code(0).out();
    assert!(plist.contains("<string>daemon</string>\n    <string>run</string>"), "{plist}");
    daemon(&aa, &["install", "--kind", "systemd"]).code(0).stderr_contains("systemctl --user");
    let path = aa.home().join("config/systemd/user/aa.service");
    assert!(std::fs::read_to_string(&path).unwrap().contains("Type=notify"));
    daemon(&aa, &["install", "--kind", "systemd"]).code(0);
    std::fs::write(&path, "mine").unwrap();
    daemon(&aa, &["install", "--kind", "systemd"]).code(1).stderr_contains("says something else");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
    daemon(&aa, &["install", "--kind", "systemd", "--force"]).code(0);
}
