//! stdout is data, stderr is talk, and neither breaks when nobody reads.

use std::process::Stdio;

use crate::support::Aa;

const LOOK: &str = "name: look\ndescription: Looks\nsteps: [{name: it, tool: trace_look}]\n";

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let aa = Aa::traced().skill("look", LOOK);
    let mut child = aa
        .args(["skill", "run", "look", "--format", "json"])
        .command()
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let ended = child.wait_with_output().unwrap();
    assert_eq!((ended.status.code(), String::from_utf8_lossy(&ended.stderr).as_ref()), (Some(0), ""));
}

#[test]
fn a_full_disk_behind_stdout_is_a_failure() {
    let aa = Aa::traced().skill("look", LOOK);
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let ended = aa.args(["skill", "list"]).command().stdout(full).output().unwrap();
    assert_eq!(ended.status.code(), Some(1));
    insta::assert_snapshot!(String::from_utf8_lossy(&ended.stderr), @"error: cannot write to standard output: no space left on device");
}

#[test]
fn colour_comes_only_when_it_is_wanted() {
    let aa = Aa::traced().skill("look", LOOK);
    let plain = aa.args(["skill", "list"]).run().code(0).out();
    assert!(!plain.contains('\u{1b}'));
    let colored = aa.args(["skill", "list", "--color", "always"]).run().code(0).out();
    assert!(colored.contains('\u{1b}'));
    let forced = aa.args(["skill", "list", "--color", "always"]).env("NO_COLOR", "1").run().code(0).out();
    assert!(forced.contains('\u{1b}'), "a flag is nearer than the environment");
}

#[test]
fn ascii_is_used_when_the_terminal_reads_nothing_else() {
    let aa = Aa::traced().skill("look", LOOK);
    let ran = aa.args(["skill", "run", "look"]).env("LANG", "C").run().code(0);
    assert!(ran.err().is_ascii(), "{ran}");
}

#[test]
fn documents_are_json_when_asked_for() {
    let aa = Aa::traced().skill("look", LOOK);
    aa.args(["skill", "run", "look", "-q"]).run().code(0);
    for words in [
        "skill list",
        "skill show look",
        "skill check look",
        "skill plan look",
        "run list",
        "run diff 1 1",
        "tool list",
        "tool show trace_look",
        "config check",
        "config show",
        "doctor",
    ] {
        let args: Vec<&str> = words.split(' ').chain(["--format", "json"]).collect();
        let ran = aa.args(args).run();
        assert!(ran.json().is_array() || ran.json().is_object(), "aa {words}");
    }
}
