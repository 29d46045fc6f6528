//! What happens, told while it does: nothing twice, nothing missing, whoever wrote it and whatever died.

use std::thread;
use std::time::Instant;

use rustix::process::Signal;
use serde_json::{Value, json};

use super::support::{CI, MOMENT, Socket, Stream, Told, get, project, serve, stands, start};
use crate::support::eventually;

/// Reads on until a run has ended; gives the types.
fn until_end(stream: &mut Stream, run: i64) -> Vec<Told> {
    let mut all = Vec::new();
    while let Some(told) = stream.next() {
        let is_end = told.event == "skill_completed" && told.data["run_id"] == run;
        all.push(told);
        if is_end {
            return all;
        }
    }
    panic!("it ended early: {all:?}");
}

fn types(all: &[Told]) -> Vec<&str> {
    all.iter().map(|told| told.event.as_str()).collect()
}

#[test]
fn the_stream_tells_of_this_process_and_of_others() {
    let aa = project("");
    let served = serve(&aa);
    let mut stream = Stream::open(&served, "/events", &[]);
    let run = start(&served, "look", &json!({"inputs": {"note": "x"}}));
    let all = until_end(&mut stream, run);
    assert_eq!(types(&all), ["skill_started", "step_started", "step_completed", "skill_completed"]);
    let first = &all[0].data;
    assert_eq!(
        (&first["skill"], &first["execution_id"], &first["inputs"], &first["type"]),
        (&json!("look"), &json!(run.to_string()), &json!({"note": "x"}), &json!("skill_started"))
    );
    assert_eq!(
        (&all[1].data["step_id"], &all[1].data["step_type"], &all[1].data["step_index"]),
        (&json!("see"), &json!("tool"), &json!(0))
    );
    let step = &all[2].data;
    assert_eq!((&step["success"], &step["result"]), (&json!(true), &json!("done")));
    assert!(step["duration"].is_u64(), "{step}");
    assert_eq!(all[3].data["outputs"], json!({"seen": "done"}));
    for told in &all {
        assert_eq!((&told.data["cursor"], &told.data["run_id"]), (&json!(told.id), &json!(run)));
    }
    aa.args(["skill", "run", "look", "-q"]).run().code(0);
    assert_eq!(until_end(&mut stream, run + 1).len(), 4);
}

#[test]
fn what_failed_and_what_was_skipped_is_told_as_editors_know_it() {
    let aa = project("").skill(
        "mixed",
        "name: mixed\ndescription: Mixed\nsteps:\n  - {name: no, tool: trace_look, condition: 'false'}\n  - {name: bad, tool: trace_fail}\n",
    );
    let served = serve(&aa);
    let mut stream = Stream::open(&served, "/events?types=step_skipped,step_completed,skill_failed", &[]);
    start(&served, "mixed", &json!({}));
    let mut all: Vec<Told> = (0..3).map(|_| stream.next().unwrap()).collect();
    all.sort_by(|a, b| b.event.cmp(&a.event));
    assert_eq!(types(&all), ["step_skipped", "step_completed", "skill_failed"]);
    assert!(all[0].data["reason"].as_str().unwrap().contains("condition"), "{:?}", all[0]);
    assert_eq!((&all[1].data["success"], &all[1].data["event"]), (&json!(false), &json!("step_failed")));
    assert_eq!((&all[2].data["step_id"], all[2].data["error"].is_string()), (&json!("bad"), true));
}

