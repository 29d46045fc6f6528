//! What a Python block costs beside the floor: the same bytes over a socket, and `exec` in one `python3`.
//!
//! `cargo bench -p aa-run --bench compute`

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark prints and may panic")]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::{Duration, Instant};

use aa_run::compute::{Computer, Host, HostCall, Job, Limits, WORKER, WorkerCommand, Workers, worker_main};
use aa_run::event::StepError;
use aa_spec::compute::{Block, Interpreter};
use async_trait::async_trait;
use serde_json::{Value, json};

#[global_allocator]
static ALLOCATOR: monty_alloc::LimitedAllocator = monty_alloc::LimitedAllocator;

const ROUNDS: usize = 7;
const BLOCKS: usize = 1000;

const CODE: &str = r#"
rows = []
for item in items:
    if item["state"] == "open" and item["n"] % 3 != 0:
        rows.append({"key": item["title"].strip().lower().replace(" ", "-"), "n": item["n"]})
rows = sorted(rows, key=lambda row: -row["n"])
result = {"count": len(rows), "text": "\n".join(f"{row['key']}: {row['n']}" for row in rows[:10])}
result"#;

struct NoCalls;

#[async_trait]
impl Host for NoCalls {
    async fn call(&mut self, call: HostCall) -> Result<Value, StepError> {
        panic!("{call:?}")
    }
}

fn main() -> ExitCode {
    if std::env::args().any(|role| role == WORKER) {
        return worker_main();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let workers = Workers::new(WorkerCommand::own(), Limits::default());
    let (mut floor, mut tiny, mut real, mut sync, mut python, mut cold) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        floor.push(echoes() / 1000);
        tiny.push(blocks(&runtime, &workers, "1 + 1") / 1000);
        sync.push(expressions(&workers) / 1000);
        real.push(blocks(&runtime, &workers, CODE));
        python.extend(exec_in_python());
        cold.push(starts(&runtime) / 20);
    }
    let floor = median(floor);
    show("socket, there and back", floor, floor);
    show("warm block, `1 + 1`", median(tiny), floor);
    show("warm expression", median(sync), floor);
    let real = median(real);
    if python.is_empty() {
        println!("no `python3` to compare with");
    } else {
        show("1000 blocks, one python3", median(python.clone()), median(python.clone()));
    }
    show("1000 blocks, aa", real, if python.is_empty() { real } else { median(python) });
    show("first block of all", median(cold), floor);
    ExitCode::SUCCESS
}

fn show(name: &str, time: Duration, beside: Duration) {
    println!("{name:<26} {time:>10.1?} {:>8.2} x", time.as_secs_f64() / beside.as_secs_f64());
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn timed(work: impl FnOnce()) -> Duration {
    let began = Instant::now();
    work();
    began.elapsed()
}

fn items() -> Value {
    let item = |n: usize| json!({ "n": n, "title": format!("  Fix The Thing {n}"), "state": if n.is_multiple_of(2) { "open" } else { "done" } });
    (0..40).map(item).collect()
}

fn job(code: &str) -> Job {
    let block = Block {
        source: code.to_owned(),
        code: code.to_owned(),
        line: 1,
        reads: vec!["items".to_owned()],
        imports: Vec::new(),
        lists_names: false,
        calls: BTreeMap::new(),
    };
    let Value::Object(names) = json!({ "items": items() }) else { unreachable!() };
    Job {
        block: Arc::new(block),
        file: "bench.yaml".to_owned(),
        names,
        known: vec!["items".to_owned()],
        now: chrono::DateTime::from_timestamp_nanos(0),
        deadline: None,
        cancel: tokio_util::sync::CancellationToken::new(),
    }
}

/// As many bytes as a small block and its result, to another thread and back.
fn echoes() -> Duration {
    const SIZE: usize = 3000;
    let (mut ours, mut theirs) = UnixStream::pair().unwrap();
    let echo = std::thread::spawn(move || {
        let mut bytes = [0; SIZE];
        while theirs.read_exact(&mut bytes).is_ok() {
            theirs.write_all(&bytes).unwrap();
        }
    });
    let mut bytes = [7; SIZE];
    let time = timed(|| {
        for _ in 0..BLOCKS {
            ours.write_all(&bytes).unwrap();
            ours.read_exact(&mut bytes).unwrap();
        }
    });
    drop(ours);
    echo.join().unwrap();
    time
}

fn blocks(runtime: &tokio::runtime::Runtime, workers: &Workers, code: &str) -> Duration {
    let job = job(code);
    let workers = workers.clone();
    timed(|| {
        runtime.block_on(async {
            for _ in 0..BLOCKS {
                workers.run(job.clone(), &mut NoCalls).await.unwrap();
            }
        });
    })
}

fn expressions(workers: &Workers) -> Duration {
    let names = job("").names;
    timed(|| {
        for _ in 0..BLOCKS {
            workers.evaluate("any(x['n'] > 5 for x in items)", names.clone(), 0).unwrap();
        }
    })
}

fn starts(runtime: &tokio::runtime::Runtime) -> Duration {
    timed(|| {
        for _ in 0..20 {
            let workers = Workers::new(WorkerCommand::own(), Limits::default());
            runtime.block_on(workers.run(job("1"), &mut NoCalls)).unwrap();
        }
    })
}

/// The same blocks in one process, each compiled, fed and read as JSON; without the start of Python.
fn exec_in_python() -> Option<Duration> {
    const DRIVER: &str = "import json, sys, time\ncode, names = json.load(sys.stdin)\ntext = json.dumps(names)\nbegan = time.perf_counter()\nfor _ in range(1000):\n    space = json.loads(text)\n    exec(code, space)\n    json.dumps(space['result'])\nprint(time.perf_counter() - began)";
    let mut python = Command::new("python3")
        .args(["-c", DRIVER])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .ok()?;
    let names = job("").names;
    python.stdin.take()?.write_all(json!([CODE, names]).to_string().as_bytes()).ok()?;
    let told = String::from_utf8(python.wait_with_output().ok()?.stdout).ok()?;
    Some(Duration::from_secs_f64(told.trim().parse().ok()?))
}
