//! Mistakes in personas and modules: they take the core tools from nobody, and are said.

use std::time::Duration;

use serde_json::{Value, json};

use super::wire::{Piped, Served, call};
use crate::support::{Aa, eventually};

const PROBE: &str = "module: probe\ndescription: Looks\ntools: [{name: probe_look, description: Looks, effect: read, input: {}, run: [echo, seen], result: text}]\n";

/// A module of a server that nobody has trusted, as after a clone.
const UNMET: &str = "module: unmet\ndescription: Is not trusted\nmcp: {command: [no-such-server]}\n";

const BROKEN: &str = "module: bad\ndescription: Bad\ntools: {name: bad_look}\n";

fn persona(name: &str, rest: &str) -> String {
    format!("name: {name}\ndescription: A part\nskills: []\n{rest}\n")
}

/// A project in which much is wrong.
fn project() -> Aa {
    let aa = Aa::new().tools("probe", PROBE).tools("unmet", UNMET).tools("bad", BROKEN);
    let persona =
        |aa: Aa, name: &str, rest: &str| aa.file(&format!(".aa/personas/{name}.yaml"), persona(name, rest));
    let aa = persona(aa, "good", "modules: [probe]");
    let aa = persona(aa, "strange", "modules: [unmet]");
    let aa = persona(aa, "lost", "modules: [probe, nowhere]");
    persona(aa, "crooked", "modules: [bad]")
}

fn listed(client: &mut Piped, id: u64) -> Value {
    client.say(&json!({"jsonrpc": "2.0", "id": id, "method": "tools/list"}));
    client.answer(id)["result"]["tools"].clone()
}

fn names(tools: &Value) -> Vec<&str> {
    tools
        .as_array()
        .unwrap_or_else(|| panic!("{tools}"))
        .iter()
        .map(|tool| tool["name"].as_str().unwrap())
        .collect()
}

/// What is said of a tool of the server itself.
fn said<'a>(tools: &'a Value, name: &str) -> &'a str {
    let tool = tools.as_array().unwrap().iter().find(|tool| tool["name"] == name);
    tool.unwrap_or_else(|| panic!("{tools}"))["description"].as_str().unwrap()
}

#[test]
fn a_mistake_leaves_the_core_tools_and_is_said() {
    let broken_core = persona("core", "modules: [nowhere]");
    for (words, core, why) in [
        ("mcp --persona strange", "", "are not known yet"),
        ("mcp --persona lost", "", "nowhere"),
        ("mcp --persona crooked", "", "must be a list"),
        ("mcp --module unmet", "", "are not known yet"),
        ("mcp --module bad", "", "must be a list"),
        ("mcp --tools probe_look,unmet_look", "", "unmet_look"),
        ("mcp", broken_core.as_str(), "nowhere"),
    ] {
        let aa = project();
        let aa = if core.is_empty() { aa } else { aa.file(".aa/personas/core.yaml", core) };
        let mut client = Piped::greeted(aa.args(words.split(' ')));
        let tools = listed(&mut client, 2);
        let all = names(&tools);
        assert!(all.contains(&"skill_run") && !all.contains(&"probe_look"), "{words}: {all:?}");
        assert!(said(&tools, "tool_call").contains(why), "{words}: {}", said(&tools, "tool_call"));
        client.say(&json!({"jsonrpc": "2.0", "id": 3, "method": "prompts/list"}));
        assert!(client.answer(3)["result"]["prompts"].is_array(), "{words}");
        client.say(&call(4, "persona_list", &json!({})));
        let trouble = client.answer(4)["result"]["structuredContent"]["trouble"].clone();
        assert!(trouble.as_str().unwrap_or_default().contains(why), "{words}: {trouble}");
        client.say(&call(5, "tool_call", &json!({"tool_name": "probe_look"})));
        assert_ne!(client.answer(5)["result"]["isError"], true, "{words}");
        std::thread::sleep(Duration::from_millis(300));
        client.close();
        let (code, _, errors) = client.ended();
        assert_eq!(code, Some(0));
        assert!(errors.contains("core tools only") && errors.contains(why), "{words}: {errors}");
    }
}

#[test]
fn what_is_called_like_nothing_is_refused_at_once() {
    for (words, why) in [
        ("mcp --module porbe", "there is no module `porbe`; did you mean `probe`?"),
        ("mcp --tools probe_look,probe_lok", "there is no tool `probe_lok`; did you mean `probe_look`?"),
        ("serve --module porbe --listen 127.0.0.1:0", "did you mean `probe`?"),
    ] {
        project().args(words.split(' ')).run().code(4).stderr_contains(why);
    }
}

