use aa_spec::tool::ErrorKind;
use serde_json::json;

use super::*;
use crate::event::{Body, Origin, RunId};
use crate::store::RunStatus;

fn plan() -> Plan {
    let source = aa_spec::source::Source::new(
        "two.yaml",
        "name: two\ndescription: Two steps\nsteps:\n  - {name: ask, confirm: {message: go?}}\n  - {name: done, wait: 1s, needs: [ask]}\n",
    );
    let (plan, diagnostics) = aa_spec::check::check(&source, &Nothing, aa_spec::check::Strictness::default());
    plan.unwrap_or_else(|| panic!("{diagnostics:?}"))
}

struct Nothing;

impl aa_spec::check::Catalog for Nothing {
    fn tool(&self, _: &str) -> Option<std::sync::Arc<aa_spec::tool::ToolSpec>> {
        None
    }

    fn tool_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn heal_rules(&self, _: &[String]) -> Vec<aa_spec::heal::HealPlan> {
        Vec::new()
    }

    fn skill(&self, _: &str) -> Option<aa_spec::source::Source> {
        None
    }

    fn skill_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn secret_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn config(&self) -> Value {
        Value::Null
    }
}

fn run() -> RunSummary {
    RunSummary {
        id: RunId(7),
        skill: "two".to_owned(),
        plan: String::new(),
        status: RunStatus::Running,
        driven: true,
        interrupted: false,
        origin: Origin::Http,
        tenant: "main".to_owned(),
        principal: "local".to_owned(),
        started_at: Time::UNIX_EPOCH,
        ended_at: None,
        folder: "/".into(),
        events: 0,
        error: String::new(),
        stubbed: false,
    }
}

fn events(bodies: Vec<Value>) -> Vec<Event> {
    let event = |(seq, body): (usize, Value)| Event {
        run_id: RunId(7),
        seq: seq as u64,
        at: Time::UNIX_EPOCH + chrono::TimeDelta::seconds(i64::try_from(seq).unwrap()),
        source: Origin::Http,
        body: serde_json::from_value::<Body>(body).unwrap(),
    };
    bodies.into_iter().enumerate().map(event).collect()
}

fn begun(more: Vec<Value>) -> Vec<Event> {
    let started =
        json!({"event": "skill_started", "skill": "two", "plan": "", "nonce": "", "inputs": {"a": 1}});
    events(std::iter::once(started).chain(more).collect())
}

#[test]
fn steps_that_have_not_begun_are_there_in_the_order_of_the_skill() {
    let course = Course::of(run(), &plan(), &begun(vec![]));
    let names: Vec<_> = course.steps.iter().map(|step| (step.path.0.as_str(), step.state)).collect();
    assert_eq!(names, [("ask", StepState::Pending), ("done", StepState::Pending)]);
    assert_eq!((course.inputs["a"].clone(), course.next_seq), (json!(1), 1));
}

#[test]
fn attempts_and_their_errors_are_told_apart() {
    let error = |text: &str| json!({"kind": ErrorKind::Network, "message": text});
    let started =
        |attempt: u32| json!({"event": "step_started", "step": "ask", "attempt": attempt, "kind": "tool"});
    let course = Course::of(
        run(),
        &plan(),
        &begun(vec![
            started(1),
            json!({"event": "step_retrying", "step": "ask", "attempt": 1, "error": error("one"), "until": Time::UNIX_EPOCH}),
            started(2),
            json!({"event": "step_failed", "step": "ask", "error": error("two"), "duration_ms": 3000}),
        ]),
    );
    let step = course.step(&StepPath("ask".to_owned())).unwrap();
    let errors: Vec<_> =
        step.attempts.iter().map(|one| one.error.as_ref().unwrap().message.as_str()).collect();
    assert_eq!((errors, step.state, step.duration_ms), (vec!["one", "two"], StepState::Failed, Some(3000)));
}

