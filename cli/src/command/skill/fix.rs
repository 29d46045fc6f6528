//! `aa skill fix`

use aa_run::engine::MendedSkill;
use aa_spec::check::Strictness;
use aa_spec::diagnostic::{Diagnostic, has_errors};
use serde_json::{Value, json};

use super::check::wanted;
use crate::args::Format;
use crate::args::skill::FixArgs;
use crate::context::Context;
use crate::diagnostic;
use crate::difference;
use crate::failure::{Exit, Failure};
use crate::printer::Printer;
use crate::style::Mark;
use crate::words;

/// Rewrites skills where it is clear what was meant.
pub(super) fn run(args: &FixArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let engine = context.engine()?;
    let names = wanted(&args.skills, &engine)?;
    let mended = names.iter().map(|name| engine.mend(name, Strictness::default()));
    let mended = mended.collect::<Result<Vec<_>, _>>()?;
    if !args.dry_run {
        for one in mended.iter().filter(|one| one.changes()) {
            engine.write_mended(one)?;
        }
    }
    match args.format.format {
        Format::Json => {
            let all: Vec<Value> = mended.iter().map(|one| document(one, args.dry_run)).collect();
            context.printer.data(format_args!("{:#}", Value::from(all)));
        }
        Format::Human => human(&mended, args.dry_run, context.printer),
    }
    let invalid = mended.iter().any(|one| has_errors(&one.left));
    Ok(if invalid { Exit::Invalid } else { Exit::Ok })
}

fn document(mended: &MendedSkill, dry_run: bool) -> Value {
    let objects = |all: &[Diagnostic]| all.iter().map(diagnostic::object).collect::<Vec<_>>();
    json!({
        "path": &*mended.before.path,
        "changed": mended.changes(),
        "written": mended.changes() && !dry_run,
        "fixed": objects(&mended.fixed),
        "left": objects(&mended.left),
        "text": &*mended.after.text,
    })
}

fn human(mended: &[MendedSkill], dry_run: bool, printer: &Printer) {
    for one in mended {
        if one.changes() && (dry_run || printer.out_is_terminal()) {
            difference(one, printer);
        }
        diagnostic::draw_all(&one.left, printer);
    }
    for one in mended {
        let mark = printer.err.mark(if has_errors(&one.left) { Mark::Failed } else { Mark::Done });
        printer.say(format_args!("{mark} {}: {}", one.before.path, outcome(one, dry_run)));
    }
}

fn outcome(mended: &MendedSkill, dry_run: bool) -> String {
    let fixed = match (mended.fixed.len(), dry_run) {
        (0, _) => "nothing to fix".to_owned(),
        (count, true) => format!("{} would be fixed", words::count(count, "problem")),
        (count, false) => format!("{} fixed", words::count(count, "problem")),
    };
    match &mended.left[..] {
        [] => fixed,
        left => format!("{fixed}, {} left", words::count(left.len(), "problem")),
    }
}

fn difference(mended: &MendedSkill, printer: &Printer) {
    difference::draw(&mended.before.path, &mended.before.text, &mended.after.text, printer);
}
