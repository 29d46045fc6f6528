//! Words for what was expected and what was found.

use serde_json::Value;

use crate::schema::words::found_value;
use crate::yaml::{Kind, Node};

/// Keys that other systems use for what has another name here.
const ELSEWHERE: &[(&str, &str)] = &[
    ("if", "condition"),
    ("when", "condition"),
    ("id", "name"),
    ("depends_on", "needs"),
    ("dependsOn", "needs"),
    ("requires", "needs"),
    ("with", "args"),
    ("params", "args"),
    ("parameters", "args"),
    ("arguments", "args"),
    ("inputs", "args"),
    ("retries", "retry"),
    ("loop", "foreach"),
    ("with_items", "foreach"),
    ("for_each", "foreach"),
    ("parallel", "concurrency"),
    ("on_failure", "on_error"),
    ("register", "output"),
    ("save_as", "output"),
    ("result", "output"),
    ("return", "then"),
    ("assert", "validate"),
    ("rollback", "undo"),
    ("uses", "tool"),
    ("action", "tool"),
    ("python", "compute"),
    ("script", "compute"),
    ("prompt", "confirm"),
    ("sleep", "wait"),
    ("pause", "wait"),
    ("parameters", "input"),
    ("args", "input"),
    ("command", "run"),
    ("cmd", "run"),
    ("min", "minimum"),
    ("max", "maximum"),
    ("choices", "enum"),
    ("options", "enum"),
    ("regex", "pattern"),
];

/// The known key that has the meaning of a key from elsewhere.
pub(super) fn meant<'a>(key: &str, known: &[&'a str]) -> Option<&'a str> {
    let mut here = ELSEWHERE.iter().filter(|(elsewhere, _)| *elsewhere == key).map(|(_, here)| *here);
    here.find_map(|here| known.iter().copied().find(|name| *name == here))
}

/// Whether a key from elsewhere takes the very same value as ours.
pub(super) fn is_same(key: &str, ours: &str) -> bool {
    const SAME: [&str; 16] = [
        "if",
        "when",
        "id",
        "depends_on",
        "dependsOn",
        "with",
        "params",
        "parameters",
        "arguments",
        "register",
        "save_as",
        "min",
        "max",
        "choices",
        "regex",
        "with_items",
    ];
    SAME.contains(&key) && ELSEWHERE.contains(&(key, ours))
}

/// What a node is, in plain words.
pub(super) fn found(node: &Node) -> &'static str {
    match &node.kind {
        Kind::List(_) => "a list",
        Kind::Map(_) => "a mapping",
        Kind::Scalar(value) => found_value(value),
    }
}

/// How to write the value so that it has an expected type; empty when that is not clear.
pub(super) fn conversion(node: &Node, expected: &[&str]) -> String {
    let wants = |name: &str| expected.contains(&name);
    match &node.kind {
        Kind::Scalar(Value::Null) => "give it a value, or remove the key".to_owned(),
        Kind::Scalar(value @ (Value::Number(_) | Value::Bool(_))) if wants("string") => {
            format!("put it in quotes: `\"{value}\"`")
        }
        Kind::Scalar(Value::String(text)) if wants("boolean") => match text.to_ascii_lowercase().as_str() {
            "yes" | "on" | "true" | "1" => "write `true`, without quotes".to_owned(),
            "no" | "off" | "false" | "0" => "write `false`, without quotes".to_owned(),
            _ => String::new(),
        },
        Kind::Scalar(Value::String(text))
            if (wants("integer") || wants("number")) && text.parse::<f64>().is_ok_and(f64::is_finite) =>
        {
            "remove the quotes".to_owned()
        }
        Kind::Scalar(Value::String(text)) if wants("array") && !text.contains('\n') => {
            format!("write it as a list: `[{text}]`")
        }
        Kind::Map(_) if wants("array") => "write it as a list: each entry starts with `- `".to_owned(),
        _ => String::new(),
    }
}

/// `ModuleTool` as `module tool`.
pub(super) fn spaced(name: &str) -> String {
    let mut words = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.push(letter.to_ascii_lowercase());
    }
    words
}

/// `a step`, `an output`.
pub(super) fn with_article(noun: &str) -> String {
    let article = if noun.starts_with(['a', 'e', 'i', 'o']) { "an" } else { "a" };
    format!("{article} {noun}")
}
