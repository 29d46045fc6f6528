//! Module `git` on real repositories.

use aa_spec::tool::ErrorKind;
use serde_json::json;

use super::*;

/// A folder with a repository `work` of two commits.
async fn repository() -> Bench {
    let bench = Bench::new();
    bench.ok("git_init", json!({"path": "work"})).await;
    commit(&bench, "a.txt", "one\n", "first").await;
    commit(&bench, "b.txt", "two\n", "second").await;
    bench
}

async fn commit(bench: &Bench, file: &str, text: &str, message: &str) {
    bench.write(&format!("work/{file}"), text);
    bench.work("git_add", json!({ "files": file })).await;
    bench.work("git_commit", json!({ "message": message })).await;
}

/// The same with a bare remote `origin` that has everything.
async fn with_remote() -> Bench {
    let bench = repository().await;
    bench.ok("git_init", json!({"path": "remote", "bare": true})).await;
    let url = bench.folder.path().join("remote");
    bench.work("git_remote", json!({"action": "add", "name": "origin", "url": url})).await;
    bench.work("git_push", json!({"set_upstream": true})).await;
    bench
}

impl Bench {
    /// Calls a tool on the repository `work`.
    async fn work(&self, tool: &str, mut args: Value) -> Value {
        args["repo"] = "work".into();
        self.ok(tool, args).await
    }

    async fn work_error(&self, tool: &str, mut args: Value) -> ToolError {
        args["repo"] = "work".into();
        self.error(tool, args).await
    }
}

fn field<'a>(list: &'a Value, name: &str) -> Vec<&'a str> {
    list.as_array().unwrap().iter().map(|item| item[name].as_str().unwrap()).collect()
}

#[tokio::test]
async fn status_of_an_empty_repository() {
    let bench = Bench::new();
    bench.ok("git_init", json!({"path": "work"})).await;
    let status = bench.work("git_status", json!({})).await;
    assert_eq!(
        status,
        json!({
            "branch": "main", "commit": null, "upstream": null, "ahead": null, "behind": null, "clean": true,
            "staged": [], "unstaged": [], "conflicted": [], "untracked": []
        })
    );
}

#[tokio::test]
async fn status_tells_all_kinds_of_changes() {
    let bench = with_remote().await;
    commit(&bench, "c.txt", "three\n", "third").await;
    bench.write("work/a.txt", "changed\n");
    bench.write("work/b.txt", "staged\n");
    bench.work("git_add", json!({"files": ["b.txt"]})).await;
    bench.write("work/with \"quotes\" and\nline.txt", "");
    fs::remove_file(bench.folder.path().join("work/c.txt")).unwrap();
    let status = bench.work("git_status", json!({})).await;
    assert_eq!((&status["branch"], &status["upstream"]), (&json!("main"), &json!("origin/main")));
    assert_eq!(
        (&status["ahead"], &status["behind"], &status["clean"]),
        (&json!(1), &json!(0), &json!(false))
    );
    assert_eq!(status["staged"], json!([{"change": "M", "path": "b.txt"}]));
    assert_eq!(
        status["unstaged"],
        json!([{"change": "M", "path": "a.txt"}, {"change": "D", "path": "c.txt"}])
    );
    assert_eq!(status["untracked"], json!(["with \"quotes\" and\nline.txt"]));
}

#[tokio::test]
async fn log_gives_commits_as_values() {
    let bench = repository().await;
    bench.write("work/a.txt", "1\n2\n");
    let args = json!({"message": "tabs\tand \"quotes\"\n\nA body\nof two lines", "all_changes": true});
    let committed = bench.work("git_commit", args).await;
    assert_eq!(
        (&committed["branch"], &committed["subject"]),
        (&json!("main"), &json!("tabs\tand \"quotes\""))
    );
    let log = bench.work("git_log", json!({})).await;
    assert_eq!(field(&log, "subject"), ["tabs\tand \"quotes\"", "second", "first"]);
    assert_eq!((&log[0]["author"], &log[0]["email"]), (&json!("Ada"), &json!("ada@example.org")));
    assert_eq!((&log[0]["body"], &log[0]["numstat"]), (&json!(null), &json!(null)));
    assert_eq!(log[0]["parents"], json!([log[1]["sha"]]));
    assert_eq!(log[2]["parents"], json!([]));
    let long = bench.work("git_log", json!({"limit": 1, "oneline": false, "numstat": true})).await;
    assert_eq!(
        (&long[0]["body"], &long[0]["numstat"]),
        (&json!("A body\nof two lines"), &json!("2\t1\ta.txt"))
    );
    assert_eq!(bench.work("git_log", json!({"count_only": true})).await, 3);
}

