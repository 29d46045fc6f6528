//! `aa listen`

use std::path::Path;

use aa_run::engine::Engine;
use aa_run::event::StepError;
use aa_run::listen::Tidings;
use aa_run::store::Pending;
use aa_spec::diagnostic::{Diagnostic, Severity};
use aa_spec::name::fold;
use aa_spec::tool::ErrorKind;
use serde_json::Value;
use tokio::sync::mpsc;

use crate::args::{Format, ListenArgs};
use crate::context::{Context, wait};
use crate::failure::{Exit, Failure};
use crate::follow::Stop;
use crate::printer::Printer;
use crate::words;

/// How much of an item is shown.
const SHOWN: usize = 200;

/// Listens until it is stopped, or looks once.
pub(super) fn run(args: &ListenArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let engine = context.engine()?;
    let Some(module) = &args.module else { return list(&engine.listening()?, context.printer) };
    let listener = engine.listener(module).map_err(|error| match problems(&engine, module) {
        found if found.is_empty() => failure(&error),
        found => Failure::invalid(found),
    })?;
    let format = args.format.format;
    let printer = context.printer;
    let (tell, mut told) = mpsc::unbounded_channel();
    wait(async {
        if args.once {
            let looked = listener.once(&tell).await;
            while let Ok(tidings) = told.try_recv() {
                show(&tidings, format, printer);
            }
            if looked.map_err(|error| failure(&error))? == 0 {
                printer.say("nothing new");
            }
            return Ok(Exit::Ok);
        }
        let mut stop = Stop::new()?;
        let work = listener.run(&tell);
        tokio::pin!(work);
        loop {
            tokio::select! {
                () = stop.asked() => return Ok(Exit::Ok),
                Some(tidings) = told.recv() => show(&tidings, format, printer),
                () = &mut work => {}
            }
        }
    })
}

/// What is wrong with a module, which then does not listen.
fn problems(engine: &Engine, module: &str) -> Vec<Diagnostic> {
    let file = |problem: &Diagnostic| {
        let stem = Path::new(&*problem.source.path).file_stem().map(|stem| fold(&stem.to_string_lossy()));
        stem.is_some_and(|stem| stem == fold(module))
    };
    let mut found = engine.tool_problems().unwrap_or_default();
    found.retain(|problem| problem.severity == Severity::Error && file(problem));
    found
}

/// The modules that can listen.
fn list(names: &[String], printer: &Printer) -> Result<Exit, Failure> {
    if names.is_empty() {
        return Err(Failure::not_found("no module listens").hint("`aa schema tool` describes `listener`"));
    }
    for name in names {
        printer.data(name);
    }
    Ok(Exit::Ok)
}

fn show(tidings: &Tidings, format: Format, printer: &Printer) {
    match tidings {
        Tidings::Heard(pending) if format == Format::Json => {
            printer.data(serde_json::to_string(pending).unwrap_or_default());
        }
        Tidings::Heard(pending) => printer.data(words::harmless(&line(pending))),
        Tidings::Connected => printer.say("connected"),
        Tidings::Disconnected(why) => {
            printer.warning(format_args!("not connected: {}; asking instead", words::harmless(why)));
        }
        Tidings::Trouble(error) => printer.warning(words::harmless(&error.message)),
        Tidings::Looked => {}
    }
}

/// The number, and what it says: its text, if it has one.
fn line(pending: &Pending) -> String {
    let said = match pending.item.get("text").unwrap_or(&pending.item) {
        Value::String(text) => text.split_whitespace().collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    };
    let name = pending.person.as_ref().and_then(|person| person.get("name")).and_then(Value::as_str);
    let who = name.map(|name| format!("{name}: ")).unwrap_or_default();
    let place = if pending.source.is_empty() { String::new() } else { format!("{}  ", pending.source) };
    format!("{}  {place}{who}{}", pending.id, said.chars().take(SHOWN).collect::<String>())
}

fn failure(error: &StepError) -> Failure {
    match error.kind {
        ErrorKind::NotFound => {
            Failure::not_found(&error.message).hint("`aa listen` lists the modules that listen")
        }
        _ => Failure::failed(&error.message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_who_and_what() {
        let mut pending = Pending {
            id: 3,
            key: "k".to_owned(),
            source: "C1".to_owned(),
            heard_at: chrono::DateTime::UNIX_EPOCH,
            item: serde_json::json!({"text": "two\nlines"}),
            person: Some(serde_json::json!({"name": "Ute"})),
            claimed_until: None,
        };
        assert_eq!(line(&pending), "3  C1  Ute: two lines");
        pending.person = None;
        pending.source = String::new();
        pending.item = serde_json::json!({"a": 1});
        assert_eq!(line(&pending), "3  {\"a\":1}");
    }
}
