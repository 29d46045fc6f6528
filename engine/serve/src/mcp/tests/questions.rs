//! Questions of runs, before whoever can answer them.

use std::time::Duration;

use aa_run::event::{Body, RunId, StepPath};
use rmcp::model::{CallToolResponse, ElicitResult, ElicitationAction};
use rmcp::service::ServiceError;
use serde_json::{Value, json};

use super::kit::{Era, Person, World, accept, call, eventually, params, run_of, text};

fn answers(world: &World, run: i64) -> Vec<(String, String)> {
    let events = world.engine().events(RunId(run), 0).unwrap();
    let answered = |body: Body| match body {
        Body::ConfirmAnswered { answer, by, .. } => Some((answer, by)),
        _ => None,
    };
    events.into_iter().filter_map(|event| answered(event.body)).collect()
}

#[tokio::test]
async fn an_approval_reaches_the_person_before_the_client_in_both_eras() {
    for era in [Era::Session, Era::Newer] {
        let world = World::new();
        let person = Person::filling(|_| Some(accept("approve")));
        let client = world.client(person.clone(), era).await;
        let result = call(&client, "tidy", json!({})).await;
        assert_eq!(result.structured_content, Some(json!({"said": "tidied desk"})), "{era:?} {result:?}");
        assert_eq!(world.read("log"), "tidied desk\n");
        let asked = person.asked.lock().unwrap().clone();
        assert_eq!(asked, ["May `tidy` run?\n- act (write): tool note {\"text\":\"tidied desk\"}"]);
        let by = "local (mcp form)".to_owned();
        assert_eq!(answers(&world, run_of(&result)), [("approve".to_owned(), by)]);
    }
}

#[tokio::test]
async fn the_model_cannot_approve_its_own_run_unless_it_is_let() {
    let world = World::new().config("serve: {wait: 100ms}\n");
    let client = world.client(Person::absent(), Era::Session).await;
    let waiting = call(&client, "tidy", json!({})).await;
    let said = text(&waiting);
    assert!(said.contains("`aa run answer 1 approval ANSWER`") && !said.contains("run_answer,"), "{said}");
    let answer = || json!({"run_id": 1, "question": "approval", "answer": "approve"});
    let refused = call(&client, "run_answer", answer()).await;
    assert!(
        refused.is_error == Some(true) && text(&refused).contains("a person has to answer"),
        "{refused:?}"
    );
    assert_eq!(world.read("log"), "");

    let world = World::new().config("serve: {wait: 20s, self_approve: true}\n");
    let client = world.client(Person::absent(), Era::Session).await;
    let waiting = call(&client, "tidy", json!({})).await;
    assert!(text(&waiting).contains("run_answer"), "{waiting:?}");
    let asked = &waiting.structured_content.as_ref().unwrap()["questions"][0];
    assert_eq!(asked["question"], "approval", "{asked}");
    // A question that is not open is answered by nothing, whatever its step asks instead.
    for (other, says) in [("approval#2", "now it is `approval`"), ("act", "these are: `approval`")] {
        let args = json!({"run_id": 1, "question": other, "answer": "approve"});
        let refused = call(&client, "run_answer", args).await;
        assert!(refused.is_error == Some(true) && text(&refused).contains(says), "{refused:?}");
    }
    assert_eq!(call(&client, "run_answer", answer()).await.is_error, Some(false));
    let status = call(&client, "run_status", json!({"run_id": 1, "wait_seconds": 20})).await;
    assert_eq!(status.structured_content.unwrap()["status"], "completed");
    assert_eq!(answers(&world, 1), [("approve".to_owned(), "local (mcp run_answer)".to_owned())]);
    let late = call(&client, "run_answer", answer()).await;
    assert!(late.is_error == Some(true) && text(&late).contains("nothing is asked"), "{late:?}");
}

