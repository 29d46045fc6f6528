//! What errors point to, and the changes that are proposed.

use aa_spec::source::Source;
use serde_json::json;

use super::*;

fn error(kind: ErrorKind, message: &str, details: Value) -> StepError {
    StepError { kind, message: message.to_owned(), details }
}

fn cause(kind: ErrorKind, message: &str, details: Value) -> Cause {
    diagnosis::all(&error(kind, message, details))[0].cause
}

#[test]
fn errors_point_to_their_causes() {
    let stderr = |text: &str| json!({ "stderr": text });
    let cases = [
        (ErrorKind::NotFound, "there is no command `oc`", json!({}), Cause::CommandNotFound),
        (
            ErrorKind::NotFound,
            "`sh` ended with exit code 127: sh: 1: oc: not found",
            json!({"exit_code": 127}),
            Cause::CommandNotFound,
        ),
        (
            ErrorKind::Invalid,
            "the arguments of `x` do not fit: `n` is not a number",
            json!({}),
            Cause::WrongArgument,
        ),
        (ErrorKind::Invalid, "failed", stderr("error: unknown flag: --outptu"), Cause::UnknownFlag),
        (ErrorKind::Invalid, "failed", stderr("ls: unrecognized option '--colour-all'"), Cause::UnknownFlag),
        (ErrorKind::Invalid, "failed", stderr("tar: invalid option -- 'Q'"), Cause::UnknownFlag),
        (
            ErrorKind::Permanent,
            "failed",
            stderr("Error: the output is not a TTY; use --force to go on"),
            Cause::AsksPerson,
        ),
        (ErrorKind::Auth, "you must log in", json!({}), Cause::Auth),
        (ErrorKind::Network, "no route to host", json!({}), Cause::Network),
        (ErrorKind::Timeout, "it did not end in time", json!({}), Cause::Timeout),
        (
            ErrorKind::Permanent,
            "cannot read what `oc` printed: it is no JSON: expected value",
            json!({}),
            Cause::OutputShape,
        ),
        (
            ErrorKind::Permanent,
            "the result of `x` is not what it declares: at `a`: null",
            json!({}),
            Cause::OutputShape,
        ),
        (
            ErrorKind::Permanent,
            "`grep` ended with exit code 1",
            json!({"exit_code": 1, "stderr": ""}),
            Cause::ExitCode,
        ),
        (ErrorKind::NotFound, "there is no pod `x`", json!({}), Cause::NotFound),
        (ErrorKind::Permanent, "it broke", json!({"exit_code": 3}), Cause::Unclear),
    ];
    for (kind, message, details, expected) in cases {
        assert_eq!(cause(kind, message, details.clone()), expected, "{message} {details}");
    }
}

#[test]
fn flags_are_read_from_what_commands_say() {
    let cases = [
        ("error: unknown flag: --outptu", "--outptu", None),
        (
            "error: unexpected argument '--nme' found\n\n  tip: a similar argument exists: '--name'",
            "--nme",
            Some("--name"),
        ),
        ("unrecognized option '--foo'\ndid you mean --fob?", "--foo", Some("--fob")),
        ("tar: invalid option -- 'Q'", "-Q", None),
        ("error: unknown option `colour'\nDid you mean --color?", "--colour", Some("--color")),
    ];
    for (said, wrong, rather) in cases {
        assert_eq!(diagnosis::flags(said), Some((wrong.to_owned(), rather.map(str::to_owned))), "{said}");
    }
    let vague = diagnosis::flags("unknown flag: --foo, because --bar is there");
    assert_eq!(vague, Some(("--foo".to_owned(), None)), "not a part of a word");
    assert_eq!(diagnosis::flags("merge request --1403 is broken"), None);
}

