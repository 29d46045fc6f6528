//! What clients are told of skills and tools, and what calls come to.

use std::fmt::Write as _;

use aa_run::persona::Choice;
use rmcp::model::PaginatedRequestParams;
use rmcp::service::ServiceError;
use serde_json::{Value, json};

use super::machine::{Hearer, World, call, connect, failed, names, ok, said, tools};
use crate::mcp::seat::Seat;

#[tokio::test]
async fn tools_say_all_that_clients_want_to_know() {
    let world = World::new();
    let engine = world.engine("alpha");
    let client = connect(world.seat(&engine, "one"), Hearer::default()).await;
    let listed = tools(&client).await;
    for tool in &listed {
        let name = &tool.name;
        let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        assert!(name.len() <= 40 && name.chars().all(good), "{name}");
        let told = tool.annotations.as_ref().unwrap();
        let hints = [told.read_only_hint, told.destructive_hint, told.idempotent_hint, told.open_world_hint];
        assert!(hints.iter().all(Option::is_some) && told.title.is_some() && tool.title.is_some(), "{name}");
        assert_eq!(tool.input_schema["type"], "object", "{name}");
        assert_portable(&json!(tool.input_schema), name);
        assert_portable(&json!(tool.output_schema), name);
    }
    let order: Vec<&str> = listed.iter().map(|tool| &*tool.name).collect();
    let first = order.iter().position(|name| *name == "ask").unwrap();
    assert!(order[..first].is_sorted(), "{order:?}");
    assert_eq!(order[first..], ["ask", "greet", "probe_fail", "probe_note", "probe_say", "probe_where"]);
    let greet = &listed[first + 1];
    assert_eq!(greet.description.as_deref(), Some("Greets somebody\nand says so"));
    assert_eq!(
        json!(greet.input_schema),
        json!({
            "type": "object",
            "properties": {
                "who": {"type": "string", "description": "Whom to greet"},
                "times": {"type": "integer", "minimum": 1, "default": 1},
            },
            "required": ["who"],
            "additionalProperties": false,
        })
    );
    assert_eq!(greet.output_schema.as_ref().unwrap()["properties"]["said"]["description"], "What was said");
    let hints = |name: &str| {
        let tool = listed.iter().find(|tool| tool.name == name).unwrap();
        let told = tool.annotations.clone().unwrap();
        (told.read_only_hint.unwrap(), told.destructive_hint.unwrap(), told.open_world_hint.unwrap())
    };
    assert_eq!(hints("greet"), (true, false, true));
    assert_eq!(hints("ask"), (false, false, true));
    assert_eq!(hints("probe_note"), (false, false, true));
    assert!(
        listed
            .iter()
            .find(|tool| tool.name == "ask")
            .unwrap()
            .description
            .as_ref()
            .unwrap()
            .contains("ask a person")
    );
}

#[tokio::test]
async fn lists_have_one_page_and_no_other() {
    let world = World::new();
    let engine = world.engine("alpha");
    let client = connect(world.seat(&engine, "one"), Hearer::default()).await;
    let page = || Some(PaginatedRequestParams::default().with_cursor(Some("bogus".to_owned())));
    let errors = [
        client.list_tools(page()).await.map(drop).unwrap_err(),
        client.list_prompts(page()).await.map(drop).unwrap_err(),
        client.list_resources(page()).await.map(drop).unwrap_err(),
        client.list_resource_templates(page()).await.map(drop).unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(&error, ServiceError::McpError(error) if error.code.0 == -32602), "{error:?}");
    }
}

#[tokio::test]
async fn lists_are_for_no_shared_cache() {
    let world = World::new();
    let engine = world.engine("alpha");
    let client = connect(world.seat(&engine, "one"), Hearer::default()).await;
    let lists = [
        json!(client.list_tools(None).await.unwrap()),
        json!(client.list_prompts(None).await.unwrap()),
        json!(client.list_resources(None).await.unwrap()),
        json!(client.list_resource_templates(None).await.unwrap()),
    ];
    for list in lists {
        assert_eq!(list["cacheScope"], "private", "{list}");
    }
}

