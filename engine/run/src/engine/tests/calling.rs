//! Runs for clients: under a policy, in their turn, approved or rejected by people.

use aa_spec::tool::Effect;

use super::*;
use crate::caller::Sees;
use crate::grant::Grants;
use crate::policy::Rules;

const TIDY: &str = "\
name: tidy
description: Tidies up
inputs: [{name: what, type: string, required: true}]
timeout: 1h
steps:
  - {name: before, tool: look}
  - {name: act, tool: note, args: {text: 'tidied {{ inputs.what }}'}}
outputs:
  - {name: said, value: '{{ act }}'}
";

const SLOW: &str = "\
name: slow
description: Takes a little
steps:
  - {name: nap, tool: nap}
";

const NAPS: &str = "\
module: naps
description: Naps, and what goes wrong
tools:
  - {name: nap, description: Takes a little, effect: read, input: {}, run: [sleep, '0.3']}
  - {name: miss, description: Fails, effect: read, input: {}, run: ['false']}
  - {name: wipe, description: Wipes, effect: destructive, input: {}, run: [sh, -c, 'echo wiped >> log']}
heal:
  - {name: wiper, match: {tool: miss, exit_code: 1}, do: {tool: wipe}}
";

const MISS: &str = "\
name: miss_it
description: Only reads, as far as its steps go
steps:
  - {name: miss, tool: miss, on_error: auto_heal}
";

const BACK: &str = "\
name: back
description: Takes back what it has written
on_failure: undo
steps:
  - {name: act, tool: note, args: {text: here}, undo: {tool: wipe}}
";

fn world() -> World {
    let world = World::new();
    world.put("work/.aa/skills/tidy.yaml", TIDY);
    world.put("work/.aa/skills/slow.yaml", SLOW);
    world.put("work/.aa/tools/naps.yaml", NAPS);
    world.put("work/.aa/skills/miss_it.yaml", MISS);
    world.put("work/.aa/skills/back.yaml", BACK);
    world.put("work/log", "");
    world
}

/// An engine for a client, as another process would have it.
fn client(world: &World) -> Engine {
    let engine = world.engine();
    let sees = Sees::OwnIn(engine.settings().folder.clone());
    engine.for_caller(Caller { sees, ..Caller::local(Origin::Mcp) })
}

fn tidy() -> RunRequest {
    RunRequest { origin: Origin::Mcp, park: Park::Stay, ..request("tidy", json!({"what": "the desk"})) }
}

fn slow() -> RunRequest {
    RunRequest { origin: Origin::Mcp, park: Park::Stay, ..request("slow", json!({})) }
}

#[tokio::test]
async fn a_write_waits_for_an_approval_that_lists_it_before_anything_begins() {
    let world = world();
    let engine = client(&world);
    let mut handle = engine.start_called(tidy(), "s", true).await.unwrap();
    until(&mut handle, |body| matches!(body, Body::ConfirmRequested { .. })).await;
    let standing = engine.standing(handle.id).unwrap();
    let asked = &standing.questions[&step("approval")];
    assert_eq!(asked.options, ["approve", "reject"]);
    assert_eq!(asked.message, "May `tidy` run?\n- act (write): tool note {\"text\":\"tidied the desk\"}");
    assert_eq!(engine.run(handle.id).unwrap().status, RunStatus::Waiting);
    assert_eq!(kinds(&engine.events(handle.id, 0).unwrap()), ["skill_started", "confirm_requested"]);

    let refused = engine.answer_for_model(handle.id, "approval", "approve", "m").await.unwrap_err();
    assert!(refused.to_string().contains("a person has to answer"), "{refused}");
    let refused = engine.answer(handle.id, &step("approval"), "yes", "ann").await.unwrap_err();
    assert!(refused.to_string().contains("`yes` is not an answer"), "{refused}");
    let refused = engine.answer(handle.id, &step("act"), "approve", "ann").await.unwrap_err();
    assert!(matches!(refused, StartError::Refused(_)), "{refused}");
    assert_eq!(world.log(), "");

    // Whoever is faster, from wherever.
    world.engine().answer(handle.id, &step("approval"), "approve", "ann").await.unwrap();
    let late = engine.answer(handle.id, &step("approval"), "reject", "bob").await.unwrap_err();
    assert!(matches!(late, StartError::Refused(_) | StartError::Over { .. }), "{late}");
    let id = handle.id;
    assert!(matches!(finish(handle).await.1, Outcome::Completed(_)));
    assert_eq!(world.log(), "tidied the desk\n");
    assert_eq!(engine.run(id).unwrap().status, RunStatus::Completed);
}

