//! What is checked of git repositories, on repositories of the test's own.

use std::process::Command;

use serde_json::json;

use super::{answered, failure, outputs, skill, text};
use crate::support::Aa;

/// Runs git in the project as nobody in particular, at a fixed time.
#[track_caller]
fn git(aa: &Aa, words: &[&str]) -> String {
    let output = Command::new("git")
        .args(["-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "commit.gpgsign=false"])
        .args(words)
        .current_dir(aa.path(""))
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A project with a repository that holds these files in one commit.
fn repository(files: &[(&str, &str)]) -> Aa {
    let aa = files.iter().fold(Aa::new(), |aa, (path, text)| aa.file(path, text));
    git(&aa, &["init", "--quiet", "--template=", "--initial-branch=main"]);
    git(&aa, &["add", "--all"]);
    git(&aa, &["commit", "--quiet", "--allow-empty", "--message=begin"]);
    aa
}

#[test]
fn secrets_are_found_and_never_shown() {
    // Put together here, so that this file holds none.
    let key = format!("AKIA{}", "ABCDEFGHIJKLMNOP");
    let address = format!("postgres://bob:{}@db/x", "hunter22");
    let aa = repository(&[
        ("deploy/con fig.ini", &format!("[a]\nkey = {key}\nurl = {address}\n")),
        ("deploy/example.ini", &format!("key = {key} # aa:allow\n")),
        (".gitignore", "local.ini\n"),
        ("local.ini", &key),
    ]);
    let aa = aa.file("new.txt", "-----BEGIN RSA PRIVATE KEY-----\n");
    let found = outputs(&aa, "secret-scan", &[("strict", "false")]);
    assert_eq!(
        found["findings"],
        json!([
            {"kind": "private key", "places": [{"file": "new.txt", "line": 1}]},
            {"kind": "AWS access key", "places": [{"file": "deploy/con fig.ini", "line": 2}]},
            {"kind": "password in an address", "places": [{"file": "deploy/con fig.ini", "line": 3}]},
        ])
    );
    let all = skill(&aa, "secret-scan", &[]).run().code(1);
    assert!(!all.to_string().contains(&key) && !all.to_string().contains("hunter22"), "{all}");
    let message = failure(&aa, "secret-scan", &[]);
    assert!(message.contains("deploy/con fig.ini:2 (AWS access key)"), "{message}");

    let clean = repository(&[("a", "nothing here")]);
    assert_eq!(outputs(&clean, "secret-scan", &[])["findings"], json!([]));
    assert!(failure(&Aa::new(), "secret-scan", &[]).contains("not a git repository"));
}

#[test]
fn dependencies_must_be_locked_and_chosen() {
    let aa = repository(&[
        ("Cargo.toml", "[workspace]\n"),
        ("Cargo.lock", ""),
        ("api/Cargo.toml", "[dependencies]\nserde = \"*\"\nx = { git = \"https://example.org\" }\n"),
        ("web/package.json", "{\"dependencies\": {\n\"left-pad\": \"latest\"}}"),
        ("tool/package.json", "{\"name\": \"no needs\"}"),
        ("requirements.txt", "requests\nflask==1.0\n-r more.txt\nnumpy>=1  # why\n"),
    ]);
    let found = outputs(&aa, "dependency-check", &[("strict", "false")]);
    assert_eq!(found["unlocked"], json!(["web/package.json"]));
    assert_eq!(
        found["manifests"][0],
        json!({"manifest": "api/Cargo.toml", "lock": "Cargo.lock", "committed": true})
    );
    let loose: Vec<String> = found["loose"]
        .as_array()
        .unwrap()
        .iter()
        .map(|kind| format!("{}: {} {}", kind["kind"], kind["places"][0]["file"], kind["places"][0]["line"]))
        .collect();
    assert_eq!(
        loose,
        [
            r#""any version of a crate": "api/Cargo.toml" 2"#,
            r#""a crate from a git repository": "api/Cargo.toml" 3"#,
            r#""any version of a package": "web/package.json" 2"#,
            r#""a requirement without a version": "requirements.txt" 1"#,
        ]
    );
    assert!(text(&found, "report").contains("locked    Cargo.toml  by Cargo.lock\n"), "{found}");
    let message = failure(&aa, "dependency-check", &[]);
    assert!(
        message.starts_with("no lock for web/package.json; any version of a crate in api/Cargo.toml:2"),
        "{message}"
    );

    let good = repository(&[("go.mod", "require x v1\n"), ("go.sum", "")]);
    assert_eq!(outputs(&good, "dependency-check", &[])["unlocked"], json!([]));
}

#[test]
fn the_commit_that_broke_something_is_found() {
    let aa = repository(&[("number", "0")]);
    git(&aa, &["tag", "v1"]);
    let mut commits = Vec::new();
    for number in 1..=12 {
        std::fs::write(aa.path("number"), number.to_string()).unwrap();
        git(&aa, &["commit", "--quiet", "--all", &format!("--message=number {number}")]);
        commits.push(git(&aa, &["rev-parse", "HEAD"]));
    }
    std::fs::write(aa.path("number"), "unsaved work").unwrap();
    let command = r#"["sh", "-c", "test $(cat number) -lt 8"]"#;
    let found = outputs(&aa, "find-regression", &[("good", "v1"), ("command", command)]);
    assert_eq!(found["commit"], commits[7]);
    assert_eq!(found["subject"], "number 8");
    assert_eq!(aa.text("number"), "unsaved work");
    assert_eq!(git(&aa, &["worktree", "list"]).lines().count(), 1);

    let message = failure(&aa, "find-regression", &[("good", "v1"), ("command", r#"["true"]"#)]);
    assert!(message.contains("the command does not fail after HEAD"), "{message}");
    let message = failure(&aa, "find-regression", &[("good", "HEAD~1"), ("command", command)]);
    assert!(message.contains("the command fails after HEAD~1 already"), "{message}");
    assert_eq!(git(&aa, &["worktree", "list"]).lines().count(), 1);
}

#[test]
fn what_has_piled_up_is_shown_and_kept_until_agreed() {
    let big = "x".repeat(3 << 20);
    let aa = repository(&[("big.txt", &big), ("small.txt", "")]);
    git(&aa, &["branch", "done"]);
    git(&aa, &["checkout", "--quiet", "-b", "started"]);
    git(&aa, &["commit", "--quiet", "--allow-empty", "--message=more"]);
    git(&aa, &["checkout", "--quiet", "main"]);
    let aa = aa.file("small.txt", "changed").file("new.txt", "");

    let found = outputs(&aa, "repo-hygiene", &[("large_mib", "1")]);
    assert_eq!((&found["uncommitted"], &found["untracked"]), (&json!(1), &json!(1)));
    assert_eq!(found["merged"][0]["name"], "done");
    assert_eq!(found["merged"].as_array().unwrap().len(), 1);
    assert_eq!(found["large"], json!([{"bytes": 3 << 20, "file": "big.txt"}]));
    assert!(text(&found, "report").contains("3.0 MiB  big.txt"), "{found}");

    let tidy = ("repo-hygiene", &[("delete_merged", "true")][..]);
    let kept = answered(&aa, "2", tidy, ("agreed", "keep"));
    assert_eq!(kept["deleted"], json!([]));
    assert!(git(&aa, &["branch"]).contains("done"));
    let deleted = answered(&aa, "3", tidy, ("agreed", "delete"));
    assert_eq!(deleted["deleted"], json!(["done"]));
    assert_eq!(git(&aa, &["branch", "--format=%(refname:short)"]), "main\nstarted");
}

#[test]
fn release_notes_sort_commits_by_what_they_do() {
    let aa = repository(&[]);
    git(&aa, &["tag", "v1.0"]);
    let subjects = [
        "feat(api): add routes",
        "fix: crash on start",
        "Tidy up",
        "feat!: drop the old routes",
        "docs: explain",
    ];
    for subject in subjects {
        git(&aa, &["commit", "--quiet", "--allow-empty", "--message", subject]);
    }
    let ids: Vec<String> = git(&aa, &["log", "--format=%h", "v1.0.."]).lines().map(str::to_owned).collect();
    let made = outputs(&aa, "release-notes", &[("title", "Version 2"), ("file", "NOTES.md")]);
    let notes = format!(
        "# Version 2\n\n\
         ## Breaking\n\n- drop the old routes ({drop})\n\n\
         ## New\n\n- drop the old routes ({drop})\n- api: add routes ({add})\n\n\
         ## Fixed\n\n- crash on start ({fix})\n\n\
         ## Documented\n\n- explain ({docs})\n\n\
         ## Also\n\n- Tidy up ({tidy})\n\n\
         5 commits since v1.0 by Ada\n",
        docs = ids[0],
        drop = ids[1],
        tidy = ids[2],
        fix = ids[3],
        add = ids[4],
    );
    assert_eq!(aa.text("NOTES.md"), notes);
    assert_eq!(text(&made, "report"), notes);
    assert_eq!(made["from"], "v1.0");

    let first = outputs(&aa, "release-notes", &[("to", "v1.0"), ("title", "Version 1")]);
    assert_eq!(first["from"], json!(null));
    assert!(text(&first, "report").ends_with("\n1 commit by Ada\n"), "{first}");
    let message = failure(&aa, "release-notes", &[("from", "v9")]);
    assert!(message.contains("v9"), "{message}");
}

#[test]
fn repositories_move_forward_only_where_nothing_is_lost() {
    let aa = repository(&[("a", "1")]);
    for copy in ["good", "changed", "diverged"] {
        git(&aa, &["clone", "--quiet", ".", copy]);
    }
    std::fs::write(aa.path("a"), "2").unwrap();
    git(&aa, &["commit", "--quiet", "--all", "--message=two"]);
    std::fs::write(aa.path("changed/a"), "mine").unwrap();
    git(&aa, &["-C", "diverged", "commit", "--quiet", "--allow-empty", "--message=mine"]);
    let diverged = git(&aa, &["-C", "diverged", "rev-parse", "HEAD"]);

    let repos = r#"["good", "changed", "diverged", "nowhere"]"#;
    let synced = outputs(&aa, "git-sync", &[("repos", repos)]);
    let problems: Vec<&str> = synced["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|result| result["problem"].as_str().unwrap())
        .collect();
    assert_eq!(
        problems,
        [
            "",
            "has changes that are not committed, and lacks 1 commits",
            "has 1 and lacks 1 commits",
            "is no git repository",
        ]
    );
    assert!(text(&synced, "report").starts_with("ok     good  main  moved 1 commits forward\n"), "{synced}");
    assert_eq!(aa.text("good/a"), "2");
    assert_eq!(aa.text("changed/a"), "mine");
    assert_eq!(git(&aa, &["-C", "diverged", "rev-parse", "HEAD"]), diverged);
    let message = failure(&aa, "git-sync", &[("repos", r#"["good", "diverged"]"#), ("strict", "true")]);
    assert_eq!(message, "diverged has 1 and lacks 1 commits");
}

#[test]
fn a_change_of_the_product_needs_words_in_the_changelog() {
    let aa = repository(&[("src/a", "1"), ("CHANGELOG.md", "")]);
    git(&aa, &["checkout", "--quiet", "-b", "work"]);
    let commit = |aa: &Aa| {
        git(aa, &["add", "--all"]);
        git(aa, &["commit", "--quiet", "--message=work"]);
    };
    let aa = aa.file("docs/b", "only words");
    commit(&aa);
    assert_eq!(outputs(&aa, "changelog-check", &[])["product"], json!([]));
    let aa = aa.file("src/a", "2");
    commit(&aa);
    assert_eq!(failure(&aa, "changelog-check", &[]), "CHANGELOG.md says nothing about src/a");
    let aa = aa.file("CHANGELOG.md", "- a is 2\n");
    commit(&aa);
    assert_eq!(outputs(&aa, "changelog-check", &[])["product"], json!(["src/a"]));
}