#[tokio::test]
async fn what_can_do_anything_is_announced_as_such() {
    let world = World::new();
    let engine = world.engine("alpha");
    let client = connect(world.seat(&engine, "one"), Hearer::default()).await;
    for tool in tools(&client).await {
        let told = tool.annotations.unwrap();
        let dangerous =
            ["skill_run", "run_answer", "run_cancel", "tool_call", "tool_exec"].contains(&&*tool.name);
        assert!(!dangerous || told.destructive_hint == Some(true), "{}", tool.name);
    }
}

/// Fails on what some client refuses.
#[track_caller]
fn assert_portable(schema: &Value, name: &str) {
    let Value::Object(words) = schema else {
        assert!(schema.is_null(), "{name}: {schema}");
        return;
    };
    assert!(!words.get("type").is_some_and(Value::is_array), "{name}: {schema}");
    assert!(!words.contains_key("$ref"), "{name}: {schema}");
    if words.get("type") == Some(&json!("array")) {
        assert!(words.contains_key("items"), "{name}: {schema}");
    }
    for of in words.get("properties").and_then(Value::as_object).into_iter().flat_map(|all| all.values()) {
        assert!(of.is_object(), "{name}: {schema}");
        assert_portable(of, name);
    }
    for of in words.get("anyOf").and_then(Value::as_array).into_iter().flatten() {
        assert_portable(of, name);
    }
    if let Some(items) = words.get("items") {
        assert_portable(items, name);
    }
}

