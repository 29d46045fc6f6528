//! The tools against a real store, in one process and in several.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::json;

use super::*;
use crate::store::{Durability, StoreOptions};

/// A memory in a folder of its own.
struct Bench {
    memory: Memory,
    _folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { memory: memory_in(folder.path()), _folder: folder }
    }

    async fn call(&self, tool: &str, args: Value) -> Result<Value, ToolError> {
        call(&self.memory, &CallContext::detached("/"), tool, args).await
    }

    async fn ok(&self, tool: &str, args: Value) -> Value {
        self.call(tool, args.clone()).await.unwrap_or_else(|error| panic!("{tool} {args}: {error}"))
    }

    /// What is under a key, without the time of its last change.
    async fn read(&self, key: &str) -> Value {
        let mut value = self.ok("memory_read", json!({"key": key})).await;
        if let Some(stamp) = value.as_object_mut().unwrap().shift_remove("last_updated") {
            assert!(stamp.as_str().unwrap().ends_with('Z'), "{stamp}");
        }
        value
    }

    async fn refusal(&self, tool: &str, args: Value) -> String {
        let error = self.call(tool, args.clone()).await.expect_err(&args.to_string());
        assert_eq!(error.kind, ErrorKind::Invalid, "{error}");
        error.message
    }
}

fn memory_in(folder: &Path) -> Memory {
    let options = StoreOptions { durability: Durability::Full, inline_limit: 1000 };
    Memory::new(LazyStore::new(folder, options), &[])
}

async fn call(memory: &Memory, context: &CallContext, tool: &str, args: Value) -> Result<Value, ToolError> {
    let Value::Object(args) = args else { panic!("arguments are an object") };
    let (_, make) = TOOLS.iter().find(|(name, _)| *name == tool).unwrap_or_else(|| panic!("no tool {tool}"));
    make(memory.clone()).call(context, args).await
}

#[tokio::test]
async fn what_was_never_written_is_empty() {
    let bench = Bench::new();
    assert_eq!(bench.read("state/current_work").await, json!({}));
    assert_eq!(bench.ok("memory_read", json!({})).await, json!([]));
    assert_eq!(
        bench.ok("check_known_issues", json!({})).await,
        json!({"matches": [], "has_known_issues": false})
    );
    assert_eq!(
        bench
            .ok("memory_remove", json!({"key": "a", "list_path": "b", "match_key": "c", "match_value": 1}))
            .await,
        json!(0)
    );
    assert_eq!(
        bench.ok("memory_read", json!({"key": ""})).await,
        json!([]),
        "removing nothing writes nothing"
    );
}

#[tokio::test]
async fn a_key_is_written_as_a_whole() {
    let bench = Bench::new();
    let written = bench
        .ok("memory_write", json!({"key": "a/b.yaml", "content": {"x": 1, "last_updated": "old"}}))
        .await;
    assert_eq!(written["key"], "a/b");
    assert_eq!(bench.read("a/b").await, json!({"x": 1}));
    bench.ok("memory_write", json!({"key": "a/b", "content": "y:\n  - 1\n  - k: v\n"})).await;
    assert_eq!(bench.read("a/b").await, json!({"y": [1, {"k": "v"}]}));
    bench.ok("memory_write", json!({"key": "c", "content": {}})).await;
    assert_eq!(bench.ok("memory_read", json!({})).await, json!(["a/b", "c"]));
    for content in [json!("words"), json!([1]), json!("- 1"), json!(null), json!(1)] {
        assert_eq!(
            bench.refusal("memory_write", json!({"key": "c", "content": content})).await,
            "the `content` of a key is a mapping"
        );
    }
    let refusal = bench.refusal("memory_write", json!({"key": "../c", "content": {}})).await;
    assert!(refusal.starts_with("`../c` is not a key of the memory"), "{refusal}");
    let refusal =
        bench.refusal("memory_write", json!({"key": "c", "content": {"x": "x".repeat(MAX_BYTES)}})).await;
    assert!(refusal.contains("at most 4194304 are kept"), "{refusal}");
    assert_eq!(bench.read("c").await, json!({}));
}

