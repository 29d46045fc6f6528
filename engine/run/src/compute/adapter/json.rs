//! JSON into the interpreter's values, and back.
//!
//! What JSON cannot hold exactly does not leave: an integer beyond 64 bits, `nan`, `inf`,
//! an object that is more than its data. Tuples and sets become arrays, dates their ISO
//! text, paths their text; keys become text as `json.dumps` would write them.

use monty_types::{DictPairs, MontyObject};
use serde_json::{Map, Number, Value};

use super::clock;

/// Levels of nesting that may leave; a reader of JSON takes 128, and wraps a few around it.
const DEEPEST: usize = 100;

/// Why a value cannot leave.
#[derive(Debug, thiserror::Error)]
#[error("{place}it {what}")]
pub(super) struct Unfit {
    place: Place,
    what: String,
}

/// Where in a value, outermost last while it is being made.
#[derive(Debug, Default)]
struct Place(Vec<String>);

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() {
            return Ok(());
        }
        f.write_str("at `")?;
        self.0.iter().rev().try_for_each(|part| f.write_str(part))?;
        f.write_str("` ")
    }
}

/// A JSON value as Python sees it.
pub(super) fn enter(value: &Value) -> MontyObject {
    match value {
        Value::Null => MontyObject::None,
        Value::Bool(value) => MontyObject::Bool(*value),
        Value::Number(number) => enter_number(number),
        Value::String(text) => MontyObject::String(text.clone()),
        Value::Array(items) => MontyObject::List(items.iter().map(enter).collect()),
        Value::Object(map) => {
            let pair = |(key, value): (&String, &Value)| (MontyObject::String(key.clone()), enter(value));
            MontyObject::Dict(map.iter().map(pair).collect())
        }
    }
}

fn enter_number(number: &Number) -> MontyObject {
    if let Some(number) = number.as_i64() {
        return MontyObject::Int(number);
    }
    // Beyond `i64` the digits themselves are what converts without loss.
    let big = number.as_u64().and_then(|number| number.to_string().parse().ok());
    big.map_or_else(|| MontyObject::Float(number.as_f64().unwrap_or(f64::NAN)), MontyObject::BigInt)
}

/// A Python value as JSON.
pub(super) fn leave(value: MontyObject) -> Result<Value, Unfit> {
    leave_at(value, 0)
}

fn leave_at(value: MontyObject, depth: usize) -> Result<Value, Unfit> {
    if depth > DEEPEST {
        return Err(refuse(format!("is nested more than {DEEPEST} levels deep")));
    }
    Ok(match value {
        MontyObject::None => Value::Null,
        MontyObject::Bool(value) => value.into(),
        MontyObject::Int(value) => value.into(),
        MontyObject::BigInt(value) => match value.to_string().parse::<u64>() {
            Ok(value) => value.into(),
            Err(_) => return Err(refuse("is an integer of more than 64 bits; give it as text, `str(n)`")),
        },
        MontyObject::Float(value) => match Number::from_f64(value) {
            Some(number) => Value::Number(number),
            None => return Err(refuse(format!("is `{value}`, which JSON does not have"))),
        },
        MontyObject::String(text) | MontyObject::Path(text) => Value::String(text),
        MontyObject::List(items)
        | MontyObject::Tuple(items)
        | MontyObject::Set(items)
        | MontyObject::FrozenSet(items)
        | MontyObject::NamedTuple { values: items, .. } => leave_items(items, depth)?,
        MontyObject::Dict(pairs) => leave_pairs(pairs, depth)?,
        MontyObject::Date(date) => clock::date_text(&date).into(),
        MontyObject::DateTime(at) => clock::moment_text(&at).into(),
        MontyObject::Time(time) => clock::time_text(&time).into(),
        other => return Err(refuse(describe(&other))),
    })
}

fn leave_items(items: Vec<MontyObject>, depth: usize) -> Result<Value, Unfit> {
    let item =
        |(index, item)| leave_at(item, depth + 1).map_err(|unfit: Unfit| within(unfit, format!("[{index}]")));
    items.into_iter().enumerate().map(item).collect::<Result<Vec<_>, _>>().map(Value::Array)
}

fn leave_pairs(pairs: DictPairs, depth: usize) -> Result<Value, Unfit> {
    let mut map = Map::with_capacity(pairs.len());
    for (key, value) in pairs {
        let key = leave_key(key)?;
        let value = leave_at(value, depth + 1).map_err(|unfit| within(unfit, format!("[{key:?}]")))?;
        if map.contains_key(&key) {
            return Err(refuse(format!("has two keys that both read {key:?} as text")));
        }
        map.insert(key, value);
    }
    Ok(Value::Object(map))
}

fn leave_key(key: MontyObject) -> Result<String, Unfit> {
    match key {
        MontyObject::String(text) => Ok(text),
        MontyObject::None => Ok("null".to_owned()),
        MontyObject::Bool(value) => Ok(value.to_string()),
        MontyObject::Int(_) | MontyObject::BigInt(_) | MontyObject::Float(_) => Ok(key.py_repr()),
        other => Err(refuse(format!("has a key that {}", describe(&other)))),
    }
}

fn describe(value: &MontyObject) -> String {
    match value {
        MontyObject::Cycle(..) => "contains itself".to_owned(),
        MontyObject::Bytes(_) => "is bytes; decode them".to_owned(),
        MontyObject::TimeDelta(_) => "is a timedelta; give its `total_seconds()`".to_owned(),
        MontyObject::Exception { .. } => "is an exception; give its text, `str(e)`".to_owned(),
        MontyObject::ClassInstance(instance) => {
            format!("is an object of the class `{}`; give a dict", instance.class_type.name)
        }
        MontyObject::Type(_) => "is a class".to_owned(),
        MontyObject::Function { .. } | MontyObject::BuiltinFunction(_) => "is a function".to_owned(),
        MontyObject::Repr(_) => "is a function, an iterator or the like".to_owned(),
        other => format!("is a value of the type `{}`", other.type_name()),
    }
}

fn refuse(what: impl Into<String>) -> Unfit {
    Unfit { place: Place::default(), what: what.into() }
}

fn within(mut unfit: Unfit, part: String) -> Unfit {
    unfit.place.0.push(part);
    unfit
}
