//! `aa skill run`

use aa_run::engine::RunRequest;
use aa_run::event::Origin;

use super::inputs;
use crate::args::skill::{RunArgs, RunFormat};
use crate::context::{Context, strictness, wait};
use crate::failure::{Exit, Failure};
use crate::follow;
use crate::report::Reporter;

/// Runs a skill and follows it to its end.
pub(super) fn run(args: RunArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let engine = context.engine()?;
    let request = RunRequest {
        skill: args.skill,
        inputs: inputs::gather(args.inputs, context.printer)?,
        origin: Origin::Cli,
        dry_run: args.dry_run,
        plan_hash: args.plan,
        request_key: args.key,
        strictness: strictness(args.lenient),
        park: context.park(args.format),
    };
    super::warn(&engine, &request.skill, args.lenient, context)?;
    let mut reporter = Reporter::new(args.format, context.printer);
    let exit = wait(async {
        let handle = engine.start(request).await?;
        if reporter.is_live()
            && let Ok(plan) = engine.run_plan(handle.id)
        {
            reporter.expect(plan.skill.steps.iter().map(|step| step.name.as_str()));
        }
        follow::follow(&engine, handle, context, &mut reporter).await
    })?;
    if args.format == RunFormat::Human {
        context.point_out_interrupted(&engine);
    }
    Ok(exit)
}