#[tokio::test]
async fn a_field_is_set() {
    let bench = Bench::new();
    for (path, value, yaml) in [
        ("environments.stage.status", json!("healthy"), true),
        ("environments.stage.alerts", json!("- name: disk\n- name: load\n"), true),
        ("environments.stage.alerts.1.name", json!("cpu: high"), false),
        ("notes", json!({"a": null}), true),
    ] {
        bench.ok("memory_update", json!({"key": "e", "path": path, "value": value, "yaml": yaml})).await;
    }
    let expected = json!({
        "environments": {"stage": {"status": "healthy", "alerts": [{"name": "disk"}, {"name": "cpu: high"}]}},
        "notes": {"a": null},
    });
    assert_eq!(bench.read("e").await, expected);
    let refusal = bench
        .refusal("memory_update", json!({"key": "e", "path": "environments.stage.status.x", "value": 1}))
        .await;
    assert_eq!(refusal, "`environments.stage.status.x` leads nowhere: there is no `x` in it");
    bench.refusal("memory_update", json!({"key": "e", "path": "", "value": 1})).await;
    assert_eq!(bench.read("e").await, expected, "a refused change changes nothing");
}

#[tokio::test]
async fn items_are_added_replaced_and_removed() {
    let bench = Bench::new();
    let append = |item: Value, field: &str| json!({"key": "state/other_work", "list_path": "active_issues", "item": item, "match_key": field});
    let first = bench.ok("memory_append", append(json!("key: A-1\nsummary: one\n"), "key")).await;
    assert_eq!((&first["count"], &first["replaced"]), (&json!(1), &json!(false)));
    bench.ok("memory_append", append(json!({"key": 2, "summary": "two"}), "key")).await;
    let again = bench.ok("memory_append", append(json!({"key": "2", "summary": "again"}), "key")).await;
    assert_eq!((&again["count"], &again["replaced"]), (&json!(2), &json!(true)));
    bench.ok("memory_append", append(json!({"key": "A-1"}), "")).await;
    bench.ok("memory_append", append(json!({"other": "A-1"}), "key")).await;
    bench.ok("memory_append", append(json!("words"), "key")).await;
    let list = json!([{"key": "A-1", "summary": "one"}, {"key": "2", "summary": "again"}, {"key": "A-1"}, {"other": "A-1"}, "words"]);
    assert_eq!(bench.read("state/other_work").await, json!({"active_issues": list}));

    let remove = |field: &str, value: Value| json!({"key": "state/other_work", "list_path": "active_issues", "match_key": field, "match_value": value});
    for (field, value, removed) in
        [("key", json!("A-1"), 2), ("key", json!("A-1"), 0), ("key", json!(2), 1), ("", json!("words"), 1)]
    {
        assert_eq!(bench.ok("memory_remove", remove(field, value)).await, json!(removed), "{field}");
    }
    assert_eq!(bench.read("state/other_work").await, json!({"active_issues": [{"other": "A-1"}]}));

    bench.ok("memory_update", json!({"key": "k", "path": "a", "value": "text"})).await;
    let refusal = bench.refusal("memory_append", json!({"key": "k", "list_path": "a", "item": 1})).await;
    assert_eq!(refusal, "`a` is there, and it is no list");
    let refusal =
        bench.refusal("memory_append", json!({"key": "k", "list_path": "b", "item": "a: [1"})).await;
    assert!(refusal.starts_with("`item` begins like YAML and is none"), "{refusal}");
}

#[tokio::test]
async fn known_keys_keep_their_shape() {
    let bench = Bench::new();
    let append = |item: Value| json!({"key": "state/current_work", "list_path": "active_issues", "item": item, "match_key": "key"});
    bench.ok("memory_append", append(json!({"key": "A-1", "summary": "one"}))).await;
    bench.ok("memory_append", append(json!({"key": "A-1", "summary": "two"}))).await;
    for (tool, args) in [
        ("memory_append", append(json!("words"))),
        ("memory_update", json!({"key": "state/current_work", "path": "active_issues", "value": 1})),
        ("memory_write", json!({"key": "state/current_work", "content": {"open_mrs": [{}]}})),
    ] {
        let refusal = bench.refusal(tool, args).await;
        assert!(refusal.starts_with("`state/current_work` would not be of its shape: "), "{refusal}");
    }
    let expected = json!({"active_issues": [{"key": "A-1", "summary": "two"}]});
    assert_eq!(bench.read("state/current_work").await, expected, "a refused change changes nothing");
}

