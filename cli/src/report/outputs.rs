//! A run's results on stdout.

use serde_json::{Map, Value};

use super::value;
use crate::printer::Printer;
use crate::words;

/// Prints the outputs for people: a text called `report` as it is, anything else as YAML.
pub(crate) fn print(outputs: &Map<String, Value>, printer: &Printer) {
    if outputs.is_empty() {
        return;
    }
    let text = match outputs.get("report") {
        Some(Value::String(report)) => ended(report),
        _ => value::yaml(outputs),
    };
    // A file gets what the skill made; a terminal must not be driven by it.
    let text = if printer.out_is_terminal() { words::harmless(&text) } else { text };
    printer.write(text.as_bytes());
}

fn ended(text: &str) -> String {
    if text.ends_with('\n') { text.to_owned() } else { format!("{text}\n") }
}
