//! The rules by tables; watching over a real store, in one process and in two.

use std::path::Path;
use std::process::{Child, Command};
use std::sync::Arc;

use aa_spec::tool::ErrorKind;
use chrono::TimeDelta;
use serde_json::json;

use super::*;
use crate::driver::Toolbox;
use crate::event::StepError;
use crate::machine::Call;
use crate::store::{Durability, Store, StoreOptions};

fn time(days: i64) -> Time {
    Time::from_timestamp_millis(1_800_000_000_000).unwrap() + TimeDelta::days(days)
}

fn mistake(seen: u32, prevented: u32, false_alarms: u32, mark: Mark) -> Mistake {
    Mistake {
        id: "m".to_owned(),
        tool: "t".to_owned(),
        category: Category::IncorrectParameter,
        mark,
        error: String::new(),
        advice: String::new(),
        seen,
        prevented,
        false_alarms,
        first_at: time(0),
        last_at: time(0),
        open: Vec::new(),
    }
}

fn exact() -> Mark {
    Mark::Value { argument: "branch".to_owned(), value: json!("mian") }
}

fn alike() -> Mark {
    Mark::Before { tool: "first".to_owned() }
}

#[test]
fn confidence_grows_with_what_was_seen_and_what_warnings_did() {
    for (seen, prevented, wrong, mark, expected, warns) in [
        (1, 0, 0, alike(), 0.50, false),
        (2, 0, 0, alike(), 0.50, false),
        (3, 0, 0, alike(), 0.60, false),
        (5, 0, 0, alike(), 0.70, false),
        (9, 0, 0, alike(), 0.70, false),
        (10, 0, 0, alike(), 0.75, true),
        (20, 0, 0, alike(), 0.85, true),
        (45, 0, 0, alike(), 0.92, true),
        (100, 0, 0, alike(), 0.95, true),
        // The very same value is known sooner.
        (2, 0, 0, exact(), 0.50, false),
        (3, 0, 0, exact(), 0.75, true),
        (20, 0, 0, exact(), 0.85, true),
        (3, 0, 0, Mark::Short { argument: "image_tag".to_owned(), than: 40 }, 0.75, true),
        // 70 parts of what was seen, 30 of what warnings did.
        (10, 1, 0, alike(), 0.825, true),
        (100, 9, 0, alike(), 0.965, true),
        (10, 1, 1, alike(), 0.625, false),
        (10, 0, 1, alike(), 0.475, false),
        (10, 0, 9, alike(), 0.30, false),
        (3, 1, 0, exact(), 0.825, true),
    ] {
        let mistake = mistake(seen, prevented, wrong, mark);
        let sure = mistake.confidence(time(0));
        assert!((sure - expected).abs() < 1e-9, "{seen} {prevented} {wrong}: {sure}, not {expected}");
        assert_eq!(mistake.warns(time(0)), warns, "{seen} {prevented} {wrong}");
    }
}

#[test]
fn confidence_fades_by_a_twentieth_each_month_and_not_below_a_half() {
    for (seen, days, expected) in [
        (100, 0, 0.95),
        (100, 29, 0.95),
        (100, 30, 0.9025),
        (100, 60, 0.857_375),
        (10, 30, 0.7125),
        (10, 3650, 0.50),
        (1, 3650, 0.50),
        (100, -5, 0.95),
    ] {
        let sure = mistake(seen, 0, 0, alike()).confidence(time(days));
        assert!((sure - expected).abs() < 1e-9, "{seen} {days}: {sure}, not {expected}");
    }
    let wrong = mistake(10, 0, 9, alike());
    assert!((wrong.confidence(time(3650)) - 0.30).abs() < 1e-9, "waiting makes nothing surer");
}

