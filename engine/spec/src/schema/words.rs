//! Words for types and values, the same in every message.

use serde_json::Value;

/// Types in plain words: `text or a list`.
pub(crate) fn types(names: &[&str]) -> String {
    let plain = |name: &&str| match *name {
        "array" => "a list",
        "boolean" => "`true` or `false`",
        "integer" => "a whole number",
        "null" => "empty",
        "number" => "a number",
        "object" => "a mapping",
        _ => "text",
    };
    names.iter().map(plain).collect::<Vec<_>>().join(" or ")
}

/// What a value is, in plain words.
pub(crate) fn found_value(value: &Value) -> &'static str {
    match value {
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::Null => "empty",
        Value::String(_) => "text",
    }
}

/// `1 item`, `2 items`.
pub(crate) fn count(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// A text from outside, cut to what a message can hold.
pub(crate) fn short(text: &str) -> String {
    const LONGEST: usize = 60;
    let line = text.lines().next().unwrap_or_default();
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None if line.len() < text.trim_end().len() => format!("{line}…"),
        None => line.to_owned(),
    }
}
