//! `aa skill check`: every mistake there can be, drawn.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::support::Aa;

fn fixtures(kind: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures").join(kind);
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|end| end == "yaml")).collect();
    files.sort();
    files
}

/// The codes that the first line of a fixture promises.
fn promised(text: &str) -> BTreeSet<&str> {
    let first = text.lines().next().unwrap();
    first
        .strip_prefix("# expect: ")
        .unwrap_or_else(|| panic!("`{first}` promises nothing"))
        .split(", ")
        .collect()
}

/// The codes of problems that are drawn.
fn codes(drawn: &str) -> BTreeSet<&str> {
    let heads = drawn.lines().filter_map(|line| line.split_once("]: ")?.0.split_once('['));
    heads.filter(|(word, _)| ["error", "warning"].contains(word)).map(|(_, code)| code).collect()
}

#[test]
fn bad_skills_have_the_problems_they_promise_and_are_drawn() {
    insta::with_settings!({snapshot_path => "snapshots/bad", prepend_module_to_snapshot => false}, {
        insta::glob!("fixtures/skills/bad/*.yaml", |path| {
            let bytes = std::fs::read(path).unwrap();
            let text = String::from_utf8_lossy(&bytes);
            let name = path.file_name().unwrap().to_str().unwrap();
            if name == "compute-unavailable.yaml" {
                // Only a build without the feature has this problem.
                return;
            }
            // The checker's own tests have a shell by this name.
            let aa = if name.ends_with("-shell.yaml") {
                Aa::new().file(name, text.replace("tool: script", "tool: shell"))
            } else {
                Aa::world().file(name, &bytes)
            };
            let strict = text.contains("# read: strict").then_some("--strict");
            let drawn = aa.args(["skill", "check", name].into_iter().chain(strict)).run().stdout("").err();
            // What is badly shaped may mean something wrong as well.
            assert!(promised(&text).is_subset(&codes(&drawn)), "{name}:\n{drawn}");
            insta::assert_snapshot!("check", drawn);
        });
    });
}

#[test]
fn good_skills_have_no_errors() {
    for path in fixtures("skills/good") {
        let name = path.file_name().unwrap().to_str().unwrap();
        let aa = Aa::world().file(name, std::fs::read(&path).unwrap());
        aa.args(["skill", "check", name]).run().code(0);
    }
}

#[test]
fn folders_and_names_are_checked_together() {
    let good = "name: good\ndescription: Looks\nsteps: [{name: it, tool: trace_look}]\n";
    let bad = "name: bad\ndescription: Looks\nsteps: [{name: it, tool: trace_loook}]\n";
    let aa = Aa::traced().skill("good", good).file("more/bad.yaml", bad).file("more/.hidden.yaml", "?");
    aa.args(["skill", "check", "good"]).run().code(0);
    let ran = aa.args(["skill", "check", "good", "more"]).run().code(3).stdout("");
    insta::assert_snapshot!(ran.err(), @"
    error[unknown-tool]: there is no tool `trace_loook`
       ╭─[more/bad.yaml:3:26]
     2 │ description: Looks
     3 │ steps: [{name: it, tool: trace_loook}]
       ·                          ───────────
       ╰────
    hint: did you mean `trace_look`?

    error: 1 error in more/bad.yaml
    ");
    insta::assert_snapshot!(aa.args(["skill", "check", "goood"]).run().code(4).err(), @"
    error: there is no skill `goood`
    hint: did you mean `good`?
    hint: `aa skill list` shows every skill
    ");
    insta::assert_snapshot!(aa.args(["skill", "check", ".aa/tools/../../more/none"]).run().code(4).err(), @"error: cannot read `[project]/.aa/tools/../../more/none`: there is no such file");
}

#[test]
fn programs_get_the_same_problems_as_json() {
    let aa = Aa::world().file("cycle.yaml", include_str!("fixtures/skills/bad/cycle.yaml"));
    let ran = aa.args(["skill", "check", "cycle.yaml", "--format", "json"]).run().code(3).stderr("");
    insta::assert_snapshot!(ran.out(), @r#"
    [
      {
        "code": "cycle",
        "severity": "error",
        "message": "the steps wait for each other: `a` → `c` → `a`",
        "path": "cycle.yaml",
        "line": 7,
        "column": 22,
        "end_line": 7,
        "end_column": 28,
        "label": "",
        "hint": ""
      },
      {
        "code": "cycle",
        "severity": "error",
        "message": "the steps wait for each other: `d` → `e` → `d`",
        "path": "cycle.yaml",
        "line": 18,
        "column": 13,
        "end_line": 18,
        "end_column": 14,
        "label": "",
        "hint": ""
      }
    ]
    "#);
}

#[test]
fn scanners_get_sarif() {
    let bad = "name: bad\ndescription: Looks\nsteps: [{name: it, tool: trace_loook}]\n";
    let aa = Aa::traced().file("a b/bad.yaml", bad);
    let log = aa.args(["skill", "check", "a b", "--format", "sarif"]).run().code(3).stderr("").json();
    assert_eq!(log["version"], "2.1.0");
    let result = &log["runs"][0]["results"][0];
    assert_eq!(result["ruleId"], "unknown-tool");
    let place = &result["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "a%20b/bad.yaml");
    assert_eq!(place["region"]["startLine"], 3);
}

#[test]
fn everything_there_is_is_checked_without_names() {
    Aa::new().args(["skill", "check"]).run().code(0).stdout("").stderr_contains("no problems");
}
