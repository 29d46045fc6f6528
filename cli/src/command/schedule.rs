//! `aa schedule …`

mod backfill;
mod list;
mod next;
mod notices;
mod run;
mod show;
mod steer;
mod why;

use aa_run::engine::Engine;
use aa_run::event::Time;
use aa_spec::schedule::{Zone, moment};
use chrono::Utc;

use crate::args::schedule::Command;
use crate::context::Context;
use crate::failure::{Exit, Failure};

/// Runs a command about schedules.
pub(super) fn run(command: Command, context: &Context<'_>) -> Result<Exit, Failure> {
    match command {
        Command::List(args) => list::run(&args, context),
        Command::Show(args) => show::run(&args, context),
        Command::Next(args) => next::run(&args, context),
        Command::Run(args) => run::run(&args, context),
        Command::Pause(args) => steer::pause(&args, context),
        Command::Resume(args) => steer::resume(&args, context),
        Command::Why(args) => why::run(&args, context),
        Command::Backfill(args) => backfill::run(&args, context),
        Command::Notices(args) => notices::run(&args, context),
    }
}

/// Now, as rows have it.
fn now() -> Time {
    let now = Utc::now();
    Time::from_timestamp_millis(now.timestamp_millis()).unwrap_or(now)
}

/// The moment that a flag means.
fn flag(name: &str, text: &str, zone: &Zone) -> Result<Time, Failure> {
    moment(text, zone).map_err(|message| Failure::usage(format!("`--{name}`: {message}")))
}

/// Says that nothing is run by itself, when that is so.
fn point_out_idle(engine: &Engine, context: &Context<'_>) {
    if !engine.has_scheduler().unwrap_or(true) {
        context.printer.hint("no scheduler runs, so nothing is run by itself; `aa daemon start` starts one");
    }
}
