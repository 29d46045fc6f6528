//! Writing tool modules: started, checked, tried.

use serde_json::json;

use crate::support::Aa;
use crate::support::server::{Reply, Server};

const COUNT: &str = r#"
module: count
description: Lines of files
requires: {commands: [wc]}
tools:
  - name: count_lines
    description: Count the lines of a file
    effect: read
    input: {file: {type: string, description: The file, aliases: [path, name]}}
    output: {type: object, properties: {lines: {type: integer, description: How many}}}
    run: [wc, -l, --, "{{ file }}"]
    result: {regex: {pattern: '^(?<lines>\d+)', types: {lines: integer}}}
    examples:
      - description: Three lines
        args: {file: notes.txt}
        recorded: {run: [wc, -l, --, notes.txt], stdout: "3 notes.txt\n"}
        expect: {lines: 3}
      - description: A file that is not there
        args: {file: nothing.txt}
        recorded: {run: [wc, -l, --, nothing.txt], stderr: "wc: nothing.txt: No such file or directory", exit: 1}
        fails: {kind: not_found, message: No such file}
"#;

#[test]
fn a_new_module_works_at_once() {
    let aa = Aa::new();
    let written = aa.args(["tool", "new", "my-lines"]).run().code(0);
    written.stdout(".aa/tools/my-lines.yaml\n").stderr_contains("aa tool test my-lines");
    aa.args(["tool", "check", "my-lines"])
        .run()
        .code(0)
        .stdout("")
        .stderr_contains("1 tool module checked, no problems");
    aa.args(["tool", "test", "my-lines"]).run().code(0).stderr_contains("2 examples passed");
    let called =
        aa.args(["tool", "call", "my_lines_count", "-a", "file=.aa/tools/my-lines.yaml"]).run().code(0);
    assert!(called.json()["lines"].as_i64().unwrap() > 30);
    assert!(aa.path(".aa/schemas/tool.json").is_file());
    insta::assert_snapshot!(aa.args(["tool", "new", "my-lines"]).run().code(2).stdout("").err(), @"
    error: there is a tool module `my-lines` already
    hint: a module of the same name would hide it, tool by tool
    ");
    insta::assert_snapshot!(aa.args(["tool", "new", "git"]).run().code(2).stdout("").err(), @"
    error: there is a tool module `git` already
    hint: a module of the same name would hide it, tool by tool
    ");
    insta::assert_snapshot!(aa.args(["tool", "new", "1st"]).run().code(2).stdout("").err(), @"
    error: `1st` cannot be the name of a tool module
    hint: a letter, then letters, digits, `-` and `_`
    ");
    aa.args(["tool", "new", "theirs", "--user"]).run().code(0);
    assert!(aa.home().join("config/aa-workflow/tools/theirs.yaml").is_file());
}

#[test]
fn a_new_module_over_http_works_at_once() {
    let aa = Aa::new();
    let asked = |place: &str| aa.args(["tool", "new", "shop", "--http", place]).run();
    asked("shop.example.org").code(2).stderr_contains("is no address of an HTTP API");
    asked("https://shop.example.org/api/").code(0).stdout(".aa/tools/shop.yaml\n");
    aa.args(["tool", "check", "shop"]).run().code(0).stderr_contains("no problems");
    aa.args(["tool", "test", "shop"]).run().code(0).stderr_contains("2 examples passed");
    let server = Server::new(|asked| match asked.raw_path() {
        "/api/users/7" => Reply::json(200, &json!({"id": 7, "bearer": asked.bearer() == Some("t-12345")})),
        _ => Reply::json(404, &json!({"message": "no such user"})),
    });
    let call = |path: &str| {
        let words = ["tool", "call", "shop_get", "-a", path];
        aa.args(words).env("SHOP_URL", format!("{}/api", server.url)).env("SHOP_TOKEN", "t-12345").run()
    };
    assert_eq!(call("path=users/7").code(0).json(), json!({"id": 7, "bearer": true}));
    call("path=users/8").code(1).stderr_contains("failed (not_found)");
}

#[test]
fn a_new_module_over_an_mcp_server_can_be_trusted_and_called() {
    let server = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/mcp/server.py");
    let aa = Aa::new();
    let written =
        aa.args(["tool", "new", "my-shop", "--mcp", "--command", "python3", server, "--era", "newer"]);
    let written = written.run().code(0).stdout(".aa/tools/my-shop.yaml\n");
    written.stderr_contains("aa tool check my-shop").stderr_contains("aa tool trust my-shop");
    aa.args(["tool", "check", "my-shop"]).run().code(0).stderr_contains("1 tool module checked, no problems");
    aa.args(["tool", "trust", "my-shop", "--yes"]).run().code(0);
    aa.args(["tool", "call", "my_shop_echo", "-a", "text=hello"]).run().code(0).stdout("hello");

    let elsewhere = |url: &str| aa.args(["tool", "new", "wiki", "--mcp", "--url", url]).run();
    elsewhere("wiki.example.org").code(2).stderr_contains("is no address of an MCP server");
    elsewhere("http://127.0.0.1:1/mcp?team=a").code(0);
    aa.args(["tool", "check", "wiki"]).run().code(0).stderr_contains("no problems");
    aa.args(["tool", "trust", "wiki", "--yes"]).run().code(1).stderr_contains("cannot be reached");

    aa.args(["tool", "new", "later", "--mcp"]).run().code(0).stderr_contains("put the command of the server");
    aa.args(["tool", "check", "later"]).run().code(0).stderr_contains("later-mcp-server");
    aa.args(["tool", "new", "no", "--command", "x"]).run().code(2).stderr_contains("--mcp");
}

#[test]
fn examples_are_replayed_and_judged() {
    let aa = Aa::new().tools("count", COUNT);
    let passed = aa.args(["tool", "test", "count_lines", "--format", "json"]).run().code(0).json();
    assert_eq!(passed.as_array().unwrap().len(), 2);
    assert!(passed.as_array().unwrap().iter().all(|one| one["passed"] == true), "{passed:#}");
    // Another command, another result, another failure.
    let wrong = COUNT
        .replace("run: [wc, -l, --, \"{{ file }}\"]", "run: [wc, --lines, --, \"{{ file }}\"]")
        .replacen("expect: {lines: 3}", "expect: {lines: 4}", 1);
    let aa = aa.tools("count", &wrong);
    insta::assert_snapshot!(aa.args(["tool", "test", "count"]).run().code(1).stdout("").err(), @"
    ✗ count_lines: Three lines
        run .aa/tools/count.yaml:15
            wc
          - -l
          + --lines
            --
            notes.txt
    ✗ count_lines: A file that is not there
        run .aa/tools/count.yaml:19
            wc
          - -l
          + --lines
            --
            nothing.txt

    2 of 2 examples failed in [time] (- expected, + found)
    ");
    let wrong = COUNT
        .replace("expect: {lines: 3}", "expect: {lines: 4}")
        .replace("kind: not_found, m", "kind: auth, m");
    let aa = aa.tools("count", &wrong);
    insta::assert_snapshot!(aa.args(["tool", "test", "count"]).run().code(1).stdout("").err(), @"
    ✗ count_lines: Three lines
        result.lines .aa/tools/count.yaml:17
          - 4
          + 3
    ✗ count_lines: A file that is not there
        fails.kind .aa/tools/count.yaml:21
          - auth
          + not_found (`wc` ended with exit code 1: wc: nothing.txt: No such file or directory)

    2 of 2 examples failed in [time] (- expected, + found)
    ");
    // Nor does what fails before anything that was recorded.
    let early = COUNT
        .replace("--, \"{{ file }}\"]", "--, \"{{ file }}\", \"{{ [none] }}\"]")
        .replace("fails: {kind: not_found, message: No such file}", "fails: {kind: invalid}");
    let aa = aa.tools("count", &early);
    let tried = aa.args(["tool", "test", "count"]).run().code(1);
    tried
        .stderr_contains("2 of 2 examples failed")
        .stderr_contains("0 of 1 that were recorded did take place");
    // What fails because it is not what was recorded does not count as failing as recorded.
    let wrong = COUNT
        .replace("run: [wc, -l, --, nothing.txt]", "run: [wc, -l, --, other.txt]")
        .replace("fails: {kind: not_found, message: No such file}", "fails: {kind: permanent}");
    let aa = aa.tools("count", &wrong);
    aa.args(["tool", "test", "count"]).run().code(1).stderr_contains("1 of 2 examples failed");
}

#[test]
fn examples_that_only_read_can_be_tried_for_real() {
    let aa = Aa::new().tools("count", COUNT).file("notes.txt", "a\nb\n");
    // Today it has two lines, and that is no mistake of the tool.
    let tried = aa.args(["tool", "test", "count", "--live"]).run().code(0);
    tried.stderr_contains("1 example passed").stderr_contains("1 not tried");
    let none = COUNT.replace("effect: read", "effect: write");
    let aa = aa.tools("count", &none);
    aa.args(["tool", "test", "count", "--live"]).run().code(4).stderr_contains("there is no example to try");
    insta::assert_snapshot!(aa.args(["tool", "test", "cuont"]).run().code(4).stdout("").err(), @"
    error: there is no tool or tool module `cuont` in a file
    hint: did you mean `count`?
    hint: `aa tool list` shows every tool
    ");
    let broken = COUNT.replace("effect: read", "effect: reads");
    let aa = aa.tools("count", &broken);
    aa.args(["tool", "test", "count_lines"]).run().code(3).stderr_contains("error[bad-value]");
}

#[test]
fn a_value_in_the_script_of_a_shell_is_refused() {
    let text = "module: odd\ndescription: Splices\nrequires: {commands: [sh]}\ntools:\n  - name: odd_say\n    description: Says it\n    effect: read\n    input: {a: {type: string, description: What}}\n    output: {type: string}\n    run: [sh, -c, 'echo {{ a }}']\n";
    let aa = Aa::new().tools("odd", text);
    aa.args(["tool", "check", "odd"]).run().code(3).stderr_contains("error[spliced-shell]");
    aa.args(["tool", "call", "odd_say", "-a", "a=x"]).run().code(4).stderr_contains("error[spliced-shell]");
}

#[test]
#[expect(clippy::too_many_lines, reason = "most of it is what is printed")]
fn a_module_is_checked_like_a_skill() {
    let text = r#"
module: odd
description: Many mistakes
tools:
  - name: count_lines
    description: Also counts lines
    effect: write
    input: {file: {type: string}}
    run: [nowhere, "{{ file }}"]
    reconcile: {tool: git_logg, args: {}, when: result}
  - name: odd_two
    description: Asks what it should not
    effect: write
    output: {type: string}
    run: [wc]
    reconcile: {tool: git_commit, args: {massage: x}, when: result}
    examples: [{args: {}}]
aliases: {count-words: odd_two}
"#;
    let aa = Aa::new()
        .tools("count", &format!("{COUNT}aliases: {{count_words: count_lines}}\n"))
        .tools("odd", text);
    insta::assert_snapshot!(aa.args(["tool", "check", "odd"]).run().code(3).stdout("").err(), @r#"
    warning[missing-output]: nobody can tell what `count_lines` gives
       ╭─[.aa/tools/odd.yaml:5:11]
     4 │ tools:
     5 │   - name: count_lines
       ·           ───────────
     6 │     description: Also counts lines
       ╰────
    hint: add `output:`, so that skills which use it are checked

    warning[missing-example]: there is no example of `count_lines`
       ╭─[.aa/tools/odd.yaml:5:11]
     4 │ tools:
     5 │   - name: count_lines
       ·           ───────────
     6 │     description: Also counts lines
       ╰────
    hint: `aa tool test` tries examples

    error[duplicate-tool]: `count_lines` is a tool of the module `count`, too
       ╭─[.aa/tools/odd.yaml:5:11]
     4 │ tools:
     5 │   - name: count_lines
       ·           ───────────
     6 │     description: Also counts lines
       ╰────
    hint: see `.aa/tools/count.yaml`; give one of them another name

    warning[missing-description]: nobody is told what the argument `file` is
       ╭─[.aa/tools/odd.yaml:8:13]
     7 │     effect: write
     8 │     input: {file: {type: string}}
       ·             ────
     9 │     run: [nowhere, "{{ file }}"]
       ╰────
    hint: add a `description`

    warning[undeclared-command]: `requires` does not say that `nowhere` must be there
        ╭─[.aa/tools/odd.yaml:9:11]
      8 │     input: {file: {type: string}}
      9 │     run: [nowhere, "{{ file }}"]
        ·           ───────
     10 │     reconcile: {tool: git_logg, args: {}, when: result}
        ╰────
    hint: add `requires: {commands: [nowhere]}`

    error[unknown-tool]: there is no tool `git_logg`, which `reconcile` asks
        ╭─[.aa/tools/odd.yaml:10:16]
      9 │     run: [nowhere, "{{ file }}"]
     10 │     reconcile: {tool: git_logg, args: {}, when: result}
        ·                ────────────────────────────────────────
     11 │   - name: odd_two
        ╰────
    hint: did you mean `git_log`?

    warning[undeclared-command]: `requires` does not say that `wc` must be there
        ╭─[.aa/tools/odd.yaml:15:11]
     14 │     output: {type: string}
     15 │     run: [wc]
        ·           ──
     16 │     reconcile: {tool: git_commit, args: {massage: x}, when: result}
        ╰────
    hint: add `requires: {commands: [wc]}`

    error[bad-value]: `git_commit` is no tool that only reads; asking it would change something
        ╭─[.aa/tools/odd.yaml:16:16]
     15 │     run: [wc]
     16 │     reconcile: {tool: git_commit, args: {massage: x}, when: result}
        ·                ────────────────────────────────────────────────────
     17 │     examples: [{args: {}}]
        ╰────
    hint: `reconcile` takes a tool of `effect: read`

    error[unknown-argument]: tool `git_commit` has no argument `massage`
        ╭─[.aa/tools/odd.yaml:16:16]
     15 │     run: [wc]
     16 │     reconcile: {tool: git_commit, args: {massage: x}, when: result}
        ·                ────────────────────────────────────────────────────
     17 │     examples: [{args: {}}]
        ╰────
    hint: did you mean `message`?

    error[missing-argument]: tool `git_commit`, which `odd_two` asks, needs the argument `message`
        ╭─[.aa/tools/odd.yaml:16:16]
     15 │     run: [wc]
     16 │     reconcile: {tool: git_commit, args: {massage: x}, when: result}
        ·                ────────────────────────────────────────────────────
     17 │     examples: [{args: {}}]
        ╰────

    error[duplicate-tool]: `count-words` is a tool of the module `count`, too
        ╭─[.aa/tools/odd.yaml:18:24]
     17 │     examples: [{args: {}}]
     18 │ aliases: {count-words: odd_two}
        ·                        ───────
        ╰────
    hint: see `.aa/tools/count.yaml`; give one of them another name

    error: 6 errors, 5 warnings in .aa/tools/odd.yaml
    "#);
    let listed = aa.args(["tool", "check", "./.aa/tools/odd.yaml", "--format", "json"]).run().code(3).json();
    assert!(listed.as_array().unwrap().iter().any(|one| one["code"] == "undeclared-command"), "{listed:#}");
    aa.args(["tool", "check", "file"]).run().code(2).stderr_contains("is built in");
    aa.args(["tool", "check", "cuont"]).run().code(4).stderr_contains("did you mean `count`?");
}

#[test]
fn arguments_have_other_names_with_a_warning() {
    let aa = Aa::new().tools("count", COUNT).file("notes.txt", "a\nb\n").skill(
        "use",
        r#"
name: use
description: Calls it wrongly
steps:
  - {name: one, tool: count_lines, args: {path: notes.txt}}
  - name: two
    compute: |
      wanted = {"name": "notes.txt"}
      result = call_tool("count_lines", path="notes.txt").lines + call_tool("count_lines", **wanted).lines
outputs:
  - {name: sum, value: "{{ one.lines + two }}"}
"#,
    );
    insta::assert_snapshot!(aa.args(["skill", "check", "use"]).run().code(0).stdout("").err(), @r#"
    warning[aliased-argument]: argument `path` of tool `count_lines` is called `file`
       ╭─[.aa/skills/use.yaml:5:43]
     4 │ steps:
     5 │   - {name: one, tool: count_lines, args: {path: notes.txt}}
       ·                                           ────
     6 │   - name: two
       ╰────
    hint: write `file`

    warning[aliased-argument]: argument `path` of tool `count_lines` is called `file`
        ╭─[.aa/skills/use.yaml:9:41]
      8 │       wanted = {"name": "notes.txt"}
      9 │       result = call_tool("count_lines", path="notes.txt").lines + call_tool("count_lines", **wanted).lines
        ·                                         ────
     10 │ outputs:
        ╰────
    hint: write `file`

    warning: 2 warnings in .aa/skills/use.yaml
    "#);
    aa.args(["skill", "run", "use", "--format", "quiet"]).run().code(0).stdout_contains("6");
    let called = aa.args(["tool", "call", "count_lines", "-a", "path=notes.txt"]).run().code(0);
    called
        .stderr_contains("the argument `path` of `count_lines` is called `file`")
        .stdout_contains("\"lines\": 2");
    let twice = aa.args(["tool", "call", "count_lines", "-a", "path=a", "-a", "file=b"]).run().code(1);
    twice.stderr_contains("`path` is `file`, which is given, too");
    aa.args(["tool", "show", "count_lines"]).run().code(0).stdout_contains("wrongly `path`");
}

#[test]
fn a_module_with_errors_does_not_listen_and_they_are_shown() {
    let bad = include_str!("fixtures/tools/bad/listener-effect.yaml");
    let aa = Aa::new().tools("chat", bad);
    let said = aa.args(["listen", "chat", "--once"]).run().code(3).err();
    assert!(
        said.contains("listener-effect") && said.contains("`chat_messages` has effect `write`"),
        "{said}"
    );
    aa.args(["tool", "check", "chat"]).run().code(3).stderr_contains("listener-effect");
}