#[tokio::test]
async fn where_reading_is_asked_about_the_question_is_what_is_read() {
    let world = world();
    world.put("work/.aa/config.yaml", "serve: {policy: {read: ask}}\n");
    let engine = client(&world);
    let handle = engine.start_called(slow(), "s", true).await.unwrap();
    let standing = engine.standing(handle.id).unwrap();
    let asked = &standing.questions[&step("approval")].message;
    assert!(asked.starts_with("May `slow` run?\n- ") && asked.contains(" (read): tool "), "{asked}");
    engine.cancel(handle.id, "ann", "").await.unwrap();
    finish(handle).await;
}

#[tokio::test]
async fn what_is_rejected_or_cancelled_never_begins() {
    let world = world();
    let engine = client(&world);
    let handle = engine.start_called(tidy(), "s", true).await.unwrap();
    engine.answer(handle.id, &step("approval"), "reject", "ann").await.unwrap();
    let (_, outcome) = finish(handle).await;
    let Outcome::Failed { error, step: at } = outcome else { panic!("{outcome:?}") };
    assert_eq!((error.message.as_str(), at), ("it was rejected by ann", Some(step("approval"))));

    let handle = engine.start_called(tidy(), "s", true).await.unwrap();
    engine.cancel(handle.id, "ann", "").await.unwrap();
    assert_eq!(finish(handle).await.1, Outcome::Cancelled);
    assert_eq!(world.log(), "");
}

#[tokio::test]
async fn the_plan_that_was_shown_stands_for_an_approval_and_another_does_not() {
    let world = world();
    let engine = client(&world);
    let plan = engine.plan(&tidy()).unwrap();
    let held = RunRequest { plan_hash: Some(plan.hash.clone()), ..tidy() };
    assert!(matches!(
        finish(engine.start_called(held, "s", true).await.unwrap()).await.1,
        Outcome::Completed(_)
    ));
    let other = request("tidy", json!({"what": "everything"}));
    let other = RunRequest { plan_hash: Some(plan.hash), origin: Origin::Mcp, ..other };
    let error = engine.start_called(other, "s", true).await.unwrap_err();
    assert!(matches!(error, StartError::PlanChanged { .. }), "{error}");
    assert_eq!(world.log(), "tidied the desk\n");
}

#[tokio::test]
async fn a_policy_forbids_and_a_dry_run_changes_nothing() {
    let world = world();
    world.put("work/.aa/config.yaml", "serve: {policy: {write: deny}}\n");
    let engine = client(&world);
    let error = engine.start_called(tidy(), "s", true).await.unwrap_err();
    assert!(error.to_string().contains("forbids what `tidy` does (write)"), "{error}");
    let dry = RunRequest { dry_run: true, ..tidy() };
    assert!(matches!(
        finish(engine.start_called(dry, "s", true).await.unwrap()).await.1,
        Outcome::Completed(_)
    ));
    assert_eq!(world.log(), "");
    assert_eq!(engine.runs(&RunFilter::default()).unwrap().len(), 1, "what is forbidden leaves no run");
}

