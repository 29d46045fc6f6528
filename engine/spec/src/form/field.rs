//! The fields of a form as authors write them: JSON Schema, as far as every client can show it.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::{Map, Number, Value, json};

use crate::yaml::{Node, Spanned};

/// The fields of a form, in the order in which they are asked.
#[derive(Clone, Debug, Default)]
pub struct Fields(pub Vec<(Spanned<String>, Field)>);

/// One field of a form.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct Field {
    /// What is filled in; default `string`, or `array` where there are `items`.
    pub r#type: Option<FieldKind>,
    /// What people see instead of the name.
    pub title: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Whether it has to be filled in; default `true`, unless there is a `default`.
    pub required: Option<bool>,
    /// What is taken when it is left alone.
    pub default: Option<Node>,
    /// The only texts that can be chosen.
    pub r#enum: Option<Vec<String>>,
    /// What people see instead of the texts of `enum`, in the same order; better write `oneOf`.
    pub enum_names: Option<Vec<String>>,
    /// The only texts that can be chosen, each with a title.
    pub one_of: Option<Vec<Titled>>,
    /// Of an `array`: what can be chosen, any number of them.
    pub items: Option<Choices>,
    /// Fewest choices.
    pub min_items: Option<u64>,
    /// Most choices.
    pub max_items: Option<u64>,
    /// Known form of a text.
    pub format: Option<TextFormat>,
    /// Fewest characters of a text.
    pub min_length: Option<u32>,
    /// Most characters of a text.
    pub max_length: Option<u32>,
    /// Smallest number.
    pub minimum: Option<Number>,
    /// Largest number.
    pub maximum: Option<Number>,
}

/// What can be filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(
    missing_docs,
    reason = "the names of JSON say it all, and a comment would make the schema of an enum a list of alternatives"
)]
pub enum FieldKind {
    String,
    Integer,
    Number,
    Boolean,
    Array,
}

/// Form of a text that is filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names of JSON Schema, explained there")]
pub enum TextFormat {
    Email,
    Uri,
    Date,
    DateTime,
}

/// A text that can be chosen, and what people see instead.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Titled {
    /// The text.
    pub r#const: String,
    /// What people see.
    pub title: String,
}

/// What can be chosen several times: `enum`, or `anyOf` with titles.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct Choices {
    /// Always `string`; may be left out.
    pub r#type: Option<FieldKind>,
    /// The texts.
    pub r#enum: Option<Vec<String>>,
    /// The texts, each with a title.
    pub any_of: Option<Vec<Titled>>,
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping of fields")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::new();
                while let Some(entry) = entries.next_entry()? {
                    fields.push(entry);
                }
                Ok(Fields(fields))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}

impl JsonSchema for Fields {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Fields".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let mut schema = BTreeMap::<String, Field>::json_schema(generator);
        schema.insert("minProperties".to_owned(), 1.into());
        schema
    }

    fn inline_schema() -> bool {
        true
    }
}

impl Fields {
    /// The JSON Schema of the form: an object of exactly these fields.
    pub fn schema(&self) -> Value {
        let fields = || self.0.iter().map(|(name, field)| (&name.value, field));
        let properties: Map<String, Value> =
            fields().map(|(name, field)| (name.clone(), field.schema())).collect();
        let required: Vec<&String> =
            fields().filter(|(_, field)| field.is_required()).map(|(name, _)| name).collect();
        json!({"type": "object", "properties": properties, "required": required})
    }
}

impl Fields {
    /// JSON Schema of what comes of it: every field, null where an optional one was left alone.
    pub(crate) fn result_schema(&self) -> Value {
        let schema = |field: &Field| match (field.kind(), field.is_required() || field.default.is_some()) {
            (FieldKind::Array, true) => json!({"type": "array", "items": {"type": "string"}}),
            (kind, true) => json!({"type": kind.word()}),
            (kind, false) => json!({"type": [kind.word(), "null"]}),
        };
        let properties: Map<String, Value> =
            self.0.iter().map(|(name, field)| (name.value.clone(), schema(field))).collect();
        json!({"type": "object", "properties": properties, "additionalProperties": false})
    }
}

