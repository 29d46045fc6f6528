//! What a durable event costs, beside what the disk charges for one in the same run.
//!
//! `cargo bench -p aa-run --bench store [-- FOLDER]`

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench prints, and stops at the first surprise"
)]

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use aa_run::event::{Body, Event, Origin, RunId, StepPath, Time};
use aa_run::store::{Created, Durability, Lease, NewRun, RunFilter, Store, StoreOptions};
use aa_spec::plan::Plan;
use serde_json::{Map, Value, json};

const ROUNDS: usize = 8;
const APPENDS: usize = 100;

fn main() {
    let folder = std::env::args().nth(1).filter(|arg| !arg.starts_with("--"));
    let folder = tempfile::tempdir_in(folder.map_or_else(std::env::temp_dir, PathBuf::from)).unwrap();
    let one = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let many = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut series: Vec<(&str, Vec<Duration>)> = Vec::new();
    let mut add = |name: &'static str, mut times: Vec<Duration>| match series
        .iter_mut()
        .find(|(known, _)| *known == name)
    {
        Some((_, all)) => all.append(&mut times),
        None => series.push((name, times)),
    };
    // Taking turns, so that a noisy neighbour disturbs all alike.
    for _ in 0..ROUNDS {
        add("raw append of 400 bytes + fdatasync", raw(folder.path()));
        add("append of 2 events, full, one thread", one.block_on(appends(folder.path(), Durability::Full)));
        add(
            "append of 2 events, full, two threads",
            many.block_on(async {
                let folder = folder.path().to_owned();
                tokio::spawn(async move { appends(&folder, Durability::Full).await }).await.unwrap()
            }),
        );
        add(
            "append of 2 events, normal, one thread",
            one.block_on(appends(folder.path(), Durability::Normal)),
        );
        add("open, create, append, close", (0..20).map(|_| one.block_on(whole_run(folder.path()))).collect());
        add("open", (0..20).map(|_| timed(|| open(folder.path(), Durability::Full)).0).collect());
        add("list 20 of all runs", vec![list(folder.path())]);
        add("64 runs at once: one append of 2 events", many.block_on(crowd(folder.path())));
    }
    for (name, times) in &mut series {
        times.sort();
        let at = |percent: usize| times[(times.len() - 1) * percent / 100].as_micros();
        println!("{name:<42} p10 {:>7}  p50 {:>7}  p99 {:>8} µs", at(10), at(50), at(99));
    }
}

fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let start = Instant::now();
    let value = work();
    (start.elapsed(), value)
}

fn raw(folder: &Path) -> Vec<Duration> {
    let mut file = File::create(folder.join("raw")).unwrap();
    let line = [b'x'; 400];
    let mut append = || {
        file.write_all(&line).unwrap();
        file.sync_data().unwrap();
    };
    (0..APPENDS).map(|_| timed(&mut append).0).collect()
}

async fn appends(folder: &Path, durability: Durability) -> Vec<Duration> {
    let store = open(folder, durability);
    let lease = create(&store).await;
    let mut times = Vec::new();
    for round in 0..APPENDS as u64 {
        let events = pair(lease.run, 2 + 2 * round);
        let start = Instant::now();
        store.append(lease, events, Vec::new()).await.unwrap();
        times.push(start.elapsed());
    }
    finish(&store, lease, 2 + 2 * APPENDS as u64).await;
    times
}

async fn whole_run(folder: &Path) -> Duration {
    let start = Instant::now();
    let store = open(folder, Durability::Full);
    let lease = create(&store).await;
    finish(&store, lease, 2).await;
    drop(store);
    start.elapsed()
}

fn list(folder: &Path) -> Duration {
    let store = open(folder, Durability::Full);
    let filter = RunFilter { limit: Some(20), ..RunFilter::default() };
    timed(|| store.runs(&filter).unwrap()).0
}

async fn crowd(folder: &Path) -> Vec<Duration> {
    let store = open(folder, Durability::Full);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let store = store.clone();
        tasks.spawn(async move {
            let lease = create(&store).await;
            let mut times = Vec::new();
            for round in 0..20 {
                let start = Instant::now();
                store.append(lease, pair(lease.run, 2 + 2 * round), Vec::new()).await.unwrap();
                times.push(start.elapsed());
            }
            finish(&store, lease, 42).await;
            times
        });
    }
    tasks.join_all().await.concat()
}

fn open(folder: &Path, durability: Durability) -> Store {
    Store::open(&folder.join("store"), StoreOptions { durability, inline_limit: 64 * 1024 }).unwrap()
}

/// Two events of a common size.
fn pair(run: RunId, from: u64) -> Vec<Event> {
    vec![event(run, from, completed()), event(run, from + 1, started())]
}

fn event(run: RunId, seq: u64, body: Body) -> Event {
    Event { run_id: run, seq, at: now(), source: Origin::Cli, body }
}

fn started() -> Body {
    Body::StepStarted {
        step: StepPath("build".to_owned()),
        attempt: 1,
        kind: "tool".to_owned(),
        target: Some("shell_run".to_owned()),
        args: Some(json!({"command": "x".repeat(150)})),
        until: None,
        items: None,
    }
}

fn completed() -> Body {
    Body::StepCompleted {
        step: StepPath("build".to_owned()),
        output: json!("x".repeat(250)),
        duration_ms: 1,
        reads: Vec::new(),
    }
}

fn now() -> Time {
    chrono::Utc::now()
}

async fn finish(store: &Store, lease: Lease, from: u64) {
    let over = Body::SkillCompleted { outputs: Map::new(), duration_ms: 1 };
    let events = vec![event(lease.run, from, completed()), event(lease.run, from + 1, over)];
    store.append(lease, events, Vec::new()).await.unwrap();
}

async fn create(store: &Store) -> Lease {
    let plan: Plan = serde_json::from_value(json!({"format": 1, "skill": {
        "name": "s", "description": "", "inputs": [], "on_failure": "stop", "concurrency": 16, "steps": [], "outputs": [],
    }})).unwrap();
    let begun = Body::SkillStarted {
        skill: "s".to_owned(),
        plan: plan.hash(),
        nonce: "n".to_owned(),
        inputs: Map::new(),
        config: Value::Null,
        env: Map::new(),
        folder: String::new(),
        dry_run: false,
        stubs: None,
        given: None,
        tools: std::collections::BTreeMap::new(),
        link: None,
        planned: None,
    };
    let new = NewRun {
        skill: "s".to_owned(),
        plan: Arc::new(plan),
        origin: Origin::Cli,
        at: now(),
        folder: PathBuf::from("/somewhere"),
        request_key: None,
        tenant: "main".to_owned(),
        principal: "local".to_owned(),
    };
    match store
        .create(new, move |run| Ok(vec![event(run, 0, begun.clone()), event(run, 1, started())]))
        .await
        .unwrap()
    {
        Created::New(lease) => lease,
        Created::Existing(run) => panic!("run {run} exists"),
    }
}
