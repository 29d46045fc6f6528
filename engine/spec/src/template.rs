//! The expression and template language: minijinja behind one door.

use std::collections::BTreeSet;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// An expression such as `inputs.mr > 3`; serialised as its source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expression {
    source: String,
}

/// A value with holes: scalars, lists and mappings whose strings may hold `{{ … }}`.
/// Serialised as the JSON it was written as.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    json: Value,
}

/// Why a text is not an expression or template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SyntaxError {
    /// What is wrong.
    pub message: String,
    /// Byte offset in the text given.
    pub offset: usize,
    /// Which string of the template, as a path of keys and indices.
    pub path: Vec<String>,
}

/// Why an expression or template could not be evaluated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct EvalError {
    /// What is wrong, without any value of the scope in it.
    pub message: String,
}

/// How a missing value reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// As null: conditions, outputs, messages.
    Null,
    /// As an error, except that a whole-string `{{ x }}` is left out: tool arguments.
    Fail,
}

/// The values that an expression sees. Cheap to clone; children share their parent.
#[derive(Clone, Debug, Default)]
pub struct Scope {}

impl Expression {
    /// Compiles an expression, with or without `{{ }}` around it.
    pub fn parse(source: &str) -> Result<Self, SyntaxError> {
        Ok(Self { source: source.to_owned() })
    }

    /// The text.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Dotted paths that it reads, e.g. `inputs.mr`, `build.ok`, `item`; functions excluded.
    pub fn references(&self) -> BTreeSet<String> {
        BTreeSet::new()
    }

    /// The value.
    pub fn eval(&self, scope: &Scope) -> Result<Value, EvalError> {
        let _ = scope;
        Ok(Value::Null)
    }

    /// Whether the value is true; `null`, `false`, `0`, `""`, `[]` and `{}` are not.
    pub fn is_true(&self, scope: &Scope) -> Result<bool, EvalError> {
        let _ = scope;
        Ok(false)
    }
}

impl Template {
    /// Compiles every string in the value.
    pub fn parse(json: &Value) -> Result<Self, SyntaxError> {
        Ok(Self { json: json.clone() })
    }

    /// The value as written.
    pub fn source(&self) -> &Value {
        &self.json
    }

    /// Dotted paths that it reads.
    pub fn references(&self) -> BTreeSet<String> {
        BTreeSet::new()
    }

    /// Whether it reads nothing, so that its value is known before a run.
    pub fn is_constant(&self) -> bool {
        true
    }

    /// The value with its holes filled; `None` when it is one whole expression that is
    /// missing (only with [`Missing::Fail`]).
    pub fn render(&self, scope: &Scope, missing: Missing) -> Result<Option<Value>, EvalError> {
        let _ = (scope, missing);
        Ok(None)
    }
}

impl Scope {
    /// Sets a top-level name.
    pub fn set(&mut self, name: &str, value: &Value) {
        let _ = (name, value);
    }

    /// The time that `now()` and `today` give, in milliseconds since 1970.
    pub fn set_now(&mut self, unix_ms: i64) {
        let _ = unix_ms;
    }

    /// Names of the configured secrets; `secrets.NAME` gives a sealed reference.
    pub fn set_secrets(&mut self, names: &[String]) {
        let _ = names;
    }
}

impl Serialize for Expression {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.source)
    }
}

impl<'de> Deserialize<'de> for Expression {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let source = String::deserialize(deserializer)?;
        Self::parse(&source).map_err(serde::de::Error::custom)
    }
}

impl Serialize for Template {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.json.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Template {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = Value::deserialize(deserializer)?;
        Self::parse(&json).map_err(serde::de::Error::custom)
    }
}
