//! Blocks on real workers, whose process dies after every single event.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aa_spec::compute::{Failure, Interpreter};
use serde_json::{Map, Value, json};

use super::journal::Memory;
use super::kit::Stage;
use crate::compute::Limits;
use crate::compute::tests::workers;
use crate::driver::{Entry, Park};
use crate::engine::{Notice, Outcome};
use crate::event::{Body, Event, Resolution, StepPath};
use crate::store::Ask;

/// Writes twice, once so that it may be repeated; looks at what there is; and deals with
/// a call that fails.
const CODE: &str = "\
total = look['n'] * 10
a = call_tool('put', n=total)
b = call_tool('send', n=a['n'] + 0.1)
try:
    call_tool('fail')
    said = 'no'
except ToolError as e:
    said = str(e)
print(said)
{'a': a['n'], 'b': b['n'], 'said': said, 'seen': len(items)}";

fn steps() -> Value {
    let callee = |idempotent: bool| json!({"kind": "tool", "effect": "write", "idempotent": idempotent});
    json!([
        {"name": "look", "tool": "echo", "effect": "read", "args": {"n": 4}},
        {"name": "items", "tool": "echo", "effect": "read", "args": {"a": 1, "b": 2}},
        {"name": "calc", "needs": [0, 1], "action": {"compute": {"block": {
            "source": CODE, "code": CODE, "line": 3, "reads": ["look", "items", "unread"],
            "imports": ["call_tool", "ToolError"],
            "calls": {"put": callee(true), "send": callee(false), "fail": callee(true)},
        }}}},
        {"name": "after", "tool": "echo", "effect": "read", "needs": [2], "args": {"all": "{{ calc }}"}},
    ])
}

/// A run that goes on from these events, and how often it has sent something.
fn stage(events: &[Event], sent: &Arc<AtomicUsize>) -> Stage {
    let count = Arc::clone(sent);
    let echo = |_, args: Map<String, Value>| async move { Ok(Value::Object(args)) };
    let mut stage = Stage::new(&steps()).computer(workers(Limits::default())).park(Park::Release);
    stage = stage.tool("put", echo).tool("send", move |_, args| {
        count.fetch_add(1, Ordering::SeqCst);
        async move { Ok(Value::Object(args)) }
    });
    if !events.is_empty() {
        stage.journal = Arc::new(Memory::new());
        for event in events {
            stage.journal.start(event.clone());
        }
    }
    stage
}

fn end(stage: &Stage, step: &str) -> Option<(Value, Vec<String>)> {
    stage.journal.events().iter().find_map(|event| match &event.body {
        Body::StepCompleted { step: path, output, reads, .. } if path.0 == step => {
            Some((output.clone(), reads.clone()))
        }
        _ => None,
    })
}

#[tokio::test]
async fn a_block_whose_process_dies_at_any_event_comes_to_the_same_end() {
    let sent = Arc::new(AtomicUsize::new(0));
    let whole = stage(&[], &sent);
    let outcome = whole.drive(Entry::Fresh).outcome().await.unwrap();
    assert!(matches!(outcome, Outcome::Completed(_)), "{outcome:?}");
    let (output, reads) = end(&whole, "calc").unwrap();
    assert_eq!(output, json!({"a": 40, "b": 40.1, "said": "transient: not now", "seen": 2}));
    assert_eq!(reads, ["look", "items"]);
    assert_eq!(sent.load(Ordering::SeqCst), 1);

    let events = whole.journal.events();
    for kept in 1..events.len() {
        let sent = Arc::new(AtomicUsize::new(0));
        let resumed = stage(&events[..kept], &sent);
        let mut outcome =
            resumed.drive(Entry::Resume(crate::machine::Left::default())).outcome().await.unwrap();
        let had = |kind: &str| {
            let wanted = format!("{kind} calc/2_send");
            events[..kept].iter().any(|event| super::kit::short(&event.body) == wanted)
        };
        if had("step_started") && !had("step_completed") {
            // It may have been sent, so only a person can tell.
            let step = StepPath("calc/2_send".to_owned());
            assert_eq!(outcome, Outcome::Waiting(vec![step.clone()]), "cut after {kept}");
            let resolution = Resolution::Done { output: json!({"n": 40.1}) };
            resumed.journal.ask(Ask::Resolve { step, resolution });
            outcome = resumed.drive(Entry::Resume(crate::machine::Left::default())).outcome().await.unwrap();
        }
        assert!(matches!(outcome, Outcome::Completed(_)), "cut after {kept}: {outcome:?}");
        let expected = Some((output.clone(), reads.clone()));
        assert_eq!(end(&resumed, "calc"), expected, "cut after {kept}: {:?}", resumed.story());
        let again = usize::from(!had("step_started"));
        assert_eq!(sent.load(Ordering::SeqCst), again, "cut after {kept}: {:?}", resumed.story());
    }
}

