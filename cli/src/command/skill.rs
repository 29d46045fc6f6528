//! `aa skill …`

pub(super) mod check;
mod export;
mod fix;
mod graph;
pub(crate) mod inputs;
mod list;
pub(super) mod new;
mod plan;
mod run;
mod show;
pub(super) mod test;

use aa_run::engine::Engine;
use aa_spec::diagnostic::has_errors;

use crate::args::skill::Command;
use crate::context::{Context, strictness};
use crate::diagnostic;
use crate::failure::{Exit, Failure};

/// Runs a command about skills.
pub(super) fn run(command: Command, context: &Context<'_>) -> Result<Exit, Failure> {
    match command {
        Command::Run(args) => run::run(&args, context),
        Command::List(args) => list::run(&args, context),
        Command::Show(args) => show::run(&args, context),
        Command::Check(args) => check::run(&args, context),
        Command::Test(args) => test::run(&args, context),
        Command::Fix(args) => fix::run(&args, context),
        Command::Plan(args) => plan::run(args, context),
        Command::Graph(args) => graph::run(&args, context),
        Command::New(args) => new::run(&args, context),
        Command::Export(args) => export::run(&args, context),
    }
}

/// With `--lenient`: shows what reads as null. Errors are left to what follows, which will
/// not take the skill.
fn warn(engine: &Engine, skill: &str, lenient: bool, context: &Context<'_>) -> Result<(), Failure> {
    if lenient {
        let found = engine.check(skill, strictness(lenient))?.diagnostics;
        if !has_errors(&found) {
            diagnostic::draw_all(&found, context.printer);
        }
    }
    Ok(())
}
