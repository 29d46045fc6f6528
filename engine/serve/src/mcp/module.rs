//! A tool of a module as a tool of the server.

use std::sync::Arc;

use aa_run::card::{is_open, title};
use aa_spec::input::fits;
use aa_spec::tool::{Effect, ToolSpec};
use rmcp::model::{CallToolResponse, Resource, Tool, ToolAnnotations};
use serde_json::{Map, Value};

use super::kept::Rest;
use super::resource::{Address, kind_of_pages};
use super::result::{self, Whole};
use super::server::{Answer, Call, failed};
use super::{content, follow, names, schema};

/// What clients are told.
pub(crate) fn definition(spec: &ToolSpec) -> Tool {
    let read = spec.effect == Effect::Read;
    let title = title(&spec.name);
    let annotations = ToolAnnotations::with_title(&title)
        .read_only(read)
        .destructive(matches!(spec.effect, Effect::Destructive | Effect::Unknown))
        .idempotent(read || spec.idempotent)
        .open_world(is_open(spec));
    let output = if read { schema::output(&spec.output).0 } else { schema::of_run(&spec.output) };
    Tool::new(
        names::shown(&spec.name),
        spec.description.clone(),
        schema::input(spec.written.as_ref().unwrap_or(&spec.input)),
    )
    .with_title(title)
    .with_raw_output_schema(Arc::new(output))
    .with_annotations(annotations)
}

/// Whether arguments of a tool are to stand in headers as well.
pub(crate) fn has_headers(spec: &ToolSpec) -> bool {
    let arguments = spec.input["properties"].as_object();
    arguments.into_iter().flatten().any(|(_, schema)| schema.get("x-mcp-header").is_some())
}

/// Calls it.
pub(crate) async fn call(call: Call<'_>, spec: &ToolSpec, args: Map<String, Value>) -> Answer {
    if !call.visit.may_use(&spec.name) {
        return Ok(failed(format!("your key opens nothing that is called `{}`", spec.name)));
    }
    follow::call_tool(call, spec, args).await
}

/// What a call has given. Clients refuse what is not as announced, so that is said here, where
/// more is known.
pub(crate) fn answer(call: &Call<'_>, spec: &ToolSpec, value: Value) -> CallToolResponse {
    let (name, less) = (format!("result of {}", spec.name), less(spec));
    let keep = |value: &Value| keep(call, &name, value);
    let whole = Whole::Kept(&keep, &less);
    let (_, wrapped) = schema::output(&spec.output);
    if let Some(shown) = content::result(&value, whole) {
        return content::announced(shown, wrapped).into();
    }
    if let Err(misfit) = fits(&spec.output, &value) {
        let name = &spec.name;
        let text = format!(
            "`{name}` gave something else than it says: {misfit}\n{}\nTo find out why: debug_tool(tool_name: \"{name}\", error_message: {})",
            result::head(&value),
            Value::from(misfit.as_str()),
        );
        return failed(text);
    }
    result::of(value, wrapped, whole).into()
}

/// Keeps what does not fit into the answer for whoever has called; none when it cannot be kept.
pub(crate) fn keep(call: &Call<'_>, name: &str, value: &Value) -> Option<Resource> {
    let id = call.visit.engine.mark().ok()?;
    let (text, mime_type) = match value {
        Value::String(text) => (text.clone(), "text/plain"),
        value => (format!("{value:#}"), "application/json"),
    };
    let link = Resource::new(Address::Result(id.clone()).to_string(), name)
        .with_mime_type(kind_of_pages(text.len(), mime_type));
    let is_kept = call.server.seat.kept.keep(&id, &call.visit.guest.whose(), Rest { text, mime_type });
    is_kept.then(|| link.with_description("All of it, page by page, for a while"))
}

/// How to be given less.
fn less(spec: &ToolSpec) -> String {
    const BOUNDS: [&str; 9] =
        ["limit", "max_results", "count", "tail", "lines", "per_page", "size", "since", "filter"];
    let known = spec.input["properties"].as_object();
    let bound = BOUNDS.iter().find(|bound| known.is_some_and(|known| known.contains_key(**bound)));
    match bound {
        Some(bound) => format!("to be given less, call it with another `{bound}`"),
        None => "to be given less, ask for something narrower".to_owned(),
    }
}
