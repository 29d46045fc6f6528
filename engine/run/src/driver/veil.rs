//! Secrets: opened right before a call, hidden in everything that comes back.

mod layer;
mod packed;
mod sought;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use aa_spec::template::seal;
use aa_spec::tool::ErrorKind;
use async_trait::async_trait;
use serde_json::{Map, Value};

use self::sought::Sought;
use super::Secrets;
use crate::event::StepError;
use crate::tool::Detect;

/// Shorter secrets cannot be hidden without making everything unreadable.
const SHORTEST: usize = 4;

/// Knows every secret that this run has opened.
pub(crate) struct Veil {
    secrets: Arc<dyn Secrets>,
    /// The only ones that are opened, where that is known before.
    named: Option<BTreeSet<String>>,
    known: Mutex<Option<Arc<Known>>>,
}

/// Where no secret is opened.
struct Closed;

#[async_trait]
impl Secrets for Closed {
    async fn reveal(&self, _: &str) -> Result<String, String> {
        Err("no secret is opened here".to_owned())
    }
}

/// The secrets that must not be seen.
#[derive(Debug)]
struct Known {
    /// Their names and values.
    secrets: Vec<(String, String)>,
    sought: Sought,
}

impl Veil {
    pub(crate) fn new(secrets: Arc<dyn Secrets>) -> Self {
        Self { secrets, named: None, known: Mutex::default() }
    }

    /// One that opens what a plan names, and no other, whatever text its templates put together.
    pub(super) fn naming(secrets: Arc<dyn Secrets>, names: impl IntoIterator<Item = String>) -> Self {
        Self { named: Some(names.into_iter().collect()), ..Self::new(secrets) }
    }

    /// One that opens none and hides what it is told.
    pub(crate) fn closed() -> Self {
        Self::new(Arc::new(Closed))
    }

    /// The arguments with their secrets in place, and the names of these.
    ///
    /// # Errors
    /// A secret that cannot be had, that is too short to be hidden later, or that a
    /// template has taken to pieces.
    pub(crate) async fn open(
        &self,
        args: Map<String, Value>,
    ) -> Result<(Map<String, Value>, BTreeSet<String>), StepError> {
        let mut args = Value::Object(args);
        let names = seal::names_in(&args);
        let mut values = Vec::new();
        for name in &names {
            if self.named.as_ref().is_some_and(|named| !named.contains(name)) {
                return Err(unusable(name, "the skill does not name it"));
            }
            let value = self.secrets.reveal(name).await;
            let value = value.map_err(|message| unusable(name, &message))?;
            self.conceal(name, &value).map_err(|message| unusable(name, &message))?;
            values.push((name, value));
        }
        let lookup =
            |wanted: &str| values.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value.clone());
        seal::open(&mut args, &lookup)
            .map_err(|error| StepError::new(ErrorKind::Invalid, error.to_string()))?;
        match args {
            Value::Object(args) => Ok((args, names)),
            _ => Ok((Map::new(), names)),
        }
    }

    /// Tells which of these secrets a text holds, for what must not even be seen while a call runs.
    pub(crate) fn detector(self: &Arc<Self>, names: BTreeSet<String>) -> Detect {
        let veil = Arc::clone(self);
        Arc::new(move |text| names.iter().find(|name| veil.is_in(name, text)).cloned())
    }

    fn is_in(&self, name: &str, text: &str) -> bool {
        self.known().is_some_and(|known| {
            known.sought.find_all(text).iter().any(|hit| known.secrets[hit.secret].0 == name)
        })
    }

    /// Hides the value of a secret from now on, in the forms in which it may come back.
    ///
    /// # Errors
    /// It is too short to be hidden.
    pub(crate) fn conceal(&self, name: &str, value: &str) -> Result<(), String> {
        if value.trim().chars().count() < SHORTEST {
            return Err(format!("it is shorter than {SHORTEST} characters and could not be hidden"));
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut secrets = known.as_ref().map(|known| known.secrets.clone()).unwrap_or_default();
        let secret = (name.to_owned(), value.to_owned());
        // What is known already is looked for already: every call of a run says it again.
        if !secrets.contains(&secret) {
            secrets.push(secret);
            *known = Some(Arc::new(Known::new(secrets)?));
        }
        Ok(())
    }

    /// A text from outside without secrets, and without the marks of sealed ones.
    pub(crate) fn hide(&self, text: &str) -> String {
        let mut value = Value::from(text);
        self.hide_value(&mut value);
        match value {
            Value::String(text) => text,
            other => other.to_string(),
        }
    }

    /// A value from outside without secrets, and without the marks of sealed ones.
    pub(crate) fn hide_value(&self, value: &mut Value) {
        seal::clean(value);
        if let Some(known) = self.known() {
            known.hide_value(value);
        }
    }

    /// An error without secrets.
    pub(crate) fn hide_error(&self, error: &mut StepError) {
        error.message = self.hide(&error.message);
        self.hide_value(&mut error.details);
    }

    fn known(&self) -> Option<Arc<Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Known {
    fn new(secrets: Vec<(String, String)>) -> Result<Self, String> {
        let sought = Sought::new(secrets.iter().map(|(_, value)| value.as_str()))?;
        Ok(Self { secrets, sought })
    }

    fn hide_value(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                if let Some(hidden) = self.hidden(text) {
                    *text = hidden;
                }
            }
            Value::Number(number) => {
                if let Some(hidden) = self.hidden(&number.to_string()) {
                    *value = Value::String(hidden);
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.hide_value(item)),
            Value::Object(entries) => self.hide_entries(entries),
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn hide_entries(&self, entries: &mut Map<String, Value>) {
        if entries.keys().any(|key| self.hidden(key).is_some()) {
            let old = std::mem::take(entries);
            entries.extend(old.into_iter().map(|(key, item)| (self.hidden(&key).unwrap_or(key), item)));
        }
        entries.values_mut().for_each(|item| self.hide_value(item));
    }

    /// The text without secrets; `None` when it has none.
    fn hidden(&self, text: &str) -> Option<String> {
        let hits = self.sought.find(text);
        let mut rest = hits.first()?.range.start;
        let mut hidden = text[..rest].to_owned();
        for hit in hits {
            hidden.push_str(&text[rest..hit.range.start]);
            hidden.push_str(&shown(&self.secrets[hit.secret].0));
            rest = hit.range.end;
        }
        hidden.push_str(&text[rest..]);
        Some(hidden)
    }
}

/// What stands in the place of a secret.
fn shown(name: &str) -> String {
    format!("‹secret:{name}›")
}

fn unusable(name: &str, message: &str) -> StepError {
    StepError::new(ErrorKind::Invalid, format!("secret `{name}` cannot be used: {message}"))
}

/// A text as one piece of a URL.
pub(crate) fn in_url(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            for half in [byte >> 4, byte & 15] {
                encoded.push(char::from_digit(u32::from(half), 16).unwrap_or('0').to_ascii_uppercase());
            }
        }
    }
    encoded
}

#[cfg(test)]
mod tests;
