//! The store against its promises.

use aa_spec::plan::SkillPlan;
use aa_spec::skill::OnFailure;
use serde_json::{Map, Value, json};

use super::*;
use crate::event::{Body, StepError, StepPath};

mod death;
mod ends;
mod faults;
mod heal;
mod memory;
mod order;
mod tenants;

const OPTIONS: StoreOptions = StoreOptions { durability: Durability::Full, inline_limit: 64 * 1024 };

fn open(folder: &Path) -> Store {
    Store::open(folder, OPTIONS).unwrap()
}

fn plan(name: &str) -> Arc<Plan> {
    let skill = SkillPlan {
        name: name.to_owned(),
        description: String::new(),
        inputs: Vec::new(),
        defaults: Value::Null,
        env: Vec::new(),
        lenient: false,
        timeout_ms: None,
        on_failure: OnFailure::Stop,
        concurrency: 16,
        as_task: aa_spec::skill::AsTask::Auto,
        steps: Vec::new(),
        outputs: Vec::new(),
    };
    Arc::new(Plan { format: 1, skill, skills: std::collections::BTreeMap::new(), heal: Vec::new() })
}

fn new_run(skill: &str) -> NewRun {
    NewRun {
        skill: skill.to_owned(),
        plan: plan(skill),
        origin: Origin::Cli,
        at: at(0),
        folder: PathBuf::from("/somewhere"),
        request_key: None,
        tenant: "main".to_owned(),
        principal: "local".to_owned(),
    }
}

fn at(ms: i64) -> Time {
    Time::from_timestamp_millis(ms).unwrap()
}

/// The first event of every run in here.
#[expect(clippy::unnecessary_wraps, reason = "what `create` calls")]
fn begun(run: RunId) -> Result<Vec<Event>, StoreError> {
    let body = Body::SkillStarted {
        skill: "s".to_owned(),
        plan: plan("s").hash(),
        nonce: "n".to_owned(),
        inputs: Map::new(),
        config: Value::Null,
        env: Map::new(),
        folder: "/somewhere".to_owned(),
        dry_run: false,
        stubs: None,
        given: None,
        tools: std::collections::BTreeMap::new(),
        link: None,
        planned: None,
    };
    Ok(vec![event(run, 0, body)])
}

fn completed(output: Value) -> Body {
    Body::StepCompleted { step: StepPath("a".to_owned()), output, duration_ms: 1, reads: Vec::new() }
}

fn over() -> Body {
    Body::SkillCompleted { outputs: Map::new(), duration_ms: 1 }
}

fn event(run: RunId, seq: u64, body: Body) -> Event {
    Event { run_id: run, seq, at: at(seq.cast_signed()), source: Origin::Cli, body }
}

async fn create(store: &Store, skill: &str) -> Lease {
    match store.create(new_run(skill), begun).await.unwrap() {
        Created::New(lease) => lease,
        Created::Existing(run) => panic!("run {run} exists"),
    }
}

#[tokio::test]
async fn a_run_is_its_events() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let lease = create(&store, "s").await;
    let events = vec![event(lease.run, 1, completed(json!({"n": 1}))), event(lease.run, 2, over())];
    store.append(lease, events.clone(), Vec::new()).await.unwrap();
    assert_eq!(store.events(lease.run, 1).unwrap(), events);
    assert_eq!(store.events(lease.run, 0).unwrap().len(), 3);
    assert_eq!(store.events(lease.run, 9).unwrap(), Vec::new());
    assert_eq!(store.plan(lease.run).unwrap().hash(), plan("s").hash());
    let summary = store.run(lease.run).unwrap();
    assert_eq!((summary.status, summary.events, summary.interrupted), (RunStatus::Completed, 3, false));
    assert_eq!((summary.ended_at, summary.folder), (Some(at(2)), PathBuf::from("/somewhere")));
    assert!(matches!(store.events(RunId(9), 0), Err(StoreError::NoRun(RunId(9)))));
}

#[tokio::test]
async fn the_same_request_finds_the_same_run() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let keyed = || NewRun { request_key: Some("k".to_owned()), ..new_run("s") };
    let Created::New(lease) = store.create(keyed(), begun).await.unwrap() else { panic!("not new") };
    assert_eq!(store.create(keyed(), begun).await.unwrap(), Created::Existing(lease.run));
    assert_ne!(create(&store, "s").await.run, lease.run);
    assert_eq!(store.runs(&RunFilter::default()).unwrap().len(), 2);
}

#[tokio::test]
async fn a_run_that_cannot_begin_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let refuse = |run| Err(StoreError::Corrupt { run, message: "no".to_owned() });
    assert!(matches!(store.create(new_run("s"), refuse).await, Err(StoreError::Corrupt { .. })));
    assert_eq!(store.runs(&RunFilter::default()).unwrap(), []);
    assert_eq!(create(&store, "s").await.run, RunId(1));
}

#[tokio::test]
async fn events_that_leave_a_gap_are_refused_and_nothing_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let lease = create(&store, "s").await;
    for seqs in [[2, 3], [0, 1], [1, 3]] {
        let events = seqs.map(|seq| event(lease.run, seq, completed(Value::Null))).to_vec();
        let refused = store.append(lease, events, Vec::new()).await;
        assert!(matches!(refused, Err(StoreError::Corrupt { .. })), "{seqs:?}");
    }
    assert_eq!(store.run(lease.run).unwrap().events, 1);
    store.append(lease, vec![event(lease.run, 1, over())], Vec::new()).await.unwrap();
}

