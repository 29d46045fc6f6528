//! The file tools on real folders.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::tool::{Tool, native};

struct Bench {
    folder: tempfile::TempDir,
    tools: BTreeMap<String, Arc<dyn Tool>>,
}

impl Bench {
    fn new() -> Self {
        let tools = [
            native::tool(FileRead { limit: 1000 }),
            native::tool(FileWrite),
            native::tool(FileAppend),
            native::tool(FileExists),
            native::tool(FileHash),
            native::tool(FileList),
            native::tool(FileFind),
            native::tool(FileSearch),
            native::tool(FileCopy),
            native::tool(FileMove),
            native::tool(FileRemove),
            native::tool(FolderCreate),
        ];
        let tools = tools.map(|tool| (tool.spec().name.clone(), tool)).into();
        Self { folder: tempfile::tempdir().unwrap(), tools }
    }

    async fn call(&self, tool: &str, args: Value) -> Result<Value, ToolError> {
        let context = CallContext::detached(self.folder.path());
        let Value::Object(args) = args else { panic!("arguments are an object") };
        self.tools[tool].call(&context, args).await
    }

    async fn error(&self, tool: &str, args: Value) -> (ErrorKind, String) {
        let error = self.call(tool, args).await.unwrap_err();
        (error.kind, error.message.replace(self.folder.path().to_str().unwrap(), "/run"))
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

#[tokio::test]
async fn what_is_written_is_read() {
    let bench = Bench::new();
    let written =
        bench.call("file_write", json!({"path": "a/b.txt", "content": "one\ntwo\n"})).await.unwrap();
    assert_eq!(written, json!({"path": "a/b.txt", "bytes": 8, "changed": true}));
    let again = bench.call("file_write", json!({"path": "a/b.txt", "content": "one\ntwo\n"})).await.unwrap();
    assert_eq!(again["changed"], false);
    let read = bench.call("file_read", json!({"path": "a/b.txt"})).await.unwrap();
    assert_eq!(read, json!({"path": "a/b.txt", "content": "one\ntwo\n", "bytes": 8}));
    let lines = bench.call("file_read", json!({"path": "a/b.txt", "parse": "lines"})).await.unwrap();
    assert_eq!(lines["content"], json!(["one", "two"]));
    assert_eq!(bench.names(), ["a"], "nothing else is left in the folder");
}

#[tokio::test]
async fn values_are_written_as_json_and_parsed() {
    let bench = Bench::new();
    let value = json!({"z": [1, 2.5, null], "a": "ü"});
    bench.call("file_write", json!({"path": "v.json", "content": value})).await.unwrap();
    for parse in ["json", "yaml"] {
        let read = bench.call("file_read", json!({"path": "v.json", "parse": parse})).await.unwrap();
        assert_eq!(read["content"], value, "{parse}");
    }
    bench.call("file_write", json!({"path": "v.json", "content": "{"})).await.unwrap();
    let (kind, message) = bench.error("file_read", json!({"path": "v.json", "parse": "json"})).await;
    assert_eq!(kind, ErrorKind::Invalid);
    assert!(message.starts_with("`v.json` is no JSON"), "{message}");
}

#[tokio::test]
async fn a_write_keeps_permissions_and_links() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::new();
    bench.call("file_write", json!({"path": "key", "content": "1", "mode": "0600"})).await.unwrap();
    std::os::unix::fs::symlink("key", bench.folder.path().join("link")).unwrap();
    bench.call("file_write", json!({"path": "link", "content": "2"})).await.unwrap();
    let key = bench.folder.path().join("key");
    assert_eq!(fs::read_to_string(&key).unwrap(), "2");
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(bench.folder.path().join("link").is_symlink());
    let (kind, _) = bench.error("file_write", json!({"path": "key", "content": "", "mode": "rw"})).await;
    assert_eq!(kind, ErrorKind::Invalid);
}

#[tokio::test]
async fn overwriting_can_be_refused() {
    let bench = Bench::new();
    let args = json!({"path": "a", "content": "1", "overwrite": false});
    bench.call("file_write", args.clone()).await.unwrap();
    let error = bench.error("file_write", args).await;
    assert_eq!(error, (ErrorKind::Permanent, "cannot write `/run/a`: it exists".into()));
    assert_eq!(bench.names(), ["a"]);
}

#[tokio::test]
async fn missing_folders_can_be_an_error() {
    let bench = Bench::new();
    let error =
        bench.error("file_write", json!({"path": "x/a", "content": "", "create_folders": false})).await;
    assert_eq!(error, (ErrorKind::NotFound, "cannot write `/run/x/a`: it does not exist".into()));
}

#[tokio::test]
async fn what_cannot_be_read_says_why() {
    let bench = Bench::new();
    fs::create_dir(bench.folder.path().join("folder")).unwrap();
    fs::write(bench.folder.path().join("large"), [b'x'; 1001]).unwrap();
    fs::write(bench.folder.path().join("latin"), b"\xe4").unwrap();
    let fifo = bench.folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let cases = [
        ("gone", ErrorKind::NotFound, "cannot read `/run/gone`: it does not exist"),
        ("large/x", ErrorKind::NotFound, "cannot read `/run/large/x`: a part of its path is no folder"),
        ("folder", ErrorKind::Invalid, "cannot read `/run/folder`: it is a folder"),
        ("large", ErrorKind::Permanent, "cannot read `/run/large`: it has more than 1000 bytes"),
        ("latin", ErrorKind::Invalid, "cannot read `/run/latin`: it is not UTF-8"),
        ("pipe", ErrorKind::Invalid, "cannot read `/run/pipe`: it is no file"),
        ("/dev/zero", ErrorKind::Invalid, "cannot read `/dev/zero`: it is no file"),
        ("", ErrorKind::Invalid, "the path is empty"),
        ("~/x", ErrorKind::Invalid, "`~/x`: `~` is not expanded; write the whole path"),
        ("a\0b", ErrorKind::Invalid, "the path holds a NUL character"),
    ];
    for (path, kind, message) in cases {
        let error = bench.error("file_read", json!({ "path": path })).await;
        assert_eq!(error, (kind, message.to_owned()), "{path:?}");
    }
}

#[tokio::test]
async fn unknown_arguments_are_refused() {
    let (kind, message) = Bench::new().error("file_read", json!({"path": "a", "encoding": "utf-8"})).await;
    assert_eq!(kind, ErrorKind::Invalid);
    assert!(message.contains("unknown field `encoding`"), "{message}");
}

#[tokio::test]
async fn text_is_appended() {
    let bench = Bench::new();
    bench.call("file_append", json!({"path": "log", "content": "a\n"})).await.unwrap();
    let appended = bench.call("file_append", json!({"path": "log", "content": "b\n"})).await.unwrap();
    assert_eq!(appended, json!({"path": "log", "bytes": 4}));
}

#[tokio::test]
async fn existence_and_hash() {
    let bench = Bench::new();
    let missing = bench.call("file_exists", json!({"path": "a"})).await.unwrap();
    assert_eq!(missing, json!({"exists": false, "kind": null, "bytes": null, "modified": null}));
    fs::write(bench.folder.path().join("a"), "abc").unwrap();
    let there = bench.call("file_exists", json!({"path": "a"})).await.unwrap();
    assert_eq!(
        (&there["exists"], &there["kind"], &there["bytes"]),
        (&json!(true), &json!("file"), &json!(3))
    );
    let hash = bench.call("file_hash", json!({"path": "a"})).await.unwrap();
    let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(hash, json!({"sha256": known, "bytes": 3}));
}

fn tree(bench: &Bench) {
    for path in ["b/deep/x.rs", "b/y.rs", "a.rs", "a.txt", ".hidden/z.rs"] {
        let path = bench.folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "fn main() {}\n// TO BE DONE\n").unwrap();
    }
}

