//! A tool of a module as a tool of the server.

use aa_spec::tool::{Effect, ToolSpec};
use rmcp::model::{Tool, ToolAnnotations};

use super::core::object;
use super::follow;
use super::server::{Answer, Call};

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
    follow::call_tool(call, name, args).await
}
