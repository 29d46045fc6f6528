//! JSON Schema as authors write it, for inputs of skills and arguments of tools.
//!
//! These types hold the schema of a schema: a keyword that does not exist, or whose
//! value it cannot have, is an error here and not silently without effect.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};

/// What a value must be: JSON Schema, less what only makes sense between documents.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
#[schemars(rename = "Schema")]
pub struct ValueSchema {
    /// Type of the value, or a list of the types that it may have.
    pub r#type: Option<OneOrMore<ValueType>>,
    /// What the value is for.
    pub description: Option<String>,
    /// A short name for people.
    pub title: Option<String>,
    /// The value when none is given.
    pub default: Option<Value>,
    /// Values to show to people.
    pub examples: Option<Vec<Value>>,
    /// The value must be one of these.
    pub r#enum: Option<Vec<Value>>,
    /// The value must be this.
    pub r#const: Option<Value>,
    /// Known form of a string.
    pub format: Option<Format>,
    /// Regular expression that a string must match somewhere.
    pub pattern: Option<Pattern>,
    /// Fewest characters of a string.
    pub min_length: Option<u64>,
    /// Most characters of a string.
    pub max_length: Option<u64>,
    /// Smallest number.
    pub minimum: Option<Number>,
    /// Largest number.
    pub maximum: Option<Number>,
    /// A number must be larger than this.
    pub exclusive_minimum: Option<Number>,
    /// A number must be smaller than this.
    pub exclusive_maximum: Option<Number>,
    /// A number must be a multiple of this.
    pub multiple_of: Option<Number>,
    /// Schema of every item of a list.
    pub items: Option<Subschema>,
    /// Schemas of the first items of a list, in order.
    pub prefix_items: Option<Vec<Subschema>>,
    /// Schema that some item of a list must fit.
    pub contains: Option<Subschema>,
    /// Fewest items.
    pub min_items: Option<u64>,
    /// Most items.
    pub max_items: Option<u64>,
    /// Whether no two items may be equal.
    pub unique_items: Option<bool>,
    /// Schemas of the values of a mapping, by key.
    pub properties: Option<BTreeMap<String, Subschema>>,
    /// Schemas of the values of a mapping, by a regular expression on the key.
    pub pattern_properties: Option<BTreeMap<String, Subschema>>,
    /// Schema of every other value of a mapping; `false` forbids further keys.
    pub additional_properties: Option<Subschema>,
    /// Schema of the keys of a mapping.
    pub property_names: Option<Subschema>,
    /// Keys that a mapping must have.
    pub required: Option<Vec<String>>,
    /// Fewest keys.
    pub min_properties: Option<u64>,
    /// Most keys.
    pub max_properties: Option<u64>,
    /// The value must fit all of these.
    pub all_of: Option<Vec<Subschema>>,
    /// The value must fit at least one of these.
    pub any_of: Option<Vec<Subschema>>,
    /// The value must fit exactly one of these.
    pub one_of: Option<Vec<Subschema>>,
    /// The value must not fit this.
    pub not: Option<Subschema>,
    /// What fits this must fit `then`, and all else `else`.
    pub r#if: Option<Subschema>,
    /// What a value must fit that fits `if`.
    pub then: Option<Subschema>,
    /// What a value must fit that does not fit `if`.
    pub r#else: Option<Subschema>,
    /// Keys that a mapping must have when it has a certain one.
    pub dependent_required: Option<BTreeMap<String, Vec<String>>>,
    /// Schemas that a mapping must fit when it has a certain key.
    pub dependent_schemas: Option<BTreeMap<String, Subschema>>,
    /// Fewest items that fit `contains`.
    pub min_contains: Option<u64>,
    /// Most items that fit `contains`.
    pub max_contains: Option<u64>,
    /// Schema of the items that no other keyword speaks of.
    pub unevaluated_items: Option<Subschema>,
    /// Schema of the values that no other keyword speaks of.
    pub unevaluated_properties: Option<Subschema>,
    /// A schema within this one, e.g. `#/$defs/port`.
    #[serde(rename = "$ref")]
    pub reference: Option<Reference>,
    /// Schemas for `$ref`, by name.
    #[serde(rename = "$defs")]
    pub definitions: Option<BTreeMap<String, Subschema>>,
    /// A note for whoever reads the schema.
    #[serde(rename = "$comment")]
    pub comment: Option<String>,
    /// Whether it should no longer be used.
    pub deprecated: Option<bool>,
}