#[tokio::test]
async fn logs_are_narrowed() {
    let bench = repository().await;
    commit(&bench, "c.txt", "three\n", "third").await;
    let cases = [
        (json!({"path": "b.txt"}), vec!["second"]),
        (json!({"range_spec": "HEAD~2..HEAD~1"}), vec!["second"]),
        (json!({"branch": "HEAD~2"}), vec!["first"]),
        (json!({"limit": 1}), vec!["third"]),
        (
            json!({"author": "Ada", "no_merges": true, "since": "2001-01-01"}),
            vec!["third", "second", "first"],
        ),
        (json!({"author": "nobody"}), vec![]),
        (json!({"merges_only": true}), vec![]),
        (json!({"until": "2001-01-01"}), vec![]),
    ];
    for (args, expected) in cases {
        assert_eq!(field(&bench.work("git_log", args.clone()).await, "subject"), expected, "{args}");
    }
    assert_eq!(bench.work("git_log", json!({"count_only": true, "branch": "HEAD~1"})).await, 2);
}

#[tokio::test]
async fn commits_are_shown() {
    let bench = repository().await;
    let shown = bench.work("git_show", json!({})).await;
    assert_eq!((&shown["subject"], &shown["body"]), (&json!("second"), &json!(null)));
    assert!(shown["changes"].as_str().unwrap().contains("+two"));
    let names = bench.work("git_show", json!({"commit": "HEAD~1", "name_only": true})).await;
    assert_eq!(names["changes"], "a.txt");
    let text = bench.work("git_show", json!({"format": "%an %s", "name_only": true})).await;
    assert_eq!(text, "Ada second\n\nb.txt");
    assert_eq!(bench.work("git_diff_tree", json!({"commit": "HEAD"})).await, json!(["b.txt"]));
    let tree = bench.work("git_diff_tree", json!({"commit": "HEAD~1", "name_only": false})).await;
    assert_eq!(tree, json!([{"status": "A", "path": "a.txt"}]));
}

#[tokio::test]
async fn differences_are_given() {
    let bench = repository().await;
    bench.write("work/a.txt", "other\n");
    let diff = bench.work("git_diff", json!({})).await;
    assert!(diff.as_str().unwrap().contains("-one\n+other"));
    assert_eq!(bench.work("git_diff", json!({"staged": true})).await, "");
    assert_eq!(bench.work("git_diff", json!({"file": "b.txt"})).await, "");
    let between = bench.work("git_diff", json!({"from": "HEAD~1", "to": "HEAD", "stat": true})).await;
    assert!(between.as_str().unwrap().contains("b.txt | 1 +"), "{between}");
    let files = bench.work("git_diff_files", json!({"from": "HEAD~1"})).await;
    let expected =
        json!([{"added": 1, "deleted": 1, "path": "a.txt"}, {"added": 1, "deleted": 0, "path": "b.txt"}]);
    assert_eq!(files, expected);
    bench.work("git_restore", json!({"files": "a.txt"})).await;
    assert_eq!(bench.read("work/a.txt"), "one\n");
}

#[tokio::test]
async fn lines_have_authors() {
    let bench = repository().await;
    bench.write("work/a.txt", "one\nnew\n");
    bench.work("git_commit", json!({"message": "more", "all_changes": true})).await;
    let blame = bench.work("git_blame", json!({"file": "a.txt"})).await;
    assert_eq!(field(&blame, "text"), ["one", "new"]);
    assert_eq!((&blame[1]["author"], &blame[1]["line"]), (&json!("Ada"), &json!(2)));
    assert_ne!(blame[0]["sha"], blame[1]["sha"]);
    assert_eq!(
        field(&bench.work("git_blame", json!({"file": "a.txt", "lines": "2,2"})).await, "text"),
        ["new"]
    );
}

