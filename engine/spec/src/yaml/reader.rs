//! Typed reading of a [`Node`] through `serde`, keeping spans.

use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::U32Deserializer;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, IntoDeserializer, MapAccess, SeqAccess, Unexpected,
    VariantAccess, Visitor,
};
use serde_json::Value;

use super::{Kind, Node, Spanned};
use crate::source::Span;

/// The newtype name under which a value asks for its span. A reader that knows it answers
/// with a sequence of start, end and value; any other reader gives the value alone.
pub(super) const SPANNED: &str = "aa_spec::yaml::Spanned";

/// The first place where a tree does not fit a type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Misfit {
    /// What does not fit.
    pub message: String,
    /// Where it stands.
    pub span: Span,
}

/// Reads one node.
pub(super) struct Reader<'de>(pub(super) &'de Node);

impl Error for Misfit {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self { message: message.to_string(), span: Span::default() }
    }
}

impl Misfit {
    /// A misfit at a place.
    pub fn new(message: impl Into<String>, span: Span) -> Self {
        Self { message: message.into(), span }
    }

    /// Places an error that has no place yet.
    fn at(mut self, span: Span) -> Self {
        if self.span == Span::default() {
            self.span = span;
        }
        self
    }
}

impl<'de> Reader<'de> {
    fn visit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        let read = match &self.0.kind {
            Kind::Scalar(value) => visit_scalar(value, visitor),
            Kind::List(items) => visitor.visit_seq(Items(items.iter())),
            Kind::Map(entries) => visitor.visit_map(Entries { entries: entries.iter(), value: None }),
        };
        read.map_err(|misfit| misfit.at(self.0.span))
    }

    fn unexpected(&self) -> Unexpected<'de> {
        match &self.0.kind {
            Kind::List(_) => Unexpected::Seq,
            Kind::Map(_) => Unexpected::Map,
            Kind::Scalar(Value::String(text)) => Unexpected::Str(text),
            Kind::Scalar(Value::Bool(value)) => Unexpected::Bool(*value),
            Kind::Scalar(Value::Null) => Unexpected::Unit,
            Kind::Scalar(_) => Unexpected::Other("number"),
        }
    }
}

fn visit_scalar<'de, V: Visitor<'de>>(value: &'de Value, visitor: V) -> Result<V::Value, Misfit> {
    match value {
        Value::Bool(value) => visitor.visit_bool(*value),
        Value::String(text) => visitor.visit_borrowed_str(text),
        Value::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
            (Some(number), ..) => visitor.visit_u64(number),
            (_, Some(number), _) => visitor.visit_i64(number),
            (_, _, Some(number)) => visitor.visit_f64(number),
            _ => Err(Misfit::custom("the number is out of range")),
        },
        // A scalar is never a list or mapping.
        Value::Null | Value::Array(_) | Value::Object(_) => visitor.visit_unit(),
    }
}

impl<'de> Deserializer<'de> for Reader<'de> {
    type Error = Misfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        self.visit(visitor)
    }

    /// A key that is there counts, even with nothing after it: null must fit the type.
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        if name == SPANNED {
            visitor.visit_seq(WithSpan { node: self.0, next: 0 })
        } else {
            visitor.visit_newtype_struct(self)
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        let span = self.0.span;
        let read = match &self.0.kind {
            Kind::Scalar(Value::String(name)) => visitor.visit_enum(Variant { name, content: None }),
            Kind::Map(entries) => match entries.as_slice() {
                [(name, content)] => {
                    visitor.visit_enum(Variant { name: &name.value, content: Some(content) })
                }
                _ => Err(Misfit::invalid_length(entries.len(), &"one key")),
            },
            _ => Err(Misfit::invalid_type(self.unexpected(), &visitor)),
        };
        read.map_err(|misfit| misfit.at(span))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        seq tuple tuple_struct map struct identifier ignored_any
    }
}

struct Items<'de>(std::slice::Iter<'de, Node>);

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Misfit;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Misfit> {
        let Some(node) = self.0.next() else { return Ok(None) };
        seed.deserialize(Reader(node)).map(Some).map_err(|misfit| misfit.at(node.span))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.0.len())
    }
}

struct Entries<'de> {
    entries: std::slice::Iter<'de, (Spanned<String>, Node)>,
    value: Option<&'de Node>,
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = Misfit;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Misfit> {
        let Some((key, value)) = self.entries.next() else { return Ok(None) };
        self.value = Some(value);
        seed.deserialize(Key(key)).map(Some).map_err(|misfit| misfit.at(key.span))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Misfit> {
        let node = self.value.take().ok_or_else(|| Misfit::custom("a value was read before its key"))?;
        seed.deserialize(Reader(node)).map_err(|misfit| misfit.at(node.span))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.entries.len())
    }
}

