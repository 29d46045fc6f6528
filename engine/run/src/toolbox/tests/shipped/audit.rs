//! Module `audit` on real repositories.

use std::process::Command;

use aa_spec::tool::ErrorKind;
use serde_json::json;

use super::*;

impl Bench {
    /// Runs git in the bench's folder.
    pub(super) fn git(&self, words: &[&str]) -> String {
        let path = std::env::var_os("PATH").unwrap();
        let mut command = Command::new("git");
        command.args(words).current_dir(self.folder.path()).env_clear().env("PATH", path).envs(VARIABLES);
        let output = command.output().unwrap();
        assert!(output.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Commits everything.
    pub(super) fn commit(&self, message: &str) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", message]);
    }

    /// A bench in an empty repository.
    pub(super) fn repository() -> Self {
        let bench = Self::new();
        bench.git(&["init", "--quiet", "--template=", "--initial-branch=main"]);
        bench
    }
}

#[tokio::test]
async fn lines_are_found_by_place_and_never_shown() {
    let bench = Bench::repository();
    bench.write("con fig/a.ini", "x\n-key=hunter2\n-key=hunter2 # aa:allow\n");
    bench.write("a.txt", "-key=hunter2");
    bench.write("hidden/b.ini", "-key=hunter2");
    bench.write(".gitignore", "hidden\n");
    bench.git(&["add", "con fig"]);
    let found = bench.ok("audit_lines", json!({"match": "-key=[a-z]+[0-9]"})).await;
    assert_eq!(found, json!([{"file": "a.txt", "line": 1}, {"file": "con fig/a.ini", "line": 2}]));
    let found = bench.ok("audit_lines", json!({"match": "-key", "files": ["*.ini"], "unless": "x"})).await;
    assert_eq!(found, json!([{"file": "con fig/a.ini", "line": 2}, {"file": "con fig/a.ini", "line": 3}]));
    let none = bench.ok("audit_lines", json!({"match": "nothing like it"})).await;
    assert_eq!(none, json!([]));
    let error = bench.error("audit_lines", json!({"match": "(", "repo": "."})).await;
    assert_eq!(error.kind, ErrorKind::Permanent, "a bad expression is not the same as no finding: {error}");
}

#[tokio::test]
async fn large_files_are_named_largest_first() {
    let bench = Bench::repository();
    bench.write("a\nb", &"x".repeat(2000));
    bench.write("c", &"x".repeat(3000));
    bench.write("d", "x");
    bench.commit("files");
    let large = bench.ok("audit_large_files", json!({"min_bytes": 2000})).await;
    assert_eq!(large, json!([{"bytes": 3000, "file": "c"}, {"bytes": 2000, "file": "a\nb"}]));
}

#[tokio::test]
async fn branches_are_merged_or_not() {
    let bench = Bench::repository();
    bench.commit("one");
    bench.git(&["branch", "done"]);
    bench.git(&["checkout", "--quiet", "-b", "open"]);
    bench.commit("two");
    bench.git(&["checkout", "--quiet", "main"]);
    let branches = bench.ok("audit_branches", json!({})).await;
    let of = |name: &str| {
        branches.as_array().unwrap().iter().find(|branch| branch["name"] == name).unwrap().clone()
    };
    assert_eq!((&of("done")["merged"], &of("done")["current"]), (&json!(true), &json!(false)));
    assert_eq!((&of("open")["merged"], &of("open")["age_days"]), (&json!(false), &json!(0)));
    assert_eq!((&of("main")["current"], &of("main")["author"]), (&json!(true), &json!("Ada")));
    assert_eq!(of("open")["commit"], bench.git(&["rev-parse", "open"]));
}

#[tokio::test]
async fn a_lock_counts_in_its_folder_and_above() {
    let bench = Bench::repository();
    bench.write("one/go.mod", "require x");
    bench.write("one/deep/er/go.mod", "require x");
    bench.write("one/go.sum", "");
    bench.write("two/go.mod", "require x");
    bench.write("three/go.mod", "module");
    bench.git(&["add", "one"]);
    let locks =
        bench.ok("audit_locks", json!({"manifest": "go.mod", "declares": "^require", "locks": ["go.sum"]}));
    assert_eq!(
        locks.await,
        json!([
            {"manifest": "one/deep/er/go.mod", "lock": "one/go.sum", "committed": true},
            {"manifest": "one/go.mod", "lock": "one/go.sum", "committed": true},
            {"manifest": "two/go.mod", "lock": null, "committed": false},
        ])
    );
}

#[tokio::test]
async fn a_folder_without_a_repository_is_not_found() {
    let bench = Bench::new();
    for tool in ["audit_branches", "audit_large_files"] {
        assert_eq!(bench.error(tool, json!({})).await.kind, ErrorKind::NotFound, "{tool}");
    }
    let error = bench.error("audit_lines", json!({"match": "x", "repo": "nowhere"})).await;
    assert_eq!(error.kind, ErrorKind::NotFound);
}
