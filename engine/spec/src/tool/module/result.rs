//! How the output of a command becomes a value.

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{Deserializer, Error};

use crate::yaml::{Node, Spanned};

/// How the output of a command becomes a value: a name, or `lines` or `regex` with settings.
#[derive(Clone, Debug, Default)]
pub enum ResultForm {
    /// The text, without the line ends after it.
    #[default]
    Text,
    /// One JSON value.
    Json,
    /// One JSON value per line, as a list.
    JsonLines,
    /// One YAML document.
    Yaml,
    /// One item per line.
    Lines(Lines),
    /// What a regular expression finds.
    Regex(Pick),
}

/// One item per line: the line, or a mapping of its fields. Empty lines are left out.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Lines {
    /// What stands between the fields of a line (default: any white space, when there are `fields`).
    pub split: Option<Spanned<String>>,
    /// Names of the fields. The last takes the rest of the line; a line with fewer gives null.
    pub fields: Vec<Spanned<String>>,
}

/// What a regular expression finds: a mapping of its named groups, or else its first group or whole match.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pick {
    /// The regular expression; `^` and `$` are the ends of lines.
    #[schemars(with = "crate::schema::Pattern")]
    pub pattern: Spanned<String>,
    /// Whether to give a list of all matches, and not the first or null.
    #[serde(default)]
    pub all: bool,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Plain {
    Text,
    Json,
    JsonLines,
    Yaml,
    Lines,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Tuned {
    /// One item per line.
    Lines(Lines),
    /// What a regular expression finds.
    Regex(Pick),
}

impl<'de> Deserialize<'de> for ResultForm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let node = Node::deserialize(deserializer)?;
        let read = if node.as_str().is_some() {
            node.read().map(|plain| match plain {
                Plain::Text => Self::Text,
                Plain::Json => Self::Json,
                Plain::JsonLines => Self::JsonLines,
                Plain::Yaml => Self::Yaml,
                Plain::Lines => Self::Lines(Lines::default()),
            })
        } else {
            node.read().map(|tuned| match tuned {
                Tuned::Lines(lines) => Self::Lines(lines),
                Tuned::Regex(pick) => Self::Regex(pick),
            })
        };
        read.map_err(D::Error::custom)
    }
}

impl JsonSchema for ResultForm {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ResultForm".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let plain = generator.subschema_for::<Plain>();
        let tuned = generator.subschema_for::<Tuned>();
        schemars::json_schema!({ "anyOf": [plain, tuned] })
    }
}