/// Type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(
    missing_docs,
    reason = "the names of JSON say it all, and a comment would make the schema of an enum a list of alternatives"
)]
pub enum ValueType {
    String,
    Integer,
    Number,
    Boolean,
    Array,
    Object,
    Null,
}

/// Form of a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names of JSON Schema, explained there")]
pub enum Format {
    Date,
    Time,
    DateTime,
    Duration,
    Email,
    Hostname,
    Ipv4,
    Ipv6,
    Uri,
    UriReference,
    Uuid,
    Regex,
    JsonPointer,
    RelativeJsonPointer,
    UriTemplate,
    Iri,
    IriReference,
}

/// One value, or a list of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OneOrMore<T> {
    /// The value alone.
    One(T),
    /// The list.
    More(Vec<T>),
}

/// A schema, or `true` (anything) or `false` (nothing).
#[derive(Clone, Debug)]
pub enum Subschema {
    /// Anything or nothing.
    Always(bool),
    /// What fits the schema.
    Schema(Box<ValueSchema>),
}

/// A regular expression that compiles.
#[derive(Clone, Debug)]
pub struct Pattern(pub String);

/// Names a schema within the same one.
#[derive(Clone, Debug)]
pub struct Reference(pub String);

impl<'de> Deserialize<'de> for Reference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == "#" || text.starts_with("#/") {
            return Ok(Self(text));
        }
        Err(D::Error::custom(format_args!("`{text}` must name a part of this schema, like `#/$defs/port`")))
    }
}

impl JsonSchema for Reference {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Reference".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^#(/|$)" })
    }

    fn inline_schema() -> bool {
        true
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match regex::Regex::new(&text) {
            Ok(_) => Ok(Self(text)),
            Err(_) => Err(D::Error::custom(format_args!("`{text}` is not a regular expression"))),
        }
    }
}

impl JsonSchema for Pattern {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Pattern".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "format": "regex" })
    }

    fn inline_schema() -> bool {
        true
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMore<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either<T>(std::marker::PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Either<T> {
            type Value = OneOrMore<T>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a name or a list of names")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                T::deserialize(serde::de::value::StrDeserializer::new(text)).map(OneOrMore::One)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
                let mut read = Vec::new();
                while let Some(item) = items.next_element()? {
                    read.push(item);
                }
                Ok(OneOrMore::More(read))
            }
        }

        deserializer.deserialize_any(Either(std::marker::PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for OneOrMore<T> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("OneOrMore{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let one = generator.subschema_for::<T>();
        let more = generator.subschema_for::<Vec<T>>();
        schemars::json_schema!({ "anyOf": [one, more] })
    }

    fn inline_schema() -> bool {
        true
    }
}

impl<'de> Deserialize<'de> for Subschema {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Subschema;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a schema, `true` or `false`")
            }

            fn visit_bool<E>(self, always: bool) -> Result<Self::Value, E> {
                Ok(Subschema::Always(always))
            }

            fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<Self::Value, A::Error> {
                let schema = ValueSchema::deserialize(MapAccessDeserializer::new(entries))?;
                Ok(Subschema::Schema(Box::new(schema)))
            }
        }

        deserializer.deserialize_any(Either)
    }
}

impl JsonSchema for Subschema {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Subschema".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let schema = generator.subschema_for::<ValueSchema>();
        schemars::json_schema!({ "anyOf": [schema, { "type": "boolean" }] })
    }

    fn inline_schema() -> bool {
        true
    }
}