#[test]
fn what_is_not_worth_remembering_is_forgotten() {
    for (seen, prevented, wrong, days, stale) in [
        (1, 0, 0, 0, false),
        (1, 0, 0, 30, false),
        (2, 0, 0, 31, true),
        (3, 0, 0, 31, false),
        (3, 0, 0, 91, true),
        (5, 0, 0, 91, false),
        (10, 0, 1, 0, true),
        (10, 1, 1, 0, false),
    ] {
        let known = mistake(seen, prevented, wrong, alike());
        assert_eq!(known.is_stale(time(days)), stale, "{seen} {prevented} {wrong} {days}");
    }
}

/// A store, and runs in it.
struct Bench {
    store: Store,
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { store: open(folder.path()), folder }
    }

    /// The watch of a run as it starts.
    fn watch(&self, run: i64) -> Watch {
        watch(&self.store, run, self.store.mistakes().unwrap())
    }

    fn only(&self) -> Mistake {
        let known = self.store.mistakes().unwrap();
        assert_eq!(known.len(), 1, "{known:?}");
        known.into_iter().next().unwrap()
    }
}

fn open(folder: &Path) -> Store {
    Store::open(folder, StoreOptions { durability: Durability::Normal, inline_limit: 1000 }).unwrap()
}

fn watch(store: &Store, run: i64, known: Vec<Mistake>) -> Watch {
    let means = Means { store: store.clone(), run: RunId(run), skill: "s".to_owned(), from_start: true };
    Watch::of(means, known)
}

fn call(step: &str, tool: &str, args: Value) -> Call {
    let Value::Object(args) = args else { panic!("arguments are an object") };
    Call {
        step: StepPath(step.to_owned()),
        attempt: 1,
        tool: tool.to_owned(),
        args,
        idempotency_key: String::new(),
        deadline: None,
    }
}

fn checkout(step: &str, target: &str) -> Call {
    call(step, "git_checkout", json!({"target": target}))
}

fn wrong() -> StepError {
    StepError::new(ErrorKind::Permanent, "pathspec 'mian' did not match any file")
}

fn no_tools() -> Toolbox {
    Arc::new(|_| None)
}

#[tokio::test]
async fn the_fourth_call_is_warned_of_what_failed_three_times() {
    let bench = Bench::new();
    let mut watch = bench.watch(1);
    for step in ["a", "b", "c"] {
        let call = checkout(step, "mian");
        assert_eq!(watch.before(&call, time(0)), []);
        watch.after(&call, (Some(&wrong()), false), time(0), &no_tools());
    }
    let warnings = watch.before(&checkout("d", "mian"), time(0));
    assert_eq!(warnings.len(), 1);
    let message = "`target` is \"mian\": `git_checkout` failed of it 3 times (wrong argument, confidence 0.75): \
                   pathspec 'mian' did not match any file; use another value of `target`";
    assert_eq!(warnings[0].1, message);
    assert_eq!(watch.before(&checkout("e", "main"), time(0)), [], "another value");
    watch.after(&checkout("d", "mian"), (Some(&wrong()), false), time(0), &no_tools());
    watch.finish().await;
    let known = bench.only();
    assert_eq!((known.seen, known.prevented, known.false_alarms, known.open.len()), (4, 0, 0, 0));
    // Another run knows it from the start, and after a month not any more.
    assert_eq!(bench.watch(2).before(&checkout("x", "mian"), time(1)).len(), 1);
    assert_eq!(bench.watch(2).before(&checkout("x", "mian"), time(31)), []);
}

#[tokio::test]
async fn a_success_after_a_warning_counts_as_prevention() {
    let bench = Bench::new();
    let mut first = bench.watch(1);
    for step in ["a", "b", "c"] {
        first.after(&checkout(step, "mian"), (Some(&wrong()), false), time(0), &no_tools());
    }
    assert_eq!(first.before(&checkout("d", "mian"), time(0)).len(), 1);
    first.finish().await;
    assert_eq!(bench.only().open.len(), 1);

    // A later run of the skill, at the same step; one at another step means something else.
    let mut second = bench.watch(2);
    second.after(&checkout("other", "main"), (None, false), time(1), &no_tools());
    second.finish().await;
    assert_eq!((bench.only().prevented, bench.only().open.len()), (0, 1));
    second.after(&checkout("d", "main"), (None, false), time(1), &no_tools());
    second.after(&checkout("d", "main"), (None, false), time(1), &no_tools());
    second.finish().await;
    let known = bench.only();
    assert_eq!((known.seen, known.prevented, known.false_alarms, known.open.len()), (3, 1, 0, 0));
    assert!((known.confidence(time(0)) - 0.825).abs() < 1e-9);
}

