//! `aa run show`

mod step;

use aa_run::event::{Body, Event, Time};
use aa_run::store::RunSummary;
use chrono::{Local, Utc};
use serde_json::{Map, Value};

use super::list::{skill, status};
use super::{known_step, named_or_newest};
use crate::args::Format;
use crate::args::run::ShowArgs;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::page::Page;
use crate::report::line::Layout;
use crate::report::tree::{Ending, Tree};
use crate::report::{how_to_resolve, how_to_resume, json, value};
use crate::style::{Mark, Tone};
use crate::words;

/// Shows how a run went.
pub(super) fn run(args: &ShowArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let engine = context.engine()?;
    let run = named_or_newest(&engine, args.run)?;
    let events = engine.events(run, 0)?;
    let mut tree = Tree::default();
    for event in &events {
        tree.apply(event);
    }
    if let Some(step) = &args.step {
        known_step(&tree, step)?;
    }
    let printer = context.printer;
    if args.format.format == Format::Json {
        let wanted = |event: &&Event| args.step.as_ref().is_none_or(|step| event.body.step() == Some(step));
        events.iter().filter(wanted).for_each(|event| json::print(event, printer));
        return Ok(Exit::Ok);
    }
    let summary = engine.run(run)?;
    let mut page = Page::new(printer);
    match &args.step {
        Some(step) => step::human(&events, step, &mut page),
        None => human(&summary, (&events, &tree), &mut page),
    }
    page.print(printer);
    if summary.interrupted {
        printer.hint(how_to_resume(&summary));
    }
    for step in tree.in_doubt().filter(|step| args.step.as_ref().is_none_or(|wanted| wanted == *step)) {
        printer.hint(how_to_resolve(tree.run, step));
    }
    Ok(Exit::Ok)
}

fn human(run: &RunSummary, (events, tree): (&[Event], &Tree), page: &mut Page) {
    head(run, tree, page);
    if let Some(Body::SkillStarted { inputs, .. }) = events.first().map(|event| &event.body) {
        values("inputs", inputs, page);
    }
    if !tree.top.is_empty() {
        page.section("steps");
        timeline(tree, run.started_at, page);
    }
    match &tree.ending {
        Some(Ending::Completed { outputs, .. }) => values("outputs", outputs, page),
        Some(Ending::Failed { error, step, .. }) => {
            let step = step.as_ref().map(|step| format!("step `{step}` failed: ")).unwrap_or_default();
            let message = words::harmless(&error.message);
            page.line(format_args!("\n{} {step}{message}", page.palette.paint(Tone::Bad, "error:")));
        }
        _ => {}
    }
}

fn head(run: &RunSummary, tree: &Tree, page: &mut Page) {
    let palette = page.palette;
    let (mark, took) = match &tree.ending {
        Some(Ending::Completed { duration_ms, .. }) => (Mark::Done, Some(*duration_ms)),
        Some(Ending::Failed { duration_ms, .. }) => (Mark::Failed, Some(*duration_ms)),
        Some(Ending::Cancelled { duration_ms }) => (Mark::Stopped, Some(*duration_ms)),
        None => (Mark::Running, None),
    };
    let took = took.map(|took| format!(" in {}", words::duration(took))).unwrap_or_default();
    let name = palette.paint(Tone::Strong, skill(run));
    let dot = palette.paint(Tone::Dim, palette.dot());
    let dry = if tree.dry_run { format!(" {dot} dry run") } else { String::new() };
    page.line(format_args!("{} {name} {}{took} {dot} run {}{dry}", palette.mark(mark), status(run), run.id));
    let started = format!(
        "started {} ({}) by {} in {}",
        run.started_at.with_timezone(&Local).format("%Y-%m-%d %H:%M:%S"),
        words::ago(run.started_at, Utc::now()),
        words::wire(&run.origin),
        run.folder.display(),
    );
    let events = words::count(usize::try_from(run.events).unwrap_or(usize::MAX), "event");
    let plan = format!("plan {}, {events}", run.plan.get(..12).unwrap_or(&run.plan));
    for line in [started, plan] {
        page.line(format_args!("  {}", palette.paint(Tone::Dim, line)));
    }
}

fn values(name: &str, values: &Map<String, Value>, page: &mut Page) {
    if !values.is_empty() {
        page.section(name);
        page.block(&value::block(&Value::Object(values.clone()), 1));
    }
}

/// One line per step with the time since the start of the run.
fn timeline(tree: &Tree, started: Time, page: &mut Page) {
    let palette = page.palette;
    let name = tree.nodes.iter().map(|node| node.label().len() + 2 * node.path.0.matches('/').count());
    let layout = Layout { palette, name: name.max().unwrap_or(0).clamp(8, 40) };
    for &index in &tree.top {
        let since = words::duration(words::between(started, tree.nodes[index].started_at));
        for (number, line) in layout.subtree(tree, index, 0).iter().enumerate() {
            let since = if number == 0 { since.as_str() } else { "" };
            page.line(format_args!("{}  {line}", palette.paint(Tone::Dim, format!("{since:>8}"))));
        }
    }
}
