//! `aa tool …`

use crate::support::Aa;

#[test]
fn tools_of_a_module_are_listed() {
    let aa = Aa::traced();
    insta::assert_snapshot!(aa.args(["tool", "list", "--module", "trace"]).run().code(0).stderr("").out(), @"
    TOOL           MODULE  EFFECT  TIER   DESCRIPTION
    trace_daemon   trace   write   basic  Leaves a process behind in a session of its own
    trace_deaf     trace   read    basic  Does not end when asked to
    trace_fail     trace   read    basic  Fails
    trace_flaky    trace   write   basic  Fails the first time, then works
    trace_flood    trace   read    basic  Prints very much
    trace_hang     trace   read    basic  Starts a process in the background and waits for ever
    trace_look     trace   read    basic  Counts the lines of the file `trace`
    trace_unwrite  trace   write   basic  Adds a line with a minus to the file `trace`; may be repeated
    trace_write    trace   write   basic  Adds a line to the file `trace`; must not be repeated
    ");
    insta::assert_snapshot!(aa.args(["tool", "list", "--module", "trcae"]).run().code(4).stdout("").err(), @"
    error: there is no module `trcae`
    hint: did you mean `trace`?
    ");
}

#[test]
fn a_tool_is_shown() {
    let aa = Aa::traced();
    insta::assert_snapshot!(aa.args(["tool", "show", "trace-flood"]).run().code(0).stderr("").out(), @"
    trace_flood  .aa/tools/trace.yaml:66
    Prints very much
    effect read, may be repeated

    arguments
      bytes  integer, default 1000000000
    ");
    insta::assert_snapshot!(aa.args(["tool", "show", "trace_wirte"]).run().code(4).stdout("").err(), @"
    error: there is no tool `trace_wirte`
    hint: did you mean `trace_write`?
    hint: `aa tool list` shows every tool
    ");
}

#[test]
fn a_tool_is_called() {
    let aa = Aa::traced();
    aa.args(["tool", "call", "trace_write", "-a", "line=x"]).run().code(0).stdout_contains("wrote x");
    assert_eq!(aa.text("trace"), "x\n");
    aa.args(["tool", "call", "trace_flood", "-a", "bytes=3"]).run().code(0).stdout_contains("xxx");
}

#[test]
fn a_call_that_cannot_be_made_says_why() {
    let aa = Aa::traced();
    let call =
        |words: &str| aa.args(["tool", "call"].into_iter().chain(words.split(' '))).run().stdout("").err();
    insta::assert_snapshot!(call("trace_write"), @"
    error: `trace_write` failed (invalid): needs the key `line`
    hint: `aa tool show trace_write` shows its arguments
    ");
    insta::assert_snapshot!(call("shell"), @"
    error: `shell` failed (invalid): needs the key `script` or `command`
    hint: `aa tool show shell` shows its arguments
    ");
    insta::assert_snapshot!(call("trace_write -a line=x -a lien=y"), @"
    error: `trace_write` failed (invalid): has the unknown key `lien` (did you mean `line`?)
    hint: `aa tool show trace_write` shows its arguments
    ");
    insta::assert_snapshot!(call("trace_flood -a bytes=many"), @"error: argument `bytes` is not an integer: `many`");
    insta::assert_snapshot!(call("trace_write --args [1]"), @"error: `--args` is not a JSON object");
    insta::assert_snapshot!(call("trace_fail"), @r#"
    first line
    it broke
    error: `trace_fail` failed (permanent): `sh` ended with exit code 3: it broke
      exit_code: 3
      command:
      - sh
      - "-c"
      - "echo \"first line\" >&2; echo \"$1\" >&2; exit 3"
      - sh
      - it broke
    "#);
}

#[test]
fn a_module_with_errors_is_shown_and_the_others_are_listed() {
    let aa = Aa::traced().tools("bad", "module: bad\ndescription: Bad\ntools: []\nodd: 1\n");
    let ran = aa.args(["tool", "list"]).run().code(3).stdout_contains("trace_write");
    ran.stderr_contains("error[unknown-key]: ").stderr_contains("error: 1 error in .aa/tools/bad.yaml");
}

#[test]
fn of_the_users_own_git_configuration_only_who_commits_are_by_is_read() {
    let aa = Aa::new();
    let own = "[user]\n\temail = ann@example.org\n[http]\n\textraheader = hush\n";
    std::fs::write(aa.home().join(".gitconfig"), own).unwrap();
    let call = |tool: &str, args: &str| aa.args(["tool", "call", tool, "--args", args]).run().code(0);
    call("git_init", r#"{"path": "."}"#);
    let said = |key: &str| call("git_config_get", &format!(r#"{{"key": "{key}"}}"#)).out();
    assert!(said("user.email").contains("ann@example.org"));
    assert!(!said("http.extraheader").contains("hush"));
    assert!(said("core.bare").contains("false"));
}

#[test]
fn what_prints_without_end_is_stopped_in_its_time_and_not_kept() {
    let aa = Aa::new();
    let begun = std::time::Instant::now();
    let args = ["tool", "call", "shell", "--arg", "script=yes x >&2", "--arg", "timeout=1s"];
    let ran = aa.args(args).run().code(1);
    assert!(begun.elapsed() < std::time::Duration::from_secs(20), "{:?}", begun.elapsed());
    let said = ran.err();
    assert!(said.contains(" lines not shown]"), "{}", &said[said.len().saturating_sub(400)..]);
    assert!(said.contains("failed (timeout)"), "{}", &said[said.len().saturating_sub(400)..]);
}

#[test]
fn an_argument_that_is_given_twice_is_refused() {
    let aa = Aa::traced();
    let args = ["tool", "call", "trace_write", "--arg", "line=one", "--arg", "line=two"];
    insta::assert_snapshot!(aa.args(args).run().code(2).stdout("").err(), @r#"
    error: argument `line` is given twice: `one` and `two`
    hint: write a list as JSON, e.g. `--arg names='["one", "two"]'`
    "#);
    assert_eq!(aa.text("trace"), "");
    let aa = Aa::new().skill("one", "name: one\ndescription: x\ninputs: [{name: a, type: string}]\nsteps: [{name: s, tool: echo, args: {text: \"{{ inputs.a }}\"}}]\n");
    let ran = aa.args(["skill", "run", "one", "-i", "a=one", "-i", "a=two"]).run().code(2);
    ran.stderr_contains("input `a` is given twice: `one` and `two`");
}

#[test]
fn integers_of_any_size_come_through() {
    let aa = Aa::new();
    let script = "script=echo '{\"id\": 12345678901234567890123, \"n\": 18446744073709551615}'";
    let ran = aa.args(["tool", "call", "shell", "--arg", script, "--arg", "result=json"]).run().code(0);
    assert_eq!(
        ran.json(),
        serde_json::json!({"id": "12345678901234567890123", "n": 18_446_744_073_709_551_615_u64})
    );
}

#[test]
fn an_argument_of_another_kind_is_told_by_its_place() {
    let args = ["tool", "call", "shell", "--args", r#"{"script": "true", "vars": {"x": null}}"#];
    insta::assert_snapshot!(Aa::new().args(args).run().code(1).stdout("").err(), @"
    error: `shell` failed (invalid): `vars.x` must be `true` or `false` or a number or text, but it is null
    hint: `aa tool show shell` shows its arguments
    ");
}
