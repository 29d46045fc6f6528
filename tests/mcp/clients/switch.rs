//! Another persona, as clients that others have written see it.

use serde_json::{Value, json};

use super::{Client, Served, names, over_stdio, project};
use crate::support::Aa;

/// Those that are told on their connection.
const TOLD: [Client; 4] = [
    Client::Python("legacy"),
    Client::FastMcp("legacy"),
    Client::TypeScript(1, "legacy"),
    Client::TypeScript(2, "legacy"),
];

/// Those of the newer era that can listen.
const LISTENING: [Client; 2] = [Client::Python("auto"), Client::TypeScript(2, "auto")];

fn machine() -> Aa {
    let persona = |name: &str, rest: &str| format!("name: {name}\ndescription: A part\n{rest}");
    project()
        .file(".aa/personas/one.yaml", persona("one", "skills: [greet]\n"))
        .file(".aa/personas/two.yaml", persona("two", "modules: [art]\nskills: []\n"))
}

/// Of the skill of the one persona and the tool of the other, those that a list has.
fn shown(list: &Value) -> Vec<&str> {
    names(&list["tools"]).into_iter().filter(|name| ["greet", "art_plot"].contains(name)).collect()
}

fn load() -> Value {
    json!({"call": "persona_load", "args": {"persona_name": "two"}})
}

/// What was seen of a list, a switch, the notice of it, the list after it, and a call of what is new.
#[track_caller]
fn assert_switched(client: Client, seen: &[Value]) {
    let [before, loaded, heard, after, called] = seen else { panic!("{client:?}: {seen:?}") };
    assert_eq!(shown(before), ["greet"], "{client:?}");
    assert_eq!(loaded["structured"]["tools"], json!(["art_plot"]), "{client:?}: {loaded}");
    assert!(heard["changes"].as_u64() >= Some(1), "{client:?} was not told: {heard}");
    assert_eq!(shown(after), ["art_plot"], "{client:?}");
    assert_eq!(called["kinds"], json!(["text", "image"]), "{client:?}: {called}");
}

#[test]
fn they_are_told_of_another_persona_and_see_its_tools() {
    let aa = machine();
    let served = Served::start(&aa, &["--persona", "one"]);
    let steps = json!([{"list": true}, load(), {"changed": 20}, {"list": true}, {"call": "art_plot"}]);
    for client in TOLD {
        for server in [over_stdio(&aa, &["--persona", "one"]), served.address.clone()] {
            // Each begins with the first one again: what another client has loaded is not its own.
            assert_switched(client, &client.drive(&aa, &server, &steps));
        }
    }
}

#[test]
fn those_who_listen_are_told_and_see_its_tools() {
    let aa = machine();
    let server = over_stdio(&aa, &["--persona", "one"]);
    let steps = json!([{"listen": true}, {"list": true}, load(), {"changed": 20}, {"list": true}, {"call": "art_plot"}]);
    for client in LISTENING {
        assert_switched(client, &client.drive(&aa, &server, &steps)[1..]);
    }
}

#[test]
fn whose_requests_stand_alone_name_the_session_that_has_loaded_it() {
    let aa = machine();
    let served = Served::start(&aa, &["--persona", "one"]);
    let steps = json!([
        {"list": true}, load(), {"list": true},
        {"list": true, "meta": {"aa/session": "$session"}},
        {"call": "tool_call", "args": {"tool_name": "art_plot"}},
    ]);
    // Nor does a process of its own make another list of an earlier request, for one that does not listen.
    let own = over_stdio(&aa, &["--persona", "one"]);
    for (client, server) in
        LISTENING.into_iter().flat_map(|client| [(client, &served.address), (client, &own)])
    {
        let seen = client.drive(&aa, server, &steps);
        let lists: Vec<_> = [0, 2, 3].map(|index: usize| shown(&seen[index])).into();
        assert_eq!(lists, [["greet"], ["greet"], ["art_plot"]], "{client:?}: {seen:?}");
        let how = seen[1]["structured"]["how"].as_str().unwrap_or_default();
        assert!(how.contains("aa/session") && how.contains("/mcp/two"), "{client:?}: {how}");
        assert_eq!(seen[4]["kinds"], json!(["text", "image"]), "{client:?}: {}", seen[4]);
    }
}

const THERE: &str = "name: there\ndescription: Is of another project\nsteps: [{name: hold, wait: 1ms}]\noutputs: [{name: at, value: there}]\n";

#[test]
fn a_session_about_another_folder_moves_no_other_call_of_its_connection() {
    let aa = machine().file("other/.aa/skills/there.yaml", THERE);
    let other = aa.path("other");
    let run = json!({"call": "skill_run", "args": {"skill_name": "there"}});
    let run_there = json!({"call": "skill_run", "args": {"skill_name": "there", "workspace": other}});
    let steps = json!([
        {"list": true},
        {"call": "session_start", "args": {"workspace": other, "agent": "core"}},
        {"list": true}, run, run_there, {"call": "greet", "args": {"who": "ann"}},
    ]);
    let served = Served::start(&aa, &["--persona", "one"]);
    for client in TOLD {
        for server in [over_stdio(&aa, &["--persona", "one"]), served.address.clone()] {
            let seen = client.drive(&aa, &server, &steps);
            assert_eq!(seen[1]["structured"]["persona"], "core", "{client:?}: {}", seen[1]);
            let how = seen[1]["structured"]["how"].as_str().unwrap_or_default();
            assert!(how.contains("do not follow"), "{client:?}: {how}");
            assert_eq!([shown(&seen[0]), shown(&seen[2])], [["greet"], ["greet"]], "{client:?}");
            assert!(seen[3].to_string().contains("no skill `there`"), "{client:?}: {}", seen[3]);
            assert_eq!(seen[4]["structured"], json!({"at": "there"}), "{client:?}: {}", seen[4]);
            assert_eq!(seen[5]["structured"], json!({"said": "hello ann"}), "{client:?}: {}", seen[5]);
        }
    }
}
