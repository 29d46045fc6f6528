//! `aa heal list`

use aa_run::engine::Proposal;
use aa_run::toolbox::HealEntry;
use serde_json::{Value, json};

use crate::args::Format;
use crate::args::heal::ListArgs;
use crate::context::Context;
use crate::diagnostic;
use crate::failure::{Exit, Failure};
use crate::table::Table;

/// Lists the rules and the proposals.
pub(super) fn run(args: &ListArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let engine = context.engine()?;
    let (rules, problems) = engine.heal_rules()?;
    let proposals = engine.heal_proposals()?;
    let printer = context.printer;
    if args.format.format == Format::Json {
        let rules: Vec<Value> = rules.iter().map(document).collect();
        printer.data(format_args!("{:#}", json!({ "rules": rules, "proposals": proposals })));
    } else {
        human(&rules, &proposals, context);
    }
    let all: Vec<_> = rules.iter().flat_map(|rule| rule.problems.clone()).chain(problems).collect();
    diagnostic::draw_all(&all, printer);
    Ok(if all.is_empty() { Exit::Ok } else { Exit::Invalid })
}

fn human(rules: &[HealEntry], proposals: &[Proposal], context: &Context<'_>) {
    let mut table = Table::new(&["RULE", "STATE", "FOR", "CALLS", "WHERE"]);
    for rule in rules {
        table.row([
            rule.plan.name.clone(),
            super::state(rule).to_owned(),
            super::conditions(&rule.plan),
            rule.plan.target().to_owned(),
            rule.place.clone(),
        ]);
    }
    table.print(context.printer);
    if proposals.is_empty() {
        return;
    }
    context.printer.data("");
    let mut table = Table::new(&["PROPOSAL", "SEEN", "FIXED", "CALLS", "ERROR"]);
    for proposal in proposals {
        table.row([
            proposal.name.clone(),
            proposal.seen.to_string(),
            proposal.fixed.to_string(),
            proposal.calls.clone(),
            proposal.pattern.clone(),
        ]);
    }
    table.print(context.printer);
    context.printer.hint("`aa heal show NAME` shows a proposal, `aa heal accept NAME` makes it a rule");
}

/// A rule for programs.
pub(super) fn document(rule: &HealEntry) -> Value {
    let problems: Vec<Value> = rule.problems.iter().map(diagnostic::object).collect();
    json!({
        "name": rule.plan.name,
        "description": rule.description,
        "layer": rule.layer,
        "place": rule.place,
        "enabled": rule.enabled,
        "rule": rule.plan,
        "problems": problems,
    })
}
