//! What tools of servers are, and what calling them gives.

use std::time::Duration;

use aa_spec::tool::{Effect, ErrorKind};
use serde_json::{Value, json};

use super::kit::*;

#[tokio::test]
async fn both_kinds_of_servers_are_listed_and_called() {
    for era in ["older", "newer"] {
        let more = "  tools: {look: {result: json}, hang: {hidden: true}, add: {effect: read}}\n";
        let world = World::new().server("s", &["--era", era], more);
        let toolbox = world.toolbox();
        met(&toolbox, "s_ok");
        let names = toolbox.specs().iter().map(|spec| spec.name.clone()).collect::<Vec<_>>();
        let own: Vec<&String> = names.iter().filter(|name| name.starts_with("s_")).collect();
        assert!(own.len() > 20 && own.iter().any(|name| *name == "s_deep_name_of_it"), "all pages: {own:?}");
        assert!(!names.contains(&"s_far".to_owned()) && !names.contains(&"s_hang".to_owned()));
        assert_eq!(call(&toolbox, "s-echo", json!({"text": "äöü"})).await.unwrap(), "äöü", "{era}");
        assert_eq!(call(&toolbox, "s_add", json!({"a": 1, "b": 2})).await.unwrap(), json!({"total": 3}));
        let picture = call(&toolbox, "s_picture", json!({})).await.unwrap();
        assert_eq!(picture[1], json!({"type": "image", "data": "iVBORw0KGgo=", "mimeType": "image/png"}));
        assert!(call(&toolbox, "s_look", json!({})).await.unwrap()["pid"].is_u64(), "read as JSON");
        assert_eq!(call(&toolbox, "s_deep_name_of_it", json!({})).await.unwrap(), "ok");
    }
}

#[tokio::test]
async fn a_tool_says_what_the_module_says_of_it() {
    let world = World::new().server(
        "s",
        &[],
        "  default_effect: write\n  tools: {add: {effect: read, name: plus}}\n",
    );
    let toolbox = world.toolbox();
    let (plus, echo) = (met(&toolbox, "plus").unwrap(), toolbox.tool("s_echo").unwrap());
    assert_eq!((plus.spec().effect, plus.spec().idempotent), (Effect::Read, true));
    assert_eq!((echo.spec().effect, echo.spec().idempotent), (Effect::Write, false));
    assert_eq!((plus.spec().module.as_str(), plus.spec().source.as_str()), ("s", "s.yaml:4"));
    assert!(toolbox.tool("s_add").is_none(), "it has another name");
    let entry = &toolbox.servers()[0];
    assert_eq!(entry.suggestions, [("s_echo".to_owned(), Effect::Read)], "a suggestion and no more");
    assert!(
        entry.problems[0].contains("`far` cannot be used: its schema refers to `https://example.org/a.json`")
    );
}

#[tokio::test]
async fn arguments_and_results_are_checked() {
    let world = World::new().server("s", &[], "");
    let toolbox = world.toolbox();
    let error = call(&toolbox, "s_add", json!({"a": 1, "b": "x", "c": 2})).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Invalid);
    assert!(error.message.contains("unknown key `c`"), "{error}");
    let error = call(&toolbox, "s_add_wrong", json!({})).await.unwrap_err();
    assert!(error.message.starts_with("the result of `s_add_wrong` is not what it declares"), "{error}");
    let error = call(&toolbox, "s_fail", json!({})).await.unwrap_err();
    assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Permanent, "there is no such table"));
    let error = call(&toolbox, "s_refuse", json!({})).await.unwrap_err();
    assert_eq!(
        (error.kind, error.message.as_str()),
        (ErrorKind::Invalid, "the server of `s` refuses: not like this")
    );
    assert_eq!(error.details, json!({"code": -32602, "data": {"why": "because"}}));
}

#[tokio::test]
async fn progress_is_passed_through() {
    for era in ["older", "newer"] {
        let toolbox = World::new().server("s", &["--era", era], "").toolbox();
        let calling = calling(&toolbox, "s_progress", json!({}));
        let lines = calling.lines.clone();
        assert_eq!(calling.make().await.unwrap(), "counted");
        assert_eq!(*lines.lock().unwrap(), ["1 of 3: part 1", "2 of 3: part 2", "3 of 3: part 3"], "{era}");
    }
}

