//! `aa persona …`

mod check;
mod list;
mod show;

use aa_run::engine::Engine;

use crate::args::persona::Command;
use crate::context::Context;
use crate::failure::{Exit, Failure};

/// Runs a command about personas.
pub(super) fn run(command: Command, context: &Context<'_>) -> Result<Exit, Failure> {
    match command {
        Command::List(args) => list::run(&args, context),
        Command::Show(args) => show::run(&args, context),
        Command::Check(args) => check::run(&args, context),
    }
}

/// There is no such persona.
fn unknown(engine: &Engine, name: &str) -> Failure {
    let personas = engine.personas().unwrap_or_default();
    let near = aa_spec::name::suggest(name, personas.iter().map(|persona| persona.name.as_str()));
    let failure = Failure::not_found(format!("there is no persona `{name}`"));
    failure.suggest(near).hint("`aa persona list` shows every persona; a file is named by its path")
}