#[tokio::test]
async fn values_are_found_by_a_path() {
    let bench = Bench::new();
    let work = json!({"active_issues": [
        {"key": "A-1", "status": "New"}, {"key": "A-2", "status": "In Progress"}, {"key": "A-3"},
    ]});
    bench.ok("memory_write", json!({"key": "state/current_work", "content": work})).await;
    for (query, expected) in [
        ("$.active_issues[*].key", json!(["A-1", "A-2", "A-3"])),
        ("$.active_issues[?(@.status == 'In Progress')].key", json!(["A-2"])),
        ("$.active_issues[?@.status != 'New'].key", json!(["A-2", "A-3"])),
        ("$..status", json!(["New", "In Progress"])),
        ("$.active_issues[-1:].key", json!(["A-3"])),
        ("$.nothing", json!([])),
        ("$.active_issues[?length(@.key) == 3].status", json!(["New", "In Progress"])),
    ] {
        let found = bench.ok("memory_query", json!({"key": "state/current_work", "query": query})).await;
        assert_eq!(found, expected, "{query}");
    }
    let long = format!("$.{}", "a".repeat(1000));
    for query in ["", "active_issues", "$.[", "$..*..*..*", &long] {
        bench.refusal("memory_query", json!({"key": "state/current_work", "query": query})).await;
    }
    // Every item of a long list below every item of it is too much.
    let many: Vec<_> = (0..200).collect();
    bench.ok("memory_write", json!({"key": "big", "content": {"a": vec![many; 200]}})).await;
    let refusal = bench.refusal("memory_query", json!({"key": "big", "query": "$..*"})).await;
    assert!(refusal.contains("which is too much"), "{refusal}");
}

#[tokio::test]
async fn words_are_found_where_they_stand() {
    let bench = Bench::new();
    let search = |query: &str, prefix: &str| json!({"query": query, "prefix": prefix});
    assert_eq!(bench.ok("memory_search", search("disk", "")).await, json!([]));
    let work = json!({"active_issues": [{"key": "A-1", "summary": "The disk is full"}], "notes": "ask Ada"});
    bench.ok("memory_write", json!({"key": "state/current_work", "content": work})).await;
    bench.ok("memory_write", json!({"key": "learned/x", "content": {"tips": ["clean the disks"]}})).await;
    let places = |found: Value| -> Vec<String> {
        let place =
            |hit: &Value| format!("{} {}", hit["key"].as_str().unwrap(), hit["place"].as_str().unwrap());
        let mut places: Vec<_> = found.as_array().unwrap().iter().map(place).collect();
        places.sort();
        places
    };
    for (query, prefix, expected) in [
        ("disk", "", vec!["learned/x tips.0", "state/current_work active_issues.0"]),
        ("DISKS full", "", vec!["state/current_work active_issues.0"]),
        ("disk zebra", "", vec!["learned/x tips.0", "state/current_work active_issues.0"]),
        ("disk", "learned/", vec!["learned/x tips.0"]),
        ("A-1", "", vec!["state/current_work active_issues.0"]),
        ("\"disk* NOT", "", vec!["learned/x tips.0", "state/current_work active_issues.0"]),
        ("zebra", "", vec![]),
    ] {
        assert_eq!(
            places(bench.ok("memory_search", search(query, prefix)).await),
            expected,
            "{query} {prefix}"
        );
    }
    // What is changed is found as it is now.
    bench.ok("memory_update", json!({"key": "learned/x", "path": "tips", "value": ["a zebra"]})).await;
    assert_eq!(places(bench.ok("memory_search", search("zebra", "")).await), ["learned/x tips.0"]);
    assert_eq!(places(bench.ok("memory_search", search("disk", "learned/")).await), Vec::<String>::new());
    bench.refusal("memory_search", search(" - ", "")).await;
}

#[tokio::test]
async fn the_day_has_a_log() {
    let bench = Bench::new();
    bench.ok("memory_session_log", json!({"action": "began", "details": "a: b"})).await;
    let written = bench.ok("memory_session_log", json!({"action": "ended"})).await;
    let day = written["key"].as_str().unwrap().strip_prefix("sessions/").unwrap().to_owned();
    let log = bench.read(&format!("sessions/{day}")).await;
    assert_eq!(log["date"], json!(day));
    let entries = log["entries"].as_array().unwrap();
    assert_eq!((&entries[0]["action"], &entries[0]["details"]), (&json!("began"), &json!("a: b")));
    assert_eq!((&entries[1]["action"], entries[1].get("details")), (&json!("ended"), None));
    assert_eq!(entries[1]["time"].as_str().unwrap().len(), 8);
}

