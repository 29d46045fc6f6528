//! JSON Schemas that every known client takes.
//!
//! What is written here means the same; it is said in the words that the schemas of functions of
//! AI models have in common: no bare `true` where a schema belongs, one `type` at a time, an
//! `items` for every list, nothing of our own.

use rmcp::model::JsonObject;
use serde_json::{Map, Value, json};

/// What words begin with that mean something to us alone.
const OURS: &str = "x-aa-";

/// Words whose value is a schema, or `true` or `false`.
const ONE: [&str; 8] = ["items", "contains", "not", "propertyNames", "if", "then", "else", "contentSchema"];

/// The same, where `true` and `false` are usual.
const OPEN: [&str; 2] = ["additionalProperties", "unevaluatedProperties"];

/// Words whose value is a list of schemas.
const SEVERAL: [&str; 4] = ["allOf", "anyOf", "oneOf", "prefixItems"];

/// Words whose value is schemas by name.
const NAMED: [&str; 4] = ["properties", "patternProperties", "dependentSchemas", "$defs"];

/// Words that belong to a type, which they go with when types are told apart.
const OF_TYPE: [(&str, &[&str]); 2] = [
    ("array", &["items", "prefixItems", "minItems", "maxItems", "uniqueItems", "contains"]),
    (
        "object",
        &[
            "properties",
            "required",
            "additionalProperties",
            "patternProperties",
            "minProperties",
            "maxProperties",
        ],
    ),
];

/// Words that say something about an object and demand nothing of its entries together.
const SAYING: [&str; 6] = ["type", "title", "description", "properties", "$defs", "definitions"];

/// Entries of what is said of a run that goes on, which a result may have, too.
const MEANWHILE: [&str; 5] = ["run_id", "status", "message", "questions", "unresolved"];

/// The schema of arguments: an object.
pub(crate) fn input(schema: &Value) -> JsonObject {
    let mut schema = portable(schema);
    schema.insert("type".to_owned(), json!("object"));
    schema.entry("properties").or_insert_with(|| json!({}));
    if schema.get("required").and_then(Value::as_array).is_some_and(Vec::is_empty) {
        schema.shift_remove("required");
    }
    schema
}

/// The schema of a result, which clients want to be an object, and whether results have to be
/// wrapped for it.
pub(crate) fn output(schema: &Value) -> (JsonObject, bool) {
    if schema.get("type").and_then(Value::as_str) == Some("object") {
        return (portable(schema), false);
    }
    let inner = match schema {
        Value::Object(_) => Value::Object(portable(schema)),
        _ => anything(),
    };
    let wrapped = json!({ "type": "object", "properties": { "result": inner }, "required": ["result"] });
    (object(wrapped), true)
}

/// The schema of a result that may be put off: what is said of the run meanwhile is an object, too, and has to fit.
/// So it says what there may be, and demands nothing.
pub(crate) fn of_run(schema: &Value) -> JsonObject {
    let (mut schema, _) = output(schema);
    schema.retain(|word, _| SAYING.contains(&word.as_str()));
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        for (_, property) in properties.iter_mut().filter(|(name, _)| MEANWHILE.contains(&name.as_str())) {
            let description = property.get("description").cloned();
            *property = anything();
            if let Some(description) = description {
                property["description"] = description;
            }
        }
    }
    schema
}

/// The entries of a JSON object.
fn object(value: Value) -> JsonObject {
    match value {
        Value::Object(entries) => entries,
        _ => JsonObject::new(),
    }
}

/// Any value at all.
fn anything() -> Value {
    json!({ "anyOf": [
        { "type": "string" }, { "type": "number" }, { "type": "boolean" },
        { "type": "object", "additionalProperties": true }, { "type": "array", "items": {} }, { "type": "null" },
    ] })
}

fn portable(schema: &Value) -> JsonObject {
    let Value::Object(written) = schema else { return JsonObject::new() };
    let mut said = Map::new();
    for (word, value) in written.iter().filter(|(word, _)| !word.starts_with(OURS)) {
        said.insert(word.clone(), word_portable(word, value));
    }
    if let Some(Value::Array(types)) = said.get("type").cloned() {
        split(&mut said, &types);
    }
    if said.get("type").and_then(Value::as_str) == Some("array") {
        said.entry("items").or_insert_with(|| json!({}));
    }
    said
}

