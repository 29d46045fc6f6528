//! Schemas of a document as schemas of arguments and results: without references, within
//! bounds, and only with keywords that are known here.

use serde_json::{Map, Number, Value, json};

use super::document::{Document, reference};
use crate::schema::ValueSchema;

/// Deeper than this a schema says nothing more.
const DEEPEST: usize = 8;
/// A schema may have this many parts.
const LARGEST: usize = 400;

const KEPT: [&str; 18] = [
    "title",
    "description",
    "enum",
    "const",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minItems",
    "maxItems",
    "uniqueItems",
    "required",
    "minProperties",
    "maxProperties",
    "pattern",
];

const FORMATS: [&str; 13] = [
    "date",
    "time",
    "date-time",
    "duration",
    "email",
    "hostname",
    "ipv4",
    "ipv6",
    "uri",
    "uri-reference",
    "uuid",
    "regex",
    "json-pointer",
];

/// Turns schemas of a document into ours.
pub(super) struct Schemas<'a> {
    document: &'a Document,
    parts: usize,
    /// References that are being followed.
    inside: Vec<String>,
    /// What was left out, and why.
    pub(super) notes: Vec<String>,
}

impl<'a> Schemas<'a> {
    pub(super) fn new(document: &'a Document) -> Self {
        Self { document, parts: 0, inside: Vec::new(), notes: Vec::new() }
    }

    /// A schema of one argument or result; anything goes where it cannot be told.
    pub(super) fn convert(&mut self, schema: &Value) -> Value {
        self.parts = 0;
        let made = self.at(schema, 0);
        // What the types here do not know would stop the whole module.
        if serde_json::from_value::<ValueSchema>(made.clone()).is_ok() { made } else { json!({}) }
    }

    /// A schema with `allOf` of mappings laid together, so that its properties can be seen.
    pub(super) fn flat(&self, schema: &Value) -> Value {
        self.flat_within(schema, &mut DEEPEST.pow(2))
    }

    /// The same, laying together so many parts at most.
    fn flat_within(&self, schema: &Value, left: &mut usize) -> Value {
        let schema = self.document.resolved(schema);
        let parts = schema["allOf"].as_array().filter(|_| *left > 0);
        let Some(parts) = parts else { return schema.clone() };
        let mut properties = schema["properties"].as_object().cloned().unwrap_or_default();
        let mut required = schema["required"].as_array().cloned().unwrap_or_default();
        for part in parts {
            *left = left.saturating_sub(1);
            let part = self.flat_within(part, left);
            properties.extend(part["properties"].as_object().cloned().unwrap_or_default());
            required.extend(part["required"].as_array().cloned().unwrap_or_default());
        }
        json!({"type": "object", "properties": properties, "required": required})
    }

    fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    fn at(&mut self, schema: &Value, depth: usize) -> Value {
        let Some(followed) = reference(schema) else { return self.inner(schema, depth) };
        if self.inside.iter().any(|known| known == followed) {
            self.note("a schema refers to itself; below that anything is taken");
            return json!({});
        }
        self.inside.push(followed.to_owned());
        let made = self.inner(schema, depth);
        self.inside.pop();
        made
    }

    fn inner(&mut self, schema: &Value, depth: usize) -> Value {
        self.parts += 1;
        if depth > DEEPEST || self.parts > LARGEST {
            self.note("a schema is too deep or too large; below that anything is taken");
            return json!({});
        }
        let target = self.document.resolved(schema);
        if let Some(reference) = reference(schema).filter(|_| target.is_null()) {
            self.note(format!("`{reference}` leads nowhere in the document; anything is taken in its place"));
        }
        let Some(entries) = target.as_object() else {
            return if *target == Value::Bool(false) { json!({"not": {}}) } else { json!({}) };
        };
        let mut made = Map::new();
        for keyword in KEPT {
            if let Some(value) = entries.get(keyword) {
                made.insert(keyword.to_owned(), value.clone());
            }
        }
        kind(entries, &mut made);
        bounds(entries, &mut made);
        self.text(entries, &mut made);
        self.parts_of(entries, &mut made, depth);
        drop_idle(&mut made);
        Value::Object(made)
    }

