//! Module `archive` on real folders.

use aa_spec::tool::ErrorKind;
use serde_json::json;

use super::*;

#[tokio::test]
async fn an_archive_holds_the_folder_but_for_what_is_left_out() {
    let bench = Bench::new();
    for file in ["notes/to day", "notes/-dash", "notes/target/big", "notes/deep/x.tmp"] {
        bench.write(file, "text");
    }
    let args = json!({"folder": "notes", "archive": "it's=n.tar.gz", "exclude": ["target", "*.tmp"]});
    bench.ok("archive_create", args.clone()).await;
    bench.ok("archive_create", args).await;
    let list = bench.ok("archive_list", json!({"archive": "it's=n.tar.gz"})).await;
    let mut paths: Vec<&str> = list.as_array().unwrap().iter().map(|path| path.as_str().unwrap()).collect();
    paths.sort_unstable();
    assert_eq!(paths, ["./", "./-dash", "./deep/", "./to day"]);
}

#[tokio::test]
async fn a_changed_folder_differs_from_its_archive() {
    let bench = Bench::new();
    bench.write("notes/a", "one");
    bench.ok("archive_create", json!({"folder": "notes", "archive": "a.tar.gz"})).await;
    let same = bench.ok("archive_compare", json!({"archive": "a.tar.gz", "folder": "notes"})).await;
    assert_eq!(same, json!({"same": true, "differences": []}));
    bench.write("notes/a", "three");
    let other = bench.ok("archive_compare", json!({"archive": "a.tar.gz", "folder": "notes"})).await;
    assert_eq!(other["same"], false);
    assert!(other["differences"][0].as_str().unwrap().contains("./a"), "{other}");
}

#[tokio::test]
async fn what_is_not_there_cannot_be_packed_or_read() {
    let bench = Bench::new();
    let error = bench.error("archive_create", json!({"folder": "nowhere", "archive": "a.tar.gz"})).await;
    assert_eq!(error.kind, ErrorKind::NotFound, "{error}");
    let error = bench.error("archive_list", json!({"archive": "no.tar.gz"})).await;
    assert_eq!(error.kind, ErrorKind::NotFound, "{error}");
    bench.write("broken.tar.gz", "no archive");
    bench.error("archive_list", json!({"archive": "broken.tar.gz"})).await;
}
