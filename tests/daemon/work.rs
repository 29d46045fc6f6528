//! Commands that leave their work to the daemon, and do it themselves without one.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use super::{lines, project, run_status, start, state, status};
use crate::mcp::wire::{Piped, call};
use crate::support::{Aa, eventually};

#[test]
fn a_run_that_is_left_to_it_outlives_its_command() {
    let aa = project("");
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let detach = |inputs: &[&str]| {
        let call = aa.args(["skill", "run", "two", "--detach"].iter().chain(inputs));
        call.env("TRACEPARENT", trace).run()
    };
    detach(&[]).code(1).stderr_contains("no daemon runs").stderr_contains("aa daemon start");
    let it = start(&aa);
    detach(&["--input", "nothing=1"]).code(2).stderr_contains("nothing");
    let run = detach(&["--input", "after=0.5"]).code(0).out();
    assert_eq!(run, "1\n");
    aa.args(["run", "watch", "1"]).run().code(0);
    assert_eq!(lines(&aa), ["first", "second"]);
    assert_eq!(run_status(&aa, 1)["origin"], "cli");
    assert_eq!(it.get("/api/runs/1/events").message()["items"][0]["link"]["trace"], trace);
    // What was killed is gone on with.
    let killed = aa.args(["skill", "run", "two", "--input", "after=1"]).start();
    eventually("its step has begun", || run_status(&aa, 2)["events"].as_u64() >= Some(2));
    killed.signal(Signal::KILL);
    killed.wait().killed();
    eventually("the daemon goes on with it", || run_status(&aa, 2)["status"] == "completed");
    drop(it);
}

#[test]
fn what_was_answered_goes_on_in_the_daemon() {
    let ask = "name: ask\ndescription: Asks\nsteps:\n  - {name: sure, confirm: {message: sure?, options: ['yes', 'no']}}\n  - {name: it, tool: note, args: {text: '{{ sure }}'}}\n";
    let aa = project("").skill("ask", ask);
    aa.args(["skill", "run", "ask"]).run().code(6);
    let it = start(&aa);
    aa.args(["run", "answer", "1", "sure", "yes"])
        .run()
        .code(0)
        .stderr_contains("the daemon goes on with it");
    eventually("it is over", || run_status(&aa, 1)["status"] == "completed");
    assert_eq!(lines(&aa), ["yes"]);
    drop(it);
}

#[test]
fn an_ai_client_is_served_by_it_in_its_own_folder_and_environment() {
    let aa = project("");
    let it = start(&aa);
    let pid = it.pid();
    let mut client = Piped::greeted(aa.args(["mcp", "--all"]).env("MARK", "of the client"));
    client.say(&call(2, "mark", &json!({})));
    let said = client.answer(2);
    assert!(said.to_string().contains("of the client"), "{said}");
    client.say(&call(3, "skill_run", &json!({"skill_name": "two", "inputs": {"after": "1"}})));
    eventually("a run has begun", || status(&aa)["daemon"]["runs"] == 1);
    // The client is gone, and the run is the daemon's.
    drop(client);
    eventually("it is over", || lines(&aa) == ["first", "second"]);
    assert_eq!(it.pid(), pid);
    let mut alone = Piped::greeted(aa.args(["mcp", "--all", "--alone"]).env("MARK", "alone"));
    alone.say(&call(2, "mark", &json!({})));
    assert!(alone.answer(2).to_string().contains("alone"));
    alone.close();
    assert_eq!(alone.ended().0, Some(0));
    // It ends with its client.
    let mut last = Piped::greeted(aa.args(["mcp"]));
    last.close();
    assert_eq!(last.ended().0, Some(0));
    drop(it);
}

#[test]
fn an_ai_client_keeps_its_server_when_the_daemon_is_another_one() {
    let aa = project("");
    let it = start(&aa);
    let mut client = Piped::greeted(aa.args(["mcp", "--all"]).env("MARK", "of the client"));
    client.say(&call(2, "mark", &json!({})));
    assert!(client.answer(2).to_string().contains("of the client"));
    // Killed in the middle of a call: that is said, and the one after it is answered.
    client.say(&call(3, "skill_run", &json!({"skill_name": "two", "inputs": {"after": "60"}})));
    eventually("a run has begun", || status(&aa)["daemon"]["runs"] == 1);
    it.signal(Signal::KILL);
    let lost = client.answer(3);
    assert_eq!(lost["error"]["data"]["retryable"], true, "{lost}");
    std::mem::forget(it);
    let it = start(&aa);
    client.say(&call(4, "mark", &json!({})));
    assert!(client.answer(4).to_string().contains("of the client"));
    // Restarted in order, and gone for good: this process serves by itself.
    aa.args(["daemon", "restart", "--now"]).run().code(0);
    client.say(&call(5, "mark", &json!({})));
    assert!(client.answer(5).to_string().contains("of the client"));
    aa.args(["daemon", "stop", "--now"]).run().code(0);
    client.say(&call(6, "mark", &json!({})));
    assert!(client.answer(6).to_string().contains("of the client"));
    client.close();
    let (code, _, said) = client.ended();
    assert_eq!(code, Some(0));
    for words in ["the daemon has ended", "the next daemon serves", "this process serves by itself"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    drop(it);
}

/// Somebody at its socket who has been told that they are heard, or that they are not.
fn heard(socket: &Path) -> (BufReader<UnixStream>, String) {
    let mut stream = BufReader::new(UnixStream::connect(socket).unwrap());
    let mut first = String::new();
    stream.read_line(&mut first).unwrap();
    (stream, first)
}

/// Has a daemon that is stopped be so for half a minute already.
fn silent_for_long(aa: &Aa) {
    let path = state(aa).join("daemon/health.json");
    let mut report: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    report["at"] = json!(chrono::Utc::now() - chrono::TimeDelta::seconds(40));
    std::fs::write(&path, report.to_string()).unwrap();
}

/// What a command says there.
fn wish(aa: &Aa, wish: &Value) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let (folder, home) = (aa.path("."), aa.home());
    format!(
        "{}\n",
        json!({"version": version, "folder": folder, "environment": {"HOME": home}, "wish": wish})
    )
}

