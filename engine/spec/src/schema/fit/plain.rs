//! The words of a schema that can be seen through without compiling it.

use serde_json::{Map, Value};

use super::REMARKS;

/// Up to here a number is the same as an integer and with a point.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Whether a value certainly fits: the schema has only words that are understood here, and
/// the value keeps them all. False says nothing.
pub(super) fn fits_plainly(schema: &Value, value: &Value) -> bool {
    let Some(keywords) = schema.as_object() else { return *schema == Value::Bool(true) };
    keywords.iter().all(|(word, asked)| match word.as_str() {
        "type" => match asked {
            Value::String(expected) => has_type(value, expected),
            Value::Array(types) => types.iter().filter_map(Value::as_str).any(|one| has_type(value, one)),
            _ => false,
        },
        "enum" => asked.as_array().is_some_and(|choices| choices.contains(value)),
        "required" => asked.as_array().is_some_and(|keys| has_keys(value, keys)),
        "properties" => asked.as_object().is_some_and(|properties| fit_properties(properties, value)),
        "additionalProperties" => {
            *asked == Value::Bool(true) || *asked == Value::Bool(false) && has_no_others(value, keywords)
        }
        "minimum" => keeps(value, asked, Value::as_f64, |is, bound| is >= bound),
        "maximum" => keeps(value, asked, Value::as_f64, |is, bound| is <= bound),
        "exclusiveMinimum" => keeps(value, asked, Value::as_f64, |is, bound| is > bound),
        "exclusiveMaximum" => keeps(value, asked, Value::as_f64, |is, bound| is < bound),
        "minLength" => keeps(value, asked, characters, |is, bound| is >= bound),
        "maxLength" => keeps(value, asked, characters, |is, bound| is <= bound),
        "minItems" => keeps(value, asked, items, |is, bound| is >= bound),
        "maxItems" => keeps(value, asked, items, |is, bound| is <= bound),
        "anyOf" => asked.as_array().is_some_and(|some| some.iter().any(|one| fits_plainly(one, value))),
        "allOf" => asked.as_array().is_some_and(|all| all.iter().all(|one| fits_plainly(one, value))),
        "items" => value.as_array().is_none_or(|items| items.iter().all(|item| fits_plainly(asked, item))),
        word => REMARKS.contains(&word),
    })
}

fn has_keys(value: &Value, keys: &[Value]) -> bool {
    let has = |map: &Map<String, Value>| {
        keys.iter().all(|key| key.as_str().is_some_and(|key| map.contains_key(key)))
    };
    value.as_object().is_none_or(has)
}

fn fit_properties(properties: &Map<String, Value>, value: &Value) -> bool {
    let fits = |(key, value): (&String, &Value)| {
        properties.get(key).is_none_or(|schema| fits_plainly(schema, value))
    };
    value.as_object().is_none_or(|map| map.iter().all(fits))
}

/// Whether a mapping has no keys but those of the schema's `properties`.
fn has_no_others(value: &Value, keywords: &Map<String, Value>) -> bool {
    let known = keywords.get("properties").and_then(Value::as_object);
    let known = |key: &String| known.is_some_and(|properties| properties.contains_key(key));
    !keywords.contains_key("patternProperties") && value.as_object().is_none_or(|map| map.keys().all(known))
}

fn has_type(value: &Value, expected: &str) -> bool {
    match (value, expected) {
        (Value::Number(number), "integer") => {
            number.is_i64() || number.is_u64() || number.as_f64().is_some_and(|number| number.fract() == 0.0)
        }
        (Value::Null, "null")
        | (Value::Bool(_), "boolean")
        | (Value::Number(_), "number")
        | (Value::String(_), "string")
        | (Value::Array(_), "array")
        | (Value::Object(_), "object") => true,
        _ => false,
    }
}

/// Whether what is measured of a value keeps a bound; what has no such measure keeps all. False where rounding might
/// decide.
fn keeps(
    value: &Value,
    bound: &Value,
    measure: impl Fn(&Value) -> Option<f64>,
    holds: impl Fn(f64, f64) -> bool,
) -> bool {
    let Some(is) = measure(value) else { return true };
    let is_exact = |number: f64| number.abs() < EXACT;
    bound.as_f64().is_some_and(|bound| is_exact(is) && is_exact(bound) && holds(is, bound))
}

fn characters(value: &Value) -> Option<f64> {
    value.as_str().map(|text| size(text.chars().count()))
}

fn items(value: &Value) -> Option<f64> {
    value.as_array().map(|items| size(items.len()))
}

/// More than can be told exactly decides nothing.
fn size(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}
