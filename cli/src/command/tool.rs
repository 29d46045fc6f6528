//! `aa tool …`

mod call;
mod check;
mod debug;
mod fix;
mod guide;
mod import;
mod list;
mod new;
mod show;
mod test;
mod trust;

use std::sync::Arc;

use aa_run::engine::Engine;
use aa_spec::tool::ToolSpec;

use crate::args::tool::Command;
use crate::context::Context;
use crate::diagnostic;
use crate::failure::{Exit, Failure};
use crate::printer::Printer;

/// Runs a command about tools.
pub(super) fn run(command: Command, context: &Context<'_>) -> Result<Exit, Failure> {
    match command {
        Command::List(args) => list::run(&args, context),
        Command::Show(args) => show::run(&args, context),
        Command::Call(args) => call::run(args, context),
        Command::Trust(args) => trust::run(&args, context),
        Command::Guide(args) => guide::run(&args, context),
        Command::Debug(args) => debug::run(&args, context),
        Command::Fix(args) => fix::run(&args, context),
        Command::Check(args) => check::run(&args, context),
        Command::Test(args) => test::run(&args, context),
        Command::New(args) => new::run(&args, context),
        Command::Import(args) => import::run(args, context),
    }
}

/// The tool of that name.
fn named(engine: &Engine, name: &str, printer: &Printer) -> Result<Arc<ToolSpec>, Failure> {
    if let Some(tool) = engine.tool(name)? {
        return Ok(tool);
    }
    diagnostic::draw_all(&engine.problems_of_tool(name)?, printer);
    let names = engine.tool_names()?;
    let near = aa_spec::name::suggest(name, names.iter().map(String::as_str));
    let failure = Failure::not_found(format!("there is no tool `{name}`"));
    Err(failure.suggest(near).hint("`aa tool list` shows every tool"))
}
