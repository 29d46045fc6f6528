//! The README does what it says: its commands run, its first skill works, its words exist.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use crate::support::Aa;

fn readme() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md")).unwrap()
}

/// The fenced blocks of a language, in the order of the text.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let start = format!("```{language}\n");
    text.split(&start).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

/// The lines of a shell block without their comments.
fn commands(block: &str) -> Vec<&str> {
    let lines = block.lines().map(|line| line.split(" #").next().unwrap().trim());
    lines.filter(|line| !line.is_empty()).collect()
}

/// A project that is a git repository with one commit.
fn repository() -> Aa {
    let aa = Aa::new().file("notes.txt", "first\n");
    for args in ["init -q", "add notes.txt", "-c user.name=Ann -c user.email=a@b.c commit -q -m Begin"] {
        let done = Command::new("git").args(args.split(' ')).current_dir(aa.path("")).status().unwrap();
        assert!(done.success(), "git {args}");
    }
    aa
}

#[test]
fn the_two_commands_are_there_and_the_first_one_runs() {
    let text = readme();
    let mut shell = blocks(&text, "sh").into_iter().flat_map(commands);
    let first = shell.next().unwrap();
    let words = first.strip_prefix("cargo run --release -- ").unwrap();
    let aa = Aa::new();
    let ran = aa.args(words.split(' ')).run().code(0);
    assert!(ran.out().contains("http://127.0.0.1:"), "{ran}");
    aa.args(["skill", "run", "release-ephemeral", "-i", "all=true"]).run();
    let second = shell.next().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(second);
    assert!(Command::new("bash").arg("-n").arg(script).status().unwrap().success(), "{second}");
}

#[test]
fn the_first_skill_checks_plans_and_runs() {
    let text = readme();
    let skill = blocks(&text, "yaml")[0];
    assert!(skill.lines().count() <= 10, "a first skill in ten lines");
    let aa = repository().skill("hello", skill);
    let block = blocks(&text, "sh").into_iter().find(|block| block.contains("aa skill check hello"));
    let commands = commands(block.unwrap());
    assert!(commands.len() >= 5);
    for command in commands {
        let words = command.strip_prefix("aa ").unwrap_or_else(|| panic!("`{command}` is not ours"));
        aa.args(words.split(' ')).run().code(0);
    }
    let checked = aa.args(["skill", "check", "hello", "--strict"]).run().code(0).err();
    assert!(checked.contains("no problems"), "{checked}");
    aa.args(["skill", "run", "hello"]).run().code(0).stdout_contains("- Begin (Ann)");
}

#[test]
fn a_tool_is_added_as_it_says() {
    let text = readme();
    let block = blocks(&text, "sh").into_iter().find(|block| block.contains("aa tool new")).unwrap();
    let aa = Aa::new().file("README.md", "two words\n");
    let run = |command: &str| aa.args(command.strip_prefix("aa ").unwrap().split(' ')).run().code(0);
    for command in commands(block) {
        run(command);
    }
    let module = blocks(&text, "yaml").into_iter().find(|block| block.starts_with("module: words")).unwrap();
    let aa = aa.tools("words", module);
    let words = |words: &str| aa.args(words.split(' ')).run().code(0);
    words("tool check words").stderr_contains("no problems");
    words("tool test words").stderr_contains("1 example passed");
    assert_eq!(words("tool call words_count --arg file=README.md").json()["words"], 2);
}

#[test]
fn its_modules_and_heal_rules_have_no_errors() {
    let text = readme();
    let whole = |block: &&str| match *block {
        rules if rules.starts_with("heal:") => Some(format!("module: rules\ndescription: Rules\n{rules}")),
        module => module.starts_with("module: ").then(|| module.to_owned()),
    };
    let modules: Vec<String> = blocks(&text, "yaml").iter().filter_map(whole).collect();
    assert!(modules.len() >= 4 && modules.iter().any(|module| module.contains("\nheal:")), "{modules:#?}");
    for module in modules {
        let name = module.lines().next().unwrap().trim_start_matches("module: ").to_owned();
        Aa::new().tools(&name, &module).args(["tool", "check", &name]).run().code(0);
    }
}

#[test]
fn every_command_and_flag_that_it_names_exists() {
    let text = readme();
    let named: BTreeSet<&str> =
        text.split('`').skip(1).step_by(2).filter(|word| word.starts_with("aa ")).collect();
    assert!(named.len() > 5, "{named:?}");
    let aa = Aa::new();
    for command in named {
        let is_name = |word: &&str| word.chars().all(|c| c.is_ascii_lowercase());
        let words: Vec<&str> = command.split(' ').skip(1).take(2).take_while(is_name).collect();
        let noun_only = ["schema", "doctor", "completions", "listen"].contains(&words[0]);
        let words = &words[..if noun_only { 1 } else { words.len() }];
        let help = aa.args(words.iter().chain(&["--help"])).run().code(0).out();
        assert!(help.contains(&format!("Usage: aa {}", words.join(" "))), "`{command}`: {help}");
        for flag in command.split(' ').filter(|word| word.starts_with("--")) {
            assert!(help.contains(flag), "`{command}` has no {flag}");
        }
    }
}

#[test]
fn it_gives_the_exit_codes_of_the_help() {
    let help = Aa::new().args(["--help"]).run().code(0).out();
    let codes = help.split("Exit codes:").nth(1).unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
    let readme = readme();
    let told = readme.split("\nExit codes:").nth(1).unwrap().lines().next().unwrap();
    for code in codes.trim_end_matches('.').split(", ") {
        assert!(told.contains(code), "`{code}` is not in: {told}");
    }
}

#[test]
fn what_new_writes_runs_as_it_is() {
    let aa = Aa::new();
    let run = |words: &str| aa.args(words.split(' ')).run().code(0);
    run("skill new hello");
    run("skill check hello --strict").stderr_contains("no problems");
    run("skill run hello").stdout_contains("Hello, world!");
    run("skill run hello -i name=Ann").stdout_contains("Hello, Ann!");
    run("tool new words");
    run("tool test words");
    run("tool test words --live");
}