#[tokio::test]
async fn a_call_of_a_tool_that_changes_something_is_a_run_and_its_arguments_are_data() {
    let world = world();
    let engine = client(&world);
    let args = json!({"text": "{{ 1 + 1 }} {{ secrets.TOKEN }}"}).as_object().unwrap().clone();
    let direct = Direct { tool: "note".to_owned(), args, request_key: Some("once".to_owned()) };
    let handle = engine.start_call(direct.clone(), "s").await.unwrap();
    let id = handle.id;
    assert_eq!(engine.run(id).unwrap().skill, "call:note");
    engine.answer(id, &step("approval"), "approve", "ann").await.unwrap();
    let (_, outcome) = finish(handle).await;
    let said = json!({"result": "{{ 1 + 1 }} {{ secrets.TOKEN }}"});
    assert_eq!(outcome, Outcome::Completed(said.as_object().unwrap().clone()));
    let again = engine.start_call(direct.clone(), "s").await.unwrap();
    assert_eq!(again.id, id, "the same call");
    let other = Direct { args: json!({"text": "x"}).as_object().unwrap().clone(), ..direct.clone() };
    let error = engine.start_call(other, "s").await.unwrap_err();
    assert!(error.to_string().contains("belongs to run 1"), "{error}");
    let wrong = Direct { args: json!({"txt": "x"}).as_object().unwrap().clone(), ..direct };
    assert!(matches!(engine.start_call(wrong, "s").await, Err(StartError::Refused(_))));
    assert_eq!(world.log(), "{{ 1 + 1 }} {{ secrets.TOKEN }}\n");
}

#[tokio::test]
async fn a_crash_after_any_event_loses_no_approval_and_asks_none_twice() {
    // Events: started, asked, answered, and the first step's start.
    for died_after in 1..=4_u64 {
        let world = world();
        // The driver dies right after the commit; of the first two events nothing follows by itself.
        let dies = move |event: &Event| assert!(event.seq < 2 || event.seq + 1 != died_after, "it dies");
        let engine = client(&world).after_commit(Arc::new(dies));
        let handle = engine.start_called(tidy(), "s", true).await.unwrap();
        let id = handle.id;
        if died_after > 2 {
            engine.answer(id, &step("approval"), "approve", "ann").await.unwrap();
        } else {
            handle.outcome.abort();
        }
        assert!(timeout(PATIENCE, handle.outcome).await.unwrap().is_err(), "{died_after}");
        drop(engine);

        let engine = client(&world);
        // One that waits for a person is left to whoever brings the answer.
        let left = if died_after <= 2 { vec![] } else { vec![id] };
        assert_eq!(engine.take_over().await.unwrap(), left, "{died_after}");
        let open = engine.standing(id).unwrap().questions.contains_key(&step("approval"));
        assert_eq!(open, died_after <= 2, "{died_after}");
        if open {
            assert_eq!(world.log(), "");
            engine.answer(id, &step("approval"), "approve", "bob").await.unwrap();
        }
        let work = engine.attend(id, "s").await.unwrap();
        let outcome = timeout(PATIENCE, work.outcome).await.unwrap().unwrap().unwrap();
        assert!(matches!(outcome, Outcome::Completed(_)), "{died_after}: {outcome:?}");
        assert_eq!(world.log(), "tidied the desk\n", "{died_after}");
        let events = engine.events(id, 0).unwrap();
        let asked = events.iter().filter(|event| matches!(event.body, Body::ConfirmRequested { .. }));
        assert_eq!(asked.count(), 1, "{died_after}");
    }
}

const WHERE: &str = "\
name: where
description: Asks where to
steps:
  - name: to
    confirm:
      message: where to?
      form:
        region: {enum: [eu, us], title: Region}
        replicas: {type: integer, minimum: 1, default: 2}
        note: {required: false}
  - {name: after, tool: look}
outputs:
  - {name: to, value: '{{ to }}'}
";

/// Waits until a step asks.
async fn asks(engine: &Engine, run: RunId, name: &str) {
    let asking = async {
        while !engine.standing(run).unwrap().questions.contains_key(&step(name)) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, asking).await.unwrap();
}

