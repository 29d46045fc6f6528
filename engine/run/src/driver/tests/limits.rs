//! Time, numbers, lines and secrets: what keeps calls in their bounds.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aa_spec::tool::ErrorKind;
use serde_json::{Value, json};

use super::kit::{Notes, Stage, eventually};
use crate::driver::Entry;
use crate::driver::calls::LEEWAY;
use crate::engine::{Notice, Outcome};
use crate::event::{Body, StepError};
use crate::tool::ToolError;

fn failure(outcome: Outcome) -> StepError {
    match outcome {
        Outcome::Failed { error, .. } => error,
        other => panic!("the run has not failed but {other:?}"),
    }
}

#[tokio::test]
async fn a_call_whose_time_is_over_is_stopped() {
    for own in [true, false] {
        let mut step = json!({"name": "a", "tool": "slow"});
        if own {
            step["timeout_ms"] = json!(2000);
        }
        let stage = Stage::new(&json!([step])).tool("slow", |context, _| async move {
            context.cancel.cancelled().await;
            Err(ToolError::new(ErrorKind::Cancelled, "stopped"))
        });
        let stage = if own { stage } else { stage.call_timeout(2000) };
        let running = stage.drive(Entry::Fresh);
        stage.until("step_started a").await;
        stage.clock.advance(2000 + LEEWAY.num_milliseconds());
        let error = failure(running.outcome().await.unwrap());
        assert_eq!(
            (error.kind, error.message.as_str()),
            (ErrorKind::Timeout, "it did not end in time and was stopped")
        );
    }
}

#[tokio::test]
async fn a_tool_that_keeps_its_time_has_the_first_word() {
    let step = json!([{"name": "a", "tool": "slow", "timeout_ms": 2000}]);
    let stage = Stage::new(&step).tool("slow", |context, _| async move {
        tokio::select! {
            biased;
            () = context.cancel.cancelled() => Err(ToolError::new(ErrorKind::Cancelled, "stopped")),
            () = tokio::time::sleep(std::time::Duration::from_millis(300)) => {
                Err(ToolError::new(ErrorKind::Timeout, "the page was late"))
            }
        }
    });
    let running = stage.drive(Entry::Fresh);
    stage.until("step_started a").await;
    stage.clock.advance(2000);
    let error = failure(running.outcome().await.unwrap());
    assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Timeout, "the page was late"));
}

#[tokio::test]
async fn a_call_without_a_free_place_times_out() {
    let steps = json!([{"name": "a", "tool": "hang"}, {"name": "b", "tool": "hang", "timeout_ms": 1000}]);
    let stage = Stage::new(&steps).permits(1).tool("hang", |context, _| async move {
        context.cancel.cancelled().await;
        Ok(Value::Null)
    });
    let running = stage.drive(Entry::Fresh);
    stage.until("step_started b").await;
    stage.clock.advance(1000);
    stage.until("step_failed b").await;
    stage.journal.ask(crate::store::Ask::Cancel { reason: String::new() });
    let error = failure(running.outcome().await.unwrap());
    assert_eq!(error.message, "the time was over before the call could be made");
}