fn word_portable(word: &str, value: &Value) -> Value {
    match value {
        _ if ONE.contains(&word) => part(value, word == "not"),
        Value::Object(_) if OPEN.contains(&word) => Value::Object(portable(value)),
        Value::Array(parts) if SEVERAL.contains(&word) => parts.iter().map(|of| part(of, false)).collect(),
        Value::Object(parts) if NAMED.contains(&word) => {
            parts.iter().map(|(name, of)| (name.clone(), part(of, false))).collect()
        }
        other => other.clone(),
    }
}

/// A schema within another one.
fn part(schema: &Value, negated: bool) -> Value {
    match schema {
        Value::Bool(true) if negated => json!({}),
        Value::Bool(true) => anything(),
        Value::Bool(false) => json!({ "not": {} }),
        Value::Object(written) => {
            let mut said = portable(schema);
            // One that says nothing but what it is for.
            if !negated
                && written.keys().all(|word| ["description", "title", "default"].contains(&word.as_str()))
            {
                said.extend(object(anything()));
            }
            Value::Object(said)
        }
        other => other.clone(),
    }
}

/// One branch for each type. Where there are branches already, the types stay together.
fn split(said: &mut JsonObject, types: &[Value]) {
    if let [only] = types {
        said.insert("type".to_owned(), only.clone());
        return;
    }
    if said.contains_key("anyOf") {
        return;
    }
    let branches: Vec<Value> = types.iter().map(|of| Value::Object(branch(said, of))).collect();
    for (_, words) in OF_TYPE {
        for word in words {
            drop(said.shift_remove(*word));
        }
    }
    said.shift_remove("type");
    said.insert("anyOf".to_owned(), branches.into());
}

fn branch(said: &JsonObject, of: &Value) -> JsonObject {
    let mut branch = JsonObject::new();
    branch.insert("type".to_owned(), of.clone());
    let words = OF_TYPE.iter().filter(|(name, _)| of.as_str() == Some(*name)).flat_map(|(_, words)| *words);
    for word in words {
        if let Some(value) = said.get(*word) {
            branch.insert((*word).to_owned(), value.clone());
        }
    }
    if of.as_str() == Some("array") {
        branch.entry("items").or_insert_with(|| json!({}));
    }
    branch
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_said_in_common_words() {
        let schema = json!({
            "type": "object",
            "properties": {
                "any": true,
                "never": false,
                "told": {"description": "Anything"},
                "name": {"type": ["string", "null"], "description": "A name", "minLength": 1},
                "list": {"type": ["array", "null"], "items": true, "default": null},
                "names": {"type": "array"},
                "of": {"type": ["string"], (aa_spec::tool::alias::KEYWORD): ["by"]},
            },
            "required": [],
            "additionalProperties": false,
        });
        let anything = anything();
        let mut told = anything.clone();
        told["description"] = json!("Anything");
        assert_eq!(
            Value::Object(input(&schema)),
            json!({
                "type": "object",
                "properties": {
                    "any": anything,
                    "never": {"not": {}},
                    "told": told,
                    "name": {"description": "A name", "minLength": 1, "anyOf": [{"type": "string"}, {"type": "null"}]},
                    "list": {"default": null, "anyOf": [{"type": "array", "items": anything}, {"type": "null"}]},
                    "names": {"type": "array", "items": {}},
                    "of": {"type": "string"},
                },
                "additionalProperties": false,
            })
        );
    }

    #[test]
    fn results_are_objects() {
        let (schema, wrapped) = output(&json!({"type": "object", "properties": {"a": true}}));
        assert!(!wrapped && schema["properties"]["a"].is_object());
        let (schema, wrapped) = output(&json!({"type": "array", "items": {"type": "string"}}));
        assert!(wrapped);
        assert_eq!(schema["properties"]["result"], json!({"type": "array", "items": {"type": "string"}}));
        let (schema, wrapped) = output(&json!(true));
        assert!(wrapped && schema["properties"]["result"]["anyOf"].is_array());
        let (_, wrapped) = output(&json!({"type": ["object", "null"]}));
        assert!(wrapped, "what may be null is no object");
    }

    #[test]
    fn what_is_said_meanwhile_fits_as_well() {
        let schema = of_run(&json!({
            "type": "object",
            "properties": {"status": {"type": "integer", "description": "Of HTTP"}, "sha": {"type": "string"}},
            "required": ["status", "sha"],
            "additionalProperties": false,
            "minProperties": 2,
        }));
        let mut status = anything();
        status["description"] = json!("Of HTTP");
        assert_eq!(
            Value::Object(schema),
            json!({"type": "object", "properties": {"status": status, "sha": {"type": "string"}}})
        );
    }
}
