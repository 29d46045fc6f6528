//! Every help page, completions, and what is said when arguments make no sense.

use crate::support::Aa;

/// Every command, in the order of the tree.
const COMMANDS: [&str; 87] = [
    "",
    "skill",
    "skill run",
    "skill list",
    "skill show",
    "skill check",
    "skill fix",
    "skill plan",
    "skill graph",
    "skill new",
    "skill export",
    "run",
    "run list",
    "run show",
    "run watch",
    "run resume",
    "run cancel",
    "run answer",
    "run resolve",
    "run undo",
    "run explain",
    "run diff",
    "tool",
    "tool list",
    "tool show",
    "tool call",
    "tool debug",
    "tool fix",
    "heal",
    "heal list",
    "heal show",
    "heal test",
    "heal accept",
    "heal stats",
    "heal reset",
    "memory",
    "memory get",
    "memory set",
    "memory list",
    "memory search",
    "memory import",
    "memory export",
    "memory stats",
    "memory patterns",
    "persona",
    "persona list",
    "persona show",
    "persona check",
    "schedule",
    "schedule list",
    "schedule show",
    "schedule next",
    "schedule run",
    "schedule pause",
    "schedule resume",
    "schedule why",
    "schedule backfill",
    "schedule notices",
    "listen",
    "mcp",
    "mcp config",
    "serve",
    "daemon",
    "daemon start",
    "daemon stop",
    "daemon restart",
    "daemon status",
    "daemon logs",
    "daemon install",
    "daemon run",
    "audit",
    "audit list",
    "audit verify",
    "store",
    "store backup",
    "store restore",
    "config",
    "config check",
    "config show",
    "config key",
    "config service",
    "config service list",
    "config service enable",
    "config service disable",
    "doctor",
    "completions",
    "schema",
];

#[test]
fn every_page_fits_one_screen_and_says_what_it_said() {
    let aa = Aa::new();
    for command in COMMANDS {
        let words: Vec<&str> = command.split_whitespace().chain(["--help"]).collect();
        let page = aa.args(&words).run().code(0).stderr("").out();
        let lines = page.lines().count();
        assert!(lines <= 40, "`aa {command} --help` has {lines} lines");
        let columns = page.lines().map(|line| line.chars().count()).max().unwrap_or(0);
        assert!(columns <= 100, "`aa {command} --help` is {columns} columns wide");
        insta::assert_snapshot!(format!("aa {command}").trim().replace(' ', "-"), page);
    }
}

#[test]
fn the_pages_name_every_command() {
    let aa = Aa::new();
    for command in COMMANDS.iter().skip(1) {
        let (parent, name) = command.rsplit_once(' ').unwrap_or(("", command));
        let words: Vec<&str> = parent.split_whitespace().chain(["--help"]).collect();
        aa.args(words).run().stdout_contains(&format!("\n  {name} "));
    }
}

#[test]
fn every_shell_gets_completions_of_every_command() {
    let aa = Aa::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = aa.args(["completions", shell]).run().code(0).stderr("").out();
        for word in COMMANDS.iter().flat_map(|command| command.split(' ')).chain(["--format", "--dry-run"]) {
            // A shell of its own writes `-l format` for `--format`.
            let word = word.trim_start_matches('-');
            assert!(script.contains(word), "the script for {shell} lacks `{word}`");
        }
    }
    let wrong = aa.args(["completions", "tcsh"]).run().code(2).stdout("");
    insta::assert_snapshot!(wrong.err(), @"
    error: `SHELL` cannot be `tcsh`; it is one of `bash`, `elvish`, `fish`, `powershell` and `zsh`
    hint: did you mean `zsh`?
    hint: `aa completions --help` shows how it is used
    ");
}

