//! A run's question as a form for whoever sits before the client, and what they fill in.

use std::collections::BTreeMap;

use aa_run::standing::Asked;
use aa_run::tool::Question;
use rmcp::model::{
    ClientCapabilities, ElicitRequest, ElicitRequestParams, ElicitResult, ElicitationAction,
    ElicitationSchema, InputRequest,
};
use serde_json::{Value, json};

/// The field of a form that holds the answer.
const ANSWER: &str = "answer";

/// Whether a client can show a form. One that says nothing of its kinds can.
pub(crate) fn shows_forms(capabilities: Option<&ClientCapabilities>) -> bool {
    let elicitation = capabilities.and_then(|capabilities| capabilities.elicitation.as_ref());
    elicitation.is_some_and(|can| can.form.is_some() || can.url.is_none())
}

/// The form of a question.
pub(crate) fn form(asked: &Asked) -> ElicitRequestParams {
    let schema = asked.form.clone().unwrap_or_else(|| choice(&asked.options, asked.default.as_deref()));
    elicit(&asked.message, schema)
}

/// The form of a question that is none of a run.
pub(crate) fn form_of(question: &Question) -> ElicitRequestParams {
    let schema = question.form.clone().unwrap_or_else(|| choice(&question.options, None));
    elicit(&question.message, schema)
}

fn elicit(message: &str, schema: Value) -> ElicitRequestParams {
    ElicitRequestParams::FormElicitationParams {
        meta: None,
        message: message.to_owned(),
        requested_schema: serde_json::from_value(schema)
            .unwrap_or_else(|_| ElicitationSchema::new(BTreeMap::new())),
    }
}

/// A form of one field: which of the options.
fn choice(options: &[String], default: Option<&str>) -> Value {
    let mut answer = json!({"type": "string", "title": "Answer", "enum": options});
    if let Some(default) = default {
        answer["default"] = json!(default);
    }
    json!({"type": "object", "properties": {ANSWER: answer}, "required": [ANSWER]})
}

/// The same for a client that is answered with a question.
pub(crate) fn request(asked: &Asked) -> InputRequest {
    InputRequest::Elicitation(ElicitRequest::new(form(asked)))
}

/// What somebody did with a form.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Reply {
    /// They answered.
    Answer(String),
    /// They did not want to, or something came that is no answer.
    Nothing,
}

/// What came back of a question's form.
pub(crate) fn reply(asked: &Asked, result: &ElicitResult) -> Reply {
    reply_to(asked.form.is_some(), result)
}

/// What came back of a form, with fields of its own or with one for an option.
pub(crate) fn reply_to(has_fields: bool, result: &ElicitResult) -> Reply {
    let content = result.content.as_ref().filter(|_| result.action == ElicitationAction::Accept);
    let answer = if has_fields {
        content.map(Value::to_string)
    } else {
        content.and_then(|content| content.get(ANSWER)).and_then(Value::as_str).map(str::to_owned)
    };
    answer.map_or(Reply::Nothing, Reply::Answer)
}

/// The same, of a form that was carried along with a request.
pub(crate) fn carried(asked: &Asked, response: &Value) -> Reply {
    serde_json::from_value(response.clone()).map_or(Reply::Nothing, |result| reply(asked, &result))
}

/// Who has answered, and how, for the journal.
pub(crate) fn by(principal: &str, how: &str) -> String {
    format!("{principal} (mcp {how})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_field_reaches_the_client_as_it_is_and_in_its_order() {
        let schema = json!({
            "type": "object",
            "properties": {
                "user": {"type": "string", "title": "User", "minLength": 1, "maxLength": 9},
                "mail": {"type": "string", "format": "email", "description": "Where to write"},
                "age": {"type": "integer", "minimum": 0, "maximum": 150, "default": 30},
                "score": {"type": "number", "default": 95.5},
                "loud": {"type": "boolean", "default": true},
                "plain": {"type": "string", "enum": ["a", "b"], "default": "a"},
                "titled": {"type": "string", "oneOf": [{"const": "a", "title": "A"}]},
                "legacy": {"type": "string", "enum": ["a", "b"], "enumNames": ["A", "B"]},
                "days": {"type": "array", "items": {"type": "string", "enum": ["mo", "tu"]}, "minItems": 1, "default": ["mo"]},
                "also": {"type": "array", "items": {"anyOf": [{"const": "a", "title": "A"}]}},
            },
            "required": ["user"],
        });
        let asked = Asked {
            step: aa_run::event::StepPath("ask".to_owned()),
            key: "ask".to_owned(),
            message: "who?".to_owned(),
            options: Vec::new(),
            form: Some(schema.clone()),
            default: None,
            until: None,
            seq: 3,
        };
        let sent = serde_json::to_value(form(&asked)).unwrap();
        assert_eq!(sent["requestedSchema"], schema);
        let names =
            |schema: &Value| schema["properties"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&sent["requestedSchema"]), names(&schema));
    }
}
