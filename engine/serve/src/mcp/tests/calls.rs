//! Calls that take their time: progress, patience, cancellation, repetition, turns.

use std::time::Duration;

use aa_run::caller::Caller;
use aa_run::driver::Park;
use aa_run::engine::{Inputs, RunRequest};
use aa_run::event::{Origin, RunId};
use aa_run::store::{RunFilter, RunStatus};
use aa_spec::check::Strictness;
use serde_json::json;

use super::kit::{Era, Person, World, call, eventually, run_of, text};

#[tokio::test]
async fn progress_grows_with_the_steps_and_the_answer_is_the_outputs() {
    let world = World::new();
    for era in [Era::Session, Era::Newer] {
        let person = Person::absent();
        let client = world.client(person.clone(), era).await;
        let result = call(&client, "three", json!({})).await;
        assert_eq!(result.structured_content, Some(json!({"seen": ""})), "{era:?}: {result:?}");
        assert_eq!(text(&result), r#"{"seen":""}"#);
        assert!(run_of(&result) > 0);
        let told = person.told.lock().unwrap().clone();
        assert!(told.len() >= 2, "{told:?}");
        assert!(told.is_sorted_by(|a, b| a.progress < b.progress), "{told:?}");
        assert!(told.iter().all(|told| told.total == Some(3.0)), "{told:?}");
        let lines: Vec<_> = told.iter().filter_map(|told| told.message.as_deref()).collect();
        assert!(lines.contains(&"a") && lines.contains(&"b"), "{lines:?}");
    }
}

#[tokio::test]
async fn a_tool_that_reads_tells_how_it_goes_as_well() {
    let world = World::new();
    let person = Person::absent();
    let client = world.client(person.clone(), Era::Session).await;
    let result = call(&client, "tool_call", json!({"tool_name": "nap", "arguments": {}})).await;
    assert_eq!(result.is_error, Some(false), "{result:?}");
    let told = person.told.lock().unwrap().clone();
    assert!(told.iter().any(|told| told.message.as_deref() == Some("nap")), "{told:?}");
}

#[tokio::test]
async fn a_failure_says_where_why_and_what_next() {
    let world = World::new();
    let client = world.client(Person::absent(), Era::Session).await;
    let result = call(&client, "broken", json!({})).await;
    assert_eq!(result.is_error, Some(true));
    let (text, run) = (text(&result), run_of(&result));
    assert!(text.starts_with(&format!("run {run} failed at step `bad`: ")), "{text}");
    assert!(text.contains("no such thing") && text.contains("run_explain"), "{text}");
    let status = call(&client, "run_status", json!({"run_id": run})).await.structured_content.unwrap();
    assert_eq!((&status["status"], &status["error"]["step"]), (&json!("failed"), &json!("bad")));
}

#[tokio::test]
async fn a_client_that_wants_no_progress_is_not_kept_for_long() {
    let world = World::new().config("serve: {wait: 200ms}\n");
    let mut raw = world.raw().await;
    raw.call(1, "three", json!({})).await;
    let answer = raw.next().await;
    let result = &answer["result"];
    assert_eq!((&answer["id"], &result["isError"]), (&json!(1), &json!(false)), "{answer}");
    assert_eq!(result["structuredContent"]["status"], "running");
    let run = result["_meta"]["aa/run"].clone();
    let text = result["content"][0]["text"].as_str().unwrap();
    assert!(text.contains("is still running (a)") && text.contains("Call run_status"), "{text}");
    raw.call(2, "run_status", json!({"run_id": run, "wait_seconds": 20})).await;
    let status = raw.next().await["result"]["structuredContent"].clone();
    assert_eq!(
        (&status["status"], &status["outputs"]),
        (&json!("completed"), &json!({"seen": ""})),
        "{status}"
    );
    assert_eq!((&status["steps"], &status["steps_done"]), (&json!(3), &json!(3)));
}

#[tokio::test]
async fn a_cancelled_call_ends_its_run_and_is_not_answered() {
    let world = World::new();
    let mut raw = world.raw().await;
    raw.call(1, "long", json!({})).await;
    // A step that only reads is at work before its run is recorded.
    eventually("it hangs", || !world.read("hanging").is_empty()).await;
    raw.send(json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}))
        .await;
    let engine = world.as_client("local");
    let ended = || engine.run(RunId(1)).is_ok_and(|run| run.status == RunStatus::Cancelled);
    eventually("the run ends", ended).await;
    raw.call(2, "run_list", json!({"status": "cancelled"})).await;
    let answer = raw.next().await;
    assert_eq!(answer["id"], 2, "{answer}");
    assert_eq!(answer["result"]["structuredContent"]["runs"][0]["run_id"], 1);
    let pid = world.read("hanging");
    let gone = || !std::path::Path::new(&format!("/proc/{}", pid.trim())).exists();
    eventually("its process is gone", gone).await;
}

#[tokio::test]
async fn a_run_that_two_calls_wait_for_ends_with_the_last_of_them() {
    let world = World::new();
    let mut raw = world.raw().await;
    let args = json!({"skill_name": "long", "idempotency_key": "k"});
    raw.call(1, "skill_run", args.clone()).await;
    eventually("it hangs", || !world.read("hanging").is_empty()).await;
    raw.call(2, "skill_run", args).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let cancel =
        |id: u64| json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}});
    raw.send(cancel(1)).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let engine = world.as_client("local");
    assert_eq!(engine.run(RunId(1)).unwrap().status, RunStatus::Running);
    raw.send(cancel(2)).await;
    let ended = || engine.run(RunId(1)).is_ok_and(|run| run.status == RunStatus::Cancelled);
    eventually("the run ends", ended).await;
}

