//! Cancelling: whole process groups end, and the journal says so.

use rustix::process::{Pid, Signal, test_kill_process};

use crate::support::{Aa, Running, eventually};

fn skill(tool: &str) -> String {
    format!("name: wait\ndescription: Waits\nsteps:\n  - {{name: it, tool: {tool}, args: {{mark: m}}}}\n")
}

/// A run of one step that has started.
fn started(tool: &str) -> (Aa, Running) {
    let aa = Aa::traced().skill("wait", &skill(tool));
    let running = aa.args(["skill", "run", "wait"]).start();
    eventually("the tool starts", || aa.text("m.pid").ends_with('\n'));
    (aa, running)
}

fn is_alive(aa: &Aa, file: &str) -> bool {
    let pid = aa.text(file).trim().parse().ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| test_kill_process(pid).is_ok())
}

#[test]
fn ctrl_c_ends_the_whole_process_group() {
    let (aa, running) = started("trace_hang");
    assert!(is_alive(&aa, "m.pid") && is_alive(&aa, "m.child"));
    running.signal(Signal::INT);
    let ran = running.wait().code(5).stdout("");
    insta::assert_snapshot!(ran.err(), @"
    ▸ wait · run 1
    ■ cancelling, asked by tester
    ■ it [time]  `sh` was stopped
    ■ wait cancelled in [time] · run 1
    ");
    eventually("both processes end", || !is_alive(&aa, "m.pid") && !is_alive(&aa, "m.child"));
    let show = aa.args(["run", "list", "--format", "json"]).run().code(0).json();
    assert_eq!(show[0]["status"], "cancelled");
}

#[test]
fn a_terminated_process_cancels_its_run() {
    let (aa, running) = started("trace_hang");
    running.signal(Signal::TERM);
    running.wait().code(5);
    eventually("both processes end", || !is_alive(&aa, "m.pid") && !is_alive(&aa, "m.child"));
}

#[test]
fn a_tool_that_ignores_the_request_is_killed() {
    let (aa, running) = started("trace_deaf");
    running.signal(Signal::INT);
    running.wait().code(5);
    eventually("it ends", || !is_alive(&aa, "m.pid"));
}

#[test]
fn a_second_ctrl_c_does_not_wait() {
    let (aa, running) = started("trace_deaf");
    running.signal(Signal::INT);
    eventually("the request is journaled", || {
        aa.args(["run", "show", "1", "--format", "json"]).run().out().contains("cancel_requested")
    });
    running.signal(Signal::INT);
    let ran = running.wait().code(5);
    // Others may know of the request before it is shown here.
    insta::assert_snapshot!(ran.err().replace("■ cancelling, asked by tester\n", ""), @"
    ▸ wait · run 1
    error: run 1 was left in the middle
    hint: `aa run resume 1` goes on with it
    ");
    eventually("it ends", || !is_alive(&aa, "m.pid"));
}

#[test]
fn another_process_can_cancel() {
    let (aa, running) = started("trace_hang");
    // What only reads may begin before others can see its run.
    eventually("the run is there for others", || {
        aa.args(["run", "list", "--format", "json"]).run().out().contains("\"running\"")
    });
    let asked = aa.args(["run", "cancel", "1", "--reason", "lunch"]).run().code(0);
    // It may have ended before it is said.
    asked.stderr_contains("■ run 1 is ");
    running.wait().code(5).stderr_contains("cancelling, asked by tester");
    eventually("both processes end", || !is_alive(&aa, "m.pid") && !is_alive(&aa, "m.child"));
    aa.args(["run", "show", "1", "--format", "json"]).run().code(0).stdout_contains("lunch");
}

#[test]
fn a_run_that_is_over_cannot_be_cancelled() {
    let aa =
        Aa::traced().skill("look", "name: look\ndescription: Looks\nsteps: [{name: it, tool: trace_look}]\n");
    aa.args(["skill", "run", "look"]).run().code(0);
    insta::assert_snapshot!(aa.args(["run", "cancel", "1"]).run().code(1).err(), @"
    error: run 1 is over (completed)
    hint: `aa run show 1` shows how it went
    ");
}
