//! Runs over the API: started once, listed in pages, approved, answered, cancelled, repeated, taken back.

use std::collections::BTreeSet;
use std::thread;

use rustix::process::{Pid, test_kill_process};
use serde_json::{Value, json};

use super::support::{CI, HANG, LOOK, found, get, project, serve, stands, start};
use crate::support::{Aa, eventually};

#[test]
fn a_run_is_shown_from_its_start_to_its_end() {
    let aa = project("");
    let served = serve(&aa);
    let run = start(&served, "look", &json!({"inputs": {"note": "hello"}}));
    let shown = stands(&served, run, "completed");
    assert_eq!((&shown["inputs"]["note"], &shown["outputs"]["seen"]), (&json!("hello"), &json!("done")));
    let step = &shown["steps"][0];
    assert_eq!(
        (&step["path"], &step["state"], &step["target"]),
        (&json!("see"), &json!("completed"), &json!("trace_look"))
    );
    assert_eq!(step["attempts"].as_array().unwrap().len(), 1);
    let detail = found(&served, &format!("/api/runs/{run}/step?path=see"));
    assert_eq!((&detail["args"]["note"], &detail["output"]), (&json!("hello"), &json!("done")));
    let events = found(&served, &format!("/api/runs/{run}/events?limit=2"));
    assert_eq!((events["items"].as_array().unwrap().len(), &events["next"]), (2, &json!("1")));
    let rest = found(&served, &format!("/api/runs/{run}/events?after=1"));
    assert_eq!((&rest["items"][0]["seq"], &rest["next"]), (&json!(2), &Value::Null));
    assert_eq!(found(&served, &format!("/api/runs/{run}/outputs"))["outputs"]["seen"], "done");
    assert!(get(&served, &format!("/api/runs/{run}/graph")).body.starts_with("<svg"));
    let failed = start(&served, "fail", &json!({}));
    stands(&served, failed, "failed");
    let logs = found(&served, &format!("/api/runs/{failed}/logs?step=break"));
    let texts: Vec<_> =
        logs["items"].as_array().unwrap().iter().map(|line| line["text"].as_str().unwrap()).collect();
    assert!(texts.contains(&"no luck"), "{texts:?}");
    assert!(
        found(&served, &format!("/api/runs/{failed}/explain"))["summary"]
            .as_str()
            .unwrap()
            .contains("`break`")
    );
    let counts = found(&served, "/api/runs/counts");
    assert_eq!((&counts["completed"], &counts["failed"]), (&json!(1), &json!(1)));
}

#[test]
fn twenty_requests_at_once_with_one_key_are_one_run() {
    let aa = project("");
    let served = serve(&aa);
    let key = [("Idempotency-Key", "one")];
    let body = json!({"inputs": {"note": "once"}});
    let runs: BTreeSet<i64> = thread::scope(|scope| {
        let ask = || served.post("/api/skills/look/run", &key, &body);
        let all: Vec<_> = (0..20).map(|_| scope.spawn(ask)).collect();
        let replies = all.into_iter().map(|one| one.join().unwrap());
        replies
            .map(|reply| {
                assert_eq!(reply.status, 201, "{reply:?}");
                reply.message()["run"].as_i64().unwrap()
            })
            .collect()
    });
    assert_eq!(runs.len(), 1, "{runs:?}");
    let run = *runs.first().unwrap();
    stands(&served, run, "completed");
    assert_eq!(aa.text("looks").lines().count(), 1);
    // Another request is not answered with that run, and starts none.
    let other = served.post("/api/skills/look/run", &key, &json!({"inputs": {"note": "twice"}}));
    assert_eq!(other.status, 422, "{other:?}");
    let problem: Value = serde_json::from_str(&other.body).unwrap();
    assert_eq!((&problem["type"], &problem["run"]), (&json!("/api/problems/key-reused"), &json!(run)));
    assert_eq!(found(&served, "/api/runs")["items"].as_array().unwrap().len(), 1);
    // Somebody else's key is another key.
    let theirs = format!("Bearer {CI}");
    let guest = [("Idempotency-Key", "one"), ("Authorization", theirs.as_str())];
    let theirs = served.post("/api/skills/look/run", &guest, &body);
    assert_ne!(theirs.message()["run"], run);
    for bad in ["a b", &"x".repeat(256)] {
        let refused = served.post("/api/skills/look/run", &[("Idempotency-Key", bad)], &body);
        assert_eq!(refused.status, 400, "{refused:?}");
    }
}

#[test]
fn a_default_that_is_another_each_time_makes_no_other_request() {
    let aa = project("").skill("clock", "name: clock\ndescription: Clock\ninputs: [{name: at, type: string, default: '{{ now() }}'}, {name: note, type: string, default: x}]\nsteps: [{name: see, tool: trace_look, args: {note: '{{ inputs.at }}'}}]\n");
    let served = serve(&aa);
    let ask = |body: Value| served.post("/api/skills/clock/run", &[("Idempotency-Key", "k")], &body);
    assert_eq!(ask(json!({})).message()["run"], 1);
    std::thread::sleep(std::time::Duration::from_millis(5));
    assert_eq!(ask(json!({})).message()["run"], 1);
    assert_eq!(ask(json!({"inputs": {"note": "x"}})).status, 201);
    for other in [json!({"note": "y"}), json!({"at": "noon"})] {
        assert_eq!(ask(json!({"inputs": other})).status, 422);
    }
}