    fn text(&mut self, entries: &Map<String, Value>, made: &mut Map<String, Value>) {
        if let Some(format) =
            entries.get("format").filter(|format| FORMATS.iter().any(|known| *format == known))
        {
            made.insert("format".to_owned(), format.clone());
        }
        let pattern = entries.get("pattern").and_then(Value::as_str);
        if let Some(pattern) = pattern.filter(|pattern| regex::Regex::new(pattern).is_err()) {
            self.note(format!("the pattern `{pattern}` is not one that is known here"));
            made.remove("pattern");
        }
        if let Some(Value::String(description)) = made.get_mut("description") {
            *description = description.split_whitespace().collect::<Vec<_>>().join(" ");
        }
    }

    fn parts_of(&mut self, entries: &Map<String, Value>, made: &mut Map<String, Value>, depth: usize) {
        if let Some(items) = entries.get("items") {
            made.insert("items".to_owned(), self.at(items, depth + 1));
        }
        if let Some(properties) = entries.get("properties").and_then(Value::as_object) {
            let properties: Map<String, Value> =
                properties.iter().map(|(name, schema)| (name.clone(), self.at(schema, depth + 1))).collect();
            made.insert("properties".to_owned(), Value::Object(properties));
        }
        if let Some(more) = entries.get("additionalProperties").filter(|more| more.is_object()) {
            made.insert("additionalProperties".to_owned(), self.at(more, depth + 1));
        }
        for keyword in ["allOf", "anyOf", "oneOf"] {
            if let Some(branches) = entries.get(keyword).and_then(Value::as_array) {
                let branches: Vec<Value> = branches.iter().map(|branch| self.at(branch, depth + 1)).collect();
                made.insert(keyword.to_owned(), Value::Array(branches));
            }
        }
        if entries.contains_key("discriminator") {
            self.note("a `discriminator` is not looked at");
        }
    }
}

/// The type, with null where the document says `nullable`.
fn kind(entries: &Map<String, Value>, made: &mut Map<String, Value>) {
    let nullable = entries.get("nullable") == Some(&Value::Bool(true));
    let kind = entries
        .get("type")
        .cloned()
        .or_else(|| entries.contains_key("properties").then(|| Value::from("object")));
    match kind {
        Some(Value::String(kind)) if nullable => {
            made.insert("type".to_owned(), json!([kind, "null"]));
        }
        Some(kind) => {
            made.insert("type".to_owned(), kind);
        }
        None => {}
    }
    if nullable
        && let Some(Value::Array(choices)) = made.get_mut("enum")
        && !choices.contains(&Value::Null)
    {
        choices.push(Value::Null);
    }
}

/// In `OpenAPI` 3.0 an exclusive bound is a flag beside the bound.
fn bounds(entries: &Map<String, Value>, made: &mut Map<String, Value>) {
    for (flag, bound) in [("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")] {
        match entries.get(flag) {
            Some(Value::Bool(true)) => {
                made.remove(flag);
                if let Some(value) = made.remove(bound) {
                    made.insert(flag.to_owned(), value);
                }
            }
            Some(Value::Bool(false)) => {
                made.remove(flag);
            }
            _ => {}
        }
    }
}

/// Keywords that say nothing about the type that is named.
fn drop_idle(made: &mut Map<String, Value>) {
    const ABOUT: [(&str, &[&str]); 4] = [
        ("string", &["minLength", "maxLength", "pattern", "format"]),
        ("number", &["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"]),
        ("array", &["items", "minItems", "maxItems", "uniqueItems"]),
        ("object", &["properties", "additionalProperties", "minProperties", "maxProperties", "required"]),
    ];
    let Some(kind) = made.get("type").and_then(Value::as_str).map(str::to_owned) else { return };
    let kind = if kind == "integer" { "number".to_owned() } else { kind };
    for (_, keywords) in ABOUT.iter().filter(|(about, _)| *about != kind) {
        for keyword in *keywords {
            made.remove(*keyword);
        }
    }
    // A bound beyond what a number can hold is none.
    made.retain(|keyword, value| keyword != "maximum" || value.as_f64().is_none_or(|most| most < 1e18));
    if let Some(Value::Number(least)) = made.get("minimum")
        && *least == Number::from(i64::MIN)
    {
        made.remove("minimum");
    }
}
