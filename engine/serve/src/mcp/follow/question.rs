//! A run's question as a request to the client, and what comes back of it.
//!
//! Most questions become a form for whoever sits before the client. What only the client itself has
//! is asked of it: the words of its model, its folders.

use aa_run::standing::Asked;
use aa_run::tool::DECLINE;
use aa_run::want::Want;
use rmcp::model::{
    ClientCapabilities, ClientResult, ElicitRequest, ElicitRequestParams, ElicitResult, ElicitationAction,
    InputRequest, ServerRequest,
};
use serde_json::{Value, json};

/// The field of a form that holds the answer.
const ANSWER: &str = "answer";

/// Whether a client can be asked this.
pub(crate) fn can_be_asked(capabilities: Option<&ClientCapabilities>, asked: &Asked) -> bool {
    let Some(can) = capabilities else { return false };
    match &asked.want {
        None | Some(Want::Form(_)) => shows_forms(can),
        Some(Want::Model(_)) => answers_for_its_model(can),
        Some(Want::Folders) => tells_folders(can),
    }
}

/// Whether a client can be asked anything at all.
pub(crate) fn can_be_asked_something(capabilities: Option<&ClientCapabilities>) -> bool {
    capabilities.is_some_and(|can| shows_forms(can) || answers_for_its_model(can) || tells_folders(can))
}

/// Whether a client can show a form. One that says nothing of its kinds can.
fn shows_forms(can: &ClientCapabilities) -> bool {
    can.elicitation.as_ref().is_some_and(|can| can.form.is_some() || can.url.is_none())
}

fn answers_for_its_model(can: &ClientCapabilities) -> bool {
    can.sampling.is_some()
}

fn tells_folders(can: &ClientCapabilities) -> bool {
    can.roots.is_some()
}

/// What a client would have to be able to do.
pub(crate) fn needed(asked: &Asked) -> ClientCapabilities {
    let needed = match &asked.want {
        None | Some(Want::Form(_)) => json!({"elicitation": {}}),
        Some(Want::Model(_)) => json!({"sampling": {}}),
        Some(Want::Folders) => json!({"roots": {}}),
    };
    serde_json::from_value(needed).unwrap_or_default()
}

/// The form of a question.
fn form(asked: &Asked) -> ElicitRequestParams {
    let schema = match &asked.want {
        Some(Want::Form(schema)) => schema.clone(),
        _ => choice(asked),
    };
    ElicitRequestParams::FormElicitationParams {
        meta: None,
        message: asked.message.clone(),
        requested_schema: serde_json::from_value(schema)
            .unwrap_or_else(|_| rmcp::model::ElicitationSchema::new(std::collections::BTreeMap::new())),
    }
}

fn choice(asked: &Asked) -> Value {
    let mut answer = json!({"type": "string", "title": "Answer", "enum": asked.options});
    if let Some(default) = &asked.default {
        answer["default"] = json!(default);
    }
    json!({"type": "object", "properties": {ANSWER: answer}, "required": [ANSWER]})
}

/// A question as a request for a client that is answered with it.
pub(crate) fn request(asked: &Asked) -> InputRequest {
    let other = match &asked.want {
        Some(Want::Model(request)) => {
            serde_json::from_value(json!({"method": "sampling/createMessage", "params": request}))
                .ok()
                .map(InputRequest::CreateMessage)
        }
        Some(Want::Folders) => {
            serde_json::from_value(json!({"method": "roots/list"})).ok().map(InputRequest::ListRoots)
        }
        _ => None,
    };
    other.unwrap_or_else(|| InputRequest::Elicitation(ElicitRequest::new(form(asked))))
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
    match serde_json::to_value(result) {
        Ok(result) => carried(asked, &result),
        Err(_) => Reply::Nonsense,
    }
}

/// What a client has carried along with a request.
pub(crate) fn carried(asked: &Asked, response: &Value) -> Reply {
    match &asked.want {
        Some(want @ (Want::Model(_) | Want::Folders)) => {
            let answer = response.to_string();
            want.read(&answer).map_or(Reply::Nonsense, |_| Reply::Answer(answer))
        }
        want => filled(want.is_some(), response),
    }
}

/// What somebody did with a form.
fn filled(free: bool, response: &Value) -> Reply {
    let Ok(result) = serde_json::from_value::<ElicitResult>(response.clone()) else { return Reply::Nonsense };
    let content = result.content.as_ref();
    match result.action {
        ElicitationAction::Accept if free => {
            content.map_or(Reply::Nonsense, |content| Reply::Answer(content.to_string()))
        }
        ElicitationAction::Accept => {
            let answer = content.and_then(|content| content.get(ANSWER)).and_then(Value::as_str);
            answer.map_or(Reply::Nonsense, |answer| Reply::Answer(answer.to_owned()))
        }
        ElicitationAction::Decline if free => Reply::Answer(DECLINE.to_owned()),
        _ => Reply::Nothing,
    }
}

/// Who has answered, and how, for the journal.
pub(crate) fn by(principal: &str, how: &str) -> String {
    format!("{principal} (mcp {how})")
}
