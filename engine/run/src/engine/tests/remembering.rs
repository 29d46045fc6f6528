//! What runs remember, through steps of the memory's tools.

use super::*;

const REMEMBER: &str = "\
name: remember
description: Remembers an issue
inputs:
  - {name: key, type: string, required: true}
steps:
  - {name: known, tool: check_known_issues, args: {tool_name: git_push}}
  - name: added
    tool: memory_append
    args:
      key: state/current_work
      list_path: active_issues
      match_key: key
      item: |
        key: {{ inputs.key }}
        status: In Progress
  - {name: told, tool: emit_event, args: {event: began, data: {key: '{{ inputs.key }}'}}}
  - {name: work, tool: memory_read, args: {key: state/current_work}}
outputs:
  - {name: issues, value: '{{ work.active_issues }}'}
  - {name: known, value: '{{ known.has_known_issues }}'}
";

async fn issues(engine: &Engine, key: &str, dry_run: bool) -> (Vec<Event>, Value) {
    let request = RunRequest { dry_run, ..request("remember", json!({"key": key})) };
    let (events, outcome) = finish(engine.start(request).await.unwrap()).await;
    let Outcome::Completed(outputs) = outcome else { panic!("{outcome:?}") };
    assert_eq!(outputs["known"], json!(false));
    (events, outputs["issues"].clone())
}

#[tokio::test]
async fn a_run_remembers_and_another_process_knows() {
    let world = World::new();
    world.put("work/.aa/skills/remember.yaml", REMEMBER);
    let engine = world.engine();
    let issue = json!([{"key": "A-1", "status": "In Progress"}]);
    let (events, found) = issues(&engine, "A-1", false).await;
    assert_eq!(found, issue);
    let told = events.iter().find_map(|event| match &event.body {
        Body::StepStarted { step, args, .. } if step.0 == "told" => args.clone(),
        _ => None,
    });
    assert_eq!(told, Some(json!({"event": "began", "data": {"key": "A-1"}})), "the journal has the event");

    let other = world.engine();
    assert_eq!(issues(&other, "A-1", false).await.1, issue, "the same issue takes its own place");
    assert_eq!(issues(&other, "B-2", true).await.1, issue, "a dry run remembers nothing");
    assert_eq!(issues(&other, "B-2", false).await.1.as_array().unwrap().len(), 2);
    let Value::Object(args) = json!({"key": "state/current_work"}) else { panic!() };
    let read = engine.call_tool("memory-read", args, Arc::new(|_| {})).await.unwrap();
    assert_eq!(read["active_issues"].as_array().unwrap().len(), 2);
}
