//! `aa run …`

mod answer;
mod cancel;
mod diff;
mod explain;
mod list;
mod resolve;
mod resume;
mod show;
mod to_test;
mod undo;
mod watch;

use aa_run::engine::Engine;
use aa_run::event::{RunId, StepPath};
use aa_run::store::RunFilter;

use crate::args::run::Command;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::report::tree::Tree;

/// Runs a command about runs.
pub(super) fn run(command: Command, context: &Context<'_>) -> Result<Exit, Failure> {
    match command {
        Command::List(args) => list::run(&args, context),
        Command::Show(args) => show::run(&args, context),
        Command::Watch(args) => watch::run(&args, context),
        Command::Resume(args) => resume::run(&args, context),
        Command::Cancel(args) => cancel::run(&args, context),
        Command::Answer(args) => answer::run(&args, context),
        Command::Resolve(args) => resolve::run(&args, context),
        Command::Undo(args) => undo::run(&args, context),
        Command::Explain(args) => explain::run(&args, context),
        Command::Diff(args) => diff::run(&args, context),
        Command::ToTest(args) => to_test::run(&args, context),
    }
}

/// The run that was named, or the newest one.
fn named_or_newest(engine: &Engine, run: Option<RunId>) -> Result<RunId, Failure> {
    if let Some(run) = run {
        return Ok(engine.run(run)?.id);
    }
    let newest = engine.runs(&RunFilter { limit: Some(1), ..RunFilter::default() })?;
    newest
        .first()
        .map(|run| run.id)
        .ok_or_else(|| Failure::not_found("there are no runs yet").hint("`aa skill run SKILL` starts one"))
}

/// Everything that its events say about a run.
fn tree(engine: &Engine, run: RunId) -> Result<Tree, Failure> {
    let mut tree = Tree::default();
    for event in engine.events(run, 0)? {
        tree.apply(&event);
    }
    Ok(tree)
}

/// Makes sure that a run has a step of that path.
fn known_step(tree: &Tree, step: &StepPath) -> Result<(), Failure> {
    if tree.node(step).is_some() {
        return Ok(());
    }
    let known = tree.nodes.iter().map(|node| node.path.0.as_str());
    let near = aa_spec::name::suggest(&step.0, known).map(ToOwned::to_owned);
    Err(Failure::not_found(format!("run {} has no step `{step}` so far", tree.run)).suggest(near.as_deref()))
}
