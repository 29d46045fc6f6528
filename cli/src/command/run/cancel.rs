//! `aa run cancel`

use super::resume::go_on;
use crate::args::run::CancelArgs;
use crate::args::skill::RunFormat;
use crate::context::{Context, wait};
use crate::failure::{Exit, Failure};
use crate::style::Mark;

/// Asks for a run's end.
pub(super) fn run(args: &CancelArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let engine = context.engine()?;
    wait(async {
        engine.cancel(args.run, context.environment.user(), &args.reason).await?;
        Ok(())
    })?;
    let summary = engine.run(args.run)?;
    if summary.ended_at.is_none() && !summary.driven {
        return go_on(&engine, args.run, RunFormat::Human, context);
    }
    let printer = context.printer;
    let mark = printer.err.mark(Mark::Stopped);
    printer.say(format_args!(
        "{mark} run {} is asked to cancel; `aa run watch {}` follows it",
        args.run, args.run
    ));
    Ok(Exit::Ok)
}