#[tokio::test]
async fn a_form_is_checked_and_filled_up_whenever_the_process_dies() {
    let answer = r#"{"region": "eu"}"#;
    // Events: started, step started, asked, answered, step completed, and the next one's start.
    // The first three share the commit that the run is created with.
    for died_at in 3..=5_u64 {
        let world = world();
        world.put("work/.aa/skills/where.yaml", WHERE);
        let dies = move |event: &Event| assert!(event.seq != died_at, "it dies");
        let engine = world.engine().after_commit(Arc::new(dies));
        let staying = RunRequest { park: Park::Stay, ..request("where", json!({})) };
        let handle = engine.start(staying).await.unwrap();
        let id = handle.id;
        if died_at > 2 {
            asks(&engine, id, "to").await;
            engine.answer(id, &step("to"), answer, "ann").await.unwrap();
        }
        assert!(timeout(PATIENCE, handle.outcome).await.unwrap().is_err(), "{died_at}");
        drop(engine);

        let engine = world.engine();
        let handle = engine.resume(id, Park::Stay).await.unwrap();
        if died_at <= 2 {
            asks(&engine, id, "to").await;
            for wrong in ["eu", "{}", r#"{"region": "asia"}"#, r#"{"region": "eu", "x": 1}"#] {
                let refused = engine.answer(id, &step("to"), wrong, "ann").await.unwrap_err();
                assert!(refused.to_string().contains("does not fill in the form of `to`"), "{refused}");
            }
            engine.answer(id, &step("to"), answer, "ann").await.unwrap();
        }
        let (_, outcome) = finish(handle).await;
        let expected = json!({"to": {"region": "eu", "replicas": 2, "note": null}});
        assert_eq!(outcome, Outcome::Completed(expected.as_object().unwrap().clone()), "{died_at}");
        let events = engine.events(id, 0).unwrap();
        let asked = events.iter().filter(|event| matches!(event.body, Body::ConfirmRequested { .. }));
        assert_eq!(asked.count(), 1, "{died_at}");
    }
}

#[tokio::test]
async fn only_so_many_runs_move_and_one_that_waits_for_a_person_is_none_of_them() {
    let world = world();
    world.put("work/.aa/config.yaml", "serve: {runs: 2, runs_per_session: 1}\n");
    let engine = client(&world);
    // Its question is open, so it takes no place.
    let waiting = engine.start_called(tidy(), "a", true).await.unwrap();
    let mut handles = Vec::new();
    for session in ["a", "a", "b", "c"] {
        handles.push(engine.start_called(slow(), session, true).await.unwrap());
    }
    let begun = |handle: &RunHandle| engine.standing(handle.id).unwrap().begun;
    let started: Vec<bool> = handles.iter().map(begun).collect();
    assert_eq!(started, [true, false, true, false]);
    assert_eq!(engine.standing(handles[1].id).unwrap().line(), "waiting for its turn");
    // One that waits for its turn can be cancelled, and leaves no gap.
    engine.cancel(handles[1].id, "ann", "").await.unwrap();
    assert_eq!(finish(handles.remove(1)).await.1, Outcome::Cancelled);
    // An answer is taken at once, although there is no place to go on.
    engine.answer(waiting.id, &step("approval"), "approve", "ann").await.unwrap();
    for handle in handles {
        assert!(matches!(finish(handle).await.1, Outcome::Completed(_)));
    }
    assert!(matches!(finish(waiting).await.1, Outcome::Completed(_)));
    let most = most_at_once(&engine);
    assert!(most <= 2, "{most} at once");
}

