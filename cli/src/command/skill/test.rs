//! `aa skill test`

use std::time::{Duration, Instant};

use aa_run::engine::{DiffLine, Fault, Judgement, TestFile};
use aa_spec::diagnostic::{Diagnostic, has_errors};
use serde_json::{Value, json};

use crate::args::Format;
use crate::args::skill::TestArgs;
use crate::context::Context;
use crate::diagnostic;
use crate::failure::{Exit, Failure};
use crate::printer::Printer;
use crate::style::{Mark, Tone};
use crate::words;

/// Lines of a difference that are shown.
const MOST_LINES: usize = 60;

/// Runs the tests of skills.
pub(super) fn run(args: &TestArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let begun = Instant::now();
    let engine = context.engine()?;
    let files = engine.tests(&args.skills)?;
    let printer = context.printer;
    let problems = problems(&files);
    if has_errors(&problems) {
        return Err(Failure::invalid(problems));
    }
    diagnostic::draw_all(&problems, printer);
    let wanted = |name: &str| args.filter.as_ref().is_none_or(|text| name.contains(text.as_str()));
    let human = args.format.format == Format::Human;
    let verdicts = engine.rehearse(&files, &wanted, &mut |verdict| {
        if human {
            show(verdict, printer);
        }
    });
    if human {
        sum_up(&verdicts, begun.elapsed(), printer);
    } else {
        let all: Vec<Value> = verdicts.iter().map(object).collect();
        printer.data(format_args!("{:#}", Value::from(all)));
    }
    if verdicts.is_empty() {
        // A run of no tests must not look like one of tests that pass.
        return Err(Failure::not_found("there are no tests to run").hint(
            "the tests of `NAME.yaml` are in `NAME.test.yaml` beside it; `aa run to-test` makes one of a run",
        ));
    }
    let failed = verdicts.iter().any(|verdict| !verdict.faults.is_empty());
    Ok(if failed { Exit::Failed } else { Exit::Ok })
}

/// What is wrong with the files, each thing once.
fn problems(files: &[TestFile]) -> Vec<Diagnostic> {
    let mut problems: Vec<Diagnostic> = Vec::new();
    for found in files.iter().flat_map(|file| &file.diagnostics) {
        if !problems.contains(found) {
            problems.push(found.clone());
        }
    }
    problems
}

/// One line for a test that passes; all that is wrong with one that does not.
fn show(verdict: &Judgement, printer: &Printer) {
    let palette = printer.err;
    let passes = verdict.faults.is_empty();
    let mark = palette.mark(if passes { Mark::Done } else { Mark::Failed });
    let took = palette.paint(Tone::Dim, words::duration(milliseconds(verdict.took)));
    let line = format!("{mark} {}: {} {took}", verdict.skill, verdict.test);
    if passes {
        printer.say(line);
    } else {
        printer.tell(line);
    }
    verdict.faults.iter().for_each(|fault| explain(fault, &verdict.path, printer));
    diagnostic::draw_all(&verdict.doubts, printer);
}

/// One thing that is not as expected, with its place and the difference.
pub(in crate::command) fn explain(fault: &Fault, path: &str, printer: &Printer) {
    let palette = printer.err;
    let place = palette.paint(Tone::Dim, format!("{path}:{}", fault.line));
    let message = if fault.message.is_empty() { String::new() } else { format!(": {}", fault.message) };
    printer.tell(format_args!(
        "    {}{} {place}",
        palette.paint(Tone::Strong, words::harmless(&fault.what)),
        words::harmless(&message)
    ));
    for line in fault.diff.iter().take(MOST_LINES) {
        let (tone, sign, text) = match line {
            DiffLine::Wanted(text) => (Tone::Good, "-", text),
            DiffLine::Found(text) => (Tone::Bad, "+", text),
            DiffLine::Both(text) => (Tone::Dim, " ", text),
        };
        printer.tell(palette.paint(tone, format!("      {sign} {}", words::harmless(text))));
    }
    if fault.diff.len() > MOST_LINES {
        printer.tell(format_args!("      … {} more lines", fault.diff.len() - MOST_LINES));
    }
}

fn sum_up(verdicts: &[Judgement], took: Duration, printer: &Printer) {
    if verdicts.is_empty() {
        return;
    }
    let failed = verdicts.iter().filter(|verdict| !verdict.faults.is_empty()).count();
    let took = words::duration(milliseconds(took));
    let tests = words::count(verdicts.len(), "test");
    if failed == 0 {
        printer.say(format_args!("\n{tests} passed in {took}"));
    } else {
        printer.tell(format_args!("\n{failed} of {tests} failed in {took} (- expected, + found)"));
    }
}

fn object(verdict: &Judgement) -> Value {
    let fault = |fault: &Fault| json!({"what": fault.what, "message": fault.message, "path": verdict.path, "line": fault.line, "diff": fault.diff});
    json!({
        "skill": verdict.skill,
        "test": verdict.test,
        "path": verdict.path,
        "line": verdict.line,
        "passed": verdict.faults.is_empty(),
        "duration_ms": milliseconds(verdict.took),
        "failures": verdict.faults.iter().map(fault).collect::<Vec<_>>(),
        "warnings": verdict.doubts.iter().map(diagnostic::object).collect::<Vec<_>>(),
    })
}

/// Whole milliseconds.
pub(in crate::command) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
