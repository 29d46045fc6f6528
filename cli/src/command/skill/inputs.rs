//! The inputs that were typed, and the file of them.

use std::path::Path;

use aa_run::cause::cause;
use aa_run::engine::Inputs;
use aa_spec::json;
use aa_spec::name::fold;
use aa_spec::source::Source;
use serde_json::{Map, Value};

use crate::args::skill::InputArgs;
use crate::diagnostic;
use crate::failure::Failure;
use crate::printer::Printer;

/// Everything given for a run's inputs.
pub(super) fn gather(args: InputArgs, printer: &Printer) -> Result<Inputs, Failure> {
    let text = args.inputs;
    if let Some((name, one, other)) = twice(&text) {
        return Err(Failure::usage(format!("input `{name}` is given twice: `{one}` and `{other}`")));
    }
    match &args.inputs_file {
        None => Ok(Inputs::Text(text)),
        Some(path) => Ok(Inputs::Mixed { json: read(path, printer)?, text }),
    }
}

/// A name that is given more than once, with the first two values.
pub(crate) fn twice(pairs: &[(String, String)]) -> Option<(&str, &str, &str)> {
    pairs.iter().enumerate().find_map(|(index, (name, one))| {
        let (_, other) = pairs[index + 1..].iter().find(|(later, _)| fold(later) == fold(name))?;
        Some((name.as_str(), one.as_str(), other.as_str()))
    })
}

/// Why a text that should be JSON is of no use.
pub(crate) fn unreadable(what: &str, error: &serde_json::Error) -> String {
    if error.is_data() { format!("{what}: {error}") } else { format!("{what} is not JSON: {error}") }
}

/// Reads a file of inputs; JSON is YAML too, so one reader does for both.
fn read(path: &Path, printer: &Printer) -> Result<Map<String, Value>, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        let message = format!("cannot read `{}`: {}", path.display(), cause(&error));
        match error.kind() {
            std::io::ErrorKind::NotFound => Failure::not_found(message),
            _ => Failure::usage(message),
        }
    })?;
    let shown = path.display().to_string();
    let value = if path.extension().is_some_and(|extension| extension == "json") {
        json::exact(text.as_bytes())
            .map_err(|error| Failure::usage(unreadable(&format!("`{shown}`"), &error)))?
    } else {
        let source = Source::new(shown.as_str(), text);
        let node = aa_spec::yaml::parse_values(&source).map_err(|problem| {
            diagnostic::draw_all(&[*problem], printer);
            Failure::usage(format!("`{shown}` cannot be read"))
        })?;
        node.to_json()
    };
    match value {
        Value::Object(inputs) => Ok(inputs),
        _ => Err(Failure::usage(format!("`{shown}` does not hold inputs"))
            .hint("write a mapping of names to values")),
    }
}
