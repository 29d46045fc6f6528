//! How the output of a command becomes a value.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{Deserializer, Error};

use crate::yaml::{Misfit, Node, Spanned};

/// How the output of a command becomes a value: a name, or `lines`, `regex` or `object` with settings.
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
    /// Several readings of the same output, by name.
    Object(Vec<(Spanned<String>, ResultForm)>),
}

/// One item per line: the line, or a mapping of its fields. Empty lines are left out.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Lines {
    /// What ends a line (default: a line break).
    pub end: Option<Spanned<String>>,
    /// What stands between the fields of a line (default: any white space, when there are `fields`).
    pub split: Option<Spanned<String>>,
    /// Names of the fields. The last takes the rest of the line; a line with fewer gives null.
    pub fields: Vec<Spanned<String>>,
    /// Only lines that match this regular expression, each as the mapping of its named groups, or
    /// else its first group; in place of `split` and `fields`.
    #[schemars(with = "Option<crate::schema::Pattern>")]
    pub r#match: Option<Spanned<String>>,
    /// Types of the fields that are no text.
    pub types: BTreeMap<String, FieldType>,
}

/// Type of a field. An empty one, and one that is only `-`, is null.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FieldType {
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// `true`, `yes`, `on` or `1`, or their opposites.
    Boolean,
    /// Whether there is anything in it; never null.
    Flag,
    /// Text without the white space around it.
    Trimmed,
    /// A list of what white space or commas stand between; never null.
    Words,
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
    /// Types of the named groups that are no text.
    #[serde(default)]
    pub types: BTreeMap<String, FieldType>,
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
    /// Several readings of the same output, by name.
    #[schemars(with = "BTreeMap<String, ResultForm>")]
    Object(Node),
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
            node.read().and_then(|tuned| match tuned {
                Tuned::Lines(lines) => Ok(Self::Lines(lines)),
                Tuned::Regex(pick) => Ok(Self::Regex(pick)),
                Tuned::Object(forms) => read_forms(&forms).map(Self::Object),
            })
        };
        read.map_err(D::Error::custom)
    }
}

fn read_forms(node: &Node) -> Result<Vec<(Spanned<String>, ResultForm)>, Misfit> {
    if node.entries().is_empty() {
        return Err(Misfit::new("`object` is a mapping of names to readings", node.span));
    }
    node.entries().iter().map(|(name, form)| Ok((name.clone(), form.read()?))).collect()
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
