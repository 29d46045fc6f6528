//! Requests of people and other processes: cancel, answer, resolve; and parking.

use serde_json::{Value, json};

use super::kit::{Notes, Stage, eventually, step};
use crate::driver::{Entry, Park};
use crate::engine::Outcome;
use crate::event::Origin;
use crate::store::Ask;

fn confirm() -> Value {
    json!([{"name": "ask", "action": {"confirm": {"message": "?", "options": ["yes", "no"], "default": null, "timeout_ms": null}}}])
}

fn answer(text: &str) -> Ask {
    Ask::Answer { step: step("ask"), answer: text.to_owned(), question: None }
}

fn cancel() -> Ask {
    Ask::Cancel { reason: String::new() }
}

#[tokio::test]
async fn answers_of_other_processes_are_found() {
    let stage = Stage::new(&confirm());
    let running = stage.drive(Entry::Fresh);
    stage.until("confirm_requested ask").await;
    // The first one does not fit; it is taken off and ignored.
    stage.journal.ask(answer("maybe"));
    stage.journal.ask(answer("yes"));
    stage.journal.ask(answer("no"));
    assert!(matches!(running.outcome().await, Ok(Outcome::Completed(_))));
    assert_eq!(stage.journal.waiting(), 0);
    let events = stage.journal.events();
    let answered: Vec<_> = events.iter().filter(|event| short_is(event, "confirm_answered ask")).collect();
    assert_eq!(answered.len(), 1);
    assert_eq!(answered[0].source, Origin::Http);
}

fn short_is(event: &crate::event::Event, wanted: &str) -> bool {
    super::kit::short(&event.body) == wanted
}

#[tokio::test]
async fn a_nudge_needs_no_polling() {
    let stage = Stage::new(&confirm());
    let running = stage.drive(Entry::Fresh);
    stage.until("confirm_requested ask").await;
    stage.journal.ask(answer("yes"));
    stage.nudge.send_replace(());
    assert!(matches!(running.outcome().await, Ok(Outcome::Completed(_))));
}

#[tokio::test]
async fn a_run_that_waits_for_a_person_is_parked_when_it_may_be() {
    let stage = Stage::new(&confirm()).park(Park::Release);
    let outcome = stage.drive(Entry::Fresh).outcome().await.unwrap();
    assert_eq!(outcome, Outcome::Waiting(vec![step("ask")]));
    assert!(stage.journal.released());
    stage.journal.ask(answer("yes"));
    let outcome = stage.drive(Entry::Resume(crate::machine::Left::default())).outcome().await.unwrap();
    assert!(matches!(outcome, Outcome::Completed(_)));
}

#[tokio::test]
async fn a_pending_timer_keeps_a_run_from_being_parked() {
    let steps = json!([{"name": "ask", "action": {"confirm":
        {"message": "?", "options": ["yes", "no"], "default": "no", "timeout_ms": 60_000}}}]);
    let stage = Stage::new(&steps).park(Park::Release);
    let running = stage.drive(Entry::Fresh);
    stage.until("confirm_requested ask").await;
    stage.clock.advance(60_000);
    assert!(matches!(running.outcome().await, Ok(Outcome::Completed(_))));
}

#[tokio::test]
async fn cancel_asks_calls_to_stop() {
    let notes = Notes::default();
    let seen = notes.clone();
    let stage =
        Stage::new(&json!([{"name": "a", "tool": "polite"}, {"name": "b", "tool": "echo", "needs": [0]}]))
            .tool("polite", move |context, _| {
                let seen = seen.clone();
                async move {
                    context.cancel.cancelled().await;
                    seen.put("stopped");
                    Err(crate::tool::ToolError::new(aa_spec::tool::ErrorKind::Cancelled, "stopped"))
                }
            });
    let running = stage.drive(Entry::Fresh);
    stage.until("step_started a").await;
    stage.journal.ask(cancel());
    assert_eq!(running.outcome().await.unwrap(), Outcome::Cancelled);
    assert_eq!(notes.all(), ["stopped"]);
    assert_eq!(stage.story()[2..], ["cancel_requested", "step_failed a", "skill_cancelled"]);
}

#[tokio::test]
async fn a_second_cancel_kills() {
    let notes = Notes::default();
    let seen = notes.clone();
    let stage = Stage::new(&json!([{"name": "a", "tool": "deaf"}])).tool("deaf", move |context, _| {
        let seen = seen.clone();
        async move {
            context.cancel.cancelled().await;
            seen.put("heard");
            std::future::pending().await
        }
    });
    let running = stage.drive(Entry::Fresh);
    stage.until("step_started a").await;
    stage.journal.ask(cancel());
    eventually(|| notes.all() == ["heard"]).await;
    stage.journal.ask(cancel());
    assert_eq!(running.outcome().await.unwrap(), Outcome::Cancelled);
}

#[tokio::test]
async fn a_call_that_waits_for_its_turn_can_be_cancelled() {
    let stage = Stage::new(&json!([{"name": "a", "tool": "hang"}, {"name": "b", "tool": "hang"}]))
        .permits(1)
        .tool("hang", |context, _| async move {
            context.cancel.cancelled().await;
            Err(crate::tool::ToolError::new(aa_spec::tool::ErrorKind::Cancelled, "stopped"))
        });
    let running = stage.drive(Entry::Fresh);
    stage.until("step_started b").await;
    stage.journal.ask(cancel());
    assert_eq!(running.outcome().await.unwrap(), Outcome::Cancelled);
}

#[tokio::test]
async fn unknown_outcomes_are_resolved_through_the_inbox() {
    let stage = Stage::new(&json!([{"name": "a", "tool": "hang"}]))
        .tool("hang", |_, _| std::future::pending::<Result<Value, crate::tool::ToolError>>());
    let running = stage.drive(Entry::Fresh);
    stage.until("step_started a").await;
    running.abort();
    let resolution = crate::event::Resolution::Done { output: json!(1) };
    let running = stage.drive(Entry::Resume(crate::machine::Left::default()));
    stage.until("run_resumed").await;
    stage.journal.ask(Ask::Resolve { step: step("a"), resolution });
    assert!(matches!(running.outcome().await, Ok(Outcome::Completed(_))));
}
