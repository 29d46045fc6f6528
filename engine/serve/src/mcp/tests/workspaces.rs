//! Two clients, two personas, two folders: nobody sees what is another's.

use std::time::{Duration, Instant};

use aa_run::caller::Caller;
use aa_run::event::Origin;
use rmcp::model::{CallToolRequestParams, RequestMetaObject};
use serde_json::{Value, json};

use crate::mcp::root::is_open;

use super::kit::{PATIENCE, eventually};
use super::machine::{Client, GREET, Hearer, World, connect, connect_newer, failed, names, ok};

/// A call with something in its metadata.
async fn with_meta(
    client: &Client,
    name: &str,
    args: Value,
    key: &str,
    value: &str,
) -> Result<Value, String> {
    let mut meta = RequestMetaObject::new();
    meta.0.0.insert(key.to_owned(), json!(value));
    let args = args.as_object().cloned().unwrap();
    let mut params = CallToolRequestParams::new(name.to_owned()).with_arguments(args);
    params.meta = Some(meta);
    let result = client.call_tool(params).await.map_err(|error| error.to_string())?;
    if result.is_error == Some(true) {
        Err(super::machine::said(&result))
    } else {
        Ok(result.structured_content.unwrap())
    }
}

#[tokio::test]
async fn two_clients_never_see_what_is_the_others() {
    let world = World::new();
    let engine = world.engine("alpha");
    let in_alpha = Hearer::in_folders(&[world.path("nowhere"), world.path("alpha")]);
    let in_beta = Hearer::in_folders(&[world.path("beta")]);
    let one = connect(world.seat(&engine, "one"), in_alpha).await;
    let two = connect(world.seat(&engine, "one"), in_beta).await;
    ok(&two, "persona_load", json!({"persona_name": "two"})).await;
    assert_eq!(names(&one).await.len(), 6);
    assert_eq!(names(&two).await, ["other_count", "probe_hidden"]);
    let place = |name: &str| world.path(name).display().to_string();
    assert_eq!(ok(&one, "probe_where", json!({})).await["result"], place("alpha"));
    let there = ok(&two, "tool_call", json!({"tool_name": "probe_where"})).await;
    assert_eq!(there["result"], place("beta"));
    // A run of the one is not there for the other.
    let asks = RunIds::of(&engine, &world);
    ok(&one, "greet", json!({"who": "ann"})).await;
    assert_eq!((asks.seen("alpha"), asks.seen("beta")), (1, 0));
    ok(&two, "skill_run", json!({"skill_name": "greet", "inputs": {"who": "bob"}})).await;
    assert_eq!((asks.seen("alpha"), asks.seen("beta")), (1, 1));
    let begun = ok(&one, "session_start", json!({"name": "first"})).await;
    let other = ok(&two, "session_start", json!({"name": "second"})).await;
    assert_eq!(begun["project"], "alpha");
    assert_eq!(other["project"], "beta");
    assert_ne!(begun["session"], other["session"]);
    assert!(begun["session"].as_str().unwrap().len() >= 32);
}

#[tokio::test]
async fn a_session_that_was_begun_on_the_connection_is_where_its_calls_go() {
    let world = World::new();
    let engine = world.engine("alpha");
    let client = connect(world.seat(&engine, "one"), Hearer::default()).await;
    let place = |name: &str| world.path(name).display().to_string();
    assert_eq!(ok(&client, "probe_where", json!({})).await["result"], place("alpha"));
    let begun = ok(&client, "session_start", json!({"workspace": place("beta")})).await;
    assert_eq!(begun["folder"], place("beta"));
    assert_eq!(ok(&client, "probe_where", json!({})).await["result"], place("beta"));
    let named = with_meta(&client, "probe_where", json!({}), "aa/workspace", &place("alpha")).await;
    assert_eq!(named.unwrap()["result"], place("alpha"), "what a request names goes before");
}

/// Which runs are there for whom.
struct RunIds<'a> {
    engine: &'a aa_run::engine::Engine,
    world: &'a World,
}

impl<'a> RunIds<'a> {
    fn of(engine: &'a aa_run::engine::Engine, world: &'a World) -> Self {
        Self { engine, world }
    }

    fn seen(&self, project: &str) -> usize {
        use aa_run::caller::{Caller, Sees};
        let caller = Caller {
            sees: Sees::OwnIn(self.world.path(project)),
            ..Caller::local(aa_run::event::Origin::Mcp)
        };
        self.engine.for_caller(caller).runs(&aa_run::store::RunFilter::default()).unwrap().len()
    }
}

