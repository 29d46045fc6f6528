//! A JSON value as people like to read it: YAML, with long text as it is.

use serde_json::{Map, Value};

/// A mapping, one entry per line or block; valid YAML.
pub(crate) fn yaml(entries: &Map<String, Value>) -> String {
    let mut lines = Vec::new();
    add_map(&mut lines, entries, 0);
    joined(&lines)
}

/// Any value, on lines of its own at a depth.
pub(crate) fn block(value: &Value, depth: usize) -> String {
    let mut lines = Vec::new();
    match value {
        Value::Object(entries) if !entries.is_empty() => add_map(&mut lines, entries, depth),
        Value::Array(items) if !items.is_empty() => add_list(&mut lines, items, depth),
        Value::String(text) if text.contains('\n') => add_text(&mut lines, text, depth),
        other => lines.push(format!("{}{}", indent(depth), scalar(other))),
    }
    joined(&lines)
}

/// A value in one line: JSON, but text without quotes where nothing is lost.
pub(crate) fn short(value: &Value) -> String {
    match value {
        Value::String(text) if !text.contains('\n') => scalar(value),
        other => other.to_string(),
    }
}

fn joined(lines: &[String]) -> String {
    lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
}

fn add_map(lines: &mut Vec<String>, entries: &Map<String, Value>, depth: usize) {
    for (key, value) in entries {
        let key = format!("{}{}:", indent(depth), scalar(&Value::String(key.clone())));
        match value {
            Value::Object(inner) if !inner.is_empty() => {
                lines.push(key);
                add_map(lines, inner, depth + 1);
            }
            Value::Array(items) if !items.is_empty() => {
                lines.push(key);
                add_list(lines, items, depth);
            }
            Value::String(text) if is_block(text) => {
                lines.push(format!("{key} {}", if text.ends_with('\n') { "|" } else { "|-" }));
                add_text(lines, text, depth + 1);
            }
            other => lines.push(format!("{key} {}", scalar(other))),
        }
    }
}

fn add_list(lines: &mut Vec<String>, items: &[Value], depth: usize) {
    for item in items {
        match item {
            Value::Object(entries) if !entries.is_empty() => {
                let first = lines.len();
                add_map(lines, entries, depth + 1);
                lines[first].replace_range(..2 * (depth + 1), &format!("{}- ", indent(depth)));
            }
            Value::Array(nested) if !nested.is_empty() => {
                lines.push(format!("{}-", indent(depth)));
                add_list(lines, nested, depth + 1);
            }
            other => lines.push(format!("{}- {}", indent(depth), scalar(other))),
        }
    }
}

fn add_text(lines: &mut Vec<String>, text: &str, depth: usize) {
    let indented =
        |line: &str| if line.is_empty() { String::new() } else { format!("{}{line}", indent(depth)) };
    lines.extend(text.lines().map(indented));
}

/// Whether a text reads back the same from a YAML block.
fn is_block(text: &str) -> bool {
    text.contains('\n')
        && !text.starts_with([' ', '\n', '\t'])
        && !text.ends_with("\n\n")
        && !text.chars().any(|char| char != '\n' && char.is_control())
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) if is_plain(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Whether YAML reads a text without quotes as the same text.
fn is_plain(text: &str) -> bool {
    let looks_like_something_else = || {
        let lower = text.to_ascii_lowercase();
        matches!(lower.as_str(), "true" | "false" | "null" | "yes" | "no" | "on" | "off" | "y" | "n" | "~")
            || text.parse::<f64>().is_ok()
            || text.starts_with(|char: char| char.is_ascii_digit() || matches!(char, '.' | '+'))
                && text.chars().all(|char| char.is_ascii_hexdigit() || ":-_.+xoTZ".contains(char))
    };
    let inner = |char: char| char.is_alphanumeric() || " _-./@+,()=%$^~<>;*'".contains(char) || char == ':';
    text.starts_with(|char: char| char.is_alphanumeric() || matches!(char, '/' | '.' | '_'))
        && !text.ends_with([' ', ':'])
        && text.chars().all(inner)
        && !text.contains(": ")
        && !looks_like_something_else()
}

fn indent(depth: usize) -> String {
    "  ".repeat(depth)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn values_read_like_yaml() {
        let value = json!({
            "url": "http://127.0.0.1:4312/",
            "ok": true,
            "sha": "12e4",
            "empty": [],
            "notes": "one\ntwo\n",
            "pods": [{"name": "web-1", "ready": false}, "x", 3],
            "deep": {"a": {"b": null}},
        });
        insta::assert_snapshot!(yaml(value.as_object().unwrap()), @r#"
        url: http://127.0.0.1:4312/
        ok: true
        sha: "12e4"
        empty: []
        notes: |
          one
          two
        pods:
        - name: web-1
          ready: false
        - x
        - 3
        deep:
          a:
            b: null
        "#);
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            "[ -~\\n]{0,12}".prop_map(Value::from),
            "[a-z0-9:.-]{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec(("[a-z ]{1,5}", inner), 0..4)
                    .prop_map(|entries| Value::Object(entries.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_back_the_same(value in any_json()) {
            let entries = Map::from_iter([("key".to_owned(), value)]);
            let text = yaml(&entries);
            let source = aa_spec::source::Source::new("x.yaml", text.as_str());
            let read = aa_spec::yaml::parse(&source).map(|node| node.to_json());
            prop_assert_eq!(read.map_err(|problem| problem.message), Ok(Value::Object(entries)), "{}", text);
        }
    }
}
