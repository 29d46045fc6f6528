//! `aa skill export`: slash commands and `SKILL.md` folders of AI clients.

use std::collections::BTreeMap;

use crate::support::{Aa, Ran};

const GREET: &str = "\
name: greet_them
description: Greets \"somebody\"
inputs: [{name: who, type: string, required: true, description: Whom}, {name: tone, type: string, default: warm}]
steps:
  - {name: sure, confirm: {message: 'Really greet?', options: [\"yes\", \"no\"]}}
  - {name: say, tool: trace_write, args: {line: '{{ inputs.tone }} hello {{ inputs.who }}'}}
outputs: [{name: said, value: '{{ say }}'}]
";

fn project() -> Aa {
    Aa::traced().skill("greet_them", GREET)
}

fn export(aa: &Aa, words: &str) -> Ran {
    aa.args(["skill", "export"].into_iter().chain(words.split(' '))).run()
}

#[test]
fn each_client_has_its_files() {
    let aa = project();
    let cases = [
        ("claude", ".claude/commands/greet-them.md"),
        ("cursor", ".cursor/commands/greet-them.md"),
        ("codex", ".codex/prompts/greet-them.md"),
        ("vscode", ".github/prompts/greet-them.prompt.md"),
    ];
    for (client, path) in cases {
        export(&aa, &format!("--client {client} . greet-them")).code(0).stdout(&format!("wrote {path}\n"));
        // The same again is nothing new.
        export(&aa, &format!("--client {client} . greet-them")).code(0).stdout("");
        export(&aa, &format!("--client {client} --check . greet-them")).code(0).stdout("");
    }
    insta::assert_snapshot!("claude_command", aa.text(".claude/commands/greet-them.md"));
    insta::assert_snapshot!("vscode_command", aa.text(".github/prompts/greet-them.prompt.md"));
}

#[test]
fn every_skill_can_be_written_down_as_a_folder() {
    let aa = project();
    export(&aa, "--client claude --skills .")
        .code(0)
        .stdout_contains("wrote .claude/skills/greet-them/SKILL.md");
    insta::assert_snapshot!("skill_sheet", aa.text(".claude/skills/greet-them/SKILL.md"));
    assert_eq!(aa.text(".claude/skills/greet-them/references/greet-them.yaml"), GREET);
    // Every head is YAML, and the name is that of the folder.
    for entry in std::fs::read_dir(aa.path(".claude/skills")).unwrap().map(Result::unwrap) {
        let text = std::fs::read_to_string(entry.path().join("SKILL.md")).unwrap();
        let head = text.strip_prefix("---\n").and_then(|rest| rest.split_once("\n---\n")).unwrap().0;
        let head: BTreeMap<&str, &str> = head.lines().map(|line| line.split_once(": ").unwrap()).collect();
        assert_eq!(head["name"], entry.file_name().to_str().unwrap());
        let description: String = serde_json::from_str(head["description"]).unwrap();
        assert!((1..=1024).contains(&description.len()), "{description}");
    }
}

#[test]
fn what_somebody_has_written_is_left_alone() {
    let aa = project().file(".claude/commands/greet-them.md", "my own words\n");
    let left = "left alone, somebody else wrote it: .claude/commands/greet-them.md\n";
    export(&aa, "--client claude . greet-them").code(0).stdout(left);
    assert_eq!(aa.text(".claude/commands/greet-them.md"), "my own words\n");
    // That is as it should be, so a check has nothing against it.
    export(&aa, "--client claude --check . greet-them").code(0).stdout(left);
    let words = "How we use exports: \"Made by `aa skill export`\" means that a file is not ours.\n";
    let aa = aa.file(".claude/commands/greet-them.md", words);
    export(&aa, "--client claude . greet-them").code(0).stdout(left);
    assert_eq!(aa.text(".claude/commands/greet-them.md"), words);
}

#[test]
fn a_check_says_what_is_out_of_date() {
    let aa = project();
    export(&aa, "--client cursor --check . greet-them")
        .code(1)
        .stdout("missing: .cursor/commands/greet-them.md\n");
    assert!(!aa.path(".cursor").exists(), "a check writes nothing");
    export(&aa, "--client cursor .").code(0);
    let aa = aa.skill("greet_them", &GREET.replace("Whom", "Which person"));
    export(&aa, "--client cursor --check .").code(1).stdout("out of date: .cursor/commands/greet-them.md\n");
    export(&aa, "--client cursor .").code(0).stdout("wrote again .cursor/commands/greet-them.md\n");
    // One that has errors is not gone.
    let aa = aa.skill("greet_them", "name: greet_them\ndescription: G\nsteps: [{name: x, tool: nothing}]\n");
    export(&aa, "--client cursor --check .").code(0).stdout("");
    std::fs::remove_file(aa.path(".aa/skills/greet_them.yaml")).unwrap();
    export(&aa, "--client cursor --check .")
        .code(1)
        .stdout("left over, its skill is gone: .cursor/commands/greet-them.md\n");
    let aa = aa.skill("broken", "name: broken\ndescription: Broken\nsteps: [{name: x, tool: nothing}]\n");
    export(&aa, "--client cursor .").code(0).stderr_contains("the skill `broken` has errors");
    export(&aa, "--client cursor . nothing-like-it").code(4).stderr_contains("there is no skill");
}