#[tokio::test]
async fn known_issues_are_found_by_part_of_the_error_or_by_the_tool() {
    let bench = Bench::new();
    let patterns = json!({
        "auth_patterns": [
            {"pattern": "Token expired", "meaning": "logged out", "fix": "log in", "commands": ["kube_login(cluster='stage')"]},
        ],
        "my_own_patterns": [{"pattern": ""}, {"meaning": "none"}, "words"],
        "bonfire_patterns": [{"pattern": "bonfire", "meaning": "reservation", "fix": "release it"}],
        "jira_cli_patterns": [{"pattern": "no such field", "description": "wrong name", "solution": "list them"}],
        "review_history": [{"pattern": "token"}],
        "broken_patterns": "words",
    });
    bench.ok("memory_write", json!({"key": "learned/patterns", "content": patterns})).await;
    for (tool, pattern) in [("git_push", "non-fast-forward"), ("bonfire_deploy", "manifest unknown")] {
        let args =
            json!({"tool_name": tool, "error_pattern": pattern, "root_cause": "c", "fix_description": "f"});
        bench.ok("learn_tool_fix", args).await;
    }
    let cases = [
        ("", "error: TOKEN EXPIRED at 12", vec!["Token expired"]),
        ("bonfire", "", vec!["bonfire"]),
        ("Bonfire-Deploy", "", vec!["bonfire", "manifest unknown"]),
        ("git_push", "something else", vec!["non-fast-forward"]),
        ("", "rejected (non-fast-forward)", vec!["non-fast-forward"]),
        ("", "No such field: x", vec!["no such field"]),
        ("git_pull", "fine", vec![]),
        ("", "", vec![]),
    ];
    for (tool, error, expected) in cases {
        let found = bench.ok("check_known_issues", json!({"tool_name": tool, "error_text": error})).await;
        let matches = found["matches"].as_array().unwrap();
        let found_patterns: Vec<_> = matches.iter().map(|issue| issue["pattern"].as_str().unwrap()).collect();
        assert_eq!(found_patterns, expected, "{tool} {error}");
        assert_eq!(found["has_known_issues"], json!(!expected.is_empty()));
    }
    let found = bench.ok("check_known_issues", json!({"error_text": "token expired; no such field"})).await;
    let expected = json!([
        {"source": "auth_patterns", "tool_name": null, "pattern": "Token expired", "meaning": "logged out",
            "fix": "log in", "commands": ["kube_login(cluster='stage')"]},
        {"source": "jira_cli_patterns", "tool_name": null, "pattern": "no such field", "meaning": "wrong name",
            "fix": "list them", "commands": []},
    ]);
    assert_eq!(found["matches"], expected);
}

#[tokio::test]
async fn a_fix_is_learned_once_and_the_oldest_are_forgotten() {
    let bench = Bench::new();
    let fix = |pattern: &str, fix: &str| json!({"tool_name": "t", "error_pattern": pattern, "root_cause": "c", "fix_description": fix});
    assert_eq!(bench.ok("learn_tool_fix", fix("e", "old")).await, json!({"occurrences": 1, "count": 1}));
    assert_eq!(bench.ok("learn_tool_fix", fix("e", "new")).await, json!({"occurrences": 2, "count": 1}));
    let known = bench.read("learned/tool_fixes").await;
    assert_eq!(known["tool_fixes"][0]["fix_applied"], "new");
    assert_eq!(known["stats"], json!({"total_learned": 1}));
    for index in 0..KEPT_FIXES {
        bench.ok("learn_tool_fix", fix(&format!("e{index}"), "f")).await;
    }
    let known = bench.read("learned/tool_fixes").await;
    assert_eq!(known["tool_fixes"].as_array().unwrap().len(), KEPT_FIXES);
    assert_eq!(known["tool_fixes"][0]["error_pattern"], "e0");
    assert_eq!(known["stats"], json!({"total_learned": 1 + KEPT_FIXES}));
}

