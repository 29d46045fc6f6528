//! The `aa` command line: arguments, settings, words on the terminal, exit codes.
//!
//! Reading order: [`args`] (what can be typed), [`env`] (what the environment may
//! say), [`context`] (both, resolved), [`command`] (one file per command), [`follow`]
//! (a run watched from a terminal), [`report`] (events to output), [`diagnostic`]
//! (problems in YAML drawn like a compiler's), [`printer`] (the only door to stdout
//! and stderr), [`failure`] (what went wrong, and the exit code that says so).
//!
//! Nothing here decides anything about skills or runs: that is the engine's.

mod args;
mod ask;
mod command;
mod context;
mod crash;
mod diagnostic;
mod difference;
mod env;
mod failure;
mod follow;
mod log;
mod page;
mod printer;
mod report;
mod style;
mod table;
mod usage;
mod words;

use std::process::ExitCode;

use crate::args::Args;
use crate::context::Context;
use crate::env::Environment;
use crate::failure::{Exit, Failure};
use crate::printer::Printer;

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    #[cfg(feature = "compute")]
    if std::env::args_os().nth(1).is_some_and(|role| role == aa_run::compute::WORKER) {
        return aa_run::compute::worker_main();
    }
    let environment = Environment::read();
    crash::guard(&environment, || start(&environment)).into()
}

fn start(environment: &Environment) -> Exit {
    let args = match Args::read() {
        Ok(args) => args,
        Err(error) => return usage::answer(&error, &Printer::new(environment, args::Color::Auto, false)),
    };
    let logs_itself = args.logs_itself();
    let printer = Printer::new(environment, args.global.color, args.global.quiet);
    let format = Context { environment, printer: &printer, global: &args.global }.log_format(args.log());
    let printer = printer.saying(format);
    if !logs_itself {
        log::start(environment, args.usual_log(), format);
    }
    let Some(command) = args.command else {
        return usage::nothing_to_do(&printer);
    };
    if let Some(name) = environment.unreadable() {
        let failure = Failure::usage(format!("the value of `{name}` is not UTF-8"));
        return printer.close(
            failure.hint(format!("set it to a text, or leave it out: `unset {name}`")).report(&printer),
        );
    }
    let context = Context { environment, printer: &printer, global: &args.global };
    let exit = command::run(command, &context).unwrap_or_else(|failure| failure.report(&printer));
    printer.close(exit)
}
