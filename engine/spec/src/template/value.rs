//! Values of the template engine to JSON and to text.
//!
//! Both count what they write against a [`Budget`], because a short template can
//! describe a value of any size. Text is JSON-like, not Python-like: `true`, not
//! `True`; null prints as nothing; lists and maps print as JSON.

use minijinja::value::{Serde, ValueKind};
use minijinja::{Error, Value};
use serde_json::{Map, Number, Value as Json};

use super::failure::fail;
use super::moment::Moment;

/// Bytes that one evaluation may give.
const LIMIT: usize = 64 * 1024 * 1024;
/// Lists in lists, counted from the outside.
const DEPTH: usize = 128;

/// What is left of an evaluation's output limit.
#[derive(Debug)]
pub(super) struct Budget(usize);

impl Budget {
    pub(super) fn new() -> Self {
        Self(LIMIT)
    }

    /// Takes some bytes off.
    pub(super) fn spend(&mut self, bytes: usize) -> Result<(), Error> {
        match self.0.checked_sub(bytes) {
            Some(left) => {
                self.0 = left;
                Ok(())
            }
            None => Err(fail(format!("the result is larger than {} MiB", LIMIT >> 20))),
        }
    }
}

/// JSON as the template engine sees it.
pub(super) fn from_json(json: &Json) -> Value {
    Value::from(Serde(json))
}

/// A value as JSON. A value that is missing is null; a date is its ISO text.
pub(super) fn to_json(value: &Value, budget: &mut Budget) -> Result<Json, Error> {
    nested_to_json(value, budget, DEPTH)
}

/// A value as text.
pub(super) fn to_text(value: &Value, budget: &mut Budget) -> Result<String, Error> {
    let text = match value.kind() {
        ValueKind::Undefined | ValueKind::None => String::new(),
        ValueKind::String => value.as_str().unwrap_or_default().to_owned(),
        _ => match to_json(value, budget)? {
            Json::String(text) => text,
            json => json.to_string(),
        },
    };
    budget.spend(text.len())?;
    Ok(text)
}

/// Whether a value counts as missing: undefined, or null as a skipped step gives it.
pub(super) fn is_missing(value: &Value) -> bool {
    value.is_undefined() || value.is_none()
}

fn nested_to_json(value: &Value, budget: &mut Budget, depth: usize) -> Result<Json, Error> {
    budget.spend(size_of::<Json>())?;
    if depth == 0 {
        return Err(fail("a value is nested too deeply"));
    }
    Ok(match value.kind() {
        ValueKind::Undefined | ValueKind::None => Json::Null,
        ValueKind::Bool => Json::Bool(value.is_true()),
        ValueKind::Number => Json::Number(number(value)?),
        ValueKind::String => {
            let text = value.as_str().unwrap_or_default();
            budget.spend(text.len())?;
            Json::String(text.to_owned())
        }
        ValueKind::Seq | ValueKind::Iterable => {
            let mut items = Vec::new();
            for item in value.try_iter()? {
                items.push(nested_to_json(&item, budget, depth - 1)?);
            }
            Json::Array(items)
        }
        ValueKind::Map => {
            let mut entries = Map::new();
            for key in value.try_iter()? {
                let name = key_text(&key)?;
                budget.spend(name.len())?;
                entries.insert(name, nested_to_json(&value.get_item(&key)?, budget, depth - 1)?);
            }
            Json::Object(entries)
        }
        _ if value.downcast_object_ref::<Moment>().is_some() => Json::String(value.to_string()),
        _ => return Err(fail("a function is not a value; call it with `()`")),
    })
}

fn number(value: &Value) -> Result<Number, Error> {
    let exact = || fail("a number is too large");
    if value.is_integer() {
        if let Some(small) = value.as_i64() {
            return Ok(small.into());
        }
        return u64::try_from(value.clone()).map(Number::from).map_err(|_| exact());
    }
    let float = f64::try_from(value.clone()).map_err(|_| exact())?;
    Number::from_f64(float).ok_or_else(|| fail("the result of a calculation is not a number"))
}

fn key_text(key: &Value) -> Result<String, Error> {
    match key.kind() {
        ValueKind::String => Ok(key.as_str().unwrap_or_default().to_owned()),
        ValueKind::Number => Ok(number(key)?.to_string()),
        ValueKind::Bool => Ok(key.is_true().to_string()),
        _ => Err(fail("the keys of a mapping must be text")),
    }
}
