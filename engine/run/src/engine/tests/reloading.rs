//! Tool modules that change under a process that lives on.

use super::*;

fn module(name: &str, tool: &str, says: &str) -> String {
    format!(
        "module: {name}\ndescription: Says something\ntools:\n  - name: {tool}\n    description: Says it\n    effect: read\n    run: [printf, '%s', '{says}']\n"
    )
}

async fn say(engine: &Engine, tool: &str) -> Result<Value, StepError> {
    engine.call_tool(tool, Map::new(), Arc::new(|_| {})).await
}

#[tokio::test]
async fn changed_new_and_removed_modules_are_seen() {
    let world = World::new();
    let engine = world.engine();
    assert_eq!(say(&engine, "voice_say").await.unwrap_err().kind, ErrorKind::NotFound);
    world.put("work/.aa/tools/voice.yaml", &module("voice", "voice_say", "one"));
    assert_eq!(say(&engine, "voice_say").await, Ok(json!("one")));
    // The same length, at most a moment later.
    world.put("work/.aa/tools/voice.yaml", &module("voice", "voice_say", "two"));
    assert_eq!(say(&engine, "voice_say").await, Ok(json!("two")));
    // Half written: its tools are gone, and the others are still there.
    world.put("work/.aa/tools/voice.yaml", "module: voice\ntools: [");
    assert_eq!(say(&engine, "voice_say").await.unwrap_err().kind, ErrorKind::NotFound);
    assert!(!engine.tool_problems().unwrap().is_empty());
    assert!(engine.tool("note").unwrap().is_some());
    world.put("work/.aa/tools/voice.yaml", &module("voice", "voice_tell", "three"));
    assert_eq!(say(&engine, "voice_tell").await, Ok(json!("three")));
    assert!(engine.tool("voice_say").unwrap().is_none());
    fs::remove_file(world.root.path().join("work/.aa/tools/voice.yaml")).unwrap();
    assert!(engine.tool("voice_tell").unwrap().is_none());
}

#[tokio::test]
async fn a_run_keeps_the_tools_that_it_started_with() {
    let world = World::new();
    world.put("work/.aa/tools/voice.yaml", &module("voice", "voice_say", "before"));
    world.put(
        "work/.aa/skills/talk.yaml",
        "name: talk\ndescription: Waits, then says something\nsteps:\n  - {name: sure, confirm: {message: Sure?, options: [yes]}}\n  - {name: it, tool: voice_say}\noutputs: [{name: said, value: '{{ it }}'}]\n",
    );
    let engine = world.engine();
    let talk = RunRequest { park: Park::Stay, ..request("talk", json!({})) };
    let mut handle = engine.start(talk).await.unwrap();
    until(&mut handle, |body| body.kind() == "confirm_requested").await;
    world.put("work/.aa/tools/voice.yaml", &module("voice", "voice_say", "after!"));
    assert_eq!(say(&engine, "voice_say").await, Ok(json!("after!")));
    engine.answer(handle.id, &step("sure"), "yes", "ann").await.unwrap();
    let (_, outcome) = finish(handle).await;
    assert_eq!(outcome, Outcome::Completed(json!({"said": "before"}).as_object().unwrap().clone()));
}

#[tokio::test]
async fn a_file_that_cannot_be_read_takes_no_tools_away() {
    let world = World::new();
    let engine = world.engine();
    world.put("work/.aa/tools/voice.yaml", &module("voice", "voice_say", "one"));
    assert_eq!(say(&engine, "voice_say").await, Ok(json!("one")));
    let file = world.root.path().join("work/.aa/tools/voice.yaml");
    fs::write(&file, b"module: voice\n\xff\xfe").unwrap();
    assert_eq!(say(&engine, "voice_say").await, Ok(json!("one")), "what was there serves on");
    assert!(engine.tool("note").unwrap().is_some());
    // A new file that cannot be read changes nothing for the others, either.
    fs::write(world.root.path().join("work/.aa/tools/noise.yaml"), b"\xff").unwrap();
    assert_eq!(say(&engine, "voice_say").await, Ok(json!("one")));
    fs::remove_file(world.root.path().join("work/.aa/tools/noise.yaml")).unwrap();
    fs::write(&file, module("voice", "voice_say", "two")).unwrap();
    assert_eq!(say(&engine, "voice_say").await, Ok(json!("two")));
}

#[tokio::test]
async fn a_skill_is_checked_again_when_what_it_was_checked_against_has_changed() {
    let world = World::new();
    let skill = |name: &str, step: &str| {
        let text = format!("name: {name}\ndescription: Talks\nsteps:\n  - {{name: it, {step}}}\n");
        world.put(&format!("work/.aa/skills/{name}.yaml"), &text);
    };
    let engine = world.serving_engine();
    let check = |name: &str| engine.check(name, Strictness::default()).unwrap();
    let is_kept = |name: &str| {
        let (one, other) = (check(name), check(name));
        one.plan.zip(other.plan).is_some_and(|(one, other)| Arc::ptr_eq(&one, &other))
    };
    // Tools that come are found.
    skill("talk", "tool: voice_say");
    assert_eq!(check("talk").diagnostics[0].code, "unknown-tool");
    world.put("work/.aa/tools/voice.yaml", &module("voice", "voice_say", "one"));
    assert!(check("talk").diagnostics.is_empty() && is_kept("talk"));
    // So are those that go, and other texts.
    let before = check("talk").plan.unwrap();
    world.put("work/.aa/tools/voice.yaml", &module("voice", "voice_say", "two"));
    assert!(!Arc::ptr_eq(&before, &check("talk").plan.unwrap()) && is_kept("talk"));
    world.put("work/.aa/tools/voice.yaml", &module("voice", "voice_tell", "two"));
    assert_eq!(check("talk").diagnostics[0].code, "unknown-tool");
    skill("talk", "tool: voice_tell");
    assert!(check("talk").diagnostics.is_empty() && is_kept("talk"));
    assert!(
        engine.check("talk", Strictness { strict: true, ..Strictness::default() }).unwrap().plan.is_some()
    );
    // What refers to another skill is checked each time, as that one may be another.
    skill("outer", "skill: talk");
    assert!(check("outer").plan.is_some() && !is_kept("outer"));
    skill("talk", "tool: voice_gone");
    assert!(check("outer").plan.is_none());
    // So is one that may be mended, as the rules may call tools of servers.
    skill("mended", "tool: voice_tell, on_error: auto_heal");
    assert!(check("mended").plan.is_some() && !is_kept("mended"));
    // A command that looks whenever it needs something keeps nothing.
    skill("talk", "tool: voice_tell");
    let command = world.engine();
    let plans = [0, 1].map(|_| command.check("talk", Strictness::default()).unwrap().plan.unwrap());
    assert!(!Arc::ptr_eq(&plans[0], &plans[1]));
}

#[tokio::test]
async fn what_clients_are_told_is_never_older_than_the_files_it_was_made_of() {
    let world = World::new();
    let looking = Looking::Every(Duration::from_hours(1));
    let engine = Engine::new(Settings { looking, ..world.engine().settings().clone() });
    let has = |tool: &str| engine.catalogue().unwrap().tools().iter().any(|spec| spec.name == tool);
    world.put("work/.aa/tools/voice.yaml", &module("voice", "voice_say", "one"));
    assert!(has("voice_say"));
    world.put("work/.aa/tools/voice.yaml", &module("voice", "voice_tell", "one"));
    // For a moment nobody looks.
    std::thread::sleep(Duration::from_millis(150));
    assert!(has("voice_tell") && !has("voice_say"), "it is not yet time to look, but the change was seen");
}
