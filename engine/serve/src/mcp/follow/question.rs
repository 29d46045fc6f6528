//! A run's question as a request to the client, and what comes back of it.
//!
//! Most questions become a form for whoever sits before the client. What only the client itself has
//! is asked of it: the words of its model, its folders.

use std::collections::BTreeMap;

use aa_run::event::StepPath;
use aa_run::standing::Asked;
use aa_run::tool::Question;
use aa_run::want::Want;
use rmcp::model::{
    ClientCapabilities, ClientResult, ElicitRequest, ElicitRequestParams, ElicitResult, ElicitationAction,
    ElicitationSchema, InputRequest, ServerRequest,
};
use serde_json::{Value, json};

/// The field of a form that holds the answer.
const ANSWER: &str = "answer";

/// A question that is none of a run.
pub(crate) fn of_call(question: Question) -> Asked {
    let Question { message, options, form, want } = question;
    let step = StepPath("call".to_owned());
    Asked { key: step.to_string(), step, message, options, form, default: None, until: None, want, seq: 0 }
}

/// Whether a client can be asked this.
pub(crate) fn can_be_asked(capabilities: Option<&ClientCapabilities>, asked: &Asked) -> bool {
    let Some(can) = capabilities else { return false };
    match &asked.want {
        None => shows_forms(can),
        Some(Want::Model(_)) => can.sampling.is_some(),
        Some(Want::Folders) => can.roots.is_some(),
    }
}

/// Whether it is nothing that anybody else could answer, if the client cannot.
pub(crate) fn is_hopeless(capabilities: Option<&ClientCapabilities>, asked: &Asked) -> bool {
    asked.want.is_some() && !can_be_asked(capabilities, asked)
}

/// Whether a client can be asked anything at all.
pub(crate) fn can_be_asked_something(capabilities: Option<&ClientCapabilities>) -> bool {
    capabilities.is_some_and(|can| shows_forms(can) || can.sampling.is_some() || can.roots.is_some())
}

/// Whether a client can show a form. One that says nothing of its kinds can.
fn shows_forms(can: &ClientCapabilities) -> bool {
    can.elicitation.as_ref().is_some_and(|can| can.form.is_some() || can.url.is_none())
}

/// What a client would have to be able to do.
pub(crate) fn needed(asked: &Asked) -> ClientCapabilities {
    let needed = match &asked.want {
        None => json!({"elicitation": {}}),
        Some(Want::Model(_)) => json!({"sampling": {}}),
        Some(Want::Folders) => json!({"roots": {}}),
    };
    serde_json::from_value(needed).unwrap_or_default()
}

/// The form of a question.
fn form(asked: &Asked) -> ElicitRequestParams {
    let schema = asked.form.clone().unwrap_or_else(|| choice(&asked.options, asked.default.as_deref()));
    ElicitRequestParams::FormElicitationParams {
        meta: None,
        message: asked.message.clone(),
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

/// A question as a request for a client that is answered with it.
pub(crate) fn request(asked: &Asked) -> InputRequest {
    let wanted = asked.want.as_ref().and_then(wanted);
    wanted.unwrap_or_else(|| InputRequest::Elicitation(ElicitRequest::new(form(asked))))
}

/// What only the client has, as a request.
fn wanted(want: &Want) -> Option<InputRequest> {
    match want {
        Want::Model(params) => {
            let request = json!({"method": "sampling/createMessage", "params": params});
            serde_json::from_value(request).ok().map(InputRequest::CreateMessage)
        }
        Want::Folders => {
            serde_json::from_value(json!({"method": "roots/list"})).ok().map(InputRequest::ListRoots)
        }
    }
}

/// The same for a client with a session.
pub(crate) fn sent(asked: &Asked) -> ServerRequest {
    match request(asked) {
        InputRequest::CreateMessage(request) => ServerRequest::CreateMessageRequest(request),
        InputRequest::ListRoots(request) => ServerRequest::ListRootsRequest(request),
        InputRequest::Elicitation(request) => ServerRequest::ElicitRequest(request),
        _ => ServerRequest::ElicitRequest(ElicitRequest::new(form(asked))),
    }
}

/// What came back.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Reply {
    /// An answer.
    Answer(String),
    /// They did not want to.
    Nothing,
    /// Something that is no answer at all.
    Nonsense,
}

/// What came back of a client with a session.
pub(crate) fn reply(asked: &Asked, result: &ClientResult) -> Reply {
    serde_json::to_value(result).map_or(Reply::Nonsense, |result| carried(asked, &result))
}

/// What a client has carried along with a request.
pub(crate) fn carried(asked: &Asked, response: &Value) -> Reply {
    let Some(want) = &asked.want else { return filled(asked.form.as_ref(), response) };
    let answer = response.to_string();
    want.read(&answer).map_or(Reply::Nonsense, |_| Reply::Answer(answer))
}

/// What somebody did with a form, of fields of its own or of one for an option.
fn filled(form: Option<&Value>, response: &Value) -> Reply {
    let Ok(result) = serde_json::from_value::<ElicitResult>(response.clone()) else { return Reply::Nonsense };
    if result.action != ElicitationAction::Accept {
        return Reply::Nothing;
    }
    let answer = match (form, result.content) {
        (Some(form), Some(Value::Object(mut values))) => {
            // What was not asked for is nothing to complain of.
            values.retain(|name, _| form["properties"].get(name).is_some());
            Some(Value::Object(values).to_string())
        }
        (Some(_), _) => None,
        (None, content) => content.and_then(|content| content[ANSWER].as_str().map(str::to_owned)),
    };
    answer.map_or(Reply::Nonsense, Reply::Answer)
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
            step: StepPath("ask".to_owned()),
            key: "ask".to_owned(),
            message: "who?".to_owned(),
            options: Vec::new(),
            form: Some(schema.clone()),
            default: None,
            until: None,
            want: None,
            seq: 3,
        };
        let sent = serde_json::to_value(form(&asked)).unwrap();
        assert_eq!(sent["requestedSchema"], schema);
        let names =
            |schema: &Value| schema["properties"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&sent["requestedSchema"]), names(&schema));
    }

    #[test]
    fn a_client_may_say_more_than_it_was_asked() {
        let form = json!({"properties": {"name": {"type": "string"}}});
        let said = json!({"action": "accept", "content": {"name": "Ann", "loud": true}});
        assert_eq!(filled(Some(&form), &said), Reply::Answer(r#"{"name":"Ann"}"#.to_owned()));
        assert_eq!(filled(Some(&form), &json!(5)), Reply::Nonsense);
        assert_eq!(filled(Some(&form), &json!({"action": "accept"})), Reply::Nonsense);
        assert_eq!(filled(Some(&form), &json!({"action": "cancel"})), Reply::Nothing);
    }
}
