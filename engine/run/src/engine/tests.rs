//! Whole runs over real files, a real store and small tools.

use std::fs;
use std::time::Duration;

use aa_spec::tool::ErrorKind;
use serde_json::json;
use tokio::time::timeout;

use super::*;
use crate::caller::Caller;
use crate::event::Body;
use crate::settings::{Looking, Surroundings};
use crate::store::RunStatus;

mod asking;
mod calling;
mod copying;
mod crashing;
mod keeping;
mod mistaking;
mod reloading;
mod remembering;

/// Longer than anything in here takes.
const PATIENCE: Duration = Duration::from_secs(20);

const TOOLS: &str = r#"
module: probe
description: Tools that leave a trace in the file `log`
tools:
  - name: note
    description: Notes a text
    effect: write
    input: {text: {type: string}}
    run: [sh, -c, 'text=$(cat); echo "$text" >> log; echo "$text"']
    stdin: "{{ text }}"
  - name: hang
    description: Notes that it started, and does not end
    effect: write
    input: {}
    run: [sh, -c, 'echo hanging >> log; exec sleep 60']
  - name: look
    description: Reads the log
    effect: read
    input: {}
    run: [cat, log]
"#;

const GREET: &str = "\
name: greet
description: |
  Greets somebody
  at length
inputs:
  - {name: who, type: string, required: true}
  - {name: times, type: integer, default: 1}
steps:
  - {name: hello, tool: note, args: {text: 'hello {{ inputs.who }}'}, undo: {tool: note, args: {text: 'sorry {{ inputs.who }}'}}}
  - {name: seen, tool: look}
outputs:
  - {name: log, value: '{{ seen }}'}
";

/// A project on a machine of its own.
struct World {
    root: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let world = Self { root: tempfile::tempdir().unwrap() };
        world.put("work/.aa/tools/probe.yaml", TOOLS);
        world.put("work/.aa/skills/greet.yaml", GREET);
        world
    }

    fn put(&self, path: &str, text: &str) {
        let path = self.root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// An engine of its own, as another process would have it.
    fn engine(&self) -> Engine {
        let path = |of: &str| self.root.path().join(of).display().to_string();
        let environment =
            [("HOME", path("home")), ("PATH", "/usr/bin:/bin".to_owned()), ("TOKEN", "hunter2!".to_owned())];
        let surroundings = Surroundings {
            folder: self.root.path().join("work"),
            environment: environment.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            store: None,
        };
        Engine::new(Settings::resolve(&surroundings).unwrap())
    }

    /// The same of a process that serves, but looks at its files each time.
    fn serving_engine(&self) -> Engine {
        let looking = Looking::Every(Duration::ZERO);
        Engine::new(Settings { looking, ..self.engine().settings().clone() })
    }

    fn log(&self) -> String {
        fs::read_to_string(self.root.path().join("work/log")).unwrap_or_default()
    }
}

fn request(skill: &str, inputs: Value) -> RunRequest {
    let Value::Object(inputs) = inputs else { panic!("inputs are a mapping") };
    RunRequest {
        skill: skill.to_owned(),
        inputs: Inputs::Json(inputs),
        origin: Origin::Cli,
        dry_run: false,
        plan_hash: None,
        request_key: None,
        strictness: Strictness::default(),
        park: Park::Release,
    }
}

fn step(name: &str) -> StepPath {
    StepPath(name.to_owned())
}

/// Waits for a run's end and gives its events and outcome.
async fn finish(mut handle: RunHandle) -> (Vec<Event>, Outcome) {
    let work = async {
        let mut events = Vec::new();
        while let Some(notice) = handle.notices.recv().await {
            if let Notice::Event(event) = notice {
                events.push(*event);
            }
        }
        (events, handle.outcome.await.unwrap().unwrap())
    };
    timeout(PATIENCE, work).await.expect("the run ends in time")
}

/// Waits until a run says something.
async fn until(handle: &mut RunHandle, is: impl Fn(&Body) -> bool) {
    let work = async {
        loop {
            match handle.notices.recv().await.expect("the run goes on") {
                Notice::Event(event) if is(&event.body) => return,
                _ => {}
            }
        }
    };
    timeout(PATIENCE, work).await.expect("it is said in time");
}

fn kinds(events: &[Event]) -> Vec<&'static str> {
    events.iter().map(|event| event.body.kind()).collect()
}

