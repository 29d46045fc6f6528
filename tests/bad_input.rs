//! Everything that people, files, disks and tools get wrong, and what is said about it.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};

use rustix::process::{Pid, test_kill_process};

use crate::support::{Aa, Ran, eventually};

const TYPED: &str = r"
name: typed
description: Takes inputs of every kind
inputs:
  - {name: mr, type: integer, required: true, minimum: 1}
  - {name: environment, type: string, enum: [stage, production], default: stage}
  - {name: dry, type: boolean, default: true}
  - {name: tags, type: array, items: {type: string}, default: []}
steps: [{name: look, tool: trace_look}]
";

fn typed() -> Aa {
    Aa::traced().skill("typed", TYPED)
}

fn run(aa: &Aa, words: &str) -> Ran {
    aa.args(["skill", "run"].into_iter().chain(words.split(' '))).run().stdout("")
}

/// A skill of one step that calls this tool with these arguments.
fn one(tool: &str, rest: &str) -> Aa {
    let skill =
        format!("name: one\ndescription: Calls a tool\nsteps:\n  - {{name: it, tool: {tool}{rest}}}\n");
    Aa::traced().skill("one", &skill)
}

#[test]
fn keys_that_are_given_twice_are_refused() {
    let skill = "name: one\ndescription: Takes a mapping\ninputs: [{name: o, type: object}]\nsteps: [{name: look, tool: trace_look}]\n";
    let aa = Aa::traced().skill("one", skill);
    let twice = "o={\"a\":1,\"b\":{\"c\":2,\"c\":3}}";
    insta::assert_snapshot!(aa.args(["skill", "run", "one", "-i", twice]).run().code(2).err(), @r#"error: input `o`: `{"a":1,"b":{"c":2,"c":3}}` is not taken: the key `c` is given twice at line 1 column 24"#);
    insta::assert_snapshot!(aa.args(["tool", "call", "shell", "--args", r#"{"script": "x", "script": "y"}"#]).run().code(2).err(), @"error: `--args`: the key `script` is given twice at line 1 column 30");
}

#[test]
fn bounds_of_attempts_are_said_in_plain_words() {
    let aa = one("trace_look", ", retry: {attempts: 99999999999}");
    aa.args(["skill", "check", "one"]).run().code(3).stderr_contains("`attempts` must be at most 100");
    let aa = one("trace_look", "").config("limits: {runs: 99999999999}");
    let said = aa.args(["config", "check"]).run().err();
    assert!(!said.contains("u32") && !said.contains("nonzero"), "{said}");
}

#[test]
fn null_is_called_none() {
    let aa = one("trace_look", ", condition: 1 == null");
    aa.args(["skill", "check", "one"]).run().code(3).stderr_contains("hint: write `none`");
}

/// Inputs with every keyword of JSON Schema: what fits, and what does not.
#[test]
fn inputs_may_have_any_keyword_of_json_schema() {
    let cases = [
        (
            "if: {required: [a]}, then: {required: [b]}, else: {required: [c]}",
            r#"{"a":1,"b":1}"#,
            r#"{"a":1,"c":1}"#,
        ),
        ("dependentRequired: {a: [b]}", r#"{"a":1,"b":1}"#, r#"{"a":1}"#),
        ("dependentSchemas: {a: {maxProperties: 1}}", r#"{"a":1}"#, r#"{"a":1,"b":2}"#),
        ("properties: {a: true}, unevaluatedProperties: false", r#"{"a":1}"#, r#"{"b":1}"#),
        (
            "$defs: {port: {type: integer}}, properties: {p: {$ref: '#/$defs/port'}}, deprecated: true, $comment: x",
            r#"{"p":1}"#,
            r#"{"p":"x"}"#,
        ),
        (
            "properties: {l: {type: array, contains: {const: 1}, minContains: 2, maxContains: 2, prefixItems: [true, true], unevaluatedItems: {const: 1}}}",
            r#"{"l":[1,1]}"#,
            r#"{"l":[1,1,1]}"#,
        ),
        ("properties: {u: {type: string, format: uri-template}}", r#"{"u":"/a/{b}"}"#, r#"{"u":"/a/{b"}"#),
        ("properties: {u: {type: string, format: relative-json-pointer}}", r#"{"u":"1/a"}"#, r#"{"u":"/a"}"#),
        ("properties: {u: {type: string, format: iri}}", r#"{"u":"http://ü/"}"#, r#"{"u":"a b"}"#),
        ("properties: {u: {type: string, format: iri-reference}}", r#"{"u":"/ü"}"#, r#"{"u":"a\\b"}"#),
    ];
    for (keywords, good, bad) in cases {
        let skill = format!(
            "name: one\ndescription: Takes a mapping\ninputs:\n  - {{name: o, type: object, {keywords}}}\nsteps: [{{name: look, tool: trace_look}}]\n"
        );
        let aa = Aa::traced().skill("one", &skill);
        aa.args(["skill", "run", "one", "-i", &format!("o={good}")]).run().code(0);
        aa.args(["skill", "run", "one", "-i", &format!("o={bad}")])
            .run()
            .code(2)
            .stderr_contains("input `o`");
    }
}

#[test]
fn schemas_of_inputs_are_checked_themselves() {
    let cases = [
        ("$ref: 'https://example.com/schema'", "must match"),
        ("$ref: '#/$defs/x'", "names no schema; write one under `$defs`"),
        ("items: {$ref: '#'}", "leads back to itself, which an input cannot have"),
        ("dependantRequired: {a: [b]}", "did you mean `dependentRequired`?"),
        ("if: 3", "if"),
    ];
    for (keywords, said) in cases {
        let skill = format!(
            "name: one\ndescription: Takes a list\ninputs:\n  - {{name: o, type: array, {keywords}}}\nsteps: [{{name: look, tool: trace_look}}]\n"
        );
        Aa::traced().skill("one", &skill).args(["skill", "check", "one"]).run().code(3).stderr_contains(said);
    }
}

#[test]
fn an_unknown_skill_gets_a_suggestion() {
    insta::assert_snapshot!(run(&typed(), "tpyed").code(4).err(), @"
    error: there is no skill `tpyed`
    hint: did you mean `typed`?
    hint: `aa skill list` shows every skill
    ");
    insta::assert_snapshot!(run(&typed(), "./typed.yaml").code(4).err(), @"error: cannot read `[project]/typed.yaml`: there is no such file");
}

#[test]
fn inputs_that_do_not_fit_are_all_named() {
    insta::assert_snapshot!(run(&typed(), "typed").code(2).err(), @"error: input `mr` is required");
    insta::assert_snapshot!(
        run(&typed(), "typed -i mr=twelve -i environment=prod -i dry=perhaps -i tags=a,b -i enviroment=x").code(2).err(),
        @r#"
    error: input `mr`: `twelve` is not a whole number
    error: input `dry`: `perhaps` is not a boolean
    hint: write `true` or `false`
    error: input `tags`: `a,b` is not a list
    hint: write JSON, e.g. `["a", "b"]`
    error: input `enviroment`: `typed` has no such input
    hint: did you mean `environment`?
    error: input `environment` must be one of `stage`, `production`, not `prod`
    hint: did you mean `production`?
    "#
    );
    insta::assert_snapshot!(run(&typed(), "typed -i mr=0").code(2).err(), @"error: input `mr` must be at least 1");
    insta::assert_snapshot!(run(&typed(), "typed -i mr=1 -i mr=2").code(2).err(), @"error: input `mr` is given twice: `1` and `2`");
}

#[test]
fn a_file_of_inputs_that_is_none_is_refused() {
    let aa =
        typed().file("list.json", "[1]").file("broken.json", "{\"mr\": ").file("broken.yaml", "mr: [1\n");
    insta::assert_snapshot!(run(&aa, "typed --inputs-file gone.json").code(4).err(), @"error: cannot read `gone.json`: no such file or directory");
    insta::assert_snapshot!(run(&aa, "typed --inputs-file list.json").code(2).err(), @"
    error: `list.json` does not hold inputs
    hint: write a mapping of names to values
    ");
    insta::assert_snapshot!(run(&aa, "typed --inputs-file broken.json").code(2).err(), @"error: `broken.json` is not JSON: EOF while parsing a value at line 1 column 7");
    insta::assert_snapshot!(run(&aa, "typed --inputs-file broken.yaml").code(2).err(), @"
    error[yaml-syntax]: the bracket is never closed
       ╭─[broken.yaml:1:5]
     1 │ mr: [1
       ·     ─
       ╰────

    error: `broken.yaml` cannot be read
    ");
}

#[test]
fn an_integer_that_would_lose_digits_is_refused_wherever_it_is_given() {
    let aa = typed()
        .file("great.json", "{\n  \"mr\": 18446744073709551616\n}")
        .file("great.yaml", "mr: 18446744073709551616\n")
        .tools("sum", "module: sum\ndescription: Sums\ntools:\n  - name: sum_up\n    description: Sums\n    effect: read\n    input: {n: {type: number}, list: {type: array, optional: true}}\n    run: [echo, \"{{ n }}\"]\n");
    insta::assert_snapshot!(run(&aa, "typed --inputs-file great.json").code(2).err(), @"error: `great.json`: the integer `18446744073709551616` has more than 64 bits and would lose digits; put it in quotes at line 2 column 9");
    insta::assert_snapshot!(run(&aa, "typed --inputs-file great.yaml").code(2).err(), @"
    error[yaml-number]: `18446744073709551616` has more digits than a number can hold
       ╭─[great.yaml:1:5]
     1 │ mr: 18446744073709551616
       ·     ────────────────────
       ╰────
    hint: put it in quotes

    error: `great.yaml` cannot be read
    ");
    insta::assert_snapshot!(run(&aa, "typed -i mr=18446744073709551616").code(2).err(), @"error: input `mr`: `18446744073709551616` is not taken: the integer `18446744073709551616` has more than 64 bits and would lose digits; put it in quotes at line 1 column 1");
    let call =
        |args: &[&str]| aa.args(["tool", "call", "sum_up"].iter().chain(args)).run().code(2).err().clone();
    insta::assert_snapshot!(call(&["--args", r#"{"n": 18446744073709551616}"#]), @"error: `--args`: the integer `18446744073709551616` has more than 64 bits and would lose digits; put it in quotes at line 1 column 7");
    insta::assert_snapshot!(call(&["--arg", "n=18446744073709551616"]), @"error: argument `n` cannot be read: the integer `18446744073709551616` has more than 64 bits and would lose digits; put it in quotes at line 1 column 1");
    insta::assert_snapshot!(call(&["--arg", "list=[1, -9223372036854775809]"]), @"error: argument `list` cannot be read: the integer `-9223372036854775809` has more than 64 bits and would lose digits; put it in quotes at line 1 column 5");
    insta::assert_snapshot!(aa.args(["memory", "set", "n", "18446744073709551616"]).run().code(2).err(), @"error: the value: the integer `18446744073709551616` has more than 64 bits and would lose digits; put it in quotes at line 1 column 1");
    aa.args(["tool", "call", "sum_up", "--arg", "n=18446744073709551615"])
        .run()
        .code(0)
        .stdout_contains("18446744073709551615");
}

#[test]
fn a_skill_with_errors_does_not_start() {
    let skill =
        "name: bad\ndescription: Has a mistake\nsteps:\n  - {name: it, tool: trace_wirte, args: {line: x}}\n";
    let aa = Aa::traced().skill("bad", skill);
    insta::assert_snapshot!(run(&aa, "bad").code(3).err(), @"
    error[unknown-tool]: there is no tool `trace_wirte`
       ╭─[.aa/skills/bad.yaml:4:22]
     3 │ steps:
     4 │   - {name: it, tool: trace_wirte, args: {line: x}}
       ·                      ───────────
       ╰────
    hint: did you mean `trace_write`?

    error: 1 error in .aa/skills/bad.yaml
    ");
    aa.args(["run", "list"]).run().code(0).stderr("no runs\n");
}

#[test]
fn a_huge_file_is_not_read() {
    let aa = Aa::new();
    let huge = File::create(aa.path("huge.yaml")).unwrap();
    huge.set_len(100 << 20).unwrap();
    insta::assert_snapshot!(run(&aa, "huge.yaml").err(), @"
    error[file-too-large]: the file has 104857600 bytes; at most 1048576 are read
      --> huge.yaml:1:1
    hint: split it, or move large data to a file that a tool reads

    error: 1 error in huge.yaml
    ");
}

#[test]
fn a_yaml_bomb_does_not_go_off() {
    let aa = Aa::new().skill("yaml-budget", include_str!("fixtures/skills/bad/yaml-budget.yaml"));
    insta::assert_snapshot!(run(&aa, "yaml-budget").code(3).err(), @"
    error[yaml-budget]: the aliases unfold to too much
        ╭─[.aa/skills/yaml-budget.yaml:12:22]
     11 │   a6: &a6 [*a5, *a5, *a5, *a5]
     12 │   a7: &a7 [*a6, *a6, *a6, *a6]
        ·                      ───
     13 │   a8: &a8 [*a7, *a7, *a7, *a7]
        ╰────

    error: 1 error in .aa/skills/yaml-budget.yaml
    ");
}

#[test]
fn what_is_not_text_is_no_skill() {
    let aa = Aa::new().file(".aa/skills/odd.yaml", b"name: odd\ndescription: \xff\xfe\nsteps: []\n");
    insta::assert_snapshot!(run(&aa, "odd").err(), @"
    error[not-utf8]: the byte 0xff is not UTF-8 text
       ╭─[.aa/skills/odd.yaml:2:14]
     1 │ name: odd
     2 │ description: ��
       ·              ─
     3 │ steps: []
       ╰────
    hint: save the file as UTF-8

    error: 1 error in .aa/skills/odd.yaml
    ");
}

#[test]
fn a_folder_that_cannot_be_read_is_named() {
    let aa = Aa::new();
    fs::remove_dir(aa.path(".aa/skills")).unwrap();
    symlink("skills", aa.path(".aa/skills")).unwrap();
    insta::assert_snapshot!(aa.args(["skill", "list"]).run().err(), @"error: cannot read `[project]/.aa/skills`: too many levels of symbolic links");
    insta::assert_snapshot!(run(&aa, "any").err(), @"error: cannot read `[project]/.aa/skills`: too many levels of symbolic links");
}

/// A call for which permissions count, even when the tests run as root.
fn restricted(aa: &Aa, words: &str) -> Ran {
    let aa_binary = crate::support::binary();
    let script = format!(
        "mortal='setpriv --inh-caps=-dac_override,-dac_read_search --bounding-set=-dac_override,-dac_read_search'
         [ $(id -u) = 0 ] || mortal=
         exec $mortal {aa_binary} {words}"
    );
    aa.script(&script).run()
}

fn permit(aa: &Aa, path: &str, mode: u32) {
    fs::set_permissions(aa.path(path), Permissions::from_mode(mode)).unwrap();
}

#[test]
fn what_may_not_be_read_is_named() {
    let aa = typed();
    permit(&aa, ".aa/skills/typed.yaml", 0o000);
    let file = restricted(&aa, "skill run typed -i mr=1").code(4).stdout("");
    insta::assert_snapshot!(file.err(), @"error: cannot read `[project]/.aa/skills/typed.yaml`: permission denied");
    permit(&aa, ".aa/skills", 0o000);
    let folder = restricted(&aa, "skill list").code(4).stdout("");
    permit(&aa, ".aa/skills", 0o700);
    insta::assert_snapshot!(folder.err(), @"error: cannot read `[project]/.aa/skills`: permission denied");
}

#[test]
fn a_pipe_is_no_file_and_nobody_waits_for_it() {
    let aa = typed();
    for name in [".aa/skills/pipe.yaml", ".aa/tools/pipe.yaml"] {
        let path = aa.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
        run(&aa, name).code(4).stdout("").stderr_contains("it is not a file");
        for words in ["skill list", "skill check", "tool list", "doctor"] {
            // It ends, whatever it says.
            aa.args(words.split(' ')).run();
        }
        fs::remove_file(aa.path(name)).unwrap();
    }
}

#[test]
fn a_store_that_may_only_be_read_starts_nothing_and_still_shows_what_is_in_it() {
    let aa = typed();
    run(&aa, "typed -i mr=1 --store runs").code(0);
    for (path, mode) in [("runs/aa.db", 0o444), ("runs/aa.db-wal", 0o444), ("runs", 0o555)] {
        if aa.path(path).exists() {
            permit(&aa, path, mode);
        }
    }
    let refused = restricted(&aa, "skill run typed -i mr=2 --store runs").code(1).stdout("");
    insta::assert_snapshot!(refused.err(), @"
    error: cannot write to the store `[project]/runs/aa.db`: attempt to write a readonly database
    hint: `aa doctor` looks at the store and its disk
    ");
    let listed = restricted(&aa, "run list --store runs --format json").code(0).json();
    permit(&aa, "runs", 0o755);
    assert_eq!(listed.as_array().unwrap().len(), 1);
    permit(&aa, "runs", 0o555);
    restricted(&aa, "doctor --store runs").code(1).stdout_contains("attempt to write a readonly database");
    permit(&aa, "runs", 0o755);
    assert_eq!(aa.text("looks").lines().count(), 1, "nothing ran");
}

#[test]
fn a_run_that_loses_its_folder_fails_and_cannot_go_on() {
    let skill = r#"
name: homeless
description: Removes the folder that it works in
inputs: [{name: ask, type: boolean, default: false}]
steps:
  - {name: go, condition: inputs.ask, confirm: {message: "Go on?"}}
  - {name: away, tool: shell, args: {script: 'cd /; rm -r "$1"', args: ["{{ run.folder }}"]}}
  - {name: look, tool: trace_look}
"#;
    let aa = Aa::traced().skill("homeless", skill);
    let start = |folder: &str, inputs: &[&str]| {
        fs::create_dir(aa.path(folder)).unwrap();
        let at_once = ["skill", "run", "homeless", "-C", folder];
        aa.args(at_once.iter().chain(inputs)).run().stdout("")
    };
    insta::assert_snapshot!(start("one", &[]).code(1).err(), @"
    ▸ homeless · run 1
    ○ go  condition is false
    ✓ away [time]
    ✗ look [time]  there is no folder `[project]/one`
    ✗ homeless failed in [time] · run 1
    error: step `look` failed (not_found): there is no folder `[project]/one`
    hint: `aa tool debug trace_look` says more about the tool
    hint: `aa run show 1 --step look` shows all that is known
    ");
    start("two", &["-i", "ask=true"]).code(6);
    fs::remove_dir(aa.path("two")).unwrap();
    let answered = aa.args(["run", "answer", "2", "go", "approve"]).run().stdout("");
    insta::assert_snapshot!(answered.err(), @"
    ✓ go  approve
    error: run 2 was started in `[project]/two`, and there is no such folder any more
    hint: make it again, or give up with `aa run cancel 2`
    ");
    insta::assert_snapshot!(aa.args(["run", "resume", "2"]).run().code(1).err(), @"
    error: run 2 was started in `[project]/two`, and there is no such folder any more
    hint: make it again, or give up with `aa run cancel 2`
    ");
    aa.args(["run", "cancel", "2"]).run().code(0);
}

#[test]
fn a_folder_that_is_gone_is_named() {
    let aa = typed();
    let script = format!("mkdir gone; cd gone; rmdir ../gone; exec {} skill list", crate::support::binary());
    let gone = aa.script(&script).run().stdout("").code(4);
    insta::assert_snapshot!(gone.err(), @"error: the current folder cannot be used: no such file or directory");
    let nowhere = aa.args(["skill", "list", "-C", "nowhere"]).run().stdout("").code(4);
    insta::assert_snapshot!(nowhere.err(), @"error: there is no folder `[project]/nowhere`");
}

#[test]
fn a_store_that_cannot_be_written_stops_the_run_before_it_starts() {
    let ran = run(&typed(), "typed -i mr=1 --store /proc/aa").code(1);
    insta::assert_snapshot!(ran.err(), @"
    error: cannot use the store `/proc/aa`: no such file or directory
    hint: `aa doctor` says more; `--store DIR` uses another folder
    ");
    // Not even what a stubbed run is pinned to is put down first.
    let aa = typed().file("canned.yaml", "others: reads\n");
    let stubbed = run(&aa, "typed -i mr=1 --stub-tools canned.yaml --store /proc/aa").code(1);
    assert_eq!(stubbed.err(), ran.err());
}

#[test]
fn a_full_disk_stops_the_run_and_says_so() {
    let skill = r"
name: fill
description: Writes more than there is room for
steps: [{name: it, tool: trace_flood, args: {bytes: 900000}}, {name: look, tool: trace_look, needs: [it]}]
";
    let aa = Aa::traced().skill("fill", skill);
    // A limit on the size of files stands for a disk without room; 1024 bytes each.
    let script = format!("trap '' XFSZ; ulimit -f 512; exec {} skill run fill", crate::support::binary());
    let ran = aa.script(&script).run().stdout("").code(1);
    insta::assert_snapshot!(ran.err(), @"
    ▸ fill · run 1
    error: cannot write to the store `[home]/state/aa-workflow/aa.db`: file too large
    hint: `aa doctor` looks at the store and its disk
    hint: `aa run resume 1` goes on with the run once that is better
    ");
}

#[test]
fn a_tool_that_prints_a_gigabyte_is_stopped() {
    let ran = run(&one("trace_flood", ""), "one").code(1);
    insta::assert_snapshot!(ran.err(), @"
    ▸ one · run 1
    ✗ it [time]  `sh` printed more than 1 MiB
    ✗ one failed in [time] · run 1
    error: step `it` failed (permanent): `sh` printed more than 1 MiB
    hint: `aa tool debug trace_flood` says more about the tool
    hint: `aa run show 1 --step it` shows all that is known
    ");
}

#[test]
fn a_tool_that_does_not_end_is_killed_at_its_deadline() {
    let aa = one("trace_deaf", ", timeout: 1s");
    let ran = run(&aa, "one").code(1);
    insta::assert_snapshot!(ran.err(), @"
    ▸ one · run 1
    ✗ it [time]  `sh` did not end in time and was stopped
    ✗ one failed in [time] · run 1
    error: step `it` failed (timeout): `sh` did not end in time and was stopped
    hint: `aa tool debug trace_deaf` says more about the tool
    hint: `aa run show 1 --step it` shows all that is known
    ");
    let pid = aa.text("deaf.pid").trim().parse().ok().and_then(Pid::from_raw).unwrap();
    eventually("it ends", || test_kill_process(pid).is_err());
}

#[test]
fn what_a_tool_leaves_behind_ends_with_it() {
    let aa = one("trace_daemon", "");
    let ran = aa.args(["skill", "run", "one"]).run();
    insta::assert_snapshot!(ran.err(), @"
    ▸ one · run 1
    ✓ it [time]
    ✓ one completed in [time] · run 1
    ");
    let pid = aa.text("daemon.pid").trim().parse().ok().and_then(Pid::from_raw).unwrap();
    eventually("it ends", || test_kill_process(pid).is_err());
}

#[test]
fn a_tool_whose_command_is_missing_says_which() {
    let module = r"
module: absent
description: A tool whose command does not exist
tools:
  - {name: absent_call, description: Calls nothing, effect: read, run: [no-such-command-anywhere]}
";
    let skill = "name: one\ndescription: Calls it\nsteps: [{name: it, tool: absent_call}]\n";
    let aa = Aa::new().tools("absent", module).skill("one", skill);
    insta::assert_snapshot!(run(&aa, "one").code(1).err(), @"
    ▸ one · run 1
    ✗ it [time]  there is no command `no-such-command-anywhere`
    ✗ one failed in [time] · run 1
    error: step `it` failed (not_found): there is no command `no-such-command-anywhere`
    hint: `aa tool debug absent_call` says more about the tool
    hint: `aa run show 1 --step it` shows all that is known
    ");
}

#[test]
fn a_secret_that_cannot_be_had_says_why() {
    let aa = one("shell", r#", args: {script: "true", stdin: "{{ secrets.TOKEN }}"}"#)
        .config("secrets: {TOKEN: {env: NO_SUCH_VARIABLE}}\n");
    insta::assert_snapshot!(run(&aa, "one").code(1).err(), @"
    ▸ one · run 1
    ✗ it [time]  secret `TOKEN` cannot be used: the environment variable `NO_SUCH_VARIABLE` is not set
    ✗ one failed in [time] · run 1
    error: step `it` failed (invalid): secret `TOKEN` cannot be used: the environment variable `NO_SUCH_VARIABLE` is not set
    hint: `aa tool debug shell` says more about the tool
    hint: `aa run show 1 --step it` shows all that is known
    ");
}

#[test]
fn a_module_with_errors_is_named_by_the_skills_that_need_it() {
    let aa = Aa::new()
        .tools("bad", "module: bad\ndescription: Has a mistake\ntools:\n  - {name: bad_call, run: [true]}\n")
        .skill("one", "name: one\ndescription: Calls it\nsteps: [{name: it, tool: bad_call}]\n");
    insta::assert_snapshot!(run(&aa, "one").code(3).err(), @r#"
    error[unknown-tool]: there is no tool `bad_call`
       ╭─[.aa/skills/one.yaml:3:26]
     2 │ description: Calls it
     3 │ steps: [{name: it, tool: bad_call}]
       ·                          ────────
       ╰────

    error[missing-key]: a tool needs the key `description`
       ╭─[.aa/tools/bad.yaml:4:6]
     3 │ tools:
     4 │   - {name: bad_call, run: [true]}
       ·      ────
       ╰────

    error[missing-key]: a tool needs the key `effect`
       ╭─[.aa/tools/bad.yaml:4:6]
     3 │ tools:
     4 │   - {name: bad_call, run: [true]}
       ·      ────
       ╰────

    error[missing-key]: `bad_call` has neither a command (`run`) nor a request (`http`)
       ╭─[.aa/tools/bad.yaml:4:12]
     3 │ tools:
     4 │   - {name: bad_call, run: [true]}
       ·            ────────
       ╰────

    error[wrong-type]: item 1 of `run` must be a number or text or a mapping, not a boolean
       ╭─[.aa/tools/bad.yaml:4:28]
     3 │ tools:
     4 │   - {name: bad_call, run: [true]}
       ·                            ────
       ╰────
    hint: put it in quotes: `"true"`

    error: 5 errors in 2 files
    "#);
}
