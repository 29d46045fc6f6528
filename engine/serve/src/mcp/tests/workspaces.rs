//! Two clients, two personas, two folders: nobody sees what is another's.

use std::time::{Duration, Instant};

use aa_run::caller::Caller;
use aa_run::event::Origin;
use rmcp::model::{CallToolRequestParams, ReadResourceRequestParams, RequestMetaObject};
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
async fn a_session_about_another_folder_takes_no_other_call_there() {
    let world = World::new();
    let engine = world.engine("alpha");
    let client = connect(world.seat(&engine, "one"), Hearer::default()).await;
    let place = |name: &str| world.path(name).display().to_string();
    let whereabouts = async || ok(&client, "probe_where", json!({})).await["result"].clone();
    assert_eq!(whereabouts().await, place("alpha"));
    let begun = ok(&client, "session_start", json!({"workspace": place("beta"), "agent": "two"})).await;
    assert_eq!((&begun["folder"], &begun["persona"]), (&json!(place("beta")), &json!("two")));
    let how = begun["how"].as_str().unwrap();
    assert!(how.contains("do not follow") && how.contains(&place("beta")), "{how}");
    // Another conversation of the same client may know nothing of it: nothing has changed for its calls.
    assert_eq!((whereabouts().await, client.service().changes()), (json!(place("alpha")), 0));
    // Calls that say where they are about go there, each for itself.
    let session = begun["session"].as_str().unwrap();
    let call = json!({"tool_name": "probe_where"});
    let there = with_meta(&client, "tool_call", call, "aa/session", session).await;
    assert_eq!(there.unwrap()["result"], place("beta"));
    let args = |name: &str| json!({"tool_name": "probe_where", "workspace": place(name)});
    assert_eq!(ok(&client, "tool_call", args("beta")).await["result"], place("beta"));
    let again = with_meta(&client, "tool_call", args("alpha"), "aa/session", session).await;
    assert_eq!(again.unwrap()["result"], place("alpha"), "an argument goes before what else a request says");
    assert_eq!(whereabouts().await, place("alpha"));
}

#[tokio::test]
async fn a_tool_of_the_server_works_where_its_argument_says() {
    let world = World::new();
    let engine = world.engine("alpha");
    let client = connect(world.seat(&engine, "one"), Hearer::default()).await;
    let there = world.path("beta").display().to_string();
    let args = json!({"skill_name": "greet", "inputs": {"who": "ann"}, "workspace": there});
    ok(&client, "skill_run", args).await;
    let runs = async |args: Value| ok(&client, "run_list", args).await["runs"].as_array().unwrap().len();
    assert_eq!((runs(json!({})).await, runs(json!({"workspace": there})).await), (0, 1));
    let why = failed(&client, "run_status", json!({"run_id": 1})).await;
    assert!(why.contains("there is no run 1"), "{why}");
    assert_eq!(
        ok(&client, "run_status", json!({"run_id": 1, "workspace": there})).await["status"],
        "completed"
    );
    // One that is reached by its name only, too.
    let inner = json!({"tool_name": "schedule_list", "arguments": {"workspace": "beta"}});
    for (args, what) in [
        (json!({"tool_name": "schedule_list", "workspace": "beta"}), "absolute path"),
        (inner, "absolute path"),
        (json!({"tool_name": "probe_where", "workspace": world.path("gamma")}), "there is no folder"),
        (json!({"tool_name": "probe_where", "workspace": 5}), "workspace"),
    ] {
        let why = failed(&client, "tool_call", args).await;
        assert!(why.contains(what), "{why}");
    }
}

#[tokio::test]
async fn a_run_elsewhere_says_where_it_is_looked_for() {
    let world = World::new();
    let engine = world.engine("alpha");
    let client = connect(world.seat(&engine, "one"), Hearer::default()).await;
    let there = world.path("beta").display().to_string();
    let said = format!("look there with `workspace: {there}`");
    let ask = json!({"skill_name": "ask", "workspace": there, "wait_seconds": 0});
    let waits = said_of(&client, "skill_run", ask).await;
    assert!(waits.contains(&said) && waits.contains("run_status"), "{waits}");
    let begun = ok(&client, "session_start", json!({"workspace": there})).await;
    let look = begun["waiting"][0]["look"].as_str().unwrap();
    assert!(look.contains(&format!("workspace: \"{there}\"")), "{look}");
    let here = said_of(&client, "skill_run", json!({"skill_name": "ask", "wait_seconds": 0})).await;
    assert!(here.contains("run_status") && !here.contains("workspace"), "{here}");
}

