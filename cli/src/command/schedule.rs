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
use chrono::{TimeDelta, Utc};

use crate::args::schedule::Command;
use crate::command::daemon::files::Files;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::words;

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

/// Says that the daemon goes by another zone than this command, when that is so. One zone can have several names, so
/// clocks are compared: of today, and of half a year later.
fn point_out_zone(engine: &Engine, context: &Context<'_>) {
    let said = Files::of(engine.settings()).living().map(|report| report.zone).unwrap_or_default();
    let (here, daemon) = (engine.settings().zone(), Zone::parse(&said));
    if daemon.is_err() && !said.is_empty() {
        context.printer.hint(format_args!(
            "the daemon was started with `TZ={}`, which is no time zone, so it runs no schedule that goes by the clock and names no `timezone`", words::harmless(&said)
        ));
    }
    let (Ok(here), Ok(daemon)) = (here, daemon) else { return };
    let differs = |at: Time| here.show(at) != daemon.show(at);
    if differs(now()) || differs(now() + TimeDelta::days(182)) {
        context.printer.hint(format_args!(
            "the daemon runs schedules without a `timezone` by {daemon}, and this command shows them by {here}; `scheduler.timezone` settles it"
        ));
    }
}
