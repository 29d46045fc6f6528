//! `aa persona show`

use aa_run::engine::Engine;
use aa_run::persona::{Choice, View, ViewError};
use serde_json::{Value, json};

use super::unknown;
use crate::args::Format;
use crate::args::persona::ShowArgs;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::page::Page;
use crate::style::Tone;
use crate::words;

/// Shows what a client sees that has loaded a persona.
pub(super) fn run(args: &ShowArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let engine = context.engine()?;
    let view = match engine.view(&Choice::Persona(args.persona.clone())) {
        Ok(view) => view,
        Err(error) => return Err(why_not(&engine, &args.persona, error)),
    };
    let printer = context.printer;
    if args.format.format == Format::Json {
        printer.data(format_args!("{:#}", document(&view)));
    } else {
        let mut page = Page::new(printer);
        human(&view, &mut page);
        page.print(printer);
    }
    for broken in &view.broken {
        let first = broken.problems.first().map(String::as_str).unwrap_or_default();
        printer.hint(format_args!("the skill `{}` has errors and is not shown: {first}", broken.name));
    }
    Ok(Exit::Ok)
}

fn why_not(engine: &Engine, name: &str, error: ViewError) -> Failure {
    match error {
        ViewError::UnknownPersona { .. } => unknown(engine, name),
        ViewError::Invalid { diagnostics, .. } => Failure::invalid(diagnostics),
        other => Failure::failed(other.to_string()),
    }
}

fn document(view: &View) -> Value {
    let persona = view.persona.as_ref();
    json!({
        "name": persona.map(|persona| &persona.name),
        "description": persona.map(|persona| &persona.description),
        "path": persona.map(|persona| &persona.path),
        "text": view.text,
        "skills": view.skills.iter().map(|card| &card.name).collect::<Vec<_>>(),
        "tools": view.tools.iter().map(|tool| &tool.name).collect::<Vec<_>>(),
    })
}

fn human(view: &View, page: &mut Page) {
    let palette = page.palette;
    if let Some(persona) = &view.persona {
        page.line(format_args!(
            "{}  {}",
            palette.paint(Tone::Strong, &persona.name),
            palette.paint(Tone::Dim, &persona.path)
        ));
        page.block(&persona.description);
    }
    page.section("skills");
    page.columns(
        view.skills
            .iter()
            .map(|card| [card.name.clone(), words::wire(&card.effect), card.summary().to_owned()]),
    );
    page.section("tools");
    page.columns(
        view.tools
            .iter()
            .map(|tool| [tool.name.clone(), words::wire(&tool.effect), tool.description.clone()]),
    );
    if !view.text.is_empty() {
        page.section("text");
        page.block(&view.text);
    }
}