fn paths(entries: &Value) -> Vec<&str> {
    entries.as_array().unwrap().iter().map(|entry| entry["path"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn folders_are_listed_and_searched_in_order() {
    let bench = Bench::new();
    tree(&bench);
    let cases = [
        ("file_list", json!({}), vec!["a.rs", "a.txt", "b"]),
        ("file_list", json!({"hidden": true, "pattern": "*h*"}), vec![".hidden"]),
        ("file_list", json!({"path": "b"}), vec!["b/deep", "b/y.rs"]),
        ("file_find", json!({"pattern": "*.rs"}), vec!["a.rs", "b/deep/x.rs", "b/y.rs"]),
        ("file_find", json!({"pattern": "b/**/*.rs"}), vec!["b/deep/x.rs", "b/y.rs"]),
        ("file_find", json!({"pattern": "*.rs", "depth": 2}), vec!["a.rs", "b/y.rs"]),
        ("file_find", json!({"kind": "folder", "hidden": true}), vec![".hidden", "b", "b/deep"]),
        ("file_find", json!({"older_than": "1h"}), vec![]),
        ("file_find", json!({"newer_than": "1h", "pattern": "*.txt"}), vec!["a.txt"]),
        ("file_find", json!({"min_bytes": 28}), vec![]),
    ];
    for (tool, args, expected) in cases {
        let entries = bench.call(tool, args.clone()).await.unwrap();
        assert_eq!(paths(&entries), expected, "{tool} {args}");
    }
    let (kind, message) = bench.error("file_find", json!({"limit": 2})).await;
    assert_eq!(
        (kind, message.as_str()),
        (ErrorKind::Invalid, "there are more than 2; ask for less, or raise `limit`")
    );
    let (kind, _) = bench.error("file_list", json!({"path": "none"})).await;
    assert_eq!(kind, ErrorKind::NotFound);
}

#[tokio::test]
async fn lines_are_found() {
    let bench = Bench::new();
    tree(&bench);
    fs::write(bench.folder.path().join("binary"), b"\0TO BE DONE").unwrap();
    let long = format!("{}TO BE DONE\nTO BE DONE", "x".repeat(70_000));
    fs::write(bench.folder.path().join("long"), long).unwrap();
    let found = bench
        .call("file_search", json!({"pattern": "to be d..e", "ignore_case": true, "limit": 2}))
        .await
        .unwrap();
    assert_eq!(
        found,
        json!({
            "matches": [
                {"path": "a.rs", "line": 2, "text": "// TO BE DONE"},
                {"path": "a.txt", "line": 2, "text": "// TO BE DONE"},
            ],
            "total": 5,
            "files": 5,
            "skipped_files": 1,
            "skipped_lines": 1,
        })
    );
    let one = bench.call("file_search", json!({"path": "a.rs", "pattern": "^fn"})).await.unwrap();
    assert_eq!(one["matches"], json!([{"path": "a.rs", "line": 1, "text": "fn main() {}"}]));
    let (kind, message) = bench.error("file_search", json!({"pattern": "("})).await;
    assert_eq!((kind, message.as_str()), (ErrorKind::Invalid, "`(` is not a regular expression"));
}

#[tokio::test]
async fn files_and_folders_are_copied_and_moved() {
    let bench = Bench::new();
    tree(&bench);
    std::os::unix::fs::symlink("y.rs", bench.folder.path().join("b/link")).unwrap();
    let copied = bench.call("file_copy", json!({"from": "b", "to": "c"})).await.unwrap();
    assert_eq!(copied, json!({"path": "c", "files": 3, "bytes": 54}));
    assert!(bench.folder.path().join("c/link").is_symlink());
    let moved = bench.call("file_move", json!({"from": "c/y.rs", "to": "moved.rs"})).await.unwrap();
    assert_eq!(moved, json!({"path": "moved.rs"}));
    assert!(!bench.folder.path().join("c/y.rs").exists());
    let cases = [
        ("file_copy", json!({"from": "a.rs", "to": "a.txt"}), "cannot write `/run/a.txt`: it exists"),
        (
            "file_copy",
            json!({"from": "a.rs", "to": "b"}),
            "cannot write `/run/b`: it is a folder; name the new file in it",
        ),
        ("file_copy", json!({"from": "b", "to": "b/deep/b"}), "`/run/b/deep/b` lies inside `/run/b`"),
        ("file_move", json!({"from": "b", "to": "b/b"}), "`/run/b/b` lies inside `/run/b`"),
        ("file_move", json!({"from": "none", "to": "x"}), "cannot read `/run/none`: it does not exist"),
    ];
    for (tool, args, message) in cases {
        assert_eq!(bench.error(tool, args.clone()).await.1, message, "{tool} {args}");
    }
    bench.call("file_copy", json!({"from": "a.rs", "to": "a.txt", "overwrite": true})).await.unwrap();
}

#[tokio::test]
async fn removing_is_careful() {
    let bench = Bench::new();
    tree(&bench);
    let cases = [
        (json!({"path": "b"}), "cannot remove `/run/b`: the folder is not empty"),
        (json!({"path": "none", "missing_ok": false}), "cannot remove `/run/none`: it does not exist"),
        (json!({"path": ".", "recursive": true}), "`/run/.` holds the run's own folder and is not removed"),
        (json!({"path": "/", "recursive": true}), "`/` holds the run's own folder and is not removed"),
        (
            json!({"path": "b/../..", "recursive": true}),
            "`/run/b/../..` holds the run's own folder and is not removed",
        ),
    ];
    for (args, message) in cases {
        assert_eq!(bench.error("file_remove", args.clone()).await.1, message, "{args}");
    }
    std::os::unix::fs::symlink("b", bench.folder.path().join("link")).unwrap();
    for (path, recursive) in [("link", true), ("a.rs", false), ("b", true)] {
        let removed = bench.call("file_remove", json!({"path": path, "recursive": recursive})).await.unwrap();
        assert_eq!(removed, json!({"removed": true}), "{path}");
    }
    assert_eq!(bench.call("file_remove", json!({"path": "b"})).await.unwrap(), json!({"removed": false}));
    assert_eq!(bench.names(), [".hidden", "a.txt"]);
}

#[tokio::test]
async fn folders_are_created() {
    let bench = Bench::new();
    let args = json!({"path": "x/y"});
    assert_eq!(bench.call("folder_create", args.clone()).await.unwrap()["created"], true);
    assert_eq!(bench.call("folder_create", args).await.unwrap()["created"], false);
}

#[tokio::test]
async fn a_cancelled_search_ends() {
    let bench = Bench::new();
    let context = CallContext::detached("/");
    context.cancel.cancel();
    let Value::Object(args) = json!({"pattern": "x", "path": "/proc"}) else { unreachable!() };
    let error = bench.tools["file_search"].call(&context, args).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Cancelled);
}

#[test]
fn schemas_are_strict_and_described() {
    let spec = native::tool(FileRead { limit: 1 }).spec().clone();
    assert_eq!(
        spec.input,
        json!({
            "type": "object",
            "properties": {
                "path": {"type": "string", "description": "The file, relative to the run's folder."},
                "parse": {
                    "type": "string",
                    "enum": ["text", "lines", "json", "yaml"],
                    "default": "text",
                    "description": "How its text becomes a value."
                },
            },
            "required": ["path"],
            "additionalProperties": false,
        })
    );
}
