//! `aa tool guide`

use serde_json::{Value, json};

use super::trust::no_server;
use crate::args::Format;
use crate::args::tool::GuideArgs;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::table::Table;
use crate::words;

/// Shows what a server offers to read, or a file of it.
pub(super) fn run(args: &GuideArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    match &args.name {
        Some(name) => show(args, name, context),
        None => list(args, context),
    }
}

fn list(args: &GuideArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let (engine, printer) = (context.engine()?, context.printer);
    let Some(guides) = engine.guides(&args.module)? else { return Err(no_server(&engine, &args.module)) };
    if args.format.format == Format::Json {
        let told = guides
            .iter()
            .map(|guide| json!({"name": guide.name, "description": guide.description, "files": guide.files}));
        printer.data(format_args!("{:#}", told.collect::<Value>()));
        return Ok(Exit::Ok);
    }
    let mut table = Table::new(&["NAME", "FILES", "DESCRIPTION"]);
    for guide in guides {
        let files = guide.files.len().to_string();
        table.row([words::harmless(&guide.name), files, words::harmless(&guide.description)]);
    }
    table.print(printer);
    Ok(Exit::Ok)
}

fn show(args: &GuideArgs, name: &str, context: &Context<'_>) -> Result<Exit, Failure> {
    let (engine, printer) = (context.engine()?, context.printer);
    let file = args.file.as_deref();
    let Some(bytes) = engine.guide(&args.module, name, file)? else {
        return Err(no_server(&engine, &args.module));
    };
    if args.format.format == Format::Json {
        let Ok(text) = String::from_utf8(bytes) else {
            return Err(Failure::failed("the file is not text")
                .hint("without `--format json` it is written as it is"));
        };
        let file = file.unwrap_or("SKILL.md");
        printer.data(format_args!("{:#}", json!({"name": name, "file": file, "text": text})));
        return Ok(Exit::Ok);
    }
    match std::str::from_utf8(&bytes) {
        // A terminal does what it reads.
        Ok(text) if printer.out_is_terminal() => printer.data(words::harmless(text).trim_end()),
        _ => printer.write(&bytes),
    }
    Ok(Exit::Ok)
}