#[tokio::test]
async fn a_run_goes_from_its_request_to_its_outputs() {
    let world = World::new();
    let engine = world.engine();
    let handle = engine.start(request("greet", json!({"who": "ann"}))).await.unwrap();
    let id = handle.id;
    let (events, outcome) = finish(handle).await;
    assert_eq!(outcome, Outcome::Completed(json!({"log": "hello ann"}).as_object().unwrap().clone()));
    let expected = [
        "skill_started",
        "step_started",
        "step_completed",
        "step_started",
        "step_completed",
        "skill_completed",
    ];
    assert_eq!(kinds(&events), expected);
    assert_eq!(engine.events(id, 0).unwrap(), events);
    assert_eq!(engine.run_plan(id).unwrap().skill.name, "greet");
    let Body::SkillStarted { inputs, nonce, .. } = &events[0].body else { panic!("no start") };
    assert_eq!((json!(inputs), nonce.len()), (json!({"who": "ann", "times": 1}), 32));
    assert_eq!(engine.run(id).unwrap().status, RunStatus::Completed);
}

#[tokio::test]
async fn what_is_wrong_is_said_before_there_is_a_run() {
    let world = World::new();
    world.put(
        "work/.aa/skills/broken.yaml",
        "name: broken\ndescription: x\nsteps: [{name: a, tool: note, args: {txt: x}}]\n",
    );
    let engine = world.engine();
    let error = engine.start(request("gret", json!({}))).await.unwrap_err();
    assert!(
        matches!(error, StartError::UnknownSkill { suggestion: Some(ref near), .. } if near == "greet"),
        "{error}"
    );
    let error = engine.start(request("./gone.yaml", json!({}))).await.unwrap_err();
    assert!(matches!(error, StartError::Unreadable { .. }), "{error}");
    let error = engine.start(request("broken", json!({}))).await.unwrap_err();
    assert!(matches!(error, StartError::Invalid(_)), "{error}");
    let error = engine.start(request("greet", json!({"times": "x", "whom": 1}))).await.unwrap_err();
    let StartError::Inputs(errors) = error else { panic!("{error}") };
    assert_eq!(errors.len(), 3, "{errors:?}");
    let stale = RunRequest { plan_hash: Some("0".to_owned()), ..request("greet", json!({"who": "ann"})) };
    let error = engine.start(stale).await.unwrap_err();
    assert!(matches!(error, StartError::PlanChanged { .. }), "{error}");
    assert_eq!(engine.runs(&RunFilter::default()).unwrap(), []);
    assert_eq!(world.log(), "");
}

#[tokio::test]
async fn a_plan_shows_what_would_happen_and_can_be_held_to() {
    let world = World::new();
    let engine = world.engine();
    let wanted = request("greet", json!({"who": "ann"}));
    let plan = engine.plan(&wanted).unwrap();
    assert_eq!(plan.steps[0].args, json!({"text": "hello ann"}));
    assert_eq!((plan.steps[0].undo, plan.steps[0].expected_ms), (true, None));
    assert_eq!(engine.plan(&wanted).unwrap().hash, plan.hash);
    assert_ne!(engine.plan(&request("greet", json!({"who": "bob"}))).unwrap().hash, plan.hash);
    assert_eq!(world.log(), "");
    let held = RunRequest { plan_hash: Some(plan.hash), ..wanted.clone() };
    let (_, outcome) = finish(engine.start(held).await.unwrap()).await;
    assert!(matches!(outcome, Outcome::Completed(_)));
    assert!(engine.plan(&wanted).unwrap().steps.iter().all(|step| step.expected_ms.is_some()));
}

#[tokio::test]
async fn texts_win_over_values_and_are_read_by_their_types() {
    let world = World::new();
    let engine = world.engine();
    let json = json!({"who": "ann", "times": 5}).as_object().unwrap().clone();
    let text = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    };
    let mixed = |pairs: &[(&str, &str)]| RunRequest {
        inputs: Inputs::Mixed { json: json.clone(), text: text(pairs) },
        ..request("greet", json!({}))
    };
    let plan = engine.plan(&mixed(&[("who", "bob")])).unwrap();
    assert_eq!(json!(plan.inputs), json!({"who": "bob", "times": 5}));
    let error = engine.plan(&mixed(&[("who", "bob"), ("who", "eve"), ("times", "x")])).unwrap_err();
    assert!(matches!(error, StartError::Inputs(ref errors) if errors.len() == 2), "{error:?}");
}

