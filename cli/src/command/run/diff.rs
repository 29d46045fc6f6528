//! `aa run diff`

use std::collections::BTreeSet;

use aa_run::engine::Engine;
use aa_run::event::{Body, RunId, StepPath};
use aa_run::store::RunSummary;
use serde_json::{Map, Value, json};

use super::list::status;
use crate::args::Format;
use crate::args::run::DiffArgs;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::page::Page;
use crate::report::line::one_line;
use crate::report::tree::{Ending, Node, State, Tree};
use crate::report::value;
use crate::style::{Mark, Palette, Tone};
use crate::words;

/// Columns that one side of a changed value takes at most.
const VALUE: usize = 48;

/// A run with what its events say.
#[derive(Debug)]
struct Side {
    run: RunSummary,
    inputs: Map<String, Value>,
    tree: Tree,
}

/// Compares two runs.
pub(super) fn run(args: &DiffArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let engine = context.engine()?;
    let (a, b) = (Side::read(&engine, args.a)?, Side::read(&engine, args.b)?);
    let printer = context.printer;
    match args.format.format {
        Format::Json => printer.data(format_args!("{:#}", document(&a, &b))),
        Format::Human => {
            let mut page = Page::new(printer);
            human(&a, &b, &mut page);
            page.print(printer);
        }
    }
    Ok(Exit::Ok)
}

impl Side {
    fn read(engine: &Engine, run: RunId) -> Result<Self, Failure> {
        let mut side = Self { run: engine.run(run)?, inputs: Map::new(), tree: Tree::default() };
        for event in engine.events(run, 0)? {
            side.tree.apply(&event);
            if let Body::SkillStarted { inputs, .. } = event.body {
                side.inputs = inputs;
            }
        }
        Ok(side)
    }

    fn outputs(&self) -> Map<String, Value> {
        match &self.tree.ending {
            Some(Ending::Completed { outputs, .. }) => outputs.clone(),
            _ => Map::new(),
        }
    }

    fn took_ms(&self) -> u64 {
        self.run.ended_at.map_or(0, |ended| words::between(self.run.started_at, ended))
    }
}

fn document(a: &Side, b: &Side) -> Value {
    let steps: Vec<Value> = paths(a, b)
        .iter()
        .map(|path| json!({"step": path, "a": outcome(a.tree.node(path)), "b": outcome(b.tree.node(path))}))
        .collect();
    json!({
        "skill": {"a": a.run.skill, "b": b.run.skill},
        "status": {"a": status(&a.run), "b": status(&b.run)},
        "plan": {"a": a.run.plan, "b": b.run.plan},
        "duration_ms": {"a": a.took_ms(), "b": b.took_ms()},
        "inputs": changed(&a.inputs, &b.inputs),
        "steps": steps,
        "outputs": changed(&a.outputs(), &b.outputs()),
    })
}

fn outcome(node: Option<&Node>) -> Value {
    node.map_or(Value::Null, |node| {
        json!({
            "status": word(node),
            "attempts": node.attempt,
            "duration_ms": node.duration_ms,
            "error": match &node.state {
                State::Failed { error, .. } => json!(error),
                _ => Value::Null,
            },
        })
    })
}

fn word(node: &Node) -> &'static str {
    match node.state {
        State::Done(_) => "completed",
        State::Failed { .. } => "failed",
        State::Skipped(_) => "skipped",
        State::Unknown => "unknown",
        State::Asking(_) => "waiting",
        State::Running | State::Waiting(_) | State::Retrying { .. } => "running",
    }
}

/// Entries that are not the same.
fn changed(a: &Map<String, Value>, b: &Map<String, Value>) -> Vec<Value> {
    let changes = aa_run::explain::changed(a, b).into_iter();
    changes.map(|change| json!({"name": change.name, "a": change.before, "b": change.now})).collect()
}

fn paths(a: &Side, b: &Side) -> Vec<StepPath> {
    let first = a.tree.nodes.iter().map(|node| node.path.clone());
    let known: BTreeSet<StepPath> = first.clone().collect();
    let new = b.tree.nodes.iter().map(|node| node.path.clone()).filter(|path| !known.contains(path));
    first.chain(new).collect()
}

fn human(a: &Side, b: &Side, page: &mut Page) {
    let arrow = page.palette.arrow();
    page.line(format_args!("run {} {arrow} run {}", a.run.id, b.run.id));
    let pair = |a: String, b: String| if a == b { a } else { format!("{a} {arrow} {b}") };
    let took = |side: &Side| words::duration(side.took_ms());
    let facts = [
        ["skill".to_owned(), pair(a.run.skill.clone(), b.run.skill.clone())],
        ["status".to_owned(), pair(status(&a.run), status(&b.run))],
        ["took".to_owned(), pair(took(a), took(b))],
        ["plan".to_owned(), if a.run.plan == b.run.plan { "the same" } else { "not the same" }.to_owned()],
    ];
    page.columns(facts.into_iter());
    section("inputs", &changed(&a.inputs, &b.inputs), page);
    steps(a, b, page);
    section("outputs", &changed(&a.outputs(), &b.outputs()), page);
}

fn section(name: &str, changes: &[Value], page: &mut Page) {
    if changes.is_empty() {
        return;
    }
    let palette = page.palette;
    let side = |value: &Value| match value {
        Value::Null => "nothing".to_owned(),
        value => words::shortened(&one_line(&value::short(value)), VALUE, palette.ellipsis()),
    };
    page.section(name);
    for change in changes {
        let name = change["name"].as_str().unwrap_or("");
        let (a, b) = (side(&change["a"]), side(&change["b"]));
        page.line(format_args!("  {name}: {a} {} {b}", palette.arrow()));
    }
}

/// Every step of either run; those that went the same way are dim.
fn steps(a: &Side, b: &Side, page: &mut Page) {
    let paths = paths(a, b);
    if paths.is_empty() {
        return;
    }
    let palette = page.palette;
    let width = paths.iter().map(|path| path.0.len()).max().unwrap_or(0).min(40);
    page.section("steps");
    for path in &paths {
        let (a, b) = (a.tree.node(path), b.tree.node(path));
        let same = a.map(word) == b.map(word);
        let why = b.and_then(reason).filter(|_| !same).unwrap_or_default();
        let (a, b) = (side(a, palette), side(b, palette));
        let line = format!("{:<width$}  {a} {} {b}  {why}", path.0, palette.arrow());
        let tone = if same { Tone::Dim } else { Tone::Strong };
        page.line(format_args!("  {}", palette.paint(tone, line.trim_end())));
    }
}

fn side(node: Option<&Node>, palette: Palette) -> String {
    let Some(node) = node else { return "did not run".to_owned() };
    let mark = match word(node) {
        "completed" => Mark::Done,
        "failed" => Mark::Failed,
        "skipped" => return format!("{} skipped", palette.sign(Mark::Skipped)),
        "unknown" => Mark::Unknown,
        _ => Mark::Stopped,
    };
    format!("{} {}", palette.sign(mark), words::duration(node.duration_ms))
}

fn reason(node: &Node) -> Option<String> {
    match &node.state {
        State::Failed { error, .. } => Some(one_line(&error.message)),
        State::Skipped(reason) => Some(one_line(reason)),
        _ => None,
    }
}
