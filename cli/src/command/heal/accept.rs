//! `aa heal accept`

use aa_run::engine::Layer;

use crate::args::heal::AcceptArgs;
use crate::context::{Context, wait};
use crate::failure::{Exit, Failure};
use crate::style::Mark;

/// Makes a rule of a proposal.
pub(super) fn run(args: &AcceptArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let layer = if args.user { Layer::User } else { Layer::Project };
    let engine = context.engine()?;
    let path = wait(async { Ok(engine.accept_heal(&args.proposal, layer).await?) })?;
    let printer = context.printer;
    printer.say(format_args!(
        "{} `{}` is a rule now, in {}",
        printer.err.mark(Mark::Done),
        args.proposal,
        path.display()
    ));
    Ok(Exit::Ok)
}
