//! One file per command; here is only which one it is.

pub(crate) mod audit;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod daemon;
pub(crate) mod doctor;
pub(crate) mod heal;
pub(crate) mod listen;
pub(crate) mod mcp;
pub(crate) mod memory;
pub(crate) mod persona;
pub(crate) mod run;
pub(crate) mod schedule;
pub(crate) mod schema;
pub(crate) mod serve;
pub(crate) mod skill;
pub(crate) mod store;
pub(crate) mod tool;

use crate::args::{Command, Deferred};
use crate::context::Context;
use crate::failure::{Exit, Failure};

/// Runs a command.
pub(crate) fn run(command: Command, context: &Context<'_>) -> Result<Exit, Failure> {
    match command {
        Command::Skill(Deferred(command)) => skill::run(command, context),
        Command::Run(Deferred(command)) => run::run(command, context),
        Command::Tool(Deferred(command)) => tool::run(command, context),
        Command::Memory(Deferred(command)) => memory::run(command, context),
        Command::Persona(Deferred(command)) => persona::run(command, context),
        Command::Schedule(Deferred(command)) => schedule::run(command, context),
        Command::Listen(args) => listen::run(&args, context),
        Command::Heal(Deferred(command)) => heal::run(command, context),
        Command::Mcp(args) => mcp::run(&args, context),
        Command::Serve(args) => serve::run(&args, context),
        Command::Daemon(Deferred(command)) => daemon::run(command, context),
        Command::Audit(Deferred(command)) => audit::run(command, context),
        Command::Store(Deferred(command)) => store::run(command, context),
        Command::Config(Deferred(command)) => config::run(command, context),
        Command::Doctor(args) => doctor::run(&args, context),
        Command::Completions(args) => Ok(completions::run(&args, context)),
        Command::Schema(args) => Ok(schema::run(&args, context)),
    }
}