#[test]
fn asking_how_a_step_has_ended_is_over_with_the_answer() {
    let started =
        |step: &str, kind: &str| json!({"event": "step_started", "step": step, "attempt": 1, "kind": kind});
    let resolved = json!({"event": "step_resolved", "step": "ask", "resolution": {"done": {"output": 1}}, "by": "reconcile"});
    let completed = json!({"event": "step_completed", "step": "ask", "output": 1, "duration_ms": 4000});
    let course = Course::of(
        run(),
        &plan(),
        &begun(vec![started("ask", "tool"), started("ask#reconcile", "reconcile"), resolved, completed]),
    );
    let inquiry = course.step(&StepPath("ask#reconcile".to_owned())).unwrap();
    assert_eq!((inquiry.state, inquiry.duration_ms), (StepState::Completed, Some(1000)));
    assert!(inquiry.ended_at.is_some() && inquiry.attempts[0].ended_at.is_some());
    let step = course.step(&StepPath("ask".to_owned())).unwrap();
    assert_eq!((step.state, step.duration_ms), (StepState::Completed, Some(4000)));
}

#[test]
fn a_question_is_open_until_it_is_answered_or_the_run_is_over() {
    let asks = json!({"event": "confirm_requested", "step": "ask", "message": "go?", "options": ["yes"]});
    let started = json!({"event": "step_started", "step": "ask", "attempt": 1, "kind": "confirm"});
    let open = vec![started, asks];
    let course = Course::of(run(), &plan(), &begun(open.clone()));
    let (path, question) = course.questions().next().unwrap();
    assert_eq!((path.0.as_str(), question.id.as_str()), ("ask", "7:2"));
    let answered = json!({"event": "confirm_answered", "step": "ask", "answer": "yes", "by": "ann"});
    let cancelled = json!({"event": "skill_cancelled", "duration_ms": 1});
    for end in [answered, cancelled] {
        let course = Course::of(run(), &plan(), &begun([open.clone(), vec![end]].concat()));
        assert_eq!(course.questions().count(), 0);
    }
}

#[test]
fn parts_follow_the_step_that_they_are_of_and_taking_back_comes_last() {
    let started = |step: &str| json!({"event": "step_started", "step": step, "attempt": 1, "kind": "tool"});
    let all = ["done", "ask#undo", "ask", "ask[0]", "ask[0]/x"];
    let course = Course::of(run(), &plan(), &begun(all.into_iter().map(started).collect()));
    let names: Vec<_> = course.steps.iter().map(|step| step.path.0.as_str()).collect();
    assert_eq!(names, ["ask", "ask[0]", "ask[0]/x", "done", "ask#undo"]);
    assert_eq!(course.steps[2].parent, Some(StepPath("ask[0]".to_owned())));
}

#[test]
fn a_log_is_of_all_steps_or_of_one_with_its_parts() {
    let says = |step: &str| json!({"event": "step_progress", "step": step, "message": step});
    let events = begun(["a", "a[0]", "ab", "a#heal/1_x"].into_iter().map(says).collect());
    let texts = |step: Option<&str>| {
        let step = step.map(|step| StepPath(step.to_owned()));
        log::of(&events, step.as_ref()).into_iter().map(|line| line.text).collect::<Vec<_>>()
    };
    assert_eq!(texts(None).len(), 4);
    assert_eq!(texts(Some("a")), ["a", "a[0]", "a#heal/1_x"]);
}

#[test]
fn a_path_says_what_it_is_part_of() {
    let cases = [
        ("build", None),
        ("fan[3]", Some("fan")),
        ("fan[3]/x", Some("fan[3]")),
        ("release/build", Some("release")),
        ("health/1_git_log", Some("health")),
        ("release/fan[0]", Some("release/fan")),
        ("build#undo", None),
        ("fan[3]#undo", None),
        ("release/build#undo", None),
        ("a/build#heal/1_login", Some("a/build")),
        ("build#heal/1_login/x", Some("build#heal/1_login")),
        ("build#heal/1_login#reconcile", None),
    ];
    for (path, expected) in cases {
        assert_eq!(parent(path), expected, "{path}");
    }
}

#[test]
fn what_a_picture_has_is_counted_and_no_approval() {
    let asked = crate::machine::Machine::approval("may it?".to_owned());
    let event = Event { run_id: RunId(7), seq: 0, at: Time::UNIX_EPOCH, source: Origin::Http, body: asked };
    let course = Course::of(run(), &plan(), &[event]);
    let names = |steps: Vec<&StepCourse>| steps.iter().map(|step| step.path.0.clone()).collect::<Vec<_>>();
    assert_eq!(names(course.steps.iter().collect()), ["approval", "ask", "done"]);
    assert_eq!(names(course.top().collect()), ["ask", "done"]);
    assert!(course.marks().is_empty());
}
