//! What a call of a foreign tool comes to.

use aa_spec::tool::ErrorKind;
use aa_spec::tool::module::McpText;
use reqwest::StatusCode;
use rmcp::model::{CallToolResult, ContentBlock, ErrorCode, ErrorData};
use rmcp::service::{ClientInitializeError, ServiceError};
use rmcp::transport::streamable_http_client::StreamableHttpError;
use serde_json::{Value, json};

use super::definition::harmless;
use crate::tool::http::failure;
use crate::tool::process::bytes;
use crate::tool::{ToolError, kind_of};

/// Characters of an error's message.
const MESSAGE: usize = 500;

/// How the value of a tool is made of its result.
pub(super) struct Reading<'a> {
    /// The tool's name here.
    pub(super) tool: &'a str,
    /// JSON Schema of a structured result; `true` when none is declared.
    pub(super) output: &'a Value,
    /// What a text is.
    pub(super) text: McpText,
    /// Most bytes of a value.
    pub(super) limit: usize,
}

impl Reading<'_> {
    /// The value: the structured result if there is one, else the content.
    ///
    /// # Errors
    /// The tool says that it failed, or gives something else than it declares.
    pub(super) fn value(&self, result: CallToolResult) -> Result<Value, ToolError> {
        if result.is_error == Some(true) {
            return Err(failed(&result));
        }
        let value = match result.structured_content {
            Some(value) => self.structured(value)?,
            None if *self.output != Value::Bool(true) => {
                return Err(self.wrong("it declares a structured result and gave none"));
            }
            None => self.content(result.content)?,
        };
        let size = value.to_string().len();
        if size > self.limit {
            let message = format!(
                "the result of `{}` has more than {}, which is what `limits.output_bytes` allows",
                self.tool,
                bytes(self.limit)
            );
            return Err(ToolError::new(ErrorKind::Permanent, message));
        }
        Ok(value)
    }

    fn structured(&self, value: Value) -> Result<Value, ToolError> {
        match aa_spec::input::fits(self.output, &value) {
            Ok(()) => Ok(value),
            Err(message) => Err(self.wrong(&message).details(json!({"result": value}))),
        }
    }

    /// One part as it is, several as a list, none as null.
    fn content(&self, parts: Vec<ContentBlock>) -> Result<Value, ToolError> {
        let mut values = parts.into_iter().map(|part| self.part(part)).collect::<Result<Vec<_>, _>>()?;
        Ok(match values.len() {
            0 => Value::Null,
            1 => values.remove(0),
            _ => Value::Array(values),
        })
    }

    /// A text as text, or read as JSON where the module says so; everything else as the
    /// mapping that the protocol has for it.
    fn part(&self, part: ContentBlock) -> Result<Value, ToolError> {
        match part {
            ContentBlock::Text(text) if self.text == McpText::Json => {
                aa_spec::json::read(text.text.as_bytes())
                    .map_err(|error| self.wrong(&format!("its text is not JSON: {error}")))
            }
            ContentBlock::Text(text) => Ok(text.text.into()),
            other => {
                let mut value = serde_json::to_value(other).unwrap_or_default();
                if let Some(fields) = value.as_object_mut() {
                    fields.remove("_meta");
                    fields.remove("annotations");
                }
                Ok(value)
            }
        }
    }

    fn wrong(&self, message: &str) -> ToolError {
        let message = format!("the result of `{}` is not what it declares: {message}", self.tool);
        ToolError::new(ErrorKind::Permanent, message)
    }
}

fn text_of(result: &CallToolResult) -> String {
    let texts = result.content.iter().filter_map(|part| match part {
        ContentBlock::Text(text) => Some(text.text.as_str()),
        _ => None,
    });
    texts.collect::<Vec<_>>().join("\n")
}

/// A failure that the tool itself tells of.
fn failed(result: &CallToolResult) -> ToolError {
    let text = text_of(result);
    let message = harmless(text.trim(), MESSAGE);
    let message = if message.is_empty() { "it failed and does not say why".to_owned() } else { message };
    let error = ToolError::new(kind_of(&text), message);
    if text.chars().count() > MESSAGE { error.details(json!({"text": text})) } else { error }
}

/// Whether an error says that the server has not done what it was asked for. What it says itself of a failed call, it
/// says in a result.
pub(super) fn is_refusal(error: &ServiceError) -> bool {
    match error {
        ServiceError::McpError(error) => matches!(
            error.code,
            ErrorCode::INVALID_PARAMS | ErrorCode::METHOD_NOT_FOUND | ErrorCode::INVALID_REQUEST
        ),
        ServiceError::TransportSend(error) => match Told::by(error) {
            Told::WhoAsks | Told::NotReached => true,
            Told::Status(status, wait) => {
                StatusCode::from_u16(status).is_ok_and(|status| failure::is_refusal(status, wait.is_some()))
            }
            Told::Nonsense | Told::Nothing => false,
        },
        _ => false,
    }
}

