//! Schemas that foreign servers send, made harmless: bounded, closed, and nothing to fetch.

use serde_json::{Map, Value};

use super::definition::{DESCRIPTION, harmless};

/// Largest schema, in bytes.
const BYTES: usize = 64 << 10;
/// Deepest nesting. What a schema says below is not looked at.
const DEPTH: usize = 24;
/// Most parts once everything that is referred to stands in its place.
const PARTS: usize = 20_000;

/// Where parts of a schema are kept to be referred to, and what says how to read it.
const FRAME: [&str; 4] = ["$schema", "$id", "$defs", "definitions"];

/// Words under which parts stand by names that may be any.
const NAMED: [&str; 5] = ["properties", "patternProperties", "dependentSchemas", "$defs", "definitions"];

/// A schema in which nothing is referred to any more.
///
/// # Errors
/// It is too large, or refers to something that is not in it.
pub(super) fn close(schema: &Value) -> Result<Value, String> {
    if schema.to_string().len() > BYTES {
        return Err(format!("its schema has more than {}", crate::tool::process::bytes(BYTES)));
    }
    let mut expansion = Expansion { root: schema, parts: 0 };
    expansion.part(schema, 0)
}

/// A schema in which what people and models read is as long, and as much to be seen, as any text of a server.
pub(super) fn readable(schema: &Value) -> Value {
    match schema {
        Value::Object(keywords) => {
            let said = keywords.iter().map(|(word, value)| (word.clone(), readable_word(word, value)));
            Value::Object(said.collect())
        }
        Value::Array(parts) => Value::Array(parts.iter().map(readable).collect()),
        other => other.clone(),
    }
}

fn readable_word(word: &str, value: &Value) -> Value {
    match (word, value) {
        ("title" | "description" | "$comment", Value::String(text)) => harmless(text, DESCRIPTION).into(),
        (word, Value::Object(named)) if NAMED.contains(&word) => {
            let parts = named.iter().map(|(name, part)| (name.clone(), readable(part)));
            Value::Object(parts.collect())
        }
        // These are compared with what comes.
        ("enum" | "const" | "default" | "examples", value) => value.clone(),
        (_, value) => readable(value),
    }
}

/// Whether parts of a schema stand apart from where they are meant.
pub(super) fn refers(schema: &Value) -> bool {
    schema.get("$defs").or_else(|| schema.get("definitions")).is_some()
}

/// Keys that a mapping may have: no others, where the schema leaves that open but has a list.
pub(super) fn seal(mut schema: Value) -> Result<Value, String> {
    let Some(keywords) = schema.as_object_mut() else {
        return Err("its arguments are no mapping".to_owned());
    };
    if keywords.get("type").is_some_and(|kind| kind != "object") {
        return Err("its arguments are no mapping".to_owned());
    }
    keywords.insert("type".to_owned(), "object".into());
    let others =
        ["additionalProperties", "patternProperties", "unevaluatedProperties", "allOf", "anyOf", "oneOf"];
    if keywords.contains_key("properties") && !others.iter().any(|word| keywords.contains_key(*word)) {
        keywords.insert("additionalProperties".to_owned(), false.into());
    }
    Ok(schema)
}

struct Expansion<'a> {
    root: &'a Value,
    parts: usize,
}

impl Expansion<'_> {
    fn part(&mut self, part: &Value, depth: usize) -> Result<Value, String> {
        self.parts += 1;
        if self.parts > PARTS {
            return Err("its schema is too large once it is written out".to_owned());
        }
        // A schema that contains itself ends here as well; then anything will do.
        if depth > DEPTH {
            return Ok(Value::Bool(true));
        }
        match part {
            Value::Object(keywords) => self.keywords(keywords, depth),
            Value::Array(parts) => {
                let parts = parts.iter().map(|part| self.part(part, depth + 1));
                Ok(Value::Array(parts.collect::<Result<_, _>>()?))
            }
            other => Ok(other.clone()),
        }
    }

    fn keywords(&mut self, keywords: &Map<String, Value>, depth: usize) -> Result<Value, String> {
        if let Some(Value::String(reference)) = keywords.get("$ref") {
            return self.part(target(self.root, reference)?, depth + 1);
        }
        let mut kept = Map::new();
        for (word, value) in keywords {
            match (word.as_str(), value) {
                ("$dynamicRef" | "$recursiveRef", _) => {
                    return Err(format!("its schema has `{word}`, which is not supported"));
                }
                // A word of ours, which means nothing there.
                (aa_spec::tool::alias::KEYWORD, _) => {}
                (word, _) if FRAME.contains(&word) => {}
                // Some patterns need an engine that can take for ever; they are left to the server.
                ("pattern", Value::String(pattern)) if regex::Regex::new(pattern).is_err() => {}
                ("enum" | "const" | "default" | "examples", value) => {
                    kept.insert(word.clone(), value.clone());
                }
                (word, Value::Object(named)) if NAMED.contains(&word) => {
                    kept.insert(word.to_owned(), self.named(named, depth + 1)?);
                }
                (_, value) => {
                    kept.insert(word.clone(), self.part(value, depth + 1)?);
                }
            }
        }
        Ok(Value::Object(kept))
    }

    /// Parts by names that may be any.
    fn named(&mut self, parts: &Map<String, Value>, depth: usize) -> Result<Value, String> {
        let parts = parts.iter().map(|(name, part)| Ok((name.clone(), self.part(part, depth)?)));
        Ok(Value::Object(parts.collect::<Result<_, String>>()?))
    }
}

