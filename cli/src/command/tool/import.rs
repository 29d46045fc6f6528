//! `aa tool import …`

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use aa_run::cause::cause;
use aa_spec::openapi::{self, ImportError, Wanted};
use aa_spec::source::Source;

use crate::args::tool::import::{From, ImportArgs, OpenapiArgs};
use crate::command::skill::new::write_new;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::style::Mark;
use crate::words;

/// Makes a tool module of a description of a service.
pub(super) fn run(args: ImportArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    match args.from {
        From::Openapi(args) => openapi(&args, context),
    }
}

fn openapi(args: &OpenapiArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let shown = args.file.display();
    let source = read(&args.file)
        .map_err(|error| Failure::not_found(format!("cannot read `{shown}`: {}", cause(&error))))?;
    let printer = context.printer;
    let wanted = Wanted { module: module(args)?, tags: args.tags.clone(), prefix: args.prefix.clone() };
    let imported = match openapi::import(&source, &wanted) {
        Ok(imported) => imported,
        Err(ImportError::Unreadable(problem)) => return Err(Failure::invalid(vec![*problem])),
        Err(error) => return Err(Failure::new(Exit::Invalid, format!("`{shown}`: {error}"))),
    };
    match &args.out {
        Some(out) => {
            write_new(out, &imported.text)?;
            printer.data(out.display());
        }
        None => printer.data(imported.text.trim_end()),
    }
    for note in &imported.notes {
        printer.say(format_args!("note: {note}"));
    }
    let count = words::count(imported.tools, "tool");
    printer.say(format_args!("{} {count} in the module `{}`", printer.err.mark(Mark::Done), imported.module));
    Ok(Exit::Ok)
}

/// The file that is written gives the module its name.
fn module(args: &OpenapiArgs) -> Result<Option<String>, Failure> {
    let Some(out) = &args.out else { return Ok(None) };
    let stem = out.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    if !aa_spec::name::is_valid(&stem) {
        return Err(Failure::usage(format!("`{stem}` cannot be the name of a tool module"))
            .hint("a letter, then letters, digits, `-` and `_`"));
    }
    Ok(Some(stem))
}

/// The text of a document, if it is no larger than documents may be.
fn read(path: &Path) -> io::Result<Source> {
    let mut text = String::new();
    let most = openapi::MAX_JSON_BYTES as u64 + 1;
    File::open(path)?.take(most).read_to_string(&mut text)?;
    if text.len() > openapi::MAX_JSON_BYTES {
        return Err(io::Error::other(format!("it has more than {} bytes", openapi::MAX_JSON_BYTES)));
    }
    Ok(Source::new(path.display().to_string(), text))
}
