//! Workers that are killed, at any moment.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tokio::task::JoinSet;

use super::*;

/// Kills one child of this process, all of which are workers.
fn kill_one(turn: usize) -> bool {
    let mut all = BTreeSet::new();
    for task in std::fs::read_dir("/proc/self/task").unwrap().flatten() {
        let children = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
        all.extend(children.split_whitespace().map(|pid| pid.parse::<i32>().unwrap()));
    }
    let Some(place) = turn.checked_rem(all.len()) else { return false };
    let pid = all.into_iter().nth(place).and_then(Pid::from_raw).unwrap();
    rustix::process::kill_process(pid, Signal::KILL).is_ok()
}

/// Kills workers until it is told to stop, and counts them.
fn killer(done: Arc<AtomicBool>) -> std::thread::JoinHandle<usize> {
    std::thread::spawn(move || {
        let mut killed = 0;
        for turn in 0.. {
            if done.load(Ordering::Relaxed) {
                break;
            }
            std::thread::sleep(Duration::from_millis(23 + (turn as u64 * 7) % 31));
            killed += usize::from(kill_one(turn));
        }
        killed
    })
}

const BUSY: &str = "total = n\nfor i in range(300):\n    total += i\nout = [call_tool('git_log', n=n)['args']['n'] for _ in range(3)]\n[total, out]";

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_block_ends_right_while_workers_are_killed() {
    let workers = workers(Limits { workers: 4, timeout: Duration::from_secs(30), ..Limits::default() });
    let done = Arc::new(AtomicBool::new(false));
    let killer = killer(Arc::clone(&done));
    let mut running = JoinSet::new();
    for n in 0..500 {
        let workers = workers.clone();
        running.spawn(async move {
            let mut host = Echo::default();
            let computed = workers.run(job(BUSY, json!({ "n": n })), &mut host).await.unwrap();
            assert_eq!(computed.value, json!([n + 44850, [n, n, n]]));
            assert_eq!(host.calls.len(), 3, "no call is made twice");
        });
    }
    while let Some(ended) = running.join_next().await {
        ended.unwrap();
    }
    done.store(true, Ordering::Relaxed);
    assert!(killer.join().unwrap() > 0);
}

/// Kills the worker that asks, the first so many times.
struct Murderer {
    times: usize,
    calls: AtomicUsize,
}

impl Murderer {
    fn new(times: usize) -> Self {
        Self { times, calls: AtomicUsize::new(0) }
    }
}

#[async_trait]
impl Host for Murderer {
    async fn call(&mut self, call: HostCall) -> Result<Value, StepError> {
        if self.calls.fetch_add(1, Ordering::Relaxed) < self.times {
            assert!(kill_one(0));
        }
        Ok(json!(call.number))
    }
}

#[tokio::test]
async fn a_killed_block_gets_the_answers_it_had() {
    let workers = workers(Limits::default());
    let mut host = Murderer::new(2);
    let block = job("[call_tool('git_log', a=i) for i in range(3)]", json!({}));
    assert_eq!(workers.run(block, &mut host).await.unwrap().value, json!([1, 2, 3]));
    assert_eq!(host.calls.into_inner(), 3);
}

#[tokio::test]
async fn a_block_whose_workers_are_killed_every_time_may_work_another_time() {
    let workers = workers(Limits::default());
    let block = job("while True:\n    call_tool('git_log')", json!({}));
    let error = workers.run(block, &mut Murderer::new(100)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Transient);
    assert!(error.message.contains("was killed 6 times"), "{}", error.message);
}

#[tokio::test]
async fn a_worker_dies_with_its_parent_even_when_busy() {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let command = command();
    let mut child = std::process::Command::new(&command.program)
        .args(&command.args)
        .arg("67108864")
        .stdin(std::process::Stdio::from(std::os::fd::OwnedFd::from(theirs)))
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let task = json!({ "Run": {
        "code": "while True:\n    pass", "names": {}, "known": [], "now_ms": 0, "time_ms": 60000, "depth": 10,
        "output": 10, "printed": 10, "calls": 0,
    } });
    crate::compute::frame::send(&mut &ours, &task).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    assert!(child.try_wait().unwrap().is_none(), "it is busy");
    drop(ours);
    for _ in 0..300 {
        if child.try_wait().unwrap().is_some() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    panic!("it goes on without its parent");
}

#[tokio::test]
async fn a_program_that_is_no_worker_is_an_error() {
    let run = |program: &str| {
        let command = WorkerCommand { program: program.into(), args: Vec::new() };
        async {
            Workers::new(command, Limits::default()).run(job("1", json!({})), &mut Echo::default()).await
        }
    };
    let error = run("/bin/true").await.unwrap_err();
    assert!(error.message.contains("exit code 0"), "{}", error.message);
    assert_eq!(run("/no/such/program").await.unwrap_err().kind, ErrorKind::Transient);
}