impl FieldKind {
    /// Its name in JSON Schema.
    pub fn word(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::Array => "array",
        }
    }
}

impl TextFormat {
    fn word(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Uri => "uri",
            Self::Date => "date",
            Self::DateTime => "date-time",
        }
    }
}

impl Field {
    /// What is filled in.
    pub fn kind(&self) -> FieldKind {
        let usual = if self.items.is_some() { FieldKind::Array } else { FieldKind::String };
        self.r#type.unwrap_or(usual)
    }

    /// Whether it has to be filled in.
    pub fn is_required(&self) -> bool {
        self.required.unwrap_or_else(|| self.default.is_none())
    }

    /// Whether one or several of given texts are chosen.
    pub fn is_choice(&self) -> bool {
        self.r#enum.is_some() || self.one_of.is_some() || self.items.is_some()
    }

    /// Keywords that stand there, each with the kinds of values that it is about.
    pub(crate) fn keywords(&self) -> impl Iterator<Item = (&'static str, &'static [FieldKind])> {
        const TEXT: &[FieldKind] = &[FieldKind::String];
        const NUMBERS: &[FieldKind] = &[FieldKind::Integer, FieldKind::Number];
        const SEVERAL: &[FieldKind] = &[FieldKind::Array];
        let all = [
            (self.r#enum.is_some(), "enum", TEXT),
            (self.enum_names.is_some(), "enumNames", TEXT),
            (self.one_of.is_some(), "oneOf", TEXT),
            (self.format.is_some(), "format", TEXT),
            (self.min_length.is_some(), "minLength", TEXT),
            (self.max_length.is_some(), "maxLength", TEXT),
            (self.minimum.is_some(), "minimum", NUMBERS),
            (self.maximum.is_some(), "maximum", NUMBERS),
            (self.items.is_some(), "items", SEVERAL),
            (self.min_items.is_some(), "minItems", SEVERAL),
            (self.max_items.is_some(), "maxItems", SEVERAL),
        ];
        all.into_iter().filter(|(stands, ..)| *stands).map(|(_, word, kinds)| (word, kinds))
    }

    /// What fits into it, as a JSON Schema.
    pub fn schema(&self) -> Value {
        let mut schema = Map::new();
        let mut put = |key: &str, value: Option<Value>| {
            schema.extend(value.map(|value| (key.to_owned(), value)));
        };
        put("type", Some(self.kind().word().into()));
        put("title", self.title.as_deref().map(Value::from));
        put("description", self.description.as_deref().map(Value::from));
        put("format", self.format.map(|format| format.word().into()));
        put("minLength", self.min_length.map(Value::from));
        put("maxLength", self.max_length.map(Value::from));
        put("minimum", self.minimum.clone().map(Value::Number));
        put("maximum", self.maximum.clone().map(Value::Number));
        put("enum", self.r#enum.clone().map(Value::from));
        put("enumNames", self.enum_names.clone().map(Value::from));
        put("oneOf", self.one_of.as_deref().map(titled));
        put("items", self.items.as_ref().map(Choices::schema));
        put("minItems", self.min_items.map(Value::from));
        put("maxItems", self.max_items.map(Value::from));
        put("default", self.default.as_ref().map(Node::to_json));
        Value::Object(schema)
    }
}

impl Choices {
    fn schema(&self) -> Value {
        match &self.any_of {
            Some(any_of) => json!({"anyOf": titled(any_of)}),
            None => json!({"type": "string", "enum": self.r#enum.as_deref().unwrap_or_default()}),
        }
    }
}

fn titled(all: &[Titled]) -> Value {
    all.iter().map(|one| json!({"const": one.r#const, "title": one.title})).collect()
}