#[tokio::test]
async fn the_same_request_finds_the_same_run() {
    let world = World::new();
    let keyed =
        || RunRequest { request_key: Some("k".to_owned()), ..request("greet", json!({"who": "ann"})) };
    let first = world.engine().start(keyed()).await.unwrap();
    let id = first.id;
    let (events, outcome) = finish(first).await;
    let again = world.engine().start(keyed()).await.unwrap();
    assert_eq!(again.id, id);
    assert_eq!(finish(again).await, (events, outcome));
    assert_eq!(world.log(), "hello ann\n");
}

#[tokio::test]
async fn a_watcher_sees_every_event_and_then_the_end() {
    let world = World::new();
    let (here, there) = (world.engine(), world.engine());
    let handle = here.start(request("greet", json!({"who": "ann"}))).await.unwrap();
    let mut seen = there.watch(handle.id, 0).unwrap();
    let (events, _) = finish(handle).await;
    let work = async {
        let mut watched = Vec::new();
        while let Some(event) = seen.recv().await {
            watched.push(event);
        }
        watched
    };
    assert_eq!(timeout(PATIENCE, work).await.unwrap(), events);
    assert!(matches!(there.watch(RunId(99), 0), Err(StoreError::NoRun(_))));
}

#[tokio::test]
async fn what_a_run_did_can_be_taken_back() {
    let world = World::new();
    let engine = world.engine();
    let handle = engine.start(request("greet", json!({"who": "ann"}))).await.unwrap();
    let id = handle.id;
    finish(handle).await;
    finish(engine.undo(id, "ann").await.unwrap()).await;
    assert_eq!(world.log(), "hello ann\nsorry ann\n");
    assert_eq!(engine.run(id).unwrap().status, RunStatus::Completed);
    assert!(!engine.run(id).unwrap().interrupted);
}

#[test]
fn skills_are_listed_with_the_first_line_of_what_they_are_for() {
    let world = World::new();
    let skills = world.engine().skills().unwrap();
    let greet = skills.iter().find(|skill| skill.name == "greet").unwrap();
    assert_eq!((greet.description.as_str(), greet.layer.as_str()), ("Greets somebody", "project"));
    assert_eq!(greet.path, ".aa/skills/greet.yaml");
}

#[test]
fn a_tool_of_a_broken_module_is_explained_by_the_module() {
    let world = World::new();
    world.put("work/.aa/tools/probe.yaml", &TOOLS.replace("effect: read", "effect: reed"));
    let checked = world.engine().check("greet", Strictness::default()).unwrap();
    assert!(checked.plan.is_none());
    let module = checked.diagnostics.iter().filter(|of| &*of.source.path == ".aa/tools/probe.yaml");
    assert_eq!(module.count(), 1, "{:?}", checked.diagnostics);
}

#[tokio::test]
async fn a_tool_call_is_checked_and_its_secrets_are_opened_and_hidden() {
    let world = World::new();
    world.put("work/.aa/config.yaml", "secrets: {TOKEN: {env: TOKEN}}\n");
    let engine = world.engine();
    let call = |engine: &Engine, args: Value| {
        let engine = engine.clone();
        let args = args.as_object().unwrap().clone();
        async move { engine.call_tool("note", args, Arc::new(|_| {})).await }
    };
    let result = call(&engine, json!({"text": "{{ secrets.TOKEN }}"})).await.unwrap();
    assert_eq!(result, json!("‹secret:TOKEN›"));
    assert_eq!(world.log(), "hunter2!\n");
    // Another front end's text is only text.
    let result = call(&engine.for_caller(Caller::local(Origin::Mcp)), json!({"text": "{{ secrets.TOKEN }}"}))
        .await
        .unwrap();
    assert_eq!(result, json!("{{ secrets.TOKEN }}"));
    let kind = |result: Result<Value, StepError>| result.unwrap_err().kind;
    assert_eq!(kind(call(&engine, json!({"txt": 1})).await), ErrorKind::Invalid);
    assert_eq!(
        kind(call(&engine, json!({"text": "\u{FDD0}secret:TOKEN\u{FDD1}"})).await),
        ErrorKind::Invalid
    );
    let missing = engine.call_tool("notes", Map::new(), Arc::new(|_| {})).await.unwrap_err();
    assert_eq!(
        (missing.kind, missing.message.as_str()),
        (ErrorKind::NotFound, "there is no tool `notes`; did you mean `note`?")
    );
}