#[tokio::test]
async fn big_bodies_live_in_files_and_damage_to_them_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let lease = create(&store, "s").await;
    let big = event(lease.run, 1, completed(Value::String("x".repeat(70_000))));
    store.append(lease, vec![big.clone()], Vec::new()).await.unwrap();
    assert_eq!(store.events(lease.run, 1).unwrap(), [big]);
    let shelf = std::fs::read_dir(folder.path().join("blobs")).unwrap().next().unwrap().unwrap().path();
    let blob = std::fs::read_dir(shelf).unwrap().next().unwrap().unwrap().path();
    std::fs::write(&blob, "something else").unwrap();
    let error = store.events(lease.run, 0).unwrap_err();
    assert!(error.to_string().contains("is damaged"), "{error}");
    assert_eq!(store.run(lease.run).unwrap().events, 2);
}

#[tokio::test]
async fn requests_wait_in_the_inbox_until_the_run_takes_them() {
    let folder = tempfile::tempdir().unwrap();
    let (driver, other) = (open(folder.path()), open(folder.path()));
    let lease = create(&driver, "s").await;
    let seen = driver.version().unwrap();
    let cancel = Ask::Cancel { reason: "enough".to_owned() };
    other.post(lease.run, Origin::Http, "ann", cancel.clone()).await.unwrap();
    assert_ne!(driver.version().unwrap(), seen);
    let inbox = driver.inbox(lease.run).unwrap();
    assert_eq!((inbox.len(), &inbox[0].by, &inbox[0].ask), (1, &"ann".to_owned(), &cancel));
    let event = event(lease.run, 1, completed(Value::Null));
    driver.append(lease, vec![event], vec![inbox[0].id]).await.unwrap();
    assert_eq!(driver.inbox(lease.run).unwrap(), []);
    let second = other.post(lease.run, Origin::Http, "ann", cancel.clone()).await.unwrap();
    assert!(other.withdraw(lease.run, second).await.unwrap());
    assert_eq!(driver.inbox(lease.run).unwrap(), []);
    assert!(!other.withdraw(lease.run, second).await.unwrap(), "it is gone already");
    let nowhere = other.post(RunId(7), Origin::Cli, "ann", cancel).await;
    assert!(matches!(nowhere, Err(StoreError::NoRun(RunId(7)))));
    assert!(matches!(driver.inbox(RunId(7)), Err(StoreError::NoRun(RunId(7)))));
}

#[tokio::test]
async fn runs_are_listed_newest_first_by_what_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let (first, second, third) =
        (create(&store, "a_b").await, create(&store, "c").await, create(&store, "a_b").await);
    store.append(first, vec![event(first.run, 1, over())], Vec::new()).await.unwrap();
    let error = StepError::new(aa_spec::tool::ErrorKind::Permanent, "no luck");
    let failed = Body::SkillFailed { error, step: None, duration_ms: 1 };
    store.append(second, vec![event(second.run, 1, failed)], Vec::new()).await.unwrap();
    let ids = |filter: RunFilter| -> Vec<RunId> {
        store.runs(&filter).unwrap().into_iter().map(|run| run.id).collect()
    };
    let all = RunFilter::default;
    assert_eq!(ids(all()), [third.run, second.run, first.run]);
    assert_eq!(ids(RunFilter { skill: Some("a-b".to_owned()), ..all() }), [third.run, first.run]);
    assert_eq!(ids(RunFilter { status: vec![RunStatus::Failed], ..all() }), [second.run]);
    assert_eq!(ids(RunFilter { before: Some(third.run), limit: Some(1), ..all() }), [second.run]);
    assert_eq!(store.run(second.run).unwrap().error, "no luck");
}

#[tokio::test]
async fn a_run_over_is_let_go_of_and_can_only_be_reopened() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (open(folder.path()), open(folder.path()));
    let lease = create(&first, "s").await;
    assert!(matches!(second.acquire(lease.run).await, Err(StoreError::Busy(_))));
    first.append(lease, vec![event(lease.run, 1, over())], Vec::new()).await.unwrap();
    first.release(lease).await.unwrap();
    let refused = second.acquire(lease.run).await;
    assert!(matches!(refused, Err(StoreError::Over { status: RunStatus::Completed, .. })), "{refused:?}");

    let again = second.reopen(lease.run).await.unwrap();
    assert!(matches!(first.reopen(lease.run).await, Err(StoreError::Busy(_))));
    let undo = Body::UndoStarted { by: "ann".to_owned(), step: None, error: None };
    second.append(again, vec![event(lease.run, 2, undo)], Vec::new()).await.unwrap();
    assert_eq!(second.run(lease.run).unwrap().status, RunStatus::Running);
    let undone = Body::UndoFinished { step: None, failed: Vec::new() };
    second.append(again, vec![event(lease.run, 3, undone)], Vec::new()).await.unwrap();
    assert_eq!(second.run(lease.run).unwrap().status, RunStatus::Completed);
}

#[tokio::test]
async fn commits_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let mut commits = store.commits();
    commits.mark_unchanged();
    create(&store, "s").await;
    commits.changed().await.unwrap();
}
