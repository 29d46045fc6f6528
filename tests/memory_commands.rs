//! `aa memory …`

use crate::support::Aa;

/// A tool that makes it easy to make the same mistake again.
pub(crate) const BRANCHES: &str = r#"
module: branches
description: Branches of which only one is there
tools:
  - name: branch_checkout
    description: Checks out a branch
    effect: write
    input: {target: {type: string}}
    run: [sh, -c, 'test "$1" = main || { echo "pathspec $1 did not match" >&2; exit 1; }', sh, "{{ target }}"]
"#;

#[test]
fn what_is_set_can_be_got_listed_and_found() {
    let aa = Aa::new();
    let memory = |args: &[&str]| aa.args([&["memory"], args].concat());
    memory(&["list"]).run().code(0).stdout("");
    memory(&["set", "state/current_work", "active_issues: [{key: A-1, summary: The disk is full}]"])
        .run()
        .code(0)
        .stdout("");
    memory(&["set", "state/current_work", "--at", "active_issue", "A-1"]).run().code(0);
    memory(&["set", "notes", "--at", "count", "3"]).run().code(0);
    assert_eq!(
        memory(&["get", "notes", "$.count", "--format", "json"]).run().code(0).out().trim(),
        "[\n  3\n]"
    );
    memory(&["get", "state/current_work"]).run().code(0).stdout_contains("active_issue: A-1\n");
    memory(&["get", "state/current_work.yaml", "$.active_issues[*].key"])
        .run()
        .code(0)
        .stdout_contains("- A-1\n");
    memory(&["list", "state/"]).run().code(0).stdout_contains("state/current_work");
    memory(&["search", "disk", "full"]).run().code(0).stdout_contains("active_issues.0");
    memory(&["search", "zebra"]).run().code(0).stdout("");
    memory(&["stats"]).run().code(0).stdout_contains("session logs");
    insta::assert_snapshot!(memory(&["get", "state/curent_work"]).run().code(4).stdout("").err(), @"
    error: nothing is remembered under `state/curent_work`
    hint: did you mean `state/current_work`?
    ");
    memory(&["set", "../x", "a: 1"]).run().code(2).stdout("");
    let refused =
        memory(&["set", "state/current_work", "active_issues: [words]"]).run().code(2).stdout("").err();
    assert!(refused.contains("`state/current_work` would not be of its shape"), "{refused}");
}

#[test]
fn a_folder_is_taken_in_and_written_out() {
    let aa = Aa::new()
        .file("memory/state/current_work.yaml", "active_issues:\n  - key: A-1\n")
        .file("memory/learned/patterns.yaml", "auth_patterns:\n  - pattern: expired\n    fix: log in\n")
        .file("memory/notes.txt", "words");
    let memory = |args: &[&str]| aa.args([&["memory"], args].concat());
    let said = memory(&["import", "memory", "--dry-run"]).run().code(0);
    assert_eq!(said.out(), "learned/patterns\nstate/current_work\n");
    memory(&["list"]).run().code(0).stdout("");
    insta::assert_snapshot!(memory(&["import", "memory"]).run().code(0).stdout("").err(), @"
    left out notes.txt: it is neither YAML nor JSON
    took in 2 keys; 0 were there already
    ");
    memory(&["export", "copy"]).run().code(0);
    assert_eq!(aa.text("copy/state/current_work.yaml"), "active_issues:\n  - {key: A-1}\n");
    memory(&["import", "copy"]).run().code(0);
    memory(&["set", "state/current_work", "notes: other"]).run().code(0);
    let said = memory(&["import", "memory"]).run().code(1).stdout("").err();
    assert!(
        said.contains("nothing was changed: `state/current_work`") && said.contains("--replace"),
        "{said}"
    );
    memory(&["get", "state/current_work"]).run().code(0).stdout_contains("notes: other");
    memory(&["import", "memory", "--replace"]).run().code(0);
    let said = memory(&["export", "copy"]).run().code(1).stdout("").err();
    assert!(said.contains("is not empty") && said.contains("--force"), "{said}");
    memory(&["export", "copy", "--force"]).run().code(0);
}

#[test]
fn a_folder_with_a_mistake_is_not_taken_in_at_all() {
    let aa = Aa::new()
        .file("memory/state/fine.yaml", "a: 1\n")
        .file("memory/state/broken.yaml", "a: [1\n")
        .file("memory/state/current_work.yaml", "open_mrs: [{title: x}]\n");
    let memory = |args: &[&str]| aa.args([&["memory"], args].concat());
    let said = memory(&["import", "memory"]).run().code(3).stdout("").err();
    assert!(said.contains("state/broken.yaml") && said.contains("state/current_work.yaml"), "{said}");
    std::fs::remove_file(aa.path("memory/state/broken.yaml")).unwrap();
    let said = memory(&["import", "memory"]).run().code(3).stdout("").err();
    let expected =
        "error: state/current_work.yaml: `state/current_work` would not be of its shape: `open_mrs[0]`";
    assert!(said.contains(expected), "{said}");
    memory(&["list"]).run().code(0).stdout("");
    memory(&["import", "nowhere"]).run().code(4).stdout("");
}

#[test]
fn a_warning_is_shown_before_and_after() {
    let step = |name: &str| {
        format!("  - {{name: {name}, tool: branch_checkout, args: {{target: mian}}, on_error: continue}}\n")
    };
    let steps: String = ["one", "two", "three", "four"].map(step).concat();
    let aa = Aa::new()
        .tools("branches", BRANCHES)
        .skill("wander", &format!("name: wander\ndescription: Checks out branches\nsteps:\n{steps}"));
    let warning = "`target` is \"mian\": `branch_checkout` failed of it 3 times";
    let said = aa.args(["skill", "run", "wander"]).run().code(0).err();
    assert_eq!(said.matches(warning).count(), 1, "{said}");
    let shown = aa.args(["run", "show"]).run().code(0).out();
    assert_eq!(shown.matches(warning).count(), 1, "{shown}");
    aa.args(["run", "show", "--step", "four"]).run().code(0).stdout_contains("warning: ");
    aa.args(["memory", "patterns"]).run().code(0).stdout_contains("wrong argument");
    let json: serde_json::Value =
        serde_json::from_str(&aa.args(["memory", "patterns", "--format", "json"]).run().code(0).out())
            .unwrap();
    assert_eq!((&json[0]["seen"], &json[0]["warns"]), (&4.into(), &true.into()));
    aa.args(["memory", "patterns", "--forget", json[0]["id"].as_str().unwrap()]).run().code(0);
    aa.args(["memory", "patterns"]).run().code(0).stdout("");
}
