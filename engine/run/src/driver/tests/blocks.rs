//! Blocks whose calls the driver makes and writes down.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aa_spec::tool::ErrorKind;
use async_trait::async_trait;
use serde_json::{Map, Value, json};

use super::kit::{Notes, Stage, eventually, step};
use crate::compute::{Computed, Computer, Host, HostCall, Job};
use crate::driver::{Clock, Entry, Park};
use crate::engine::{Notice, Outcome};
use crate::event::{Body, Resolution, StepError};
use crate::store::Ask;
use crate::stub::VirtualClock;

/// Computes blocks whose source is a list of calls, each a name and arguments. What it
/// does with every job is up to the test.
struct Scripted<F>(F);

#[async_trait]
impl<F> Computer for Scripted<F>
where
    F: Fn(&Job) -> Vec<HostCall> + Send + Sync,
{
    async fn run(&self, job: Job, host: &mut dyn Host) -> Result<Computed, StepError> {
        let mut answers = Vec::new();
        for call in (self.0)(&job) {
            let answer = tokio::select! {
                answer = host.call(call) => answer,
                () = job.cancel.cancelled() => return Err(StepError::new(ErrorKind::Cancelled, "stopped")),
            };
            answers.push(match answer {
                Ok(value) => value,
                Err(error) => json!(format!("caught {}", error.message)),
            });
        }
        let reads = job.names.keys().cloned().collect();
        Ok(Computed { value: Value::Array(answers), reads, printed: vec!["a line".to_owned()] })
    }
}

/// The calls that a block's source lists.
fn listed(job: &Job) -> Vec<HostCall> {
    let calls: Vec<(String, Map<String, Value>)> = serde_json::from_str(&job.block.source).unwrap();
    let call = |(number, (target, args))| HostCall { number, target, args };
    (1..).zip(calls).map(call).collect()
}

/// A compute step that makes these calls.
fn block(calls: &Value) -> Value {
    let callee = |idempotent: bool| json!({"kind": "tool", "effect": "write", "idempotent": idempotent});
    json!({"name": "calc", "action": {"compute": {"block": {
        "source": calls.to_string(), "code": "", "line": 1,
        "calls": {"echo": callee(true), "fail": callee(true), "slow": callee(false), "panic": callee(true)},
    }}}})
}

/// The output of the block, once there is one.
fn output(stage: &Stage) -> Option<Value> {
    stage.journal.events().iter().find_map(|event| match &event.body {
        Body::StepCompleted { step, output, .. } if step.0 == "calc" => Some(output.clone()),
        _ => None,
    })
}

#[tokio::test]
async fn calls_are_written_down_made_and_answered() {
    let calls = json!([["echo", {"n": 1}], ["fail", {}], ["echo", {"n": "\u{fdd0}secret:x\u{fdd1}"}]]);
    let stage = Stage::new(&json!([block(&calls)])).computer(Scripted(listed));
    let mut running = stage.drive(Entry::Fresh);
    stage.until("skill_completed").await;
    let told = running.told();
    assert!(matches!(running.outcome().await, Ok(Outcome::Completed(_))));
    assert_eq!(
        stage.story(),
        [
            "skill_started",
            "step_started calc",
            "step_started calc/1_echo",
            "step_completed calc/1_echo",
            "step_started calc/2_fail",
            "step_failed calc/2_fail",
            "step_started calc/3_echo",
            "step_completed calc/3_echo",
            "step_completed calc",
            "skill_completed",
        ]
    );
    // What a block makes up to look like a sealed secret is a text like any other.
    let harmless = "\u{fffd}secret:x\u{fffd}";
    assert_eq!(output(&stage), Some(json!([{"n": 1}, "caught not now", {"n": harmless}])));
    let printed = |notice: &Notice| matches!(notice, Notice::Line { step, line, .. } if step.0 == "calc" && line == "a line");
    assert!(told.iter().any(printed), "{told:?}");
}

#[tokio::test]
async fn a_call_is_made_and_answered_only_after_its_commit() {
    let notes = Notes::default();
    let (made, heard) = (notes.clone(), notes.clone());
    let stage = Stage::new(&json!([block(&json!([["note", {}]]))]));
    let stage = stage.tool("note", move |_, _| {
        made.put("made");
        async { Ok(Value::Null) }
    });
    // `note` is none of the calls that the plan knows.
    let refused = stage.computer(Scripted(listed));
    let outcome = refused.drive(Entry::Fresh).outcome().await.unwrap();
    let Outcome::Failed { error, .. } = outcome else { panic!("{outcome:?}") };
    assert_eq!(error.message, "`note` is none of the calls that the plan knows");
    assert!(notes.all().is_empty());

    let made = notes.clone();
    let stage =
        Stage::new(&json!([block(&json!([["slow", {}], ["echo", {}]]))])).tool("slow", move |_, _| {
            made.put("made");
            async { Ok(Value::Null) }
        });
    let stage = stage.computer(Scripted(move |job: &Job| {
        heard.put("computing");
        listed(job)
    }));
    stage.journal.hold(true);
    let running = stage.drive(Entry::Fresh);
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
    assert!(notes.all().is_empty(), "a block starts after the commit of its start");
    stage.journal.hold(false);
    running.outcome().await.unwrap();
    assert_eq!(notes.all(), ["computing", "made"]);
}

