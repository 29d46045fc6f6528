//! The tools over a real folder.

use std::fs;

use serde_json::{Value, json};

use super::*;
use crate::store::{Durability, LazyStore, StoreOptions};

struct Bench {
    code: Code,
    folder: tempfile::TempDir,
}

impl Bench {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = StoreOptions { durability: Durability::Normal, inline_limit: 1000 };
        let memory = Memory::new(LazyStore::new(&folder.path().join("state"), options), &[]);
        let code = Code::new(memory, &folder.path().join("state"));
        let bench = Self { code, folder };
        for (path, text) in files {
            bench.write(path, text);
        }
        bench
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("shop")
    }

    fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    async fn call(&self, tool: &str, args: Value) -> Result<Value, ToolError> {
        self.call_for(MAIN, tool, args).await
    }

    /// A call of somebody of a tenant.
    async fn call_for(&self, tenant: &str, tool: &str, args: Value) -> Result<Value, ToolError> {
        let (_, make) = TOOLS.iter().find(|(name, _)| *name == tool).unwrap();
        let context = CallContext { tenant: tenant.into(), ..CallContext::detached(self.root()) };
        make(self.code.clone()).call(&context, args.as_object().unwrap().clone()).await
    }

    async fn ok(&self, tool: &str, args: Value) -> Value {
        self.call(tool, args.clone()).await.unwrap_or_else(|error| panic!("{tool} {args}: {error}"))
    }

    /// The places that a search finds, as `path:line`.
    async fn found(&self, args: Value) -> Vec<String> {
        let answer = self.ok("code_search", args).await;
        let place = |found: &Value| format!("{}:{}", found["path"].as_str().unwrap(), found["line"]);
        answer["results"].as_array().unwrap().iter().map(place).collect()
    }
}

const FILES: &[(&str, &str)] = &[
    (
        "src/billing.rs",
        "//! Money.\n\n/// Sums what is owed.\npub fn total_owed(invoice: &Invoice) -> u64 {\n    invoice.lines.iter().sum()\n}\n",
    ),
    ("src/user.py", "class UserStore:\n    def getUserName(self):\n        return self.name\n"),
    ("docs/billing.md", "# Billing\n\nInvoices are sent monthly.\n"),
    (".gitignore", "target/\n*.log\n"),
    ("target/out.rs", "fn total_owed() {}\n"),
    ("a.log", "total_owed\n"),
];

#[tokio::test]
async fn words_are_found_with_their_lines() {
    let bench = Bench::new(FILES);
    bench.write("logo.bin", [0, 159, 146, 150]);
    bench.write("big.txt", "total_owed ".repeat(100_000));
    for (query, expected) in [
        (json!({"query": "total_owed"}), vec!["src/billing.rs:4"]),
        (json!({"query": "total owed"}), vec!["src/billing.rs:4"]),
        (json!({"query": "user name"}), vec!["src/user.py:2"]),
        (json!({"query": "invoices"}), vec!["docs/billing.md:3", "src/billing.rs:4"]),
        (json!({"query": "invoices", "file_filter": "*.rs"}), vec!["src/billing.rs:4"]),
        (json!({"query": "invoices", "file_filter": "docs/"}), vec!["docs/billing.md:3"]),
        (json!({"query": "invoices", "type_filter": "rs"}), vec!["src/billing.rs:4"]),
        (json!({"query": "invoices", "type_filter": "markdown"}), vec!["docs/billing.md:3"]),
        (json!({"query": "invoices", "type_filter": "function"}), vec!["src/billing.rs:4"]),
        (json!({"query": "user", "type_filter": "class"}), vec!["src/user.py:1"]),
        (json!({"query": "nothing_like_this"}), vec![]),
    ] {
        let mut found = bench.found(query.clone()).await;
        found.sort();
        assert_eq!(found, expected, "{query}");
    }
    let any = bench.ok("code_search", json!({"query": "where is the invoice of a zebra"})).await;
    assert_eq!(any["all_words"], json!(false));
    assert!(!any["results"].as_array().unwrap().is_empty());
    let first = &bench.ok("code_search", json!({"query": "total_owed"})).await["results"][0];
    assert_eq!((&first["first_line"], &first["language"]), (&json!(1), &json!("rust")));
    assert!(first["text"].as_str().unwrap().contains("pub fn total_owed"), "{first}");
    let done = bench.ok("code_index", json!({"force": true})).await;
    for (field, expected) in [("files", 3), ("read", 3), ("too_big", 1), ("no_text", 1), ("removed", 0)] {
        assert_eq!(done[field], json!(expected), "{field} {done}");
    }
    let stats = bench.ok("code_stats", json!({})).await;
    assert_eq!((&stats["files"], stats["languages"].as_array().unwrap().len()), (&json!(3), 3), "{stats}");
}

