//! `aa daemon …`: a process that serves and runs what is due although nobody is there.
//!
//! Reading order: [`files`] (the lock that there is one of, and what it says of itself), [`run`] (its life),
//! [`start`] and [`stop`] (from outside), [`find`] (how other commands use it), [`bridge`] (how an AI client does).

pub(crate) mod bridge;
pub(crate) mod files;
pub(crate) mod find;
mod install;
mod log;
mod logs;
mod run;
mod start;
mod status;
mod stop;
mod tell;

use aa_run::settings::{Settings, SettingsError};

use self::files::Files;
use crate::args::daemon::Command;
use crate::context::Context;
use crate::failure::{Exit, Failure};

/// The daemon's files, also when the configuration has errors: then those beside the store that is usual.
fn files(context: &Context<'_>) -> Result<Files, Failure> {
    let surroundings = context.surroundings()?;
    match Settings::resolve(&surroundings) {
        Ok(settings) => Ok(Files::of(&settings)),
        Err(error @ SettingsError::Invalid(_)) => {
            let Ok(folder) = Settings::usual_state_folder(&surroundings) else { return Err(error.into()) };
            context.printer.hint(
                "the configuration has errors (`aa config check` says which), so the usual store is meant",
            );
            Ok(Files::beside(&folder))
        }
        Err(error) => Err(error.into()),
    }
}

/// Runs a command about the daemon.
pub(super) fn run(command: Command, context: &Context<'_>) -> Result<Exit, Failure> {
    match command {
        Command::Start(args) => start::run(&args.serve, context),
        Command::Stop(args) => stop::run(args.now, context),
        Command::Restart(args) => start::again(&args, context),
        Command::Status(args) => status::run(&args, context),
        Command::Logs(args) => logs::run(&args, context),
        Command::Install(args) => install::run(&args, context),
        Command::Run(args) => run::run(&args, context),
    }
}
