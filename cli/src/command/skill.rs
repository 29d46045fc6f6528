//! `aa skill …`

mod check;
mod graph;
mod inputs;
mod list;
mod new;
mod plan;
mod run;
mod show;
mod test;

use crate::args::skill::Command;
use crate::context::Context;
use crate::failure::{Exit, Failure};

/// Runs a command about skills.
pub(super) fn run(command: Command, context: &Context<'_>) -> Result<Exit, Failure> {
    match command {
        Command::Run(args) => run::run(&args, context),
        Command::List(args) => list::run(&args, context),
        Command::Show(args) => show::run(&args, context),
        Command::Check(args) => check::run(&args, context),
        Command::Test(args) => test::run(&args, context),
        Command::Plan(args) => plan::run(args, context),
        Command::Graph(args) => graph::run(&args, context),
        Command::New(args) => new::run(&args, context),
    }
}
