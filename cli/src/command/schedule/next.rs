//! `aa schedule next`

use aa_spec::schedule::Trigger;
use serde_json::json;

use super::{flag, now};
use crate::args::Format;
use crate::args::schedule::NextArgs;
use crate::context::Context;
use crate::failure::{Exit, Failure};

/// Shows when a schedule is due next.
pub(super) fn run(args: &NextArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let engine = context.engine()?;
    let (known, _) = engine.schedule_times(&args.schedule, now(), 0)?;
    let after = match &args.after {
        Some(text) => flag("after", text, known.zone())?,
        None => now(),
    };
    let (known, times) = engine.schedule_times(&args.schedule, after, args.count as usize)?;
    if args.format.format == Format::Json {
        let all: Vec<_> =
            times.iter().map(|time| json!({"due": time, "local": known.zone().show(*time)})).collect();
        context.printer.data(format_args!("{:#}", json!(all)));
        return Ok(Exit::Ok);
    }
    for time in &times {
        context.printer.data(format_args!("{}", known.zone().show(*time)));
    }
    if times.is_empty() {
        let why = match &known.compiled.trigger {
            Trigger::Webhook(_) => "is not due by the clock: signed requests set it off",
            _ => "is not due by the clock any more",
        };
        context.printer.say(format_args!("`{}` {why}", known.compiled.name));
    }
    Ok(Exit::Ok)
}