#[tokio::test]
async fn without_a_computer_the_step_fails_and_says_so() {
    let stage = Stage::new(&json!([block(&json!([]))]));
    let outcome = stage.drive(Entry::Fresh).outcome().await.unwrap();
    let Outcome::Failed { error, step: at } = outcome else { panic!("{outcome:?}") };
    assert_eq!(error.message, "this build of `aa` cannot run `compute` steps");
    assert_eq!(at, Some(step("calc")));
}

/// A run whose process died while the second call of its block was being made.
async fn died(calls: &Value, computer: impl Computer + 'static, made: &Arc<AtomicUsize>) -> Stage {
    let count = Arc::clone(made);
    let stage = Stage::new(&json!([block(calls)])).computer(computer).tool("slow", move |_, _| {
        let first = count.fetch_add(1, Ordering::SeqCst) == 0;
        async move {
            if first {
                tokio::time::sleep(Duration::from_mins(10)).await;
            }
            Ok(json!("slow"))
        }
    });
    let running = stage.drive(Entry::Fresh);
    eventually(|| made.load(Ordering::SeqCst) == 1).await;
    running.abort();
    stage
}

#[tokio::test]
async fn a_block_is_run_again_and_its_calls_are_not() {
    let made = Arc::default();
    let calls = json!([["echo", {"n": 1}], ["slow", {}], ["echo", {"n": 3}]]);
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&runs);
    let computer = Scripted(move |job: &Job| {
        counted.fetch_add(1, Ordering::SeqCst);
        listed(job)
    });
    let stage = died(&calls, computer, &made).await.park(Park::Release);
    // The call may have taken place, so the block waits for a person, and so does the run.
    let outcome = stage.drive(Entry::Resume(crate::machine::Left::default())).outcome().await.unwrap();
    assert_eq!(outcome, Outcome::Waiting(vec![step("calc/2_slow")]));
    assert_eq!(runs.load(Ordering::SeqCst), 1);

    let resolution = Resolution::Done { output: json!("by hand") };
    stage.journal.ask(Ask::Resolve { step: step("calc/2_slow"), resolution });
    let outcome = stage.drive(Entry::Resume(crate::machine::Left::default())).outcome().await.unwrap();
    assert!(matches!(outcome, Outcome::Completed(_)), "{outcome:?}");
    assert_eq!(output(&stage), Some(json!([{"n": 1}, "by hand", {"n": 3}])));
    assert_eq!(made.load(Ordering::SeqCst), 1);
    assert_eq!(runs.load(Ordering::SeqCst), 2);
}

/// What a block does otherwise when it is run again.
type Change = fn(&mut Vec<HostCall>);

#[tokio::test]
async fn a_block_that_strays_when_it_is_run_again_fails() {
    let calls = json!([["echo", {"n": 1}], ["slow", {}]]);
    let cases: [(Change, &str); 3] = [
        (|calls| calls[0].args["n"] = json!(2), "its call 1 was `echo`, and is `echo` with other arguments"),
        (|calls| calls[0].target = "fail".to_owned(), "its call 1 was `echo`, and is `fail` with other"),
        (Vec::clear, "it made 2 calls, and 0 now"),
    ];
    for (change, expected) in cases {
        let made = Arc::default();
        let again = AtomicUsize::new(0);
        let computer = Scripted(move |job: &Job| {
            let mut calls = listed(job);
            if again.fetch_add(1, Ordering::SeqCst) > 0 {
                change(&mut calls);
            }
            calls
        });
        let stage = died(&calls, computer, &made).await;
        stage.journal.ask(Ask::Resolve {
            step: step("calc/2_slow"),
            resolution: Resolution::Done { output: json!(1) },
        });
        let outcome = stage.drive(Entry::Resume(crate::machine::Left::default())).outcome().await.unwrap();
        let Outcome::Failed { error, .. } = outcome else { panic!("{outcome:?}") };
        assert!(
            error.message.starts_with("the block does not do the same when it is run again"),
            "{error:?}"
        );
        assert!(error.message.contains(expected), "{error:?}");
    }
}

/// Asks for the same call again and again, as if its worker died each time.
struct Clumsy;

#[async_trait]
impl Computer for Clumsy {
    async fn run(&self, job: Job, host: &mut dyn Host) -> Result<Computed, StepError> {
        let calls = listed(&job);
        for _ in 0..5 {
            let ask = host.call(calls[0].clone());
            let _ = tokio::time::timeout(Duration::from_millis(5), ask).await;
        }
        let mut answers = Vec::new();
        for _ in 0..2 {
            answers.clear();
            for call in &calls {
                answers.push(host.call(call.clone()).await?);
            }
        }
        Ok(Computed { value: answers.into(), reads: Vec::new(), printed: Vec::new() })
    }
}

