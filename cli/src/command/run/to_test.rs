//! `aa run to-test`

use std::io::ErrorKind;
use std::path::Path;

use aa_run::cause::cause;

use super::named_or_newest;
use crate::args::run::ToTestArgs;
use crate::context::{Context, wait};
use crate::failure::{Exit, Failure};
use crate::style::Mark;

/// Makes a test of a run.
pub(super) fn run(args: &ToTestArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let engine = context.engine()?;
    let run = named_or_newest(&engine, args.run)?;
    let recording = wait(async { Ok(engine.record(run).await?) })?;
    let printer = context.printer;
    for line in &recording.loosened {
        printer.warning(line);
    }
    let Some(output) = &args.output else {
        if !recording.files.is_empty() {
            return Err(Failure::usage(format!(
                "run {run} has big values, which go to files beside the test"
            ))
            .hint("name the file of the test with `--output`"));
        }
        printer.write(recording.text.as_bytes());
        return Ok(Exit::Ok);
    };
    let path = engine.settings().folder.join(output);
    let folder = path.parent().unwrap_or(&path);
    write_new(&path, &recording.text)?;
    for (name, text) in &recording.files {
        write_new(&folder.join(name), text)?;
    }
    printer.data(output.display());
    printer.say(format_args!("{} run {run} is a test now:", printer.err.mark(Mark::Done)));
    printer.say(format_args!("  aa skill test {}", output.display()));
    Ok(Exit::Ok)
}

/// Writes a file that must not be there yet.
fn write_new(path: &Path, text: &str) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        let message = format!("cannot write `{}`: {}", path.display(), cause(&error));
        match error.kind() {
            ErrorKind::AlreadyExists => Failure::usage(format!("`{}` exists already", path.display()))
                .hint("name another file with `--output`, or remove it first"),
            _ => Failure::failed(message),
        }
    };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut file = std::fs::File::create_new(path).map_err(failed)?;
    std::io::Write::write_all(&mut file, text.as_bytes()).map_err(failed)
}
