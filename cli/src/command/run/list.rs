//! `aa run list`

use aa_run::engine::Engine;
use aa_run::store::{RunFilter, RunStatus, RunSummary};
use chrono::Utc;

use crate::args::Format;
use crate::args::run::{ListArgs, Status};
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::table::Table;
use crate::words;

/// Lists runs, newest first.
pub(super) fn run(args: &ListArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let engine = context.engine()?;
    let runs = wanted(&engine, args)?;
    let printer = context.printer;
    if args.format.format == Format::Json {
        let json = serde_json::to_value(&runs).unwrap_or_default();
        printer.data(format_args!("{json:#}"));
        return Ok(Exit::Ok);
    }
    if runs.is_empty() {
        printer.say("no runs");
        return Ok(Exit::Ok);
    }
    let now = Utc::now();
    let mut table = Table::new(&["RUN", "SKILL", "STATUS", "STARTED", "TOOK", "BY", "ERROR"]);
    for run in &runs {
        let took = run.ended_at.map(|ended| words::duration(words::between(run.started_at, ended)));
        table.row([
            run.id.to_string(),
            skill(run),
            status(run),
            words::ago(run.started_at, now),
            took.unwrap_or_default(),
            words::wire(&run.origin),
            run.error.clone(),
        ]);
    }
    table.print(printer);
    context.point_out_interrupted(&engine);
    Ok(Exit::Ok)
}

/// The runs of a list.
fn wanted(engine: &Engine, args: &ListArgs) -> Result<Vec<RunSummary>, Failure> {
    let filter = RunFilter {
        skill: args.skill.as_deref().map(aa_spec::name::fold),
        status: args.status.iter().filter_map(|status| status.stored()).collect(),
        interrupted: args.status.contains(&Status::Interrupted),
        limit: Some(args.limit),
        ..RunFilter::default()
    };
    Ok(engine.runs(&filter)?)
}

/// What ran, and whether it did so with canned answers.
pub(super) fn skill(run: &RunSummary) -> String {
    if run.stubbed { format!("{} (stubbed)", run.skill) } else { run.skill.clone() }
}

/// Where a run stands, in a word.
pub(super) fn status(run: &RunSummary) -> String {
    match run.status {
        RunStatus::Running | RunStatus::Waiting if run.interrupted => "interrupted".to_owned(),
        status => words::wire(&status),
    }
}
