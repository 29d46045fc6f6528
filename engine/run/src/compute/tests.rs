//! Blocks on real workers: this test binary, started again in that role.

mod attack;
mod behave;
mod bound;
mod death;
mod express;
mod oracle;
mod remember;

use std::collections::BTreeMap;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, LazyLock};

use aa_spec::compute::{Block, Callee, CalleeKind};
use aa_spec::tool::{Effect, ErrorKind};
use async_trait::async_trait;
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use super::{Computed, Computer, Host, HostCall, Job, Limits, WorkerCommand, Workers, frame, worker_main};
use crate::event::{StepError, Time};

/// What `aa` does as a whole, so that memory can be limited here too.
#[global_allocator]
static ALLOCATOR: monty_alloc::LimitedAllocator = monty_alloc::LimitedAllocator;

/// Not a test when it is started as a worker, with a memory limit as the last argument.
#[test]
#[expect(clippy::exit, reason = "a worker has to say how it ended")]
fn compute_worker_entry() {
    let last = std::env::args().next_back().unwrap();
    if last.parse::<usize>().is_ok() {
        let code = worker_main();
        std::process::exit(if code == std::process::ExitCode::SUCCESS { 0 } else { 70 });
    }
}

/// Not a test either when it is started with something to say: to any order, it says that,
/// with `LONG` as a long text.
#[test]
fn lying_worker_entry() {
    let Ok(lie) = std::env::var("LIE") else { return };
    let lie: Value = serde_json::from_str(&lie.replace("LONG", &"x".repeat(2_000_000))).unwrap();
    let socket = std::io::stdin().as_fd().try_clone_to_owned().map(UnixStream::from);
    let (mut socket, mut order) = (socket.unwrap(), Vec::new());
    while frame::receive(&mut socket, &mut order, 1 << 30).is_ok() {
        frame::send(&mut socket, &lie).unwrap();
    }
}

/// Workers that say this to any order.
fn lying(lie: &Value) -> Workers {
    let tests = std::env::current_exe().unwrap();
    let entry = "compute::tests::lying_worker_entry";
    let args = [format!("LIE={lie}"), tests.display().to_string(), entry.to_owned()];
    let args = args.into_iter().chain(["--exact".to_owned(), "--nocapture".to_owned()]);
    Workers::new(
        WorkerCommand { program: "/usr/bin/env".into(), args: args.map(Into::into).collect() },
        Limits::default(),
    )
}

/// Workers for every test of a process.
static WORKERS: LazyLock<Workers> = LazyLock::new(|| workers(Limits::default()));

/// Workers that are this test binary, for any test of the crate.
pub(crate) fn workers(limits: Limits) -> Workers {
    Workers::new(command(), limits)
}

fn command() -> WorkerCommand {
    let args = ["--exact", "compute::tests::compute_worker_entry", "--nocapture"];
    WorkerCommand { program: std::env::current_exe().unwrap(), args: args.map(Into::into).to_vec() }
}

/// A block whose source begins on line 7 of its file.
fn block(code: &str) -> Block {
    let imports = match code.len() {
        0..=100_000 => super::prelude::mentioned(code).map(str::to_owned).collect(),
        _ => Vec::new(),
    };
    let callee = |kind| Callee {
        kind,
        effect: Effect::Read,
        idempotent: true,
        reconcile: None,
        aliases: BTreeMap::new(),
    };
    Block {
        source: code.to_owned(),
        code: code.to_owned(),
        line: 7,
        reads: Vec::new(),
        imports,
        lists_names: false,
        calls: BTreeMap::from([
            ("git_log".to_owned(), callee(CalleeKind::Tool)),
            ("release".to_owned(), callee(CalleeKind::Skill)),
        ]),
    }
}

fn job(code: &str, names: Value) -> Job {
    let Value::Object(names) = names else { panic!("names are an object") };
    Job {
        block: Arc::new(block(code)),
        file: "skills/a.yaml".to_owned(),
        known: names.keys().cloned().collect(),
        names,
        now: "2026-03-04T05:06:07.089Z".parse::<Time>().unwrap(),
        deadline: None,
        cancel: CancellationToken::new(),
    }
}

/// Answers each call with its own arguments; `git_log` with `fail` fails.
#[derive(Default)]
struct Echo {
    calls: Vec<HostCall>,
    printed: Vec<String>,
}

#[async_trait]
impl Host for Echo {
    fn printed(&mut self, text: &str) {
        self.printed.push(text.to_owned());
    }

    async fn call(&mut self, call: HostCall) -> Result<Value, StepError> {
        self.calls.push(call.clone());
        match call.args.get("fail") {
            Some(Value::String(message)) => Err(StepError::new(ErrorKind::Network, message.clone())),
            _ => Ok(json!({ "target": call.target, "args": call.args })),
        }
    }
}

async fn run(code: &str, names: Value) -> Result<Computed, StepError> {
    WORKERS.run(job(code, names), &mut Echo::default()).await
}

async fn value(code: &str, names: Value) -> Value {
    run(code, names).await.unwrap_or_else(|error| panic!("{code}: {error:?}")).value
}

async fn error(code: &str) -> StepError {
    match run(code, json!({})).await {
        Err(error) => error,
        Ok(computed) => panic!("{code}: {computed:?}"),
    }
}

fn args(of: Value) -> Map<String, Value> {
    let Value::Object(map) = of else { panic!("arguments are an object") };
    map
}
