//! What a question wants that no option can say: a form, words of a model, folders.
//!
//! The answer is the same as JSON, in a text like every other answer.

use aa_spec::input;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// What an answer may be besides one of the options.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Want {
    /// A form, filled in: an object that fits this schema.
    Form(Value),
    /// What the model of the AI client says to this.
    Model(Value),
    /// The folders that the AI client works in.
    Folders,
}

impl Want {
    /// Whether nobody but the AI client that follows the run can answer.
    pub fn is_for_client(&self) -> bool {
        matches!(self, Self::Model(_) | Self::Folders)
    }

    /// Reads an answer.
    ///
    /// # Errors
    /// Why it is none.
    pub fn read(&self, answer: &str) -> Result<Value, String> {
        let value = serde_json::from_str(answer).map_err(|_| format!("it wants {}", self.what()))?;
        match self {
            Self::Form(schema) => input::fits(schema, &value)?,
            Self::Model(_) => input::fits(&said(), &value)?,
            Self::Folders => input::fits(&folders(), &value)?,
        }
        Ok(value)
    }

    fn what(&self) -> String {
        match self {
            Self::Form(schema) => {
                let fields = schema["properties"].as_object().map(Map::keys);
                let fields: Vec<String> =
                    fields.into_iter().flatten().map(|name| format!("`{name}`")).collect();
                format!("a JSON object with {}", fields.join(", "))
            }
            Self::Model(_) => "a message of the client's model".to_owned(),
            Self::Folders => "the client's folders".to_owned(),
        }
    }
}

fn said() -> Value {
    json!({
        "type": "object", "required": ["content"],
        "properties": {"content": {"type": ["object", "array"]}, "model": {"type": "string"}},
    })
}

fn folders() -> Value {
    let folder = json!({"type": "object", "required": ["uri"], "properties": {"uri": {"type": "string"}}});
    json!({"type": "object", "required": ["roots"], "properties": {"roots": {"type": "array", "items": folder}}})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_fits_what_is_wanted() {
        let form = Want::Form(json!({
            "type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"],
        }));
        assert_eq!(form.read(r#"{"name": "Ann"}"#), Ok(json!({"name": "Ann"})));
        assert_eq!(form.read("Ann").unwrap_err(), "it wants a JSON object with `name`");
        assert!(form.read(r#"{"name": 5}"#).is_err());
        assert!(form.read("{}").is_err());
        let model = Want::Model(Value::Null);
        assert!(model.read(r#"{"role": "assistant", "content": {"type": "text", "text": "yes"}}"#).is_ok());
        assert!(model.read(r#"{"content": 5}"#).is_err());
        assert!(Want::Folders.read(r#"{"roots": [{"uri": "file:///a"}]}"#).is_ok());
        assert!(Want::Folders.read(r#"{"roots": [{}]}"#).is_err());
    }
}
