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
    Tool::new(
        spec.name.clone(),
        spec.description.clone(),
        object(spec.written.as_ref().unwrap_or(&spec.input).clone()),
    )
    .with_annotations(annotations)
}

/// Whether arguments of a tool are to stand in headers as well.
pub(crate) fn has_headers(spec: &ToolSpec) -> bool {
    let arguments = spec.input["properties"].as_object();
    arguments.into_iter().flatten().any(|(_, schema)| schema.get("x-mcp-header").is_some())
}

/// Calls it.
pub(crate) async fn call(call: Call<'_>, name: &str) -> Answer {
    let args = call.request.arguments.clone().unwrap_or_default();
    follow::call_tool(call, name, args).await
}