#[test]
fn pages_do_not_move_while_runs_come() {
    let aa = project("");
    let served = serve(&aa);
    for _ in 0..9 {
        start(&served, "look", &json!({}));
    }
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = found(&served, &format!("/api/runs?limit=4{after}"));
        seen.extend(page["items"].as_array().unwrap().iter().map(|run| run["id"].as_i64().unwrap()));
        start(&served, "look", &json!({}));
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    assert_eq!(seen, [9, 8, 7, 6, 5, 4, 3, 2, 1]);
    assert_eq!(found(&served, "/api/runs?skill=write")["items"], json!([]));
    let none = found(&served, "/api/runs?until=2001-01-01T00:00:00Z");
    assert_eq!(none["items"], json!([]));
    let all =
        found(&served, "/api/runs?since=2001-01-01T00:00:00Z&status=completed,running&origin=http&limit=500");
    assert!(all["items"].as_array().unwrap().len() >= 9, "{all}");
}

#[test]
fn what_changes_something_wants_its_plan_or_a_person() {
    let aa = project("");
    let served = serve(&aa);
    let inputs = json!({"line": "one"});
    let plan = served.post("/api/skills/write/plan", &[], &json!({"inputs": inputs})).message();
    assert_eq!((&plan["effect"], &plan["verdict"]), (&json!("write"), &json!("run")), "{plan}");
    let run = start(&served, "write", &json!({"inputs": inputs, "plan": plan["hash"]}));
    stands(&served, run, "completed");
    let stale =
        served.post("/api/skills/write/run", &[], &json!({"inputs": {"line": "two"}, "plan": plan["hash"]}));
    assert_eq!(stale.status, 409, "{stale:?}");
    // Without a plan a person is asked, and may be answered from a terminal.
    let run = start(&served, "write", &json!({"inputs": {"line": "three"}}));
    let waiting = stands(&served, run, "waiting");
    let question = &waiting["steps"][0]["question"];
    assert!(question["message"].as_str().unwrap().contains("trace_write"), "{waiting}");
    assert_eq!(aa.text("trace"), "one\n");
    aa.args(["run", "answer", &run.to_string(), "approval", "approve"]).run().code(0);
    let done = stands(&served, run, "completed");
    assert_eq!(done["steps"][0]["answer"]["by"], "tester");
    assert_eq!(aa.text("trace"), "one\nthree\n");
    // And over the API; what an older question of the step was told is not taken for this one's answer.
    let run = start(&served, "write", &json!({"inputs": {"line": "four"}}));
    let waiting = stands(&served, run, "waiting");
    let seq = waiting["steps"][0]["question"]["seq"].as_u64().unwrap();
    let answer = |seq: u64, answer: &str| {
        let body = json!({"step": "approval", "answer": answer, "seq": seq});
        served.post(&format!("/api/runs/{run}/answer"), &[], &body)
    };
    assert_eq!(answer(seq + 7, "approve").status, 409);
    assert_eq!(answer(seq, "perhaps").status, 409);
    assert_eq!(answer(seq, "approve").status, 200);
    assert_eq!(stands(&served, run, "completed")["steps"][0]["answer"]["by"], "local (http)");
    assert_eq!(answer(seq, "approve").status, 409);
}

#[test]
fn what_the_policy_forbids_is_not_run() {
    let aa = project("  policy: {write: deny}\n");
    let served = serve(&aa);
    let reply = served.post("/api/skills/write/run", &[], &json!({"inputs": {"line": "x"}}));
    assert_eq!(reply.status, 403, "{reply:?}");
    assert!(reply.body.contains("/api/problems/policy"), "{reply:?}");
    let reply = served.post("/api/tools/trace_write/call", &[], &json!({"args": {"line": "x"}}));
    assert_eq!(reply.status, 403, "{reply:?}");
    let read = served.post("/api/tools/trace_look/call", &[], &json!({"args": {}})).message();
    assert_eq!((&read["result"], &read["run"]), (&json!("done"), &Value::Null));
}

#[test]
fn a_cancelled_run_ends_its_processes() {
    let aa = project("");
    let served = serve(&aa);
    let run = start(&served, "hang", &json!({}));
    eventually("it hangs", || {
        !aa.text("hang.child").trim().is_empty() && !aa.text("hang.pid").trim().is_empty()
    });
    let pids = ["hang.pid", "hang.child"].map(|file| aa.text(file).trim().parse::<i32>().unwrap());
    let reply = served.post(&format!("/api/runs/{run}/cancel"), &[], &json!({"reason": "enough"}));
    assert_eq!(reply.status, 200, "{reply:?}");
    let shown = stands(&served, run, "cancelled");
    assert_eq!(shown["cancel"], json!({"by": "local (http)", "reason": "enough"}));
    for pid in pids {
        eventually("its process is gone", || test_kill_process(Pid::from_raw(pid).unwrap()).is_err());
    }
    // Twice is once.
    assert_eq!(served.post(&format!("/api/runs/{run}/cancel"), &[], &json!({})).status, 200);
}

