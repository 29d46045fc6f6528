//! Skills without their services: canned answers, tests of skills, tests made of runs.

use crate::support::{Aa, Ran};

/// A skill of every kind of step that a stage stands in for.
const RELEASE: &str = r#"
name: release
description: Writes a line, waits for a day, asks, and tells
inputs:
  - {name: word, type: string, required: true}
steps:
  - {name: look, tool: trace_look, args: {note: "{{ inputs.word }}"}}
  - {name: rest, wait: 1d}
  - name: write
    tool: trace_write
    args: {line: "{{ inputs.word }} {{ look }}"}
    retry: {attempts: 3, delay: 1h, on: [transient]}
    undo: {tool: trace_unwrite, args: {line: "{{ inputs.word }}"}}
  - {name: sure, confirm: {message: "tell?", options: [tell, keep]}}
  - {name: tell, condition: sure == "tell", skill: telling, args: {line: "{{ write }}"}}
outputs:
  - {name: said, value: "{{ write }}"}
  - {name: told, value: "{{ tell.told if tell else '' }}"}
"#;

const TELLING: &str = r#"
name: telling
description: Tells
inputs: [{name: line, type: string, required: true}]
steps: [{name: out, tool: trace_write, args: {line: "{{ inputs.line }}"}}]
outputs: [{name: told, value: "{{ out }}"}]
"#;

const CANNED: &str = r#"
tools:
  trace_look: [{when: "args.note == 'hi'", result: seen}]
  trace_write:
    - {step: write, times: 1, error: {kind: transient, message: "not now, {{ args.line }}"}}
    - {step: write, args: {line: hi seen}, result: "wrote {{ args.line }}", delay: 5m}
    - {step: tell/out, result: told it}
answers: {sure: tell}
"#;

fn aa() -> Aa {
    Aa::traced().skill("release", RELEASE).skill("telling", TELLING)
}

fn stubbed(aa: &Aa, stubs: &str) -> Ran {
    std::fs::write(aa.path("canned.yaml"), stubs).unwrap();
    let words = "skill run release --input word=hi --stub-tools canned.yaml";
    aa.args(words.split(' ')).run()
}

fn run(aa: &Aa, words: &str) -> Ran {
    aa.args(words.split(' ')).run()
}

#[test]
fn tools_people_and_time_are_stood_in_for() {
    let aa = aa();
    let ran = stubbed(&aa, CANNED).code(0);
    assert!(ran.out().contains("wrote hi seen") && ran.out().contains("told it"), "{ran}");
    assert_eq!((aa.text("trace"), aa.text("looks")), (String::new(), String::new()), "no tool was called");
    let list = run(&aa, "run list").code(0).out();
    assert!(list.contains("release (stubbed)"), "{list}");
    run(&aa, "run show 1").code(0).stdout_contains("release (stubbed) completed");
    let events = run(&aa, "run show 1 --format json").json_lines();
    assert_eq!(events[0]["stubs"].as_str().unwrap().len(), 64);
    let time = |event: &serde_json::Value| {
        chrono::DateTime::parse_from_rfc3339(event["at"].as_str().unwrap()).unwrap()
    };
    let passed = time(events.last().unwrap()) - time(&events[0]);
    assert!(
        (passed.num_minutes() - (24 * 60 + 60 + 5)).abs() < 30,
        "a day, a retry after about an hour, five minutes: {passed}"
    );
    let answered = events.iter().find(|event| event["event"] == "confirm_answered").unwrap();
    assert_eq!(answered["by"], "stubs");
}

