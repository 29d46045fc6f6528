//! Skills that were written for another system: checked, fixed, summed up and run as meant.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::Aa;

/// What says nothing about the mistakes of an author.
const ASIDE: [&str; 3] = ["compute-unavailable", "unused-input", "faulty-skill"];

fn corpus() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/compat");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let yaml = files.iter().filter(|path| path.extension().is_some_and(|end| end == "yaml"));
    let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    yaml.map(|path| (name(path), std::fs::read_to_string(path).unwrap())).collect()
}

/// A project with the whole corpus in a folder `theirs`.
fn project() -> Aa {
    let theirs = |aa: Aa, (name, text): (String, String)| aa.file(&format!("theirs/{name}"), text);
    corpus().into_iter().fold(Aa::traced(), theirs)
}

fn codes(found: &Value) -> BTreeSet<String> {
    let codes = found.as_array().unwrap().iter().map(|one| one["code"].as_str().unwrap().to_owned());
    codes.filter(|code| !ASIDE.contains(&code.as_str())).collect()
}

fn promised(text: &str) -> BTreeSet<String> {
    let line = text.lines().next().unwrap().strip_prefix("# expect: ").unwrap();
    line.split(", ").filter(|code| *code != "none" && !ASIDE.contains(code)).map(str::to_owned).collect()
}

#[test]
fn foreign_skills_have_the_mistakes_they_promise() {
    let aa = project();
    for (name, text) in corpus() {
        let found = aa.args(["skill", "check", &format!("theirs/{name}"), "--format", "json"]).run().json();
        assert_eq!(codes(&found), promised(&text), "{name}");
    }
}

#[test]
fn fixing_keeps_comments_and_settles_at_once() {
    let aa = project();
    for (name, before) in corpus() {
        let file = format!("theirs/{name}");
        aa.args(["skill", "fix", &file, "--dry-run"]).run();
        assert_eq!(aa.text(&file), before, "{name} was written in a dry run");
        let fixed = aa.args(["skill", "fix", &file, "--format", "json"]).run().json();
        let after = aa.text(&file);
        assert_eq!(fixed[0]["written"], before != after, "{name}");
        for comment in before.lines().filter_map(|line| line.find("# ").map(|at| &line[at..])) {
            assert!(after.contains(comment.trim_end()), "{name} lost `{comment}`:\n{after}");
        }
        insta::assert_snapshot!(format!("fixed-{}", name.trim_end_matches(".yaml")), after);
        let again = aa.args(["skill", "fix", &file, "--format", "json"]).run().json();
        assert_eq!(again[0]["changed"], false, "{name} changes again");
        assert_eq!(again[0]["left"], fixed[0]["left"], "{name}");
    }
}

#[test]
fn a_fix_is_shown_before_it_is_made() {
    let aa = project();
    let shown = aa.args(["skill", "fix", "theirs/late_steps.yaml", "--dry-run"]).run().code(0);
    insta::assert_snapshot!("fix-shown", shown.out());
    insta::assert_snapshot!("fix-shown-aside", shown.err());
    let made = aa.args(["skill", "fix", "theirs/late_steps.yaml"]).run().code(0).stdout("");
    insta::assert_snapshot!("fix-made", made.err());
    aa.args(["skill", "check", "theirs/late_steps.yaml"]).run().code(0).stderr_contains("no problems");
}

#[test]
fn shipped_skills_are_not_rewritten() {
    let ran = Aa::new().args(["skill", "fix", "deploy-ephemeral"]).run().code(2).stdout("");
    insta::assert_snapshot!("fix-shipped", ran.err());
}

/// The files without Python, so that the sums do not hang on it.
fn plain() -> Aa {
    let without = corpus().into_iter().filter(|(_, text)| !text.contains("compute:"));
    let theirs = |aa: Aa, (name, text): (String, String)| aa.file(&format!("theirs/{name}"), text);
    without.fold(Aa::traced(), theirs)
}

#[test]
fn a_folder_of_foreign_skills_is_summed_up() {
    let aa = plain();
    let ran = aa.args(["skill", "check", "--compat", "theirs"]).run().code(0);
    insta::assert_snapshot!("compat-table", ran.out());
    insta::assert_snapshot!("compat-sum", ran.err());
    let sums = aa.args(["skill", "check", "--compat", "theirs", "--format", "json"]).run().code(0).json();
    let files = sums["files"].as_array().unwrap().len();
    let totals: u64 = sums["totals"].as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum();
    assert_eq!(totals, files as u64);
    let chat = &sums["missing"][0];
    assert_eq!(
        (&chat["kind"], &chat["name"], &chat["uses"]),
        (&"tool".into(), &"team_chat_post".into(), &2.into())
    );
}

#[test]
fn modules_that_blocks_want_are_counted() {
    let aa = project();
    let sums =
        aa.args(["skill", "check", "--compat", "theirs/old_modules.yaml", "--format", "json"]).run().json();
    let expected = serde_json::json!([{"kind": "module", "name": "subprocess", "uses": 2, "files": 1}]);
    assert_eq!(sums["missing"], expected);
}

