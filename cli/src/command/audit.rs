//! `aa audit …`

mod list;
mod verify;

use crate::args::audit::Command;
use crate::context::Context;
use crate::failure::{Exit, Failure};

/// Runs a command about the audit.
pub(super) fn run(command: Command, context: &Context<'_>) -> Result<Exit, Failure> {
    match command {
        Command::List(args) => list::run(args, context),
        Command::Verify(args) => verify::run(args, context),
    }
}