#[tokio::test]
async fn a_warning_of_what_works_was_wrong() {
    let bench = Bench::new();
    let mut watch = bench.watch(1);
    for step in ["a", "b", "c"] {
        watch.after(&checkout(step, "mian"), (Some(&wrong()), false), time(0), &no_tools());
    }
    watch.before(&checkout("d", "mian"), time(0));
    watch.after(&checkout("d", "mian"), (None, false), time(0), &no_tools());
    assert_eq!(watch.before(&checkout("e", "mian"), time(0)), [], "it is not trusted any more");
    watch.finish().await;
    let known = bench.only();
    assert_eq!((known.prevented, known.false_alarms, known.open.len()), (0, 1, 0));
}

#[tokio::test]
async fn warnings_are_forgotten_when_something_or_nothing_more_comes_of_them() {
    let bench = Bench::new();
    let mut watch = bench.watch(1);
    for step in ["a", "b", "c"] {
        watch.after(&checkout(step, "mian"), (Some(&wrong()), false), time(0), &no_tools());
    }
    watch.finish().await;
    let id = bench.only().id;
    let open = |run: i64| Open { run: RunId(run), skill: "s".to_owned(), step: StepPath("d".to_owned()) };
    let rows = || -> i64 {
        let db = rusqlite::Connection::open(bench.folder.path().join("aa.db")).unwrap();
        db.query_row("select count(*) from mistake_warnings", (), |row| row.get(0)).unwrap()
    };
    for (run, day) in [(1, 0), (2, 20), (3, 31)] {
        bench.store.put_warning(id.clone(), open(run), time(day)).await.unwrap();
    }
    assert_eq!(bench.only().open, [open(2), open(3)], "the first run has said nothing for a month");
    bench.store.settle_warnings(id.clone(), vec![open(2)], Outcome::Prevented).await.unwrap();
    assert_eq!((bench.only().prevented, bench.only().open, rows()), (1, vec![open(3)], 1));
    for run in 4..1010 {
        bench.store.put_warning(id.clone(), open(run), time(31)).await.unwrap();
    }
    assert_eq!((bench.only().open.len(), rows()), (1000, 1000));
}

#[tokio::test]
async fn an_order_is_learned_and_warned_of_until_it_is_kept() {
    let bench = Bench::new();
    let refused = StepError::new(ErrorKind::Permanent, "call login_first before this");
    let tools: Toolbox = Arc::new(|name| (name == "login_first").then(|| crate::mistake::tests::some_tool()));
    let mut first = bench.watch(1);
    for index in 0..10 {
        let call = call(&format!("push[{index}]"), "push_image", json!({"n": index}));
        first.after(&call, (Some(&refused), false), time(0), &tools);
    }
    first.finish().await;
    assert_eq!(bench.only().mark, Mark::Before { tool: "login_first".to_owned() });
    let mut second = bench.watch(2);
    assert_eq!(second.before(&call("p", "push_image", json!({"n": 99})), time(0)).len(), 1);
    second.after(&call("l", "login_first", json!({})), (None, false), time(0), &tools);
    assert_eq!(second.before(&call("q", "push_image", json!({"n": 99})), time(0)), []);
    // Who has not seen the beginning says nothing about orders.
    let means = Means { store: bench.store.clone(), run: RunId(3), skill: "s".to_owned(), from_start: false };
    let mut resumed = Watch::of(means, bench.store.mistakes().unwrap());
    assert_eq!(resumed.before(&call("p", "push_image", json!({})), time(0)), []);
}

