//! `aa run …`: looking at runs, comparing them, taking them back.

use crate::mcp::wire::{Served, modern, modern_headers};
use crate::support::{Aa, Ran};

const WORK: &str = r#"
name: work
description: Writes, tolerates a failure, and reports
inputs:
  - {name: word, type: string, default: one}
steps:
  - {name: write, tool: trace_write, args: {line: "{{ inputs.word }}"}, undo: {tool: trace_unwrite, args: {line: "{{ inputs.word }}"}}}
  - {name: flaky, tool: trace_flaky, args: {line: flaky}, retry: {attempts: 2, delay: 1ms}}
  - {name: odd, tool: trace_fail, on_error: continue}
  - {name: maybe, tool: trace_look, condition: inputs.word == "two"}
outputs:
  - {name: said, value: "{{ write }}"}
"#;

fn work() -> Aa {
    let aa = Aa::traced().skill("work", WORK);
    aa.args(["skill", "run", "work", "-q"]).run().code(0);
    aa
}

fn aa_run(aa: &Aa, words: &str) -> Ran {
    aa.args(["run"].into_iter().chain(words.split(' '))).run()
}

#[test]
fn without_runs_there_is_nothing_to_list_or_show() {
    let aa = Aa::new();
    aa_run(&aa, "list").code(0).stdout("").stderr("no runs\n");
    aa_run(&aa, "list --format json").code(0).stdout("[]\n");
    insta::assert_snapshot!(aa_run(&aa, "show").code(4).err(), @"
    error: there are no runs yet
    hint: `aa skill run SKILL` starts one
    ");
    insta::assert_snapshot!(aa_run(&aa, "show 7").code(4).err(), @"
    error: there is no run 7
    hint: `aa run list` shows the runs
    ");
}

#[test]
fn runs_are_listed_newest_first() {
    let aa = work();
    aa.args(["skill", "run", "work", "-q", "-i", "word=two"]).run().code(0);
    let list = aa_run(&aa, "list").code(0).out();
    let rows: Vec<Vec<&str>> = list.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["RUN", "SKILL", "STATUS", "STARTED", "TOOK", "BY", "ERROR"]);
    assert_eq!(rows[1], ["2", "work", "completed", "[ago]", "[time]", "cli"]);
    assert_eq!(rows[2], ["1", "work", "completed", "[ago]", "[time]", "cli"]);
    aa_run(&aa, "list --status failed").code(0).stderr("no runs\n");
    aa_run(&aa, "list --skill other").code(0).stderr("no runs\n");
    assert_eq!(aa_run(&aa, "list --limit 1 --format json").json().as_array().unwrap().len(), 1);
}

#[test]
fn a_run_is_shown_step_by_step() {
    insta::assert_snapshot!(aa_run(&work(), "show 1").code(0).out(), @"
    ✓ work completed in [time] · run 1
      started [date] ([ago]) by cli in [project]
      plan [hash], 11 events

    inputs
      word: one

    steps
     [time]  ✓ write [time]
     [time]  ✓ flaky [time]  2 attempts
     [time]  ✗ odd [time]  `sh` ended with exit code 3: it broke (the run goes on)
     [time]  ○ maybe             condition is false

    outputs
      said: wrote one
    ");
}

#[test]
fn a_step_is_shown_with_all_that_is_known() {
    let aa = work();
    insta::assert_snapshot!(aa_run(&aa, "show --step flaky").code(0).out(), @r#"
    [time] ▸ attempt 1: tool trace_flaky
        args
          line: flaky
    [time] ↻ attempt 1 failed; next one [time]
        transient: `sh` ended with exit code 75: not yet
        details
          exit_code: 75
          stderr: |
            not yet
          command:
          - sh
          - "-c"
          - "if [ -e \"flaky-$1\" ]; then echo \"$1\" >> trace; else touch \"flaky-$1\"; echo \"not yet\" >&2; exit 75; fi"
          - sh
          - flaky
          may_have_acted: true
    [time] ▸ attempt 2: tool trace_flaky
        args
          line: flaky
    [time] ✓ completed in [time]
        output
          ""
    "#);
    insta::assert_snapshot!(aa_run(&aa, "show 1 --step odd").code(0).out(), @r#"
    [time] ▸ attempt 1: tool trace_fail
    [time] ✗ failed after [time], and the run went on
        permanent: `sh` ended with exit code 3: it broke
        details
          exit_code: 3
          stderr: |
            first line
            it broke
          command:
          - sh
          - "-c"
          - "echo \"first line\" >&2; echo \"$1\" >&2; exit 3"
          - sh
          - it broke
    "#);
    insta::assert_snapshot!(aa_run(&aa, "show 1 --step falky").code(4).err(), @"
    error: run 1 has no step `falky` so far
    hint: did you mean `flaky`?
    ");
    let events = aa_run(&aa, "show 1 --step write --format json").code(0).json_lines();
    let names: Vec<&str> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(names, ["step_started", "step_completed"]);
}

#[test]
fn a_run_that_is_over_can_be_watched_again() {
    let aa = work();
    let watched = aa_run(&aa, "watch 1").code(0).stdout("said: wrote one\n");
    insta::assert_snapshot!(watched.err(), @"
    ▸ work · run 1
    ✓ write [time]
    ↻ flaky  attempt 1 failed: `sh` ended with exit code 75: not yet
    ✓ flaky [time]  2 attempts
    ○ maybe  condition is false
    ✗ odd [time]  `sh` ended with exit code 3: it broke (the run goes on)
    ✓ work completed in [time] · run 1
    ");
}

#[test]
fn two_runs_are_compared() {
    let aa = work();
    aa.args(["skill", "run", "work", "-q", "-i", "word=two"]).run().code(0);
    insta::assert_snapshot!(aa_run(&aa, "diff 1 2").code(0).out(), @"
    run 1 → run 2
      skill   work
      status  completed
      took [time] → [time]
      plan    the same

    inputs
      word: one → two

    steps
      write  ✓ [time] → ✓ [time]
      flaky  ✓ [time] → ✓ [time]
      odd    ✗ [time] → ✗ [time]
      maybe  ○ skipped → ✓ [time]

    outputs
      said: wrote one → wrote two
    ");
    let same = aa_run(&aa, "diff 1 1 --format json").code(0).json();
    assert_eq!((&same["inputs"], &same["outputs"]), (&serde_json::json!([]), &serde_json::json!([])));
}

#[test]
fn a_run_is_taken_back() {
    let aa = work();
    let undone = aa_run(&aa, "undo 1").code(0);
    insta::assert_snapshot!(undone.err(), @"
    ↻ taking back what was done, asked by tester
    ✓ undo write [time]
    ✓ run 1 is taken back
    hint: what `flaky` did stays: it has no `undo`
    ");
    assert_eq!(aa.text("trace"), "one\nflaky\n-one\n");
    let events = || aa_run(&aa, "list --format json").json()[0]["events"].clone();
    let before = events();
    insta::assert_snapshot!(aa_run(&aa, "undo 1").code(0).err(), @"
    nothing of run 1 is left to take back
    hint: what `flaky` did stays: it has no `undo`
    ");
    assert_eq!(events(), before);
}

/// What is taken back by what is around it, and what is only said to be done.
#[test]
fn nothing_is_said_to_stay_that_was_not_done_or_is_taken_back() {
    let undo = "undo: {tool: trace_unwrite, args: {line: outer}}";
    let aa = Aa::traced()
        .skill("inner", "name: inner\ndescription: Writes\nsteps: [{name: w, tool: trace_write, args: {line: inner}}]\n")
        .skill(
            "outer",
            &format!(
                "name: outer\ndescription: Writes in parts\nsteps:\n  - {{name: s, foreach: [1], skill: inner, {undo}}}\n  - name: b\n    foreach: [1]\n    compute: |\n      call_tool(\"trace_write\", line=\"block\")\n      result = 1\n    {undo}\n"
            ),
        );
    aa.args(["skill", "run", "outer", "--dry-run"]).run().code(0);
    let dry = aa_run(&aa, "undo 1").code(0).err();
    assert!(!dry.contains("stay"), "{dry}");
    aa.args(["skill", "run", "outer"]).run().code(0);
    let undone = aa_run(&aa, "undo 2").code(0).err();
    assert!(undone.contains("is taken back") && !undone.contains("stay"), "{undone}");
}

#[test]
fn secrets_are_shown_by_name() {
    let skill = "name: told\ndescription: Uses a secret\nsteps: [{name: it, tool: shell, args: {script: 'echo ${#t}', vars: {t: '{{ secrets.F }}'}}}]\n";
    let aa = Aa::traced().skill("told", skill).config("secrets: {F: {env: SECRET_F}}");
    aa.args(["skill", "run", "told"]).env("SECRET_F", "s3cret-value").run().code(0);
    let shown = aa_run(&aa, "show 1 --step it").code(0).out();
    assert!(shown.contains("‹secret:F›") && !shown.contains(['\u{fdd0}', '\u{fdd1}']), "{shown}");
}

const STUCK: &str = "
name: stuck
description: Writes what cannot be taken back
steps:
  - {name: write, tool: trace_write, args: {line: one}, undo: {tool: trace_fail}}
";

#[test]
fn what_could_not_be_taken_back_is_listed() {
    let aa = Aa::traced().skill("stuck", STUCK);
    aa.args(["skill", "run", "stuck", "-q"]).run().code(0);
    aa_run(&aa, "undo 1").code(1).stderr_contains("run 1 could not be taken back: `write` failed");
    aa_run(&aa, "list").code(0).stdout_contains("could not be taken back: write failed");
    // It is tried again when somebody asks again.
    aa_run(&aa, "undo 1").code(1);
}

#[test]
fn a_run_that_is_over_is_not_resumed() {
    insta::assert_snapshot!(aa_run(&work(), "resume 1").code(1).err(), @"
    error: run 1 is over (completed)
    hint: `aa run show 1` shows how it went
    ");
}

#[test]
fn a_step_that_asks_nothing_gets_no_answer() {
    let aa = work();
    insta::assert_snapshot!(aa_run(&aa, "answer 1 write yes").code(1).err(), @"
    error: run 1 is over (completed)
    hint: `aa run show 1` shows how it went
    ");
    insta::assert_snapshot!(aa_run(&aa, "resolve 1 write --retry").code(1).err(), @"
    error: run 1 is over (completed)
    hint: `aa run show 1` shows how it went
    ");
}

#[test]
fn interrupted_runs_are_found_by_their_status() {
    let look = "name: look\ndescription: Looks\nsteps: [{name: look, tool: trace_look}]\n";
    let aa = Aa::traced().skill("look", look);
    aa.args(["skill", "run", "look"]).env("AA_TEST_KILL_AFTER", "2").run().killed();
    aa.args(["skill", "run", "look"]).run().code(0);
    aa.args(["skill", "run", "look"]).env("AA_TEST_KILL_AFTER", "2").run().killed();
    let listed = |words: &str| {
        let args = ["run", "list", "--format", "json"].into_iter().chain(words.split(' '));
        let runs = aa.args(args).run().code(0).json();
        runs.as_array().unwrap().iter().map(|run| run["id"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(listed("--status interrupted"), [3, 1]);
    assert_eq!(listed("--status interrupted --limit 1"), [3]);
    assert_eq!(listed("--status interrupted --status completed"), [3, 2, 1]);
    assert_eq!(listed("--status interrupted --status running --limit 2"), [3, 1]);
    assert_eq!(listed("--status completed"), [2]);

    // The same for programs and AI clients.
    let served = Served::new(&aa, &[]);
    let ids = |runs: &serde_json::Value, id: &str| {
        runs.as_array().unwrap().iter().map(|run| run[id].as_u64().unwrap()).collect::<Vec<_>>()
    };
    let key = format!("Bearer {}", served.token);
    let asked = |query: &str| {
        let reply = served.ask(&format!("GET /api/runs?{query}"), &[("Authorization", key.as_str())], "");
        ids(&reply.message()["items"], "id")
    };
    assert_eq!(asked("interrupted=true"), [3, 1]);
    assert_eq!(asked("interrupted=true&status=completed"), [3, 2, 1]);
    assert_eq!(asked("interrupted=true&status=completed&limit=2"), [3, 2]);
    assert_eq!(asked("status=completed"), [2]);
    let told = |status: serde_json::Value| {
        let message = modern(1, "run_list", &serde_json::json!({ "status": status }));
        let reply = served.post("/mcp", &modern_headers("run_list"), &message).message();
        ids(&reply["result"]["structuredContent"]["runs"], "run_id")
    };
    assert_eq!(told("interrupted".into()), [3, 1]);
    assert_eq!(told(serde_json::json!(["interrupted", "completed"])), [3, 2, 1]);
    assert_eq!(told("completed".into()), [2]);
}
