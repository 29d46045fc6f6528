//! What a JSON Schema says of types and fields, as far as it can be told before a run.

use serde_json::Value;

use crate::template::Segment;

/// What is at the end of a path.
pub(super) enum Found<'a> {
    /// Something that fits this schema.
    Schema(&'a Value),
    /// No one can tell.
    Anything,
    /// Nothing that the schema speaks of, though it speaks of others beside it.
    Unsaid(Dead),
    /// Nothing, ever.
    Nothing(Dead),
}

/// Where a path cannot go on.
pub(super) struct Dead {
    /// How many parts of the path are left there.
    pub(super) left: usize,
    /// What is looked for.
    pub(super) key: String,
    /// What there would be; `None` when it is no mapping.
    pub(super) known: Option<Vec<String>>,
    /// What is there instead, in words.
    pub(super) what: String,
}

/// Follows a path through a schema. Where a value may be one thing or another, what any of them has is there.
pub(super) fn at<'a>(schema: &'a Value, path: &[Segment]) -> Found<'a> {
    let mut schemas = vec![schema];
    for (depth, segment) in path.iter().enumerate() {
        let mut alternatives = Vec::new();
        for schema in &schemas {
            spread(schema, &mut alternatives);
        }
        let steps = alternatives.into_iter().map(|schema| step_into(schema, segment));
        match together(steps.collect()) {
            Ok(inner) => schemas = inner,
            Err(Found::Nothing(dead)) => return Found::Nothing(Dead { left: path.len() - depth, ..dead }),
            Err(Found::Unsaid(dead)) => return Found::Unsaid(Dead { left: path.len() - depth, ..dead }),
            Err(other) => return other,
        }
    }
    match schemas.as_slice() {
        [only] => Found::Schema(only),
        _ => Found::Anything,
    }
}

/// The alternatives of a schema that is nothing but these. Nothing can be taken out of null, so it is none.
fn spread<'a>(schema: &'a Value, into: &mut Vec<&'a Value>) {
    let said =
        schema.as_object().map_or(0, |keywords| keywords.keys().filter(|key| *key != "description").count());
    let alternatives = ["anyOf", "oneOf"].iter().find_map(|keyword| schema.get(keyword)?.as_array());
    match alternatives.filter(|_| said == 1) {
        Some(alternatives) => alternatives.iter().for_each(|one| spread(one, into)),
        None if types(schema) == Some(vec!["null"]) => {}
        None => into.push(schema),
    }
}

/// What several alternatives come to: schemas, or the best reason why there is none.
fn together(steps: Vec<Found<'_>>) -> Result<Vec<&Value>, Found<'_>> {
    let (mut schemas, mut none) = (Vec::new(), None);
    for step in steps {
        match step {
            Found::Anything => return Err(Found::Anything),
            Found::Schema(schema) => schemas.push(schema),
            Found::Unsaid(dead) => none = Some(Found::Unsaid(dead)),
            Found::Nothing(dead) => match &none {
                // A mapping without it says more than something that is no mapping.
                Some(Found::Unsaid(_)) => {}
                Some(Found::Nothing(Dead { known: Some(_), .. })) if dead.known.is_none() => {}
                _ => none = Some(Found::Nothing(dead)),
            },
        }
    }
    if schemas.is_empty() { Err(none.unwrap_or(Found::Anything)) } else { Ok(schemas) }
}

fn step_into<'a>(schema: &'a Value, segment: &Segment) -> Found<'a> {
    const OPEN: [&str; 7] = ["$ref", "anyOf", "oneOf", "allOf", "if", "patternProperties", "prefixItems"];
    let (Some(keywords), Some(types)) = (schema.as_object(), types(schema)) else { return Found::Anything };
    if OPEN.iter().any(|keyword| keywords.contains_key(*keyword)) {
        return Found::Anything;
    }
    let dead = |key: String, known| Dead { left: 0, key, known, what: words(&types) };
    match segment {
        Segment::Key(key) if types.contains(&"object") => {
            let properties = keywords.get("properties").and_then(Value::as_object);
            let known: Vec<String> = properties.into_iter().flat_map(|known| known.keys()).cloned().collect();
            match (properties.and_then(|known| known.get(key)), keywords.get("additionalProperties")) {
                (Some(property), _) => Found::Schema(property),
                (None, Some(Value::Bool(false))) => Found::Nothing(dead(key.clone(), Some(known))),
                (None, Some(other)) => Found::Schema(other),
                (None, None) if known.is_empty() => Found::Anything,
                (None, None) => Found::Unsaid(dead(key.clone(), Some(known))),
            }
        }
        Segment::Index(_) | Segment::Each if types.contains(&"array") => {
            keywords.get("items").map_or(Found::Anything, Found::Schema)
        }
        // Text can be indexed and a mapping may have numbers as keys; whoever goes through them gets something else than
        // their parts.
        Segment::Index(_) | Segment::Each if types.contains(&"string") || types.contains(&"object") => {
            Found::Anything
        }
        segment => Found::Nothing(dead(segment.to_string(), None)),
    }
}