/// The part of a schema that a reference within it means.
fn target<'a>(root: &'a Value, reference: &str) -> Result<&'a Value, String> {
    let elsewhere = || format!("its schema refers to `{}`, which is not in it", harmless(reference, 100));
    let pointer = reference.strip_prefix('#').ok_or_else(elsewhere)?;
    root.pointer(&pointer.replace("%24", "$")).ok_or_else(elsewhere)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn references_are_written_out() {
        let schema = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": {"to": {"$ref": "#/$defs/place"}, "n": {"type": "integer", "default": {"$ref": "x"}}},
            "$defs": {"place": {"type": "string", "pattern": "(?=a)"}},
        });
        let closed = seal(close(&schema).unwrap()).unwrap();
        let properties =
            json!({"to": {"type": "string"}, "n": {"type": "integer", "default": {"$ref": "x"}}});
        assert_eq!(
            closed,
            json!({"type": "object", "properties": properties, "additionalProperties": false})
        );
    }

    #[test]
    fn arguments_may_be_called_like_words_of_schemas() {
        let schema = json!({"type": "object", "properties": {"definitions": {"type": "string"}, "pattern": {"type": "string"}}});
        assert_eq!(close(&schema).unwrap(), schema);
    }

    #[test]
    fn what_is_read_of_a_schema_can_be_seen() {
        let hidden = "a\u{200b}b\u{e0041}";
        let said = |text: &str| {
            json!({
                "title": text,
                "properties": {"default": {"description": text, "enum": [hidden]}, "title": {"items": [{"description": text}]}},
                "$defs": {"const": {"$comment": text}},
                "default": {"title": hidden},
            })
        };
        assert_eq!(readable(&said(hidden)), said("ab"));
        let long = readable(&json!({"description": "x".repeat(DESCRIPTION + 1)}));
        assert_eq!(long["description"].as_str().unwrap().chars().count(), DESCRIPTION + 1);
    }

    #[test]
    fn a_schema_that_contains_itself_ends() {
        let schema = json!({
            "type": "object",
            "properties": {"tree": {"$ref": "#/$defs/tree"}},
            "$defs": {"tree": {"type": "object", "properties": {"child": {"$ref": "#/$defs/tree"}}}},
        });
        let closed = close(&schema).unwrap();
        assert!(!closed.to_string().contains("$ref"), "{closed}");
        let deep = json!({"tree": {"child": {"child": {}}}});
        assert_eq!(aa_spec::input::fits(&closed, &deep), Ok(()));
        assert!(aa_spec::input::fits(&closed, &json!({"tree": {"child": 3}})).is_err());
    }

    #[test]
    fn nothing_is_fetched_and_nothing_is_endless() {
        let cases = [
            (
                json!({"$ref": "https://example.org/schema"}),
                "its schema refers to `https://example.org/schema`, which is not in it",
            ),
            (
                json!({"properties": {"a": {"$ref": "#/$defs/none"}}}),
                "its schema refers to `#/$defs/none`, which is not in it",
            ),
            (json!({"title": "x".repeat(BYTES)}), "its schema has more than 64 KiB"),
            (json!({"$dynamicRef": "#a"}), "its schema has `$dynamicRef`, which is not supported"),
        ];
        for (schema, expected) in cases {
            assert_eq!(close(&schema), Err(expected.to_owned()));
        }
        let wide: Map<String, Value> =
            (0..10).map(|n| (format!("p{n}"), json!({"$ref": "#/$defs/a"}))).collect();
        let bomb = json!({"properties": wide, "$defs": {"a": {"properties": wide}}});
        assert_eq!(close(&bomb), Err("its schema is too large once it is written out".to_owned()));
        assert!(seal(json!({"type": "array"})).is_err() && seal(json!(true)).is_err());
    }
}