/// How many runs were moving at the same time, by their events.
fn most_at_once(engine: &Engine) -> usize {
    let mut changes = Vec::new();
    for run in engine.runs(&RunFilter::default()).unwrap() {
        let events = engine.events(run.id, 0).unwrap();
        let first = events.iter().find(|event| matches!(event.body, Body::StepStarted { .. }));
        if let Some(first) = first {
            changes.push((first.at, 1));
            changes.push((run.ended_at.unwrap(), -1));
        }
    }
    changes.sort();
    let running = changes.iter().scan(0_i32, |now, (_, change)| {
        *now += change;
        Some(*now)
    });
    usize::try_from(running.max().unwrap()).unwrap()
}

#[tokio::test]
async fn a_driver_that_is_gone_leaves_its_place() {
    let world = world();
    world.put("work/.aa/config.yaml", "serve: {runs: 1}\n");
    let engine = client(&world);
    let first = engine.start_called(slow(), "a", true).await.unwrap();
    let second = engine.start_called(slow(), "b", true).await.unwrap();
    first.outcome.abort();
    assert!(matches!(finish(second).await.1, Outcome::Completed(_)));
}

#[tokio::test]
async fn the_key_of_another_caller_is_another_key() {
    let world = world();
    let engine = client(&world);
    let keyed = || RunRequest { request_key: Some("k".to_owned()), ..slow() };
    let first = engine.start_called(keyed(), "s", true).await.unwrap();
    let eve = engine.for_caller(Caller { principal: "eve".to_owned(), ..engine.caller().clone() });
    let second = eve.start_called(keyed(), "s", true).await.unwrap();
    assert_ne!(first.id, second.id);
    assert!(matches!(eve.attend(first.id, "s").await, Err(StartError::Store(StoreError::NoRun(_)))));
    assert!(eve.answer_for_model(first.id, "approval", "approve", "e").await.is_err());
    finish(first).await;
    finish(second).await;
}

#[tokio::test]
async fn an_answer_by_whatever_way_is_no_approval_of_ones_own_run() {
    let world = world();
    world.put("work/.aa/config.yaml", "serve: {policy: {write: ask}}\n");
    let engine = client(&world);
    let (principal, grants) = ("ann".to_owned(), Grants::Usual);
    let ann = engine.for_caller(Caller { principal, grants, ..engine.caller().clone() });
    let mut handle = ann.start_called(tidy(), "s", true).await.unwrap();
    until(&mut handle, |body| matches!(body, Body::ConfirmRequested { .. })).await;
    let asked = ann.standing(handle.id).unwrap().questions.remove(&step("approval")).unwrap();
    for refused in [
        ann.may_consent(handle.id, &asked),
        ann.answer_question(handle.id, &asked, "approve", "ann").await,
        ann.answer_open(handle.id, (&asked.step, None), "approve", "ann").await,
    ] {
        assert!(matches!(refused, Err(StartError::OwnApproval(run)) if run == handle.id), "{refused:?}");
    }
    assert_eq!(world.log(), "");
    let rules = Rules { self_approve: Some(true), ..Rules::default() };
    let trusted = ann.for_caller(Caller { rules, ..ann.caller().clone() });
    trusted.may_consent(handle.id, &asked).unwrap();
    // That they want it no more is theirs to say.
    ann.answer_question(handle.id, &asked, "reject", "ann").await.unwrap();
    assert!(matches!(finish(handle).await.1, Outcome::Failed { .. }));
}

#[tokio::test]
async fn a_mark_counts_once_and_the_key_stays() {
    let world = world();
    let engine = client(&world);
    let mark = engine.mark().unwrap();
    assert!(engine.use_mark(&mark, Duration::from_mins(1)).await.unwrap());
    assert!(!engine.use_mark(&mark, Duration::from_mins(1)).await.unwrap());
    assert!(engine.use_mark(&engine.mark().unwrap(), Duration::from_mins(1)).await.unwrap());
    let key = engine.sealing_key().unwrap();
    assert_eq!((key.len(), client(&world).sealing_key().unwrap() == key), (32, true));
    let file = fs::metadata(engine.settings().state_folder.join("seal.key")).unwrap();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&file.permissions()) & 0o777, 0o600);
}

