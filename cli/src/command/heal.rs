//! `aa heal …`

mod accept;
mod list;
mod reset;
mod show;
mod stats;
mod test;

use aa_run::toolbox::HealEntry;
use aa_spec::diagnostic::has_errors;
use aa_spec::heal::HealPlan;

use crate::args::heal::Command;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::words;

/// Runs a command about heal rules.
pub(super) fn run(command: Command, context: &Context<'_>) -> Result<Exit, Failure> {
    match command {
        Command::List(args) => list::run(&args, context),
        Command::Show(args) => show::run(&args, context),
        Command::Test(args) => test::run(args, context),
        Command::Accept(args) => accept::run(&args, context),
        Command::Stats(args) => stats::run(&args, context),
        Command::Reset(args) => reset::run(&args, context),
    }
}

/// Whether a rule acts, in a word.
fn state(rule: &HealEntry) -> &'static str {
    match (rule.enabled, !has_errors(&rule.problems)) {
        (false, _) => "off",
        (true, false) => "broken",
        (true, true) => "on",
    }
}

/// What a rule is for, in a few words.
fn conditions(plan: &HealPlan) -> String {
    let mut parts = Vec::new();
    if !plan.tools.is_empty() {
        parts.push(format!("tool {}", plan.tools.join("|")));
    }
    if !plan.kinds.is_empty() {
        let kinds: Vec<String> = plan.kinds.iter().map(words::wire).collect();
        parts.push(format!("kind {}", kinds.join("|")));
    }
    match &plan.patterns[..] {
        [] => {}
        [pattern] => parts.push(format!("/{pattern}/")),
        patterns => parts.push(words::count(patterns.len(), "pattern")),
    }
    for (name, numbers) in [("exit code", &plan.exit_codes), ("status", &plan.statuses)] {
        if !numbers.is_empty() {
            let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
            parts.push(format!("{name} {}", numbers.join("|")));
        }
    }
    parts.join(", ")
}