#[tokio::test]
async fn names_become_commits() {
    let bench = repository().await;
    let head = bench.work("git_rev_parse", json!({"ref": "HEAD"})).await;
    assert_eq!(head.as_str().unwrap().len(), 40);
    let short = bench.work("git_rev_parse", json!({"ref": "main", "short": true})).await;
    assert!(head.as_str().unwrap().starts_with(short.as_str().unwrap()));
    let first = bench.work("git_rev_parse", json!({"ref": "HEAD~1"})).await;
    assert_eq!(bench.work("git_merge_base", json!({"one": "HEAD", "other": "HEAD~1"})).await, first);
    bench.work("git_tag", json!({"name": "v1", "message": "One", "target": "HEAD~1"})).await;
    let described = bench.work("git_describe", json!({})).await;
    assert!(described.as_str().unwrap().starts_with("v1-1-g"), "{described}");
    let tags = bench.work("git_tag_list", json!({"pattern": "v*"})).await;
    assert_eq!(
        (&tags[0]["name"], &tags[0]["sha"], &tags[0]["subject"]),
        (&json!("v1"), &first, &json!("One"))
    );
    bench.work("git_tag_delete", json!({"name": "v1"})).await;
    assert_eq!(bench.work("git_tag_list", json!({})).await, json!([]));
}

#[tokio::test]
async fn small_questions_are_answered() {
    let bench = repository().await;
    assert_eq!(bench.work("git_config_get", json!({"key": "core.bare"})).await, "false");
    assert_eq!(bench.work("git_config_get", json!({"key": "no.such"})).await, json!(null));
    assert_eq!(bench.work_error("git_config_get", json!({"key": "x"})).await.kind, ErrorKind::Invalid);
    assert_eq!(bench.work("git_ls_files", json!({"pattern": "b*"})).await, json!(["b.txt"]));
    let authors = bench.work("git_shortlog", json!({})).await;
    assert_eq!(authors, json!([{"commits": 2, "author": "Ada", "email": "ada@example.org"}]));
}

#[tokio::test]
async fn branches_are_made_merged_and_deleted() {
    let bench = repository().await;
    let made = bench.work("git_branch_create", json!({"branch_name": "topic", "base": "HEAD~1"})).await;
    assert_eq!(made, json!({"branch": "topic"}));
    commit(&bench, "c.txt", "three\n", "third").await;
    bench.work("git_branch_create", json!({"branch_name": "other", "checkout": false})).await;
    bench.work("git_checkout", json!({"target": "main"})).await;
    let branches = bench.work("git_branch_list", json!({})).await;
    assert_eq!(field(&branches, "name"), ["main", "other", "topic"]);
    assert_eq!((&branches[0]["current"], &branches[0]["upstream"]), (&json!(true), &json!(null)));
    let unmerged = bench.work("git_branch_list", json!({"no_merged": "main"})).await;
    assert_eq!(field(&unmerged, "name"), ["other", "topic"]);
    let kept = bench.work_error("git_branch_delete", json!({"branch_name": "topic"})).await;
    assert_eq!(kept.details["hint"], "give `force` to lose its commits");
    bench.work("git_merge", json!({"target": "topic", "message": "Merge it"})).await;
    bench.work("git_branch_delete", json!({"branch_name": "topic"})).await;
    let gone = bench.work_error("git_branch_delete", json!({"branch_name": "topic"})).await;
    assert_eq!(gone.kind, ErrorKind::NotFound);
    let merges = bench.work("git_log", json!({"merges_only": true})).await;
    assert_eq!(field(&merges, "subject"), ["Merge it"]);
}

#[tokio::test]
async fn conflicts_are_errors_that_can_be_taken_back() {
    let bench = repository().await;
    bench.work("git_checkout", json!({"target": "topic", "create": true, "start_point": "HEAD~1"})).await;
    commit(&bench, "b.txt", "else\n", "conflicting").await;
    let conflict = bench.work_error("git_merge", json!({"target": "main"})).await;
    let hint = &json!("resolve the conflicts or abort");
    assert_eq!((conflict.kind, &conflict.details["hint"]), (ErrorKind::Permanent, hint));
    assert_eq!(bench.work("git_status", json!({})).await["conflicted"], json!(["b.txt"]));
    bench.work("git_merge_abort", json!({})).await;
    assert_eq!(bench.work_error("git_merge_abort", json!({})).await.kind, ErrorKind::NotFound);
    bench.work_error("git_rebase", json!({"onto": "main"})).await;
    bench.work("git_rebase", json!({"abort": true})).await;
    assert_eq!(bench.work("git_status", json!({})).await["clean"], true);
}

