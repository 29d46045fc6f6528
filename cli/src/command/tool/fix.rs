//! `aa tool fix`

use std::io::BufRead;

use aa_run::engine::{Committed, Engine, ToolFix};

use super::named;
use crate::args::tool::FixArgs;
use crate::context::{Context, wait};
use crate::difference;
use crate::failure::{Exit, Failure};
use crate::printer::Printer;
use crate::style::Mark;
use crate::words;

/// Makes the change that would mend a tool, when a person says so.
pub(super) fn run(args: &FixArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let engine = context.engine()?;
    let tool = named(&engine, &args.tool, context.printer)?;
    let printer = context.printer;
    let Some(fix) = engine.tool_fix(&tool.name, args.error.as_deref().unwrap_or_default())? else {
        let failure = Failure::failed(format!("no rule knows how to mend `{}`", tool.name));
        return Err(failure.hint(format!("`aa tool debug {}` says what is known", tool.name)));
    };
    show(&fix, printer);
    if !args.yes && !confirmed(&fix, printer)? {
        printer.say("nothing was changed");
        return Ok(Exit::Failed);
    }
    let before = engine.apply_fix(&fix)?;
    let mark = printer.err.mark(Mark::Done);
    printer.say(format_args!("{mark} `{}` is mended in {}", fix.tool, fix.target.display()));
    let failing = failing_examples(&engine, &fix.tool)?;
    if failing > 0 {
        let examples = words::count(failing, "example");
        printer.warning(format_args!("not as its examples say: {examples}; nothing is committed"));
        printer.hint(format_args!("`aa tool test {}` shows why", fix.tool));
        return Ok(Exit::Failed);
    }
    if !args.no_commit {
        match engine.commit_fix(&fix, before) {
            Committed::Yes => printer.say(format_args!("{mark} committed")),
            Committed::NotTracked => printer.say("not committed: the file is not under version control"),
            Committed::Edited => {
                printer.say("not committed: the file had changes before that are in no commit");
            }
            Committed::Refused(why) => {
                printer.warning(format_args!("it could not be committed: {}", words::harmless(&why)));
            }
        }
    }
    Ok(Exit::Ok)
}

/// How many of a tool's examples do not come to what was recorded.
fn failing_examples(engine: &Engine, tool: &str) -> Result<usize, Failure> {
    let specimens = engine.specimens(&[tool.to_owned()])?;
    let own: Vec<_> = specimens.iter().filter(|of| of.spec.name == tool).collect();
    wait(async {
        let mut failing = 0;
        for of in own {
            for index in 0..of.examples.len() {
                failing += usize::from(!engine.try_example(of, index, false).await?.faults.is_empty());
            }
        }
        Ok(failing)
    })
}

fn show(fix: &ToolFix, printer: &Printer) {
    difference::show(&fix.patch.diff, printer);
    printer.say(words::harmless(&fix.patch.what));
    if fix.copied {
        let (path, target) = (&fix.patch.path, fix.target.display());
        printer.say(format_args!("`{path}` is copied to `{target}` first, which wins over it from then on"));
    }
}

/// Asks the person at the terminal; without one nothing is changed.
fn confirmed(fix: &ToolFix, printer: &Printer) -> Result<bool, Failure> {
    if !printer.can_ask() {
        let failure = Failure::usage(format!("nobody is here to confirm the change of `{}`", fix.tool));
        return Err(failure.hint("`--yes` makes it without asking"));
    }
    printer.prompt("make this change? [y/N] ");
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    Ok(read.is_ok() && matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}