fn called(skill: &str, inputs: Value) -> RunRequest {
    RunRequest { origin: Origin::Mcp, park: Park::Stay, ..request(skill, inputs) }
}

#[tokio::test]
async fn what_heals_and_what_takes_back_is_judged_and_shown_like_a_step() {
    let world = world();
    let engine = client(&world);
    for (skill, line) in [
        ("miss_it", "- if a step fails, `wiper` (destructive): tool wipe"),
        ("back", "- if the run fails, undo `act` (destructive): tool wipe"),
    ] {
        // Not even the plan that was shown is enough for what destroys.
        let plan = engine.plan(&called(skill, json!({}))).unwrap();
        assert_eq!(plan.effect, Effect::Destructive);
        let held = RunRequest { plan_hash: Some(plan.hash), ..called(skill, json!({})) };
        let handle = engine.start_called(held, "s", true).await.unwrap();
        let asked = engine.standing(handle.id).unwrap().questions.remove(&step("approval")).unwrap();
        assert!(asked.message.contains(line), "{}", asked.message);
        engine.cancel(handle.id, "ann", "").await.unwrap();
        finish(handle).await;
    }
    world.put("work/.aa/config.yaml", "serve: {policy: {destructive: deny}}\n");
    let error = client(&world).start_called(called("miss_it", json!({})), "s", true).await.unwrap_err();
    assert!(error.to_string().contains("(destructive)"), "{error}");
    assert_eq!(world.log(), "");
}

