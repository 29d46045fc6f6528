//! `aa run undo`

use crate::args::run::UndoArgs;
use crate::context::{Context, wait};
use crate::failure::{Exit, Failure};
use crate::follow;
use crate::report::Reporter;

/// Takes back the completed steps of a run that is over.
pub(super) fn run(args: &UndoArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let engine = context.engine()?;
    let mut reporter = Reporter::new(args.format, context.printer);
    for event in engine.events(args.run, 0)? {
        reporter.catch_up(&event);
    }
    wait(async {
        let handle = engine.undo(args.run, context.environment.user()).await?;
        follow::follow(&engine, handle, context, &mut reporter).await
    })
}
