//! What starting a command costs beside the floor, in turns so that both see the same machine.
//!
//! `cargo bench -p aa-run --bench spawn`

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark prints and may panic")]

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use aa_run::tool::CallContext;
use aa_run::tool::process::{Environment, Invocation, Launcher};

const ROUNDS: usize = 25;
const STEPS: usize = 40;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let (mut floor, mut ours, mut fan) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        floor.push(timed(spawn_floor));
        ours.push(timed(|| runtime.block_on(async { tokio::spawn(launch_in_turn()).await.unwrap() })));
        fan.push(timed(|| runtime.block_on(async { tokio::spawn(launch_at_once()).await.unwrap() })));
    }
    let floor = median(floor);
    for (name, time) in [("floor", floor), ("launcher", median(ours)), ("launcher, 16 at once", median(fan))]
    {
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
