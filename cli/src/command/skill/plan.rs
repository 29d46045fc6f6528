//! `aa skill plan`

use aa_run::engine::{ResolvedPlan, ResolvedStep, RunRequest};
use aa_run::event::Origin;
use serde_json::Value;

use super::inputs;
use crate::args::Format;
use crate::args::skill::{PlanArgs, RunFormat};
use crate::context::{Context, strictness};
use crate::failure::{Exit, Failure};
use crate::report::value;
use crate::style::{Palette, Tone};
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
    let plan = context.engine()?.plan(&request)?;
    if args.format.format == Format::Json {
        let json = serde_json::to_value(&plan).unwrap_or_default();
        printer.data(format_args!("{json:#}"));
        return Ok(Exit::Ok);
    }
    printer.write(words::harmless(&human(&plan, Palette { color: false, ..printer.out })).as_bytes());
    printer.say(format_args!("run exactly this with `--plan {}`", plan.hash));
    Ok(Exit::Ok)
}

fn human(plan: &ResolvedPlan, palette: Palette) -> String {
    let mut text = format!("{}\n", palette.paint(Tone::Strong, &plan.skill));
    text.push_str(&value::yaml(&plan.inputs));
    for step in &plan.steps {
        text.push('\n');
        text.push_str(&heading(step, palette));
        if step.args != Value::Null && step.args != Value::Object(serde_json::Map::new()) {
            text.push_str(&value::block(&step.args, 2));
        }
    }
    text.push_str(&format!("\nhash {}\n", plan.hash));
    text
}

/// `build  tool shell_run · write · after commit · about 2.1s`, then what else is known.
fn heading(step: &ResolvedStep, palette: Palette) -> String {
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
    let dot = format!(" {} ", palette.dot());
    let mut text = format!("{}  {}\n", palette.paint(Tone::Strong, &step.name), facts.join(&dot));
    if let Some(condition) = &step.condition {
        text.push_str(&format!("    only if {}\n", value::short(condition)));
    }
    for (word, names) in [("secrets", &step.secrets), ("touches", &step.touches)] {
        if !names.is_empty() {
            text.push_str(&format!("    {word} {}\n", names.join(", ")));
        }
    }
    text
}