#[tokio::test]
async fn what_is_too_large_elsewhere_is_kept_for_whoever_has_called() {
    let world = World::new();
    let repeat = "{{ '-'.join(['a' * 100] * 400) }}";
    let big = format!(
        "name: big\ndescription: Is large\nsteps: [{{name: hold, wait: 1ms}}]\noutputs: [{{name: all, value: \"{repeat}\"}}]\n"
    );
    world.put("beta/.aa/skills/big.yaml", &big);
    let client = connect(world.seat(&world.engine("alpha"), "one"), Hearer::default()).await;
    let there = world.path("beta").display().to_string();
    let run = json!({"skill_name": "big", "workspace": there});
    let status = json!({"run_id": 1, "workspace": there, "wait_seconds": 10});
    for (name, args) in [("skill_run", run), ("run_status", status)] {
        let params = CallToolRequestParams::new(name).with_arguments(args.as_object().cloned().unwrap());
        let result = client.call_tool(params).await.unwrap();
        let link = result.content.iter().find_map(|block| block.as_resource_link()).unwrap();
        let rest = client.read_resource(ReadResourceRequestParams::new(link.uri.clone())).await.unwrap();
        assert!(json!(rest).to_string().contains("aaaa-aaaa"), "{name}: {rest:?}");
    }
}

#[tokio::test]
async fn a_session_stays_with_its_folder_and_a_persona_is_of_there() {
    let world = World::new();
    let place = |name: &str| world.path(name).display().to_string();
    world.put(
        "beta/.aa/personas/there.yaml",
        "name: there\ndescription: Of beta\ntools: [other_count]\nskills: []\n",
    );
    let client = connect(world.seat(&world.engine("alpha"), "one"), Hearer::default()).await;
    let here = ok(&client, "session_start", json!({})).await["session"].clone();
    let beta = ok(&client, "session_start", json!({"workspace": place("beta")})).await["session"].clone();
    for (name, args) in [
        ("session_start", json!({"session": here, "workspace": place("beta")})),
        ("session_start", json!({"session": here, "workspace": place("beta"), "agent": "there"})),
        ("persona_load", json!({"session": here, "workspace": place("beta"), "persona_name": "there"})),
    ] {
        let why = failed(&client, name, args).await;
        assert!(why.contains("is about") && why.contains("not"), "{why}");
    }
    // Loaded into a session about another folder, it is that folder's, and no list is another one.
    let told = ok(&client, "persona_load", json!({"session": beta, "persona_name": "there"})).await;
    assert_eq!((&told["tools"], client.service().changes()), (&json!(["other_count"]), 0));
    let how = told["how"].as_str().unwrap();
    assert!(how.contains(&format!("`workspace: {}`", place("beta"))) && !how.contains("/mcp/"), "{how}");
    let begun =
        with_meta(&client, "session_start", json!({}), "aa/session", beta.as_str().unwrap()).await.unwrap();
    assert_eq!((&begun["persona"], &begun["tools"]), (&json!("there"), &json!(["other_count"])));
    let told = ok(&client, "persona_load", json!({"persona_name": "one"})).await;
    assert!(told["how"].as_str().unwrap().contains("already"), "{told}");
}

#[tokio::test]
async fn what_has_failed_elsewhere_says_where_that_is_looked_into() {
    let world = World::new();
    let client = connect_newer(world.seat(&world.engine("alpha"), "one"), Hearer::default()).await;
    let there = world.path("beta").display().to_string();
    let why = failed(&client, "tool_call", json!({"tool_name": "probe_fail", "workspace": there})).await;
    assert!(why.contains("debug_tool") && why.contains(&format!("with `workspace: {there}`")), "{why}");
}

/// The texts of an answer.
async fn said_of(client: &Client, name: &str, args: Value) -> String {
    let args = args.as_object().cloned().unwrap();
    let params = CallToolRequestParams::new(name.to_owned()).with_arguments(args);
    super::machine::said(&client.call_tool(params).await.unwrap())
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
    let later = connect(world.seat(&world.engine("beta"), "one"), Hearer::default()).await;
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
