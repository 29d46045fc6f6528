//! `aa run explain`

use aa_run::engine::Engine;
use aa_run::event::RunId;
use aa_run::explain::{Change, Changes, Explanation, Given, Source, SourceKind, StepReport};
use serde_json::{Value, json};

use crate::args::Format;
use crate::args::run::ExplainArgs;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::page::Page;
use crate::report::line::one_line;
use crate::report::value;
use crate::style::Tone;
use crate::words;

/// Columns that a value takes at most.
const VALUE: usize = 60;

/// Says why a run failed.
pub(super) fn run(args: &ExplainArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let engine = context.engine()?;
    let explanation = engine.explain(named_or_failed(&engine, args.run)?)?;
    let printer = context.printer;
    match args.format.format {
        Format::Json => printer.data(format_args!("{:#}", json!(explanation))),
        Format::Human => {
            let mut page = Page::new(printer);
            human(&explanation, &mut page);
            page.print(printer);
        }
    }
    Ok(Exit::Ok)
}

fn named_or_failed(engine: &Engine, run: Option<RunId>) -> Result<RunId, Failure> {
    match run {
        Some(run) => Ok(run),
        None => engine.last_failed()?.ok_or_else(|| {
            Failure::not_found("no run has failed").hint("`aa run explain RUN` explains any run")
        }),
    }
}

fn human(explanation: &Explanation, page: &mut Page) {
    page.block(&explanation.summary);
    if let Some(step) = &explanation.step {
        about(step, page);
    }
    if let Some(changes) = &explanation.changes {
        different(changes, page);
    }
    if !explanation.known_issues.is_empty() {
        page.section("known issues");
        page.block(&value::block(&Value::from(explanation.known_issues.clone()), 1));
    }
    if !explanation.next.is_empty() {
        page.section("next");
        for next in &explanation.next {
            page.block(&format!("  {}", next.command));
            page.line(format_args!("      {}", page.palette.paint(Tone::Dim, &next.why)));
        }
    }
}

fn about(step: &StepReport, page: &mut Page) {
    page.section("step");
    let what =
        step.target.as_ref().map_or_else(|| step.kind.clone(), |target| format!("{} {target}", step.kind));
    let tries = if step.attempts > 1 { format!(", attempt {}", step.attempts) } else { String::new() };
    let written = if step.written.is_empty() { String::new() } else { format!(", {}", step.written) };
    page.block(&format!("  {}: {what}{written}{tries}", step.path));
    if let Some(error) = &step.error {
        page.block(&format!("  {}: {}", words::wire(&error.kind), error.message));
        let is_empty = error.details.as_object().is_none_or(serde_json::Map::is_empty);
        if !is_empty {
            page.block(&value::block(&error.details, 2));
        }
    }
    for heal in &step.heals {
        let how = match heal.healed {
            Some(true) => "its call worked",
            Some(false) => "it did not help",
            None => "it is not over",
        };
        let note = if heal.note.is_empty() { String::new() } else { format!(" ({})", heal.note) };
        page.block(&format!("  healed by `{}`: {how}{note}", heal.rule));
    }
    if !step.args.is_empty() {
        page.section("called with");
        let ellipsis = page.palette.ellipsis();
        page.columns(step.args.iter().map(|given| argument(given, ellipsis)));
    }
}

fn argument(given: &Given, ellipsis: &str) -> [String; 3] {
    let from: Vec<String> = given.from.iter().map(place).collect();
    let from = if from.is_empty() { "the skill's text".to_owned() } else { from.join(", ") };
    [format!("{}:", given.name), short(&given.value, ellipsis), format!("from {from}")]
}

fn place(source: &Source) -> String {
    let Source { kind, name } = source;
    match kind {
        SourceKind::Input => format!("input `{name}`"),
        SourceKind::Default => format!("the default of `{name}`"),
        SourceKind::Config => format!("config `{name}`"),
        SourceKind::Environment => format!("the environment variable `{name}`"),
        SourceKind::Secret => format!("secret `{name}`"),
        SourceKind::Output => format!("the output of step `{name}`"),
        SourceKind::Step => format!("how step `{name}` went"),
        SourceKind::Item => format!("the loop's `{name}`"),
        SourceKind::Run => format!("`{name}`"),
        SourceKind::Block => format!("the block `{name}`"),
        SourceKind::Unknown => format!("`{name}`, which is not known"),
    }
}

fn short(value: &Value, ellipsis: &str) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        value => words::shortened(&one_line(&value::short(value)), VALUE, ellipsis),
    }
}

fn different(changes: &Changes, page: &mut Page) {
    let without = if changes.without_step { " without this step" } else { "" };
    page.section(&format!("different from run {}, which succeeded{without}", changes.good));
    if changes.is_empty() {
        return page.line("  nothing that is in their journals");
    }
    let (arrow, ellipsis) = (page.palette.arrow(), page.palette.ellipsis());
    let lists = [
        ("input", &changes.inputs),
        ("setting", &changes.settings),
        ("argument", &changes.args),
        ("output of", &changes.outputs),
    ];
    for (what, list) in lists {
        for Change { name, before, now } in list {
            page.block(&format!(
                "  {what} {name}: {} {arrow} {}",
                short(before, ellipsis),
                short(now, ellipsis)
            ));
        }
    }
    for step in &changes.skill {
        page.block(&format!("  the text of {}: {}", step.step, step.what.join(", ")));
    }
    for tool in &changes.tools {
        page.block(&format!("  the file that defines {tool} was written since"));
    }
    if changes.more > 0 {
        page.line(format_args!("  and {} more", changes.more));
    }
}