#[tokio::test]
async fn history_is_rewritten_on_demand() {
    let bench = repository().await;
    bench.work("git_checkout", json!({"target": "topic", "create": true, "start_point": "HEAD~1"})).await;
    commit(&bench, "c.txt", "three\n", "third").await;
    bench.work("git_rebase", json!({"onto": "main"})).await;
    assert_eq!(field(&bench.work("git_log", json!({})).await, "subject"), ["third", "second", "first"]);
    bench.work("git_revert", json!({"commit": "HEAD"})).await;
    bench.work("git_reset", json!({"target": "HEAD~1", "mode": "hard"})).await;
    bench.work("git_checkout", json!({"target": "main"})).await;
    bench.work("git_cherry_pick", json!({"commit": ["topic"]})).await;
    assert_eq!(bench.read("work/c.txt"), "three\n");
}

#[tokio::test]
async fn changes_are_put_aside() {
    let bench = repository().await;
    assert_eq!(bench.work("git_stash", json!({})).await["saved"], false);
    bench.write("work/a.txt", "other\n");
    assert_eq!(bench.work("git_stash", json!({"message": "- later"})).await["saved"], true);
    let list = bench.work("git_stash", json!({"action": "list"})).await;
    assert!(list["output"].as_str().unwrap().ends_with("- later"));
    bench.work("git_stash", json!({"action": "pop"})).await;
    assert_eq!(bench.read("work/a.txt"), "other\n");
    assert_eq!(bench.work_error("git_stash", json!({"action": "pop"})).await.kind, ErrorKind::NotFound);
    bench.work("git_stash", json!({})).await;
    bench.work("git_stash_drop", json!({})).await;
    assert_eq!(bench.work_error("git_stash_drop", json!({})).await.kind, ErrorKind::NotFound);
}

#[tokio::test]
async fn untracked_files_are_removed_only_on_demand() {
    let bench = repository().await;
    bench.write("work/new/x", "");
    assert_eq!(bench.work("git_clean", json!({})).await, json!(["new/"]));
    assert_eq!(bench.work("git_clean", json!({"dry_run": false})).await, json!(["new/"]));
    assert_eq!(bench.work("git_clean", json!({})).await, json!([]));
}

#[tokio::test]
async fn commits_travel() {
    let bench = with_remote().await;
    let url = bench.folder.path().join("remote");
    bench.ok("git_clone", json!({"url": url, "path": "copy", "branch": "main"})).await;
    commit(&bench, "c.txt", "three\n", "third").await;
    let pushed = bench.work("git_push", json!({"branch": "main"})).await;
    assert_eq!((&pushed[0]["flag"], &pushed[0]["to"]), (&json!(" "), &json!("refs/heads/main")));
    assert_eq!(bench.work("git_push", json!({})).await[0]["flag"], "=");
    let fetched = bench.ok("git_fetch", json!({"repo": "copy"})).await;
    assert!(fetched["output"].as_str().unwrap().contains("main"), "{fetched}");
    assert_eq!(bench.ok("git_status", json!({"repo": "copy"})).await["behind"], 1);
    bench.ok("git_pull", json!({"repo": "copy"})).await;
    assert_eq!(bench.read("copy/c.txt"), "three\n");
    let refs = bench.ok("git_ls_remote", json!({"repo": "copy", "pattern": "refs/heads/*"})).await;
    assert_eq!(field(&refs, "ref"), ["refs/heads/main"]);
    let remotes = bench.ok("git_remote_info", json!({"repo": "copy"})).await;
    assert_eq!(field(&remotes, "direction"), ["fetch", "push"]);
    assert_eq!(bench.ok("git_remote", json!({"repo": "copy"})).await, remotes);
    bench.ok("git_fetch", json!({"repo": "copy", "refspec": "refs/heads/main:refs/heads/again"})).await;
    let branches = bench.ok("git_branch_list", json!({"repo": "copy", "all_branches": true})).await;
    assert!(field(&branches, "name").contains(&"again"), "{branches}");
}

#[tokio::test]
async fn a_rejected_push_says_what_to_do() {
    let bench = with_remote().await;
    let url = bench.folder.path().join("remote");
    bench.ok("git_clone", json!({"url": url, "path": "copy"})).await;
    commit(&bench, "c.txt", "three\n", "third").await;
    bench.work("git_push", json!({})).await;
    bench.ok("git_commit", json!({"repo": "copy", "message": "other", "allow_empty": true})).await;
    let rejected = bench.error("git_push", json!({"repo": "copy"})).await;
    let hint = &json!("fetch and merge or rebase first");
    assert_eq!((rejected.kind, &rejected.details["hint"]), (ErrorKind::Permanent, hint));
}

