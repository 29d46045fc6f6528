//! `aa schedule run`

use super::now;
use crate::args::schedule::RunArgs;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::follow::{self, Stop};
use crate::report::Reporter;

/// Runs a schedule now, and follows the run to its end.
pub(super) fn run(args: &RunArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let (engine, by) = (context.engine()?, context.environment.user());
    engine.expect_run(None);
    let mut reporter = Reporter::new(args.format, context.printer);
    context.wait_traced(&engine, async {
        let mut stop = Stop::new()?;
        let triggered = {
            let run = engine.run_schedule(&args.schedule, None, (by, now()), context.park(args.format));
            stop.or(Box::pin(run)).await?
        };
        if reporter.is_live()
            && let Ok(plan) = engine.run_plan(triggered.handle.id)
        {
            reporter.expect(plan.skill.steps.iter().map(|step| step.name.as_str()));
        }
        let (known, slot) = (triggered.known, triggered.slot);
        let exit = follow::follow(&engine, (triggered.handle, stop), context, &mut reporter).await;
        engine.settle_triggered(&known, &slot).await?;
        exit
    })
}
