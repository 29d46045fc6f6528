//! Values for a run's inputs: from text or JSON, by the declared types.

use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use crate::json;
use crate::name;
use crate::plan::{InputPlan, SkillPlan};
use crate::schema::{self, Unfit};
use crate::template::{Missing, Scope};

/// The characters around a sealed secret; text from outside must not hold them.
const RESERVED: [char; 2] = ['\u{fdd0}', '\u{fdd1}'];

/// What is wrong with one input.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("input `{name}`{} {message}", if message.starts_with('`') { ":" } else { "" })]
pub struct InputError {
    /// Which input.
    pub name: String,
    /// What is wrong with it.
    pub message: String,
    /// What to do; may be empty.
    pub hint: String,
}

/// Reads `--input name=text` by the declared type: `3` for an integer, `true` for a
/// boolean, JSON for arrays and objects, the text itself for a string.
pub fn coerce(skill: &SkillPlan, name: &str, text: &str) -> Result<Value, InputError> {
    let input = find(skill, name)?;
    let wrong = |wanted: &str, hint: &str| InputError {
        name: input.name.clone(),
        message: format!("`{}` is not {wanted}", schema::words::short(text)),
        hint: hint.to_owned(),
    };
    let kind = input.schema.get("type").and_then(Value::as_str);
    if let Some("integer" | "number" | "array" | "object") = kind
        && let Err(error) = json::exact::<IgnoredAny>(text.as_bytes())
        && error.is_data()
    {
        return Err(wrong(&format!("taken: {error}"), ""));
    }
    match kind {
        Some("integer") => whole_number(text).ok_or_else(|| wrong("a whole number", "")),
        Some("number") => number(text).ok_or_else(|| wrong("a number", "")),
        Some("boolean") => match text {
            "true" => Ok(true.into()),
            "false" => Ok(false.into()),
            _ => Err(wrong("a boolean", "write `true` or `false`")),
        },
        Some("array") => {
            read(text, Value::is_array).ok_or_else(|| wrong("a list", "write JSON, e.g. `[\"a\", \"b\"]`"))
        }
        Some("object") => {
            read(text, Value::is_object).ok_or_else(|| wrong("a mapping", "write JSON, e.g. `{\"a\": 1}`"))
        }
        _ => Ok(text.into()),
    }
}

fn whole_number(text: &str) -> Option<Value> {
    text.parse::<i64>().map(Value::from).or_else(|_| text.parse::<u64>().map(Value::from)).ok()
}

fn number(text: &str) -> Option<Value> {
    whole_number(text)
        .or_else(|| text.parse::<f64>().ok().and_then(serde_json::Number::from_f64).map(Value::Number))
}

fn read(text: &str, is_right: fn(&Value) -> bool) -> Option<Value> {
    serde_json::from_str(text).ok().filter(is_right)
}

/// Checks given values against the declarations and fills in defaults.
///
/// An input that is neither given nor has a default is null, and null for an input that
/// is not required counts as not given. `scope` gives defaults that are templates what
/// they may read; `inputs` in it holds the inputs declared before.
///
/// # Errors
/// Everything that is wrong, not only the first.
pub fn bind(
    skill: &SkillPlan,
    given: &Map<String, Value>,
    scope: &Scope,
) -> Result<Map<String, Value>, Vec<InputError>> {
    let mut errors = Vec::new();
    let given = by_declared_name(skill, given, &mut errors);
    let mut bound = Map::new();
    for input in &skill.inputs {
        let value = match given.get(&input.name) {
            Some(value) if input.required || !value.is_null() => {
                check(input, value).map(|()| (*value).clone())
            }
            _ if input.required => Err(vec![missing(input)]),
            _ => default(input, &bound, scope),
        };
        match value {
            Ok(value) => {
                bound.insert(input.name.clone(), value);
            }
            Err(problems) => errors.extend(problems),
        }
    }
    if errors.is_empty() { Ok(bound) } else { Err(errors) }
}