#[test]
fn whoever_edits_a_persona_takes_nothing_from_those_who_play_it() {
    let aa = project();
    let mut client = Piped::greeted(aa.args(["mcp", "--persona", "good"]));
    let before = listed(&mut client, 2);
    assert!(names(&before).contains(&"probe_look"));
    // Of what was listed just now, nobody can tell whether it was before the change.
    std::thread::sleep(Duration::from_millis(800));
    let aa = aa.file(".aa/personas/good.yaml", persona("good", "modules: [prob]"));
    std::thread::sleep(Duration::from_millis(1200));
    client.say(&json!({"jsonrpc": "2.0", "id": 3, "method": "ping"}));
    let heard = client.until(3);
    assert_eq!(heard.len(), 1, "nothing that they see has changed: {heard:?}");
    assert_eq!(listed(&mut client, 4), before);
    client.say(&call(5, "probe_look", &json!({})));
    assert_ne!(client.answer(5)["result"]["isError"], true);
    client.say(&call(6, "persona_list", &json!({})));
    let told = client.answer(6)["result"]["structuredContent"].clone();
    assert!(told["trouble"].as_str().unwrap().contains("prob"), "{told}");
    let _aa = aa.file(".aa/personas/good.yaml", persona("good", "tools: [echo]"));
    let mut id = 6;
    eventually("the mended persona is heard of", || {
        id += 1;
        client.say(&json!({"jsonrpc": "2.0", "id": id, "method": "ping"}));
        client.until(id).iter().any(|said| said["method"] == "notifications/tools/list_changed")
    });
    let after = listed(&mut client, id + 1);
    assert!(names(&after).contains(&"echo") && !names(&after).contains(&"probe_look"), "{after}");
}

#[test]
fn the_address_of_a_persona_with_mistakes_shows_the_core_tools_and_the_reason() {
    let aa = project();
    let served = Served::new(&aa, &[]);
    let session = served.session("/mcp/lost", &[]);
    let list = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list"});
    let tools =
        served.post("/mcp/lost", &[("Mcp-Session-Id", &session)], &list).message()["result"]["tools"].clone();
    assert!(names(&tools).contains(&"tool_call"), "{tools}");
    assert!(said(&tools, "tool_call").contains("nowhere"), "{}", said(&tools, "tool_call"));
}

#[test]
fn whoever_shows_too_much_is_told_once() {
    let aa = project();
    let mut client = Piped::greeted(aa.args(["mcp", "--all"]));
    for id in 2..5 {
        listed(&mut client, id);
    }
    std::thread::sleep(Duration::from_millis(300));
    client.close();
    let errors = client.ended().2;
    assert_eq!(errors.matches("crowd out other thoughts").count(), 1, "{errors}");
}

#[test]
fn whoever_asks_for_what_a_broken_file_would_define_is_told_of_the_file() {
    let aa = project();
    let mut client = Piped::greeted(aa.args(["mcp"]));
    let asked = [
        ("debug_tool", json!({"tool_name": "bad_look"})),
        ("tool_call", json!({"tool_name": "bad_look"})),
        ("tool_list", json!({"module": "bad"})),
    ];
    for (id, (tool, args)) in (2..).zip(asked) {
        client.say(&call(id, tool, &args));
        let answer = client.answer(id).to_string();
        assert!(answer.contains("bad.yaml:3") && answer.contains("must be a list"), "{tool}: {answer}");
    }
}

#[test]
fn an_edit_that_breaks_a_module_is_said_of_its_other_tools() {
    let other = "\n  - {name: probe_hear, description: Hears, effect: read, input: {}, run: [echo, heard], result: text}\n";
    let both = |rest: &str| {
        let first = "  - {name: probe_look, description: Looks, effect: read, input: {}, run: [echo, seen]";
        format!("module: probe\ndescription: Looks\ntools:\n{first}{rest}{}", other.replacen('\n', "", 1))
    };
    let aa = Aa::new().tools("probe", &both("}\n"));
    let mut client = Piped::greeted(aa.args(["mcp", "--all"]));
    client.say(&call(2, "probe_hear", &json!({})));
    assert_ne!(client.answer(2)["result"]["isError"], true);
    let _aa = aa.tools("probe", &both(", rsult: text}\n"));
    let mut id = 2;
    eventually("the call says which file is broken, and where", || {
        id += 1;
        client.say(&call(id, "probe_hear", &json!({})));
        let said = client.answer(id)["error"]["message"].as_str().unwrap_or_default().to_owned();
        said.contains("unknown tool `probe_hear`") && said.contains(".aa/tools/probe.yaml:4")
    });
}
