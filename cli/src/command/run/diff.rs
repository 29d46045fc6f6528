//! `aa run diff`

use aa_run::course::{Comparison, Pair, StepEnd, StepPair, StepState, ValueChange};
use serde_json::{Value, json};

use crate::args::Format;
use crate::args::run::DiffArgs;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::page::Page;
use crate::report::line::one_line;
use crate::report::value;
use crate::style::{Mark, Palette, Tone};
use crate::words;

/// Columns that one side of a changed value takes at most.
const VALUE: usize = 48;

/// Compares two runs.
pub(super) fn run(args: &DiffArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let comparison = context.engine()?.compare(args.a, args.b)?;
    let printer = context.printer;
    match args.format.format {
        Format::Json => printer.data(format_args!("{:#}", json!(comparison))),
        Format::Human => {
            let mut page = Page::new(printer);
            human(&comparison, &mut page);
            page.print(printer);
        }
    }
    Ok(Exit::Ok)
}

fn human(of: &Comparison, page: &mut Page) {
    let arrow = page.palette.arrow();
    page.line(format_args!("run {} {arrow} run {}", of.run.a, of.run.b));
    let pair = |of: Pair<String>| if of.a == of.b { of.a } else { format!("{} {arrow} {}", of.a, of.b) };
    let took = Pair { a: words::duration(of.duration_ms.a), b: words::duration(of.duration_ms.b) };
    let facts = [
        ["skill".to_owned(), pair(of.skill.clone())],
        ["status".to_owned(), pair(of.status.clone())],
        ["took".to_owned(), pair(took)],
        ["plan".to_owned(), if of.plan.a == of.plan.b { "the same" } else { "not the same" }.to_owned()],
    ];
    page.columns(facts.into_iter());
    section("inputs", &of.inputs, page);
    steps(&of.steps, page);
    section("outputs", &of.outputs, page);
}

fn section(name: &str, changes: &[ValueChange], page: &mut Page) {
    if changes.is_empty() {
        return;
    }
    let palette = page.palette;
    let side = |value: &Value| match value {
        Value::Null => "nothing".to_owned(),
        value => words::shortened(&one_line(&value::short(value)), VALUE, palette.ellipsis()),
    };
    page.section(name);
    for ValueChange { name, a, b } in changes {
        page.line(format_args!("  {name}: {} {} {}", side(a), palette.arrow(), side(b)));
    }
}

/// Every step of either run; those that went the same way are dim.
fn steps(pairs: &[StepPair], page: &mut Page) {
    let has_run = |pair: &&StepPair| pair.a.is_some() || pair.b.is_some();
    let pairs: Vec<&StepPair> = pairs.iter().filter(has_run).collect();
    if pairs.is_empty() {
        return;
    }
    let palette = page.palette;
    let width = pairs.iter().map(|pair| pair.step.0.len()).max().unwrap_or(0).min(40);
    page.section("steps");
    for StepPair { step, a, b } in pairs {
        let status = |end: &Option<StepEnd>| end.as_ref().map(|end| end.status);
        let same = status(a) == status(b);
        let why = b.as_ref().filter(|_| !same).map(reason).unwrap_or_default();
        let (a, b) = (side(a.as_ref(), palette), side(b.as_ref(), palette));
        let line = format!("{:<width$}  {a} {} {b}  {why}", step.0, palette.arrow());
        let tone = if same { Tone::Dim } else { Tone::Strong };
        page.line(format_args!("  {}", palette.paint(tone, line.trim_end())));
    }
}

fn side(end: Option<&StepEnd>, palette: Palette) -> String {
    let Some(end) = end else { return "did not run".to_owned() };
    let mark = match end.status {
        StepState::Completed => Mark::Done,
        StepState::Failed => Mark::Failed,
        StepState::Skipped => return format!("{} skipped", palette.sign(Mark::Skipped)),
        StepState::Unknown => Mark::Unknown,
        _ => Mark::Stopped,
    };
    format!("{} {}", palette.sign(mark), words::duration(end.duration_ms.unwrap_or_default()))
}

fn reason(end: &StepEnd) -> String {
    let said = end.error.as_ref().map_or(end.reason.as_str(), |error| error.message.as_str());
    one_line(said)
}
