//! What was sent and is no message, and what whoever sent it is told.
//!
//! The library drops such things or answers them without saying to which request that belongs, so that a client waits
//! for as long as it has patience.

use std::borrow::Cow;
use std::fmt::Display;

use aa_spec::json;
use rmcp::RoleServer;
use rmcp::model::{ErrorData, JsonRpcError, JsonRpcMessage, RequestId};
use rmcp::service::RxJsonRpcMessage;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

/// How deep arrays and objects may lie in each other: so deep reads the library that parses them.
const DEEPEST: usize = 127;

/// How much of the outermost level of a message is looked at. Any request has less there.
const OUTLINE: usize = 4096;

/// What is said of an identifier that is none.
const NO_ID: &str =
    "the `id` of a request is a text or a whole number, and that of a notification is left out";

/// What was said.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly all are messages, and each is passed on at once")]
pub(super) enum Said {
    Message(RxJsonRpcMessage<RoleServer>),
    /// Something that cannot be read, and the answer to it.
    Refused(JsonRpcError),
    /// Something that is not to be answered: JSON-RPC forbids it for notifications, and what a protocol other than
    /// ours notifies of is of no concern to us.
    Nothing,
}

/// What the text of a message says.
pub(super) fn read(text: &[u8]) -> Said {
    match serde_json::from_slice(text) {
        // The library takes a request whose identifier is null for a notification, so nobody would answer it.
        Ok(JsonRpcMessage::Notification(_)) if Outline::of(text).head().is_given() => {
            Said::Refused(JsonRpcError::new(None, ErrorData::invalid_request(NO_ID, None)))
        }
        Ok(message) => match exact(text) {
            Ok(Cow::Borrowed(_)) => Said::Message(message),
            Ok(Cow::Owned(text)) => serde_json::from_slice(&text).map_or(Said::Nothing, Said::Message),
            Err(error) if error.id.is_none() => Said::Nothing,
            Err(error) => Said::Refused(*error),
        },
        Err(error) => {
            let outline = Outline::of(text);
            refuse(&outline, &error, || why(text, &outline))
        }
    }
}

/// A message in which no integer loses digits that are more than 64 bits: of a request it is refused, in a response it
/// is kept as text, which whoever has asked can say something about.
///
/// # Errors
/// The answer to the request.
pub(super) fn exact(text: &[u8]) -> Result<Cow<'_, [u8]>, Box<JsonRpcError>> {
    let Err(error) = json::refuse_great(text) else { return Ok(Cow::Borrowed(text)) };
    let head = Outline::of(text).head();
    if head.method.is_none() {
        return Ok(json::kept(text));
    }
    Err(Box::new(JsonRpcError::new(head.id(), ErrorData::invalid_params(error.to_string(), None))))
}

/// What is said of a message of more bytes than one may have.
pub(super) fn too_long(outline: &Outline, most: usize) -> Said {
    let error = format!("a message may have {most} bytes (`serve.limits.message`)");
    refuse(outline, &error, || ErrorData::invalid_request(error.clone(), None))
}

fn refuse(outline: &Outline, error: &dyn Display, answer: impl FnOnce() -> ErrorData) -> Said {
    let head = outline.head();
    if head.method.is_some() && !head.is_given() {
        tracing::warn!("a notification could not be read: {error}");
        return Said::Nothing;
    }
    // The identifier of a response is one of ours, which says nothing to the client.
    Said::Refused(JsonRpcError::new(head.id().filter(|_| head.method.is_some()), answer()))
}

/// The answer to a request under the identifier of one that is not answered yet: the library would answer but one of
/// the two, and take the end of either for that of both.
pub(super) fn taken(id: RequestId) -> JsonRpcError {
    let said = format!("the request `{id}` is under way already: each has an `id` of its own");
    JsonRpcError::new(Some(id), ErrorData::invalid_request(said, None))
}

/// The identifier of a request, if it is one.
pub(super) fn asked(text: &[u8]) -> Option<RequestId> {
    let head = Outline::of(text).head();
    head.id().filter(|_| head.method.is_some())
}

fn why(text: &[u8], outline: &Outline) -> ErrorData {
    if serde_json::from_slice::<IgnoredAny>(text).is_ok() && outline.deepest > DEEPEST {
        let deep = format!(
            "arrays and objects may lie {DEEPEST} deep in each other, in this message it is {}",
            outline.deepest
        );
        return ErrorData::invalid_request(deep, None);
    }
    match serde_json::from_slice(text) {
        Err(error) => ErrorData::parse_error(format!("what was sent is not JSON: {error}"), None),
        Ok(Value::Array(_)) => ErrorData::invalid_request(
            "several messages in an array are not understood: send each by itself",
            None,
        ),
        Ok(_) => ErrorData::invalid_request(
            "neither a request nor a notification nor a response: `jsonrpc` is \"2.0\", `method` a text, `params` an object, `id` a text or a whole number",
            None,
        ),
    }
}

/// The outermost level of a message, with nothing in its arrays and objects: enough to tell whose answer an error
/// is, of a message that is never held whole.
#[derive(Debug, Default)]
pub(super) struct Outline {
    kept: Vec<u8>,
    depth: usize,
    deepest: usize,
    in_text: bool,
    escaped: bool,
}

impl Outline {
    pub(super) fn of(text: &[u8]) -> Self {
        let mut outline = Self::default();
        outline.push(text);
        outline
    }

    /// Goes on with the next piece of the message.
    pub(super) fn push(&mut self, piece: &[u8]) {
        for byte in piece {
            self.step(*byte);
        }
    }

    fn step(&mut self, byte: u8) {
        let before = self.depth;
        if self.in_text {
            self.in_text = self.escaped || byte != b'"';
            self.escaped = !self.escaped && byte == b'\\';
        } else {
            match byte {
                b'"' => self.in_text = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => self.depth = before.saturating_sub(1),
                _ => {}
            }
        }
        self.deepest = self.deepest.max(self.depth);
        // With what opens and closes the second level: it stays, empty.
        if before.min(self.depth) <= 1 && self.kept.len() <= OUTLINE {
            self.kept.push(byte);
        }
    }

    fn head(&self) -> Head {
        serde_json::from_slice(&self.kept).unwrap_or_default()
    }
}

/// What tells a request from a notification and a response.
#[derive(Debug, Default, Deserialize)]
struct Head {
    /// None when there is no such key; it may be null.
    #[serde(default, deserialize_with = "given")]
    id: Option<Value>,
    method: Option<IgnoredAny>,
}

impl Head {
    /// Whether something stands where the identifier would.
    fn is_given(&self) -> bool {
        self.id.is_some()
    }

    fn id(&self) -> Option<RequestId> {
        self.id.clone().and_then(|id| serde_json::from_value(id).ok())
    }
}

fn given<'de, D: serde::Deserializer<'de>>(value: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(value).map(Some)
}

#[cfg(test)]
mod tests;