/// Follows a path through a value that is known.
pub(super) fn in_value(value: &Value, path: &[Segment]) -> Option<Dead> {
    let mut value = value;
    for (depth, segment) in path.iter().enumerate() {
        let next = match segment {
            Segment::Key(key) => value.get(key.as_str()),
            Segment::Index(index) => value.get(from_the_end(value, *index)),
            Segment::Each => return None,
        };
        let Some(next) = next else {
            return Some(Dead {
                left: path.len() - depth,
                key: segment.to_string(),
                known: value.as_object().map(|known| known.keys().cloned().collect()),
                what: words(&[type_of(value)]),
            });
        };
        value = next;
    }
    None
}

/// A position in a list, where those below zero count from its end.
fn from_the_end(value: &Value, index: i64) -> usize {
    let length = value.as_array().map_or(0, Vec::len);
    let back = usize::try_from(index.unsigned_abs()).unwrap_or(usize::MAX);
    if index < 0 { length.checked_sub(back).unwrap_or(usize::MAX) } else { back }
}

/// Every type of JSON Schema that a value can be declared to have.
pub(super) const TYPES: [&str; 6] = ["array", "boolean", "integer", "number", "object", "string"];

/// The types that a schema allows; `None` when it does not say.
pub(super) fn types(schema: &Value) -> Option<Vec<&str>> {
    match schema.get("type") {
        Some(Value::String(only)) => Some(vec![only]),
        Some(Value::Array(several)) => Some(several.iter().filter_map(Value::as_str).collect()),
        _ => match (schema.get("enum"), schema.get("const")) {
            (Some(Value::Array(choices)), _) => Some(choices.iter().map(type_of).collect()),
            (_, Some(value)) => Some(vec![type_of(value)]),
            _ => None,
        },
    }
}

/// Whether a value of one of the given types can be one of the wanted types.
pub(super) fn can_be(given: &[&str], wanted: &[&str]) -> bool {
    let number = |name: &&str| matches!(*name, "integer" | "number");
    given.iter().any(|given| wanted.contains(given) || number(given) && wanted.iter().any(number))
}

/// The JSON Schema type of a value.
pub(super) fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Types for people: `text or a number`.
pub(super) fn words(types: &[&str]) -> String {
    let mut words: Vec<&str> = types
        .iter()
        .map(|name| match *name {
            "null" => "nothing",
            "boolean" => "true or false",
            "integer" => "a whole number",
            "number" => "a number",
            "string" => "text",
            "array" => "a list",
            "object" => "a mapping",
            other => other,
        })
        .collect();
    words.dedup();
    words.join(" or ")
}

/// Whether a value fits a schema of the usual simple kind; `None` when the schema says
/// more than can be seen at a glance.
pub(super) fn fits_at_a_glance(schema: &Value, value: &Value) -> Option<bool> {
    let keywords = schema.as_object()?;
    let mut fits = true;
    for (keyword, rule) in keywords {
        fits &= match keyword.as_str() {
            "description" | "title" | "default" | "examples" | crate::tool::alias::KEYWORD => true,
            "type" => types(schema)?
                .iter()
                .any(|wanted| *wanted == type_of(value) || *wanted == "number" && value.is_number()),
            "enum" => rule.as_array()?.contains(value),
            "minimum" => value.as_i64()? >= rule.as_i64()?,
            "maximum" => value.as_i64()? <= rule.as_i64()?,
            _ => return None,
        };
    }
    Some(fits)
}
