//! `aa config show`

use crate::args::config::ShowArgs;
use crate::context::Context;
use crate::failure::{Exit, Failure};

/// Shows the settings that are in force.
pub(super) fn run(args: &ShowArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let _ = args;
    context.engine()?;
    Ok(Exit::Ok)
}
