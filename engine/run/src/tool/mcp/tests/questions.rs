//! Servers that ask a person.

use std::sync::Arc;
use std::time::Duration;

use aa_spec::tool::ErrorKind;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::kit::*;

#[tokio::test]
async fn a_question_names_the_module_and_the_answer_gets_back() {
    for era in ["older", "newer"] {
        let toolbox = World::new().server("s", &["--era", era], "  timeout: 2s\n").toolbox();
        // A person may take longer than the server.
        let person =
            Arc::new(Answerer { answer: "yes", after: Duration::from_secs(3), ..Answerer::default() });
        let answer = calling(&toolbox, "s_ask", json!({})).asking(person.clone()).make().await.unwrap();
        let answer: Value = serde_json::from_str(answer.as_str().unwrap()).unwrap();
        assert_eq!(answer, json!({"action": "accept", "content": {"sure": true}}), "{era}");
        let asked = person.asked.lock().unwrap();
        assert_eq!(asked[0].message, "`s` asks: Drop the table? (sure)");
        assert_eq!(asked[0].options, ["yes", "no", "decline"]);
    }
}

#[tokio::test]
async fn a_person_may_decline() {
    let toolbox = World::new().server("s", &[], "").toolbox();
    let person = Arc::new(Answerer { answer: "decline", ..Answerer::default() });
    let answer = calling(&toolbox, "s_ask", json!({})).asking(person).make().await.unwrap();
    assert!(answer.as_str().unwrap().contains("decline"), "{answer}");
}

#[tokio::test]
async fn where_nobody_watches_a_question_is_an_error_at_once() {
    for era in ["older", "newer"] {
        let toolbox = World::new().server("s", &["--era", era], "").toolbox();
        let began = Instant::now();
        let error = call(&toolbox, "s_ask", json!({})).await.unwrap_err();
        assert_eq!(error.message, "nobody is there to answer: `s` asks: Drop the table? (sure)", "{era}");
        assert!(began.elapsed() < Duration::from_secs(10));
        assert_eq!(call(&toolbox, "s_ok", json!({})).await.unwrap(), "ok");
    }
}

#[tokio::test]
async fn a_question_that_nobody_answers_ends_with_the_deadline() {
    for era in ["older", "newer"] {
        let toolbox = World::new().server("s", &["--era", era], "").toolbox();
        assert_eq!(call(&toolbox, "s_ok", json!({})).await.unwrap(), "ok");
        let person = Arc::new(Answerer { answer: "yes", after: PATIENCE, ..Answerer::default() });
        let asking = calling(&toolbox, "s_ask", json!({})).asking(person).within(Duration::from_secs(2));
        let error = asking.make().await.unwrap_err();
        assert_eq!(
            (error.kind, error.message.as_str()),
            (ErrorKind::Timeout, "nobody answered in time what `s` asks")
        );
    }
}

#[tokio::test]
async fn a_server_that_asks_again_and_again_is_refused() {
    let toolbox = World::new().server("s", &[], "").toolbox();
    let person = Arc::new(Answerer { answer: "no", ..Answerer::default() });
    let error = calling(&toolbox, "s_nag", json!({})).asking(person.clone()).make().await.unwrap_err();
    assert_eq!(error.message, "the server of `s` asks for more again and again");
    assert_eq!(person.asked.lock().unwrap().len(), 10);
}

#[tokio::test]
async fn secrets_are_not_asked_for() {
    for era in ["older", "newer"] {
        let toolbox = World::new().server("s", &["--era", era], "").toolbox();
        let person = Arc::new(Answerer { answer: "hunter2", ..Answerer::default() });
        let error =
            calling(&toolbox, "s_ask_text", json!({})).asking(person.clone()).make().await.unwrap_err();
        assert!(error.message.contains("it wants `password`, which looks like a secret"), "{error}");
        assert!(person.asked.lock().unwrap().is_empty(), "{era}");
    }
}

#[tokio::test]
async fn a_question_is_declined_when_several_calls_could_be_meant() {
    let toolbox = World::new().server("s", &[], "").toolbox();
    let person = Arc::new(Answerer { answer: "yes", ..Answerer::default() });
    let slow = calling(&toolbox, "s_slow", json!({"seconds": 2}));
    let lines = slow.lines.clone();
    let ask = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        calling(&toolbox, "s_ask", json!({})).asking(person.clone()).make().await
    };
    let (slow, answer) = tokio::join!(slow.make(), ask);
    assert_eq!(slow.unwrap(), "slept");
    assert!(answer.unwrap().as_str().unwrap().contains("decline"));
    assert!(person.asked.lock().unwrap().is_empty());
    assert!(lines.lock().unwrap()[0].contains("it cannot be told which call it means"), "{lines:?}");
}

#[tokio::test]
async fn a_call_that_waits_for_its_answer_keeps_no_other_from_being_asked() {
    let toolbox = World::new().server("s", &[], "").toolbox();
    let away = Arc::new(Answerer { answer: "no", after: Duration::from_secs(3), ..Answerer::default() });
    let here = Arc::new(Answerer { answer: "yes", ..Answerer::default() });
    let left = calling(&toolbox, "s_ask", json!({})).asking(away.clone());
    let ask = async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        calling(&toolbox, "s_ask", json!({})).asking(here.clone()).make().await
    };
    let (left, answer) = tokio::join!(left.make(), ask);
    assert!(answer.unwrap().as_str().unwrap().contains("true"));
    assert!(left.unwrap().as_str().unwrap().contains("false"));
    assert_eq!((away.asked.lock().unwrap().len(), here.asked.lock().unwrap().len()), (1, 1));
}

#[tokio::test]
async fn a_task_is_awaited_and_may_ask() {
    let toolbox = World::new().server("s", &["--era", "newer"], "").toolbox();
    let calm = calling(&toolbox, "s_task", json!({"asks": false}));
    let lines = calm.lines.clone();
    assert_eq!(calm.make().await.unwrap(), "task done null");
    assert_eq!(*lines.lock().unwrap(), ["look 1", "look 2", "look 3"]);
    let person = Arc::new(Answerer { answer: "no", ..Answerer::default() });
    let asking = calling(&toolbox, "s_task", json!({"asks": true})).asking(person);
    let done = asking.make().await.unwrap();
    assert!(done.as_str().unwrap().contains("\"sure\": false"), "{done}");
    let error =
        calling(&toolbox, "s_task", json!({"asks": false})).within(Duration::from_millis(120)).make().await;
    assert_eq!(error.unwrap_err().kind, ErrorKind::Timeout);
}
