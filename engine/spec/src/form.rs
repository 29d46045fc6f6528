//! Forms: what a person fills in, field by field. Flat, of single values and choices, and
//! never secrets.
//!
//! A form is a JSON Schema from here on, wherever it came from: written in a skill
//! ([`Fields`]) or sent by a module that asks in the middle of a call.

mod field;

use serde_json::{Map, Value, json};

pub use self::field::{Choices, Field, FieldKind, Fields, TextFormat, Titled};
use crate::input;

/// What the name of a field that holds a secret has in it.
const SECRETS: [&str; 13] = [
    "password",
    "passwd",
    "pwd",
    "passphrase",
    "passcode",
    "secret",
    "token",
    "apikey",
    "accesskey",
    "privatekey",
    "signingkey",
    "credential",
    "onetimecode",
];

/// Words of which the same is true, and that are parts of harmless ones.
const SECRET_WORDS: [&str; 6] = ["pass", "pin", "otp", "cvv", "cvc", "mfa"];

/// What may be chosen in a field: the value, and what people see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice<'a> {
    /// The value.
    pub value: &'a str,
    /// What people see.
    pub title: &'a str,
}

/// The fields of a form, in their order.
pub fn properties(form: &Value) -> impl Iterator<Item = (&String, &Value)> {
    form["properties"].as_object().into_iter().flatten()
}

/// Whether a field has to have a value; a default is one.
pub fn is_required(form: &Value, name: &str) -> bool {
    form["required"].as_array().is_some_and(|all| all.iter().any(|one| one == name))
}

/// What can be chosen in a field; empty where it is free.
pub fn choices(field: &Value) -> Vec<Choice<'_>> {
    let of = if field["type"] == "array" { &field["items"] } else { field };
    if let Some(titled) = of["oneOf"].as_array().or_else(|| of["anyOf"].as_array()) {
        return titled.iter().filter_map(titled_choice).collect();
    }
    let values = of["enum"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let title = |at: usize| of["enumNames"].get(at).and_then(Value::as_str);
    values.enumerate().map(|(at, value)| Choice { value, title: title(at).unwrap_or(value) }).collect()
}

fn titled_choice(one: &Value) -> Option<Choice<'_>> {
    let value = one["const"].as_str()?;
    Some(Choice { value, title: one["title"].as_str().unwrap_or(value) })
}

/// Whether a name sounds like that of a secret.
pub fn is_secret(name: &str) -> bool {
    let lower = name.to_lowercase();
    let plain: String = lower.chars().filter(char::is_ascii_alphanumeric).collect();
    let mut words = lower.split(|char: char| !char.is_ascii_alphanumeric());
    SECRETS.iter().any(|secret| plain.contains(secret)) || words.any(|word| SECRET_WORDS.contains(&word))
}

/// Whether a field asks for a secret, as far as its name and title tell. A choice is none:
/// everything that can be chosen is known before.
pub fn asks_secret(name: &str, field: &Value) -> bool {
    let free = field["type"] != "boolean" && choices(field).is_empty();
    free && (is_secret(name) || field["title"].as_str().is_some_and(is_secret))
}

/// Whether a JSON Schema is that of a form: flat, of single values and choices, no secrets.
///
/// # Errors
/// What in it cannot be asked, in one line.
pub fn check(form: &Value) -> Result<(), String> {
    for (name, field) in properties(form) {
        if asks_secret(name, field) {
            return Err(format!("the field `{name}` would hold a secret"));
        }
        let kind = field["type"].as_str().unwrap_or_default();
        let known = match kind {
            "array" => !choices(field).is_empty(),
            kind => ["string", "integer", "number", "boolean"].contains(&kind),
        };
        if !known {
            return Err(format!("the field `{name}` is no single value and no choice"));
        }
    }
    Ok(())
}

/// Whether a value fits into a field.
///
/// # Errors
/// Why not, in one line.
pub fn fits(field: &Value, value: &Value) -> Result<(), String> {
    let choices: Vec<&str> = choices(field).iter().map(|choice| choice.value).collect();
    if choices.is_empty() {
        return input::fits(field, value);
    }
    // As a plain list of texts, so that what is wrong with a value is said in plain words.
    let one = json!({"type": "string", "enum": choices});
    let mut plain = one.clone();
    if field["type"] == "array" {
        plain = json!({"type": "array", "items": one, "uniqueItems": true});
        for bound in ["minItems", "maxItems"] {
            if let Some(value) = field.get(bound) {
                plain[bound] = value.clone();
            }
        }
    }
    input::fits(&plain, value)
}

