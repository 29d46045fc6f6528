//! What a person at a terminal sees, and is asked.

use rustix::process::{Signal, kill_process};

use crate::support::terminal::Terminal;
use crate::support::{Aa, eventually};

const ASK: &str = r#"
name: ask
description: Asks first
steps:
  - name: go
    confirm: {message: "restart web?", options: [restart, "leave it"], default: "leave it", timeout: 10m}
  - {name: write, tool: trace_write, args: {line: "{{ go }}"}}
outputs:
  - {name: report, value: "you said {{ go }}"}
"#;

fn terminal(aa: &Aa, words: &str) -> Terminal {
    Terminal::start(aa.args(words.split(' ')).command())
}

#[test]
fn a_question_is_answered_by_number() {
    let aa = Aa::traced().skill("ask", ASK);
    let mut terminal = terminal(&aa, "skill run ask");
    terminal.shows("restart web?").shows("1\u{1b}[0m restart").shows("answer [`leave it` in ");
    terminal.type_line("1");
    terminal.code(0).shows("you said restart").shows("completed in");
    assert_eq!(aa.text("trace"), "restart\n");
}

#[test]
fn an_empty_line_is_the_default_and_nonsense_is_asked_again() {
    let aa = Aa::traced().skill("ask", ASK);
    let mut terminal = terminal(&aa, "skill run ask");
    terminal.shows("answer [");
    terminal.type_line("perhaps");
    terminal.shows("it is one of `restart` and `leave it`");
    terminal.type_line("");
    terminal.code(0).shows("you said leave it");
}

#[test]
fn an_answer_from_elsewhere_takes_the_question_away() {
    let aa = Aa::traced().skill("ask", ASK);
    let mut terminal = terminal(&aa, "skill run ask");
    terminal.shows("answer [");
    aa.args(["run", "answer", "1", "go", "restart"]).run().code(0);
    terminal.code(0).shows("you said restart");
}

#[test]
fn what_goes_on_is_redrawn_and_what_is_over_stays() {
    let skill = "name: wait\ndescription: Waits\nsteps:\n  - {name: look, tool: trace_look}\n  - {name: hang, tool: trace_hang, args: {mark: m}}\n";
    let aa = Aa::traced().skill("wait", skill);
    let mut terminal = terminal(&aa, "skill run wait");
    eventually("the tool starts", || aa.text("m.pid").ends_with('\n'));
    terminal.shows("✓").shows("look").shows("⠹").shows("⠼");
    kill_process(terminal.pid(), Signal::INT).unwrap();
    terminal.code(5).shows("cancelled in");
}

#[test]
fn no_color_means_none_even_on_a_terminal() {
    let aa = Aa::traced().skill("ask", ASK);
    let mut terminal = Terminal::start(aa.args(["skill", "list"]).env("NO_COLOR", "1").command());
    terminal.code(0);
    assert!(!terminal.screen().contains("\u{1b}["), "{}", terminal.screen());
}

#[test]
fn a_dumb_terminal_gets_plain_lines() {
    let aa =
        Aa::traced().skill("look", "name: look\ndescription: Looks\nsteps: [{name: it, tool: trace_look}]\n");
    let mut terminal = Terminal::start(aa.args(["skill", "run", "look"]).env("TERM", "dumb").command());
    terminal.code(0).shows("✓ it");
    assert!(!terminal.screen().contains('\u{1b}'), "{}", terminal.screen());
}
