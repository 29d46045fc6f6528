//! `aa schedule why`

use super::now;
use crate::args::Format;
use crate::args::schedule::WhyArgs;
use crate::context::Context;
use crate::failure::{Exit, Failure};

/// Says why the last times of a schedule were run or not.
pub(super) fn run(args: &WhyArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let engine = context.engine()?;
    let reasons = engine.schedule_why(&args.schedule, args.limit, now())?;
    if args.format.format == Format::Json {
        let json = serde_json::to_value(&reasons).unwrap_or_default();
        context.printer.data(format_args!("{json:#}"));
        return Ok(Exit::Ok);
    }
    for reason in &reasons {
        context.printer.data(format_args!("{}", reason.text));
    }
    Ok(Exit::Ok)
}
