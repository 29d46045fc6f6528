//! `aa schedule backfill`

use serde_json::json;

use super::{flag, now, point_out_idle};
use crate::args::Format;
use crate::args::schedule::BackfillArgs;
use crate::context::{Context, wait};
use crate::failure::{Exit, Failure};
use crate::words;

/// Runs times of the past that have no success, or shows which.
pub(super) fn run(args: &BackfillArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let (engine, by) = (context.engine()?, context.environment.user());
    let now = now();
    let (known, _) = engine.schedule_times(&args.schedule, now, 0)?;
    let from = flag("from", &args.from, known.zone())?;
    let to = args.to.as_ref().map(|text| flag("to", text, known.zone())).transpose()?.unwrap_or(now);
    if from > now || to < from {
        let wrong = if from > now { "`--from` is in the future" } else { "`--to` is before `--from`" };
        return Err(Failure::usage(format!("{wrong}, so there are no times to fill in")));
    }
    let to = to.min(now);
    let plan = engine.plan_backfill(&args.schedule, (from, to))?;
    let queued = if args.yes {
        wait(async { Ok(engine.backfill(&args.schedule, &plan.times, (by, now)).await?) })?
    } else {
        0
    };
    let printer = context.printer;
    if args.format.format == Format::Json {
        printer.data(format_args!("{:#}", json!({"plan": plan, "queued": queued})));
        return Ok(Exit::Ok);
    }
    if args.yes {
        printer.say(format_args!("{} to be run, one after the other", words::count(queued, "time")));
        if plan.more {
            printer.hint("there are more in this window; the same command has the next ones run");
        }
        point_out_idle(&engine, context);
        return Ok(Exit::Ok);
    }
    for time in &plan.times {
        printer.data(format_args!("{}", known.zone().show(*time)));
    }
    let more = if plan.more { ", and there are more" } else { "" };
    let count = words::count(plan.times.len(), "time");
    printer.say(format_args!("{count} without a success, {} with one{more}", plan.done));
    if !plan.times.is_empty() {
        printer.hint("`--yes` runs them");
    }
    Ok(Exit::Ok)
}