const MODULE: &str = "\
module: demo
description: A module
tools:
  - name: demo_list
    description: Lists
    effect: read
    run: [demo, list, --outptu=json, --all]
    result: json
    timeout: 30s
  # The next one is about something else.
  - description: Releases
    name: demo_release
    effect: write
    run: [demo, release, \"{{ name }}\"]
    input: {name: {type: string}}

aliases: {demo: demo_list}
";

fn patch(tool: &str, said: &StepError) -> Option<Patch> {
    let definition = Definition::find(&Source::new("demo.yaml", MODULE), tool).unwrap();
    patch::propose(&definition, said, &diagnosis::all(said))
}

#[test]
fn the_lines_of_a_tool_are_its_own() {
    let definition = Definition::find(&Source::new("demo.yaml", MODULE), "demo-release").unwrap();
    let lines = definition.lines();
    assert!(lines.starts_with("  - description: Releases\n    name: demo_release\n"), "{lines}");
    assert!(lines.ends_with("    input: {name: {type: string}}\n"), "{lines}");
    let first = Definition::find(&Source::new("demo.yaml", MODULE), "demo").unwrap().lines();
    assert!(first.starts_with("  - name: demo_list\n") && first.ends_with("    timeout: 30s\n"), "{first}");
}

#[test]
fn a_patch_changes_what_the_failure_points_to() {
    let said = |text: &str| error(ErrorKind::Invalid, "it failed", json!({ "stderr": text }));
    let renamed = patch("demo_list", &said("unknown flag: --outptu; did you mean --output?")).unwrap();
    assert_eq!(
        renamed.diff,
        "--- demo.yaml\n+++ demo.yaml\n@@ -4,7 +4,7 @@\n   - name: demo_list\n     description: Lists\n     effect: read\n\
         -    run: [demo, list, --outptu=json, --all]\n+    run: [demo, list, --output=json, --all]\n     result: json\n     timeout: 30s\n   # The next one is about something else.\n"
    );
    let unasked = patch("demo_release", &said("Error: not a TTY, use --yes")).unwrap();
    assert!(
        unasked.diff.contains("+    run: [demo, release, \"{{ name }}\", \"--yes\"]"),
        "{}",
        unasked.diff
    );
    for more in ["not a terminal; git reset --hard first", "not a TTY, use --force", "not a TTY because --x"]
    {
        assert_eq!(patch("demo_release", &said(more)), None, "{more}");
    }
    let text = error(ErrorKind::Permanent, "cannot read what `demo` printed: it is no JSON: x", json!({}));
    assert!(patch("demo_list", &text).unwrap().diff.contains("-    result: json\n+    result: text"));
    let commented = Source::new("demo.yaml", MODULE.replace("result: json\n", "result: json # of a list\n"));
    let commented = Definition::find(&commented, "demo_list").unwrap();
    let proposed = patch::propose(&commented, &text, &diagnosis::all(&text)).unwrap();
    assert!(proposed.diff.contains("+    result: text # of a list"), "{}", proposed.diff);
    let late = error(ErrorKind::Timeout, "it did not end in time", json!({}));
    assert!(patch("demo_list", &late).unwrap().diff.contains("+    timeout: 60s"));
    let code = error(ErrorKind::Permanent, "`demo` ended with exit code 1", json!({"exit_code": 1}));
    assert!(patch("demo_release", &code).unwrap().diff.contains("+    exit: {ok: [0, 1]}"));
    assert_eq!(
        patch("demo_list", &said("unknown flag: --outptu")),
        None,
        "nobody says what it is called now"
    );
}

#[test]
fn the_difference_of_two_texts_is_drawn() {
    assert_eq!(unified("x", "a\nb\n", "a\nb\n"), "");
    assert_eq!(unified("x", "a\n", "a\nb\n"), "--- x\n+++ x\n@@ -1 +1,2 @@\n a\n+b\n");
    let (before, after) = ("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nfive\n6\n7\n8\n9\n");
    assert_eq!(
        unified("x", before, after),
        "--- x\n+++ x\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n"
    );
}
