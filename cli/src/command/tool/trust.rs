//! `aa tool trust`

use aa_run::engine::{Change, Engine};
use aa_run::event::StepPath;
use serde_json::Value;

use crate::args::tool::TrustArgs;
use crate::ask::{self, Asker};
use crate::context::{Context, wait};
use crate::difference;
use crate::failure::{Exit, Failure};
use crate::report::tree::Question;
use crate::style::Mark;
use crate::words;

/// Shows what a server says differently now, and trusts it when somebody agrees.
pub(super) fn run(args: &TrustArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let (engine, printer) = (context.engine()?, context.printer);
    let module = &args.module;
    let Some(review) = engine.review_server(module)? else { return Err(no_server(&engine, module)) };
    if review.changes.is_empty() {
        printer.say(format_args!("the server of `{module}` says what is trusted"));
        return Ok(Exit::Ok);
    }
    for change in &review.changes {
        let text =
            |side: &Option<Value>| side.as_ref().map(|value| format!("{value:#}\n")).unwrap_or_default();
        difference::draw(
            &words::harmless(&change.tool),
            &text(&change.before),
            &text(&change.after),
            printer,
        );
    }
    let what = summary(&review.changes);
    if !args.yes && !agrees(module, &what, context)? {
        printer.say(format_args!("nothing is trusted that was not before"));
        return Ok(Exit::Failed);
    }
    wait(async { Ok(engine.trust_server(module, review).await?) })?;
    printer.say(format_args!("{} `{module}` is trusted: {what}", printer.err.mark(Mark::Done)));
    Ok(Exit::Ok)
}

/// `1 tool changed, 2 tools new`.
fn summary(changes: &[Change]) -> String {
    let count = |kind: &str, is: fn(&Change) -> bool| match changes.iter().filter(|change| is(change)).count()
    {
        0 => None,
        count => Some(format!("{} {kind}", words::count(count, "tool"))),
    };
    let parts = [
        count("changed", |change| change.before.is_some() && change.after.is_some()),
        count("new", |change| change.before.is_none()),
        count("gone", |change| change.after.is_none()),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn agrees(module: &str, what: &str, context: &Context<'_>) -> Result<bool, Failure> {
    let printer = context.printer;
    if !printer.can_ask() {
        let failure =
            Failure::failed(format!("`{module}` has other tools now ({what}), and nobody can be asked"));
        return Err(failure.hint("look at the difference, then say `--yes`"));
    }
    let question = Question {
        step: StepPath(module.to_owned()),
        message: format!("trust what the server says now ({what})?"),
        options: vec!["yes".to_owned(), "no".to_owned()],
        form: None,
        default: None,
        until: None,
    };
    ask::put(&question, printer);
    wait(async { Ok(Asker::default().answer(&question, printer).await == "yes") })
}

pub(super) fn no_server(engine: &Engine, module: &str) -> Failure {
    let known = engine.servers().unwrap_or_default();
    let near = aa_spec::name::suggest(module, known.iter().map(|entry| entry.module.as_str()));
    Failure::not_found(format!("there is no module `{module}` over an MCP server")).suggest(near)
}
