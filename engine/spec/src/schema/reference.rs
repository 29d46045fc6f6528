//! References of a schema into itself, put in place.
//!
//! A schema of an input becomes a part of others: of the arguments of a tool, of a page of the API. There `#` would be
//! the whole of them, so each `$ref` is exchanged for what it names, once, where the schema is read.

use serde_json::{Map, Value, json};

use super::is_sound;

/// So many parts a schema may have with its references in place.
const MOST_PARTS: usize = 10_000;

/// Keywords whose values are no schemas, whatever they look like.
const DATA: [&str; 4] = ["const", "enum", "default", "examples"];

/// Keywords that mean something only when the whole is compiled, where mistakes in it are seen.
const DEEP: [&str; 7] = [
    "$ref",
    "$defs",
    "patternProperties",
    "if",
    "dependentSchemas",
    "unevaluatedItems",
    "unevaluatedProperties",
];

/// A schema without references.
///
/// # Errors
/// A reference names nothing, or never ends; or the schema is wrong otherwise.
pub(crate) fn whole(schema: Value) -> Result<Value, String> {
    if !has_any(&schema, &DEEP) {
        return Ok(schema);
    }
    let mut inlining = Inlining { root: &schema, inside: Vec::new(), parts: 0 };
    let whole = inlining.schema(&schema)?;
    is_sound(&whole)?;
    Ok(whole)
}

fn has_any(schema: &Value, words: &[&str]) -> bool {
    match schema {
        Value::Object(keywords) => keywords
            .iter()
            .any(|(word, value)| words.contains(&word.as_str()) || (!is_data(word) && has_any(value, words))),
        Value::Array(items) => items.iter().any(|item| has_any(item, words)),
        _ => false,
    }
}

fn is_data(word: &str) -> bool {
    DATA.contains(&word)
}

struct Inlining<'a> {
    root: &'a Value,
    /// The references that are being followed.
    inside: Vec<String>,
    parts: usize,
}

impl Inlining<'_> {
    fn schema(&mut self, schema: &Value) -> Result<Value, String> {
        self.parts += 1;
        if self.parts > MOST_PARTS {
            return Err(format!("its references come to more than {MOST_PARTS} parts"));
        }
        let Value::Object(keywords) = schema else { return Ok(schema.clone()) };
        let mut whole = Map::new();
        for (word, value) in keywords.iter().filter(|(word, _)| !["$ref", "$defs"].contains(&word.as_str())) {
            whole.insert(word.clone(), self.keyword(word, value)?);
        }
        let Some(reference) = keywords.get("$ref").and_then(Value::as_str) else { return Ok(whole.into()) };
        let target = self.target(reference)?;
        if whole.is_empty() {
            return Ok(target);
        }
        // Both hold: what stands beside the reference, and what it names.
        match whole.entry("allOf").or_insert_with(|| json!([])) {
            Value::Array(all) => all.push(target),
            other => *other = json!([target]),
        }
        Ok(whole.into())
    }

    /// The value of a keyword: a schema, several, some by name, or nothing of that kind.
    fn keyword(&mut self, word: &str, value: &Value) -> Result<Value, String> {
        let by_name = ["properties", "patternProperties", "dependentSchemas"].contains(&word);
        match value {
            _ if is_data(word) => Ok(value.clone()),
            Value::Object(named) if by_name => {
                let each = named.iter().map(|(name, schema)| Ok((name.clone(), self.schema(schema)?)));
                each.collect::<Result<Map<_, _>, String>>().map(Value::Object)
            }
            Value::Object(_) => self.schema(value),
            Value::Array(items) => items.iter().map(|item| self.schema(item)).collect(),
            _ => Ok(value.clone()),
        }
    }

    /// What a reference names.
    fn target(&mut self, reference: &str) -> Result<Value, String> {
        if self.inside.iter().any(|outer| outer == reference) || reference == "#" {
            return Err(format!("`$ref: '{reference}'` leads back to itself, which an input cannot have"));
        }
        let pointer = reference.strip_prefix('#').unwrap_or(reference);
        let Some(target) =
            self.root.pointer(pointer).filter(|target| target.is_object() || target.is_boolean())
        else {
            return Err(format!("`$ref: '{reference}'` names no schema; write one under `$defs`"));
        };
        self.inside.push(reference.to_owned());
        let whole = self.schema(target);
        self.inside.pop();
        whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_put_in_place() {
        let cases = [
            (
                json!({"type": "string", "default": {"$ref": "x"}}),
                json!({"type": "string", "default": {"$ref": "x"}}),
            ),
            (
                json!({"$defs": {"p": {"minimum": 1}}, "items": {"$ref": "#/$defs/p"}}),
                json!({"items": {"minimum": 1}}),
            ),
            (
                json!({"type": "integer", "$ref": "#/$defs/a~1b", "$defs": {"a/b": {"$ref": "#/$defs/c"}, "c": true}}),
                json!({"type": "integer", "allOf": [true]}),
            ),
            (
                json!({"properties": {"a": {"type": "string"}, "$ref": {"$ref": "#/properties/a"}}}),
                json!({"properties": {"a": {"type": "string"}, "$ref": {"type": "string"}}}),
            ),
        ];
        for (schema, expected) in cases {
            assert_eq!(whole(schema.clone()).as_ref(), Ok(&expected), "{schema}");
        }
    }

    #[test]
    fn what_cannot_be_put_in_place_is_told() {
        let many = |n: usize| json!({"allOf": vec![json!({"$ref": format!("#/$defs/{n}")}); 10]});
        let cases = [
            (json!({"$ref": "#/$defs/x"}), "`$ref: '#/$defs/x'` names no schema; write one under `$defs`"),
            (json!({"items": {"$ref": "#"}}), "`$ref: '#'` leads back to itself, which an input cannot have"),
            (
                json!({"$ref": "#/$defs/a", "$defs": {"a": {"not": {"$ref": "#/$defs/a"}}}}),
                "`$ref: '#/$defs/a'` leads back to itself, which an input cannot have",
            ),
            (
                json!({"$ref": "#/$defs/0", "$defs": {"0": many(1), "1": many(2), "2": many(3), "3": many(4), "4": many(5), "5": true}}),
                "its references come to more than 10000 parts",
            ),
        ];
        for (schema, message) in cases {
            assert_eq!(whole(schema.clone()).unwrap_err(), message, "{schema}");
        }
        assert!(whole(json!({"patternProperties": {"(": true}})).is_err());
    }
}
