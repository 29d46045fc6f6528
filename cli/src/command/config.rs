//! `aa config …`

mod check;
mod key;
mod service;
mod show;

use crate::args::config::Command;
use crate::context::Context;
use crate::failure::{Exit, Failure};

/// Runs a command about the configuration.
pub(super) fn run(command: Command, context: &Context<'_>) -> Result<Exit, Failure> {
    match command {
        Command::Check(args) => check::run(&args, context),
        Command::Show(args) => show::run(&args, context),
        Command::Key(args) => key::run(&args, context),
        Command::Service(command) => service::run(&command, context),
    }
}
