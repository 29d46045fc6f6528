//! Why a tool fails, and its definition mended.

use serde_json::json;

use crate::support::Aa;

const DEMO: &str = r"# Our tools.
module: demo
description: A module
tools:
  - name: demo_list
    description: Lists
    effect: read
    input: {token: {type: string, optional: true}}
    run: [./demo, list, --outptu=json]
    result: text
";

/// A command that knows `--output` and says so.
const COMMAND: &str = r#"#!/bin/sh
for arg in "$@"; do
  case "$arg" in
    --output=*) echo listed; exit 0;;
    --*) echo "error: unknown flag: ${arg%%=*}; did you mean --output?" >&2; exit 2;;
  esac
done
"#;

const SKILL: &str = "
name: lists
description: Lists
steps:
  - {name: it, tool: demo_list, args: {token: \"{{ secrets.TOKEN }}\"}}
";

fn project() -> Aa {
    let aa = Aa::new()
        .tools("demo", DEMO)
        .skill("lists", SKILL)
        .config("secrets: {TOKEN: {env: MY_TOKEN}}")
        .file("demo", COMMAND);
    aa.script("chmod +x demo").run().code(0);
    aa
}

fn fail(aa: &Aa) -> String {
    aa.args(["skill", "run", "lists"]).env("MY_TOKEN", "hunter2-hunter2").run().code(1).err()
}

#[test]
fn a_failing_step_names_the_command_that_says_more() {
    let aa = project();
    assert!(fail(&aa).contains("hint: `aa tool debug demo_list` says more about the tool\n"));
    let page = aa.args(["tool", "debug", "demo_list"]).run().code(0).out();
    for part in [
        ".aa/tools/demo.yaml:5",
        "  - name: demo_list",
        "run 1, step it",
        "exit_code: 2",
        "unknown flag: --outptu",
        "unknown_flag: the command has no option `--outptu`; it says `--output` instead",
        "-    run: [./demo, list, --outptu=json]",
        "+    run: [./demo, list, --output=json]",
        "‹secret:TOKEN›",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(!page.contains("hunter2"), "{page}");
}

#[test]
fn the_tool_debug_tool_says_the_same() {
    let aa = project();
    fail(&aa);
    let report = aa.args(["tool", "call", "debug_tool", "--arg", "tool_name=demo_list"]).run().code(0).json();
    let command = aa.args(["tool", "debug", "demo_list", "--format", "json"]).run().code(0).json();
    assert_eq!(report, command);
    assert_eq!(report["last_failure"]["exit_code"], 2);
    assert_eq!(report["diagnosis"][0]["cause"], "unknown_flag");
    // Of a built-in tool there is its schema; of an error that never was in a run, its text.
    let said = json!({"tool_name": "file_read", "error_message": "connection refused"});
    let report = aa.args(["tool", "call", "debug_tool", "--args", &said.to_string()]).run().code(0).json();
    assert_eq!((&report["source"], &report["last_failure"]), (&json!("built in"), &json!(null)));
    assert!(report["definition"].as_str().unwrap().contains("\"additionalProperties\": false"));
    assert_eq!(report["diagnosis"][0]["cause"], "network");
    aa.args(["tool", "debug", "demo_lst"]).run().code(4).stderr_contains("did you mean `demo_list`?");
}

#[test]
fn a_fix_is_made_when_a_person_says_so_and_alone_in_its_commit() {
    let aa = project();
    let git = "export GIT_AUTHOR_NAME=A GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=A GIT_COMMITTER_EMAIL=a@b; ";
    aa.script(&format!(
        "{git} git init -q && git add .aa && git commit -qm one && echo x > other && git add other"
    ))
    .run()
    .code(0);
    fail(&aa);
    let asked = aa.args(["tool", "fix", "demo_list"]).run().code(2);
    assert!(asked.out().contains("+    run: [./demo, list, --output=json]"), "{}", asked.out());
    assert!(asked.err().contains("hint: `--yes` makes it without asking"), "{}", asked.err());
    assert_eq!(aa.text(".aa/tools/demo.yaml"), DEMO);

    let call = aa.args(["tool", "fix", "demo_list", "--yes"]);
    let call = call.env("GIT_AUTHOR_NAME", "A").env("GIT_AUTHOR_EMAIL", "a@b");
    let call = call.env("GIT_COMMITTER_NAME", "A").env("GIT_COMMITTER_EMAIL", "a@b");
    call.run().code(0).stderr_contains("committed");
    assert_eq!(aa.text(".aa/tools/demo.yaml"), DEMO.replace("--outptu", "--output"));
    let shown = aa.script("git show --stat --format=%s; git status --short other").run().code(0).out();
    assert!(
        shown.starts_with("Mend demo_list: calls the option `--outptu` by its name `--output`"),
        "{shown}"
    );
    assert!(shown.contains("1 file changed") && shown.contains("A  other"), "{shown}");
    aa.args(["skill", "run", "lists"]).env("MY_TOKEN", "hunter2-hunter2").run().code(0);
    aa.args(["tool", "fix", "echo"]).run().code(1).stderr_contains("no rule knows how to mend `echo`");
}

const GIT: &str =
    "export GIT_AUTHOR_NAME=A GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=A GIT_COMMITTER_EMAIL=a@b; ";

fn fix(aa: &Aa) -> String {
    let call = aa.args(["tool", "fix", "demo_list", "--yes"]);
    let call = call.env("GIT_AUTHOR_NAME", "A").env("GIT_AUTHOR_EMAIL", "a@b");
    call.env("GIT_COMMITTER_NAME", "A").env("GIT_COMMITTER_EMAIL", "a@b").run().code(0).err()
}

#[test]
fn what_a_person_changed_in_the_same_file_is_not_committed() {
    let aa = project();
    aa.script(&format!("{GIT} git init -q && git add .aa && git commit -qm one")).run().code(0);
    let aa = aa.file(".aa/tools/demo.yaml", DEMO.replace("# Our tools.", "# My tools."));
    fail(&aa);
    let said = fix(&aa);
    assert!(said.contains("not committed: the file had changes before"), "{said}");
    assert!(aa.text(".aa/tools/demo.yaml").contains("--output=json"));
    assert_eq!(aa.script("git log --format=%s").run().code(0).out(), "one\n");
}

#[test]
fn a_file_that_is_made_is_committed_where_git_would_have_it() {
    for (ignored, expected) in [(false, "committed"), (true, "the file is not under version control")] {
        let aa = project();
        let far = aa.text(".aa/tools/demo.yaml");
        let aa = aa
            .file("far/demo.yaml", far)
            .file(".gitignore", if ignored { ".aa/tools\n" } else { "" })
            .config("tools: [../far]\nsecrets: {TOKEN: {env: MY_TOKEN}}");
        std::fs::remove_file(aa.path(".aa/tools/demo.yaml")).unwrap();
        aa.script(&format!(
            "{GIT} git init -q && git add far && git commit -qm one && echo x > other && git add other"
        ))
        .run()
        .code(0);
        fail(&aa);
        let said = fix(&aa);
        assert!(said.contains(expected), "{said}");
        let files = aa.script("git show --format= --name-only; git status --short other").run().code(0).out();
        let made = if ignored { "far/demo.yaml" } else { ".aa/tools/demo.yaml" };
        assert_eq!(files, format!("{made}\nA  other\n"));
    }
}

#[test]
fn a_failure_that_is_too_big_for_a_row_is_still_the_last() {
    let aa = project().config("secrets: {TOKEN: {env: MY_TOKEN}}\nstore: {inline_limit: 64}");
    fail(&aa);
    let page = aa.args(["tool", "debug", "demo_list"]).run().code(0).out();
    assert!(page.contains("last failure in a run") && page.contains("run 1, step it"), "{page}");
}

#[test]
fn the_examples_are_mended_with_the_tool() {
    let examples = "    examples:\n      - args: {}\n        recorded: {run: [./demo, list, --outptu=json], stdout: listed}\n        expect: listed\n";
    let aa = project().tools("demo", &format!("{DEMO}{examples}"));
    fail(&aa);
    aa.args(["tool", "fix", "demo_list", "--yes", "--no-commit"]).run().code(0);
    let mended = aa.text(".aa/tools/demo.yaml");
    assert!(!mended.contains("--outptu") && mended.matches("--output=json").count() == 2, "{mended}");
    aa.args(["tool", "test", "demo_list"]).run().code(0);
}

#[test]
fn a_fix_that_breaks_an_example_is_not_committed() {
    let examples = "    examples:\n      - args: {}\n        recorded: {run: [./demo, list, --other=json], stdout: listed}\n        expect: listed\n";
    let aa = project().tools("demo", &format!("{DEMO}{examples}"));
    fail(&aa);
    let ran = aa.args(["tool", "fix", "demo_list", "--yes"]).run().code(1);
    assert!(ran.err().contains("not as its examples say: 1 example; nothing is committed"), "{}", ran.err());
}

#[test]
fn a_module_of_another_folder_is_copied_into_the_project_first() {
    let aa = project();
    let far = aa.text(".aa/tools/demo.yaml");
    let aa = aa.file("far/demo.yaml", far).config("tools: [../far]\nsecrets: {TOKEN: {env: MY_TOKEN}}");
    std::fs::remove_file(aa.path(".aa/tools/demo.yaml")).unwrap();
    fail(&aa);
    let ran = aa.args(["tool", "fix", "demo_list", "--yes", "--no-commit"]).run().code(0);
    assert!(ran.err().contains("is copied to"), "{}", ran.err());
    assert!(aa.text("far/demo.yaml").contains("--outptu"));
    assert!(aa.text(".aa/tools/demo.yaml").contains("--output=json"));
    aa.args(["skill", "run", "lists"]).env("MY_TOKEN", "hunter2-hunter2").run().code(0);
}
