//! `aa skill run`: what it prints, what it returns, how it ends.

use serde_json::json;

use crate::support::{Aa, Ran};

/// Two steps, and a text for people.
const HELLO: &str = r#"
name: hello
description: Says hello
inputs:
  - {name: who, type: string, required: true}
  - {name: times, type: integer, default: 1}
steps:
  - {name: look, tool: trace_look}
  - {name: write, tool: trace_write, args: {line: "hello {{ inputs.who }}"}}
outputs:
  - {name: report, value: "Said hello to {{ inputs.who }}, {{ inputs.times }} times"}
"#;

/// One step that fails, and one after it.
const BROKEN: &str = r"
name: broken
description: Fails
steps:
  - {name: fail, tool: trace_fail}
  - {name: after, tool: trace_write, args: {line: never}}
";

fn hello() -> Aa {
    Aa::traced().skill("hello", HELLO).skill("broken", BROKEN)
}

fn run(aa: &Aa, args: &str) -> Ran {
    aa.args(["skill", "run"].into_iter().chain(args.split(' '))).run()
}

#[test]
fn a_report_is_printed_as_it_is_and_progress_goes_to_stderr() {
    let aa = hello();
    let ran =
        run(&aa, "hello --input who=you --input times=3").code(0).stdout("Said hello to you, 3 times\n");
    insta::assert_snapshot!(ran.err(), @"
    ▸ hello · run 1
    ✓ look [time]
    ✓ write [time]
    ✓ hello completed in [time] · run 1
    ");
    assert_eq!(aa.text("trace"), "hello you\n");
}

#[test]
fn other_outputs_are_printed_as_yaml() {
    let skill = r#"
name: facts
description: Gives facts
steps:
  - {name: look, tool: trace_look}
outputs:
  - {name: text, value: "{{ look }}"}
  - {name: number, value: "{{ 3 }}"}
  - {name: list, value: [1, {a: b}]}
  - {name: nothing, value: null}
"#;
    let aa = Aa::traced().skill("facts", skill);
    insta::assert_snapshot!(run(&aa, "facts").code(0).out(), @"
    text: done
    number: 3
    list:
    - 1
    - a: b
    nothing: null
    ");
}

#[test]
fn outputs_are_of_the_types_that_they_declare() {
    let skill = |value: &str| {
        format!(
            "name: typed\ndescription: Gives\nsteps:\n  - {{name: a, compute: 'result = {value}'}}\n  - {{name: b, condition: 'false', compute: 'result = 1'}}\noutputs:\n  - {{name: n, value: '{{{{ a }}}}', type: integer}}\n  - {{name: none, value: '{{{{ b }}}}', type: string}}\n"
        )
    };
    let aa = Aa::new().skill("typed", &skill("3"));
    let run = aa.args(["skill", "run", "typed", "--format", "json"]).run().code(0);
    assert!(run.out().contains(r#""outputs":{"n":3,"none":null}"#), "{}", run.out());
    let aa = aa.skill("typed", &skill("\"three\""));
    let ran = aa.args(["skill", "run", "typed"]).run().code(1);
    ran.stderr_contains("output `n` must be a whole number, not text");
}

#[test]
fn quiet_leaves_only_the_outputs() {
    let aa = hello();
    for flags in ["--quiet", "--format quiet"] {
        run(&aa, &format!("hello --input who=you {flags}"))
            .code(0)
            .stderr("")
            .stdout("Said hello to you, 1 times\n");
    }
}

#[test]
fn a_failure_says_which_step_and_what_it_printed() {
    let aa = hello();
    let ran = run(&aa, "broken").code(1).stdout("");
    insta::assert_snapshot!(ran.err(), @"
    ▸ broken · run 1
    ✗ fail [time]  `sh` ended with exit code 3: it broke
    ✗ broken failed in [time] · run 1
    error: step `fail` failed (permanent): `sh` ended with exit code 3: it broke
      │ first line
      │ it broke
    hint: `aa tool debug trace_fail` says more about the tool
    hint: `aa run show 1 --step fail` shows all that is known
    ");
    assert_eq!(aa.text("trace"), "");
}

#[test]
fn a_quiet_failure_still_says_what_failed() {
    let ran = run(&hello(), "broken -q").code(1).stdout("");
    insta::assert_snapshot!(ran.err(), @"
    error: step `fail` failed (permanent): `sh` ended with exit code 3: it broke
      │ first line
      │ it broke
    ");
}

#[test]
fn json_is_the_events_themselves() {
    let ran = run(&hello(), "hello --input who=you --format json").code(0).stderr("");
    let events = ran.json_lines();
    let names: Vec<&str> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(names.first(), Some(&"skill_started"));
    assert_eq!(names.last(), Some(&"skill_completed"));
    for (seq, event) in events.iter().enumerate() {
        assert_eq!(event["seq"], json!(seq));
        assert_eq!(event["run_id"], json!(1));
        serde_json::from_value::<aa_run::event::Event>(event.clone()).unwrap();
    }
}

#[test]
fn inputs_come_from_a_file_and_flags_win() {
    let aa =
        hello().file("in.json", r#"{"who": "file", "times": 2}"#).file("in.yaml", "who: yaml\ntimes: 5\n");
    run(&aa, "hello --inputs-file in.json").code(0).stdout("Said hello to file, 2 times\n");
    run(&aa, "hello --inputs-file in.yaml --input who=flag").code(0).stdout("Said hello to flag, 5 times\n");
}

#[test]
fn a_path_is_as_good_as_a_name() {
    let aa = Aa::traced().file("work/hello.yaml", HELLO);
    run(&aa, "work/hello.yaml -i who=you").code(0).stdout("Said hello to you, 1 times\n");
}

#[test]
fn a_dry_run_writes_nothing() {
    let aa = hello();
    let ran = run(&aa, "hello -i who=you --dry-run").code(0);
    assert_eq!(aa.text("trace"), "");
    for line in [ran.err().lines().next().unwrap(), ran.err().lines().last().unwrap()] {
        assert!(line.ends_with("· run 1 · dry run, nothing is changed"), "{ran}");
    }
    aa.args(["run", "show", "1"]).run().code(0).stdout_contains("· run 1 · dry run\n");
}

#[test]
fn a_block_that_is_read_leniently_finds_null_in_later_steps() {
    let skill = "name: early\ndescription: Reads what comes later\nsteps:\n  - {name: a, compute: result = later is None}\n  - {name: later, compute: result = 1}\noutputs: [{name: said, value: \"{{ a }}\"}]\n";
    let aa = Aa::new().skill("early", skill);
    run(&aa, "early").code(3).stderr_contains("forward-reference");
    run(&aa, "early --lenient").code(0).stdout("said: true\n");
}

#[test]
fn what_reads_as_null_is_said_when_that_is_asked_for() {
    let skill = r#"
name: foreign
description: Mentions what does not exist
steps:
  - {name: look, tool: trace_look, condition: not nothing}
outputs: [{name: said, value: "{{ look }}"}]
"#;
    let aa = Aa::traced().skill("foreign", skill);
    run(&aa, "foreign").code(3).stdout("");
    let ran = run(&aa, "foreign --lenient").code(0).stdout("said: done\n");
    insta::assert_snapshot!(ran.err(), @r#"
    warning[unknown-reference]: nothing is called `nothing`
       ╭─[.aa/skills/foreign.yaml:5:51]
     4 │ steps:
     5 │   - {name: look, tool: trace_look, condition: not nothing}
       ·                                                   ───────
     6 │ outputs: [{name: said, value: "{{ look }}"}]
       ╰────
    hint: name an earlier step's output, or `inputs.…`

    ▸ foreign · run 1
    ✓ look [time]
    ✓ foreign completed in [time] · run 1
    "#);
    aa.args(["skill", "plan", "foreign", "--lenient"]).run().code(0).stderr_contains("warning[");
}

#[test]
fn a_plan_that_changed_is_not_run() {
    let aa = hello();
    let plan = aa.args(["skill", "plan", "hello", "-i", "who=you", "--format", "json"]).run().code(0).json();
    let hash = plan["hash"].as_str().unwrap();
    let wrong = run(&aa, &format!("hello -i who=me --plan {hash}")).code(1);
    insta::assert_snapshot!(wrong.err(), @"
    error: the plan is `[hash]`, not `[hash]`
    hint: `aa skill plan` shows what would happen now, and its hash
    ");
    assert_eq!(aa.text("trace"), "");
    run(&aa, &format!("hello -i who=you --plan {hash}")).code(0);
    assert_eq!(aa.text("trace"), "hello you\n");
}

#[test]
fn a_repeated_key_finds_the_first_run() {
    let aa = hello();
    run(&aa, "hello -i who=you --key deploy-7").code(0).stdout("Said hello to you, 1 times\n");
    run(&aa, "hello -i who=you --key deploy-7").code(0).stdout("Said hello to you, 1 times\n");
    run(&aa, "hello -i who=me --key deploy-7").code(1).stdout("").stderr_contains("run 1");
    assert_eq!(aa.text("trace"), "hello you\n");
}

#[test]
fn a_key_finds_no_run_of_another_plan_than_the_one_that_is_named() {
    let say = "name: say\ndescription: Says\nsteps: [{name: say, tool: trace_write, args: {line: '{{ config.word }}'}}]\n";
    let of = |aa: Aa, word: &str| aa.config(&format!("values: {{word: {word}}}\n"));
    let planned = |aa: &Aa| {
        let plan = aa.args(["skill", "plan", "say", "--format", "json"]).run().code(0).json();
        plan["hash"].as_str().unwrap().to_owned()
    };
    let aa = of(Aa::traced().skill("say", say), "one");
    let first = planned(&aa);
    for _ in 0..2 {
        run(&aa, &format!("say --key k --plan {first}")).code(0).stderr_contains("run 1");
    }
    // The skill and its tools are the same, and what they read is not.
    let aa = of(aa, "two");
    let second = planned(&aa);
    let refused = run(&aa, &format!("say --key k --plan {second}")).code(1);
    refused.stderr_contains("run 1, which was not started by this plan").stderr_contains("another `--key`");
    run(&aa, "say --key k").code(0);
    assert_eq!(aa.text("trace"), "one\n");
    // Of what was started without one nobody has seen what it would do.
    run(&aa, "say --key l").code(0);
    run(&aa, &format!("say --key l --plan {second}")).code(1).stderr_contains("run 2, which was not started");
    assert_eq!(aa.text("trace"), "one\ntwo\n");
}

#[test]
fn steps_of_a_sub_skill_and_failed_items_are_told_apart() {
    let skill = r#"
name: outer
description: Runs another skill, and some items
steps:
  - {name: greet, skill: hello, args: {who: outer}}
  - name: fan
    tool: trace_fail
    foreach: [a, b, c]
    args: {message: "{{ item }} is odd"}
    on_error: continue
  - {name: skipped, tool: trace_look, condition: "false"}
"#;
    let aa = hello().skill("outer", skill);
    insta::assert_snapshot!(run(&aa, "outer").code(0).err(), @"
    ▸ outer · run 1
    ✓ greet/look [time]
    ✓ greet/write [time]
    ✓ greet [time]
    ○ skipped  condition is false
    ✗ fan[0] [time]  `sh` ended with exit code 3: a is odd (the run goes on)
    ✗ fan[1] [time]  `sh` ended with exit code 3: b is odd (the run goes on)
    ✗ fan[2] [time]  `sh` ended with exit code 3: c is odd (the run goes on)
    ✓ fan [time]  3 items, 3 failed
    ✓ outer completed in [time] · run 1
    ");
}

#[test]
fn a_question_that_lapses_moves_a_run_on_that_goes_on_after_it() {
    let ask = "name: ask\ndescription: Asks\nsteps: [{name: go, confirm: {message: 'go?', options: [do it, no]}}]\n";
    let outer = |rest: &str| {
        format!(
            "name: outer\ndescription: Asks inside\nsteps:\n  - {{name: inner, skill: ask, timeout: 300ms{rest}}}\n  - {{name: look, tool: trace_look}}\n"
        )
    };
    let aa = Aa::traced().skill("ask", ask).skill("outer", &outer(", on_error: continue"));
    run(&aa, "outer").code(0).stderr_contains("nobody answered in time");
    // Where the run would only fail, it waits for a person.
    let aa = Aa::traced().skill("ask", ask).skill("outer", &outer(""));
    run(&aa, "outer").code(6);
}

#[test]
fn without_a_terminal_a_question_parks_the_run() {
    let skill = r#"
name: ask
description: Asks first
steps:
  - {name: go, confirm: {message: "really, {{ run.skill }}?", options: [do it, no]}}
  - {name: write, tool: trace_write, args: {line: "{{ go }}"}}
outputs:
  - {name: report, value: "{{ go }}"}
"#;
    let aa = Aa::traced().skill("ask", skill);
    let parked = run(&aa, "ask").code(6).stdout("");
    insta::assert_snapshot!(parked.err(), @"
    ▸ ask · run 1
    ? go  really, ask? (do it, no)
    ? run 1 waits: really, ask? (`do it` or `no`)
    hint: `aa run answer 1 go ANSWER` goes on with it
    ");
    let wrong = aa.args(["run", "answer", "1", "go", "maybe"]).run();
    insta::assert_snapshot!(wrong.code(1).err(), @"error: `maybe` is not an answer to `go`; it is one of `do it`, `no`");
    let answered = aa.args(["run", "answer", "1", "go", "do it"]).run().code(0).stdout("do it\n");
    insta::assert_snapshot!(answered.err(), @"
    ✓ go  do it
    ↻ resumed
    ✓ go [time]  do it (by tester)
    ✓ write [time]
    ✓ ask completed in [time] · run 1
    ");
    assert_eq!(aa.text("trace"), "do it\n");
}

#[test]
fn a_new_skill_checks_clean_and_runs() {
    let aa = Aa::new();
    aa.args(["skill", "new", "first"]).run().code(0).stdout(".aa/skills/first.yaml\n");
    aa.args(["skill", "check", "first"]).run().code(0).stderr("✓ 1 skill checked, no problems\n");
    run(&aa, "first -i name=you").code(0).stdout_contains("Hello, you! This is ");
    aa.args(["skill", "new", "first"]).run().code(2).stderr_contains("exists already");
}

#[test]
fn generators_work_wherever_a_template_stands() {
    let skill = r#"name: mixed
description: Generators beside text
inputs: [{name: xs, type: array, default: [{n: 1, name: a}, {n: 2, name: b}]}]
steps:
  - {name: one, tool: echo, args: {value: "x {{ any(i.get('n') == 2 for i in inputs.xs) }} {{ inputs.xs | length }}"}}
  - {name: two, tool: echo, args: {value: "{% if any(i.n > 1 for i in inputs.xs) %}a{% else %}b{% endif %}"}}
  - {name: three, tool: echo, args: {value: "{% for x in [i for i in inputs.xs if i.n > 1] %}{{ x.name }}{% set y = [x.n * t for t in range(3)] %}{{ y }}{% endfor %}"}}
  - {name: ask, confirm: {message: "go with {{ ', '.join(i.name for i in inputs.xs) }}?", timeout: 10ms, default: approve}}
outputs:
  - {name: all, value: "{{ one.value }}|{{ two.value }}|{{ three.value }}"}
"#;
    let aa = Aa::new().skill("mixed", skill);
    let events = aa.args(["skill", "run", "mixed", "--format", "json"]).run().code(0).json_lines();
    assert_eq!(events.last().unwrap()["outputs"]["all"], "x true 2|a|b[0,2,4]");
    let asked = events.iter().find(|event| event["event"] == "confirm_requested").unwrap();
    assert_eq!(asked["message"], "go with a, b?");
}

#[test]
fn a_no_that_nothing_reads_holds_back_what_follows() {
    let skill = |confirm: &str, rest: &str| {
        format!(
            "name: drop\ndescription: Drops\nsteps:\n  - {{name: sure, confirm: {{message: Drop it?{confirm}}}}}\n  - {{name: gone, tool: trace_write, args: {{line: dropped}}{rest}}}\n"
        )
    };
    let dropped = |confirm: &str, rest: &str, answer: Option<&str>, code: i32| {
        let aa = Aa::traced().skill("drop", &skill(confirm, rest));
        aa.args(["skill", "check", "drop"]).run().code(0);
        let first = aa.args(["skill", "run", "drop"]).run();
        match answer {
            None => first.code(code),
            Some(answer) => {
                first.code(6);
                aa.args(["run", "answer", "1", "sure", answer]).run().code(code)
            }
        };
        aa.path("trace").exists() && !aa.text("trace").is_empty()
    };
    assert!(!dropped("", "", Some("reject"), 1));
    assert!(dropped("", "", Some("approve"), 0));
    assert!(!dropped(", options: [drop, cancel]", "", Some("cancel"), 1));
    assert!(!dropped(", options: [drop, cancel], default: cancel, timeout: 50ms", "", None, 1));
    // Whoever reads the answer decides by it.
    assert!(!dropped("", ", condition: sure == 'approve'", Some("reject"), 0));
    assert!(dropped("", ", condition: sure == 'reject'", Some("reject"), 0));
    assert!(dropped(", options: [drop, keep]", "", Some("keep"), 0));
    let aa = Aa::traced().skill("drop", &skill(", options: [drop, keep]", ""));
    aa.args(["skill", "check", "drop"]).run().code(0).stderr_contains("unread-answer");
    // A dry run shows what would follow.
    let aa =
        Aa::traced().skill("drop", &skill(", options: [drop, cancel], default: cancel, timeout: 1m", ""));
    aa.args(["skill", "run", "drop", "--dry-run"]).run().code(0);
}