#[tokio::test]
async fn working_trees_and_bundles() {
    let bench = repository().await;
    bench.work("git_worktree_add", json!({"path": "../tree", "ref": "HEAD~1"})).await;
    assert!(!bench.folder.path().join("tree/b.txt").exists());
    let trees = bench.work("git_worktree_list", json!({})).await;
    assert_eq!((&trees[0]["branch"], &trees[1]["branch"]), (&json!("main"), &json!(null)));
    bench.work("git_worktree_remove", json!({"path": "../tree"})).await;
    let again = bench.work_error("git_worktree_remove", json!({"path": "../tree"})).await;
    assert_eq!(again.kind, ErrorKind::NotFound);
    bench.work("git_bundle", json!({"file": "../all.bundle"})).await;
    let refs = bench.work("git_bundle_verify", json!({"file": "../all.bundle"})).await;
    assert_eq!(field(&refs, "ref"), ["refs/heads/main", "HEAD"]);
    bench.ok("git_clone", json!({"url": "all.bundle", "path": "copy"})).await;
    assert_eq!(bench.read("copy/b.txt"), "two\n");
}

#[tokio::test]
async fn messages_are_put_together() {
    let bench = repository().await;
    for (mut args, subject) in [
        (json!({"message": "- a point"}), "- a point"),
        (
            json!({"message": "m", "commit_type": "fix", "scope": "api", "issue_key": "AB-1"}),
            "AB-1 - fix(api): m",
        ),
        (json!({"message": "m", "commit_type": "fix"}), "fix: m"),
    ] {
        args["allow_empty"] = true.into();
        assert_eq!(bench.work("git_commit", args).await["subject"], subject);
    }
    let nothing = bench.work_error("git_commit", json!({"message": "m"})).await;
    assert_eq!(nothing.details["hint"], "stage changes first");
}

#[tokio::test]
async fn failures_have_kinds() {
    let bench = repository().await;
    let outside = bench.error("git_status", json!({"repo": "."})).await;
    assert_eq!(
        (outside.kind, &outside.details["hint"]),
        (ErrorKind::NotFound, &json!("give the folder of a repository as `repo`"))
    );
    assert_eq!(bench.error("git_status", json!({"repo": "nowhere"})).await.kind, ErrorKind::NotFound);
    let cases = [
        ("git_log", json!({"branch": "nothing"}), ErrorKind::NotFound),
        ("git_checkout", json!({"target": "nothing"}), ErrorKind::NotFound),
        ("git_show", json!({"commit": "nothing"}), ErrorKind::NotFound),
        ("git_rev_parse", json!({"ref": "nothing"}), ErrorKind::NotFound),
        ("git_add", json!({"files": "nothing"}), ErrorKind::NotFound),
        ("git_blame", json!({"file": "nothing"}), ErrorKind::NotFound),
        ("git_merge", json!({"target": "nothing"}), ErrorKind::NotFound),
        ("git_rebase", json!({"onto": "nothing"}), ErrorKind::NotFound),
        ("git_reset", json!({"target": "nothing"}), ErrorKind::NotFound),
        ("git_fetch", json!({"remote": "nowhere"}), ErrorKind::NotFound),
        ("git_branch_create", json!({"branch_name": "main"}), ErrorKind::Permanent),
        ("git_log", json!({"limit": 0}), ErrorKind::Invalid),
        ("git_commit", json!({"message": "m", "run_lint": true}), ErrorKind::Invalid),
    ];
    for (tool, args, kind) in cases {
        let error = bench.work_error(tool, args.clone()).await;
        assert_eq!(error.kind, kind, "{tool} {args}: {error}");
    }
    let nowhere = bench.error("git_clone", json!({"url": "nowhere", "path": "x"})).await;
    assert_eq!(nowhere.kind, ErrorKind::NotFound);
}

