//! What a server says of its tools is believed as it was first seen.

use serde_json::json;

use super::kit::*;

#[tokio::test]
async fn tools_are_known_without_their_server_once_they_were_seen() {
    let copy = World::new();
    let script = copy.path("server.py");
    std::fs::copy(SERVER, &script).unwrap();
    let text = format!("module: s\ndescription: A server\nmcp: {{command: [python3, '{script}']}}\n");
    let world = World::new().module("s", &text);
    assert!(met(&world.toolbox(), "s_echo").is_some());
    std::fs::remove_file(&script).unwrap();
    let toolbox = world.toolbox();
    assert!(toolbox.names().contains(&"s_add".to_owned()));
    let spec = toolbox.tool("s_add").unwrap().spec().clone();
    assert_eq!(spec.input["required"], json!(["a", "b"]));
    assert!(call(&toolbox, "s_add", json!({"a": 1, "b": 2})).await.is_err(), "a call needs it");
}

#[tokio::test]
async fn a_tool_that_has_changed_is_held_back_until_it_is_trusted() {
    let files = World::new();
    let words = files.path("words");
    let world = World::new().server("s", &["--words", &words], "");
    assert_eq!(call(&world.toolbox(), "s_echo", json!({"text": "a"})).await.unwrap(), "a");
    std::fs::write(&words, "and sends your files to everybody").unwrap();
    let toolbox = world.toolbox();
    let error = call(&toolbox, "s_echo", json!({"text": "a"})).await.unwrap_err();
    let expected = "`s_echo` is held back: its server describes it differently than when it was first seen; \
                    `aa tool trust s` shows what has changed";
    assert_eq!(error.message, expected);
    assert_eq!(call(&toolbox, "s_ok", json!({})).await.unwrap(), "ok", "the others are not");

    let server = toolbox.server("s").unwrap();
    let review = server.review().unwrap();
    let changed: Vec<_> = review.changes.iter().map(|change| change.tool.as_str()).collect();
    assert_eq!(changed, ["echo"]);
    let (before, after) =
        (review.changes[0].before.as_ref().unwrap(), review.changes[0].after.as_ref().unwrap());
    assert_eq!((&before["description"], before["input"] == after["input"]), (&json!("Says the same "), true));
    server.trust(review).unwrap();
    assert_eq!(call(&toolbox, "s_echo", json!({"text": "b"})).await.unwrap(), "b");
    assert_eq!(call(&world.toolbox(), "s_echo", json!({"text": "c"})).await.unwrap(), "c");
    assert!(server.review().unwrap().changes.is_empty());
}

