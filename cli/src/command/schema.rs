//! `aa schema`

use aa_spec::schema;

use crate::args::{SchemaArgs, SchemaKind};
use crate::context::Context;
use crate::failure::Exit;

/// Prints the JSON Schema of a kind of file.
pub(super) fn run(args: &SchemaArgs, context: &Context<'_>) -> Exit {
    let schema = match args.kind {
        SchemaKind::Event => schema::of::<aa_run::event::Event>(),
        SchemaKind::Openapi => aa_serve::api::document(),
        SchemaKind::Skill => named("skill.json"),
        SchemaKind::Stubs => named("stubs.json"),
        SchemaKind::Test => named("test.json"),
        SchemaKind::Tool => named("tool.json"),
        SchemaKind::Config => named("config.json"),
        SchemaKind::Persona => named("persona.json"),
    };
    context.printer.data(format_args!("{schema:#}"));
    Exit::Ok
}

fn named(file: &str) -> serde_json::Value {
    let all = schema::all();
    all.into_iter().find(|(name, _)| *name == file).map(|(_, schema)| schema).unwrap_or_default()
}