const KEPT_FIXES: usize = 100;

#[tokio::test]
async fn statistics_say_what_to_look_at() {
    let bench = Bench::new();
    bench.ok("memory_write", json!({"key": "big", "content": {"x": "x".repeat(60_000)}})).await;
    bench.ok("memory_session_log", json!({"action": "a"})).await;
    bench
        .ok(
            "memory_write",
            json!({"key": "learned/patterns", "content": {"x_patterns": [{"pattern": "p"}, {}]}}),
        )
        .await;
    for number in 1..=2 {
        let failed = json!({"tool_name": "t", "error_text": "ä".repeat(300), "context": {"skill": "s"}});
        assert_eq!(bench.ok("record_tool_failure", failed).await, json!({"total_failures": number}));
    }
    let failure = &bench.read("learned/tool_failures").await["failures"][1];
    assert_eq!((failure["tool"].as_str(), &failure["context"]), (Some("t"), &json!({"skill": "s"})));
    assert_eq!(failure["error_snippet"].as_str().unwrap().chars().count(), 200);

    let stats = bench.ok("memory_stats", json!({})).await;
    for (field, expected) in
        [("keys", 4), ("sessions", 1), ("patterns", 1), ("tool_fixes", 0), ("failures", 2), ("auto_fixed", 0)]
    {
        assert_eq!(stats[field], json!(expected), "{field}");
    }
    let sizes: u64 =
        stats["entries"].as_array().unwrap().iter().map(|entry| entry["bytes"].as_u64().unwrap()).sum();
    assert_eq!(stats["bytes"], json!(sizes));
    let warnings = stats["warnings"].as_array().unwrap();
    assert!(warnings[0].as_str().unwrap().starts_with("`big` has 6"), "{warnings:?}");
    assert_eq!(warnings[1], "0 of 2 recorded failures were healed");
}

#[tokio::test]
async fn a_call_repeated_by_its_run_is_made_once() {
    let bench = Bench::new();
    let item = |item: u32| json!({"key": "k", "list_path": "l", "item": item});
    let within = |key: &str| CallContext { idempotency_key: key.to_owned(), ..CallContext::detached("/") };
    let mut counts = Vec::new();
    for (step, value) in [("one", 1), ("one", 1), ("two", 1), ("one", 2), ("one", 1)] {
        let answer = call(&bench.memory, &within(step), "memory_append", item(value)).await.unwrap();
        counts.push(answer["count"].as_u64().unwrap());
    }
    assert_eq!(counts, [1, 1, 2, 3, 1]);
    assert_eq!(bench.read("k").await, json!({"l": [1, 1, 2]}));
    for _ in 0..2 {
        bench.ok("memory_append", item(3)).await;
    }
    assert_eq!(bench.read("k").await, json!({"l": [1, 1, 2, 3, 3]}), "outside of runs every call counts");
}

#[tokio::test]
async fn a_store_that_cannot_be_opened_fails_the_call() {
    let memory = Memory::new(LazyStore::default(), &[]);
    for (tool, args) in
        [("memory_read", json!({"key": "a"})), ("memory_write", json!({"key": "a", "content": {}}))]
    {
        let error = call(&memory, &CallContext::detached("/"), tool, args).await.unwrap_err();
        assert!(error.message.starts_with("cannot use the store"), "{error}");
    }
}

const FOLDER: &str = "AA_TEST_MEMORY";
const APPENDS: u64 = 30;

/// This program as a child that runs one test with a store's folder.
fn child(test: &str, folder: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", &format!("tool::memory::tests::{test}"), "--nocapture", "--quiet"]);
    command.env(FOLDER, folder).stdout(Stdio::piped()).spawn().unwrap()
}

async fn append(memory: &Memory, item: Value) -> Value {
    let args = json!({"key": "k", "list_path": "l", "item": item});
    call(memory, &CallContext::detached("/"), "memory_append", args).await.unwrap()
}

fn child_memory() -> Option<Memory> {
    std::env::var_os(FOLDER).map(|folder| memory_in(&PathBuf::from(folder)))
}