#[tokio::test]
async fn every_search_sees_what_has_changed() {
    let bench = Bench::new(FILES);
    assert_eq!(bench.found(json!({"query": "zebra"})).await, Vec::<String>::new());
    bench.write("src/zoo.rs", "// a zebra\n");
    assert_eq!(bench.found(json!({"query": "zebra"})).await, ["src/zoo.rs:1"]);
    // As long as before, and within the same moment.
    bench.write("src/zoo.rs", "// a camel\n");
    assert_eq!(bench.found(json!({"query": "zebra"})).await, Vec::<String>::new());
    assert_eq!(bench.found(json!({"query": "camel"})).await, ["src/zoo.rs:1"]);
    fs::remove_file(bench.root().join("src/zoo.rs")).unwrap();
    assert_eq!(bench.found(json!({"query": "camel"})).await, Vec::<String>::new());
    let old = std::time::SystemTime::now() - std::time::Duration::from_hours(1);
    for (path, _) in FILES {
        fs::File::options().write(true).open(bench.root().join(path)).unwrap().set_modified(old).unwrap();
    }
    bench.ok("code_index", json!({})).await;
    bench.write("logo.bin", [0, 159, 146, 150]);
    for _ in 0..2 {
        let done = bench.ok("code_index", json!({})).await;
        assert_eq!((&done["read"], &done["no_text"]), (&json!(0), &json!(1)), "nothing has changed");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn links_are_not_followed() {
    let bench = Bench::new(FILES);
    let outside = bench.folder.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("secret.txt"), "zebra\n").unwrap();
    std::os::unix::fs::symlink(&outside, bench.root().join("linked")).unwrap();
    std::os::unix::fs::symlink(outside.join("secret.txt"), bench.root().join("linked.txt")).unwrap();
    assert_eq!(bench.found(json!({"query": "zebra"})).await, Vec::<String>::new());
}

#[tokio::test]
async fn an_index_says_what_is_in_it_and_whether_it_is_whole() {
    let bench = Bench::new(FILES);
    assert_eq!(bench.ok("code_stats", json!({})).await["indexed"], json!(false));
    assert_eq!(
        bench.ok("code_health", json!({})).await,
        json!({"healthy": true, "indexes": [], "problems": []})
    );
    let watched = bench.ok("code_watch", json!({"debounce_seconds": 1.5})).await;
    assert_eq!((&watched["watching"], &watched["files"]), (&json!(false), &json!(3)));
    let stats = bench.ok("code_stats", json!({})).await;
    for (field, expected) in
        [("indexed", json!(true)), ("files", json!(3)), ("lines", json!(12)), ("chunks", json!(3))]
    {
        assert_eq!(stats[field], expected, "{field} {stats}");
    }
    assert_eq!(stats["languages"][0], json!({"language": "markdown", "files": 1, "lines": 3}));

    let file = bench.code.file(&CallContext::detached("/"), &bench.root().canonicalize().unwrap());
    fs::write(&file, "this is no database, and it is long enough to look like one to a fool").unwrap();
    let _ = fs::remove_file(file.with_extension("db-wal"));
    let health = bench.ok("code_health", json!({})).await;
    assert_eq!((&health["healthy"], &health["indexes"][0]["readable"]), (&json!(false), &json!(false)));
    assert_eq!(bench.found(json!({"query": "total_owed"})).await, ["src/billing.rs:4"]);
    assert_eq!(bench.ok("code_health", json!({})).await["healthy"], json!(true));
    fs::rename(bench.root(), bench.folder.path().join("gone")).unwrap();
    fs::create_dir(bench.folder.path().join("elsewhere")).unwrap();
    let health = bench.ok("code_health", json!({})).await;
    assert!(health["problems"][0].as_str().unwrap().contains("is gone"), "{health}");
}

#[tokio::test]
async fn an_index_is_made_anew_when_it_is_old_and_kept_when_it_is_newer() {
    let bench = Bench::new(FILES);
    bench.ok("code_index", json!({})).await;
    let file = bench.code.file(&CallContext::detached("/"), &bench.root().canonicalize().unwrap());
    let marked =
        |format: i64| rusqlite::Connection::open(&file).unwrap().pragma_update(None, "user_version", format);
    marked(2).unwrap();
    let before = fs::metadata(&file).unwrap().len();
    let error = bench.call("code_search", json!({"query": "total_owed"})).await.unwrap_err();
    assert!(error.message.contains("newer version"), "{error}");
    assert_eq!(fs::metadata(&file).unwrap().len(), before, "it is left alone");
    marked(-1).unwrap();
    assert_eq!(bench.ok("code_index", json!({})).await["read"], json!(3), "everything is read again");
}

#[tokio::test]
async fn indexes_are_counted_and_thrown_away() {
    let bench = Bench::new(FILES);
    bench.ok("code_index", json!({})).await;
    let cache = bench.ok("code_cache", json!({})).await;
    assert_eq!((&cache["indexes"], &cache["cleared"]), (&json!(1), &json!(0)));
    assert!(cache["bytes"].as_u64().unwrap() > 1000, "{cache}");
    let cleared = bench.ok("code_cache", json!({"action": "clear"})).await;
    assert_eq!(
        (&cleared["indexes"], &cleared["bytes"], &cleared["cleared"]),
        (&json!(0), &json!(0), &json!(1))
    );
    assert_eq!(bench.ok("code_stats", json!({})).await["indexed"], json!(false));
    assert_eq!(bench.found(json!({"query": "total_owed"})).await, ["src/billing.rs:4"]);
}

#[tokio::test]
async fn every_registered_project_is_brought_up_to_date() {
    let bench = Bench::new(FILES);
    let memory = &bench.code.memory;
    let context = CallContext::detached(bench.root());
    let (_, add) = project::TOOLS.iter().find(|(name, _)| *name == "project_add").unwrap();
    for (name, path) in [("shop", bench.root()), ("lost", bench.folder.path().join("lost"))] {
        fs::create_dir_all(&path).unwrap();
        let args = json!({"name": name, "path": path, "gitlab": "team/x", "jira_project": "X"});
        add(memory.clone()).call(&context, args.as_object().unwrap().clone()).await.unwrap();
    }
    fs::remove_dir(bench.folder.path().join("lost")).unwrap();
    let looked = bench.ok("code_watch_all", json!({"action": "status"})).await;
    assert_eq!((&looked["projects"][0]["files"], &looked["missing"]), (&json!(0), &json!(["lost"])));
    assert_eq!(bench.ok("code_stats", json!({})).await["indexed"], json!(false));
    let watched = bench.ok("code_watch_all", json!({})).await;
    assert_eq!((&watched["watching"], &watched["projects"][0]["files"]), (&json!(false), &json!(3)));
    assert_eq!(bench.ok("code_stats", json!({})).await["indexed"], json!(true));
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let bench = Bench::new(FILES);
    for (tool, args, kind) in [
        ("code_search", json!({"query": " - "}), ErrorKind::Invalid),
        ("code_search", json!({"query": "a", "file_filter": "[]"}), ErrorKind::Invalid),
        ("code_search", json!({"query": "a", "project": "nowhere"}), ErrorKind::NotFound),
        ("code_index", json!({"project": "./nowhere"}), ErrorKind::NotFound),
        ("code_watch", json!({"action": "dance"}), ErrorKind::Invalid),
        ("code_watch_all", json!({"action": "dance"}), ErrorKind::Invalid),
        ("code_cache", json!({"action": "dance"}), ErrorKind::Invalid),
    ] {
        assert_eq!(bench.call(tool, args.clone()).await.unwrap_err().kind, kind, "{tool} {args}");
    }
}

#[tokio::test]
async fn a_tenant_searches_where_it_may_and_has_indexes_of_its_own() {
    let bench = Bench::new(FILES);
    let secret = bench.folder.path().join("secret");
    fs::create_dir(&secret).unwrap();
    fs::write(secret.join("plan.rs"), "fn total_owed() {}\n").unwrap();
    std::os::unix::fs::symlink(&secret, bench.root().join("way_out")).unwrap();
    let secret = secret.display().to_string();
    let words = |project: &str| json!({"query": "total_owed", "project": project});
    assert_eq!(bench.found(words(&secret)).await, ["plan.rs:1"], "whoever owns the store looks anywhere");
    for project in [secret.as_str(), "../secret", "..", "way_out/../way_out", "/nowhere"] {
        let error = bench.call_for("red", "code_search", words(project)).await.unwrap_err();
        assert!(error.message.contains("not open to the tenant `red`"), "{project}: {error}");
    }
    let found = bench.call_for("red", "code_search", words("")).await.unwrap();
    assert_eq!(found["results"][0]["path"], "src/billing.rs");

    let health = bench.call_for("red", "code_health", json!({})).await.unwrap();
    assert_eq!(health["indexes"].as_array().unwrap().len(), 1, "{health}");
    bench.call_for("blue", "code_cache", json!({"action": "clear"})).await.unwrap();
    let counted = async |tenant: &str| {
        bench.call_for(tenant, "code_cache", json!({})).await.unwrap()["indexes"].as_u64().unwrap()
    };
    assert_eq!((counted(MAIN).await, counted("red").await, counted("blue").await), (1, 1, 0));
}

#[tokio::test]
async fn more_than_the_folder_of_the_call_is_seen_only_where_it_is_open() {
    let bench = Bench::new(FILES);
    fs::create_dir(bench.folder.path().join(".git")).unwrap();
    let root = async |tenant: &str, code: &Code| {
        let context = CallContext { tenant: tenant.into(), ..CallContext::detached(bench.root()) };
        code.project(&context, "").await.unwrap().1
    };
    let (around, own) = (bench.folder.path().canonicalize().unwrap(), bench.root().canonicalize().unwrap());
    assert_eq!((root(MAIN, &bench.code).await, root("red", &bench.code).await), (around.clone(), own));
    let options = StoreOptions { durability: Durability::Normal, inline_limit: 1000 };
    let state = bench.folder.path().join("state");
    let memory = Memory::new(LazyStore::new(&state, options), std::slice::from_ref(&around));
    assert_eq!(root("red", &Code::new(memory, &state)).await, around);
}
