//! `aa run cancel`

use crate::args::run::CancelArgs;
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
    let printer = context.printer;
    let mark = printer.err.mark(Mark::Stopped);
    if engine.run(args.run)?.ended_at.is_some() {
        printer.say(format_args!("{mark} run {} is cancelled", args.run));
        return Ok(Exit::Ok);
    }
    printer.say(format_args!(
        "{mark} run {} is asked to cancel; `aa run watch {}` follows it",
        args.run, args.run
    ));
    Ok(Exit::Ok)
}