#[test]
fn whoever_comes_back_with_a_cursor_misses_nothing_though_the_server_was_killed() {
    let aa = project("");
    let mut served = serve(&aa);
    let mut stream = Stream::open(&served, "/events", &[]);
    let run = start(&served, "look", &json!({}));
    let all = until_end(&mut stream, run);
    let cursor = all[1].id.clone();
    served.signal(Signal::KILL);
    served.ended();
    // Nobody serves, and still something happens.
    aa.args(["skill", "run", "look", "-q"]).run().code(0);
    let served = serve(&aa);
    let mut stream = Stream::open(&served, "/events", &[("Last-Event-ID", cursor.as_str())]);
    let rest = until_end(&mut stream, run + 1);
    assert_eq!(
        types(&rest),
        [
            "step_completed",
            "skill_completed",
            "skill_started",
            "step_started",
            "step_completed",
            "skill_completed"
        ]
    );
    // And then what happens now.
    let third = start(&served, "look", &json!({}));
    assert_eq!(until_end(&mut stream, third).len(), 4);
    let mut stream = Stream::open(&served, &format!("/events?since={cursor}&run={third}"), &[]);
    assert_eq!(until_end(&mut stream, third).len(), 4);
    for (path, status) in
        [("/events?since=9999.0", 409), ("/events?since=x", 400), ("/events?sicne=1.0", 400)]
    {
        assert_eq!(get(&served, path).status, status, "{path}");
    }
}

#[test]
fn no_event_is_missing_or_twice_while_many_write() {
    let aa = project("");
    let served = serve(&aa);
    let mut live = Stream::open(&served, "/events?types=skill_completed", &[]);
    let mut late = Stream::open(&served, "/events?since=0.0&types=skill_completed", &[]);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..5 {
                    start(&served, "look", &json!({}));
                }
            });
        }
        for _ in 0..2 {
            scope.spawn(|| (0..3).for_each(|_| drop(aa.args(["skill", "run", "look", "-q"]).run().code(0))));
        }
    });
    for stream in [&mut live, &mut late] {
        let mut runs: Vec<i64> =
            (0..26).map(|_| stream.next().unwrap().data["run_id"].as_i64().unwrap()).collect();
        runs.sort_unstable();
        assert_eq!(runs, (1..=26).collect::<Vec<_>>());
    }
}

#[test]
fn guests_hear_of_their_own_runs_only() {
    let aa = project("");
    let served = serve(&aa);
    let key = format!("Bearer {CI}");
    let guest = [("Authorization", key.as_str())];
    let mut stream = Stream::open(&served, "/events", &guest);
    let mut socket = Socket::open(served.address, "/ws", &guest).unwrap();
    assert_eq!(socket.hear()["type"], "connected");
    start(&served, "look", &json!({}));
    let theirs = served.post("/api/skills/look/run", &guest, &json!({})).message()["run"].as_i64().unwrap();
    assert!(until_end(&mut stream, theirs).iter().all(|told| told.data["run_id"] == theirs));
    assert_eq!(socket.hear()["run_id"], theirs);
}

#[test]
fn a_question_is_answered_over_a_socket_and_the_first_answer_counts() {
    let aa = project("");
    let served = serve(&aa);
    let (mut socket, _) = Socket::of(&served, "/ws");
    let run = start(&served, "ask", &json!({}));
    let question = socket.hear_of("confirmation_required");
    assert_eq!(
        (&question["prompt"], &question["options"], &question["step_index"], &question["run_id"]),
        (&json!("sure?"), &json!(["yes", "no"]), &json!(0), &json!(run))
    );
    // Whoever comes later is told of it, too.
    let (_, hello) = Socket::of(&served, "/ws");
    assert_eq!(hello["pending_confirmations"][0]["id"], question["id"], "{hello}");
    assert_eq!(hello["running_skills"][0]["run_id"], run);
    let answer = |response: &str| json!({"type": "confirmation_response", "id": question["id"], "response": response, "remember": "none"});
    socket.say(&answer("perhaps"));
    assert_eq!(socket.hear_of("confirmation_refused")["id"], question["id"]);
    socket.say(&answer("yes"));
    let answered = socket.hear_of("confirmation_answered");
    assert_eq!(
        (&answered["id"], &answered["response"], &answered["by"]),
        (&question["id"], &json!("yes"), &json!("local (socket)"))
    );
    stands(&served, run, "completed");
    socket.say(&answer("no"));
    assert!(socket.hear_of("confirmation_refused")["detail"].as_str().unwrap().contains("not open"));
    socket.say(&json!({"type": "heartbeat"}));
    assert!(socket.hear_of("heartbeat_ack")["cursor"].is_string());
    socket.say(&json!({"type": "dance"}));
    assert!(socket.hear_of("error")["detail"].as_str().unwrap().contains("dance"));
}

