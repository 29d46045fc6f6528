//! Another persona, in both eras of the protocol.

use std::time::Duration;

use rmcp::model::SubscriptionFilter;
use serde_json::json;

use super::machine::{Client, Hearer, World, connect, connect_newer, failed, names, ok};

const ONE: [&str; 6] = ["ask", "greet", "probe_fail", "probe_note", "probe_say", "probe_where"];
const TWO: [&str; 2] = ["other_count", "probe_hidden"];

async fn heard(client: &Client, times: usize) {
    for _ in 0..200 {
        if client.service().changes() >= times {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it has heard of {} changes, not {times}", client.service().changes());
}

#[tokio::test]
async fn a_switch_changes_the_list_of_one_client_only() {
    let world = World::new();
    let engine = world.engine("alpha");
    let one = connect(world.seat(&engine, "one"), Hearer::default()).await;
    let other = connect(world.seat(&engine, "one"), Hearer::default()).await;
    assert_eq!(names(&one).await, ONE);
    let told = ok(&one, "persona_load", json!({"persona_name": "two"})).await;
    assert_eq!(told["persona"], "two");
    assert_eq!(told["tools"], json!(TWO));
    assert_eq!(names(&one).await, TWO);
    heard(&one, 1).await;
    assert_eq!(names(&other).await, ONE);
    assert_eq!(other.service().changes(), 0);
    let told = ok(&other, "agent_load", json!({"agent_name": "one"})).await;
    assert_eq!((&told["text"], &told["skills"]), (&json!("You are one."), &json!(["ask", "greet"])));
    let listed = ok(&one, "agent_list", json!({})).await;
    assert_eq!(listed["active"], "two");
}

#[tokio::test]
async fn what_cannot_be_loaded_changes_nothing() {
    let world = World::new();
    world.persona("broken", "modules: [prob]\n");
    let engine = world.engine("alpha");
    let client = connect(world.seat(&engine, "one"), Hearer::default()).await;
    let why = failed(&client, "persona_load", json!({"persona_name": "twoo"})).await;
    assert!(why.contains("did you mean `two`"), "{why}");
    let why = failed(&client, "persona_load", json!({"persona_name": "broken"})).await;
    assert!(why.contains("there is no tool module `prob`") && why.contains("did you mean `probe`"), "{why}");
    let why = failed(&client, "session_start", json!({"agent": "broken"})).await;
    assert!(why.contains("broken.yaml:3"), "{why}");
    assert_eq!(names(&client).await, ONE);
    assert_eq!(client.service().changes(), 0);
    assert!(engine.sessions(10).unwrap().is_empty());
}

#[tokio::test]
async fn an_address_of_a_persona_stays_with_it() {
    let world = World::new();
    let engine = world.engine("alpha");
    let client = connect(world.seat(&engine, "one").pinned(), Hearer::default()).await;
    let why = failed(&client, "persona_load", json!({"persona_name": "two"})).await;
    assert!(why.contains("/mcp/two") && why.contains("tool_call"), "{why}");
    assert_eq!(names(&client).await, ONE);
    // Its own persona can be loaded: that is what a session begins with.
    let begun = ok(&client, "session_start", json!({"agent": "one"})).await;
    assert_eq!(begun["persona"], "one");
}

#[tokio::test]
async fn on_stdio_the_list_follows_in_the_newer_era_and_listeners_are_told() {
    let world = World::new();
    let engine = world.engine("alpha");
    let client = connect_newer(world.seat(&engine, "one"), Hearer::default()).await;
    let mut filter = SubscriptionFilter::new();
    filter.tools_list_changed = Some(true);
    let mut stream = client.peer().listen(filter).await.unwrap();
    assert_eq!(names(&client).await, ONE);
    ok(&client, "persona_load", json!({"persona_name": "two"})).await;
    let told =
        tokio::time::timeout(Duration::from_secs(10), stream.next()).await.expect("it is told in time");
    assert!(told.unwrap().is_some());
    assert_eq!(names(&client).await, TWO);
}
