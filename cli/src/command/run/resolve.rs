//! `aa run resolve`

use aa_run::event::Resolution;

use super::resume::go_on_if_idle;
use super::{known_step, tree};
use crate::args::run::ResolveArgs;
use crate::command::skill::inputs::unreadable;
use crate::context::{Context, wait};
use crate::failure::{Exit, Failure};
use crate::style::Mark;

/// Says how a step with unknown outcome ended, and goes on when nobody else does.
pub(super) fn run(args: &ResolveArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let resolution = resolution(args)?;
    let engine = context.engine()?;
    known_step(&tree(&engine, args.run)?, &args.step)?;
    let interrupted = engine.run(args.run)?.interrupted;
    let resolved = wait(async {
        engine.resolve(args.run, &args.step, resolution, context.environment.user()).await?;
        Ok(())
    });
    resolved.map_err(|failure| {
        let run = args.run;
        // What its death has left in doubt is not known before somebody goes on with it.
        let hint = format!("run {run} was interrupted: `aa run resume {run}` finds out what is in doubt");
        if interrupted { failure.hint(hint) } else { failure }
    })?;
    let printer = context.printer;
    printer.say(format_args!("{} {}  resolved", printer.err.mark(Mark::Done), args.step));
    go_on_if_idle(&engine, args.run, args.format, context)
}

fn resolution(args: &ResolveArgs) -> Result<Resolution, Failure> {
    match &args.done {
        Some(json) => {
            let output = aa_spec::json::exact(json.as_bytes()).map_err(|error| {
                Failure::usage(unreadable("`--done`", &error))
                    .hint("a text needs quotes: `--done '\"text\"'`")
            })?;
            Ok(Resolution::Done { output })
        }
        None if args.retry => Ok(Resolution::Retry),
        None => Ok(Resolution::Fail),
    }
}
