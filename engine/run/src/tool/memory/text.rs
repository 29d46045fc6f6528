//! Arguments that are YAML in a text: `item: |` and a few lines below it.

use aa_spec::source::Source;
use aa_spec::yaml::{self, Kind};
use serde_json::Value;

use crate::tool::ToolError;
use crate::tool::native::invalid;

/// What an argument means: a text that begins like a YAML mapping or list is one. Any
/// other text, and every value that is no text, means itself. Digits that are no number for certain stay as they are.
///
/// # Errors
/// It begins like one and cannot be read as one.
pub(in crate::tool) fn meant(value: Value, argument: &str) -> Result<Value, ToolError> {
    let Value::String(text) = &value else { return Ok(value) };
    if !begins_like_a_collection(text) {
        return Ok(value);
    }
    let node = yaml::parse_exactly(&Source::new(argument, text.as_str())).map_err(|problem| {
        invalid(format!(
            "`{argument}` begins like YAML and is none: {}; `yaml: false` keeps it as text",
            problem.message
        ))
    })?;
    Ok(if matches!(node.kind, Kind::Scalar(_)) { value } else { node.to_json() })
}

fn begins_like_a_collection(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let Some(first) = lines.find(|line| *line != "---") else { return false };
    first.starts_with(['{', '[']) || first == "-" || first.starts_with("- ") || is_entry(first)
}

/// Whether a line begins with a key and a colon, as `key: value` does.
fn is_entry(line: &str) -> bool {
    let Some((key, rest)) = line.split_once(':') else { return false };
    let key = key.trim_matches(['"', '\'']);
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | ' ');
    (rest.is_empty() || rest.starts_with(' ')) && !key.is_empty() && key.chars().all(is_part)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn collections_are_read_and_texts_are_kept() {
        let cases = [
            (json!("key: AAP-1\nsummary: \"a: b\"\n"), json!({"key": "AAP-1", "summary": "a: b"})),
            (json!("\n# note\n---\n- 1\n- x: true\n"), json!([1, {"x": true}])),
            (json!("{a: 1}"), json!({"a": 1})),
            (json!("[]"), json!([])),
            (json!("alerts:"), json!({"alerts": null})),
            (json!("plain words"), json!("plain words")),
            (json!("https://example.org/a"), json!("https://example.org/a")),
            (json!("@ada: looks good"), json!("@ada: looks good")),
            (json!("-1"), json!("-1")),
            (json!("12"), json!("12")),
            (
                json!("sha: 0123456\nid: 123456789012345678901"),
                json!({"sha": "0123456", "id": "123456789012345678901"}),
            ),
            (json!(""), json!("")),
            (json!(12), json!(12)),
            (json!({"a": "b: c"}), json!({"a": "b: c"})),
        ];
        for (given, expected) in cases {
            assert_eq!(meant(given.clone(), "item"), Ok(expected), "{given}");
        }
    }

    #[test]
    fn broken_yaml_is_said_to_be_broken() {
        for text in ["key: [1", "a: b: c", "- x\ny: 1"] {
            let error = meant(json!(text), "item").unwrap_err().message;
            assert!(error.starts_with("`item` begins like YAML and is none"), "{error}");
        }
    }
}
