//! What a question wants that only an AI client has: words of its model, its folders.
//!
//! The answer is what the client says, as JSON, in a text like every other answer.

use aa_spec::input;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What only the AI client that has started a run can give.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Want {
    /// What its model says to this.
    Model(Value),
    /// The folders that it works in.
    Folders,
}

impl Want {
    /// Reads an answer.
    ///
    /// # Errors
    /// Why it is none.
    pub fn read(&self, answer: &str) -> Result<Value, String> {
        let value = serde_json::from_str(answer).map_err(|_| format!("it wants {}", self.what()))?;
        let schema = match self {
            Self::Model(_) => said(),
            Self::Folders => folders(),
        };
        input::fits(&schema, &value)?;
        Ok(value)
    }

    fn what(&self) -> &'static str {
        match self {
            Self::Model(_) => "a message of the client's model",
            Self::Folders => "the client's folders",
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
        let model = Want::Model(Value::Null);
        assert!(model.read(r#"{"role": "assistant", "content": {"type": "text", "text": "yes"}}"#).is_ok());
        assert!(model.read(r#"{"content": 5}"#).is_err());
        assert_eq!(model.read("yes").unwrap_err(), "it wants a message of the client's model");
        assert!(Want::Folders.read(r#"{"roots": [{"uri": "file:///a"}]}"#).is_ok());
        assert!(Want::Folders.read(r#"{"roots": [{}]}"#).is_err());
    }
}