#[test]
fn between_a_socket_and_a_terminal_one_answer_counts() {
    let aa = project("");
    let served = serve(&aa);
    for round in 1..=4 {
        let (mut socket, _) = Socket::of(&served, "/ws");
        let run = start(&served, "ask", &json!({}));
        let id = socket.hear_of("confirmation_required")["id"].clone();
        let typed = aa.args(["run", "answer", &run.to_string(), "sure", "no"]).start();
        if round % 2 == 0 {
            thread::sleep(MOMENT / 8);
        }
        socket.say(&json!({"type": "confirmation_response", "id": id, "response": "yes"}));
        let answered = socket.hear_of("confirmation_answered");
        let won = answered["response"] == "no";
        assert_eq!(typed.wait().is_ok(), won, "{answered}");
        let shown = stands(&served, run, "completed");
        assert_eq!(shown["steps"][0]["answer"]["answer"], answered["response"]);
    }
}

#[test]
fn a_key_is_shown_in_the_head_or_first_and_never_in_an_address() {
    let aa = project("");
    let served = serve(&aa);
    let open = |path: &str, headers: &[(&str, &str)]| Socket::open(served.address, path, headers);
    let mut first = open("/ws", &[]).unwrap();
    first.say(&json!({"type": "authenticate", "key": served.token}));
    assert_eq!(first.hear()["type"], "connected");
    for wrong in
        [json!({"type": "authenticate", "key": "wrong"}), json!({"type": "heartbeat"}), json!({"a": 1})]
    {
        let mut socket = open("/ws", &[]).unwrap();
        socket.say(&wrong);
        assert_eq!(socket.closed(), 4401, "{wrong}");
    }
    let key = format!("Bearer {}", served.token);
    assert_eq!(open("/ws", &[("Authorization", "Bearer wrong")]).err(), Some(401));
    assert_eq!(open(&format!("/ws?token={}", served.token), &[]).err(), Some(400));
    assert_eq!(
        open("/ws", &[("Authorization", key.as_str()), ("Origin", "https://evil.example.org")]).err(),
        Some(403)
    );
    assert_eq!(open("/ws", &[("Origin", "null")]).err(), Some(403));
    assert_eq!(open("/ws?since=nonsense", &[("Authorization", key.as_str())]).err(), Some(400));
    // No socket is asked for.
    assert_eq!(get(&served, "/ws").status, 426);
}

#[test]
fn whoever_shows_no_key_in_time_is_given_up_and_whoever_has_may_be_silent_for_longer() {
    let aa = project("");
    let served = serve(&aa);
    let (mut known, _) = Socket::of(&served, "/ws");
    let start = Instant::now();
    let mut silent = Socket::open(served.address, "/ws", &[]).unwrap();
    assert_eq!(silent.closed(), 4401);
    let took = start.elapsed().as_secs();
    assert!((9..15).contains(&took), "given up after {took} s");
    known.say(&json!({"type": "heartbeat"}));
    known.hear_of("heartbeat_ack");
}

#[test]
fn a_socket_goes_on_from_a_cursor_and_is_told_that_the_server_ends() {
    let aa = project("");
    let mut served = serve(&aa);
    let (mut socket, hello) = Socket::of(&served, "/ws");
    let run = start(&served, "look", &json!({}));
    socket.hear_of("skill_completed");
    let since = hello["cursor"].as_str().unwrap();
    let (mut again, _) = Socket::of(&served, &format!("/ws?since={since}&run={run}"));
    let first = again.hear();
    assert_eq!((&first["type"], &first["run_id"]), (&json!("skill_started"), &json!(run)));
    served.signal(Signal::TERM);
    assert_eq!(socket.closed(), 1001);
    again.hear_of("skill_completed");
    assert_eq!(again.closed(), 1001);
    assert_eq!(served.ended(), Some(0));
}