#[tokio::test]
async fn a_worker_that_dies_alone_makes_no_call_twice() {
    let made = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&made);
    let stage =
        Stage::new(&json!([block(&json!([["slow", {"n": 1}], ["slow", {"n": 2}]]))])).computer(Clumsy);
    let stage = stage.tool("slow", move |_, args| {
        count.fetch_add(1, Ordering::SeqCst);
        async move {
            tokio::time::sleep(Duration::from_millis(50)).await;
            Ok(args["n"].clone())
        }
    });
    let outcome = stage.drive(Entry::Fresh).outcome().await.unwrap();
    assert!(matches!(outcome, Outcome::Completed(_)), "{outcome:?}");
    assert_eq!(output(&stage), Some(json!([1, 2])));
    assert_eq!(made.load(Ordering::SeqCst), 2);
}

/// Never ends by itself, whatever anybody says.
struct Deaf;

#[async_trait]
impl Computer for Deaf {
    async fn run(&self, job: Job, host: &mut dyn Host) -> Result<Computed, StepError> {
        for call in listed(&job) {
            let _ = host.call(call).await;
        }
        std::future::pending().await
    }
}

#[tokio::test]
async fn cancelling_ends_the_block_and_its_call() {
    let stage = Stage::new(&json!([block(&json!([["slow", {}]]))])).computer(Scripted(listed)).tool(
        "slow",
        |context, _| async move {
            context.cancel.cancelled().await;
            // The block has ended by now, and its step must not before its call has.
            tokio::time::sleep(Duration::from_millis(50)).await;
            Err(crate::tool::ToolError::new(ErrorKind::Cancelled, "it was stopped"))
        },
    );
    let running = stage.drive(Entry::Fresh);
    stage.until("step_started calc/1_slow").await;
    stage.journal.ask(Ask::Cancel { reason: String::new() });
    stage.nudge.send_replace(());
    assert_eq!(running.outcome().await.unwrap(), Outcome::Cancelled);
    assert_eq!(
        stage.story()[3..],
        ["cancel_requested", "step_failed calc/1_slow", "step_failed calc", "skill_cancelled"]
    );
}

#[tokio::test]
async fn a_deaf_block_is_killed_by_the_second_request() {
    let stage = Stage::new(&json!([block(&json!([["echo", {}]]))])).computer(Deaf);
    let running = stage.drive(Entry::Fresh);
    stage.until("step_completed calc/1_echo").await;
    for _ in 0..2 {
        stage.journal.ask(Ask::Cancel { reason: String::new() });
        stage.nudge.send_replace(());
    }
    assert_eq!(running.outcome().await.unwrap(), Outcome::Cancelled);
    let killed = stage.journal.events().iter().any(|event| {
        matches!(&event.body, Body::StepFailed { error, .. } if error.message == "the block was killed")
    });
    assert!(killed, "{:?}", stage.story());
}

/// Panics between two calls, or while one is being made.
struct Panicking;

#[async_trait]
impl Computer for Panicking {
    async fn run(&self, job: Job, host: &mut dyn Host) -> Result<Computed, StepError> {
        tokio::select! {
            _ = host.call(listed(&job).remove(0)) => {}
            () = tokio::time::sleep(Duration::from_millis(20)) => panic!("oh no"),
        }
        panic!("oh no")
    }
}

#[tokio::test]
async fn a_panic_is_the_end_of_the_step_and_of_nothing_else() {
    let stage = Stage::new(&json!([block(&json!([["slow", {}]]))])).computer(Panicking);
    let stage = stage.tool("slow", |_, _| async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        Ok(Value::Null)
    });
    let outcome = stage.drive(Entry::Fresh).outcome().await.unwrap();
    let Outcome::Failed { error, .. } = outcome else { panic!("{outcome:?}") };
    assert_eq!(error.message, "what runs the block panicked");
    assert_eq!(stage.story()[3..5], ["step_completed calc/1_slow", "step_failed calc"]);
}

/// Takes a while of real time, and none of the run's.
struct Slow;

#[async_trait]
impl Computer for Slow {
    async fn run(&self, job: Job, _: &mut dyn Host) -> Result<Computed, StepError> {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(100)) => {}
            () = job.cancel.cancelled() => return Err(StepError::new(ErrorKind::Cancelled, "stopped")),
        }
        Ok(Computed { value: json!("in time"), reads: Vec::new(), printed: Vec::new() })
    }
}

#[tokio::test]
async fn virtual_time_does_not_jump_over_a_block_that_runs() {
    let mut calc = block(&json!([]));
    calc["timeout_ms"] = json!(5_000);
    let wait = json!({"name": "wait", "action": {"wait_for": {"duration": 3_600_000}}});
    let stage = Stage::new(&json!([calc, wait])).computer(Slow);
    let clock = VirtualClock::new(stage.clock.now(), false);
    let stage = stage.on_clock(clock);
    let outcome = stage.drive(Entry::Fresh).outcome().await.unwrap();
    assert!(matches!(outcome, Outcome::Completed(_)), "{outcome:?}");
    assert_eq!(output(&stage), Some(json!("in time")));
    assert_eq!(stage.story()[3..], ["step_completed calc", "step_completed wait", "skill_completed"]);
}
