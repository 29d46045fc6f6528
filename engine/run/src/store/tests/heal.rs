//! What is known of healings: who may act, and how it went.

use aa_spec::heal::Bounds;
use aa_spec::tool::ErrorKind;
use rusqlite::Connection;

use super::*;
use crate::machine::HealCall;

const BOUNDS: Bounds =
    Bounds { per_step: 5, per_run: 2, per_hour: 60, cool_down_ms: 0, failures: 2, rest_ms: 3_600_000 };

fn error(kind: ErrorKind) -> StepError {
    StepError { kind, message: "no".to_owned(), details: Value::Null }
}

/// A healing of step `a` that began with the event before this one.
fn call(number: u32, seq: u64) -> HealCall {
    HealCall {
        step: StepPath("a".to_owned()),
        rule: "login".to_owned(),
        number,
        key: "k".to_owned(),
        action: "login()".to_owned(),
        tool: "oc_get".to_owned(),
        error: error(ErrorKind::Auth),
        since: at(0),
        seq,
        timeout_ms: 60_000,
        bounds: BOUNDS,
    }
}

fn started(number: u32) -> Body {
    Body::HealStarted {
        step: StepPath("a".to_owned()),
        rule: "login".to_owned(),
        number,
        error: Some(error(ErrorKind::Auth)),
        target: None,
        args: None,
    }
}

fn finished(number: u32) -> Body {
    Body::HealFinished {
        step: StepPath("a".to_owned()),
        rule: "login".to_owned(),
        number,
        healed: true,
        note: String::new(),
    }
}

/// Another attempt at the step.
fn again() -> Body {
    Body::StepStarted {
        step: StepPath("a".to_owned()),
        attempt: 2,
        kind: "tool".to_owned(),
        target: None,
        args: None,
        until: None,
        items: None,
    }
}

fn failed(kind: ErrorKind) -> Body {
    Body::StepFailed { step: StepPath("a".to_owned()), error: error(kind), continued: false, duration_ms: 1 }
}

/// Appends events from a number on.
async fn append(store: &Store, lease: Lease, from: u64, bodies: Vec<Body>) {
    let events = (from..).zip(bodies).map(|(seq, body)| event(lease.run, seq, body)).collect();
    store.append(lease, events, Vec::new()).await.unwrap();
}

async fn admit(store: &Store, run: RunId, call: HealCall) -> Entrance {
    store.admit_heal(run, call, at(1000)).await.unwrap()
}

#[tokio::test]
async fn a_step_that_is_opened_once_more_is_bound_as_before() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let lease = create(&store, "s").await;
    for opened in 0..2 {
        let seq = 1 + opened * 3;
        append(&store, lease, seq, vec![started(1)]).await;
        assert_eq!(admit(&store, lease.run, call(1, seq + 1)).await, Entrance::Granted);
        // A process that has died and asks again.
        assert_eq!(admit(&store, lease.run, call(1, seq + 1)).await, Entrance::Granted);
        append(&store, lease, seq + 1, vec![finished(1), completed(Value::Null)]).await;
    }
    append(&store, lease, 7, vec![started(1)]).await;
    let third = admit(&store, lease.run, call(1, 8)).await;
    assert!(matches!(&third, Entrance::Refused(why) if why.contains("2 times in this run")), "{third:?}");
    assert_eq!(store.heals().await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_journal_that_cannot_be_read_keeps_nobody_else_from_being_healed() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let broken = create(&store, "s").await;
    append(&store, broken, 1, vec![started(1)]).await;
    assert_eq!(admit(&store, broken.run, call(1, 2)).await, Entrance::Granted);
    append(&store, broken, 2, vec![finished(1)]).await;
    Connection::open(folder.path().join("aa.db"))
        .unwrap()
        .execute("update events set body = '{\"step\": \"a\"}' where run = ? and seq = 2", [broken.run.0])
        .unwrap();
    store.release(broken).await.unwrap();
    let other = create(&store, "s").await;
    append(&store, other, 1, vec![started(1)]).await;
    let late = at(10_000_000);
    assert_eq!(store.admit_heal(other.run, call(1, 2), late).await.unwrap(), Entrance::Granted);
    assert_eq!(store.heals().await.unwrap().len(), 2);
}

#[tokio::test]
async fn steps_that_were_cancelled_say_nothing_about_a_rule() {
    let cancel = || Body::CancelRequested { by: "cli".to_owned(), reason: String::new() };
    for (end, stops) in [
        (vec![again(), failed(ErrorKind::Cancelled)], false),
        (vec![again(), cancel(), failed(ErrorKind::Auth)], false),
        (vec![again(), failed(ErrorKind::Auth)], true),
        // What it belongs to has failed before it could be tried again.
        (vec![failed(ErrorKind::Auth)], false),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        for _ in 0..2 {
            let lease = create(&store, "s").await;
            append(&store, lease, 1, vec![started(1)]).await;
            // It failed after the last login, so that one is of no use to it.
            let call = HealCall { since: at(500), ..call(1, 2) };
            assert_eq!(admit(&store, lease.run, call).await, Entrance::Granted);
            append(&store, lease, 2, [vec![finished(1)], end.clone()].concat()).await;
        }
        let why = store.stopped_heal("login".to_owned(), BOUNDS, at(1000)).await.unwrap();
        assert_eq!(why.is_some(), stops, "{why:?}");
    }
}

#[tokio::test]
async fn a_call_is_open_until_its_run_says_that_it_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let (lease, other) = (create(&store, "s").await, create(&store, "s").await);
    assert!(!store.is_heal_open("k", at(1000)).unwrap());
    append(&store, lease, 1, vec![started(1)]).await;
    assert_eq!(admit(&store, lease.run, call(1, 2)).await, Entrance::Granted);
    assert_eq!(admit(&store, other.run, call(1, 2)).await, Entrance::Busy);
    assert!(store.is_heal_open("k", at(1000)).unwrap());
    assert!(!store.is_heal_open("k", at(10_000_000)).unwrap(), "it takes too long to be true");
    append(&store, lease, 2, vec![finished(1)]).await;
    assert!(!store.is_heal_open("k", at(1000)).unwrap());
    assert!(matches!(admit(&store, other.run, call(1, 2)).await, Entrance::Reused(_)));
}

#[tokio::test]
async fn what_a_healing_teaches_is_remembered_for_the_tenant_of_its_run() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let new = NewRun { tenant: "red".to_owned(), ..new_run("s") };
    let Created::New(lease) = store.create(new, begun).await.unwrap() else { panic!("it exists") };
    append(&store, lease, 1, vec![started(1)]).await;
    assert_eq!(admit(&store, lease.run, call(1, 2)).await, Entrance::Granted);
    append(&store, lease, 2, vec![finished(1), completed(Value::Null)]).await;
    store.settle_heals(lease.run).await.unwrap();
    let failures = store.memory("red", "learned/tool_failures").unwrap().unwrap();
    assert_eq!(failures["stats"]["auto_fixed"], 1);
    assert_eq!(store.memory_keys("main", "").unwrap(), [""; 0]);
    assert_eq!(store.heals().await.unwrap().len(), 1, "the rule has acted on this machine");
}
