//! `aa run watch`

use super::named_or_newest;
use crate::args::run::WatchArgs;
use crate::context::{Context, wait};
use crate::failure::{Exit, Failure};
use crate::follow;
use crate::report::Reporter;

/// Follows a run, whoever drives it.
pub(super) fn run(args: &WatchArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let engine = context.engine()?;
    let run = named_or_newest(&engine, args.run)?;
    let found = engine.run(run)?;
    if found.interrupted {
        context.printer.hint(format_args!("nobody drives run {run}; `aa run resume {run}` goes on with it"));
    }
    let mut reporter = Reporter::new(args.format, context.printer);
    wait(async {
        let events = engine.watch(run, 0)?;
        follow::watch(events, context, &mut reporter).await
    })
}
