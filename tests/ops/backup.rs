//! Copies of the store: taken while runs go on, put back, and refused when they are not whole.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::api::support::{found, project, serve, stands, start};
use crate::support::Aa;

/// A skill whose results are too big for the journal.
const BIG: &str = "name: big\ndescription: Big\nsteps: [{name: make, tool: trace_flood, args: {bytes: 200000}}]\noutputs: [{name: made, value: '{{ make }}'}]\n";

fn copy(aa: &Aa, name: &str) -> Value {
    aa.args(["store", "backup", name, "--format", "json"]).run().code(0).json()
}

#[test]
fn a_copy_is_taken_while_runs_go_on_and_holds_what_was_there() {
    let aa = project("").skill("big", BIG);
    let served = serve(&aa);
    let waits = start(&served, "ask", &json!({}));
    stands(&served, waits, "waiting");
    let stop = AtomicBool::new(false);
    let copies: Vec<Value> = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let run = start(&served, "look", &json!({"inputs": {"note": "x"}}));
                stands(&served, run, "completed");
            }
        });
        let copies = (0..5).map(|n| copy(&aa, &format!("copy{n}"))).collect();
        stop.store(true, Ordering::Relaxed);
        copies
    });
    let runs = |copy: &Value| copy["copied"]["runs"].as_u64().unwrap();
    assert!(copies.is_sorted_by_key(runs), "{copies:?}");
    assert!(runs(&copies[4]) > 1, "{copies:?}");
    let now = found(&served, "/api/runs?limit=500")["items"].as_array().unwrap().len();
    drop(served);
    // Each of them is a whole store, with a run that somebody can still answer and an audit that holds.
    for (n, copied) in copies.iter().enumerate() {
        let other = project("").skill("big", BIG);
        let from = aa.path(&format!("copy{n}"));
        other.args(["store", "restore", from.to_str().unwrap()]).run().code(0);
        let listed = other.args(["run", "list", "--limit", "1000", "--format", "json"]).run().code(0).json();
        let runs = listed.as_array().unwrap();
        assert_eq!(runs.len() as u64, copied["copied"]["runs"].as_u64().unwrap());
        assert!(runs.len() <= now);
        other.args(["audit", "verify"]).run().code(0);
        let waiting = runs.iter().filter(|run| run["status"] == "waiting").map(|run| &run["id"]);
        assert_eq!(waiting.collect::<Vec<_>>(), [waits]);
    }
}

#[test]
fn a_store_is_put_aside_and_not_lost() {
    let aa = project("").skill("big", BIG);
    aa.args(["skill", "run", "look"]).run().code(0);
    copy(&aa, "copy");
    aa.args(["skill", "run", "look"]).run().code(0);
    let told = aa.args(["store", "restore", "copy", "--format", "json"]).run().code(0).json();
    let list = |aa: &Aa, store: Option<&str>| {
        let more = store.map(|store| ["--store", store]).into_iter().flatten();
        let args = ["run", "list", "--format", "json"].into_iter().chain(more);
        aa.args(args).run().code(0).json().as_array().unwrap().len()
    };
    assert_eq!(list(&aa, None), 1);
    assert_eq!(list(&aa, told["aside"].as_str()), 2);
    aa.args(["skill", "run", "look"]).run().code(0);
    assert_eq!(list(&aa, None), 2);
}

#[test]
fn a_store_that_is_used_and_a_copy_that_is_not_whole_are_refused() {
    let aa = project("").skill("big", BIG);
    aa.args(["skill", "run", "big"]).run().code(0);
    let copied = copy(&aa, "copy");
    let big = copied["copied"]["files"]
        .as_object()
        .unwrap()
        .keys()
        .find(|path| path.starts_with("blobs/"))
        .cloned();
    aa.args(["store", "backup", "copy"]).run().code(1).stderr_contains("it is there already");
    let served = serve(&aa);
    aa.args(["store", "restore", "copy"]).run().code(1).stderr_contains("a process uses it");
    drop(served);
    let big = big.expect("a result that is a file");
    std::fs::write(aa.path(&format!("copy/{big}")), "something else").unwrap();
    aa.args(["store", "restore", "copy"]).run().code(1).stderr_contains("is damaged or gone");
    assert_eq!(aa.args(["run", "list", "--format", "json"]).run().json().as_array().unwrap().len(), 1);
    aa.args(["store", "restore", "nowhere"]).run().code(1).stderr_contains("no copy of a store");
}