#[test]
fn a_tool_without_an_answer_fails_and_says_what_to_add() {
    let aa = aa();
    let ran = stubbed(&aa, "tools: {trace_look: [{result: seen}]}").code(1);
    insta::assert_snapshot!(ran.err(), @r#"
    ▸ release · run 1
    ✓ look [time]
    ✓ rest  1d00h
    ✗ write [time]  tool `trace_write` has no canned answer; add one under `tools:`, e.g. `trace_write: [{args: {"line":"hi seen"}, result: …}]`
    ✗ release failed in 1d00h · run 1
    error: step `write` failed (permanent): tool `trace_write` has no canned answer; add one under `tools:`, e.g. `trace_write: [{args: {"line":"hi seen"}, result: …}]`
    hint: `aa tool debug trace_write` says more about the tool
    hint: `aa run show 1 --step write` shows all that is known
    "#);
    assert_eq!(aa.text("trace"), "");
}

#[test]
fn other_tools_are_called_only_when_that_is_said() {
    let aa = aa();
    let canned = "others: reads\ntools: {trace_write: [{result: ok}]}\nanswers: {sure: keep}\n";
    stubbed(&aa, canned).code(0);
    assert_eq!((aa.text("trace"), aa.text("looks")), (String::new(), "hi\n".to_owned()));
    let canned = "others: reads\ntools: {trace_look: [{result: ok}]}\nanswers: {sure: keep}\n";
    stubbed(&aa, canned).code(1);
    assert_eq!(aa.text("trace"), "");
    let canned = "others: real\ntools: {trace_look: [{result: seen}]}\nanswers: {sure: keep}\n";
    stubbed(&aa, canned).code(0);
    assert_eq!(aa.text("trace"), "hi seen\n");
}

#[test]
fn a_stubbed_run_goes_on_stubbed_with_what_it_was_started_with() {
    let aa = aa();
    // Without an answer the question is left for a person.
    stubbed(&aa, &CANNED.replace("answers: {sure: tell}", "")).code(6);
    std::fs::write(aa.path("canned.yaml"), "tools: {}").unwrap();
    run(&aa, "run answer 1 sure tell").code(0);
    run(&aa, "run show 1").code(0).stdout_contains("told it");
    assert_eq!(aa.text("trace"), "", "what comes after a resume calls no tool either");
    run(&aa, "run undo 1").code(1).stderr_contains("trace_unwrite");
    assert_eq!(aa.text("trace"), "");
}

#[test]
fn a_stubbed_run_that_was_killed_goes_on_with_the_next_answers() {
    let aa = aa();
    let canned =
        CANNED.replace("{step: tell/out, result: told it}", "{step: tell/out, result: told it, times: 1}");
    std::fs::write(aa.path("canned.yaml"), &canned).unwrap();
    let words = "skill run release --input word=hi --stub-tools canned.yaml";
    // Right after the attempt that fails: the next one must get the second answer.
    for commits in 1..=12 {
        let ran = aa.args(words.split(' ')).env("AA_TEST_KILL_AFTER", commits.to_string()).run();
        if ran.exit_or_killed().is_none() {
            let resumed = run(&aa, "run resume --all");
            let resumed = if resumed.exit_or_killed() == Some(6) {
                // Its process died in the middle of a write, as far as anybody knows.
                let events = run(&aa, "run show --format json").json_lines();
                let resumed = events.iter().rfind(|event| event["event"] == "run_resumed").unwrap();
                let step = resumed["unknown"][0].as_str().unwrap().to_owned();
                run(&aa, &format!("run resolve {commits} {step} --retry"))
            } else {
                resumed
            };
            assert!(resumed.is_ok(), "killed after {commits}\n{resumed}");
        }
    }
    assert_eq!(aa.text("trace"), "");
}

#[test]
fn bad_stubs_are_told_like_a_compiler_does() {
    let aa = aa();
    let ran = stubbed(
        &aa,
        "others: none\ntools:\n  trace_wirte: [{result: 1}]\nanswers: {sure: maybe, look: yes!}\n",
    )
    .code(3);
    insta::assert_snapshot!(ran.err(), @"
    error[bad-value]: `others` cannot be `none`
       ╭─[canned.yaml:1:9]
     1 │ others: none
       ·         ────
     2 │ tools:
       ╰────
    hint: it is one of `fail`, `reads`, `real`

    error[unknown-tool]: there is no tool `trace_wirte`
       ╭─[canned.yaml:3:3]
     2 │ tools:
     3 │   trace_wirte: [{result: 1}]
       ·   ───────────
     4 │ answers: {sure: maybe, look: yes!}
       ╰────
    hint: did you mean `trace_write`?

    error[bad-option]: `maybe` is no answer to `sure`
       ╭─[canned.yaml:4:11]
     3 │   trace_wirte: [{result: 1}]
     4 │ answers: {sure: maybe, look: yes!}
       ·           ────
       ╰────
    hint: known: `tell`, `keep`

    error[unknown-step]: no step `look` asks anything
       ╭─[canned.yaml:4:24]
     3 │   trace_wirte: [{result: 1}]
     4 │ answers: {sure: maybe, look: yes!}
       ·                        ────
       ╰────
    hint: known: `sure`

    error: 4 errors in canned.yaml
    ");
    let ran = stubbed(&aa, include_str!("fixtures/stubs/bad/unknown-step.yaml")).code(3);
    assert!(ran.err().contains("error[unknown-step]"), "{ran}");
    run(&aa, "skill run release --input word=hi --stub-tools none.yaml")
        .code(4)
        .stderr_contains("there is no such file");
    assert!(run(&aa, "run list").err().contains("no runs"), "none of them became a run");
}

#[test]
fn answers_that_nothing_asks_for_are_pointed_out() {
    let aa = aa();
    let canned = CANNED.replace("sure: tell", "sure: keep");
    let ran = stubbed(&aa, &canned).code(0);
    let err = ran.err();
    insta::assert_snapshot!(&err[err.find("warning[").unwrap()..], @r#"
    warning[unused-answer]: no call of `trace_write` has had this answer
       ╭─[canned.yaml:7:7]
     6 │     - {step: write, args: {line: hi seen}, result: "wrote {{ args.line }}", delay: 5m}
     7 │     - {step: tell/out, result: told it}
       ·       ─────────────────────────────────
     8 │ answers: {sure: keep}
       ╰────
    "#);
    let aa = Aa::traced().skill("release", "{name: release, description: r, inputs: [{name: word, type: string}], steps: [{name: a, tool: trace_write, args: {line: '{{ inputs.word }}'}}]}");
    let ran = stubbed(&aa, include_str!("fixtures/stubs/bad/unused-answer.yaml")).code(0);
    assert!(
        ran.err().contains("warning[unused-answer]: no call of `trace_look` has had this answer"),
        "{ran}"
    );
}

const TESTS: &str = r#"
tests:
  - name: tells when agreed
    inputs: {word: hi}
    now: 2026-01-31T08:00:00Z
    stubs:
      tools:
        trace_look: [{result: seen}]
        trace_write: [{result: "wrote {{ args.line }}"}]
      answers: {sure: tell}
    expect:
      outputs: {said: wrote hi seen, told: {matches: "^wrote wrote"}}
      calls:
        - {tool: trace_look, args: {note: hi}}
        - {tool: trace_write, step: write}
        - {tool: trace_write, step: tell/out, args: {line: {contains: seen}}}
      steps: {tell: completed}
  - name: keeps it otherwise
    inputs: {word: hi}
    cassette: ../canned.yaml
    stubs: {answers: {sure: keep}}
    expect: {steps: {tell: skipped}, calls: {unordered: [{tool: trace_write}, {tool: trace_write}, {tool: trace_look}]}}
  - name: fails when it cannot look
    inputs: {word: hi}
    stubs: {tools: {trace_look: [{error: {kind: auth, message: no entry}}]}}
    expect: {status: failed, error: {kind: auth, message: {contains: entry}, step: look}}
"#;

fn tested(tests: &str) -> Aa {
    aa().file(".aa/skills/release.test.yaml", tests).file(".aa/canned.yaml", CANNED)
}

#[test]
fn a_skill_passes_its_tests() {
    let aa = tested(TESTS);
    let ran = run(&aa, "skill test release").code(0);
    let err = ran.err();
    for name in ["tells when agreed", "keeps it otherwise", "fails when it cannot look", "3 tests passed"] {
        assert!(err.contains(name), "{ran}");
    }
    ran.stdout("");
    assert!(run(&aa, "run list").err().contains("no runs"), "tests leave no runs behind");
    assert_eq!(aa.text("trace"), "");
    let json = run(&aa, "skill test ./.aa/skills/release.yaml --filter keeps --format json").code(0).json();
    assert_eq!((json.as_array().unwrap().len(), &json[0]["passed"]), (1, &true.into()));
    run(&aa, "skill test --filter no_test_says_this").code(4).stderr_contains("there are no tests to run");
    run(&aa, "skill test telling").code(1).stderr_contains("skill `telling` has no tests");
    let list = run(&aa, "skill list").code(0).out();
    assert!(!list.contains(".test"), "tests are no skills\n{list}");
    run(&aa, "skill check .aa/skills").code(0);
}

#[test]
fn tests_find_the_skill_beside_them_in_any_folder() {
    let skill = "name: lone\ndescription: Alone\nsteps:\n  - {name: a, compute: result = 6 * 7}\noutputs:\n  - {name: report, value: \"{{ a }}\"}\n";
    let tests = "tests:\n  - {name: multiplies, expect: {status: completed, outputs: {report: 42}}}\n";
    let aa = Aa::new().file("lone.yaml", skill).file("lone.test.yaml", tests);
    run(&aa, "skill test lone.test.yaml").code(0).stderr_contains("1 test passed");
    run(&aa, "skill test lone.yaml").code(0).stderr_contains("1 test passed");
}

#[test]
fn a_test_that_fails_shows_what_differs() {
    let tests = r#"
tests:
  - name: is wrong in every way
    inputs: {word: hi}
    stubs:
      tools:
        trace_look: [{result: seen}]
        trace_write: [{result: "wrote\n{{ args.line }}\nend"}, {result: told}]
      answers: {sure: tell}
    expect:
      status: failed
      error: broken
      outputs: {said: x}
      calls: [{tool: trace_write, step: write}, {tool: trace_unwrite}]
      steps: {tell: skipped, none: failed}
  - name: differs in a line
    inputs: {word: hi}
    stubs:
      tools:
        trace_look: [{result: seen}]
        trace_write: [{result: "wrote\n{{ args.line }}\nend"}]
      answers: {sure: keep}
    expect: {outputs: {said: "wrote\nho seen\nend", told: {any: true}, more: 1}}
  - name: lacks an answer
    inputs: {word: hi}
    stubs: {tools: {trace_look: [{result: seen}]}}
"#;
    let aa = tested(tests);
    let ran = run(&aa, "skill test release --color never").code(1);
    let err = ran.err();
    let (blocks, sum) = err.trim_end().rsplit_once("\n\n").unwrap();
    // They run at the same time, and end as they like.
    let mut blocks: Vec<&str> = blocks.split("✗ ").map(str::trim_end).collect();
    blocks.sort_unstable();
    insta::assert_snapshot!(format!("{}\n\n{sum}", blocks.join("\n✗ ")), @r#"
    ✗ release: differs in a line [time]
        outputs.said .aa/skills/release.test.yaml:23
            wrote
          - ho seen
          + hi seen
            end
        outputs.more .aa/skills/release.test.yaml:23
          - 1
          + nothing
    ✗ release: is wrong in every way [time]
        status .aa/skills/release.test.yaml:11
          - failed
          + completed
        outputs.said .aa/skills/release.test.yaml:13
          - x
          + wrote
          + hi seen
          + end
        error: the run did not fail .aa/skills/release.test.yaml:12
        steps.none .aa/skills/release.test.yaml:15
          - failed
          + it did not start
        steps.tell .aa/skills/release.test.yaml:15
          - skipped
          + completed
        calls .aa/skills/release.test.yaml:14
          + look: trace_look {"note":"hi"}
            write: trace_write {"line":"hi seen"}
          - trace_unwrite
          + tell/out: trace_write {"line":"wrote\nhi seen\nend"}
    ✗ release: lacks an answer [time]
        stubs: step `write`: tool `trace_write` has no canned answer; add one under `tools:`, e.g. `trace_write: [{args: {"line":"hi seen"}, result: …}]` .aa/skills/release.test.yaml:24
        status .aa/skills/release.test.yaml:24
          - completed
          + failed (step `write`: tool `trace_write` has no canned answer; add one under `tools:`, e.g. `trace_write: [{args: {"line":"hi seen"}, result: …}]`)

    3 of 3 tests failed in [time] (- expected, + found)
    "#);
    let json = run(&aa, "skill test release --format json").code(1).json();
    assert_eq!(json[1]["failures"][0]["what"], "outputs.said");
    assert_eq!(json[1]["failures"][0]["diff"][1], serde_json::json!({"wanted": "ho seen"}));
}

#[test]
fn bad_tests_are_told_like_a_compiler_does() {
    let tests = r"
tests:
  - name: a
    inputs: {wrod: hi}
    cassette: none.yaml
    stubs: {tools: {trace_lok: [{result: seen}]}}
    expect: {status: fine}
";
    insta::assert_snapshot!(run(&tested(tests), "skill test release").code(3).err(), @"
    error[bad-argument]: input `word` is required
       ╭─[.aa/skills/release.test.yaml:3:11]
     2 │ tests:
     3 │   - name: a
       ·           ─
     4 │     inputs: {wrod: hi}
       ╰────

    error[bad-argument]: input `wrod`: `release` has no such input
       ╭─[.aa/skills/release.test.yaml:4:14]
     3 │   - name: a
     4 │     inputs: {wrod: hi}
       ·              ────
     5 │     cassette: none.yaml
       ╰────
    hint: did you mean `word`?

    error[missing-file]: cannot read `[project]/.aa/skills/none.yaml`: no such file or directory
       ╭─[.aa/skills/release.test.yaml:5:15]
     4 │     inputs: {wrod: hi}
     5 │     cassette: none.yaml
       ·               ─────────
     6 │     stubs: {tools: {trace_lok: [{result: seen}]}}
       ╰────

    error[unknown-tool]: there is no tool `trace_lok`
       ╭─[.aa/skills/release.test.yaml:6:21]
     5 │     cassette: none.yaml
     6 │     stubs: {tools: {trace_lok: [{result: seen}]}}
       ·                     ─────────
     7 │     expect: {status: fine}
       ╰────
    hint: did you mean `trace_look`?

    error[bad-value]: `status` cannot be `fine`
       ╭─[.aa/skills/release.test.yaml:7:22]
     6 │     stubs: {tools: {trace_lok: [{result: seen}]}}
     7 │     expect: {status: fine}
       ·                      ────
       ╰────
    hint: it is one of `completed`, `failed`, `cancelled`, `waiting`

    error: 5 errors in .aa/skills/release.test.yaml
    ");
    let aa = aa().file(".aa/skills/lost.test.yaml", "tests: [{name: a}]");
    run(&aa, "skill test").code(3).stderr_contains("there is no skill `lost`");
}

#[test]
fn every_shipped_test_passes() {
    let ran = run(&Aa::new(), "skill test --format json").code(0);
    let verdicts = ran.json();
    let skills: std::collections::BTreeSet<&str> =
        verdicts.as_array().unwrap().iter().map(|verdict| verdict["skill"].as_str().unwrap()).collect();
    assert!(skills.len() >= 4, "{skills:?}");
    for verdict in verdicts.as_array().unwrap() {
        assert_eq!(verdict["warnings"], serde_json::json!([]), "{verdict}");
    }
}

#[test]
fn a_run_becomes_a_test_that_passes_until_the_skill_changes() {
    let skill = RELEASE.replace("  - {name: rest, wait: 1d}\n", "");
    let aa = aa().skill("release", &skill);
    run(&aa, "skill run release --input word=hi -q").code(6);
    run(&aa, "run cancel 1").code(0);
    run(&aa, "run to-test 1").code(1).stderr_contains("was cancelled");
    run(&aa, "skill run release --input word=hi -q").code(6);
    run(&aa, "run to-test 2").code(1).stderr_contains("is not over");
    run(&aa, "run answer 2 sure tell").code(0);
    run(&aa, "run to-test 2 --output .aa/skills/release.test.yaml").code(0);
    insta::assert_snapshot!(aa.text(".aa/skills/release.test.yaml").lines().filter(|line| !line.contains("now:") && !line.contains("folder:")).collect::<Vec<_>>().join("\n"), @"
    # yaml-language-server: $schema=../schemas/test.json
    skill: release
    tests:
      - name: does what run 2 did
        run: 2
        inputs: {word: hi}
        stubs:
          tools:
            trace_look:
              - {args: {note: hi}, result: done}
            trace_write:
              - {args: {line: wrote hi done}, result: wrote wrote hi done}
              - {args: {line: hi done}, result: wrote hi done}
          answers: {sure: tell}
        expect:
          status: completed
          outputs: {said: wrote hi done, told: wrote wrote hi done}
          calls:
            - {tool: trace_look, step: look, args: {note: hi}}
            - {tool: trace_write, step: write, args: {line: hi done}}
            - {tool: trace_write, step: tell/out, args: {line: wrote hi done}}
          steps: {look: completed, sure: completed, tell: completed, write: completed}
    ");
    let before = aa.text("trace");
    run(&aa, "skill test release").code(0).stderr_contains("1 test passed");
    assert_eq!(aa.text("trace"), before);
    run(&aa, "run to-test 2 --output .aa/skills/release.test.yaml").code(2).stderr_contains("exists already");
    let aa =
        aa.skill("release", &skill.replace("{{ inputs.word }} {{ look }}", "{{ inputs.word }}, {{ look }}"));
    let ran = run(&aa, "skill test release --color never").code(1);
    insta::assert_snapshot!(ran.err(), @r#"
    ✗ release: does what run 2 did [time]
        stubs: step `write`: tool `trace_write` has no canned answer left that fits; add one under `tools:`, e.g. `trace_write: [{args: {"line":"hi, done"}, result: …}]` .aa/skills/release.test.yaml:4
        status .aa/skills/release.test.yaml:18
          - completed
          + failed (step `write`: tool `trace_write` has no canned answer left that fits; add one under `tools:`, e.g. `trace_write: [{args: {"line":"hi, done"}, result: …}]`)
        steps.sure .aa/skills/release.test.yaml:24
          - completed
          + it did not start
        steps.tell .aa/skills/release.test.yaml:24
          - completed
          + it did not start
        steps.write .aa/skills/release.test.yaml:24
          - completed
          + failed (tool `trace_write` has no canned answer left that fits; add one under `tools:`, e.g. `trace_write: [{args: {"line":"hi, done"}, result: …}]`)
        calls .aa/skills/release.test.yaml:21
            look: trace_look {"note":"hi"}
          - write: trace_write {"line":"hi done"}
          - tell/out: trace_write {"line":"wrote hi done"}
          + write: trace_write {"line":"hi, done"}
    warning[unused-answer]: no call of `trace_write` has had this answer
        ╭─[.aa/skills/release.test.yaml:14:13]
     13 │         trace_write:
     14 │           - {args: {line: wrote hi done}, result: wrote wrote hi done}
        ·             ──────────────────────────────────────────────────────────
     15 │           - {args: {line: hi done}, result: wrote hi done}
        ╰────

    warning[unused-answer]: no call of `trace_write` has had this answer
        ╭─[.aa/skills/release.test.yaml:15:13]
     14 │           - {args: {line: wrote hi done}, result: wrote wrote hi done}
     15 │           - {args: {line: hi done}, result: wrote hi done}
        ·             ──────────────────────────────────────────────
     16 │       answers: {sure: tell}
        ╰────

    warning[unused-answer]: step `sure` has not asked
        ╭─[.aa/skills/release.test.yaml:16:17]
     15 │           - {args: {line: hi done}, result: wrote hi done}
     16 │       answers: {sure: tell}
        ·                 ────
     17 │     expect:
        ╰────


    1 of 1 test failed in [time] (- expected, + found)
    "#);
}

#[test]
fn a_test_of_a_run_has_no_secret_and_copes_with_what_never_comes_again() {
    let tools = r#"
module: odd
description: Tools that give what is hard to repeat
tools:
  - name: odd_login
    description: Says who logged in
    effect: read
    input: {token: {type: string}}
    run: [sh, -c, 'echo "in as $TOKEN"']
    env: {TOKEN: "{{ token }}"}
  - name: odd_big
    description: Prints much, with braces
    effect: read
    input: {}
    run: [cat, big.txt]
  - name: odd_braces
    description: Prints braces
    effect: read
    input: {}
    run: [cat, braces.txt]
"#;
    let skill = r#"
name: odd
description: Reads what is hard to repeat
env: [WHO]
steps:
  - {name: login, tool: odd_login, args: {token: "{{ secrets.TOKEN }}"}}
  - {name: big, tool: odd_big}
  - {name: braces, tool: odd_braces}
outputs:
  - {name: login}
  - {name: braces}
  - {name: length, value: "{{ big | length }}"}
  - {name: at, value: "{{ now() }}"}
  - {name: run, value: "{{ run.id }} {{ run.started_at }} {{ run.folder }} {{ env.WHO }} {{ config.team }}"}
"#;
    let config =
        "secrets: {TOKEN: {env: SECRET_TOKEN}, OTHER: {env: OTHER}}\nvalues: {team: blue, unread: private}\n";
    let aa = Aa::new()
        .tools("odd", tools)
        .skill("odd", skill)
        .config(config)
        .file("big.txt", "a line {{ x }}\n".repeat(4000))
        .file("braces.txt", "{% if {{ a }}\n b\n\n");
    let call = |words: &str| {
        aa.args(words.split(' ')).env("SECRET_TOKEN", "hunter22-and-more").env("WHO", "me").run()
    };
    call("skill run odd -q").code(0);
    let ran = call("run to-test 1 -o .aa/skills/odd.test.yaml").code(0);
    assert!(ran.err().contains("`outputs.at` can be anything"), "{ran}");
    let text = aa.text(".aa/skills/odd.test.yaml");
    let all = text.clone() + &aa.text(".aa/skills/odd.data/1.json");
    assert!(!all.contains("hunter22") && !text.contains("private"), "{text}");
    assert!(text.contains("in as ‹secret:TOKEN›") && text.contains("odd.data/1.json"), "{text}");
    // Neither the secret nor the variables are needed any more.
    run(&aa, "skill test odd").code(0);
}