#[tokio::test]
async fn no_more_calls_run_at_once_than_permitted() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let seen = Arc::clone(&most);
    let steps: Vec<Value> = (0..8).map(|n| json!({"name": format!("s{n}"), "tool": "count"})).collect();
    let stage = Stage::new(&json!(steps)).permits(3).tool("count", move |_, _| {
        let (now, most) = (Arc::clone(&now), Arc::clone(&most));
        async move {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
            now.fetch_sub(1, Ordering::SeqCst);
            Ok(Value::Null)
        }
    });
    stage.drive(Entry::Fresh).outcome().await.unwrap();
    assert_eq!(seen.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn watchers_see_every_line_and_the_journal_few() {
    let stage = Stage::new(&json!([{"name": "a", "tool": "talk"}]));
    let clock = stage.clock.clone();
    let heard = Notes::default();
    let waits = heard.clone();
    let stage = stage.tool("talk", move |context, _| {
        let (clock, waits) = (clock.clone(), waits.clone());
        async move {
            for n in 0..30 {
                (context.progress)(&format!("line {n}"));
                // The loop has taken the line before the clock moves on.
                eventually(|| waits.all().len() == n + 1).await;
                clock.advance(100);
            }
            Ok(Value::Null)
        }
    });
    let mut running = stage.drive(Entry::Fresh);
    let mut told = Vec::new();
    while let Some(notice) = running.notices.recv().await {
        if let Notice::Line { line, .. } = &notice {
            heard.put(line.clone());
        }
        told.push(notice);
    }
    let lines: Vec<String> = (0..30).map(|n| format!("line {n}")).collect();
    assert_eq!(heard.all(), lines);
    let kept: Vec<String> = stage
        .journal
        .events()
        .iter()
        .filter_map(|event| match &event.body {
            Body::StepProgress { message, .. } => Some(message.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(kept, ["line 10", "line 20"]);
    // The last line comes before the end.
    let last = told.iter().rposition(|notice| matches!(notice, Notice::Line { .. })).unwrap();
    let end = told.iter().position(
        |notice| matches!(notice, Notice::Event(event) if matches!(event.body, Body::StepCompleted { .. })),
    );
    assert!(last < end.unwrap());
}

#[tokio::test]
async fn a_flood_of_lines_holds_nothing_up() {
    let steps = json!([{"name": "a", "tool": "flood"}, {"name": "b", "tool": "echo"}]);
    let stage = Stage::new(&steps).tool("flood", |context, _| async move {
        while !context.cancel.is_cancelled() {
            for n in 0..1000 {
                (context.progress)(&format!("line {n}"));
            }
            tokio::task::yield_now().await;
        }
        Err(ToolError::new(ErrorKind::Cancelled, "stopped"))
    });
    let mut running = stage.drive(Entry::Fresh);
    stage.until("step_completed b").await;
    // However fast the loop is, the flood is faster at some time.
    let mut said = false;
    while !said {
        let notice = running.notices.recv().await.expect("the flood goes on");
        said = matches!(notice, Notice::Line { line, .. } if line.contains("lines not shown]"));
    }
    stage.journal.ask(crate::store::Ask::Cancel { reason: String::new() });
    stage.until("skill_cancelled").await;
    assert_eq!(running.outcome().await.unwrap(), Outcome::Cancelled);
}

#[tokio::test]
async fn secrets_reach_the_tool_and_nobody_else() {
    let notes = Notes::default();
    let seen = notes.clone();
    let steps = json!([
        {"name": "login", "tool": "leak", "args": {"token": "Bearer {{ secrets.TOKEN }}"}, "on_error": "continue"},
        {"name": "again", "tool": "leak", "args": {"token": "{{ login.token }}"}, "needs": [0]},
        {"name": "gone", "tool": "leak", "args": {"token": "{{ secrets.NONE }}"}, "needs": [1]},
    ]);
    let stage = Stage::new(&steps).secret("TOKEN", "hunter22").tool("leak", move |context, args| {
        let seen = seen.clone();
        async move {
            seen.put(args["token"].as_str().unwrap());
            (context.progress)("using hunter22");
            Ok(Value::Object(args))
        }
    });
    let mut running = stage.drive(Entry::Fresh);
    stage.until("skill_failed gone").await;
    assert_eq!(notes.all(), ["Bearer hunter22", "Bearer ‹secret:TOKEN›"]);
    let told = format!("{:?}", running.told());
    assert!(told.contains("using ‹secret:TOKEN›"), "{told}");
    let written = serde_json::to_string(&stage.journal.events()).unwrap();
    assert!(!told.contains("hunter22") && !written.contains("hunter22"));
    let error = failure(running.outcome().await.unwrap());
    assert_eq!(error.message, "secret `NONE` cannot be used: it is not configured");
}
