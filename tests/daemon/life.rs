//! Started, looked at, drained, stopped, restarted.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::{daemon, lines, project, run_status, running, start, state, status};
use crate::mcp::wire::Piped;
use crate::support::{PATIENCE, binary, eventually};

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
    let refused = daemon(&aa, &["start", "--listen", &address]).code(1);
    insta::assert_snapshot!(refused.err().replace(&address, "[address]"), @"
    error: the daemon has ended at once: cannot serve at `[address]`: address already in use
    hint: `aa daemon status` says whether a daemon has it; `--listen` takes another one, with port 0 a free one
    hint: `aa daemon logs` may say more
    ");
    daemon(&aa, &["start", "--listen", "example.org:80"]).code(2).stderr_contains("`localhost:8610`");
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
fn one_that_is_started_while_another_still_ends_follows_it() {
    let aa = project("");
    let it = start(&aa);
    let run = it.start("two", &json!({"after": "3"}));
    eventually("the first step has begun", || run_status(&aa, run)["events"].as_u64() >= Some(2));
    let before = it.pid();
    it.signal(Signal::TERM);
    eventually("it says so", || status(&aa)["daemon"]["stage"] == "draining");
    let started = daemon(&aa, &["start", "--listen", "127.0.0.1:0"]).code(0);
    started.stderr_contains("still ending").stderr_contains("the daemon is ready");
    let next = running(&aa);
    assert_ne!(next.pid(), before);
    assert_eq!(status(&aa)["daemon"]["stage"], "ready");
    eventually("the next one goes on with it", || run_status(&aa, run)["status"] == "completed");
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
    let flags = ["--listen", "127.0.0.1:8700", "--no-scheduler", "--tools", "a,b"];
    let install = |kind: &str| {
        let fixed = ["install", "--print", "--kind", kind];
        daemon(&aa, &[&fixed[..], &flags[..]].concat()).code(0).out()
    };
    let typed = r#""daemon" "run" "--no-scheduler" "--listen" "127.0.0.1:8700" "--tools" "a,b""#;
    assert!(install("systemd").contains(typed), "{}", install("systemd"));
    assert!(install("launchd").contains("<string>--listen</string>\n    <string>127.0.0.1:8700</string>"));
    // What could not be started is not written either.
    daemon(&aa, &["install", "--print", "--listen", "0.0.0.0:8700"])
        .code(2)
        .stderr_contains("other machines");
    daemon(&aa, &["install", "--kind", "systemd"]).code(0).stderr_contains("systemctl --user");
    let path = aa.home().join("config/systemd/user/aa.service");
    assert!(std::fs::read_to_string(&path).unwrap().contains("Type=notify"));
    daemon(&aa, &["install", "--kind", "systemd"]).code(0);
    std::fs::write(&path, "mine").unwrap();
    daemon(&aa, &["install", "--kind", "systemd"]).code(1).stderr_contains("says something else");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
    daemon(&aa, &["install", "--kind", "systemd", "--force"]).code(0);
}

#[test]
fn a_service_reads_the_configuration_that_was_seen_when_it_was_written() {
    let aa = project("secrets: {TOKEN: {env: MY_TOKEN}}\n");
    let install = |kind: &str| {
        let call = aa.args(["daemon", "install", "--print", "--kind", kind]).env("AA_CONFIG_DIR", "");
        let call = call.env("AA_LIMITS_CALLS", "3").env("TZ", "Europe/Berlin").env("MY_TOKEN", "hunter2");
        call.env("AA_HTTP_PROXY", "http://ann:hunter2@proxy:3128").run().code(0)
    };
    let unit = install("systemd");
    for part in ["AA_LIMITS_CALLS=3", "TZ=Europe/Berlin", "XDG_CONFIG_HOME=[home]/config"] {
        assert!(unit.out().contains(&format!("Environment=\"{part}\"\n")), "{part}: {unit}");
    }
    let plist = install("launchd");
    for (name, value) in [("AA_LIMITS_CALLS", "3"), ("XDG_CONFIG_HOME", "[home]/config")] {
        let part = format!("    <key>{name}</key>\n    <string>{value}</string>\n");
        assert!(plist.out().contains(&part), "{part}: {plist}");
    }
    for ran in [unit, plist] {
        assert!(!ran.to_string().contains("hunter2"), "{ran}");
        ran.stderr_contains("not written, as it is secret: `AA_HTTP_PROXY` and `MY_TOKEN`");
    }
    let own = aa.args(["daemon", "install", "--print", "--kind", "systemd"]).env("AA_CONFIG_DIR", "own$%");
    own.run().code(0).stdout_contains("Environment=\"AA_CONFIG_DIR=[project]/own$%%\"\n");
}

#[test]
fn a_restart_that_would_fail_leaves_the_daemon_as_it_is() {
    let key = "k".repeat(40);
    let aa = project("");
    let it = start(&aa);
    let pid = it.pid();
    let config = "secrets: {CI: {env: CI_KEY}}\nserve: {keys: [{principal: ci, key: '{{ secrets.CI }}'}]}\n";
    let put = |text: &str| std::fs::write(aa.home().join("config/aa-workflow/config.yaml"), text).unwrap();
    put(config);
    daemon(&aa, &["restart"])
        .code(1)
        .stderr_contains("the key of `ci` cannot be opened: secret `CI`")
        .stderr_contains(&format!("hint: the daemon (pid {pid}) goes on as before"));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let restart = |flags: &[&str]| {
        let words = ["daemon", "restart"].iter().chain(flags);
        aa.args(words).env("CI_KEY", &key).run()
    };
    let address = taken.local_addr().unwrap().to_string();
    restart(&["--listen", &address]).code(1).stderr_contains("already in use").stderr_contains("--listen");
    restart(&["--persona", "nobody"]).code(4);
    restart(&["--listen", "0.0.0.0:0"]).code(2);
    put("limits: {calls: many}\n");
    restart(&[]).code(3);
    assert_eq!((status(&aa)["ready"].clone(), it.pid()), (json!(true), pid));
    put(config);
    restart(&[]).code(0).stderr_contains("the daemon is ready");
    assert_ne!(it.pid(), pid);
}

#[test]
fn a_restart_keeps_flags_and_folder_unless_it_is_given_others() {
    let aa = project("");
    daemon(&aa, &["start", "--listen", "localhost:0", "--no-scheduler"]).code(0);
    let it = running(&aa);
    assert!(it.address.ip().is_loopback());
    let known = |field: &str| status(&aa)["daemon"][field].clone();
    let (folder, before) = (known("folder"), known("arguments"));
    assert_eq!(before, json!(["--no-scheduler", "--listen", "127.0.0.1:0"]));
    // Of one that was killed, too.
    it.signal(Signal::KILL);
    it.gone();
    let elsewhere = aa.script(&format!("cd / && {} daemon restart", binary())).run();
    elsewhere.code(0);
    assert_eq!((known("folder"), known("arguments")), (folder.clone(), before));
    daemon(&aa, &["restart", "--listen", "[::1]:0"]).code(0);
    assert_eq!(known("arguments"), json!(["--no-scheduler", "--listen", "[::1]:0"]));
    assert_eq!(running(&aa).address.ip().to_string(), "::1");
}

#[test]
fn secrets_that_it_cannot_read_are_named() {
    let aa = project("secrets: {ONE: {env: ONE_KEY}, TWO: {file: /nowhere/two}, FINE: {env: HOME}}\n");
    let names = "`ONE` and `TWO`";
    let begun = daemon(&aa, &["start", "--listen", "127.0.0.1:0"]).code(0);
    let it = running(&aa);
    begun.stderr_contains(&format!("warning: secrets that the daemon cannot read: {names}"));
    daemon(&aa, &["status"]).code(0).stdout_contains(&format!("secrets    cannot be read: {names}"));
    daemon(&aa, &["logs"]).code(0).stdout_contains(&format!("secrets that cannot be read: {names}"));
    assert_eq!(status(&aa)["daemon"]["secrets"], json!(["ONE", "TWO"]));
    drop(it);
}

#[test]
fn who_looks_at_schedules_by_another_zone_than_the_daemon_is_told() {
    let aa = project("schedules: {daily: {skill: two, every: 1d}}\n");
    let it = start(&aa);
    let list = |zone: &str| aa.args(["schedule", "list"]).env("TZ", zone).run().code(0);
    list("Etc/UTC").stderr("");
    list("Asia/Tokyo").stderr_contains("by UTC, and this command shows them by Asia/Tokyo");
    drop(it);
}

#[test]
fn a_daemon_in_a_zone_that_there_is_not_says_what_it_does_not_run() {
    let aa = project("schedules: {daily: {skill: two, every: 1d}}\n");
    aa.args(["daemon", "start", "--listen", "127.0.0.1:0"]).env("TZ", "Foo/Bar").run().code(0);
    let it = running(&aa);
    aa.args(["schedule", "list"]).run().code(0).stderr_contains("the daemon was started with `TZ=Foo/Bar`");
    eventually("it is in the log", || {
        daemon(&aa, &["logs", "-n", "500"]).out().contains("the variable `TZ` is `Foo/Bar`, which is none")
    });
    drop(it);
}

#[test]
fn a_daemon_that_is_frozen_is_not_said_to_be_ready() {
    let aa = project("");
    let it = start(&aa);
    let pid = it.pid();
    it.signal(Signal::STOP);
    // As if that had been half a minute ago.
    let path = state(&aa).join("daemon/health.json");
    let mut report: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    report["at"] = json!(chrono::Utc::now() - chrono::TimeDelta::seconds(40));
    std::fs::write(&path, report.to_string()).unwrap();
    let told = daemon(&aa, &["status"]).code(1);
    told.stdout_contains("does not answer: pid ").stderr_contains("kill -9");
    let told = daemon(&aa, &["status", "--format", "json"]).code(1).json();
    assert_eq!(
        (&told["running"], &told["ready"], &told["answers"]),
        (&json!(true), &json!(false), &json!(false))
    );
    daemon(&aa, &["start"]).code(1).stderr_contains("does not answer");
    // Nobody waits for it either.
    let mut alone = Piped::greeted(aa.args(["mcp"]));
    alone.close();
    assert_eq!(alone.ended().0, Some(0));
    kill_process(Pid::from_raw(pid).unwrap(), Signal::CONT).unwrap();
    eventually("it is ready again", || status(&aa)["ready"] == true);
    assert_eq!(status(&aa)["answers"], true);
    drop(it);
}
