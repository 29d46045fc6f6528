//! `aa doctor`

use crate::args::DoctorArgs;
use crate::context::Context;
use crate::failure::{Exit, Failure};

/// Finds out what is missing or broken on this machine.
pub(super) fn run(args: &DoctorArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let _ = args;
    context.engine()?;
    Ok(Exit::Ok)
}
