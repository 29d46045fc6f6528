use aa_run::persona::Choice;
use rmcp::model::{
    CompletionContext, ContentBlock, ErrorCode, GetPromptRequestParams, JsonObject, PromptMessage, Role,
};
use rmcp::service::ServiceError;
use serde_json::{Value, json};

use crate::mcp::resource::tests::{Client, World};

fn object(value: Value) -> JsonObject {
    match value {
        Value::Object(entries) => entries,
        other => panic!("{other}"),
    }
}

async fn said(client: &Client, name: &str, arguments: Value) -> Result<Vec<PromptMessage>, rmcp::ErrorData> {
    let request = GetPromptRequestParams::new(name).with_arguments(object(arguments));
    match client.get_prompt(request).await {
        Ok(said) => Ok(said.messages),
        Err(ServiceError::McpError(error)) => Err(error),
        Err(error) => panic!("{error}"),
    }
}

fn text(messages: &[PromptMessage]) -> String {
    match &messages[0].content {
        ContentBlock::Text(text) => text.text.clone(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn every_skill_is_a_prompt_that_says_how_to_run_it() {
    let world = World::new();
    let client = world.client("work", Choice::All, true).await;
    let prompts = client.list_all_prompts().await.unwrap();
    let names: Vec<&str> = prompts.iter().map(|prompt| prompt.name.as_str()).collect();
    assert_eq!(&names[..3], ["debug_guide", "review_guide", "session_init"]);
    let say = prompts.iter().find(|prompt| prompt.name == "say").unwrap();
    let arguments = say.arguments.as_ref().unwrap();
    let told: Vec<_> = arguments.iter().map(|one| (one.name.as_str(), one.required)).collect();
    assert_eq!(told, [("what", Some(true)), ("loud", Some(false)), ("tone", Some(false))]);
    let words = text(&said(&client, "say", json!({"what": "it", "loud": "true"})).await.unwrap());
    let call = words.split("```json\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let call: Value = serde_json::from_str(call).unwrap();
    assert_eq!(call, json!({"skill_name": "say", "inputs": {"what": "it", "loud": true}}));
    let words = text(&said(&client, "say", json!({"what": ""})).await.unwrap());
    assert!(words.contains("First ask the person for what is missing: `what`"), "{words}");
    for (name, arguments) in
        [("say", json!({"wat": "x"})), ("nothing", json!({})), ("session_init", json!({"x": "y"}))]
    {
        assert_eq!(
            said(&client, name, arguments).await.unwrap_err().code,
            ErrorCode::INVALID_PARAMS,
            "{name}"
        );
    }
    let guide = text(&said(&client, "debug_guide", json!({"run": "7"})).await.unwrap());
    assert!(guide.contains("run_explain") && guide.ends_with("The run: 7"), "{guide}");
}

#[tokio::test]
async fn a_persona_offers_prompts_of_its_own() {
    let world = World::new();
    let client = world.client("work", Choice::Persona("team".to_owned()), false).await;
    let messages = said(&client, "hello", json!({"who": "you"})).await.unwrap();
    assert_eq!(text(&messages), "Hello you");
    assert_eq!(messages[1].role, Role::Assistant);
    assert!(matches!(&messages[1].content, ContentBlock::Image(image) if image.data == "iVD/"));
    let missing = said(&client, "hello", json!({})).await.unwrap_err();
    assert_eq!(missing.message, "the prompt `hello` needs `who`");
    assert!(said(&client, "hold", json!({})).await.is_err(), "the persona does not see that skill");
}

#[tokio::test]
async fn arguments_are_completed_by_what_fits_and_what_was_before() {
    let world = World::new();
    for what in ["first words", "other words", "first words"] {
        world.run("work", "say", json!({ "what": what })).await;
    }
    let client = world.client("work", Choice::All, true).await;
    let of = async |argument: &str, typed: &str| {
        client.complete_prompt_argument("say", argument, typed, None).await.unwrap().values
    };
    assert_eq!(of("tone", "co").await, ["cool", "cold"]);
    assert_eq!(of("loud", "").await, ["true", "false"]);
    assert_eq!(of("what", "").await, ["first words", "other words"]);
    assert_eq!(of("what", "OTH").await, ["other words"]);
    assert_eq!(of("nothing", "").await, Vec::<String>::new());
    let hole = async |template: &str, hole: &str, known: Option<CompletionContext>| {
        client.complete_resource_argument(template, hole, "", known).await.unwrap().values
    };
    assert_eq!(hole("aa://runs/{id}", "id", None).await, ["3", "2", "1"]);
    let known = CompletionContext::with_arguments([("id".to_owned(), "1".to_owned())].into());
    assert_eq!(hole("aa://runs/{id}/steps/{+path}", "path", Some(known)).await, ["said"]);
    assert!(hole("aa://skills/{name}", "name", None).await.contains(&"say".to_owned()));
    // What others have typed is theirs.
    let stranger = world.client("other", Choice::All, true).await;
    let values = stranger.complete_prompt_argument("say", "what", "", None).await.unwrap().values;
    assert_eq!(values, Vec::<String>::new());
}
