//! `aa skill run`

use std::path::Path;

use aa_run::engine::{Engine, Inputs, RunRequest};
use aa_run::event::Origin;
use aa_run::store::Hand;
use aa_serve::local::{Start, Wish};
use aa_spec::source::Source;
use aa_spec::stub::Checked;
use serde_json::{Map, json};

use super::inputs;
use crate::args::skill::{RunArgs, RunFormat};
use crate::command::daemon::find;
use crate::context::{Context, strictness};
use crate::diagnostic;
use crate::failure::{Exit, Failure};
use crate::follow::{self, Stop};
use crate::report::Reporter;

/// Runs a skill and follows it to its end.
pub(super) fn run(args: &RunArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let hand = Hand::ahead().ok();
    let engine = context.engine()?;
    engine.expect_run(hand);
    let stubs = match &args.stub_tools {
        Some(file) => Some(stubs(&engine, file, args, context)?),
        None => None,
    };
    let request = RunRequest {
        skill: args.skill.clone(),
        inputs: inputs::gather(args.inputs.clone(), context.printer)?,
        origin: Origin::Cli,
        dry_run: args.dry_run,
        plan_hash: args.plan.clone(),
        request_key: args.key.clone(),
        strictness: strictness(args.lenient),
        park: context.park(args.format),
    };
    super::warn(&engine, &request.skill, args.lenient, context)?;
    if args.detach {
        return detach(&engine, request, args, context);
    }
    let mut reporter = Reporter::new(args.format, context.printer);
    let mut stage = None;
    let exit = context.wait_traced(&engine, async {
        let mut stop = Stop::new()?;
        let handle = match &stubs {
            Some((_, checked)) => {
                let script = checked.script.clone();
                stop.or(Box::pin(engine.start_stubbed(request, script))).await?
            }
            None => stop.or(Box::pin(engine.start(request))).await?,
        };
        stage.clone_from(&handle.stage);
        if reporter.is_live()
            && let Ok(plan) = engine.run_plan(handle.id)
        {
            reporter.expect(plan.skill.steps.iter().map(|step| step.name.as_str()));
        }
        follow::follow(&engine, (handle, stop), context, &mut reporter).await
    })?;
    if let (Some((source, checked)), Some(stage)) = (&stubs, &stage) {
        diagnostic::draw_all(&stage.unused_of(source, checked), context.printer);
    }
    if args.format == RunFormat::Human {
        context.point_out_interrupted(&engine);
    }
    Ok(exit)
}

/// Leaves the run to the daemon, once it is known to fit.
fn detach(
    engine: &Engine,
    request: RunRequest,
    args: &RunArgs,
    context: &Context<'_>,
) -> Result<Exit, Failure> {
    engine.plan(&request)?;
    let (json, text) = match request.inputs {
        Inputs::Text(text) => (Map::new(), text),
        Inputs::Json(json) => (json, Vec::new()),
        Inputs::Mixed { json, text } => (json, text),
    };
    let start = Start {
        skill: request.skill,
        json,
        text,
        dry_run: request.dry_run,
        plan_hash: request.plan_hash,
        request_key: request.request_key,
        lenient: args.lenient,
    };
    let run = find::leave(engine.settings(), &Wish::Start(start))?;
    match args.format {
        RunFormat::Json => context.printer.data(json!({"run": run})),
        RunFormat::Human | RunFormat::Quiet => context.printer.data(run),
    }
    context.printer.hint(format_args!("the daemon runs it; `aa run watch {run}` follows it"));
    Ok(Exit::Ok)
}

/// The canned answers of a file; what is doubtful in it is said.
fn stubs(
    engine: &Engine,
    file: &Path,
    args: &RunArgs,
    context: &Context<'_>,
) -> Result<(Source, Checked), Failure> {
    let found = engine.stubs(file, &args.skill, strictness(args.lenient))?;
    let Some(checked) = found.checked else { return Err(Failure::invalid(found.diagnostics)) };
    diagnostic::draw_all(&found.diagnostics, context.printer);
    Ok((found.source, checked))
}
