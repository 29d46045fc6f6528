//! `aa schedule pause` and `aa schedule resume`

use super::{now, point_out_idle};
use crate::args::schedule::{PauseArgs, ResumeArgs};
use crate::context::{Context, wait};
use crate::failure::{Exit, Failure};

/// Holds a schedule.
pub(super) fn pause(args: &PauseArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let engine = context.engine()?;
    let by = context.environment.user();
    wait(async { Ok(engine.pause_schedule(&args.schedule, by, &args.reason, now()).await?) })?;
    context.printer.say(format_args!("`{}` is held until `aa schedule resume {0}`", args.schedule));
    Ok(Exit::Ok)
}

/// Lets a schedule go on.
pub(super) fn resume(args: &ResumeArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let (engine, by) = (context.engine()?, context.environment.user());
    wait(async { Ok(engine.resume_schedule(&args.schedule, by, now()).await?) })?;
    let next = engine.schedule(&args.schedule, now())?;
    context.printer.say(format_args!("`{}` runs {}", next.name, super::list::next(&next, now())));
    point_out_idle(&engine, context);
    Ok(Exit::Ok)
}
