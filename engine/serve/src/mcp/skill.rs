//! A skill as a tool of its own.

use std::sync::Arc;

use aa_run::card::Card;
use aa_spec::tool::Effect;
use rmcp::model::{Tool, ToolAnnotations};

use super::follow::{self, Wanted};
use super::server::{Answer, Call};
use super::{names, schema};

/// The name that clients see.
pub(crate) fn name(card: &Card) -> String {
    names::shown(&card.name)
}

/// What clients are told.
pub(crate) fn definition(card: &Card) -> Tool {
    let read = card.effect == Effect::Read;
    let annotations = ToolAnnotations::with_title(&card.title)
        .read_only(read)
        .destructive(matches!(card.effect, Effect::Destructive | Effect::Unknown))
        .idempotent(card.idempotent)
        .open_world(card.open_world);
    let asks = if card.asks { "\nMay ask a person before it goes on." } else { "" };
    Tool::new(name(card), format!("{}{asks}", card.description), schema::input(&card.input))
        .with_title(card.title.clone())
        .with_raw_output_schema(Arc::new(schema::of_run(&card.output)))
        .with_annotations(annotations)
}

/// Runs it.
pub(crate) async fn call(call: Call<'_>, card: &Card) -> Answer {
    let inputs = call.request.arguments.clone().unwrap_or_default();
    follow::run(call, Wanted { skill: card.name.clone(), inputs, ..Wanted::default() }).await
}
