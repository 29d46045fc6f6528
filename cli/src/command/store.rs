//! `aa store …`

use aa_run::store::Copied;
use serde_json::json;

use crate::args::Format;
use crate::args::store::{BackupArgs, Command, RestoreArgs};
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::words;

/// Runs a command about the store as a whole.
pub(super) fn run(command: Command, context: &Context<'_>) -> Result<Exit, Failure> {
    match command {
        Command::Backup(args) => back_up(&args, context),
        Command::Restore(args) => restore(&args, context),
    }
}

fn back_up(args: &BackupArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let copied = context.engine()?.back_up(&args.copy)?;
    if args.format.format == Format::Json {
        let json = json!({ "folder": args.copy, "copied": copied });
        context.printer.data(format_args!("{json:#}"));
        return Ok(Exit::Ok);
    }
    context.printer.say(format_args!("copied {} to {}", what(&copied), args.copy.display()));
    Ok(Exit::Ok)
}

fn restore(args: &RestoreArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let (copied, aside) = context.engine()?.restore(&args.copy)?;
    if args.format.format == Format::Json {
        let json = json!({ "copied": copied, "aside": aside });
        context.printer.data(format_args!("{json:#}"));
        return Ok(Exit::Ok);
    }
    let at = copied.at.format("%F %T UTC");
    context.printer.say(format_args!("put back {} as of {at}", what(&copied)));
    if let Some(aside) = aside {
        context.printer.say(format_args!("the store that was there is in {}", aside.display()));
    }
    Ok(Exit::Ok)
}

fn what(copied: &Copied) -> String {
    let count = |number: u64, noun| words::count(usize::try_from(number).unwrap_or(usize::MAX), noun);
    format!("{} with {}", count(copied.runs, "run"), count(copied.events, "event"))
}
