//! What servers of modules say and ask, as the clients of `aa mcp` see it.

use serde_json::{Value, json};

use super::wire::{Piped, call, hello, ready};
use super::{hostile, over, trust};
use crate::support::{Aa, eventually};

/// Everything that a client finds when it turns all pages.
fn tools(client: &mut Piped) -> Vec<Value> {
    let (mut all, mut params) = (Vec::new(), json!({}));
    for id in 100.. {
        client.say(&json!({"jsonrpc": "2.0", "id": id, "method": "tools/list", "params": params}));
        let page = client.answer(id)["result"].clone();
        all.extend(page["tools"].as_array().unwrap().iter().cloned());
        let Some(cursor) = page["nextCursor"].as_str() else { break };
        params = json!({ "cursor": cursor });
    }
    all
}

#[test]
fn of_a_servers_tools_only_what_can_be_seen_is_passed_on() {
    let aa = over("shop", &["python3", &hostile(), "--unseen"], "");
    trust(&aa, "shop");
    let mut client = Piped::greeted(aa.args(["mcp", "--all"]));
    let tools = tools(&mut client);
    let find =
        |name: &str| tools.iter().find(|tool| tool["name"] == name).unwrap_or_else(|| panic!("no {name}"));
    let whisper = find("shop_whisper");
    // The sign that begins a sequence for terminals is gone; what it made of letters is text.
    assert_eq!(whisper["description"], "Says[8m little", "{whisper}");
    assert_eq!(
        whisper["inputSchema"]["properties"]["text"],
        json!({"type": "string", "title": "Te[8mxt", "description": "What[8m to say"})
    );
    let long = find("shop_long")["description"].as_str().unwrap().chars().count();
    assert!((1000..=2001).contains(&long), "{long} characters");
    let all = json!(tools).to_string();
    assert!(
        !all.contains(|c: char| matches!(c, '\u{200b}' | '\u{202e}' | '\u{e0000}'..='\u{e007f}')),
        "{all}"
    );
    assert!(!all.contains("is not what it looks like"), "a name that cannot be seen is none: {all}");
}

#[test]
fn a_servers_tool_takes_the_place_of_no_other() {
    let own = "module: own\ndescription: Own\ntools: [{name: shop_ok, description: Mine, effect: read, input: {}, run: [printf, mine], result: text}]\n";
    let more = "  default_effect: read\n  tools: {echo: {name: file_read}, add: {name: lent_ok}}\n";
    let lent = format!(
        "module: lent\ndescription: Another\nmcp: {{command: [python3, '{}'], start_timeout: 2m, default_effect: read}}\n",
        hostile()
    );
    let aa = over("shop", &["python3", &hostile()], more).tools("own", own).tools("lent", &lent);
    let aa = aa.file("note.txt", "a note");
    trust(&aa, "shop");
    trust(&aa, "lent");
    let mut client = Piped::greeted(aa.args(["mcp", "--all"]));
    let names: Vec<Value> = tools(&mut client).iter().map(|tool| tool["name"].clone()).collect();
    for (name, count) in
        [("file_read", 1), ("shop_ok", 1), ("lent_ok", 0), ("lent_echo", 1), ("shop_fail", 1)]
    {
        assert_eq!(names.iter().filter(|known| *known == name).count(), count, "{name}");
    }
    client.say(&call(2, "file_read", &json!({"path": "note.txt"})));
    let read = client.answer(2);
    assert!(read["result"].to_string().contains("a note"), "{read}");
    client.say(&call(3, "shop_ok", &json!({})));
    assert_eq!(client.answer(3)["result"]["content"][0]["text"], "mine");
}

/// A client of the session era that can be asked, in a project with a server that asks.
fn asked(aa: &Aa) -> Piped {
    let mut client = Piped::new(aa.args(["mcp", "--all"]));
    let mut hello = hello();
    hello["params"]["capabilities"] = json!({"elicitation": {}});
    client.say(&hello);
    client.answer(1);
    client.say(&ready());
    client
}

#[test]
fn a_question_is_put_to_the_call_that_it_can_be_meant_for_and_to_no_other() {
    let log = tempfile::NamedTempFile::new().unwrap();
    let command = ["python3", &hostile(), "--log", log.path().to_str().unwrap()];
    let aa = over("shop", &command, "  tools: {ask: {effect: read}, slow: {effect: read}}\n");
    trust(&aa, "shop");
    let mut client = asked(&aa);
    client.say(&call(101, "shop_slow", &json!({"seconds": 3})));
    eventually("a call is under way", || std::fs::read_to_string(log.path()).unwrap().contains("\"slow\""));
    client.say(&call(102, "shop_ask", &json!({})));
    let said = client.until(102);
    let question = said.iter().find(|message| message["method"] == "elicitation/create");
    assert_eq!(question, None, "it cannot be told which call is meant");
    let left = &said.last().unwrap()["result"];
    assert!(left["content"].to_string().contains("decline"), "{left}");
    assert_eq!(client.answer(101)["result"]["content"][0]["text"], "slept");
    // Where one call is made, it is that one.
    client.say(&call(103, "shop_ask", &json!({})));
    let question = client.told("elicitation/create");
    assert_eq!(question["params"]["message"], "`shop` asks: Drop the table? (sure)");
    let answer = json!({"action": "accept", "content": {"answer": "yes"}});
    client.say(&json!({"jsonrpc": "2.0", "id": question["id"], "result": answer}));
    let done = client.answer(103);
    assert!(done["result"]["content"].to_string().contains("accept"), "{done}");
}

#[test]
fn an_answer_is_for_one_question_and_for_no_later_one_of_the_same_step() {
    let nags = "name: nags\ndescription: Asks again\nsteps: [{name: drop, tool: shop_nag, timeout: 2m}]\n";
    let aa = over("shop", &["python3", &hostile()], "  tools: {nag: {effect: read}}\n").skill("nags", nags);
    let aa = aa.own_config("serve: {self_approve: true}\n");
    trust(&aa, "shop");
    let mut client = Piped::greeted(aa.args(["mcp"]));
    let mut id = 100;
    let mut ask = |tool: &str, args: Value| {
        id += 1;
        client.say(&call(id, tool, &args));
        client.answer(id)["result"].clone()
    };
    ask("skill_run", json!({"skill_name": "nags", "wait_seconds": 0.2}));
    let until = |question: &str, ask: &mut dyn FnMut(&str, Value) -> Value| {
        eventually(&format!("it asks {question}"), || {
            let status = ask("run_status", json!({"run_id": 1}));
            status["structuredContent"]["questions"][0]["question"] == question
        });
    };
    let answer = |question: &str| json!({"run_id": 1, "question": question, "answer": "yes"});
    until("drop", &mut ask);
    assert_eq!(ask("run_answer", answer("drop"))["isError"], false);
    until("drop#2", &mut ask);
    let late = ask("run_answer", answer("drop"));
    assert_eq!(late["isError"], true, "{late}");
    assert!(late["content"][0]["text"].as_str().unwrap().contains("now it is `drop#2`"), "{late}");
    let early = aa.args(["run", "answer", "1", "drop#3", "yes"]).run().code(1);
    early.stderr_contains("the question `drop#3` of run 1 is not open; now it is `drop#2`");
    assert_eq!(ask("run_answer", answer("drop#2"))["isError"], false);
    until("drop#3", &mut ask);
    aa.args(["run", "answer", "1", "drop#3", "yes"]).run().code(0);
    until("drop#4", &mut ask);
    aa.args(["run", "cancel", "1"]).run().code(0);
}
