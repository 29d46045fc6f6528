//! Module `bisect` on a real history.

use aa_spec::tool::ErrorKind;
use serde_json::json;

use super::*;

/// A history whose file `number` counts from 0 to 9, a commit each.
fn history() -> Bench {
    let bench = Bench::repository();
    for number in 0..10 {
        bench.write("number", &number.to_string());
        bench.commit(&format!("number {number}"));
    }
    bench
}

#[tokio::test]
async fn the_first_commit_that_fails_is_found() {
    let bench = history();
    bench.write("number", "not committed");
    let command = json!(["sh", "-c", "test $(cat number) -lt 6"]);
    let found = bench.ok("bisect_run", json!({"good": "HEAD~9", "command": command})).await;
    assert_eq!(found["commit"], bench.git(&["rev-parse", "HEAD~3"]));
    assert_eq!((&found["subject"], &found["author"]), (&json!("number 6"), &json!("Ada")));
    assert_eq!(bench.read("number"), "not committed");
    assert_eq!(bench.git(&["worktree", "list"]).lines().count(), 1);
}

#[tokio::test]
async fn ends_that_are_not_what_they_are_said_to_be_are_refused() {
    let bench = history();
    for (command, good) in [("true", "HEAD~9"), ("false", "HEAD~9")] {
        let error = bench.error("bisect_run", json!({"good": good, "command": [command]})).await;
        assert_eq!(error.kind, ErrorKind::Invalid, "{error}");
    }
    let error = bench.error("bisect_run", json!({"good": "nowhere", "command": ["true"]})).await;
    assert_eq!(error.kind, ErrorKind::NotFound, "{error}");
    assert_eq!(bench.git(&["worktree", "list"]).lines().count(), 1);
}
