//! `aa tool test`

use std::time::Instant;

use aa_run::engine::{Engine, Fault, Trial};
use aa_run::toolbox::Specimen;
use aa_spec::diagnostic::has_errors;
use aa_spec::name::fold;
use serde_json::{Value, json};

use crate::args::Format;
use crate::args::tool::TestArgs;
use crate::command::skill::test::{explain, milliseconds};
use crate::context::{Context, wait};
use crate::failure::{Exit, Failure};
use crate::printer::Printer;
use crate::style::{Mark, Tone};
use crate::words;

/// Tries the examples of tools.
pub(super) fn run(args: &TestArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let begun = Instant::now();
    let engine = context.engine()?;
    let all = engine.specimens(&args.names)?;
    let wanted = wanted(&args.names, &all, &engine)?;
    let printer = context.printer;
    let human = args.format.format == Format::Human;
    let mut trials = Vec::new();
    for specimen in wanted {
        for index in 0..specimen.examples.len() {
            let trial = wait(async { Ok(engine.try_example(specimen, index, args.live).await?) })?;
            if human {
                show(&trial, printer);
            }
            trials.push(trial);
        }
    }
    if human {
        sum_up(&trials, milliseconds(begun.elapsed()), printer);
    } else {
        let all: Vec<Value> = trials.iter().map(object).collect();
        printer.data(format_args!("{:#}", Value::from(all)));
    }
    if trials.iter().all(|trial| trial.skipped.is_some()) {
        // Nothing tried must not look like all is well.
        let failure = Failure::not_found("there is no example to try");
        return Err(failure.hint("add `examples:` with `recorded:` to a tool, or try `--live`"));
    }
    let failed = trials.iter().any(|trial| !trial.faults.is_empty());
    Ok(if failed { Exit::Failed } else { Exit::Ok })
}

/// The tools of these names and modules. A module with errors is told, not left out.
fn wanted<'a>(names: &[String], all: &'a [Specimen], engine: &Engine) -> Result<Vec<&'a Specimen>, Failure> {
    let problems = engine.problems_of(names)?;
    if has_errors(&problems) {
        return Err(Failure::invalid(problems));
    }
    let is = |one: &Specimen, name: &str| fold(&one.spec.name) == name || fold(&one.spec.module) == name;
    for name in names {
        if !all.iter().any(|one| is(one, &fold(name))) {
            let all = engine.specimens(&[])?;
            let known = all.iter().flat_map(|one| [one.spec.name.as_str(), one.spec.module.as_str()]);
            let near = aa_spec::name::suggest(name, known);
            let failure = Failure::not_found(format!("there is no tool or tool module `{name}` in a file"));
            return Err(failure.suggest(near).hint("`aa tool list` shows every tool"));
        }
    }
    let wanted = |one: &&Specimen| names.is_empty() || names.iter().any(|name| is(one, &fold(name)));
    Ok(all.iter().filter(wanted).collect())
}

/// One line for an example that works; all that is wrong with one that does not.
fn show(trial: &Trial, printer: &Printer) {
    let palette = printer.err;
    let label = format!("{}: {}", trial.tool, words::harmless(&trial.example));
    if let Some(why) = &trial.skipped {
        printer.say(palette.paint(Tone::Dim, format!("{} {label} ({why})", palette.mark(Mark::Skipped))));
    } else if trial.faults.is_empty() {
        printer.say(format_args!("{} {label}", palette.mark(Mark::Done)));
    } else {
        printer.tell(format_args!("{} {label}", palette.mark(Mark::Failed)));
        trial.faults.iter().for_each(|fault| explain(fault, &trial.path, printer));
    }
}

fn sum_up(trials: &[Trial], took: u64, printer: &Printer) {
    let skipped = trials.iter().filter(|trial| trial.skipped.is_some()).count();
    let failed = trials.iter().filter(|trial| !trial.faults.is_empty()).count();
    let tried = trials.len() - skipped;
    if tried == 0 {
        return;
    }
    let left_out = if skipped == 0 { String::new() } else { format!(", {skipped} not tried") };
    let (examples, took) = (words::count(tried, "example"), words::duration(took));
    if failed == 0 {
        printer.say(format_args!("\n{examples} passed in {took}{left_out}"));
    } else {
        printer
            .tell(format_args!("\n{failed} of {examples} failed in {took}{left_out} (- expected, + found)"));
    }
}

fn object(trial: &Trial) -> Value {
    let fault = |fault: &Fault| json!({"what": fault.what, "message": fault.message, "path": trial.path, "line": fault.line, "diff": fault.diff});
    json!({
        "tool": trial.tool,
        "example": trial.example,
        "path": trial.path,
        "line": trial.line,
        "passed": trial.skipped.is_none() && trial.faults.is_empty(),
        "skipped": trial.skipped,
        "duration_ms": milliseconds(trial.took),
        "failures": trial.faults.iter().map(fault).collect::<Vec<_>>(),
    })
}
