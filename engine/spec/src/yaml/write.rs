//! JSON as YAML for people: block style, quotes only where they are needed.

use serde_json::Value;

/// A line of flow style may be this long.
const WIDTH: usize = 100;

/// A value as a YAML document that reads back as the same value.
pub fn write(value: &Value) -> String {
    let mut text = String::new();
    match value {
        Value::Object(_) | Value::Array(_) if !is_empty(value) => block(value, 0, &mut text),
        _ => text.push_str(&scalar(value, 0)),
    }
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

fn is_empty(value: &Value) -> bool {
    value.as_object().is_some_and(serde_json::Map::is_empty) || value.as_array().is_some_and(Vec::is_empty)
}

/// The lines of a mapping or list; the caller has written the indent of the first one.
fn block(value: &Value, indent: usize, text: &mut String) {
    let lead = " ".repeat(indent);
    match value {
        Value::Object(entries) => {
            for (index, (key, item)) in entries.iter().enumerate() {
                if index > 0 {
                    text.push_str(&lead);
                }
                text.push_str(&plain(key));
                text.push(':');
                entry(item, indent, text);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push_str(&lead);
                }
                text.push_str("- ");
                match flow(item).filter(|line| line.len() + indent < WIDTH) {
                    Some(line) => {
                        text.push_str(&line);
                        text.push('\n');
                    }
                    None if is_nested(item) => block(item, indent + 2, text),
                    None => {
                        text.push_str(&scalar(item, indent + 2));
                        text.push('\n');
                    }
                }
            }
        }
        _ => {}
    }
}

/// What stands after a key.
fn entry(item: &Value, indent: usize, text: &mut String) {
    let short = flow(item).filter(|line| line.len() + indent < WIDTH - 20 && !holds_mappings(item));
    match short {
        Some(line) => {
            text.push(' ');
            text.push_str(&line);
            text.push('\n');
        }
        None if is_nested(item) => {
            text.push('\n');
            text.push_str(&" ".repeat(indent + 2));
            block(item, indent + 2, text);
        }
        None => {
            text.push(' ');
            text.push_str(&scalar(item, indent + 2));
            text.push('\n');
        }
    }
}

fn is_nested(value: &Value) -> bool {
    (value.is_object() || value.is_array()) && !is_empty(value)
}

/// Whether it is easier to read over several lines.
fn holds_mappings(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(is_nested),
        Value::Object(entries) => entries.values().any(is_nested),
        _ => false,
    }
}

/// A value in one line, if it has no text of several lines.
fn flow(value: &Value) -> Option<String> {
    match value {
        Value::String(string) if string.contains('\n') && as_literal(string) => None,
        Value::Array(items) => {
            let items: Option<Vec<String>> = items.iter().map(flow).collect();
            Some(format!("[{}]", items?.join(", ")))
        }
        Value::Object(entries) => {
            let entries: Option<Vec<String>> =
                entries.iter().map(|(key, item)| Some(format!("{}: {}", plain(key), flow(item)?))).collect();
            Some(format!("{{{}}}", entries?.join(", ")))
        }
        Value::String(string) => Some(plain(string)),
        other => Some(other.to_string()),
    }
}

/// A scalar, text of several lines as a block.
fn scalar(value: &Value, indent: usize) -> String {
    let Value::String(string) = value else { return value.to_string() };
    if !string.contains('\n') || !as_literal(string) {
        return plain(string);
    }
    let lead = " ".repeat(indent);
    let mark = if string.ends_with('\n') { "|" } else { "|-" };
    let line = |line: &str| if line.is_empty() { "\n".to_owned() } else { format!("\n{lead}{line}") };
    let lines: String = string.strip_suffix('\n').unwrap_or(string).split('\n').map(line).collect();
    format!("{mark}{lines}")
}

/// Whether a text of several lines can be written as it reads.
fn as_literal(text: &str) -> bool {
    let body = text.strip_suffix('\n').unwrap_or(text);
    !body.is_empty()
        && !body.ends_with('\n')
        && !body.starts_with([' ', '\t', '\n'])
        && body.chars().all(|c| {
            c == '\n' || (!c.is_control() && !matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}'))
        })
}

/// Text in one line, in quotes unless every reader takes it for the same text.
fn plain(text: &str) -> String {
    let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | ' ');
    let starts = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || c == '/');
    let lower = text.to_ascii_lowercase();
    let meant = ["true", "false", "yes", "no", "on", "off", "y", "n", "null"].contains(&lower.as_str());
    if starts && !meant && text.chars().all(word) && !text.ends_with(' ') {
        return text.to_owned();
    }
    // Control characters are escaped; what else a reader may refuse or change is, too.
    let mut quoted = Value::from(text).to_string();
    for c in ['\u{7f}', '\u{85}', '\u{2028}', '\u{2029}', '\u{feff}', '\u{fffe}', '\u{ffff}'] {
        quoted = quoted.replace(c, &format!("\\u{:04x}", u32::from(c)));
    }
    quoted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::source::Source;

    #[test]
    fn people_can_read_it() {
        let value = json!({
            "skill": "x", "tests": [{"name": "as it was", "now": "2026-01-31T08:00:00Z", "inputs": {"n": 1, "yes": "no"},
            "stubs": {"tools": {"a": [{"args": {"x": [1, 2.5]}, "result": "one\n two\n"}]}}, "none": {}, "empty": ""}],
        });
        insta::assert_snapshot!(write(&value), @r#"
        skill: x
        tests:
          - name: as it was
            now: "2026-01-31T08:00:00Z"
            inputs: {"n": 1, "yes": "no"}
            stubs:
              tools:
                a:
                  - args:
                      x: [1, 2.5]
                    result: |
                      one
                       two
            none: {}
            empty: ""
        "#);
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let text = prop_oneof![
            any::<String>(),
            "[ -~\n\t]{0,20}",
            Just("no".to_owned()),
            Just("a\n\nb\n".to_owned()),
            Just("1.0".to_owned()),
            Just("# x".to_owned()),
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            text.clone().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(text.clone(), inner, 0..4)
                    .prop_map(|entries| Value::Object(entries.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn it_reads_back_as_it_was(value in any_json()) {
            let text = write(&value);
            let node = crate::yaml::parse(&Source::new("x.yaml", text.clone()));
            let node = node.map_err(|problem| TestCaseError::fail(format!("{problem:?}\n{text}")))?;
            prop_assert_eq!(node.to_json(), value, "{}", text);
        }
    }
}
