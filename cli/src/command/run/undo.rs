//! `aa run undo`

use aa_run::engine::{Engine, StartError};
use aa_run::event::StepPath;
use aa_spec::tool::Effect;

use crate::args::run::UndoArgs;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::follow::{self, Stop};
use crate::report::Reporter;
use crate::report::tree::{Node, State, Tree};
use crate::words;

/// Takes back the completed steps of a run that is over.
pub(super) fn run(args: &UndoArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let engine = context.engine()?;
    let mut reporter = Reporter::new(args.format, context.printer);
    for event in engine.events(args.run, 0)? {
        reporter.catch_up(&event);
    }
    let exit = context.wait_traced(&engine, async {
        let mut stop = Stop::new()?;
        let begun = async {
            match engine.undo(args.run, context.environment.user()).await {
                Err(StartError::NothingLeft(_)) => Ok(None),
                begun => begun.map(Some),
            }
        };
        let Some(handle) = stop.or(begun).await? else {
            context.printer.say(format_args!("nothing of run {} is left to take back", args.run));
            return Ok(Exit::Ok);
        };
        follow::follow(&engine, (handle, stop), context, &mut reporter).await
    })?;
    if reporter.is_for_people() {
        point_out_rest(&engine, &reporter.tree, context)?;
    }
    Ok(exit)
}

/// Says what stays as it is, because its steps do not say how to take it back.
fn point_out_rest(engine: &Engine, tree: &Tree, context: &Context<'_>) -> Result<(), Failure> {
    if tree.dry_run {
        return Ok(());
    }
    let mut rest = Vec::new();
    for node in &tree.nodes {
        let Some(tool) = node.target.as_deref().filter(|_| node.kind == "tool") else { continue };
        let done = matches!(node.state, State::Done(_)) && !is_taken_back(node, tree);
        if done && engine.tool(tool)?.is_some_and(|spec| spec.effect != Effect::Read) {
            rest.push(node.path.0.as_str());
        }
    }
    if !rest.is_empty() {
        let stay = if rest.len() == 1 { "stays: it has" } else { "stay: they have" };
        context.printer.hint(format_args!("what {} did {stay} no `undo`", words::list(&rest)));
    }
    Ok(())
}

/// Whether it, or something that it is part of, has an undo: then that is what is said of it.
fn is_taken_back(node: &Node, tree: &Tree) -> bool {
    let outer = |node: &&Node| tree.nodes.get(node.parent?);
    std::iter::successors(Some(node), outer)
        .any(|node| tree.node(&StepPath(format!("{}#undo", node.path))).is_some())
}
