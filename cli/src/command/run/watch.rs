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
    let mut reporter = Reporter::new(args.format, context.printer);
    wait(follow::watch(&engine, run, context, &mut reporter))
}
