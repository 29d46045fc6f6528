//! Calls that ask a person while they run.

use std::time::Duration;

use serde_json::{Value, json};

use super::kit::{Notes, Stage, step};
use crate::driver::{Entry, Park};
use crate::engine::Outcome;
use crate::event::Body;
use crate::store::Ask;
use crate::tool::{Question, ToolError};

fn one() -> Value {
    json!([{"name": "a", "tool": "ask"}])
}

/// A run whose tool asks, and notes what it is told.
fn asking(steps: &Value, notes: &Notes) -> Stage {
    let notes = notes.clone();
    Stage::new(steps).tool("ask", move |context, _| {
        let notes = notes.clone();
        async move {
            let options = vec!["yes".to_owned(), "no".to_owned()];
            let question = Question::choice("`shop` asks: sure?", options);
            let answer = context.person.ask(question).await?;
            notes.put(answer.clone());
            Ok::<_, ToolError>(json!(answer))
        }
    })
}

fn answer(at: &str, text: &str) -> Ask {
    Ask::Answer { step: step(at), answer: text.to_owned(), question: None }
}

#[tokio::test]
async fn the_question_of_a_call_is_an_event_and_so_is_its_answer() {
    let notes = Notes::default();
    let stage = asking(&one(), &notes);
    let running = stage.drive(Entry::Fresh);
    stage.until("confirm_requested a").await;
    stage.journal.ask(answer("a", "maybe"));
    stage.journal.ask(answer("a", "yes"));
    assert!(matches!(running.outcome().await, Ok(Outcome::Completed(_))));
    assert_eq!(notes.all(), ["yes"]);
    let story = [
        "skill_started",
        "step_started a",
        "confirm_requested a",
        "confirm_answered a",
        "step_completed a",
        "skill_completed",
    ];
    assert_eq!(stage.story(), story);
    let events = stage.journal.events();
    assert!(
        matches!(&events[2].body, Body::ConfirmRequested { message, .. } if message == "`shop` asks: sure?")
    );
}

#[tokio::test]
async fn a_call_may_ask_again_and_items_ask_for_themselves() {
    let steps = json!([{"name": "a", "tool": "twice", "foreach": {"items": [1, 2], "concurrency": 2}}]);
    let stage = Stage::new(&steps).tool("twice", |context, _| async move {
        let ask = |message: &str| {
            context.person.ask(Question::choice(message, vec!["on".to_owned(), "off".to_owned()]))
        };
        let first = ask("first?").await?;
        Ok(json!([first, ask("second?").await?]))
    });
    let running = stage.drive(Entry::Fresh);
    for item in ["a[0]", "a[1]"] {
        stage.until(&format!("confirm_requested {item}")).await;
        stage.journal.ask(answer(item, "on"));
        super::kit::eventually(|| {
            stage.story().iter().filter(|line| **line == format!("confirm_requested {item}")).count() == 2
        })
        .await;
        stage.journal.ask(answer(item, "off"));
    }
    assert!(matches!(running.outcome().await, Ok(Outcome::Completed(_))));
}

#[tokio::test]
async fn a_question_ends_with_its_call() {
    let notes = Notes::default();
    let stage = asking(&json!([{"name": "a", "tool": "ask", "timeout_ms": 60_000}]), &notes);
    let running = stage.drive(Entry::Fresh);
    stage.until("confirm_requested a").await;
    let asked = stage.journal.events().remove(2);
    assert!(
        matches!(asked.body, Body::ConfirmRequested { until: Some(_), .. }),
        "the step's deadline is told"
    );
    stage.journal.ask(Ask::Cancel { reason: String::new() });
    // A tool that waits for an answer is told to stop like any other, and this one does not listen.
    tokio::time::sleep(Duration::from_millis(300)).await;
    stage.journal.ask(Ask::Cancel { reason: String::new() });
    assert!(matches!(running.outcome().await, Ok(Outcome::Cancelled)));
    assert_eq!(notes.all(), [] as [String; 0]);
}

#[tokio::test]
async fn an_interrupted_call_that_had_asked_has_no_open_question_any_more() {
    let notes = Notes::default();
    let stage = asking(&json!([{"name": "a", "tool": "ask", "effect": "read", "idempotent": true}]), &notes);
    let running = stage.drive(Entry::Fresh);
    stage.until("confirm_requested a").await;
    running.abort();
    let running = stage.drive(Entry::Resume(crate::machine::Left::default()));
    // It is called again, and asks again.
    super::kit::eventually(|| {
        stage.story().iter().filter(|line| *line == "confirm_requested a").count() == 2
    })
    .await;
    stage.journal.ask(answer("a", "no"));
    assert!(matches!(running.outcome().await, Ok(Outcome::Completed(_))));
    assert_eq!(notes.all(), ["no"]);
}

#[tokio::test]
async fn where_nobody_stays_a_question_has_a_limit_or_is_not_asked() {
    let stage = asking(&one(), &Notes::default()).park(Park::Release);
    let Ok(Outcome::Failed { error, .. }) = stage.drive(Entry::Fresh).outcome().await else {
        panic!("it ended")
    };
    assert_eq!(
        error.message,
        "`shop` asks: sure?; it cannot be asked: nobody is at a terminal; give the step a `timeout`, \
         and `aa run answer` can answer for that long"
    );
    let limited = json!([{"name": "a", "tool": "ask", "timeout_ms": 60_000}]);
    let stage = asking(&limited, &Notes::default()).park(Park::Release);
    let running = stage.drive(Entry::Fresh);
    stage.until("confirm_requested a").await;
    stage.journal.ask(answer("a", "yes"));
    assert!(matches!(running.outcome().await, Ok(Outcome::Completed(_))));
}

#[tokio::test]
async fn a_question_that_was_taken_back_makes_room_for_another() {
    let notes = Notes::default();
    let kept = notes.clone();
    let stage = Stage::new(&one()).tool("ask", move |context, _| {
        let notes = kept.clone();
        async move {
            let options = vec!["yes".to_owned(), "no".to_owned()];
            let first = Question::choice("first?", options.clone());
            let asking = context.person.ask(first);
            assert!(tokio::time::timeout(Duration::from_millis(300), asking).await.is_err());
            let answer = context.person.ask(Question::choice("second?", options)).await?;
            notes.put(answer.clone());
            Ok::<_, ToolError>(json!(answer))
        }
    });
    let running = stage.drive(Entry::Fresh);
    let second = || {
        let events = stage.journal.events();
        let asked =
            |body: &Body| matches!(body, Body::ConfirmRequested { message, .. } if message == "second?");
        events.iter().any(|event| asked(&event.body))
    };
    while !second() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    stage.journal.ask(answer("a", "yes"));
    assert!(matches!(running.outcome().await, Ok(Outcome::Completed(_))));
    assert_eq!(notes.all(), ["yes"]);
}
