//! What starting a command costs beside the floor, and what a call of a tool over a command adds to
//! that, in turns so that all see the same machine.
//!
//! `cargo bench -p aa-run --bench spawn`

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark prints and may panic")]

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use aa_run::store::LazyStore;
use aa_run::tool::configuration::Configuration;
use aa_run::tool::process::{Environment, Invocation, Launcher};
use aa_run::tool::{CallContext, Logins, Tool, ephemeral};
use aa_run::toolbox::{ModuleText, Toolbox, ToolboxOptions};
use aa_spec::source::Source;
use serde_json::json;

const ROUNDS: usize = 25;
const STEPS: usize = 40;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let tool = tool();
    let (mut floor, mut ours, mut calls, mut fan) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        floor.push(timed(spawn_floor));
        ours.push(timed(|| runtime.block_on(async { tokio::spawn(launch_in_turn()).await.unwrap() })));
        let tool = Arc::clone(&tool);
        calls.push(timed(|| runtime.block_on(async { tokio::spawn(call_in_turn(tool)).await.unwrap() })));
        fan.push(timed(|| runtime.block_on(async { tokio::spawn(launch_at_once()).await.unwrap() })));
    }
    let floor = median(floor);
    let rows = [
        ("floor", floor),
        ("launcher", median(ours)),
        ("call of a tool", median(calls)),
        ("launcher, 16 at once", median(fan)),
    ];
    for (name, time) in rows {
        let per_step = time / u32::try_from(STEPS).unwrap();
        println!(
            "{name:<22} {per_step:>10.1?} per command {:>6.2} x",
            time.as_secs_f64() / floor.as_secs_f64()
        );
    }
}

fn spawn_floor() {
    for _ in 0..STEPS {
        let mut child = Command::new("/bin/true");
        child.stdin(Stdio::null()).spawn().unwrap().wait().unwrap();
    }
}

async fn launch_in_turn() {
    let launcher = Launcher::new(Environment::new(std::env::vars_os()), 1024);
    let context = CallContext::detached("/");
    let invocation = Invocation { argv: vec!["/bin/true".into()], ..Invocation::default() };
    for _ in 0..STEPS {
        launcher.launch(&context, &invocation).await.unwrap();
    }
}

async fn call_in_turn(tool: Arc<dyn Tool>) {
    let context = CallContext::detached("/");
    for _ in 0..STEPS {
        let args = json!({"times": 3}).as_object().unwrap().clone();
        assert_eq!(tool.call(&context, args).await.unwrap(), json!({"times": 3, "said": ""}));
    }
}

/// A tool that runs the same command, with arguments that are checked and a result that is made.
fn tool() -> Arc<dyn Tool> {
    let text = "module: bench
description: Commands
tools:
  - name: bench_true
    description: Does nothing
    effect: read
    input: {times: {type: integer}, word: {type: string, default: x}}
    output: {type: object, properties: {times: {type: integer}, said: {type: string}}}
    run: [/bin/true, '--times={{ times }}', '{{ word }}']
    value: {times: '{{ times }}', said: '{{ result }}'}
";
    let options = ToolboxOptions {
        environment: Environment::new(std::env::vars_os()),
        output_bytes: 1024,
        proxy: None,
        ca: None,
        configuration: Configuration::default(),
        state_folder: PathBuf::new(),
        open_folders: Vec::new(),
        store: LazyStore::default(),
        ephemeral: ephemeral::Defaults { repository: String::new(), ttl: String::new() },
        logins: Logins::default(),
    };
    let module = ModuleText { layer: "project".to_owned(), source: Source::new("bench.yaml", text) };
    Toolbox::new(vec![module], &options).tool("bench_true").unwrap()
}

async fn launch_at_once() {
    let launcher = Launcher::new(Environment::new(std::env::vars_os()), 1024);
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..STEPS {
        if running.len() == 16 {
            running.join_next().await.unwrap().unwrap();
        }
        let launcher = launcher.clone();
        running.spawn(async move {
            let context = CallContext::detached("/");
            let invocation = Invocation { argv: vec!["/bin/true".into()], ..Invocation::default() };
            launcher.launch(&context, &invocation).await.unwrap();
        });
    }
    running.join_all().await;
}

fn timed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