#[tokio::test]
async fn a_skill_is_a_tool_with_structured_content() {
    let world = World::new();
    let engine = world.engine("alpha");
    let client = connect(world.seat(&engine, "one"), Hearer::default()).await;
    let result = call(&client, "greet", json!({"who": "ann"})).await;
    assert_eq!(result.structured_content, Some(json!({"said": "hello ann"})));
    assert_eq!(said(&result), r#"{"said":"hello ann"}"#);
    assert!(result.meta.unwrap().get("aa/run").is_some());
    let given = json!({"skill_name": "greet", "inputs": r#"{"who": "bob"}"#});
    assert_eq!(ok(&client, "skill_run", given).await, json!({"said": "hello bob"}));
    let wrong = failed(&client, "greet", json!({"whom": "ann", "times": 0})).await;
    assert!(wrong.contains("who") && wrong.contains("did you mean") && wrong.contains("times"), "{wrong}");
    assert!(wrong.contains("nothing was started"), "{wrong}");
    let wrong = failed(&client, "skill_run", json!({"skill": "greet"})).await;
    assert!(wrong.contains("skill_name") && wrong.contains("was not called"), "{wrong}");
    let wrong = failed(&client, "skill_run", json!({"skill_name": "gret"})).await;
    assert!(wrong.contains("did you mean `greet`"), "{wrong}");
    let plan = ok(&client, "skill_plan", json!({"skill_name": "greet", "inputs": {"who": "ann"}})).await;
    let hash = plan["hash"].as_str().unwrap();
    let agreed = json!({"skill_name": "greet", "inputs": {"who": "ann"}, "plan": hash});
    assert_eq!(ok(&client, "skill_run", agreed).await["said"], "hello ann");
    let other = json!({"skill_name": "greet", "inputs": {"who": "eve"}, "plan": hash});
    assert!(failed(&client, "skill_run", other).await.contains("skill_plan"));
    let told = ok(&client, "skill_describe", json!({"skill_name": "greet"})).await;
    assert_eq!(told["steps"][0], json!({"name": "hello", "does": "tool probe_say", "effect": "read"}));
    assert_eq!(told["example"]["arguments"], json!({"skill_name": "greet", "inputs": {"who": "<who>"}}));
    assert!(told["usual_duration_ms"].is_u64());
    let found = ok(&client, "skill_search", json!({"query": "greeting somebody"})).await;
    assert_eq!(found["skills"][0]["name"], "greet");
}

#[tokio::test]
async fn skills_with_errors_are_not_offered_and_it_is_said_why() {
    let world = World::new();
    world.put(
        "alpha/.aa/skills/bad.yaml",
        "name: bad\ndescription: Is bad\nsteps: [{name: a, tool: probe_sya}]\n",
    );
    let engine = world.engine("alpha");
    let client = connect(world.seat(&engine, "all"), Hearer::default()).await;
    world.persona("all", "modules: [probe]\n");
    assert!(!names(&client).await.contains(&"bad".to_owned()));
    let listed = ok(&client, "skill_list", json!({})).await;
    let broken = listed["broken"].as_array().unwrap();
    assert_eq!(broken[0]["name"], "bad");
    assert!(broken[0]["problems"][0].as_str().unwrap().contains("probe_sya"), "{broken:?}");
    // Mended, it is there at once.
    let mended = "name: bad\ndescription: Is good\nsteps: [{name: a, tool: probe_say, args: {text: x}}]\n";
    world.put("alpha/.aa/skills/bad.yaml", mended);
    tokio::time::sleep(std::time::Duration::from_millis(150)).await;
    assert!(names(&client).await.contains(&"bad".to_owned()));
}

#[tokio::test]
async fn tools_of_modules_give_results_and_help() {
    let world = World::new();
    let engine = world.engine("alpha");
    let client = connect(world.seat(&engine, "one"), Hearer::default()).await;
    assert_eq!(ok(&client, "probe_say", json!({"text": "x"})).await, json!({"said": "x"}));
    let result = call(&client, "probe_where", json!({})).await;
    let here = world.path("alpha").display().to_string();
    assert_eq!(result.structured_content, Some(json!({"result": here})));
    let wrong = failed(&client, "probe_say", json!({"txt": "x", "times": "two"})).await;
    assert!(
        wrong.contains("txt") && wrong.contains("times") && wrong.contains("`text` (required)"),
        "{wrong}"
    );
    let wrong = failed(&client, "probe_fail", json!({})).await;
    assert!(
        wrong.contains("no route to host") && wrong.contains("debug_tool(tool_name: \"probe_fail\""),
        "{wrong}"
    );
    let report =
        ok(&client, "debug_tool", json!({"tool_name": "probe_fail", "error_message": "no route to host"}))
            .await;
    assert_eq!(report["diagnosis"][0]["cause"], "network");
    // Tools that the persona does not show are called all the same.
    assert_eq!(ok(&client, "tool_call", json!({"tool_name": "other_count"})).await, json!({"result": 3}));
    assert_eq!(
        ok(&client, "tool_exec", json!({"tool_name": "other_count", "args": "{}"})).await,
        json!({"result": 3})
    );
    let found = ok(&client, "tool_search", json!({"query": "counting"})).await;
    assert_eq!(found["tools"][0]["name"], "other_count");
    let listed = ok(&client, "tool_list", json!({"module": "probe"})).await;
    assert_eq!(listed["tools"].as_array().unwrap().len(), 5);
    assert!(failed(&client, "tool_list", json!({"module": "prob"})).await.contains("did you mean `probe`"));
    assert!(
        failed(&client, "tool_call", json!({"tool_name": "other_cont"}))
            .await
            .contains("did you mean `other_count`")
    );
    let error = client
        .call_tool(rmcp::model::CallToolRequestParams::new("other_count"))
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("tool_call"), "{error}");
    let fitting = ok(&client, "context_filter", json!({"message": "please greet somebody"})).await;
    assert_eq!(fitting["skills"][0]["name"], "greet");
    assert_eq!(fitting["tools"][0], "probe_say");
}

#[tokio::test]
async fn a_large_result_is_cut_and_stays_of_its_shape() {
    let world = World::new();
    let big = "module: big\ndescription: Says much\ntools:\n  - {name: big_text, description: Says much, effect: read, input: {}, output: {type: string}, run: [printf, '%060000d', '7']}\n";
    world.put("alpha/.aa/tools/big.yaml", big);
    let large = "name: large\ndescription: Gives much\nsteps: [{name: much, tool: big_text}]\noutputs: [{name: text, value: '{{ much }}'}]\n";
    world.put("alpha/.aa/skills/large.yaml", large);
    world.persona("large", "skills: [large]\ntools: [probe_say]\n");
    let engine = world.engine("alpha");
    let client = connect(world.seat(&engine, "large"), Hearer::default()).await;
    let result = call(&client, "large", json!({})).await;
    let text = result.structured_content.as_ref().unwrap()["text"].as_str().unwrap();
    assert!(text.len() < 20_000 && text.ends_with('…'), "{}", text.len());
    assert!(said(&result).contains("cut: this is part of 6"));
    assert!(result.content.iter().any(|part| part.as_resource_link().is_some()));
}

#[tokio::test]
async fn what_exceeds_the_budget_is_found_by_searching() {
    let world = World::new();
    let mut many = "module: many\ndescription: Very many\ntools:\n".to_owned();
    for n in 0..60 {
        let _ = writeln!(
            many,
            "  - {{name: many_{n:02}, description: Number {n}, effect: read, input: {{}}, run: [echo, '{n}']}}"
        );
    }
    world.put("alpha/.aa/tools/many.yaml", &many);
    world.put("home/.config/aa-workflow/config.yaml", "serve: {tool_budget: 30}\n");
    world.persona("many", "modules: [many]\nskills: [greet]\n");
    let engine = world.engine("alpha");
    let client = connect(world.seat(&engine, "many"), Hearer::default()).await;
    let listed = tools(&client).await;
    assert_eq!(listed.len(), 30);
    assert!(listed.iter().any(|tool| tool.name == "greet"), "skills come before tools");
    let call_tool = listed.iter().find(|tool| tool.name == "tool_call").unwrap();
    assert!(call_tool.description.as_ref().unwrap().contains("not in the list"), "{call_tool:?}");
    assert_eq!(ok(&client, "tool_call", json!({"tool_name": "many_59"})).await["result"], "59");
    let begun = ok(&client, "session_start", json!({})).await;
    let warnings = begun["warnings"].to_string();
    assert!(warnings.contains("not in the list") && warnings.contains("crowd out"), "{warnings}");
    let seat = Seat::new(engine, Choice::All);
    let everything = tools(&connect(seat, Hearer::default()).await).await;
    assert!(everything.len() > 90, "whoever wants everything gets it: {}", everything.len());
    assert!(everything.iter().any(|tool| tool.name == "many_59"));
}

#[tokio::test]
async fn what_somebody_has_named_is_listed_before_what_nobody_has() {
    let world = World::new();
    for n in 0..20 {
        let skill = format!("name: own_{n:02}\ndescription: Number {n}\nsteps: [{{name: a, wait: 1ms}}]\n");
        world.put(&format!("alpha/.aa/skills/own_{n:02}.yaml"), &skill);
    }
    world.put("home/.config/aa-workflow/config.yaml", "serve: {tool_budget: 30}\n");
    for (persona, skills, first) in [
        ("any", "", false),
        ("named", "skills: [own_00, own_01, own_02, own_03, own_04, own_05, own_06, own_07, own_08]\n", true),
    ] {
        world.persona(persona, &format!("modules: [probe]\n{skills}"));
        let engine = world.engine("alpha");
        let listed = names(&connect(world.seat(&engine, persona), Hearer::default()).await).await;
        let tools = listed.iter().filter(|name| name.starts_with("probe_")).count();
        assert_eq!((listed.len(), tools == 0), (9, first), "{persona}: {listed:?}");
    }
}

#[tokio::test]
async fn a_tool_that_a_skill_hides_can_be_called() {
    let world = World::new();
    let shadow = GREET_AS_TOOL;
    world.put("alpha/.aa/skills/probe_say.yaml", shadow);
    world.persona("hiding", "modules: [probe]\nskills: [probe_say]\n");
    let engine = world.engine("alpha");
    let client = connect(world.seat(&engine, "hiding"), Hearer::default()).await;
    assert_eq!(ok(&client, "probe_say", json!({})).await, json!({"by": "the skill"}));
    let direct = json!({"tool_name": "probe_say", "arguments": {"text": "the tool"}});
    assert_eq!(ok(&client, "tool_call", direct).await, json!({"said": "the tool"}));
    let listed = tools(&client).await;
    let call_tool = listed.iter().find(|tool| tool.name == "tool_call").unwrap();
    assert!(call_tool.description.as_ref().unwrap().contains("called with tool_call: probe_say"));
}

const GREET_AS_TOOL: &str = "\
name: probe_say
description: Has the name of a tool
steps:
  - {name: hello, tool: probe_say, args: {text: the skill}}
outputs:
  - {name: by, value: '{{ hello.said }}'}
";