/// An error of the protocol. What the server says is part of it.
pub(super) fn refused(module: &str, error: &ErrorData) -> ToolError {
    let kind = match error.code {
        ErrorCode::INVALID_PARAMS => ErrorKind::Invalid,
        ErrorCode::METHOD_NOT_FOUND => ErrorKind::NotFound,
        _ => ErrorKind::Permanent,
    };
    let does = if kind == ErrorKind::Permanent { "fails" } else { "refuses" };
    let message = format!("the server of `{module}` {does}: {}", harmless(&error.message, MESSAGE));
    let details = json!({"code": error.code.0, "data": error.data});
    ToolError::new(kind, message).details(details)
}

/// Why a message to a server over HTTP has no answer.
pub(super) fn lost(module: &str, error: &(dyn std::error::Error + 'static)) -> ToolError {
    let mut last = error;
    while let Some(cause) = last.source() {
        last = cause;
    }
    // Addresses may hold secrets, so only the innermost reason is told.
    let reason = harmless(&without_address(&last.to_string()), MESSAGE);
    let told = Told::by(error);
    let kind = told.kind();
    let does = match kind {
        ErrorKind::Transient => "refuses for now",
        ErrorKind::Permanent => "answers what cannot be used",
        _ => "cannot be reached",
    };
    let error = ToolError::new(kind, format!("the server of `{module}` {does}: {reason}"));
    match told {
        Told::Status(status, wait) => {
            let headers = wait.map_or_else(|| json!({}), |wait| json!({"retry-after": wait}));
            error.details(json!({"status": status, "headers": headers}))
        }
        _ => error,
    }
}

/// What an error of the transport says of the server.
enum Told<'a> {
    /// It wants to know first who asks.
    WhoAsks,
    /// A status, and when to ask again.
    Status(u16, Option<&'a str>),
    /// It has answered, but not as the protocol has it, or more than is read.
    Nonsense,
    /// It has not got the message.
    NotReached,
    /// Nothing.
    Nothing,
}

impl<'a> Told<'a> {
    fn by(error: &'a (dyn std::error::Error + 'static)) -> Self {
        type Http = StreamableHttpError<reqwest::Error>;
        if let Some(ClientInitializeError::LegacyFallbackFailed { fallback, .. }) = error.downcast_ref() {
            return Self::by(fallback.as_ref());
        }
        if let Some(ClientInitializeError::TransportError { error, .. }) = error.downcast_ref() {
            return Self::by(error);
        }
        match error.downcast_ref::<Http>() {
            Some(Http::AuthRequired(_) | Http::InsufficientScope(_)) => Self::WhoAsks,
            Some(Http::SessionExpired) => Self::Status(StatusCode::NOT_FOUND.as_u16(), None),
            Some(Http::HttpStatus(error)) => Self::Status(error.status, error.retry_after.as_deref()),
            Some(Http::Client(error)) if error.is_connect() => Self::NotReached,
            Some(Http::Client(error)) => {
                error.status().map_or(Self::Nothing, |status| Self::Status(status.as_u16(), None))
            }
            // Its text begins with the status, and has what the server says behind it.
            Some(Http::UnexpectedServerResponse(said)) => match said.strip_prefix("HTTP ") {
                Some(said) => {
                    let status = said.get(..3).and_then(|digits| digits.parse().ok());
                    status.map_or(Self::Nonsense, |status| Self::Status(status, None))
                }
                None => Self::Nonsense,
            },
            Some(
                Http::ResponseBodyTooLarge { .. } | Http::UnexpectedContentType(_) | Http::Deserialize(_),
            ) => Self::Nonsense,
            Some(_) => Self::Nothing,
            None => error.source().map_or(Self::Nothing, Self::by),
        }
    }

    fn kind(&self) -> ErrorKind {
        match self {
            Self::WhoAsks => ErrorKind::Auth,
            Self::Status(status, _) => failure::kind(*status),
            Self::Nonsense => ErrorKind::Permanent,
            Self::NotReached | Self::Nothing => ErrorKind::Network,
        }
    }
}

/// The last part of a text about a request, without where it went.
fn without_address(text: &str) -> String {
    let last = text.rsplit("error: ").next().unwrap_or(text);
    match last.split_once(" for url (") {
        Some((before, rest)) => {
            let after = rest.split_once(')').map_or("", |(_, after)| after);
            format!("{before}{after}")
        }
        None => last.to_owned(),
    }
}