#[tokio::test]
async fn who_declines_leaves_the_question_open() {
    for era in [Era::Session, Era::Newer] {
        let world = World::new();
        let person = Person::filling(|_| Some(ElicitResult::new(ElicitationAction::Decline)));
        let client = world.client(person, era).await;
        let waiting = call(&client, "ask", json!({})).await;
        assert_eq!(waiting.is_error, Some(false), "{era:?} {waiting:?}");
        assert!(text(&waiting).contains("waiting for a person at `sure`: really?"), "{waiting:?}");
        let engine = world.engine();
        engine.answer(RunId(1), &StepPath("sure".to_owned()), "no", "ann").await.unwrap();
        let status = call(&client, "run_status", json!({"run_id": 1, "wait_seconds": 20})).await;
        assert_eq!(status.structured_content.unwrap()["outputs"], json!({"sure": "no"}), "{era:?}");
    }
}

#[tokio::test]
async fn whoever_answers_first_wins_and_the_form_is_taken_back() {
    let world = World::new();
    let person = Person::filling(|_| None);
    let client = world.client(person.clone(), Era::Session).await;
    let answering = async {
        eventually("it is asked", || !person.asked.lock().unwrap().is_empty()).await;
        world.engine().answer(RunId(1), &StepPath("sure".to_owned()), "yes", "ann").await.unwrap();
    };
    let (result, ()) = tokio::join!(call(&client, "ask", json!({})), answering);
    assert_eq!(result.structured_content, Some(json!({"sure": "yes"})));
    eventually("it is taken back", || *person.taken_back.lock().unwrap() == 1).await;
    assert_eq!(answers(&world, 1), [("yes".to_owned(), "ann".to_owned())]);
}

#[tokio::test]
async fn a_form_counts_also_when_the_call_was_answered_before() {
    let world = World::new();
    let person = Person::filling(|_| Some(accept("yes"))).after(Duration::from_millis(800));
    let client = world.client(person.clone(), Era::Session).await;
    let waiting = call(&client, "skill_run", json!({"skill_name": "ask", "wait_seconds": 0.2})).await;
    assert!(text(&waiting).contains("waiting for a person"), "{waiting:?}");
    eventually("the form is answered", || !answers(&world, 1).is_empty()).await;
    assert_eq!(answers(&world, 1), [("yes".to_owned(), "local (mcp form)".to_owned())]);
    let status = call(&client, "run_status", json!({"run_id": 1, "wait_seconds": 20})).await;
    assert_eq!(status.structured_content.unwrap()["outputs"], json!({"sure": "yes"}));
    assert_eq!(*person.taken_back.lock().unwrap(), 0);
}

#[tokio::test]
async fn a_form_that_outlives_its_call_is_taken_back_with_its_question() {
    let world = World::new();
    let person = Person::filling(|_| None);
    let client = world.client(person.clone(), Era::Session).await;
    call(&client, "skill_run", json!({"skill_name": "ask", "wait_seconds": 0.2})).await;
    eventually("it is asked", || !person.asked.lock().unwrap().is_empty()).await;
    world.engine().answer(RunId(1), &StepPath("sure".to_owned()), "no", "ann").await.unwrap();
    eventually("it is taken back", || *person.taken_back.lock().unwrap() == 1).await;
}

