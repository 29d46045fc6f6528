//! `aa config check`

use crate::args::config::CheckArgs;
use crate::context::Context;
use crate::failure::{Exit, Failure};

/// Finds every mistake in the configuration.
pub(super) fn run(args: &CheckArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let _ = args;
    context.engine()?;
    Ok(Exit::Ok)
}