#[test]
fn nobody_waits_for_a_daemon_that_is_stopped_and_nothing_comes_of_what_was_given_up() {
    let aa = project("");
    let it = start(&aa);
    let socket = state(&aa).join("daemon/socket");
    let start = json!({"want": "start", "skill": "two", "json": {}, "text": [], "dry_run": false, "plan_hash": null, "request_key": null, "lenient": false});
    let (mut given_up, _) = heard(&socket);
    it.signal(Signal::STOP);
    given_up.get_mut().write_all(wish(&aa, &start).as_bytes()).unwrap();
    drop(given_up);
    aa.args(["skill", "run", "two", "--detach"])
        .run()
        .code(1)
        .stderr_contains("the daemon does not answer")
        .stderr_contains("nothing was started");
    let mut client = Piped::greeted(aa.args(["mcp", "--all"]).env("MARK", "alone"));
    client.say(&call(2, "mark", &json!({})));
    assert!(client.answer(2).to_string().contains("alone"));
    client.close();
    assert_eq!(client.ended().0, Some(0));
    it.signal(Signal::CONT);
    // It takes things in their order.
    let run = aa.args(["skill", "run", "two", "--detach"]).run().code(0).out();
    assert_eq!(run, "1\n");
    drop(it);
}

#[test]
fn ai_clients_take_no_place_from_commands_and_a_full_daemon_says_so() {
    let aa = project("");
    let it = start(&aa);
    let socket = state(&aa).join("daemon/socket");
    let mcp = wish(&aa, &json!({"want": "mcp", "choice": {"persona": "core"}, "skills_extension": false}));
    let served = || {
        let (mut client, _) = heard(&socket);
        client.get_mut().write_all(mcp.as_bytes()).unwrap();
        let mut answer = String::new();
        client.read_line(&mut answer).unwrap();
        (client, answer)
    };
    let clients: Vec<_> = (0..256).map(|_| served()).collect();
    assert!(clients.iter().all(|(_, answer)| answer.contains("done")), "{:?}", clients[0].1);
    assert!(served().1.contains("256 AI clients"));
    aa.args(["skill", "run", "two", "--detach"]).run().code(0);
    // Who says nothing does take one from them.
    let silent: Vec<_> = (0..256).map(|_| heard(&socket)).collect();
    aa.args(["skill", "run", "two", "--detach"]).run().code(1).stderr_contains("the daemon is full");
    drop((silent, clients));
    drop(it);
}

#[test]
fn a_client_whose_daemon_does_not_answer_any_more_is_served_all_the_same() {
    let aa = project("");
    let it = start(&aa);
    let [mut stays, mut ends] = [(), ()].map(|()| Piped::greeted(aa.args(["mcp", "--all"]).env("MARK", "x")));
    it.signal(Signal::STOP);
    stays.say(&call(2, "skill_run", &json!({"skill_name": "two"})));
    ends.say(&call(2, "mark", &json!({})));
    ends.close();
    let start = Instant::now();
    assert_eq!(ends.ended().0, Some(0));
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    silent_for_long(&aa);
    let lost = stays.answer(2);
    assert_eq!(lost["error"]["data"]["retryable"], true, "{lost}");
    stays.say(&call(3, "mark", &json!({})));
    assert!(stays.answer(3).to_string().contains('x'));
    stays.close();
    assert_eq!(stays.ended().0, Some(0));
    it.signal(Signal::CONT);
    // What it had not read was given up, and may have been asked of somebody else.
    eventually("it answers again", || aa.args(["daemon", "status"]).run().is_ok());
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(aa.args(["run", "list", "--format", "json"]).run().code(0).json(), json!([]));
    drop(it);
}

#[test]
fn a_call_under_way_is_answered_after_the_client_has_said_its_last() {
    let slow = "module: slow\ndescription: x\ntools:\n  - {name: slow, description: x, effect: read, input: {}, run: [sh, -c, 'sleep 2; echo done']}\n";
    let aa = project("").tools("slow", slow);
    let it = start(&aa);
    let mut client = Piped::greeted(aa.args(["mcp", "--all"]));
    client.say(&call(2, "slow", &json!({})));
    client.close();
    assert!(client.answer(2).to_string().contains("done"));
    assert_eq!(client.ended().0, Some(0));
    drop(it);
}

#[test]
fn nothing_is_left_to_a_daemon_that_does_not_answer_and_it_is_named() {
    let aa = project("");
    let it = start(&aa);
    it.signal(Signal::STOP);
    silent_for_long(&aa);
    aa.args(["skill", "run", "two", "--detach"])
        .run()
        .code(1)
        .stderr_contains(&format!("the daemon (pid {}) does not answer; nothing was started", it.pid()))
        .stderr_contains("aa daemon status");
    it.signal(Signal::CONT);
    drop(it);
}