#[tokio::test]
async fn a_request_names_its_workspace_and_its_session() {
    let world = World::new();
    let engine = world.engine("alpha");
    let client = connect_newer(world.seat(&engine, "one"), Hearer::default()).await;
    let beta = world.path("beta").display().to_string();
    let there = with_meta(&client, "probe_where", json!({}), "aa/workspace", &beta).await.unwrap();
    assert_eq!(there["result"], beta);
    let wrong = with_meta(&client, "probe_where", json!({}), "aa/workspace", "beta").await.unwrap_err();
    assert!(wrong.contains("absolute path"), "{wrong}");
    let nowhere = world.path("gamma").display().to_string();
    let wrong = with_meta(&client, "probe_where", json!({}), "aa/workspace", &nowhere).await.unwrap_err();
    assert!(wrong.contains("there is no folder"), "{wrong}");
    let begun = ok(&client, "session_start", json!({"workspace": beta, "agent": "two"})).await;
    assert_eq!((&begun["project"], &begun["persona"]), (&json!("beta"), &json!("two")));
    let session = begun["session"].as_str().unwrap();
    let there =
        with_meta(&client, "tool_call", json!({"tool_name": "probe_where"}), "aa/session", session).await;
    assert_eq!(there.unwrap()["result"], beta);
    let wrong =
        with_meta(&client, "skill_list", json!({}), "aa/session", "0123456789abcdef").await.unwrap_err();
    assert!(wrong.contains("there is no session"), "{wrong}");
    // Another process finds it as it was left.
    let later = connect(world.seat(&world.engine("alpha"), "one"), Hearer::default()).await;
    let again = ok(&later, "session_start", json!({"session": session})).await;
    assert_eq!((&again["session"], &again["persona"]), (&json!(session), &json!("two")));
    assert_eq!(names(&later).await, ["other_count", "probe_hidden"]);
    let why = failed(&later, "session_start", json!({"session": "0123"})).await;
    assert!(why.contains("there is no session `0123`"), "{why}");
}

#[tokio::test]
async fn a_folder_that_is_closed_to_a_client_is_not_where_it_works() {
    let world = World::new();
    let engine = world.engine("alpha");
    let guest = Caller { principal: "ann".to_owned(), ..Caller::local(Origin::Mcp) };
    let open = |caller: &Caller, name: &str| is_open(&engine.for_caller(caller.clone()), &world.path(name));
    assert!(open(&guest, "alpha") && !open(&guest, "beta") && !open(&guest, "nowhere"));
    assert!(open(&Caller::local(Origin::Mcp), "beta") && !open(&Caller::local(Origin::Mcp), "nowhere"));
}

#[tokio::test]
#[expect(deprecated, reason = "clients of the session era say so")]
async fn a_client_that_goes_elsewhere_is_followed_however_late_it_says_where() {
    let world = World::new();
    let hearer = Hearer::in_folders(&[world.path("alpha")]);
    let client = connect(world.seat(&world.engine("alpha"), "one"), hearer.clone()).await;
    let whereabouts = async || ok(&client, "probe_where", json!({})).await["result"].clone();
    assert_eq!(whereabouts().await, json!(world.path("alpha")));
    let before = hearer.changes();
    hearer.move_to(world.path("beta"), Duration::from_secs(3));
    client.notify_roots_list_changed().await.unwrap();
    eventually("it is told that what it sees may be another", || hearer.changes() > before).await;
    // It is not waited for without an end, and nothing is lost by that.
    assert_eq!(whereabouts().await, json!(world.path("alpha")));
    let begun = Instant::now();
    while whereabouts().await != json!(world.path("beta")) {
        assert!(begun.elapsed() < PATIENCE, "what it says late counts");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn whoever_works_elsewhere_is_told_what_changes_there() {
    let world = World::new();
    let there = Hearer::in_folders(&[world.path("beta")]);
    let client = connect(world.seat(&world.engine("alpha"), "one"), there.clone()).await;
    ok(&client, "probe_where", json!({})).await;
    let before = there.changes();
    // What it sees is a persona of the user's, which shows this skill in every folder.
    world.put("beta/.aa/skills/greet.yaml", &GREET.replace("Greets somebody", "Greets them all"));
    eventually("it is told", || there.changes() > before).await;
    assert!(
        client
            .list_all_tools()
            .await
            .unwrap()
            .iter()
            .any(|tool| { tool.description.as_deref().is_some_and(|text| text.contains("Greets them all")) })
    );
    // What changes where it does not work is nothing to it.
    let before = there.changes();
    world.put("alpha/.aa/skills/greet.yaml", &GREET.replace("Greets somebody", "Greets nobody"));
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(there.changes(), before);
}
