//! A tool of a module as a tool of the server.

use std::sync::Arc;

use aa_spec::tool::{Effect, ToolSpec};
use rmcp::model::{Tool, ToolAnnotations};

use super::content;
use super::core::object;
use super::server::{Answer, Call, failed};

/// What clients are told.
pub(crate) fn definition(spec: &ToolSpec) -> Tool {
    let read = spec.effect == Effect::Read;
    let annotations = ToolAnnotations::new()
        .read_only(read)
        .destructive(spec.effect == Effect::Destructive)
        .idempotent(read || spec.idempotent)
        .open_world(true);
    Tool::new(spec.name.clone(), spec.description.clone(), object(spec.input.clone()))
        .with_annotations(annotations)
}

/// Calls it.
pub(crate) async fn call(call: Call<'_>, name: &str) -> Answer {
    let args = call.request.arguments.clone().unwrap_or_default();
    match call.visit.engine.call_tool(name, args, Arc::new(|_: &str| {})).await {
        Ok(value) => Ok(content::answer(value, &call.visit.engine.settings().folder)),
        Err(error) => Ok(failed(error.message)),
    }
}