struct Key<'de>(&'de Spanned<String>);

impl Key<'_> {
    /// The number that a key stands for, where the type wants numbers as keys.
    fn number(&self) -> Result<i64, Misfit> {
        let text = &self.0.value;
        text.parse().map_err(|_| Misfit::new(format!("the key `{text}` is not a whole number"), self.0.span))
    }
}

impl<'de> Deserializer<'de> for Key<'de> {
    type Error = Misfit;

    fn deserialize_u16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_i64(self.number()?)
    }

    fn deserialize_i32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_i64(self.number()?)
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_i64(self.number()?)
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_borrowed_str(&self.0.value)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        if name == SPANNED {
            visitor.visit_seq(KeyWithSpan { key: self.0, next: 0 })
        } else {
            visitor.visit_newtype_struct(self)
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        visitor.visit_enum(Variant { name: &self.0.value, content: None })
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i128 u8 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        seq tuple tuple_struct map struct identifier ignored_any
    }
}

/// The variant of an enum: a name alone, or a mapping of one name to its content.
struct Variant<'de> {
    name: &'de str,
    content: Option<&'de Node>,
}

impl<'de> EnumAccess<'de> for Variant<'de> {
    type Error = Misfit;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Misfit> {
        let name: serde::de::value::BorrowedStrDeserializer<'de, Misfit> =
            serde::de::value::BorrowedStrDeserializer::new(self.name);
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'de> Variant<'de> {
    fn content(&self) -> Result<&'de Node, Misfit> {
        self.content.ok_or_else(|| Misfit::custom(format_args!("`{}` needs a value", self.name)))
    }
}

impl<'de> VariantAccess<'de> for Variant<'de> {
    type Error = Misfit;

    fn unit_variant(self) -> Result<(), Misfit> {
        match self.content {
            None => Ok(()),
            Some(content) => {
                Err(Misfit::custom(format_args!("`{}` takes no value", self.name)).at(content.span))
            }
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Misfit> {
        let content = self.content()?;
        seed.deserialize(Reader(content)).map_err(|misfit| misfit.at(content.span))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Misfit> {
        Reader(self.content()?).visit(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        Reader(self.content()?).visit(visitor)
    }
}

/// Start, end and value of a node, one after the other.
struct WithSpan<'de> {
    node: &'de Node,
    next: u8,
}

impl<'de> SeqAccess<'de> for WithSpan<'de> {
    type Error = Misfit;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Misfit> {
        self.next += 1;
        match self.next {
            1 => seed.deserialize(number(self.node.span.start)).map(Some),
            2 => seed.deserialize(number(self.node.span.end)).map(Some),
            3 => seed.deserialize(Reader(self.node)).map(Some).map_err(|misfit| misfit.at(self.node.span)),
            _ => Ok(None),
        }
    }
}

/// Start, end and text of a key, one after the other.
struct KeyWithSpan<'de> {
    key: &'de Spanned<String>,
    next: u8,
}

impl<'de> SeqAccess<'de> for KeyWithSpan<'de> {
    type Error = Misfit;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Misfit> {
        self.next += 1;
        match self.next {
            1 => seed.deserialize(number(self.key.span.start)).map(Some),
            2 => seed.deserialize(number(self.key.span.end)).map(Some),
            3 => seed.deserialize(Key(self.key)).map(Some).map_err(|misfit| misfit.at(self.key.span)),
            _ => Ok(None),
        }
    }
}

fn number(value: u32) -> U32Deserializer<Misfit> {
    value.into_deserializer()
}

/// The other side of [`SPANNED`].
pub(super) struct AnySpanned<T>(PhantomData<T>);

impl<T> Default for AnySpanned<T> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for AnySpanned<T> {
    type Value = Spanned<T>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a value")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Spanned<T>, A::Error> {
        let lacking = |at: usize| A::Error::invalid_length(at, &"start, end and value");
        let start = parts.next_element()?.ok_or_else(|| lacking(0))?;
        let end = parts.next_element()?.ok_or_else(|| lacking(1))?;
        let value = parts.next_element()?.ok_or_else(|| lacking(2))?;
        Ok(Spanned { value, span: Span { start, end } })
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Spanned<T>, D::Error> {
        Ok(Spanned { value: T::deserialize(deserializer)?, span: Span::default() })
    }
}
