//! `aa heal reset`

use crate::args::heal::ResetArgs;
use crate::context::{Context, wait};
use crate::failure::{Exit, Failure};
use crate::style::Mark;

/// Lets a rule act again that has stopped by itself.
pub(super) fn run(args: &ResetArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let engine = context.engine()?;
    wait(async { Ok(engine.reset_heal(&args.rule).await?) })?;
    let printer = context.printer;
    printer.say(format_args!("{} `{}` may act again", printer.err.mark(Mark::Done), args.rule));
    Ok(Exit::Ok)
}