#[tokio::test]
async fn a_run_left_behind_is_taken_over_in_its_own_folder() {
    let world = world();
    for folder in ["other", "gone"] {
        world.put(&format!("{folder}/.aa/tools/naps.yaml"), NAPS);
        world.put(&format!("{folder}/.aa/skills/slow.yaml"), SLOW);
    }
    let mut left = Vec::new();
    for folder in ["other", "gone"] {
        let folder = world.root.path().join(folder);
        let engine = client(&world).in_folder(&folder).unwrap();
        let sees = Sees::OwnIn(folder);
        let engine = engine.for_caller(Caller { sees, ..Caller::local(Origin::Mcp) });
        let handle = engine.start_called(slow(), "s", true).await.unwrap();
        let id = handle.id;
        handle.outcome.abort();
        assert!(timeout(PATIENCE, handle.outcome).await.unwrap().is_err());
        engine.leave_folders();
        drop(engine);
        left.push(id);
    }
    fs::rename(world.root.path().join("gone"), world.root.path().join("moved")).unwrap();
    let engine = client(&world);
    let mut taken = Vec::new();
    // The engine that is gone lets go of the store when its last task has ended.
    for _ in 0..200 {
        taken.extend(engine.take_over().await.unwrap());
        if !taken.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(taken, left[..1]);
    let engine = world.engine();
    let work = engine.attend(left[0], "s").await.unwrap();
    assert!(matches!(finish(work).await.1, Outcome::Completed(_)));
}

#[tokio::test]
async fn a_dry_run_does_not_stand_for_the_real_one() {
    let world = world();
    let engine = client(&world);
    let key = Some("k".to_owned());
    let dry = RunRequest { dry_run: true, request_key: key.clone(), ..tidy() };
    finish(engine.start_called(dry, "s", true).await.unwrap()).await;
    let real = RunRequest { request_key: key, ..tidy() };
    let error = engine.start_called(real, "s", true).await.unwrap_err();
    assert!(error.to_string().contains("belongs to run 1"), "{error}");
}

#[tokio::test]
async fn a_client_names_skills_and_never_files() {
    let world = world();
    world.put("evil.yaml", &SLOW.replace("slow", "evil"));
    let path = world.root.path().join("evil.yaml").display().to_string();
    assert!(world.engine().plan(&called(&path, json!({}))).is_ok(), "a person may");
    let engine = client(&world);
    for path in [path.as_str(), "/etc/passwd", "evil.yaml"] {
        let error = engine.start_called(called(path, json!({})), "s", true).await.unwrap_err();
        assert!(matches!(error, StartError::UnknownSkill { .. }), "{error}");
        let error = engine.plan(&called(path, json!({}))).unwrap_err();
        assert!(matches!(error, StartError::UnknownSkill { .. }), "{error}");
    }
}

#[tokio::test]
async fn time_that_passes_takes_no_place() {
    let world = world();
    world.put("work/.aa/config.yaml", "serve: {runs: 1}\n");
    world.put(
        "work/.aa/skills/later.yaml",
        "name: later\ndescription: Waits\nsteps: [{name: a, wait: 1m}, {name: b, tool: nap}]\n",
    );
    let engine = client(&world);
    let mut first = engine.start_called(called("later", json!({})), "a", true).await.unwrap();
    until(&mut first, |body| matches!(body, Body::StepStarted { .. })).await;
    let second = engine.start_called(slow(), "b", true).await.unwrap();
    assert!(matches!(finish(second).await.1, Outcome::Completed(_)));
    engine.cancel(first.id, "ann", "").await.unwrap();
    finish(first).await;
}

#[tokio::test]
async fn the_second_of_two_answers_is_told_so_and_an_answer_is_to_one_question() {
    let world = world();
    let engine = client(&world);
    let handle = engine.start_called(tidy(), "s", true).await.unwrap();
    let id = handle.id;
    let mut asked = engine.standing(id).unwrap().questions.remove(&step("approval")).unwrap();
    asked.seq += 1;
    let error = engine.answer_question(id, &asked, "approve", "ann").await.unwrap_err();
    assert!(error.to_string().contains("not open any more"), "{error}");
    handle.outcome.abort();
    drop(handle.notices);
    let _ = handle.outcome.await;
    drop(engine);

    let engine = client(&world);
    let first = Ask::Answer { step: step("approval"), answer: "reject".to_owned(), question: None };
    engine.parts.store().unwrap().post(id, Origin::Cli, "ann", first).await.unwrap();
    let error = engine.answer(id, &step("approval"), "approve", "bob").await.unwrap_err();
    assert!(error.to_string().contains("too late"), "{error}");
    let work = engine.attend(id, "s").await.unwrap();
    assert!(matches!(finish(work).await.1, Outcome::Failed { .. }));
    assert_eq!(world.log(), "");
}

#[tokio::test]
async fn calls_outside_of_runs_need_a_permit_as_well() {
    async fn nap(engine: &Engine) -> Result<Value, crate::event::StepError> {
        engine.call_tool("nap", Map::new(), Arc::new(|_: &str| {})).await
    }
    let world = world();
    world.put("work/.aa/config.yaml", "limits: {calls: 1}\n");
    let engine = client(&world);
    // The same reads of one principal would be made once.
    let of = |who: &str| engine.for_caller(Caller { principal: who.to_owned(), ..engine.caller().clone() });
    let (ann, ben, eve) = (of("ann"), of("ben"), of("eve"));
    let began = std::time::Instant::now();
    let (first, second, third) = tokio::join!(nap(&ann), nap(&ben), nap(&eve));
    assert!(first.is_ok() && second.is_ok() && third.is_ok());
    assert!(began.elapsed() >= Duration::from_millis(900), "{:?}", began.elapsed());
}

#[test]
fn all_who_make_the_first_key_get_the_same_and_only_the_owner_can_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let world = world();
    let engine = world.engine();
    let keys: Vec<_> = std::thread::scope(|scope| {
        let making: Vec<_> = (0..8).map(|_| scope.spawn(|| engine.sealing_key().unwrap())).collect();
        making.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert!(keys.windows(2).all(|pair| pair[0] == pair[1]));
    let path = engine.settings().state_folder.join("seal.key");
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(engine.sealing_key().unwrap_err().to_string().contains("others can read"));
}
