//! `aa config …` and the places that settings come from.

use crate::support::Aa;

#[test]
fn a_good_configuration_has_no_problems() {
    let aa = Aa::new().config("limits: {calls: 4}\nvalues: {team: blue}\n");
    aa.args(["config", "check"]).run().code(0).stdout("").stderr("✓ the configuration has no problems\n");
}

#[test]
fn every_mistake_in_the_configuration_is_shown() {
    let aa = Aa::new().config("limitz: {calls: 4}\nstore: {durability: sometimes}\n");
    insta::assert_snapshot!(aa.args(["config", "check"]).run().code(3).stdout("").err(), @"");
    let found = aa.args(["config", "check", "--format", "json"]).run().code(3).stderr("").json();
    assert_eq!(found.as_array().unwrap().len(), 2);
    aa.args(["skill", "list"]).run().code(3).stdout("").stderr_contains("unknown-key");
}

#[test]
fn settings_are_shown_with_who_said_so() {
    let aa = Aa::new().config("limits:\n  calls: 4\nvalues: {team: blue}\n");
    let shown = aa.args(["config", "show", "--origin"]).env("AA_STORE_DURABILITY", "normal").run().code(0);
    insta::assert_snapshot!(shown.stderr("").out(), @"");
    let json = aa.args(["config", "show", "--format", "json"]).run().code(0).json();
    assert_eq!(json["limits.calls"], 4);
}

#[test]
fn an_unknown_variable_of_ours_is_an_error() {
    let ran = Aa::new().args(["skill", "list"]).env("AA_STORE_DURABLITY", "normal").run();
    insta::assert_snapshot!(ran.err(), @"");
}

#[test]
fn secrets_are_never_shown() {
    let aa = Aa::new().config("secrets: {TOKEN: {env: MY_TOKEN}}\n");
    let shown = aa.args(["config", "show", "--origin"]).env("MY_TOKEN", "hunter2").run().code(0);
    assert!(!shown.out().contains("hunter2"));
    shown.stdout_contains("TOKEN");
}

#[test]
fn the_doctor_finds_nothing_wrong_with_a_healthy_project() {
    let aa = Aa::traced();
    let ran = aa.args(["doctor"]).run().code(0).stderr("");
    insta::assert_snapshot!(steady(&ran.out()), @"");
}

#[test]
fn the_doctor_says_what_is_broken() {
    let aa = Aa::new().tools("bad", "module: bad\ndescription: Bad\ntools: []\nodd: 1\n");
    let ran = aa.args(["doctor", "--store", "/proc/aa"]).run().code(1).stderr("");
    insta::assert_snapshot!(steady(&ran.out()), @"");
}

/// Without what differs between machines.
fn steady(text: &str) -> String {
    let filters = [
        (r"[\d.]+ [kMGT]B free", "[size] free"),
        (r"version \d\S*", "version [version]"),
        (r"\d+ (skill|module)s", "[count] ${1}s"),
    ];
    filters.iter().fold(text.to_owned(), |text, (pattern, replacement)| {
        regex::Regex::new(pattern).unwrap().replace_all(&text, *replacement).into_owned()
    })
}