/// Given values by the names of the declarations, `-` and `_` being the same letter.
fn by_declared_name<'a>(
    skill: &SkillPlan,
    given: &'a Map<String, Value>,
    errors: &mut Vec<InputError>,
) -> std::collections::BTreeMap<String, &'a Value> {
    let mut values = std::collections::BTreeMap::new();
    for (name, value) in given {
        match find(skill, name) {
            Ok(input) if values.contains_key(&input.name) => errors.push(InputError {
                name: input.name.clone(),
                message: "is given twice".to_owned(),
                hint: String::new(),
            }),
            Ok(input) => {
                values.insert(input.name.clone(), value);
            }
            Err(error) => errors.push(error),
        }
    }
    values
}

fn find<'a>(skill: &'a SkillPlan, name: &str) -> Result<&'a InputPlan, InputError> {
    let folded = name::fold(name);
    let found = skill.inputs.iter().find(|input| name::fold(&input.name) == folded);
    found.ok_or_else(|| {
        let known: Vec<&str> = skill.inputs.iter().map(|input| input.name.as_str()).collect();
        let hint = match name::suggest(name, known.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None if known.is_empty() => format!("`{}` has no inputs", skill.name),
            None => format!("the inputs are {}", name::list(&known)),
        };
        InputError { name: name.to_owned(), message: format!("`{}` has no such input", skill.name), hint }
    })
}

fn missing(input: &InputPlan) -> InputError {
    InputError {
        name: input.name.clone(),
        message: "is required".to_owned(),
        hint: input.description.clone(),
    }
}

/// The value of an input that is not given.
fn default(input: &InputPlan, bound: &Map<String, Value>, scope: &Scope) -> Result<Value, Vec<InputError>> {
    let Some(template) = &input.default else { return Ok(Value::Null) };
    let value = if template.is_constant() {
        Ok(Some(template.source().clone()))
    } else {
        let mut scope = scope.clone();
        scope.set("inputs", &Value::Object(bound.clone()));
        template.render(&scope, Missing::Null)
    };
    let problem =
        |message: String| vec![InputError { name: input.name.clone(), message, hint: String::new() }];
    let value =
        value.map_err(|error| problem(format!("its default has no value: {error}")))?.unwrap_or_default();
    if !value.is_null() {
        check(input, &value).map_err(|errors| {
            errors
                .into_iter()
                .map(|error| InputError { message: format!("its default {}", error.message), ..error })
                .collect::<Vec<_>>()
        })?;
    }
    Ok(value)
}

fn check(input: &InputPlan, value: &Value) -> Result<(), Vec<InputError>> {
    let problem = |message: String, hint: String| InputError { name: input.name.clone(), message, hint };
    if holds_reserved(value) {
        let message = "holds the reserved character U+FDD0 or U+FDD1".to_owned();
        return Err(vec![problem(message, "remove it; it marks secrets".to_owned())]);
    }
    let errors: Vec<InputError> = schema::unfit(&input.schema, value)
        .into_iter()
        .map(|unfit| problem(unfit.to_string(), unfit.hint))
        .collect();
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

/// Whether any text in the value, keys included, could be taken for a sealed secret.
fn holds_reserved(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains(RESERVED),
        Value::Array(items) => items.iter().any(holds_reserved),
        Value::Object(entries) => {
            entries.iter().any(|(key, value)| key.contains(RESERVED) || holds_reserved(value))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Whether a value fits a JSON Schema.
///
/// # Errors
/// What does not fit, in one line.
pub fn fits(schema: &Value, value: &Value) -> Result<(), String> {
    let told = |unfit: Unfit| match unfit.hint.as_str() {
        "" => unfit.to_string(),
        hint => format!("{unfit} ({hint})"),
    };
    let problems: Vec<String> = schema::unfit(schema, value).into_iter().map(told).collect();
    if problems.is_empty() { Ok(()) } else { Err(problems.join("; ")) }
}

#[cfg(test)]
mod tests;
