//! Runs as tasks.

use std::time::Duration;

use aa_run::engine::{Direct, Outcome};
use aa_run::event::RunId;
use aa_run::store::RunStatus;
use rmcp::model::{
    CallToolResponse, CancelTaskParams, GetTaskParams, TaskPayload, TaskStatus, UpdateTaskParams,
};
use rmcp::service::{RunningService, ServiceError};
use rmcp::{RoleClient, model::DetailedTask};
use serde_json::{Map, json};

use super::kit::{Era, PATIENCE, Person, World, accept, call, eventually, params};
use crate::mcp::follow::{Shape, answer};
use crate::mcp::result::Whole;
use crate::mcp::task;

type Client = RunningService<RoleClient, Person>;

async fn begin(client: &Client, skill: &'static str) -> String {
    match client.call_tool_once(params(skill, json!({}))).await.unwrap() {
        CallToolResponse::Task(created) => created.task.task_id,
        other => panic!("{other:?}"),
    }
}

async fn until(client: &Client, id: &str, status: TaskStatus) -> DetailedTask {
    let work = async {
        loop {
            let task = client.get_task(GetTaskParams::new(id)).await.unwrap().task;
            if task.status() == status {
                return task;
            }
            assert!(!task.status().is_terminal(), "{task:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, work).await.unwrap()
}

#[tokio::test]
async fn a_call_that_takes_long_becomes_a_task_with_the_runs_number() {
    let world = World::new().config("serve: {task_after: 300ms}\n");
    let client = world.client(Person::absent().with_tasks(), Era::Newer).await;
    let id = begin(&client, "three").await;
    assert_eq!(id, "1");
    let task = client.get_task(GetTaskParams::new(&*id)).await.unwrap().task;
    assert_eq!(task.status(), TaskStatus::Working);
    assert!(matches!(task.task.status_message.as_deref(), Some("a" | "b")), "{task:?}");
    assert!(task.task.ttl_ms.is_some() && task.task.poll_interval_ms.is_some());
    let TaskPayload::Completed { result } = until(&client, &id, TaskStatus::Completed).await.payload else {
        panic!("no result")
    };
    assert_eq!((&result["structuredContent"], &result["_meta"]["aa/run"]), (&json!({"seen": ""}), &json!(1)));
}

#[tokio::test]
async fn what_is_quick_is_answered_at_once_and_a_failure_is_a_result() {
    let world = World::new().config("serve: {task_after: 20s}\n");
    let client = world.client(Person::absent().with_tasks(), Era::Newer).await;
    assert_eq!(call(&client, "look", json!({})).await.is_error, Some(false));
    assert_eq!(call(&client, "broken", json!({})).await.is_error, Some(true));
}

#[tokio::test]
async fn a_task_asks_and_is_answered_and_cancelled() {
    let world = World::new();
    let client = world.client(Person::filling(|_| None).with_tasks(), Era::Newer).await;
    let id = begin(&client, "asked").await;
    let task = until(&client, &id, TaskStatus::InputRequired).await;
    let TaskPayload::InputRequired { input_requests } = task.payload else { panic!("no question") };
    assert_eq!(input_requests.keys().collect::<Vec<_>>(), ["sure"]);
    let answer = |key: &str| [(key.to_owned(), json!(accept("yes")))].into();
    client.update_task(UpdateTaskParams::new(&*id, answer("unsure"))).await.unwrap();
    until(&client, &id, TaskStatus::InputRequired).await;
    client.update_task(UpdateTaskParams::new(&*id, answer("sure"))).await.unwrap();
    let TaskPayload::Completed { result } = until(&client, &id, TaskStatus::Completed).await.payload else {
        panic!("no result")
    };
    assert_eq!(result["structuredContent"], json!({"sure": "yes"}));
    client.cancel_task(CancelTaskParams::new(&*id)).await.unwrap();
    assert_eq!(client.get_task(GetTaskParams::new(&*id)).await.unwrap().task.status(), TaskStatus::Completed);

    let id = begin(&client, "written").await;
    until(&client, &id, TaskStatus::InputRequired).await;
    client.cancel_task(CancelTaskParams::new(&*id)).await.unwrap();
    until(&client, &id, TaskStatus::Cancelled).await;
    assert_eq!(world.read("log"), "");
}

#[tokio::test]
async fn what_a_skill_says_of_tasks_is_kept() {
    let world = World::new();
    let with = world.client(Person::absent().with_tasks(), Era::Newer).await;
    let without = world.client(Person::absent(), Era::Newer).await;
    for skill in ["always", "required"] {
        let id = begin(&with, skill).await;
        until(&with, &id, TaskStatus::Completed).await;
    }
    assert_eq!(call(&with, "never", json!({})).await.is_error, Some(false));
    assert_eq!(call(&without, "always", json!({})).await.is_error, Some(false));
    let refused = without.call_tool(params("required", json!({}))).await.unwrap_err();
    let ServiceError::McpError(error) = refused else { panic!("{refused:?}") };
    assert_eq!(error.code.0, -32021);
    let needed = json!({"requiredCapabilities": {"extensions": {"io.modelcontextprotocol/tasks": {}}}});
    assert_eq!(error.data, Some(needed));
}

#[tokio::test]
async fn what_is_asked_before_a_call_is_a_task_is_its_answer() {
    let world = World::new().config("serve: {task_after: 100ms}\n");
    let client = world.client(Person::filling(|_| None).with_tasks(), Era::Newer).await;
    let asked = client.call_tool_once(params("form", json!({}))).await.unwrap();
    let CallToolResponse::InputRequired(asked) = asked else { panic!("{asked:?}") };
    let mut again = params("form", json!({}));
    again.request_state = asked.request_state;
    let filled = json!({"action": "accept", "content": {"name": "Ann"}});
    again.input_responses = Some([("who".to_owned(), filled)].into());
    let CallToolResponse::Task(created) = client.call_tool_once(again).await.unwrap() else {
        panic!("no task")
    };
    let TaskPayload::Completed { result } =
        until(&client, &created.task.task_id, TaskStatus::Completed).await.payload
    else {
        panic!("no result")
    };
    assert_eq!(result["structuredContent"], json!({"name": "Ann"}));
}

#[tokio::test]
async fn the_task_of_another_is_not_there() {
    let world = World::new();
    let client = world.client(Person::absent().with_tasks(), Era::Newer).await;
    let id = begin(&client, "ask").await;
    let eve = world.as_client("eve");
    let error = task::get(&eve, &id, None).unwrap_err();
    assert_eq!((error.code.0, &*error.message), (-32602, "there is no task `1`"));
    assert_eq!(task::cancel(&eve, &id).await.unwrap_err().message, error.message);
    let answer = [("sure".to_owned(), json!(accept("yes")))].into();
    assert_eq!(task::update(&eve, &id, answer).await.unwrap_err().message, error.message);
    for made_up in ["2", "01", "+1", "x", ""] {
        let gone = client.get_task(GetTaskParams::new(made_up)).await.unwrap_err();
        assert!(matches!(&gone, ServiceError::McpError(error) if error.code.0 == -32602), "{gone}");
    }
    assert_eq!(world.engine().run(RunId(1)).unwrap().status, RunStatus::Waiting);
}

#[tokio::test]
async fn a_task_that_somebody_else_has_to_approve_of_asks_its_client_nothing() {
    let world = World::new().config("serve: {policy: {write: ask}}\n");
    let ann = world.as_client("ann");
    let args = Map::from_iter([("text".to_owned(), json!("x"))]);
    let direct = Direct { tool: "note".to_owned(), args, request_key: None };
    let handle = ann.start_call(direct, "s").await.unwrap();
    eventually("it asks", || !ann.standing(handle.id).unwrap().questions.is_empty()).await;
    let id = handle.id.to_string();
    let can = rmcp::model::ClientCapabilities::builder().enable_elicitation().build();
    let task = task::get(&ann, &id, Some(&can)).unwrap();
    assert_eq!(task.status(), TaskStatus::Working, "{task:?}");
    assert!(task.task.status_message.unwrap().contains("somebody else has to approve"));
    let answer = [("approval".to_owned(), json!(accept("approve")))].into();
    let refused = task::update(&ann, &id, answer).await.unwrap_err();
    assert!(refused.message.contains("somebody else has to approve"), "{refused}");
    assert_eq!(world.read("log"), "");
    assert_eq!(world.engine().run(handle.id).unwrap().status, RunStatus::Waiting);
}

#[tokio::test]
async fn a_client_that_shows_no_forms_is_told_how_its_task_is_answered() {
    let world = World::new();
    let client = world.client(Person::absent().with_tasks(), Era::Newer).await;
    let id = begin(&client, "ask").await;
    let task = until(&client, &id, TaskStatus::Working).await;
    assert!(matches!(task.payload, TaskPayload::Working), "{task:?}");
    let told = task.task.status_message.unwrap();
    assert!(told.contains("waiting for a person at `sure`: `aa run answer 1 sure ANSWER`"), "{told}");
}

#[tokio::test]
async fn an_older_client_gets_no_task_whatever_it_declares() {
    let world = World::new().config("serve: {task_after: 50ms}\n");
    let client = world.client(Person::absent().with_tasks(), Era::Session).await;
    for (skill, outputs) in [("three", json!({"seen": ""})), ("always", json!({}))] {
        assert_eq!(call(&client, skill, json!({})).await.structured_content, Some(outputs), "{skill}");
    }
    let refused = client.call_tool(params("required", json!({}))).await.unwrap_err();
    assert!(matches!(&refused, ServiceError::McpError(error) if error.code.0 == -32021), "{refused:?}");
}

#[tokio::test]
async fn a_task_declines_what_its_client_does_not_have() {
    let world = World::new();
    let client = world.client(Person::absent().with_tasks(), Era::Newer).await;
    let id = begin(&client, "sampled").await;
    let TaskPayload::Completed { result } = until(&client, &id, TaskStatus::Completed).await.payload else {
        panic!("no result")
    };
    assert_eq!(result["isError"], true, "{result:?}");
}

#[tokio::test]
async fn whoever_only_looks_at_a_task_declines_nothing_of_it() {
    let world = World::new();
    let able = world.client(Person::absent().with_everything().with_tasks(), Era::Newer).await;
    let id = begin(&able, "sampled").await;
    until(&able, &id, TaskStatus::InputRequired).await;
    let other = world.client(Person::absent().with_tasks(), Era::Newer).await;
    let seen = other.get_task(GetTaskParams::new(&*id)).await.unwrap().task;
    assert!(seen.task.status_message.unwrap().contains("`aa run answer 1 said decline`"));
    let said = json!({"role": "assistant", "model": "m", "content": {"type": "text", "text": "so it is"}});
    able.update_task(UpdateTaskParams::new(&*id, [("said".to_owned(), said)].into())).await.unwrap();
    let TaskPayload::Completed { result } = until(&able, &id, TaskStatus::Completed).await.payload else {
        panic!("no result")
    };
    assert_ne!(result["isError"], true, "{result:?}");
}

#[tokio::test]
async fn a_read_that_became_a_task_gives_what_the_tool_promises() {
    let world = World::new().config("serve: {task_after: 50ms}\n");
    let client = world.client(Person::absent().with_tasks(), Era::Newer).await;
    let tools = client.list_all_tools().await.unwrap();
    let schema = tools.iter().find(|tool| tool.name == "look").unwrap().output_schema.clone().unwrap();
    assert_eq!(schema["required"], json!(["result"]));
    let direct = call(&client, "look", json!({})).await.structured_content.unwrap();
    let engine = world.as_client("local");
    let look = engine.tool("look").unwrap().unwrap();
    let outcome = Outcome::Completed(Map::from_iter([("result".to_owned(), json!({"a": 1}))]));
    let answered = answer::of((RunId(1), Whole::Run(RunId(1))), &outcome, Shape::of(&look, false))
        .structured_content
        .unwrap();
    assert_eq!((direct, answered), (json!({"result": ""}), json!({"result": {"a": 1}})));
}

#[tokio::test]
async fn a_read_that_is_asked_about_first_keeps_its_promise() {
    let world = World::new().config("serve: {policy: {read: ask}, wait: 100ms}\n");
    for era in [Era::Session, Era::Newer] {
        let client = world.client(Person::absent(), era).await;
        let told = call(&client, "look", json!({})).await;
        // A success would have to hold the result.
        assert_eq!((told.is_error, told.structured_content), (Some(true), None), "{era:?}");
        let text = format!("{:?}", told.content);
        assert!(text.contains("waiting for a person") && text.contains("run_status"), "{text}");
    }
}
