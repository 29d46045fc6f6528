//! What steps want of the client itself: its model, its folders, its log.

use rmcp::model::{CallToolResponse, ElicitResult, ElicitationAction};
use rmcp::service::ServiceError;
use serde_json::json;

use super::kit::{Era, Person, World, call, eventually, params, text};

/// Somebody who fills every form in with a name.
fn ann() -> Person {
    let filled = || ElicitResult::new(ElicitationAction::Accept).with_content(json!({"name": "Ann"}));
    Person::filling(move |_| Some(filled()))
}

#[tokio::test]
async fn a_client_is_asked_for_everything_it_has_in_both_eras() {
    for era in [Era::Session, Era::Newer] {
        let world = World::new();
        let person = ann().with_everything();
        let client = world.client(person.clone(), era).await;
        let result = call(&client, "all", json!({})).await;
        let expected = json!({"all": "so it is Ann file:///a"});
        assert_eq!(result.structured_content, Some(expected), "{era:?} {result:?}");
        let mut asked = person.asked.lock().unwrap().clone();
        asked.sort();
        assert_eq!(asked, ["Well?", "Who?"]);
    }
}

#[tokio::test]
async fn questions_that_come_together_are_asked_together() {
    let world = World::new();
    let client = world.client(ann().with_everything(), Era::Newer).await;
    let asked = client.call_tool_once(params("all", json!({}))).await.unwrap();
    let CallToolResponse::InputRequired(asked) = asked else { panic!("{asked:?}") };
    let requests = serde_json::to_value(asked.input_requests).unwrap();
    let methods = ["said", "roots", "who"].map(|key| requests[key]["method"].as_str().unwrap().to_owned());
    assert_eq!(methods, ["sampling/createMessage", "roots/list", "elicitation/create"]);
}

#[tokio::test]
async fn a_client_is_asked_only_for_what_it_can_give() {
    let world = World::new();
    let client = world.client(Person::absent().with_everything(), Era::Newer).await;
    let asked = client.call_tool_once(params("all", json!({}))).await.unwrap();
    let CallToolResponse::InputRequired(asked) = asked else { panic!("{asked:?}") };
    let mut keys: Vec<String> = asked.input_requests.unwrap().into_keys().collect();
    keys.sort();
    assert_eq!(keys, ["roots", "said"], "it shows no forms");
}

#[tokio::test]
async fn what_a_client_cannot_do_is_not_waited_for() {
    let world = World::new();
    let client = world.client(ann(), Era::Newer).await;
    let refused = client.call_tool(params("model", json!({}))).await.unwrap_err();
    let ServiceError::McpError(error) = refused else { panic!("{refused:?}") };
    assert_eq!(error.code.0, -32021);
    assert_eq!(error.data, Some(json!({"requiredCapabilities": {"sampling": {}}})));
    let client = world.client(ann(), Era::Session).await;
    let failed = call(&client, "model", json!({})).await;
    assert_eq!(failed.is_error, Some(true));
    assert!(text(&failed).contains("the client does not let its model be asked"), "{failed:?}");
}

#[tokio::test]
async fn nonsense_is_asked_again() {
    let world = World::new();
    let client = world.client(ann(), Era::Newer).await;
    let with = |response, state: Option<String>| {
        let mut params = params("form", json!({}));
        params.input_responses = Some([("who".to_owned(), response)].into());
        params.request_state = state;
        client.call_tool_once(params)
    };
    let mut state = None;
    for nonsense in
        [json!(5), json!({"action": "accept"}), json!({"action": "accept", "content": {"name": 5}})]
    {
        let asked = with(nonsense.clone(), state).await.unwrap();
        let CallToolResponse::InputRequired(asked) = asked else { panic!("{nonsense} {asked:?}") };
        state = asked.request_state;
    }
    let done = with(json!({"action": "accept", "content": {"name": "Ben"}}), state).await.unwrap();
    let CallToolResponse::Complete(done) = done else { panic!("{done:?}") };
    assert_eq!(done.structured_content, Some(json!({"name": "Ben"})));
}

#[tokio::test]
async fn nobody_fills_in_what_they_have_not_seen_where_nobody_can_be_asked() {
    let world = World::new();
    let client = world.client(Person::absent(), Era::Newer).await;
    let mut sneaky = params("skill_run", json!({"skill_name": "form", "wait_seconds": 0.5}));
    let filled = json!({"action": "accept", "content": {"name": "Ben"}});
    sneaky.input_responses = Some([("who".to_owned(), filled)].into());
    let CallToolResponse::Complete(open) = client.call_tool_once(sneaky).await.unwrap() else { panic!() };
    assert_eq!(open.structured_content.unwrap()["status"], "waiting");
    let run = world.as_client("local").run(aa_run::event::RunId(1)).unwrap();
    assert_eq!(run.status, aa_run::store::RunStatus::Waiting);
}

#[tokio::test]
async fn nobody_approves_of_what_they_have_not_seen() {
    let world = World::new();
    let client = world.client(ann(), Era::Newer).await;
    let mut sneaky = params("tidy", json!({}));
    let approved = json!({"action": "accept", "content": {"answer": "approve"}});
    sneaky.input_responses = Some([("approval".to_owned(), approved)].into());
    let asked = client.call_tool_once(sneaky).await.unwrap();
    assert!(matches!(asked, CallToolResponse::InputRequired(_)), "{asked:?}");
    assert_eq!(world.read("log"), "");
}

#[tokio::test]
#[expect(deprecated, reason = "the protocol will take it away one day")]
async fn a_client_hears_the_lines_that_it_wants() {
    let world = World::new();
    let person = Person::absent();
    let client = world.client(person.clone(), Era::Session).await;
    call(&client, "log", json!({})).await;
    assert!(person.logged.lock().unwrap().is_empty(), "it has not said that it wants any");
    let level = rmcp::model::SetLevelRequestParams::new(rmcp::model::LoggingLevel::Info);
    client.set_level(level).await.unwrap();
    call(&client, "log", json!({})).await;
    eventually("the line has come", || !person.logged.lock().unwrap().is_empty()).await;
    let line = json!({"level": "warning", "logger": "high", "data": "beware"});
    assert_eq!(*person.logged.lock().unwrap(), [line]);
}
