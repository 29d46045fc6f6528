//! Module `log` on a log with what logs hold.

use aa_spec::tool::ErrorKind;
use serde_json::json;

use super::*;

#[tokio::test]
async fn lines_that_say_the_same_are_one_pattern() {
    let bench = Bench::new();
    let log = "\
2026-01-05T09:00:00.123Z INFO all is well
2026-01-05T09:00:01.5+01:00 ERROR request 550e8400-e29b-41d4-a716-446655440000 to 10.0.0.1:80 took 300ms
2026-01-05 09:00:02 error request 550e8400-e29b-41d4-a716-446655440001 to 10.0.0.2:81 took 7ms
2026-01-05T09:00:03,7Z ERROR request 6ba7b810-9dad-11d1-80b4-00c04fd430c8 to 10.0.0.2:81 took 7ms
panic at 0xdeadbeef\tin main
";
    bench.write("a=b.log", log);
    let found = bench.ok("log_patterns", json!({"path": "a=b.log"})).await;
    assert_eq!(
        found,
        json!({"lines": 5, "found": 4, "patterns": [
            {"count": 2, "first": 2, "last": 4, "text": "<time> ERROR request <id> to <address> took <n>ms"},
            {"count": 1, "first": 3, "last": 3, "text": "<time> error request <id> to <address> took <n>ms"},
            {"count": 1, "first": 5, "last": 5, "text": "panic at <hex> in main"},
        ]})
    );
    let none = bench.ok("log_patterns", json!({"path": "a=b.log", "match": "well$"})).await;
    assert_eq!(
        none["patterns"],
        json!([{"count": 1, "first": 1, "last": 1, "text": "<time> INFO all is well"}])
    );
}

#[tokio::test]
async fn a_log_that_is_empty_binary_or_missing() {
    let bench = Bench::new();
    bench.write("empty.log", "");
    let found = bench.ok("log_patterns", json!({"path": "empty.log"})).await;
    assert_eq!(found, json!({"lines": 0, "found": 0, "patterns": []}));
    fs::write(bench.folder.path().join("binary.log"), b"error \xff\xfe here\n").unwrap();
    let found = bench.ok("log_patterns", json!({"path": "binary.log"})).await;
    assert_eq!(found["found"], 1);
    let error = bench.error("log_patterns", json!({"path": "no.log"})).await;
    assert_eq!(error.kind, ErrorKind::NotFound, "{error}");
}