/// A filled-in form, checked and with the defaults of what was left alone.
///
/// # Errors
/// Everything that does not fit, in one line.
pub fn fill(form: &Value, given: &Value) -> Result<Map<String, Value>, String> {
    let Value::Object(given) = given else { return Err("a form is answered with its fields".to_owned()) };
    let mut filled = Map::new();
    let unknown = given.keys().filter(|name| form["properties"].get(name).is_none());
    let mut problems: Vec<String> = unknown.map(|name| format!("there is no field `{name}`")).collect();
    for (name, field) in properties(form) {
        match given.get(name).filter(|value| !value.is_null()).or_else(|| field.get("default")) {
            Some(value) => match fits(field, value) {
                Ok(()) => drop(filled.insert(name.clone(), value.clone())),
                Err(problem) => problems.push(format!("`{name}` {problem}")),
            },
            None if is_required(form, name) => problems.push(format!("`{name}` is missing")),
            None => {}
        }
    }
    if problems.is_empty() { Ok(filled) } else { Err(problems.join("; ")) }
}

/// `name=text` pairs as the values of a form; whether they fit, [`fill`] says.
///
/// # Errors
/// A text that is no pair, or a name that is there twice.
pub fn read(form: &Value, pairs: &[String]) -> Result<Map<String, Value>, String> {
    let mut values = Map::new();
    for pair in pairs {
        let Some((name, text)) = pair.split_once('=') else {
            return Err(format!("`{pair}` is not a field; write it like `name=value`"));
        };
        if values.insert(name.to_owned(), value(&form["properties"][name], text)).is_some() {
            return Err(format!("`{name}` is there twice"));
        }
    }
    Ok(values)
}

/// A text as what a field holds; one that cannot be read so is left as it is, and fits nowhere.
pub fn value(field: &Value, text: &str) -> Value {
    let trimmed = text.trim();
    match field["type"].as_str() {
        Some("boolean") => match trimmed.to_lowercase().as_str() {
            "true" | "yes" | "y" => true.into(),
            "false" | "no" | "n" => false.into(),
            _ => text.into(),
        },
        Some("integer" | "number") => {
            let number = crate::json::exact(trimmed.as_bytes()).ok().filter(Value::is_number);
            number.unwrap_or_else(|| text.into())
        }
        Some("array") => several(field, trimmed),
        _ => chosen(field, text),
    }
}

/// `a, b`, or the same as JSON.
fn several(field: &Value, text: &str) -> Value {
    if let Ok(list @ Value::Array(_)) = crate::json::exact(text.as_bytes()) {
        return list;
    }
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.map(|part| chosen(field, part)).collect()
}

/// What was meant by the title of a choice.
fn chosen(field: &Value, text: &str) -> Value {
    let choices = choices(field);
    let by_title = || choices.iter().find(|choice| choice.title.eq_ignore_ascii_case(text.trim()));
    let known = choices.iter().find(|choice| choice.value == text).or_else(by_title);
    known.map_or(text, |choice| choice.value).into()
}

/// How a question can be answered, in words: its form as `name=…` pairs, and its options.
pub fn answers(options: &[String], form: Option<&Value>) -> Vec<String> {
    let pairs = |form| properties(form).map(|(name, _)| format!("{name}=…")).collect::<Vec<_>>().join(" ");
    form.map(pairs).into_iter().chain(options.iter().cloned()).collect()
}

/// A form as it is filled in when nobody is asked, in a dry run: the defaults, and what fits else.
pub fn example(form: &Value) -> Map<String, Value> {
    let value = |field: &Value| field.get("default").cloned().unwrap_or_else(|| usual(field));
    properties(form).map(|(name, field)| (name.clone(), value(field))).collect()
}

fn usual(field: &Value) -> Value {
    let choices = choices(field);
    let count = |key: &str| field[key].as_u64().and_then(|count| usize::try_from(count).ok()).unwrap_or(0);
    match (field["type"].as_str(), field["format"].as_str()) {
        (Some("boolean"), _) => false.into(),
        (Some("integer" | "number"), _) => {
            field.get("minimum").or_else(|| field.get("maximum")).cloned().unwrap_or_else(|| 0.into())
        }
        (Some("array"), _) => choices.iter().take(count("minItems")).map(|choice| choice.value).collect(),
        (_, Some("email")) => "someone@example.org".into(),
        (_, Some("uri")) => "https://example.org/".into(),
        (_, Some("date")) => "2000-01-01".into(),
        (_, Some("date-time")) => "2000-01-01T00:00:00Z".into(),
        _ => {
            choices.first().map_or_else(|| "x".repeat(count("minLength")), |one| one.value.to_owned()).into()
        }
    }
}

#[cfg(test)]
mod tests;
