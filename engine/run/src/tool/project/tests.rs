//! Projects in a real store, over real folders.

use crate::tool::memory::kit::Bench;
use serde_json::json;

use super::detect::dependencies;
use super::*;

fn bench() -> Bench {
    Bench::of(TOOLS)
}

fn repository(folder: &Path) {
    std::fs::create_dir_all(folder.join(".git/refs/remotes/origin")).unwrap();
    let config = "[core]\n\tbare = false\n[remote \"origin\"]\n\turl = https://me:secret@git.example.org/team/shop.git\n[branch \"x\"]\n\turl = no\n";
    std::fs::write(folder.join(".git/config"), config).unwrap();
    std::fs::write(folder.join(".git/refs/remotes/origin/HEAD"), "ref: refs/remotes/origin/trunk\n").unwrap();
    std::fs::write(folder.join("Cargo.toml"), "[package]\nname = \"shop\"\n[dependencies]\nserde = \"1\"\n[dev-dependencies]\ntempfile = \"3\"\n[lints]\nx = 1\n").unwrap();
    std::fs::write(folder.join("Makefile"), "all: test\ntest:\n\tcargo nextest run\n").unwrap();
}

#[tokio::test]
async fn a_folder_says_what_it_is() {
    let bench = bench();
    let folder = bench.folder().join("my shop");
    repository(&folder);
    let seen = bench.ok("project_detect", json!({"path": "my shop"})).await;
    for (field, expected) in [
        ("name", json!("my-shop")),
        ("is_git", json!(true)),
        ("remote", json!("https://git.example.org/team/shop.git")),
        ("gitlab", json!("team/shop")),
        ("default_branch", json!("trunk")),
        ("languages", json!(["rust"])),
        ("lint_command", json!("cargo clippy")),
        ("test_command", json!("make test")),
        ("registered", json!(null)),
    ] {
        assert_eq!(seen[field], expected, "{field}");
    }
    assert_eq!(dependencies(&folder), ["serde", "tempfile"]);
    let error = bench.call("project_detect", json!({"path": "nowhere"})).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
    // Which branch is checked out says nothing about which is the main one.
    std::fs::remove_file(folder.join(".git/refs/remotes/origin/HEAD")).unwrap();
    std::fs::write(folder.join(".git/HEAD"), "ref: refs/heads/feature/x\n").unwrap();
    assert_eq!(bench.ok("project_detect", json!({"path": "my shop"})).await["default_branch"], "");
}

#[tokio::test]
async fn projects_are_added_changed_and_removed() {
    let bench = bench();
    repository(&bench.folder().join("shop"));
    let added = bench
        .ok(
            "project_add",
            json!({"name": "shop", "path": "shop", "jira_project": "AAP", "scopes": "api, ui"}),
        )
        .await;
    for (field, expected) in [
        ("gitlab", json!("team/shop")),
        ("default_branch", json!("trunk")),
        ("test_command", json!("make test")),
        ("jira_project", json!("AAP")),
        ("scopes", json!(["api", "ui"])),
    ] {
        assert_eq!(added[field], expected, "{field}");
    }
    assert!(bench.refusal("project_add", json!({"name": "shop", "path": "shop"})).await.contains("already"));
    assert!(
        bench.refusal("project_add", json!({"name": "../shop", "path": "shop"})).await.contains("no name")
    );
    assert_eq!(bench.ok("project_detect", json!({"path": "shop"})).await["registered"], "shop");

    let changed = bench.ok("project_update", json!({"name": "shop", "gitlab": "team/store"})).await;
    assert_eq!((&changed["gitlab"], &changed["jira_project"]), (&json!("team/store"), &json!("AAP")));
    let error = bench.call("project_update", json!({"name": "shpo"})).await.unwrap_err();
    assert_eq!(error.message, "there is no project `shpo`; did you mean `shop`?");

    std::fs::rename(bench.folder().join("shop"), bench.folder().join("gone")).unwrap();
    assert_eq!(bench.ok("project_list", json!({})).await[0]["exists"], json!(false));
    assert!(bench.refusal("project_remove", json!({"name": "shop"})).await.contains("confirm: true"));
    bench.ok("project_remove", json!({"name": "shop", "confirm": true})).await;
    assert_eq!(bench.ok("project_list", json!({})).await, json!([]));
}

#[tokio::test]
async fn a_call_means_a_name_a_folder_or_what_is_around_it() {
    let bench = bench();
    let root = bench.folder().join("shop");
    repository(&root);
    std::fs::create_dir_all(root.join("src")).unwrap();
    let root = root.canonicalize().unwrap();
    let memory = bench.memory();
    let resolved = |from: &'static str, project: &'static str| {
        let context = CallContext::detached(bench.folder().join(from));
        async move { resolve(memory, &context, project).await.unwrap() }
    };
    let named = |name: &str, folder: Option<&Path>| Resolved {
        name: name.to_owned(),
        folder: folder.map(Path::to_owned),
    };
    assert_eq!(resolved("shop/src", "").await, named("shop", Some(&root)));
    assert_eq!(resolved("shop/src", "shop").await, named("shop", Some(&root)));
    assert_eq!(resolved("", "./shop").await, named("shop", Some(&root)));
    assert_eq!(resolved("", "other").await, named("other", None));
    bench.ok("project_add", json!({"name": "store", "path": "shop"})).await;
    assert_eq!(resolved("shop/src", "").await, named("store", Some(&root)));
    assert_eq!(resolved("", "store").await, named("store", Some(&root)));
    // A registered name means its folder alone.
    let other = bench.folder().join("old/store");
    std::fs::create_dir_all(&other).unwrap();
    let found = resolved("old/store", "").await;
    assert_eq!(found.folder, Some(other.canonicalize().unwrap()));
    assert!(found.name.starts_with("store-"), "{found:?}");
}

#[tokio::test]
async fn a_tenant_has_projects_of_its_own_and_looks_into_none_that_is_not_open() {
    let bench = bench();
    repository(&bench.folder().join("shop"));
    let outside = bench.folder().parent().unwrap().join("outside");
    repository(&outside);
    let outside = outside.to_str().unwrap();
    let add = |path: &str| json!({"name": "shop", "path": path});
    for (tool, args) in [("project_add", add(outside)), ("project_detect", json!({"path": outside}))] {
        let error = bench.call_for("red", tool, args.clone()).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::NotFound, "{error}");
        bench.ok(tool, args).await;
    }
    bench.call_for("red", "project_add", add("shop")).await.unwrap();
    let list = async |tenant: &str| {
        let listed = bench.call_for(tenant, "project_list", json!({})).await.unwrap();
        listed.as_array().unwrap().iter().map(|project| project["path"].clone()).collect::<Vec<_>>()
    };
    let own = bench.folder().join("shop").to_str().unwrap().to_owned();
    assert_eq!((list("main").await, list("red").await), (vec![json!(outside)], vec![json!(own)]));
    assert!(list("blue").await.is_empty());

    // What is remembered is not what may be looked into.
    let context = CallContext { tenant: "red".into(), ..CallContext::detached(bench.folder()) };
    let call = ("test", &"test");
    let elsewhere = outside.to_owned();
    let work = move |document: &mut Map<String, Value>, _| {
        document["projects"]["shop"]["path"] = elsewhere.as_str().into();
        Ok(Outcome::Changed(()))
    };
    bench.memory().change(&context, call, &Key::known(PROJECTS), work).await.unwrap();
    assert_eq!(resolve(bench.memory(), &context, "shop").await.unwrap().folder, None);
}
