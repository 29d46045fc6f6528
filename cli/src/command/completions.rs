//! `aa completions`

use clap::CommandFactory;

use crate::args::{Args, CompletionsArgs};
use crate::context::Context;
use crate::failure::Exit;

/// Prints a shell's completion script.
pub(super) fn run(args: &CompletionsArgs, context: &Context<'_>) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), "aa", &mut script);
    context.printer.write(&script);
    Exit::Ok
}