#[test]
fn runs_are_repeated_compared_and_taken_back() {
    let aa = project("");
    let served = serve(&aa);
    let first = start(&served, "look", &json!({"inputs": {"note": "a"}}));
    stands(&served, first, "completed");
    let reply = served.post(&format!("/api/runs/{first}/retry"), &[("Idempotency-Key", "again")], &json!({}));
    assert_eq!((reply.status, reply.header("location")), (201, Some("/api/runs/2")), "{reply:?}");
    let again = served.post(&format!("/api/runs/{first}/retry"), &[("Idempotency-Key", "again")], &json!({}));
    assert_eq!(again.message()["run"], 2);
    assert_eq!(stands(&served, 2, "completed")["inputs"]["note"], "a");
    let third = start(&served, "look", &json!({"inputs": {"note": "b"}}));
    stands(&served, third, "completed");
    let diff = found(&served, &format!("/api/runs/{first}/diff?with={third}"));
    assert_eq!(diff["inputs"], json!([{"name": "note", "a": "a", "b": "b"}]));
    assert_eq!(diff["steps"][0]["a"]["status"], "completed");
    let plan = served.post("/api/skills/write/plan", &[], &json!({"inputs": {"line": "x"}})).message();
    let run = start(&served, "write", &json!({"inputs": {"line": "x"}, "plan": plan["hash"]}));
    stands(&served, run, "completed");
    let reply = served.post(&format!("/api/runs/{run}/undo"), &[], &json!({}));
    assert_eq!(reply.status, 200, "{reply:?}");
    eventually("it is taken back", || aa.text("trace") == "x\n-x\n");
}

#[test]
fn steps_with_unknown_outcome_are_resolved() {
    let aa = project("").tools(
        "slow",
        "module: slow\ndescription: Slow\nrequires: {commands: [sh]}\ntools:\n  - name: slow_write\n    description: Writes slowly\n    effect: write\n    input: {}\n    run: [sh, -c, 'echo x >> slow; sleep 100']\n",
    ).skill("slow", "name: slow\ndescription: Slow\nsteps: [{name: put, tool: slow_write}]\n");
    aa.args(["skill", "run", "slow", "-q"]).env("AA_TEST_KILL_AFTER", "2").run().killed();
    let served = serve(&aa);
    let reply = served.post("/api/runs/1/resume", &[], &json!({}));
    assert_eq!(reply.status, 200, "{reply:?}");
    let waiting = stands(&served, 1, "waiting");
    assert_eq!(waiting["steps"][0]["state"], "unknown", "{waiting}");
    let body = json!({"step": "put", "resolution": {"done": {"output": "made by hand"}}});
    let reply = served.post("/api/runs/1/resolve", &[], &body);
    assert_eq!(reply.status, 200, "{reply:?}");
    stands(&served, 1, "completed");
}

#[test]
fn runs_that_a_dead_server_left_behind_go_on() {
    let aa = project("").skill("slowly", "name: slowly\ndescription: Slow\nsteps: [{name: a, wait: 1s}, {name: b, tool: trace_look, needs: [a]}]\n");
    let mut served = serve(&aa);
    let run = start(&served, "slowly", &json!({}));
    served.signal(rustix::process::Signal::KILL);
    served.ended();
    let served = serve(&aa);
    stands(&served, run, "completed");
    assert_eq!(aa.text("looks").lines().count(), 1);
}

#[test]
fn runs_beyond_those_that_may_wait_are_refused_and_those_that_wait_come_to_their_end() {
    let config = "secrets: {CI: {env: CI_KEY}}\nserve:\n  runs: 1\n  runs_per_session: 1\n  waiting_runs: 2\n  keys: [{principal: ci, key: '{{ secrets.CI }}'}]\n";
    let aa = Aa::traced().skill("look", LOOK).skill("hang", HANG).own_config(config);
    let served = serve(&aa);
    let held = start(&served, "hang", &json!({}));
    stands(&served, held, "running");
    let waiting = [start(&served, "look", &json!({})), start(&served, "look", &json!({}))];
    eventually("both wait for a place", || {
        let metrics = get(&served, "/metrics").body;
        metrics.lines().any(|line| line == "aa_runs_waiting_for_place 2")
    });
    let reply = served.post("/api/skills/look/run", &[], &json!({}));
    assert_eq!(
        (reply.status, reply.message()["type"].as_str()),
        (503, Some("/api/problems/full")),
        "{reply:?}"
    );
    assert!(reply.headers.contains("retry-after:"), "{reply:?}");
    let reply = served.post(&format!("/api/runs/{held}/cancel"), &[], &json!({}));
    assert!(reply.status < 300, "{reply:?}");
    for run in waiting {
        stands(&served, run, "completed");
    }
    // There is room again.
    let run = start(&served, "look", &json!({}));
    stands(&served, run, "completed");
}