#[tokio::test]
async fn what_is_tried_again_or_taken_back_or_fails_elsewhere_is_not_counted() {
    let bench = Bench::new();
    let mut watch = bench.watch(1);
    watch.after(&checkout("a", "mian"), (Some(&wrong()), true), time(0), &no_tools());
    watch.after(&checkout("a#undo", "mian"), (Some(&wrong()), false), time(0), &no_tools());
    for kind in [ErrorKind::Auth, ErrorKind::Network, ErrorKind::Timeout] {
        let error = StepError::new(kind, "pathspec 'mian' did not match");
        watch.after(&checkout("a", "mian"), (Some(&error), false), time(0), &no_tools());
    }
    watch.finish().await;
    assert_eq!(bench.store.mistakes().unwrap(), []);
}

#[tokio::test]
async fn a_mistake_can_be_forgotten() {
    let bench = Bench::new();
    let mut watch = bench.watch(1);
    watch.after(&checkout("a", "mian"), (Some(&wrong()), false), time(0), &no_tools());
    watch.finish().await;
    let id = bench.only().id;
    assert!(bench.store.forget_mistake(id.clone()).await.unwrap());
    assert!(!bench.store.forget_mistake(id).await.unwrap());
    assert_eq!(bench.store.mistakes().unwrap(), []);
}

#[tokio::test]
async fn a_new_mistake_drops_those_that_have_faded() {
    let bench = Bench::new();
    let mut watch = bench.watch(1);
    watch.after(&checkout("a", "mian"), (Some(&wrong()), false), time(0), &no_tools());
    let other = StepError::new(ErrorKind::NotFound, "no branch 'x1'");
    watch.after(&checkout("b", "x1"), (Some(&other), false), time(32), &no_tools());
    watch.finish().await;
    assert_eq!(bench.only().mark, Mark::Value { argument: "target".to_owned(), value: json!("x1") });
}

const FOLDER: &str = "AA_TEST_MISTAKES";
const EACH: u32 = 25;

/// This program as a child that runs [`count_in_another_process`] over a store's folder.
fn child(folder: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "mistake::tests::count_in_another_process", "--quiet"]);
    command.env(FOLDER, folder).spawn().unwrap()
}

#[tokio::test]
async fn count_in_another_process() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let store = open(Path::new(&folder));
    for index in 0..EACH {
        let mut watch = watch(&store, i64::from(std::process::id()), Vec::new());
        let call = checkout(&format!("s{index}"), "mian");
        watch.after(&call, (Some(&wrong()), false), time(0), &no_tools());
        watch.finish().await;
    }
}

#[tokio::test]
async fn two_processes_lose_no_count() {
    let folder = tempfile::tempdir().unwrap();
    let children = [child(folder.path()), child(folder.path())];
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let known = open(folder.path()).mistakes().unwrap();
    assert_eq!(known.iter().map(|mistake| mistake.seen).collect::<Vec<_>>(), [2 * EACH]);
}

fn some_tool() -> Arc<dyn crate::tool::Tool> {
    struct Some(Arc<aa_spec::tool::ToolSpec>);

    #[async_trait::async_trait]
    impl crate::tool::Tool for Some {
        fn spec(&self) -> &Arc<aa_spec::tool::ToolSpec> {
            &self.0
        }

        async fn call(
            &self,
            _: &crate::tool::CallContext,
            _: Map<String, Value>,
        ) -> Result<Value, crate::tool::ToolError> {
            Ok(Value::Null)
        }
    }

    Arc::new(Some(Arc::new(aa_spec::tool::ToolSpec {
        name: "login_first".to_owned(),
        module: "m".to_owned(),
        description: "d".to_owned(),
        input: json!({}),
        written: None,
        output: json!(true),
        effect: aa_spec::tool::Effect::Read,
        idempotent: true,
        keyed: None,
        tier: aa_spec::tool::Tier::default(),
        of_machine: false,
        cache_ms: None,
        reconcile: None,
        source: String::new(),
    })))
}