#[tokio::test]
async fn a_call_that_is_stopped_is_called_off() {
    let log = World::new();
    let file = log.path("log");
    let world = World::new().server("s", &["--log", &file], "");
    let toolbox = world.toolbox();
    let slow = calling(&toolbox, "s_slow", json!({"seconds": 60}));
    let cancel = slow.context.cancel.clone();
    let (result, ()) = tokio::join!(slow.make(), async {
        // The server has to have been asked before it can be stopped.
        while !std::fs::read_to_string(&file)
            .is_ok_and(|log| log.contains("\"slow\",\"arguments\"") || log.contains("tools/call"))
        {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        cancel.cancel();
    });
    assert_eq!(result.unwrap_err().kind, ErrorKind::Cancelled);
    assert_eq!(call(&toolbox, "s_ok", json!({})).await.unwrap(), "ok", "the server goes on");
    assert!(std::fs::read_to_string(&file).unwrap().contains("notifications/cancelled"));
}

#[tokio::test]
async fn a_server_sees_only_what_it_may() {
    let more = "  env: {MODE: fast}\n  env_pass: [PASSED_ON]\n  cwd: .\n  tools: {look: {result: json}}\n";
    let world = World::new().server("s", &[], more);
    let seen = call(&world.toolbox(), "s_look", json!({})).await.unwrap();
    let env = seen["env"].as_object().unwrap();
    assert_eq!((&env["MODE"], &env["PASSED_ON"]), (&json!("fast"), &json!("tell")));
    assert!(!env.contains_key("AWS_SECRET"), "{env:?}");
    assert_eq!(seen["cwd"], Value::from(world.folder.path().canonicalize().unwrap().to_str().unwrap()));
}

#[tokio::test]
async fn what_a_module_is_configured_with_is_handed_over_and_hidden() {
    let more = "  env: {TOKEN: '{{ config.token }}'}\n  tools: {look: {result: json}}\n\
                config: {token: {env: SHOP_TOKEN, secret: true}}\n";
    let toolbox = World::new().server("s", &[], more).toolbox();
    for _ in 0..2 {
        let mut look = calling(&toolbox, "s_look", json!({}));
        let hidden = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let told = hidden.clone();
        look.context.conceal = std::sync::Arc::new(move |name, value| {
            told.lock().unwrap().push((name.to_owned(), value.to_owned()));
            Ok(())
        });
        assert_eq!(look.make().await.unwrap()["env"]["TOKEN"], "top-secret-token");
        let expected = [("s.token".to_owned(), "top-secret-token".to_owned())];
        assert_eq!(*hidden.lock().unwrap(), expected, "every call has it hidden, not only the first");
    }
}

#[tokio::test]
async fn nothing_of_a_server_outlives_the_toolbox() {
    let world = World::new().server("s", &[], "  tools: {look: {result: json}}\n");
    let toolbox = world.toolbox();
    let pid = call(&toolbox, "s_look", json!({})).await.unwrap()["pid"].as_u64().unwrap();
    let before = processes("sleep 3599");
    call(&toolbox, "s_daemon", json!({})).await.unwrap();
    let daemons: Vec<u32> = loop {
        let left: Vec<u32> = processes("sleep 3599").difference(&before).copied().collect();
        if !left.is_empty() {
            break left;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    drop(toolbox);
    for pid in daemons.into_iter().map(u64::from).chain([pid]) {
        let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        assert!(state.is_empty() || state.contains(") Z"), "process {pid} is still there: {state}");
    }
}

#[tokio::test]
async fn servers_never_stand_in_for_other_tools() {
    let own = "module: own\ndescription: Own\ntools: [{name: s_ok, description: Mine, effect: read, run: [echo, mine]}]\n";
    let more = "  tools: {echo: {name: file_read}, add: {name: t_ok}}\n";
    let world = World::new().server("s", &[], more).server("t", &[], "").module("own", own);
    let toolbox = world.toolbox();
    assert_eq!(met(&toolbox, "s_ok").unwrap().spec().source, "own.yaml:3");
    assert_eq!(met(&toolbox, "file_read").unwrap().spec().source, "built in");
    assert!(met(&toolbox, "t_ok").is_none(), "nobody can tell which server is meant");
    let problems = toolbox.problems("t_ok");
    assert!(problems[0].message.contains("both have a tool `t_ok`"), "{problems:?}");
    let doubts = toolbox.diagnostics();
    assert!(
        doubts.iter().any(|doubt| doubt.message.contains("its tool `file_read` cannot be reached")),
        "{doubts:?}"
    );
}

#[tokio::test]
async fn a_module_is_asked_only_for_names_of_its_own() {
    let world = World::new().server("s", &["--start", "die"], "");
    let toolbox = world.toolbox();
    assert!(met(&toolbox, "nothing").is_none());
    assert_eq!(toolbox.servers()[0].problems, [] as [String; 0], "it was not started");
    assert!(toolbox.names().iter().all(|name| !name.starts_with("s_")));
    assert_eq!(toolbox.servers()[0].problems, [] as [String; 0], "names alone are no reason");
}