#[tokio::test]
async fn a_call_that_is_given_up_does_not_end_what_somebody_else_has_started() {
    let world = World::new();
    let mut raw = world.raw().await;
    let other = world.engine().for_caller(Caller::local(Origin::Http));
    let request = RunRequest { origin: Origin::Http, request_key: Some("k".to_owned()), ..long() };
    let started = other.start_called(request, "", false).await.unwrap();
    eventually("it hangs", || !world.read("hanging").is_empty()).await;
    raw.call(1, "skill_run", json!({"skill_name": "long", "idempotency_key": "k"})).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    raw.send(json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}))
        .await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(other.run(started.id).unwrap().status, RunStatus::Running);
}

/// A run that does not end, as a person starts it.
fn long() -> RunRequest {
    RunRequest {
        skill: "long".to_owned(),
        inputs: Inputs::Json(serde_json::Map::new()),
        origin: Origin::Cli,
        dry_run: false,
        plan_hash: None,
        request_key: None,
        strictness: Strictness { lenient: false, strict: false },
        park: Park::Stay,
    }
}

#[tokio::test]
async fn a_run_is_cancelled_by_another_call() {
    let world = World::new();
    let client = world.client(Person::absent(), Era::Session).await;
    let waiting = call(&client, "skill_run", json!({"skill_name": "long", "wait_seconds": 0.1})).await;
    assert_eq!(waiting.is_error, Some(false), "{waiting:?}");
    let run = run_of(&waiting);
    let result = call(&client, "run_cancel", json!({"run_id": run, "reason": "enough"})).await;
    let status = call(&client, "run_status", json!({"run_id": run, "wait_seconds": 20})).await;
    let (result, status) = (result.structured_content.unwrap(), status.structured_content.unwrap());
    assert_eq!((&result["run_id"], &status["status"]), (&json!(run), &json!("cancelled")));
    let none = call(&client, "run_status", json!({"run_id": 99})).await;
    assert_eq!((none.is_error, text(&none).as_str()), (Some(true), "there is no run 99"));
}

#[tokio::test]
async fn what_a_person_has_started_is_not_ended_by_a_model() {
    let world = World::new();
    let caller = Caller::local(Origin::Cli);
    let started = world.engine().for_caller(caller).start(long()).await.unwrap();
    let client = world.client(Person::absent(), Era::Session).await;
    let result = call(&client, "run_cancel", json!({"run_id": started.id})).await;
    assert!(result.is_error == Some(true) && text(&result).contains("aa run cancel 1"), "{result:?}");
    assert!(world.engine().run(started.id).unwrap().ended_at.is_none());
}

#[tokio::test]
async fn a_tool_that_reads_says_that_it_is_still_there() {
    let world = World::new();
    let person = Person::absent();
    let client = world.client(person.clone(), Era::Session).await;
    let result = call(&client, "tool_call", json!({"tool_name": "doze"})).await;
    assert!(text(&result).contains("woke"), "{result:?}");
    assert!(!person.told.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_repeated_call_is_about_the_first_run_also_when_that_is_over() {
    let world = World::new();
    let args = || json!({"skill_name": "brief", "idempotency_key": "k"});
    let (one, two) = (
        world.client(Person::absent(), Era::Session).await,
        world.client(Person::absent(), Era::Newer).await,
    );
    let (first, second) = tokio::join!(call(&one, "skill_run", args()), call(&two, "skill_run", args()));
    let third = call(&one, "skill_run", args()).await;
    assert_eq!((run_of(&first), run_of(&first)), (run_of(&second), run_of(&third)));
    assert_eq!(first.structured_content, third.structured_content);
    let other = call(&one, "skill_run", json!({"skill_name": "three", "idempotency_key": "k"})).await;
    assert_eq!(other.is_error, Some(true));
    assert_eq!(world.engine().runs(&RunFilter::default()).unwrap().len(), 1);
}

#[tokio::test]
async fn calls_wait_for_their_turn_and_say_so() {
    let world = World::new().config("serve: {runs: 1}\n");
    let person = Person::absent();
    // One process, so one engine.
    let client = world.client(person.clone(), Era::Newer).await;
    let (first, second) = tokio::join!(call(&client, "brief", json!({})), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        call(&client, "brief", json!({})).await
    });
    assert_eq!((first.is_error, second.is_error), (Some(false), Some(false)));
    let told = person.told.lock().unwrap().clone();
    assert!(told.iter().any(|told| told.message.as_deref() == Some("waiting for its turn")), "{told:?}");
}

#[tokio::test]
async fn a_tool_that_reads_is_called_at_once_and_one_that_writes_is_a_run() {
    let world = World::new().config("serve: {policy: {write: allow}}\n");
    let client = world.client(Person::absent(), Era::Session).await;
    assert_eq!(call(&client, "look", json!({})).await.structured_content, Some(json!({"result": ""})));
    assert!(world.engine().runs(&RunFilter::default()).unwrap().is_empty());
    let result = call(&client, "note", json!({"text": "{{ 1 + 1 }}"})).await;
    assert_eq!(
        (result.structured_content.clone(), run_of(&result)),
        (Some(json!({"result": "{{ 1 + 1 }}"})), 1)
    );
    assert_eq!(world.read("log"), "{{ 1 + 1 }}\n");
}

#[tokio::test]
async fn a_run_that_is_not_to_be_executed_is_a_plan() {
    let world = World::new();
    let client = world.client(Person::absent(), Era::Session).await;
    let args = json!({"skill_name": "tidy", "inputs": "{}", "execute": false, "debug": true});
    let told = call(&client, "skill_run", args).await.structured_content.unwrap();
    assert_eq!((&told["skill"], told["hash"].is_string()), (&json!("tidy"), true), "{told}");
    assert!(world.read("log").is_empty() && world.engine().runs(&RunFilter::default()).unwrap().is_empty());
}
