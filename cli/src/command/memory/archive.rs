//! `aa memory import` and `aa memory export`

use aa_run::engine::{Archive, Remark};

use crate::args::memory::{ExportArgs, ImportArgs};
use crate::context::{Context, wait};
use crate::failure::{Exit, Failure};
use crate::words;

/// Takes in a folder of YAML files.
pub(super) fn import(args: &ImportArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let engine = context.engine()?;
    let folder = engine.settings().folder.join(&args.from);
    let archive = engine.read_archive(&folder)?;
    let printer = context.printer;
    for Remark { file, message } in &archive.skipped {
        printer.say(words::harmless(&format!("left out {file}: {message}")));
    }
    if !archive.is_whole() {
        return Err(refusal(archive));
    }
    for Remark { file, message } in &archive.notes {
        printer.hint(words::harmless(&format!("{file}: {message}")));
    }
    let found = archive.documents.len();
    if args.dry_run {
        archive.documents.keys().for_each(|key| printer.data(key));
        let keys = words::count(found, "key");
        printer.say(format_args!("{keys} could be taken in; nothing was changed"));
        return Ok(Exit::Ok);
    }
    let done = wait(async { Ok(engine.import_memory(archive, args.replace).await?) })?;
    if !done.differing.is_empty() {
        let what = "what is remembered differs, and nothing was changed";
        let failure = Failure::failed(format!("{what}: {}", words::list(&done.differing)));
        return Err(failure.hint("`--replace` replaces them; `aa memory export` keeps a copy first"));
    }
    let (written, same) = (words::count(done.written.len(), "key"), done.same.len());
    printer.say(format_args!("took in {written}; {same} were there already"));
    Ok(Exit::Ok)
}

/// Everything that keeps a folder from being taken in.
fn refusal(archive: Archive) -> Failure {
    let mut problems =
        archive.problems.into_iter().map(|Remark { file, message }| format!("{file}: {message}"));
    let mut failure = if archive.diagnostics.is_empty() {
        Failure::new(Exit::Invalid, problems.next().unwrap_or_default())
    } else {
        Failure::invalid(archive.diagnostics)
    };
    for problem in problems {
        failure = failure.error(problem);
    }
    failure.hint("nothing was changed")
}

/// Writes everything as a folder of YAML files.
pub(super) fn export(args: &ExportArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let engine = context.engine()?;
    let folder = engine.settings().folder.join(&args.to);
    let force =
        |failure: Failure| if args.force { failure } else { failure.hint("`--force` writes into it") };
    let is_full = std::fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_some());
    let written = engine.export_memory(&folder, args.force).map_err(Failure::from);
    let written = written.map_err(|failure| if is_full { force(failure) } else { failure })?;
    context.printer.say(format_args!(
        "wrote {} to {}",
        words::count(written.len(), "key"),
        args.to.display()
    ));
    Ok(Exit::Ok)
}
