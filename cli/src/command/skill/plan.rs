//! `aa skill plan`

use aa_run::engine::{ResolvedHeal, ResolvedPlan, ResolvedStep, RunRequest};
use aa_run::event::Origin;
use serde_json::{Map, Value};

use super::inputs;
use crate::args::Format;
use crate::args::skill::{PlanArgs, RunFormat};
use crate::context::{Context, strictness};
use crate::failure::{Exit, Failure};
use crate::page::Page;
use crate::report::value;
use crate::style::Tone;
use crate::words;

/// Shows what a run would do.
pub(super) fn run(args: PlanArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let printer = context.printer;
    let request = RunRequest {
        skill: args.skill,
        inputs: inputs::gather(args.inputs, printer)?,
        origin: Origin::Cli,
        dry_run: false,
        plan_hash: None,
        request_key: None,
        strictness: strictness(args.lenient),
        park: context.park(RunFormat::Human),
    };
    let engine = context.engine()?;
    super::warn(&engine, &request.skill, args.lenient, context)?;
    let plan = engine.plan(&request)?;
    if args.format.format == Format::Json {
        let json = serde_json::to_value(&plan).unwrap_or_default();
        printer.data(format_args!("{json:#}"));
        return Ok(Exit::Ok);
    }
    let mut page = Page::new(printer);
    human(&plan, &mut page);
    page.print(printer);
    printer.say(format_args!("run exactly this with `--plan {}`", plan.hash));
    Ok(Exit::Ok)
}

fn human(plan: &ResolvedPlan, page: &mut Page) {
    page.line(page.palette.paint(Tone::Strong, &plan.skill));
    if !plan.inputs.is_empty() {
        page.section("inputs");
        page.block(&value::block(&Value::Object(plan.inputs.clone()), 1));
    }
    page.section("steps");
    for step in &plan.steps {
        heading(step, page);
        if !matches!(&step.args, Value::Null) && step.args != Value::Object(Map::new()) {
            page.block(&value::block(&step.args, 3));
        }
    }
    page.section("hash");
    page.line(format_args!("  {}", plan.hash));
}

/// `build  tool shell_run · write · after commit · about 2.1s`, then what else is known.
fn heading(step: &ResolvedStep, page: &mut Page) {
    let mut facts = vec![step.action.clone(), words::wire(&step.effect)];
    if !step.needs.is_empty() {
        facts.push(format!("after {}", step.needs.join(", ")));
    }
    if let Some(expected) = step.expected_ms {
        facts.push(format!("about {}", words::duration(expected)));
    }
    for (is_so, fact) in [(step.approval, "asks a person"), (step.undo, "can be taken back")] {
        if is_so {
            facts.push(fact.to_owned());
        }
    }
    let palette = page.palette;
    let facts = facts.join(&format!(" {} ", palette.dot()));
    page.line(format_args!(
        "  {}  {}",
        palette.paint(Tone::Strong, &step.name),
        palette.paint(Tone::Dim, facts)
    ));
    if let Some(condition) = &step.condition {
        page.line(format_args!("    only if {}", words::harmless(&value::short(condition))));
    }
    for (word, names) in [("secrets", &step.secrets), ("touches", &step.touches)] {
        if !names.is_empty() {
            page.line(format_args!("    {word} {}", words::harmless(&names.join(", "))));
        }
    }
    if !step.heals.is_empty() {
        let heals: Vec<String> = step.heals.iter().map(heal).collect();
        page.line(format_args!("    may be healed by {}", words::harmless(&heals.join(", "))));
    }
}

/// `kube_login (tool kube_login, write)`.
fn heal(heal: &ResolvedHeal) -> String {
    format!("{} ({}, {})", heal.rule, heal.action, words::wire(&heal.effect))
}
