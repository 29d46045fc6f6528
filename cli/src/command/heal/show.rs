//! `aa heal show`

use aa_run::toolbox::HealEntry;
use aa_spec::name::{fold, suggest};

use crate::args::Format;
use crate::args::heal::ShowArgs;
use crate::context::Context;
use crate::diagnostic;
use crate::failure::{Exit, Failure};
use crate::page::Page;
use crate::report::value;
use crate::style::Tone;
use crate::words;

/// Shows a rule or a proposal.
pub(super) fn run(args: &ShowArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let engine = context.engine()?;
    let name = fold(&args.rule);
    let (rules, _) = engine.heal_rules()?;
    let printer = context.printer;
    if let Some(rule) = rules.iter().find(|rule| rule.plan.name == name) {
        match args.format.format {
            Format::Json => printer.data(format_args!("{:#}", super::list::document(rule))),
            Format::Human => {
                let mut page = Page::new(printer);
                human(rule, &mut page);
                page.print(printer);
                diagnostic::draw_all(&rule.problems, printer);
            }
        }
        return Ok(Exit::Ok);
    }
    let proposals = engine.heal_proposals()?;
    let Some(proposal) = proposals.iter().find(|proposal| proposal.name == name) else {
        let near = suggest(&name, rules.iter().map(|rule| rule.plan.name.as_str()));
        let failure = Failure::not_found(format!("there is no heal rule or proposal `{}`", args.rule));
        return Err(failure.suggest(near).hint("`aa heal list` shows them all"));
    };
    match args.format.format {
        Format::Json => {
            let json = serde_json::to_value(proposal).unwrap_or_default();
            printer.data(format_args!("{json:#}"));
        }
        Format::Human => {
            let evidence = format!(
                "# from {}: seen {} times, mended {} times\n",
                proposal.from, proposal.seen, proposal.fixed
            );
            printer.data(words::harmless(&format!("{evidence}{}", proposal.yaml)).trim_end());
            printer.hint(format_args!("`aa heal accept {name}` makes it a rule"));
        }
    }
    Ok(Exit::Ok)
}

fn human(rule: &HealEntry, page: &mut Page) {
    let (palette, plan) = (page.palette, &rule.plan);
    page.line(format_args!(
        "{}  {}",
        palette.paint(Tone::Strong, &plan.name),
        palette.paint(Tone::Dim, &rule.place)
    ));
    page.block(&rule.description);
    page.line(format_args!("{}; for {}", super::state(rule), super::conditions(plan)));
    if plan.patterns.len() > 1 {
        page.section("patterns");
        plan.patterns.iter().for_each(|pattern| page.block(&format!("  {pattern}")));
    }
    page.section("calls");
    let action = serde_json::to_value(&plan.action).unwrap_or_default();
    page.block(&value::block(&action, 1));
    if !plan.guess.is_empty() {
        page.section("guesses");
        let guess = serde_json::to_value(&plan.guess).unwrap_or_default();
        page.block(&value::block(&guess, 1));
    }
    page.section("bounds");
    let bounds = plan.bounds;
    let rows = [
        ["per step".to_owned(), bounds.per_step.to_string()],
        ["per run".to_owned(), bounds.per_run.to_string()],
        ["per hour".to_owned(), bounds.per_hour.to_string()],
        ["cool-down".to_owned(), words::duration(bounds.cool_down_ms)],
        ["time-out".to_owned(), words::duration(plan.timeout_ms)],
        [
            "stops".to_owned(),
            format!(
                "after not having helped {} times in a row, for {}",
                bounds.failures,
                words::duration(bounds.rest_ms)
            ),
        ],
    ];
    page.columns(rows.into_iter());
}
