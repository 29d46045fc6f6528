//! Two hundred callers at once.

use std::collections::BTreeSet;
use std::thread;

use serde_json::{Value, json};

use super::wire::{Served, modern, modern_headers};
use crate::support::Aa;

const CALLERS: usize = 200;

/// Tool calls at once, as the configuration has it.
const PERMITS: usize = 6;

const TOOLS: &str = "module: load\ndescription: Tools under load\nrequires: {commands: [sh]}\ntools:\n  - name: load_slow\n    description: Takes a while\n    effect: read\n    input: {value: {type: string}}\n    run: [sh, -c, 'echo + >> calls; sleep 0.03; echo - >> calls; printf %s \"$1\"', sh, '{{ value }}']\n    result: text\n";

fn skill(name: &str, tool: &str, output: &str) -> String {
    format!(
        "name: {name}\ndescription: Gives back what it got\ninputs: [{{name: value, type: string}}]\nsteps: [{{name: back, tool: {tool}, args: {{value: '{{{{ inputs.value }}}}'}}}}]\noutputs: [{{name: value, value: '{{{{ {output} }}}}'}}]\n"
    )
}

/// One of every four is slow.
fn ask(served: &Served, round: usize, caller: usize) -> (String, Value) {
    let value = format!("{round}/{caller}");
    let skill = if caller.is_multiple_of(4) { "slow_back" } else { "fast_back" };
    let args = json!({"skill_name": skill, "inputs": {"value": value}});
    // Half of the slow ones are calls of the tool itself.
    let (tool, args) = if caller.is_multiple_of(8) {
        ("tool_call", json!({"tool_name": "load_slow", "arguments": {"value": value}}))
    } else {
        ("skill_run", args)
    };
    let message = modern(u64::try_from(caller).unwrap(), tool, &args);
    let reply = served.post("/mcp", &modern_headers(tool), &message);
    assert_eq!(reply.status, 200, "{reply:?}");
    let answer = reply.message();
    assert_eq!(answer["id"], caller, "{answer}");
    let content = &answer["result"]["structuredContent"];
    (value, content.get("value").or_else(|| content.get("result")).cloned().unwrap_or_default())
}

fn round(served: &Served, round: usize) -> BTreeSet<String> {
    thread::scope(|scope| {
        let asked: Vec<_> =
            (0..CALLERS).map(|caller| scope.spawn(move || ask(served, round, caller))).collect();
        let answers = asked.into_iter().map(|caller| caller.join().unwrap());
        answers
            .map(|(value, answer)| {
                assert_eq!(answer, value, "somebody else's answer");
                value
            })
            .collect()
    })
}

/// Memory of a process, in KiB.
fn memory(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn two_hundred_callers_get_their_own_answers() {
    let aa = Aa::new()
        .tools("load", TOOLS)
        .skill("slow_back", &skill("slow_back", "load_slow", "back"))
        .skill("fast_back", &skill("fast_back", "echo", "back.value"))
        .config(&format!("limits: {{calls: {PERMITS}}}\n"));
    let served = Served::new(&aa, &[]);
    // What a crowd needs at once is kept for the next one: after some rounds there is no more of it.
    assert_eq!(round(&served, 0).len(), CALLERS);
    let first = memory(served.pid());
    for number in 1..4 {
        assert_eq!(round(&served, number).len(), CALLERS);
    }
    let before = memory(served.pid());
    let kept = before.saturating_sub(first);
    assert!(kept < 32 << 10, "three more crowds are remembered with {kept} KiB");
    for number in 4..8 {
        assert_eq!(round(&served, number).len(), CALLERS);
    }
    let grown = memory(served.pid()).saturating_sub(before);
    assert!(grown < 16 << 10, "800 calls took {grown} KiB for good");
    let (mut at_once, mut most, mut calls) = (0_usize, 0, 0);
    for line in aa.text("calls").lines() {
        if line == "+" {
            at_once += 1;
            calls += 1;
        } else {
            at_once -= 1;
        }
        most = most.max(at_once);
    }
    // Every fourth caller is slow.
    assert_eq!((at_once, calls), (0, 8 * CALLERS / 4));
    assert!(most <= PERMITS && most > 1, "{most} calls at once");
}
