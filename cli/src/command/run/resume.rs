//! `aa run resume`

use aa_run::driver::Park;
use aa_run::engine::Engine;
use aa_run::event::RunId;
use aa_run::store::RunFilter;
use aa_serve::local::Wish;

use crate::args::run::ResumeArgs;
use crate::args::skill::RunFormat;
use crate::command::daemon::find;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::follow::{self, Stop};
use crate::report::Reporter;
use crate::words;

/// Goes on with one run, or with every interrupted one.
pub(super) fn run(args: &ResumeArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let engine = context.engine()?;
    let runs = wanted(args, &engine)?;
    if runs.is_empty() {
        context.printer.say("no run is interrupted");
    }
    if args.detach {
        return each(args, runs, context, |run| {
            context.printer.data(find::leave(engine.settings(), &Wish::Resume { run })?);
            Ok(Exit::Ok)
        });
    }
    each(args, runs, context, |run| go_on(&engine, run, args.format, context))
}

/// Does something with each run, and gives the first failure. Of all runs, one that cannot be gone on with does not keep
/// the others.
fn each(
    args: &ResumeArgs,
    runs: Vec<RunId>,
    context: &Context<'_>,
    with: impl Fn(RunId) -> Result<Exit, Failure>,
) -> Result<Exit, Failure> {
    let mut worst = Exit::Ok;
    for run in runs {
        let exit = match with(run) {
            Err(failure) if args.all => failure.report(context.printer),
            exit => exit?,
        };
        if worst == Exit::Ok {
            worst = exit;
        }
        if exit == Exit::Cancelled {
            break;
        }
    }
    Ok(worst)
}

/// Goes on with a run that something was said to, unless somebody else does already.
pub(super) fn go_on_if_idle(
    engine: &Engine,
    run: RunId,
    format: RunFormat,
    context: &Context<'_>,
) -> Result<Exit, Failure> {
    let summary = engine.run(run)?;
    if summary.ended_at.is_some() || summary.driven {
        return Ok(Exit::Ok);
    }
    // The daemon may have found it by itself meanwhile.
    let is_taken = || engine.run(run).is_ok_and(|run| run.driven || run.ended_at.is_some());
    if find::socket(engine.settings()).is_some()
        && (find::leave(engine.settings(), &Wish::Resume { run }).is_ok() || is_taken())
    {
        context.printer.hint(format_args!("the daemon goes on with it; `aa run watch {run}` follows it"));
        return Ok(Exit::Ok);
    }
    go_on(engine, run, format, context)
}

/// Goes on with a run and follows it to its end.
pub(super) fn go_on(
    engine: &Engine,
    run: RunId,
    format: RunFormat,
    context: &Context<'_>,
) -> Result<Exit, Failure> {
    let mut reporter = Reporter::new(format, context.printer);
    for event in engine.events(run, 0)? {
        reporter.catch_up(&event);
    }
    context.wait_traced(engine, async {
        let mut stop = Stop::new()?;
        // Parking first shows which outcomes are unknown; only then can they be asked for.
        let handle = stop.or(engine.resume(run, Park::Release)).await?;
        follow::follow(engine, (handle, stop), context, &mut reporter).await
    })
}

fn wanted(args: &ResumeArgs, engine: &Engine) -> Result<Vec<RunId>, Failure> {
    if let Some(run) = args.run {
        return Ok(vec![engine.run(run)?.id]);
    }
    let filter = RunFilter { interrupted: true, ..RunFilter::default() };
    let mut runs: Vec<RunId> = engine.runs(&filter)?.into_iter().map(|run| run.id).collect();
    runs.reverse();
    if runs.len() > 1 && !args.all {
        let names: Vec<String> = runs.iter().map(ToString::to_string).collect();
        return Err(Failure::usage(format!("several runs are interrupted: {}", words::list(&names)))
            .hint("name one, or use `--all`"));
    }
    Ok(runs)
}
