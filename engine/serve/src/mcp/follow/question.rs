//! A run's question as a form for whoever sits before the client, and what they fill in.

use aa_run::standing::Asked;
use rmcp::model::{
    ClientCapabilities, ElicitRequest, ElicitRequestParams, ElicitResult, ElicitationAction, InputRequest,
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
    form_of(&asked.message, &asked.options, asked.default.as_deref())
}

/// A form with one field.
pub(crate) fn form_of(message: &str, options: &[String], default: Option<&str>) -> ElicitRequestParams {
    let mut answer = json!({"type": "string", "title": "Answer", "enum": options});
    if let Some(default) = default {
        answer["default"] = json!(default);
    }
    let schema = json!({"type": "object", "properties": {ANSWER: answer}, "required": [ANSWER]});
    ElicitRequestParams::FormElicitationParams {
        meta: None,
        message: message.to_owned(),
        requested_schema: serde_json::from_value(schema)
            .unwrap_or_else(|_| rmcp::model::ElicitationSchema::new(std::collections::BTreeMap::new())),
    }
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

/// What came back of a form.
pub(crate) fn reply(result: &ElicitResult) -> Reply {
    let answer = result.content.as_ref().and_then(|content| content.get(ANSWER)).and_then(Value::as_str);
    match (&result.action, answer) {
        (ElicitationAction::Accept, Some(answer)) => Reply::Answer(answer.to_owned()),
        _ => Reply::Nothing,
    }
}

/// The same, of a form that was carried along with a request.
pub(crate) fn carried(response: &Value) -> Reply {
    serde_json::from_value(response.clone()).map_or(Reply::Nothing, |result| reply(&result))
}

/// Who has answered, and how, for the journal.
pub(crate) fn by(principal: &str, how: &str) -> String {
    format!("{principal} (mcp {how})")
}
