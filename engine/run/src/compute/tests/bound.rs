//! Limits, each hit on purpose; cancelling; the time for a step.

use std::time::{Duration, Instant};

use super::*;

async fn limited(limits: Limits, code: &str) -> StepError {
    let began = Instant::now();
    let workers = workers(limits.clone());
    let error = workers.run(job(code, json!({})), &mut Echo::default()).await.unwrap_err();
    assert!(began.elapsed() < limits.timeout + Duration::from_secs(5), "took {:?}", began.elapsed());
    let next = workers.run(job("1", json!({})), &mut Echo::default()).await;
    assert_eq!(next.unwrap().value, json!(1), "the next block runs as if nothing had been");
    error
}

fn quick() -> Limits {
    Limits { timeout: Duration::from_millis(300), ..Limits::default() }
}

#[tokio::test]
async fn time() {
    let error = limited(quick(), "while True:\n    pass").await;
    assert_eq!(error.kind, ErrorKind::Timeout);
    assert_eq!(error.message, "the block ran longer than `compute.timeout` allows, 300ms (skills/a.yaml:7)");
    assert_eq!(error.details["limit"], "compute.timeout");
}

#[tokio::test]
async fn memory() {
    let error = limited(Limits::default(), "a = []\nwhile True:\n    a.append('x' * 1000)").await;
    assert_eq!(error.kind, ErrorKind::Permanent);
    let expected = json!({ "limit": "compute.memory", "value": "64MiB", "file": "skills/a.yaml", "line": 7 });
    assert_eq!(error.details, expected);
}

#[tokio::test]
async fn depth() {
    let error = limited(Limits::default(), "def f(n):\n    return f(n + 1)\nf(0)").await;
    assert_eq!(error.details["limit"], "compute.depth");
}

#[tokio::test]
async fn source() {
    let error = limited(Limits::default(), &"x = 1\n".repeat(2_000_000)).await;
    assert_eq!(error.details["limit"], "compute.source");
}

#[tokio::test]
async fn output() {
    let error = limited(Limits::default(), "'x' * 2000000").await;
    assert_eq!(error.details["limit"], "compute.output");
    let error = limited(Limits::default(), "call_tool('git_log', text='x' * 2000000)").await;
    assert_eq!(error.details["limit"], "compute.output");
}

#[tokio::test]
async fn printed() {
    let code =
        "try:\n    for _ in range(10000):\n        print('x' * 100)\nexcept BaseException:\n    pass\n1";
    assert_eq!(limited(Limits::default(), code).await.details["limit"], "compute.printed");
}

#[tokio::test]
async fn calls() {
    let limits = Limits { calls: 3, ..Limits::default() };
    let error = limited(limits, "for _ in range(4):\n    call_tool('git_log')").await;
    assert_eq!(error.details["limit"], "compute.calls");
}

/// A host that takes its time.
struct Slow(Duration);

#[async_trait]
impl Host for Slow {
    async fn call(&mut self, _: HostCall) -> Result<Value, StepError> {
        tokio::time::sleep(self.0).await;
        Ok(Value::Null)
    }
}

#[tokio::test]
async fn a_call_takes_no_time_of_the_block() {
    let mut slow = Slow(Duration::from_millis(400));
    let workers = workers(Limits { timeout: Duration::from_secs(1), ..Limits::default() });
    let block = job("for _ in range(4):\n    call_tool('git_log')", json!({}));
    workers.run(block, &mut slow).await.unwrap();
}

/// A host that runs a block for each call.
struct Nested(Workers);

#[async_trait]
impl Host for Nested {
    async fn call(&mut self, _: HostCall) -> Result<Value, StepError> {
        self.0.run(job("'inner'", json!({})), &mut Echo::default()).await.map(|computed| computed.value)
    }
}

#[tokio::test]
async fn a_block_that_waits_for_a_call_holds_no_place() {
    let workers = workers(Limits { workers: 1, ..Limits::default() });
    let mut host = Nested(workers.clone());
    let computed = workers.run(job("run_skill('release')", json!({})), &mut host).await.unwrap();
    assert_eq!(computed.value, json!("inner"));
}

#[tokio::test]
async fn cancelling_ends_a_block_at_once() {
    let job = job("while True:\n    pass", json!({}));
    let cancel = job.cancel.clone();
    let began = Instant::now();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(100)).await;
        cancel.cancel();
    });
    let error = WORKERS.run(job, &mut Echo::default()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Cancelled);
    assert!(began.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn a_deadline_ends_a_block_at_once() {
    let mut job = job("while True:\n    pass", json!({}));
    job.deadline = Some(tokio::time::Instant::now() + Duration::from_millis(100));
    let error = WORKERS.run(job, &mut Echo::default()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Timeout);
    assert!(error.message.contains("time for the step"), "{}", error.message);
}

#[tokio::test]
async fn workers_start_when_needed_and_leave_when_idle() {
    let workers = workers(Limits { idle: Duration::from_millis(300), ..Limits::default() });
    assert!(workers.waiting().is_empty(), "none before the first block");
    workers.run(job("1", json!({})), &mut Echo::default()).await.unwrap();
    let first = workers.waiting();
    assert_eq!(first.len(), 1);
    workers.run(job("2", json!({})), &mut Echo::default()).await.unwrap();
    assert_eq!(workers.waiting(), first, "the same one again");
    tokio::time::sleep(Duration::from_millis(900)).await;
    assert!(workers.waiting().is_empty());
}

#[tokio::test]
async fn a_worker_that_keeps_no_limit_is_ended() {
    let call = |number: u32, text: &str| json!({"Call": {"number": number, "target": "git_log", "args": {"a": text}}});
    let done =
        |value: &str, printed: &str| json!({"Done": {"value": value, "reads": [], "printed": printed}});
    for (lie, limit) in [
        (call(201, ""), "compute.calls"),
        (call(1, "LONG"), "compute.output"),
        (done("LONG", ""), "compute.output"),
        (done("", "LONG"), "compute.printed"),
    ] {
        let workers = lying(&lie);
        let mut host = Echo::default();
        let error = workers.run(job("1", json!({})), &mut host).await.unwrap_err();
        assert_eq!(error.details["limit"], limit);
        assert!(host.calls.is_empty() && workers.waiting().is_empty());
    }
}