#[tokio::test]
async fn no_text_becomes_an_option() {
    let bench = with_remote().await;
    let mut tried = 0;
    for spec in TOOLBOX.specs().iter().filter(|spec| spec.module == "git") {
        for name in free_texts(&spec.input) {
            let mut args = serde_json::Map::new();
            for required in spec.input["required"].as_array().unwrap() {
                args.insert(required.as_str().unwrap().to_owned(), "HEAD".into());
            }
            if spec.input["properties"].get("repo").is_some() {
                args.insert("repo".into(), "work".into());
            }
            if spec.name == "git_remote" {
                args.insert("action".into(), "set-url".into());
            }
            args.insert(name.clone(), "--output=pwned".into());
            // Refused, or taken for what it is: a file of that name would tell that it was an option.
            let _either = bench.call(&spec.name, Value::Object(args)).await;
            let made = ["pwned", "work/pwned"].iter().any(|path| bench.folder.path().join(path).exists());
            assert!(!made, "{} {name}", spec.name);
            tried += 1;
        }
    }
    assert!(tried > 40, "{tried}");
}

/// Names of the arguments that take any text and put it on the command line.
fn free_texts(input: &Value) -> Vec<String> {
    let text = |schema: &Value| schema["type"] == "string" || schema["type"].is_array();
    let free = |schema: &Value| schema.get("enum").is_none() && schema.get("pattern").is_none();
    let properties = input["properties"].as_object().unwrap();
    let names =
        properties.iter().filter(|(_, schema)| text(schema) && free(schema)).map(|(name, _)| name.clone());
    names.filter(|name| name != "repo").collect()
}

#[tokio::test]
async fn what_looks_like_an_option_is_refused() {
    let bench = with_remote().await;
    for (tool, args) in [
        ("git_checkout", json!({"target": "--force"})),
        ("git_log", json!({"branch": "--all"})),
        ("git_push", json!({"remote": "--receive-pack=touch pwned"})),
        ("git_pull", json!({"remote": "--upload-pack=touch pwned"})),
        ("git_ls_remote", json!({"remote": "--upload-pack=touch pwned"})),
        ("git_fetch", json!({"remote": "--upload-pack=touch pwned"})),
    ] {
        bench.work_error(tool, args).await;
    }
    bench.error("git_clone", json!({"url": "--upload-pack=touch pwned", "path": "x"})).await;
    assert!(!bench.folder.path().join("pwned").exists() && !bench.folder.path().join("work/pwned").exists());
}

#[tokio::test]
async fn who_is_bound_is_not_led_on_and_reaches_the_address_that_was_looked_at() {
    let bench = Bench::new();
    // In the place of git: it says how it was set up.
    bench.write("bin/git", "#!/bin/sh\n/usr/bin/env | /bin/grep ^GIT_CONFIG_ | /usr/bin/sort >&2\nexit 1\n");
    let bin = bench.folder.path().join("bin");
    fs::set_permissions(bin.join("git"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let of_git = modules().into_iter().filter(|module| &*module.source.path == "git.yaml").collect();
    let tool = toolbox(of_git, Some(bin.into())).tool("git_ls_remote").unwrap();
    let said = async |fence: crate::fence::Fence, remote: &str| {
        let Value::Object(args) = json!({ "remote": remote }) else { unreachable!() };
        let context = CallContext { fence, ..CallContext::detached(bench.folder.path()) };
        tool.call(&context, args).await.unwrap_err().details["stderr"].as_str().unwrap().to_owned()
    };
    let bound = || crate::fence::Fence::closing(&[], &[]).within(&[bench.folder.path().to_owned()], &[]);
    let set = |said: &str, count: u8, pin: &str| {
        said.contains(&format!("GIT_CONFIG_COUNT={count}\n"))
            && said.contains("GIT_CONFIG_KEY_3=http.followRedirects\n")
            && said.contains("GIT_CONFIG_VALUE_3=false\n")
            && said.contains("GIT_CONFIG_KEY_4=protocol.git.allow\n")
            && said.contains(&format!("GIT_CONFIG_VALUE_5={pin}\n"))
    };
    for (remote, pin) in [
        ("https://8.8.8.8/a", "8.8.8.8:443:8.8.8.8"),
        ("http://[2606:4700::1111]:8080/a", "2606:4700::1111:8080:[2606:4700::1111]"),
        ("origin", ""),
    ] {
        let bound = said(bound(), remote).await;
        assert!(set(&bound, if pin.is_empty() { 5 } else { 7 }, pin), "{remote}: {bound}");
        let free = said(crate::fence::Fence::default(), remote).await;
        assert!(set(&free, 3, ""), "{remote}: {free}");
    }
}
