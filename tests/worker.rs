//! The binary in its other role: a process that runs Python for its parent.

use std::process::{Command, Stdio};

use aa_run::compute::{Limits, WORKER, WorkerCommand, Workers};
use aa_spec::compute::Interpreter;
use serde_json::{Map, Value, json};

fn workers() -> Workers {
    let command = WorkerCommand { program: crate::support::binary().into(), args: vec![WORKER.into()] };
    Workers::new(command, Limits::default())
}

#[test]
fn the_binary_itself_runs_python() {
    let names = Map::from_iter([("xs".to_owned(), json!([1, 2, 3]))]);
    let evaluate = |code: &str| workers().evaluate(code, names.clone(), 0).map_err(|failure| failure.message);
    assert_eq!(evaluate("sum(x * x for x in xs)"), Ok(Value::from(14)));
    assert_eq!(evaluate("'x' * 10 ** 12"), Err("it took too much memory".to_owned()));
}

#[test]
fn files_that_it_inherits_do_not_keep_it_from_running() {
    let script = "exec \"$0\" \"$@\" 3</ 4</ 5</ 6</ 7</ 8</ 9</";
    let args = ["-c", script, crate::support::binary(), WORKER].map(Into::into).to_vec();
    let workers = Workers::new(WorkerCommand { program: "/bin/sh".into(), args }, Limits::default());
    assert_eq!(workers.evaluate("1 + 1", Map::new(), 0), Ok(Value::from(2)));
}

#[test]
fn a_worker_opens_nothing_any_more() {
    let workers = workers();
    assert_eq!(workers.evaluate("1", Map::new(), 0), Ok(Value::from(1)));
    let worker = workers.waiting()[0];
    let limits = std::fs::read_to_string(format!("/proc/{worker}/limits")).unwrap();
    let limit = |name: &str| {
        let line = limits.lines().find(|line| line.starts_with(name)).unwrap();
        line[name.len()..].split_whitespace().next().unwrap().to_owned()
    };
    let most: usize = limit("Max open files").parse().unwrap();
    let open = std::fs::read_dir(format!("/proc/{worker}/fd")).unwrap().flatten();
    let numbers = open.filter_map(|file| file.file_name().to_str()?.parse::<usize>().ok());
    assert_eq!(numbers.filter(|number| *number < most).count(), most, "{limits}");
    assert_eq!(limit("Max processes"), "0");
}

#[test]
fn without_a_parent_a_worker_does_nothing() {
    let start = |args: &[&str]| {
        let mut aa = Command::new(crate::support::binary());
        aa.arg(WORKER).args(args).stdin(Stdio::null()).output().unwrap()
    };
    let alone = start(&[]);
    assert_eq!(
        (alone.status.code(), alone.stdout.as_slice(), alone.stderr.as_slice()),
        (Some(64), &b""[..], &b""[..])
    );
    assert_ne!(start(&["67108864"]).status.code(), None, "what is no socket is the end");
}