#[tokio::test]
async fn what_a_client_carries_is_believed_once_for_this_call_and_this_caller() {
    let world = World::new();
    let client = world.client(Person::filling(|_| None), Era::Newer).await;
    let asked = client.call_tool_once(params("ask", json!({}))).await.unwrap();
    let CallToolResponse::InputRequired(asked) = asked else { panic!("{asked:?}") };
    let requests = asked.input_requests.unwrap();
    assert_eq!(requests.keys().collect::<Vec<_>>(), ["sure"]);
    let state = asked.request_state.unwrap();
    let again = |tool: &'static str, args: Value, state: &str, answer: &str| {
        let mut again = params(tool, args);
        again.request_state = Some(state.to_owned());
        again.input_responses = Some([("sure".to_owned(), json!(accept(answer)))].into());
        client.call_tool_once(again)
    };
    let refused = |result: Result<CallToolResponse, ServiceError>| match result {
        Err(ServiceError::McpError(error)) => error.code.0,
        other => panic!("{other:?}"),
    };
    let mut tampered = state.clone().into_bytes();
    let middle = tampered.len() / 2;
    tampered[middle] = if tampered[middle] == b'A' { b'B' } else { b'A' };
    let tampered = String::from_utf8(tampered).unwrap();
    assert_eq!(refused(again("ask", json!({}), &tampered, "yes").await), -32602);
    assert_eq!(refused(again("ask", json!({"x": 1}), &state, "yes").await), -32602);
    assert_eq!(refused(again("brief", json!({}), &state, "yes").await), -32602);
    assert_eq!(answers(&world, 1), []);

    let done = again("ask", json!({}), &state, "yes").await.unwrap();
    let CallToolResponse::Complete(done) = done else { panic!("{done:?}") };
    assert_eq!(done.structured_content, Some(json!({"sure": "yes"})));
    // It counts once; whoever repeats it is told of the same run.
    let repeated = again("ask", json!({}), &state, "no").await.unwrap();
    let CallToolResponse::Complete(repeated) = repeated else { panic!("{repeated:?}") };
    assert_eq!(repeated.structured_content, Some(json!({"sure": "yes"})));
    assert!(text(&repeated).contains("was not taken"), "{repeated:?}");
    assert_eq!(answers(&world, 1).len(), 1);
    assert!(world.engine().run(RunId(2)).is_err(), "no other run was started");
    let events = world.engine().events(RunId(1), 0).unwrap();
    let first = |body: &Body| matches!(body, Body::StepStarted { step, .. } if step.0 == "first");
    assert_eq!(events.iter().filter(|event| first(&event.body)).count(), 1, "nothing is repeated");
}

#[tokio::test]
async fn an_answer_that_comes_too_late_is_told_so() {
    let world = World::new();
    let client = world.client(Person::filling(|_| None), Era::Newer).await;
    let asked = client.call_tool_once(params("ask", json!({}))).await.unwrap();
    let CallToolResponse::InputRequired(asked) = asked else { panic!("{asked:?}") };
    world.engine().answer(RunId(1), &StepPath("sure".to_owned()), "no", "ann").await.unwrap();
    let mut again = params("ask", json!({}));
    again.request_state = asked.request_state;
    again.input_responses = Some([("sure".to_owned(), json!(accept("yes")))].into());
    let CallToolResponse::Complete(done) = client.call_tool_once(again).await.unwrap() else {
        panic!("no answer")
    };
    assert_eq!(done.structured_content, Some(json!({"sure": "no"})));
    assert!(text(&done).contains("came too late: it was answered with `no` by ann"), "{done:?}");
}

#[tokio::test]
async fn a_form_is_shown_with_its_fields_and_its_values_are_the_steps_output() {
    for era in [Era::Session, Era::Newer] {
        let world = World::new();
        let filled = || ElicitResult::new(ElicitationAction::Accept).with_content(json!({"region": "us"}));
        let client = world.client(Person::filling(move |_| Some(filled())), era).await;
        let result = call(&client, "where", json!({})).await;
        let to = json!({"to": {"region": "us", "replicas": 2}});
        assert_eq!(result.structured_content, Some(to), "{era:?} {result:?}");
        // Whoever errs is told why, and asked again.
        let filled = |message: &str| {
            let region = if message.starts_with("that does not fill in the form of `to`: `region` ") {
                "eu"
            } else {
                "asia"
            };
            Some(ElicitResult::new(ElicitationAction::Accept).with_content(json!({ "region": region })))
        };
        let client = world.client(Person::filling(filled), era).await;
        let result = call(&client, "where", json!({})).await;
        let to = json!({"to": {"region": "eu", "replicas": 2}});
        assert_eq!(result.structured_content, Some(to), "{era:?} {result:?}");
        // Whoever does so time and again is left alone, and the question stays open.
        let wrong = || ElicitResult::new(ElicitationAction::Accept).with_content(json!({"region": "asia"}));
        let client = world.client(Person::filling(move |_| Some(wrong())), era).await;
        let waiting = call(&client, "where", json!({})).await;
        assert!(text(&waiting).contains("does not fill in the form of `to`"), "{era:?} {waiting:?}");
        assert_eq!(waiting.structured_content.unwrap()["questions"][0]["step"], "to");
    }
}
