//! Module `disk` on the machine that runs the tests.

use serde_json::json;

use super::*;

#[tokio::test]
async fn space_is_that_of_the_file_system() {
    let bench = Bench::new();
    let here = bench.ok("disk_free", json!({"path": "."})).await;
    let disk = &here.as_array().unwrap()[0];
    assert!(disk["kib"].as_u64().unwrap() >= disk["used_kib"].as_u64().unwrap(), "{disk}");
    assert!(disk["mount"].as_str().unwrap().starts_with('/'), "{disk}");
    let all = bench.ok("disk_free", json!({})).await;
    assert!(all.as_array().unwrap().iter().any(|other| other["mount"] == disk["mount"]), "{all}");
}

#[tokio::test]
async fn folders_are_sorted_by_what_they_take() {
    let bench = Bench::new();
    bench.write("small/file", "x");
    bench.write("large/file", &"x".repeat(300_000));
    let usage = bench.ok("disk_usage", json!({})).await;
    let paths: Vec<&Value> = usage.as_array().unwrap().iter().map(|entry| &entry["path"]).collect();
    assert_eq!(paths, [".", "./large", "./small"]);
    assert!(usage[1]["kib"].as_u64().unwrap() >= 292, "{usage}");
}