#[test]
fn only_a_file_that_is_no_skill_fails_a_summary() {
    let torn = "name: torn\ndescription: \"never closed\nsteps: []\n";
    let aa = Aa::traced().file("theirs/torn.yaml", torn);
    aa.args(["skill", "check", "--compat", "theirs"]).run().code(3).stdout_contains("unreadable");
    aa.args(["skill", "check", "--compat", "theirs", "--format", "sarif"]).run().code(2);
    aa.args(["skill", "check", "--compat"]).run().code(2);
}

#[test]
fn a_foreign_skill_runs_as_it_was_meant() {
    let aa = plain();
    let run =
        |file: &str| aa.args(["skill", "run", &format!("theirs/{file}.yaml"), "--format", "quiet"]).run();
    run("late_steps").code(0);
    assert_eq!(aa.text("trace"), "saw done\n");
    run("templated_conditions").code(0);
    assert_eq!(aa.text("trace"), "saw done\nexact\nseveral\n");
    run("early_exit").code(0).stdout_contains("There was nothing to do");
    assert_eq!(aa.text("trace"), "saw done\nexact\nseveral\ncleaned up\n");
    run("sub_skills").code(0);
    assert!(aa.text("trace").ends_with("cleaned up\nfor us 12\n 1\nus 3\n"), "{}", aa.text("trace"));
    run("release_guard").code(0);
    let file = "theirs/mapping_inputs.yaml";
    aa.args(["skill", "run", file, "--input", "folder=src", "--format", "quiet"]).run().code(0);
    assert!(aa.text("trace").ends_with("src 3 0\n"), "{}", aa.text("trace"));
}

#[test]
fn a_guard_that_fails_stops_a_release() {
    let aa = plain().file("dirty", "");
    aa.args(["skill", "run", "theirs/release_guard.yaml"]).run().code(1).stderr_contains("clean_tree");
    assert_eq!(aa.text("looks"), "", "what comes after the guard has not run");
}

#[test]
fn loose_names_run_only_when_they_are_read_leniently() {
    let aa = plain();
    let file = "theirs/loose_names.yaml";
    aa.args(["skill", "run", file]).run().code(3);
    aa.args(["skill", "plan", file]).run().code(3);
    assert_eq!(aa.text("trace"), "");
    aa.args(["skill", "check", file, "--lenient"]).run().code(0);
    aa.args(["skill", "plan", file, "--lenient"]).run().code(0);
    aa.args(["skill", "run", file, "--lenient"]).run().code(0);
    assert_eq!(aa.text("trace"), "early\n");
}

#[test]
fn a_missing_tool_fails_its_own_step_when_it_is_read_leniently() {
    let aa = plain();
    let file = "theirs/wrong_arguments.yaml";
    aa.args(["skill", "run", file]).run().code(3);
    let ran = aa.args(["skill", "run", file, "--lenient"]).run().code(0);
    assert!(ran.err().contains("there is no tool `team_chat_post`"), "{}", ran.err());
    assert_eq!(aa.text("trace"), "7\n", "the step without its argument did nothing");
}

#[test]
fn a_folder_can_be_lenient_for_itself_and_for_those_who_run_its_skills() {
    let parent = "name: parent\ndescription: Runs a foreign skill\nsteps: [{name: it, skill: loose-names}]\n";
    let aa = plain().config("skills: [{folder: ../theirs, lenient: true}]\n").skill("parent", parent);
    aa.args(["skill", "run", "loose-names"]).run().code(0);
    aa.args(["skill", "run", "theirs/loose_names.yaml"]).run().code(0);
    aa.args(["skill", "run", "parent"]).run().code(0);
    assert_eq!(aa.text("trace"), "early\nearly\nearly\n");
    let strict = plain().config("skills: [{folder: ../theirs}]\n").skill("parent", parent);
    strict.args(["skill", "run", "loose-names"]).run().code(3);
    strict.args(["skill", "run", "parent"]).run().code(3);
}

#[test]
fn a_text_never_has_a_hole_where_a_name_is_unknown() {
    let skill = "name: loose\ndescription: Writes\nsteps:\n  \
        - {name: before, tool: trace_write, args: {line: \"{{ 'a' }}\"}}\n  \
        - {name: hole, tool: trace_write, args: {line: \"rm -r /{{ nobody.knows }}\"}}\n";
    let aa = plain().skill("loose", skill);
    let ran = aa.args(["skill", "run", "loose", "--lenient"]).run().code(1);
    assert!(ran.err().contains("argument `line`") && ran.err().contains("nobody"), "{}", ran.err());
    assert_eq!(aa.text("trace"), "a\n");
    let block = skill.replace("rm -r /{{ nobody.knows }}", "{% if true %}rm -r /{{ nobody }}{% endif %}");
    let aa = plain().skill("loose", &block);
    aa.args(["skill", "run", "loose", "--lenient"]).run().code(1).stderr_contains("argument `line`");
    assert_eq!(aa.text("trace"), "a\n");
}