#[test]
fn who_does_not_listen_is_left_behind_and_comes_back_with_the_cursor() {
    let big = "x".repeat(9000);
    let aa = project("").skill(
        "much",
        &format!("name: much\ndescription: Much\nsteps:\n  - {{name: fan, tool: echo, foreach: '{{{{ range(200) | list }}}}', concurrency: 50, args: {{value: '{big}'}}}}\n"),
    );
    let served = serve(&aa);
    let (slow, hello) = Socket::of(&served, "/ws");
    let mut quick = Stream::open(&served, "/events?types=skill_completed", &[]);
    let mut slow = slow.into_stream();
    let mut last = 0;
    for _ in 0..16 {
        last = start(&served, "much", &json!({}));
    }
    let mut ended = 0;
    while ended < 16 {
        assert_eq!(quick.next().unwrap().event, "skill_completed", "who listens hears all the time");
        ended += 1;
    }
    // What was on its way comes, then why there is no more of it.
    let mut cursor = hello["cursor"].clone();
    let code = loop {
        match slow.read() {
            Ok(tungstenite::Message::Text(text)) => {
                cursor = serde_json::from_str::<Value>(&text).unwrap()["cursor"].clone();
            }
            Ok(tungstenite::Message::Close(frame)) => break frame.map(|frame| u16::from(frame.code)),
            Ok(_) => {}
            // It may have been cut off while it did not read.
            Err(_) => break None,
        }
    };
    assert!(code.is_none_or(|code| code == 4429), "{code:?}");
    let (mut again, _) = Socket::of(&served, &format!("/ws?since={}", cursor.as_str().unwrap()));
    let mut after = cursor;
    loop {
        let message = again.hear();
        let of = |cursor: &Value| cursor.as_str().unwrap().split('.').next().unwrap().parse::<i64>().unwrap();
        assert_eq!(of(&message["cursor"]), of(&after) + 1, "{message}");
        after = message["cursor"].clone();
        if message["type"] == "skill_completed" && message["run_id"] == last {
            break;
        }
    }
}

#[test]
fn listeners_are_bounded() {
    let aa = project("events: {listeners: 2}\n");
    let served = serve(&aa);
    let held = (Socket::of(&served, "/ws"), Stream::open(&served, "/events", &[]));
    assert_eq!(get(&served, "/events").status, 503);
    let key = format!("Bearer {}", served.token);
    assert_eq!(Socket::open(served.address, "/ws", &[("Authorization", key.as_str())]).err(), Some(503));
    drop(held);
    eventually("there is room again", || {
        Socket::open(served.address, "/ws", &[("Authorization", key.as_str())]).is_ok()
    });
}

#[test]
fn a_session_that_begins_is_told_to_its_owner_and_kept_for_who_comes_later() {
    let aa = project("");
    let served = serve(&aa);
    let (mut socket, hello) = Socket::of(&served, "/ws");
    served.call("session_start", &json!({"name": "mine"}));
    let told = socket.hear_of("workspace_updated");
    assert!(told["workspace_uri"].as_str().unwrap().starts_with("file://"), "{told}");
    assert_eq!((&told["sessions"][0]["name"], told["persona"].is_string()), (&json!("mine"), true), "{told}");
    let since = hello["cursor"].as_str().unwrap();
    let (mut later, _) = Socket::of(&served, &format!("/ws?since={since}&types=workspace_updated"));
    assert_eq!(later.hear()["cursor"], told["cursor"]);
    // Another principal's folders are nobody else's business.
    let key = format!("Bearer {CI}");
    let path = format!("/ws?since={since}&types=workspace_updated,skill_started");
    let mut guest = Socket::open(served.address, &path, &[("Authorization", key.as_str())]).unwrap();
    guest.hear();
    let theirs =
        served.post("/api/skills/look/run", &[("Authorization", key.as_str())], &json!({})).message();
    assert_eq!((&guest.hear()["type"], theirs["status"].is_string()), (&json!("skill_started"), true));
}
