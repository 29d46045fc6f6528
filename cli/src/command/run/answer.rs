//! `aa run answer`

use super::resume::go_on_if_idle;
use super::{known_step, tree};
use crate::args::run::AnswerArgs;
use crate::context::{Context, wait};
use crate::failure::{Exit, Failure};
use crate::style::Mark;

/// Answers a question of a run, and goes on with it when nobody else does.
pub(super) fn run(args: &AnswerArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let engine = context.engine()?;
    known_step(&tree(&engine, args.run)?, &args.step)?;
    wait(async {
        engine.answer(args.run, &args.step, &args.answer, context.environment.user()).await?;
        Ok(())
    })?;
    let printer = context.printer;
    printer.say(format_args!("{} {}  {}", printer.err.mark(Mark::Done), args.step, args.answer));
    go_on_if_idle(&engine, args.run, args.format, context)
}