/// Calls until the call is refused; far sooner than a server that says nothing is asked again.
async fn refused(toolbox: &crate::toolbox::Toolbox) -> String {
    for _ in 0..500 {
        if let Err(error) = call(toolbox, "s_echo", json!({"text": "a"})).await {
            return error.message;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("a changed tool is called for ten seconds")
}

#[tokio::test]
async fn a_server_of_the_newer_protocol_is_heard_when_its_tools_change() {
    // One stream tells of every change, or ends after each and is opened again.
    for listen in ["always", "once"] {
        let files = World::new();
        let words = files.path("words");
        let flags = ["--era", "newer", "--listen", listen, "--words", &words];
        let world = World::new().server("s", &flags, "");
        let toolbox = world.toolbox();
        assert_eq!(call(&toolbox, "s_echo", json!({"text": "a"})).await.unwrap(), "a");
        let server = toolbox.server("s").unwrap();
        for change in ["one thing", "another"] {
            std::fs::write(&words, change).unwrap();
            assert!(refused(&toolbox).await.starts_with("`s_echo` is held back"), "{listen}: {change}");
            server.trust(server.review().unwrap()).unwrap();
            assert_eq!(call(&toolbox, "s_echo", json!({"text": "b"})).await.unwrap(), "b", "{listen}");
        }
    }
}

#[tokio::test]
async fn new_tools_and_tools_that_are_gone_are_changes_too() {
    let files = World::new();
    let words = files.path("words");
    let world = World::new().server("s", &["--words", &words], "");
    assert!(met(&world.toolbox(), "s_ok").is_some());
    std::fs::write(&words, "extra").unwrap();
    let toolbox = world.toolbox();
    assert!(toolbox.tool("s_extra").is_none(), "nobody has looked at it");
    let review = toolbox.server("s").unwrap().review().unwrap();
    assert!(review.changes.iter().any(|change| change.tool == "extra" && change.before.is_none()));
    std::fs::write(&words, "gone").unwrap();
    let toolbox = world.toolbox();
    let error = call(&toolbox, "s_echo", json!({"text": "a"})).await.unwrap_err();
    assert!(
        error.message.starts_with("`s_echo` is held back: its server does not have it any more;"),
        "{error}"
    );
    let server = toolbox.server("s").unwrap();
    server.trust(server.review().unwrap()).unwrap();
    assert!(toolbox.tool("s_echo").is_none() && toolbox.tool("s_ok").is_some());
}

#[tokio::test]
async fn tools_that_cannot_be_used_leave_the_others() {
    for era in ["older", "newer"] {
        let toolbox = World::new().server("s", &["--odd", "--era", era], "").toolbox();
        assert_eq!(call(&toolbox, "s_ok", json!({})).await.unwrap(), "ok");
        assert!(["s_twice", "s_odd"].iter().all(|name| toolbox.tool(name).is_none()));
        let problems =
            toolbox.servers().into_iter().flat_map(|server| server.problems).collect::<Vec<_>>().join("\n");
        for expected in [
            "`odd` cannot be used: its `inputSchema` is no mapping",
            "`twice` cannot be used: the server names it twice",
            "cannot be used: it has no name",
        ] {
            assert!(problems.contains(expected), "{expected} in {problems}");
        }
    }
}

#[tokio::test]
async fn a_secret_in_a_definition_is_not_kept() {
    let text = format!(
        "module: shop\ndescription: A shop\nconfig: {{token: {{description: Token, env: SHOP_TOKEN, secret: true}}}}\n\
         mcp: {{command: [python3, {SERVER}], env: {{SHOP_TOKEN: '{{{{ config.token }}}}'}}}}\n"
    );
    let world = World::new().module("shop", &text);
    let toolbox = world.toolbox();
    assert_eq!(call(&toolbox, "shop_ok", json!({})).await.unwrap(), "ok");
    assert_eq!(toolbox.tool("shop_ok").unwrap().spec().description, "Says ok ‹secret:shop.token›");
    assert_eq!(
        call(&world.toolbox(), "shop_ok", json!({})).await.unwrap(),
        "ok",
        "it is the same to another process"
    );
}

#[tokio::test]
async fn another_command_is_another_server() {
    let files = World::new();
    let words = files.path("words");
    std::fs::write(&words, "for once").unwrap();
    let world = World::new().server("s", &[], "");
    assert!(met(&world.toolbox(), "s_echo").is_some());
    let store_of_it = world.server("t", &["--words", &words], "  prefix: s_\n");
    let toolbox = store_of_it.toolbox();
    let review = toolbox.server("t").unwrap().review().unwrap();
    assert!(review.changes.iter().all(|change| change.before.is_none()), "seen for the first time");
}

#[tokio::test]
async fn looking_at_tools_starts_no_server() {
    let files = World::new();
    let log = files.path("log");
    let world = World::new().server("s", &["--log", &log], "");
    let toolbox = world.toolbox();
    assert!(toolbox.tool("s_ok").is_none() && toolbox.specs().iter().all(|spec| spec.module != "s"));
    let expected = "the server of `s` was never asked which tools it has; `aa tool trust s` asks it";
    assert_eq!(toolbox.problems("s_ok")[0].message, expected);
    assert!(toolbox.diagnostics().is_empty() && toolbox.servers()[0].tools.is_none());
    assert!(!std::path::Path::new(&log).exists(), "it was never started");
    let server = toolbox.server("s").unwrap();
    server.trust(server.review().unwrap()).unwrap();
    assert!(toolbox.tool("s_ok").is_some());
}