#[tokio::test]
async fn a_run_begins_without_python_and_goes_on_with_it() {
    let steps = json!([
        {"name": "look", "tool": "echo", "condition": "env is defined"},
        {"name": "calc", "tool": "echo", "condition": "any(x > 1 for x in [1, 2])"},
        {"name": "last", "tool": "echo", "needs": [1]},
    ]);
    let stage = Stage::new(&steps).interpreter(workers(Limits::default()));
    let begun = stage.begun();
    let story: Vec<String> = begun.iter().map(|event| super::kit::short(&event.body)).collect();
    assert_eq!(story, ["skill_started", "step_started look"]);
    for event in begun.into_iter().skip(1) {
        stage.journal.start(event);
    }
    let outcome = stage.drive(Entry::Fresh).outcome().await.unwrap();
    assert!(matches!(outcome, Outcome::Completed(_)), "{outcome:?}");
    for step in ["look", "calc", "last"] {
        assert!(stage.story().contains(&format!("step_completed {step}")), "{:?}", stage.story());
    }
}

/// Takes its time for every expression, and says no.
struct Tardy(Arc<AtomicUsize>);

impl Interpreter for Tardy {
    fn evaluate(&self, _: &str, _: Map<String, Value>, _: i64) -> Result<Value, Failure> {
        self.0.fetch_add(1, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(20));
        Ok(Value::Bool(false))
    }
}

#[tokio::test]
async fn a_run_can_be_cancelled_between_many_expressions() {
    let step = |number: u32| json!({"name": format!("s{number}"), "tool": "echo", "condition": "any(x for x in [1])"});
    let evaluated = Arc::new(AtomicUsize::new(0));
    let stage = Stage::new(&(0..100).map(step).collect()).interpreter(Tardy(Arc::clone(&evaluated)));
    let running = stage.drive(Entry::Fresh);
    stage.until("step_skipped s0").await;
    stage.journal.ask(Ask::Cancel { reason: String::new() });
    assert_eq!(running.outcome().await.unwrap(), Outcome::Cancelled);
    assert!(evaluated.load(Ordering::SeqCst) < 100);
}

#[tokio::test]
async fn what_a_failed_block_has_printed_is_shown() {
    let code = "print('before')\nprint('it')\n1 / 0";
    let block = json!({"source": code, "code": code, "line": 1});
    let steps = json!([{"name": "calc", "action": {"compute": {"block": block}}}]);
    let stage = Stage::new(&steps).computer(workers(Limits::default()));
    let mut running = stage.drive(Entry::Fresh);
    stage.until("skill_failed calc").await;
    let story = running.told().into_iter().filter_map(|notice| match notice {
        Notice::Line { line, .. } => Some(line),
        Notice::Event(event) if event.body.step().is_some() => Some(super::kit::short(&event.body)),
        Notice::Event(_) => None,
    });
    let story: Vec<String> = story.collect();
    assert_eq!(story[..4], ["step_started calc", "before", "it", "step_failed calc"]);
}
