//! `aa skill check --compat`

use aa_run::engine::{Compat, CompatFile, Engine, Missing, MissingKind, Verdict};

use crate::args::skill::CheckFormat;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::printer::Printer;
use crate::table::Table;
use crate::words;

/// Every verdict, the best first.
const VERDICTS: [Verdict; 5] =
    [Verdict::AsIs, Verdict::WithWarnings, Verdict::Leniently, Verdict::No, Verdict::Unreadable];

/// Says of each file whether it runs, and of all what is missing.
pub(super) fn run(
    engine: &Engine,
    files: &[String],
    format: CheckFormat,
    context: &Context<'_>,
) -> Result<Exit, Failure> {
    let printer = context.printer;
    let compat = match format {
        CheckFormat::Sarif => return Err(Failure::usage("`--compat` prints `human` or `json`")),
        CheckFormat::Human | CheckFormat::Json => engine.compat(files)?,
    };
    if format == CheckFormat::Json {
        printer.data(format_args!("{:#}", document(&compat)));
    } else {
        human(&compat, printer);
    }
    let unreadable = compat.count(Verdict::Unreadable) > 0;
    Ok(if unreadable { Exit::Invalid } else { Exit::Ok })
}

fn document(compat: &Compat) -> serde_json::Value {
    let totals: serde_json::Map<String, serde_json::Value> =
        VERDICTS.iter().map(|verdict| (words::wire(verdict), compat.count(*verdict).into())).collect();
    serde_json::json!({ "files": compat.files, "missing": compat.missing, "totals": totals })
}

fn human(compat: &Compat, printer: &Printer) {
    let mut files = Table::new(&["FILE", "RUNS", "ERRORS", "WARNINGS", "MISSING"]);
    for file in &compat.files {
        let verdict = word(file.verdict).to_owned();
        files.row([
            file.path.clone(),
            verdict,
            file.errors.to_string(),
            file.warnings.to_string(),
            lacks(file),
        ]);
    }
    files.print(printer);
    if !compat.missing.is_empty() {
        printer.data("");
        let mut missing = Table::new(&["MISSING", "KIND", "USES", "FILES"]);
        for Missing { kind, name, uses, files } in &compat.missing {
            missing.row([name.clone(), noun(*kind).to_owned(), uses.to_string(), files.to_string()]);
        }
        missing.print(printer);
    }
    let counts = VERDICTS.iter().map(|verdict| (compat.count(*verdict), word(*verdict)));
    let counts: Vec<String> =
        counts.filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
    printer.say(format_args!("{}: {}", words::count(compat.files.len(), "file"), counts.join(", ")));
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::AsIs => "as is",
        Verdict::WithWarnings => "with warnings",
        Verdict::Leniently => "with --lenient",
        Verdict::No => "no",
        Verdict::Unreadable => "unreadable",
    }
}

fn noun(kind: MissingKind) -> &'static str {
    match kind {
        MissingKind::Tool => "tool",
        MissingKind::Skill => "skill",
        MissingKind::Module => "module",
        MissingKind::Argument => "argument",
    }
}

/// `2 tools, 1 argument; bad-template`.
fn lacks(file: &CompatFile) -> String {
    let kinds = [MissingKind::Tool, MissingKind::Skill, MissingKind::Module, MissingKind::Argument];
    let count = |kind: MissingKind| file.missing.iter().filter(|missing| missing.kind == kind).count();
    let missing = kinds.into_iter().filter(|kind| count(*kind) > 0);
    let missing: Vec<String> = missing.map(|kind| words::count(count(kind), noun(kind))).collect();
    let other: Vec<&str> = file.other.keys().copied().collect();
    let parts = [missing.join(", "), other.join(", ")];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ")
}
