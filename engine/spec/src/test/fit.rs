//! A value held against what is expected of it.

use regex::Regex;
use serde_json::Value;

use crate::source::Span;
use crate::yaml::{Kind, Node, Spanned};

/// Keys that, alone in a mapping, say something of a value instead of naming an entry.
pub const MATCHERS: [&str; 4] = ["matches", "contains", "equals", "any"];

/// One place where a value is not as expected.
#[derive(Clone, Debug, PartialEq)]
pub struct Mismatch {
    /// Where in the value, e.g. `.hosts[0].name`; empty for all of it.
    pub path: String,
    /// Where in the text the expectation stands.
    pub span: Span,
    /// What was expected, as people write it.
    pub expected: String,
    /// What is there; none when there is nothing.
    pub found: Option<Value>,
}

/// Every place where a value is not as expected.
pub fn fit(expected: &Node, found: Option<&Value>) -> Vec<Mismatch> {
    let mut mismatches = Vec::new();
    compare(expected, found, String::new(), &mut mismatches);
    mismatches
}

fn compare(expected: &Node, found: Option<&Value>, path: String, all: &mut Vec<Mismatch>) {
    let mismatch = |path: String, expected: &Node, found: Option<&Value>| Mismatch {
        path,
        span: expected.span,
        expected: written(expected),
        found: found.cloned(),
    };
    match (&expected.kind, found) {
        (Kind::Map(entries), _) if is_matcher(entries) => {
            if !holds(&entries[0].0.value, &entries[0].1, found) {
                all.push(mismatch(path, expected, found));
            }
        }
        (Kind::Map(entries), Some(Value::Object(values))) => {
            for (key, node) in entries {
                compare(node, values.get(&key.value), format!("{path}.{}", key.value), all);
            }
        }
        (Kind::List(items), Some(Value::Array(values))) if items.len() == values.len() => {
            for (index, (node, value)) in items.iter().zip(values).enumerate() {
                compare(node, Some(value), format!("{path}[{index}]"), all);
            }
        }
        (Kind::Scalar(wanted), Some(value)) if same(wanted, value) => {}
        _ => all.push(mismatch(path, expected, found)),
    }
}

fn is_matcher(entries: &[(Spanned<String>, Node)]) -> bool {
    matches!(entries, [(key, _)] if MATCHERS.contains(&key.value.as_str()))
}

fn holds(matcher: &str, wanted: &Node, found: Option<&Value>) -> bool {
    let Some(found) = found else { return false };
    match matcher {
        "any" => true,
        "equals" => same(&wanted.to_json(), found),
        "matches" => {
            let text = as_text(found);
            wanted
                .as_str()
                .and_then(|pattern| Regex::new(pattern).ok())
                .is_some_and(|regex| regex.is_match(&text))
        }
        _ => match (found, wanted.as_str()) {
            (Value::String(text), Some(part)) => text.contains(part),
            (Value::Array(items), _) => items.iter().any(|item| fit(wanted, Some(item)).is_empty()),
            (Value::Object(entries), Some(key)) => entries.contains_key(key),
            _ => false,
        },
    }
}

fn as_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Equality of JSON, where `1` and `1.0` are the same number.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => {
            a == b || (!(a.is_i64() && b.is_i64()) && a.as_f64() == b.as_f64())
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}

/// An expectation in one line: matchers in words, values as JSON.
fn written(node: &Node) -> String {
    let Kind::Map(entries) = &node.kind else { return node.to_json().to_string() };
    match entries.as_slice() {
        [(key, value)] if key.value == "equals" => value.to_json().to_string(),
        [(key, _)] if key.value == "any" => "anything".to_owned(),
        [(key, value)] if MATCHERS.contains(&key.value.as_str()) => {
            format!("something that {} {}", key.value, value.to_json())
        }
        _ => node.to_json().to_string(),
    }
}
