//! Reading any value at all, for the library's tree and for ours.

use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};

/// A tree that any value can be read into.
pub(super) trait Form<'de>: Sized {
    /// An element of it.
    type Item: Deserialize<'de>;
    /// A key of it.
    type Key: Deserialize<'de>;

    fn scalar(value: Value) -> Self;
    fn list(items: Vec<Self::Item>) -> Self;
    fn map(entries: Vec<(Self::Key, Self::Item)>) -> Self;
}

/// Reads any value into `F`.
pub(super) struct AnyValue<F>(PhantomData<F>);

impl<F> Default for AnyValue<F> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<'de, F: Form<'de>> Visitor<'de> for AnyValue<F> {
    type Value = F;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<F, E> {
        Ok(F::scalar(Value::Null))
    }

    fn visit_none<E>(self) -> Result<F, E> {
        Ok(F::scalar(Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<F, E> {
        Ok(F::scalar(Value::Bool(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<F, E> {
        Ok(F::scalar(Value::Number(value.into())))
    }

    fn visit_u64<E>(self, value: u64) -> Result<F, E> {
        Ok(F::scalar(Value::Number(value.into())))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<F, E> {
        let number = Number::from_f64(value).ok_or_else(|| E::custom("not a finite number"))?;
        Ok(F::scalar(Value::Number(number)))
    }

    fn visit_str<E>(self, value: &str) -> Result<F, E> {
        Ok(F::scalar(Value::String(value.to_owned())))
    }

    fn visit_string<E>(self, value: String) -> Result<F, E> {
        Ok(F::scalar(Value::String(value)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<F, A::Error> {
        let mut read = Vec::new();
        while let Some(item) = items.next_element()? {
            read.push(item);
        }
        Ok(F::list(read))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<F, A::Error> {
        let mut read = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            read.push(entry);
        }
        Ok(F::map(read))
    }
}
