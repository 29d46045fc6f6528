//! `aa run answer`

use aa_spec::form;
use serde_json::Value;

use super::resume::go_on_if_idle;
use super::{known_step, tree};
use crate::args::run::AnswerArgs;
use crate::context::{Context, wait};
use crate::failure::{Exit, Failure};
use crate::report::tree::Question;
use crate::style::Mark;

/// Answers a question of a run, and goes on with it when nobody else does.
pub(super) fn run(args: &AnswerArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let engine = context.engine()?;
    let tree = tree(&engine, args.run)?;
    known_step(&tree, &args.step)?;
    let question = tree.questions().find(|question| question.step == args.step);
    let answer = given(question, &args.answer)?;
    wait(async {
        engine.answer(args.run, &args.step, &answer, context.environment.user()).await?;
        Ok(())
    })?;
    let printer = context.printer;
    printer.say(format_args!("{} {}  {answer}", printer.err.mark(Mark::Done), args.step));
    go_on_if_idle(&engine, args.run, args.format, context)
}

/// What was typed, as an answer: an option, or the fields of a form as JSON.
fn given(question: Option<&Question>, typed: &[String]) -> Result<String, Failure> {
    let option = typed.join(" ");
    match question {
        Some(Question { form: Some(form), options, .. }) if !options.contains(&option) => {
            let values = form::read(form, typed).map_err(Failure::usage)?;
            Ok(Value::Object(values).to_string())
        }
        _ => Ok(option),
    }
}