#[test]
fn bash_completes_with_the_script() {
    let aa = Aa::new();
    let script = aa.args(["completions", "bash"]).run().code(0).out();
    let aa = aa.file("aa.bash", script);
    let complete = |line: &str| {
        let ask = format!(
            "bash -c 'source ./aa.bash; COMP_WORDS=({line}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
             _aa aa \"${{COMP_WORDS[COMP_CWORD]}}\" \"${{COMP_WORDS[COMP_CWORD - 1]}}\"
             printf \"%s \" \"${{COMPREPLY[@]}}\"'"
        );
        aa.script(&ask).run().code(0).out()
    };
    assert_eq!(complete("aa sk"), "skill ");
    assert_eq!(complete("aa skill p"), "plan ");
    assert_eq!(complete("aa skill run x --dry"), "--dry-run ");
}

#[test]
fn alone_it_shows_the_short_help_and_is_no_success() {
    let ran = Aa::new().args([""; 0]).run().code(2).stdout("").stderr_contains("Usage: aa");
    assert!(ran.err().contains("Commands:"));
    Aa::new().args(["skill"]).run().code(2).stdout("").stderr_contains("Usage: aa skill");
}

#[test]
fn the_word_help_helps_too() {
    let aa = Aa::new();
    let asked = aa.args(["help", "skill", "run"]).run().code(0).stderr("");
    asked.stdout_contains("Usage: aa skill run").stdout_contains("--dry-run");
}

#[test]
fn the_version_is_plain() {
    Aa::new().args(["--version"]).run().code(0).stdout(concat!("aa ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn wrong_arguments_get_our_words() {
    let aa = Aa::new();
    let say = |words: &str| aa.args(words.split(' ')).run().code(2).stdout("").err();
    insta::assert_snapshot!(say("skil run x"), @"
    error: there is no command `skil`
    hint: did you mean `skill`?
    hint: `aa --help` shows how it is used
    ");
    insta::assert_snapshot!(say("skill rnu skill"), @"
    error: there is no command `rnu`
    hint: did you mean `run`?
    hint: `aa skill --help` shows how it is used
    ");
    insta::assert_snapshot!(say("skill run x --dryrun"), @"
    error: unexpected argument `--dryrun`
    hint: did you mean `--dry-run`?
    hint: `aa skill run --help` shows how it is used
    ");
    insta::assert_snapshot!(say("skill run"), @"
    error: missing `SKILL`
    hint: `aa skill run --help` shows how it is used
    ");
    insta::assert_snapshot!(say("skill run x --input mr"), @"
    error: `--input` cannot be `mr`: write it as `name=value`
    hint: `aa skill run --help` shows how it is used
    ");
    insta::assert_snapshot!(say("skill run x --format jsn"), @"
    error: `--format` cannot be `jsn`; it is one of `human`, `json` and `quiet`
    hint: did you mean `json`?
    hint: `aa skill run --help` shows how it is used
    ");
    insta::assert_snapshot!(say("skill run x --plan"), @"
    error: `--plan` needs a value
    hint: `aa skill run --help` shows how it is used
    ");
    insta::assert_snapshot!(say("run show twelve"), @"
    error: `RUN` cannot be `twelve`: a run is a number from 1
    hint: `aa run show --help` shows how it is used
    ");
    insta::assert_snapshot!(say("run resume 3 --all"), @"
    error: `RUN` does not go with `--all`
    hint: `aa run resume --help` shows how it is used
    ");
    insta::assert_snapshot!(say("run resolve 3 deploy"), @"
    error: missing `--done`, `--retry` or `--fail`
    hint: `aa run resolve --help` shows how it is used
    ");
    insta::assert_snapshot!(say("run resolve 3 deploy --retry --fail"), @"
    error: `--retry` does not go with `--fail`
    hint: `aa run resolve --help` shows how it is used
    ");
    insta::assert_snapshot!(say("run list --limit many"), @"
    error: `--limit` cannot be `many`: write a number from 1
    hint: `aa run list --help` shows how it is used
    ");
    insta::assert_snapshot!(say("skill run x extra"), @"
    error: unexpected argument `extra`
    hint: `aa skill run --help` shows how it is used
    ");
}
