//! Secrets of a stubbed run: placeholders, unless real tools are called as well.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use serde_json::Value;

use crate::driver::Secrets;

/// Opens secrets, and knows how to close them again.
pub(super) struct StageSecrets {
    inner: Arc<dyn Secrets>,
    real: bool,
    opened: Mutex<BTreeMap<String, String>>,
}

impl StageSecrets {
    pub(super) fn new(inner: Arc<dyn Secrets>, real: bool) -> Self {
        Self { inner, real, opened: Mutex::default() }
    }

    /// A value with placeholders for the secrets in it, as a script knows them.
    pub(super) fn close(&self, value: &mut Value) {
        let opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if !opened.is_empty() {
            close(value, &opened);
        }
    }
}

#[async_trait]
impl Secrets for StageSecrets {
    async fn reveal(&self, name: &str) -> Result<String, String> {
        if !self.real {
            return Ok(placeholder(name));
        }
        let value = self.inner.reveal(name).await?;
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        opened.insert(name.to_owned(), value.clone());
        Ok(value)
    }
}

/// What stands for a secret, and is what readers of a journal see of it.
fn placeholder(name: &str) -> String {
    format!("‹secret:{name}›")
}

fn close(value: &mut Value, opened: &BTreeMap<String, String>) {
    match value {
        Value::String(text) => {
            for (name, secret) in opened {
                if text.contains(secret.as_str()) {
                    *text = text.replace(secret.as_str(), &placeholder(name));
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| close(item, opened)),
        Value::Object(entries) => entries.values_mut().for_each(|item| close(item, opened)),
        _ => {}
    }
}
