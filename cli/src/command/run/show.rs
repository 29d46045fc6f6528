//! `aa run show`

mod step;

use aa_run::engine::Engine;
use aa_run::event::{Body, Event, RunId, Time};
use aa_run::store::RunSummary;
use chrono::{Local, Utc};
use serde_json::{Map, Value};

use super::list::status;
use super::{known_step, named_or_newest};
use crate::args::Format;
use crate::args::run::ShowArgs;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::report::line::Layout;
use crate::report::tree::{Ending, Tree};
use crate::report::{json, value};
use crate::style::{Mark, Palette, Tone};
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
    let text = match &args.step {
        Some(step) => step::human(&events, step, printer.out),
        None => human(&engine, run, (&events, &tree), printer.out)?,
    };
    printer.write(text.as_bytes());
    Ok(Exit::Ok)
}

fn human(
    engine: &Engine,
    run: RunId,
    (events, tree): (&[Event], &Tree),
    palette: Palette,
) -> Result<String, Failure> {
    let summary = engine.run(run)?;
    let mut text = head(&summary, tree, palette);
    if let Some(Body::SkillStarted { inputs, .. }) = events.first().map(|event| &event.body) {
        text.push_str(&section("inputs", inputs, palette));
    }
    if !tree.top.is_empty() {
        text.push_str(&format!("\n{}\n", palette.paint(Tone::Good, "steps")));
        text.push_str(&timeline(tree, summary.started_at, palette));
    }
    match &tree.ending {
        Some(Ending::Completed { outputs, .. }) => text.push_str(&section("outputs", outputs, palette)),
        Some(Ending::Failed { error, step, .. }) => {
            let step = step.as_ref().map(|step| format!("step `{step}` failed: ")).unwrap_or_default();
            let message = words::harmless(&error.message);
            text.push_str(&format!("\n{} {step}{message}\n", palette.paint(Tone::Bad, "error:")));
        }
        _ => {}
    }
    Ok(text)
}

fn head(run: &RunSummary, tree: &Tree, palette: Palette) -> String {
    let mark = match &tree.ending {
        Some(Ending::Completed { .. }) => Mark::Done,
        Some(Ending::Failed { .. }) => Mark::Failed,
        Some(Ending::Cancelled { .. }) => Mark::Stopped,
        None => Mark::Running,
    };
    let took = match &tree.ending {
        Some(
            Ending::Completed { duration_ms, .. }
            | Ending::Failed { duration_ms, .. }
            | Ending::Cancelled { duration_ms },
        ) => format!(" in {}", words::duration(*duration_ms)),
        None => String::new(),
    };
    let name = palette.paint(Tone::Strong, &run.skill);
    let dot = palette.paint(Tone::Dim, palette.dot());
    let mut text = format!("{} {name} {}{took} {dot} run {}\n", palette.mark(mark), status(run), run.id);
    let started = format!(
        "started {} ({}) by {} in {}\nplan {}, {}",
        run.started_at.with_timezone(&Local).format("%Y-%m-%d %H:%M:%S"),
        words::ago(run.started_at, Utc::now()),
        words::wire(&run.origin),
        run.folder.display(),
        run.plan.get(..12).unwrap_or(&run.plan),
        words::count(usize::try_from(run.events).unwrap_or(usize::MAX), "event"),
    );
    for line in started.lines() {
        text.push_str(&format!("  {}\n", palette.paint(Tone::Dim, line)));
    }
    text
}

fn section(name: &str, values: &Map<String, Value>, palette: Palette) -> String {
    if values.is_empty() {
        return String::new();
    }
    let body = words::harmless(&value::block(&Value::Object(values.clone()), 1));
    format!("\n{}\n{body}", palette.paint(Tone::Good, name))
}

/// One line per step with the time since the start of the run.
fn timeline(tree: &Tree, started: Time, palette: Palette) -> String {
    let name = tree.nodes.iter().map(|node| node.label().len() + 2 * node.path.0.matches('/').count());
    let layout = Layout { palette, name: name.max().unwrap_or(0).clamp(8, 40) };
    let mut text = String::new();
    for &index in &tree.top {
        let since = words::duration(words::between(started, tree.nodes[index].started_at));
        let lines = layout.subtree(tree, index, 0);
        for (number, line) in lines.iter().enumerate() {
            let since = if number == 0 { since.as_str() } else { "" };
            let since = palette.paint(Tone::Dim, format!("{since:>8}"));
            text.push_str(&format!("{since}  {line}\n"));
        }
    }
    text
}