#[tokio::test]
async fn processes_that_append_at_once_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let children: Vec<_> = (0..3).map(|_| child("as_child_append", folder.path())).collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
    let (memory, context) = (memory_in(folder.path()), CallContext::detached("/"));
    let found = call(&memory, &context, "memory_read", json!({"key": "k"})).await.unwrap();
    let items = found["l"].as_array().unwrap();
    assert_eq!(items.len() as u64, 3 * APPENDS);
    let mut numbers: Vec<_> = items.iter().map(|item| item["n"].as_u64().unwrap()).collect();
    numbers.sort_unstable();
    let expected: Vec<_> = (0..APPENDS).flat_map(|n| [n; 3]).collect();
    assert_eq!(numbers, expected);
}

#[tokio::test]
async fn as_child_append() {
    let Some(memory) = child_memory() else { return };
    for number in 0..APPENDS {
        append(&memory, json!({"pid": std::process::id(), "n": number})).await;
    }
}

#[tokio::test]
async fn what_was_acknowledged_survives_the_death_of_its_process() {
    for delay in [1, 7, 20] {
        let folder = tempfile::tempdir().unwrap();
        let mut killed = child("as_child_append_forever", folder.path());
        let mut lines = BufReader::new(killed.stdout.take().unwrap()).lines().map_while(Result::ok);
        let count =
            |line: &String| line.strip_prefix("appended ").and_then(|count| count.parse::<u64>().ok());
        let first = lines.by_ref().find_map(|line| count(&line)).expect("it appends");
        std::thread::sleep(std::time::Duration::from_millis(delay));
        killed.kill().unwrap();
        killed.wait().unwrap();
        let acknowledged = lines.filter_map(|line| count(&line)).last().unwrap_or(first);

        let memory = memory_in(folder.path());
        let kept = append(&memory, json!("after")).await["count"].as_u64().unwrap() - 1;
        assert!(kept == acknowledged || kept == acknowledged + 1, "{acknowledged} said, {kept} kept");
    }
}

#[tokio::test]
#[expect(clippy::print_stdout, reason = "speaks to its parent")]
async fn as_child_append_forever() {
    let Some(memory) = child_memory() else { return };
    for number in 0_u64.. {
        let answer = append(&memory, json!(number)).await;
        println!("\nappended {}", answer["count"]);
    }
}

#[tokio::test]
async fn every_tool_remembers_for_the_tenant_of_its_call() {
    let bench = kit::Bench::of(TOOLS);
    let call = async |tenant: &str, tool: &str, args: Value| {
        bench
            .call_for(tenant, tool, args.clone())
            .await
            .unwrap_or_else(|error| panic!("{tool} {args}: {error}"))
    };
    for (tenant, animal) in [("red", "zebra"), ("blue", "horse")] {
        call(tenant, "memory_write", json!({"key": "k", "content": {"list": [animal]}})).await;
        call(tenant, "memory_append", json!({"key": "k", "list_path": "list", "item": animal})).await;
        call(tenant, "memory_session_log", json!({"action": animal})).await;
        let fix =
            json!({"tool_name": "t", "error_pattern": animal, "root_cause": "c", "fix_description": animal});
        call(tenant, "learn_tool_fix", fix).await;
        call(tenant, "record_tool_failure", json!({"tool_name": "t", "error_text": animal})).await;
    }
    assert_eq!(call("main", "memory_read", json!({})).await, json!([]));
    assert_eq!(call("main", "memory_stats", json!({})).await["keys"], 0);
    for (tenant, own, other) in [("red", "zebra", "horse"), ("blue", "horse", "zebra")] {
        assert_eq!(call(tenant, "memory_read", json!({"key": "k"})).await["list"], json!([own, own]));
        let found = call(tenant, "memory_query", json!({"key": "k", "query": "$.list[0]"})).await;
        assert_eq!(found, json!([own]));
        let spots = call(tenant, "memory_search", json!({"query": own, "limit": 50})).await;
        assert!(spots.as_array().unwrap().len() >= 3, "{spots}");
        assert_eq!(call(tenant, "memory_search", json!({"query": other})).await, json!([]));
        let known = call(tenant, "check_known_issues", json!({"error_text": "zebra and horse"})).await;
        assert_eq!(known["matches"].as_array().unwrap().len(), 1, "{known}");
        let stats = call(tenant, "memory_stats", json!({})).await;
        assert_eq!((&stats["tool_fixes"], &stats["failures"]), (&json!(1), &json!(1)));
    }
}
