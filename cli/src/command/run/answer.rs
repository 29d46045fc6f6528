//! `aa run answer`

use aa_run::standing::step_of;
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
    let step = step_of(&args.step.0);
    known_step(&tree, &step)?;
    let question = tree.questions().find(|question| question.step == step);
    let answer = given(question, &args.answer)?;
    wait(async {
        let by = context.environment.user();
        // A step alone is about whatever it asks now; with a number it is that question and no other.
        if step == args.step {
            engine.answer(args.run, &step, &answer, by).await?;
        } else {
            let asked = engine.question(args.run, &args.step.0)?;
            engine.answer_question(args.run, &asked, &answer, by).await?;
        }
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
