//! Durations as people write them: `500ms`, `10s`, `1h 30m`, or a number of seconds.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::yaml::{Kind, Node, Spanned};

/// Milliseconds of a duration text.
///
/// # Errors
/// A message that names what is wrong and shows the right form.
pub fn parse_ms(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let too_long = || format!("`{text}` is too long a duration");
    if let Ok(seconds) = text.parse::<u64>() {
        return seconds.checked_mul(1000).ok_or_else(too_long);
    }
    let duration = humantime::parse_duration(text)
        .map_err(|_| format!("`{text}` is not a duration; write it like `30s`, `5m` or `1h 30m`"))?;
    u64::try_from(duration.as_millis()).map_err(|_| too_long())
}

/// What YAML may hold where a duration is meant, for its JSON Schema.
#[derive(Debug)]
pub struct Written;

impl JsonSchema for Written {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": ["string", "integer"], "minimum": 0 })
    }

    fn inline_schema() -> bool {
        true
    }
}

/// Reads the text of a duration; a whole number of seconds is one too.
pub(crate) fn written<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Spanned<String>>, D::Error> {
    let node = Node::deserialize(deserializer)?;
    let value = match node.kind {
        Kind::Scalar(Value::String(text)) => text,
        Kind::Scalar(Value::Number(seconds)) if seconds.is_u64() => seconds.to_string(),
        _ => {
            return Err(serde::de::Error::custom("a duration is text such as `30s`, or a number of seconds"));
        }
    };
    Ok(Some(Spanned { value, span: node.span }))
}