/// Any other reason why there is no answer.
pub(super) fn unanswered(module: &str, error: &ServiceError) -> ToolError {
    match error {
        ServiceError::McpError(error) => refused(module, error),
        ServiceError::TransportSend(error) => lost(module, error),
        other => {
            let message = format!("the server of `{module}` does not keep to the protocol: {other}");
            ToolError::new(ErrorKind::Permanent, message)
        }
    }
}

#[cfg(test)]
mod tests {
    use rmcp::transport::streamable_http_client::HttpStatusError;

    use super::*;

    fn read(output: &Value, text: McpText, result: Value) -> Result<Value, ToolError> {
        let reading = Reading { tool: "x_y", output, text, limit: 200 };
        reading.value(serde_json::from_value(result).unwrap())
    }

    #[test]
    fn a_structured_result_is_the_value_and_is_checked() {
        let schema = json!({"type": "object", "properties": {"n": {"type": "integer"}}});
        let content = json!([{"type": "text", "text": "n is 3"}]);
        let result = json!({"content": content, "structuredContent": {"n": 3}});
        assert_eq!(read(&schema, McpText::Text, result).unwrap(), json!({"n": 3}));
        let wrong = json!({"content": [], "structuredContent": {"n": "x"}});
        let error = read(&schema, McpText::Text, wrong).unwrap_err();
        assert!(error.message.contains("is not what it declares"), "{error}");
        let none = read(&schema, McpText::Text, json!({"content": content})).unwrap_err();
        assert!(none.message.contains("declares a structured result and gave none"), "{none}");
    }

    #[test]
    fn content_is_text_or_what_the_protocol_has() {
        let any = Value::Bool(true);
        let text = json!({"type": "text", "text": "{\"a\": 1}"});
        let image = json!({"type": "image", "data": "AAAA", "mimeType": "image/png"});
        let one = json!({"content": [text]});
        assert_eq!(read(&any, McpText::Text, one.clone()).unwrap(), "{\"a\": 1}");
        assert_eq!(read(&any, McpText::Json, one).unwrap(), json!({"a": 1}));
        let two = read(&any, McpText::Text, json!({"content": [text, image]})).unwrap();
        assert_eq!(two, json!(["{\"a\": 1}", image]));
        assert_eq!(read(&any, McpText::Text, json!({"content": []})).unwrap(), Value::Null);
        let big = json!({"content": [{"type": "text", "text": "x".repeat(300)}]});
        assert_eq!(
            read(&any, McpText::Text, big).unwrap_err().message,
            "the result of `x_y` has more than 200 bytes, which is what `limits.output_bytes` allows"
        );
    }

    #[test]
    fn only_a_status_says_that_somebody_is_kept_out() {
        type Error = StreamableHttpError<reqwest::Error>;
        let refused = Error::UnexpectedServerResponse("HTTP 401 Unauthorized: who?".into());
        assert_eq!(lost("x", &refused).kind, ErrorKind::Auth);
        let port = Error::Io(std::io::Error::other("connection to 127.0.0.1:4010 refused"));
        assert_eq!(lost("x", &port).kind, ErrorKind::Network);
    }

    #[test]
    fn a_server_that_answers_can_be_reached() {
        type Error = StreamableHttpError<reqwest::Error>;
        let busy = lost("x", &Error::HttpStatus(HttpStatusError::new(429, Some("7".to_owned()))));
        assert_eq!(
            (busy.kind, &*busy.message),
            (ErrorKind::Transient, "the server of `x` refuses for now: HTTP 429")
        );
        assert_eq!(busy.details, json!({"status": 429, "headers": {"retry-after": "7"}}));
        let broken = lost("x", &Error::HttpStatus(HttpStatusError::new(502, None)));
        assert_eq!((broken.kind, &broken.details["headers"]), (ErrorKind::Transient, &json!({})));
        for nonsense in [
            Error::UnexpectedServerResponse("could not parse JSON".into()),
            Error::UnexpectedServerResponse("HTTP 501 Not Implemented: ".into()),
            Error::ResponseBodyTooLarge { max_size: 3 },
            Error::UnexpectedContentType(Some("text/html".to_owned())),
        ] {
            let error = lost("x", &nonsense);
            assert_eq!(error.kind, ErrorKind::Permanent, "{error}");
            assert!(error.message.starts_with("the server of `x` answers what cannot be used: "), "{error}");
        }
    }

    #[test]
    fn a_failure_says_what_the_tool_says() {
        let result = json!({"content": [{"type": "text", "text": "no such file\u{1b}[0m"}], "isError": true});
        let error = read(&Value::Bool(true), McpText::Text, result).unwrap_err();
        assert_eq!(error, ToolError::new(ErrorKind::Permanent, "no such file[0m"));
        let known = json!({"content": [{"type": "text", "text": "connection refused"}], "isError": true});
        assert_eq!(read(&Value::Bool(true), McpText::Text, known).unwrap_err().kind, ErrorKind::Network);
    }
}
