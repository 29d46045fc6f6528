//! The binary in its other role: a process that runs Python for its parent.

use std::process::{Command, Stdio};

use aa_run::compute::{Limits, WORKER, WorkerCommand, Workers};
use aa_spec::compute::Interpreter;
use serde_json::{Map, Value, json};

fn workers() -> Workers {
    let command = WorkerCommand { program: env!("CARGO_BIN_EXE_aa").into(), args: vec![WORKER.into()] };
    Workers::new(command, Limits::default())
}

#[test]
fn the_binary_itself_runs_python() {
    let names = Map::from_iter([("xs".to_owned(), json!([1, 2, 3]))]);
    let evaluate = |code: &str| workers().evaluate(code, names.clone(), 0);
    assert_eq!(evaluate("sum(x * x for x in xs)"), Ok(Value::from(14)));
    assert_eq!(evaluate("'x' * 10 ** 12"), Err("it took too much memory".to_owned()));
}

#[test]
fn without_a_parent_a_worker_does_nothing() {
    let start = |args: &[&str]| {
        let mut aa = Command::new(env!("CARGO_BIN_EXE_aa"));
        aa.arg(WORKER).args(args).stdin(Stdio::null()).output().unwrap()
    };
    let alone = start(&[]);
    assert_eq!(
        (alone.status.code(), alone.stdout.as_slice(), alone.stderr.as_slice()),
        (Some(64), &b""[..], &b""[..])
    );
    assert_ne!(start(&["67108864"]).status.code(), None, "what is no socket is the end");
}
