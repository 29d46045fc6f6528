//! Everything that people, files, disks and tools get wrong, and what is said about it.

use std::fs::{self, File};
use std::os::unix::fs::symlink;

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
fn an_unknown_skill_gets_a_suggestion() {
    insta::assert_snapshot!(run(&typed(), "tpyed").code(4).err(), @"");
    insta::assert_snapshot!(run(&typed(), "./typed.yaml").code(4).err(), @"");
}

#[test]
fn inputs_that_do_not_fit_are_all_named() {
    insta::assert_snapshot!(run(&typed(), "typed").code(2).err(), @"");
    insta::assert_snapshot!(
        run(&typed(), "typed -i mr=twelve -i environment=prod -i dry=perhaps -i tags=a,b -i enviroment=x").code(2).err(),
        @""
    );
    insta::assert_snapshot!(run(&typed(), "typed -i mr=0").code(2).err(), @"");
    insta::assert_snapshot!(run(&typed(), "typed -i mr=1 -i mr=2").code(2).err(), @"");
}

#[test]
fn a_file_of_inputs_that_is_none_is_refused() {
    let aa =
        typed().file("list.json", "[1]").file("broken.json", "{\"mr\": ").file("broken.yaml", "mr: [1\n");
    insta::assert_snapshot!(run(&aa, "typed --inputs-file gone.json").code(4).err(), @"");
    insta::assert_snapshot!(run(&aa, "typed --inputs-file list.json").code(2).err(), @"");
    insta::assert_snapshot!(run(&aa, "typed --inputs-file broken.json").code(2).err(), @"");
    insta::assert_snapshot!(run(&aa, "typed --inputs-file broken.yaml").code(2).err(), @"");
}

#[test]
fn a_skill_with_errors_does_not_start() {
    let skill =
        "name: bad\ndescription: Has a mistake\nsteps:\n  - {name: it, tool: trace_wirte, args: {line: x}}\n";
    let aa = Aa::traced().skill("bad", skill);
    insta::assert_snapshot!(run(&aa, "bad").code(3).err(), @"");
    aa.args(["run", "list"]).run().code(0).stderr("no runs\n");
}

#[test]
fn a_huge_file_is_not_read() {
    let aa = Aa::new();
    let huge = File::create(aa.path("huge.yaml")).unwrap();
    huge.set_len(100 << 20).unwrap();
    insta::assert_snapshot!(run(&aa, "huge.yaml").err(), @"");
}

#[test]
fn a_yaml_bomb_does_not_go_off() {
    let aa = Aa::new().skill("yaml-budget", include_str!("fixtures/skills/bad/yaml-budget.yaml"));
    insta::assert_snapshot!(run(&aa, "yaml-budget").code(3).err(), @"");
}

#[test]
fn what_is_not_text_is_no_skill() {
    let aa = Aa::new().file(".aa/skills/odd.yaml", b"name: odd\ndescription: \xff\xfe\nsteps: []\n");
    insta::assert_snapshot!(run(&aa, "odd").err(), @"");
}

#[test]
fn a_folder_that_cannot_be_read_is_named() {
    let aa = Aa::new();
    fs::remove_dir(aa.path(".aa/skills")).unwrap();
    symlink("skills", aa.path(".aa/skills")).unwrap();
    insta::assert_snapshot!(aa.args(["skill", "list"]).run().err(), @"");
    insta::assert_snapshot!(run(&aa, "any").err(), @"");
}

#[test]
fn a_folder_that_is_gone_is_named() {
    let aa = typed();
    let script = format!("mkdir gone; cd gone; rmdir ../gone; exec {} skill list", env!("CARGO_BIN_EXE_aa"));
    let gone = aa.script(&script).run().stdout("").code(4);
    insta::assert_snapshot!(gone.err(), @"");
    let nowhere = aa.args(["skill", "list", "-C", "nowhere"]).run().stdout("").code(4);
    insta::assert_snapshot!(nowhere.err(), @"");
}

#[test]
fn a_store_that_cannot_be_written_stops_the_run_before_it_starts() {
    let ran = run(&typed(), "typed -i mr=1 --store /proc/aa").code(1);
    insta::assert_snapshot!(ran.err(), @"");
}

#[test]
fn a_full_disk_stops_the_run_and_says_so() {
    let skill = r#"
name: fill
description: Writes more than there is room for
steps: [{name: it, tool: trace_flood, args: {bytes: 900000}}, {name: look, tool: trace_look}]
"#;
    let aa = Aa::traced().skill("fill", skill);
    // A limit on the size of files stands for a disk without room; 1024 bytes each.
    let script = format!("trap '' XFSZ; ulimit -f 512; exec {} skill run fill", env!("CARGO_BIN_EXE_aa"));
    let ran = aa.script(&script).run().stdout("").code(1);
    insta::assert_snapshot!(ran.err(), @"");
}

#[test]
fn a_tool_that_prints_a_gigabyte_is_stopped() {
    let ran = run(&one("trace_flood", ""), "one").code(1);
    insta::assert_snapshot!(ran.err(), @"");
}

#[test]
fn a_tool_that_does_not_end_is_killed_at_its_deadline() {
    let aa = one("trace_deaf", ", timeout: 1s");
    let ran = run(&aa, "one").code(1);
    insta::assert_snapshot!(ran.err(), @"");
    let pid = aa.text("deaf.pid").trim().parse().ok().and_then(Pid::from_raw).unwrap();
    eventually("it ends", || test_kill_process(pid).is_err());
}

#[test]
fn what_a_tool_leaves_behind_ends_with_it() {
    let aa = one("trace_daemon", "");
    let ran = aa.args(["skill", "run", "one"]).run();
    insta::assert_snapshot!(ran.err(), @"");
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
    insta::assert_snapshot!(run(&aa, "one").code(1).err(), @"");
}

#[test]
fn a_module_with_errors_is_named_by_the_skills_that_need_it() {
    let aa = Aa::new()
        .tools("bad", "module: bad\ndescription: Has a mistake\ntools:\n  - {name: bad_call, run: [true]}\n")
        .skill("one", "name: one\ndescription: Calls it\nsteps: [{name: it, tool: bad_call}]\n");
    insta::assert_snapshot!(run(&aa, "one").code(3).err(), @"");
}
