//! What is remembered and configured, for front ends to show.

use serde_json::{Map, Value, json};

use super::Engine;
use crate::event::{Body, Event, RunId};
use crate::store::{MemoryEntry, StoreError};
use crate::tool::Key;

/// Words in the name of a setting whose value is not shown to whoever is not at the terminal.
const HIDDEN: [&str; 8] =
    ["token", "password", "passwd", "secret", "credential", "api_key", "private_key", "cookie"];

impl Engine {
    /// What a run was started with.
    ///
    /// # Errors
    /// There is no such run for the caller, or it cannot be read.
    pub fn first_event(&self, run: RunId) -> Result<Option<Event>, StoreError> {
        self.own(run)?;
        self.parts.store()?.first_event(run)
    }

    /// Keys under which the caller's tenant remembers something, in order.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn memory_keys(&self) -> Result<Vec<String>, StoreError> {
        self.parts.store()?.memory_keys(&self.caller.tenant, "")
    }

    /// The same with how much it is and when it was changed.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn memory_entries(&self) -> Result<Vec<MemoryEntry>, StoreError> {
        self.parts.store()?.memory_entries(&self.caller.tenant)
    }

    /// What the caller's tenant remembers under a key; none when it remembers nothing there, or it is no key.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn memory_document(&self, key: &str) -> Result<Option<Map<String, Value>>, StoreError> {
        match Key::new(key) {
            Ok(key) => self.parts.store()?.memory(&self.caller.tenant, key.as_str()),
            Err(_) => Ok(None),
        }
    }

    /// The settings in force, by key. Of a secret they hold where it comes from, never what it is; a
    /// value under a name that sounds like one is left out, should somebody have written it down.
    pub fn shown_settings(&self) -> Map<String, Value> {
        let settings = self.visible_settings();
        settings.iter().map(|setting| (setting.key.clone(), shown(&setting.key, &setting.value))).collect()
    }

    /// One of the values of the configuration, as [`Self::shown_settings`] has it.
    pub fn shown_value(&self, name: &str) -> Option<Value> {
        self.settings().values.get(name).map(|value| shown(name, value))
    }
}

impl Event {
    /// The event as JSON, for whoever is not at the terminal: of what a run began with, values under a name
    /// that sounds like a secret are left out, as in [`Engine::shown_settings`].
    pub fn shown(&self) -> Value {
        let mut value = json!(self);
        for group in ["config", "env"] {
            if let (Body::SkillStarted { .. }, Some(Value::Object(entries))) =
                (&self.body, value.get_mut(group))
            {
                entries.iter_mut().for_each(|(name, value)| *value = shown(name, value));
            }
        }
        value
    }
}

/// A value without what stands under a name that sounds like a secret.
pub(crate) fn shown(key: &str, value: &Value) -> Value {
    let lower = key.rsplit('.').next().unwrap_or(key).to_ascii_lowercase().replace('-', "_");
    if !key.starts_with("secrets.") && HIDDEN.iter().any(|word| lower.contains(word)) && !value.is_boolean() {
        return Value::from("‹hidden›");
    }
    match value {
        Value::Object(entries) => {
            entries.iter().map(|(name, value)| (name.clone(), shown(name, value))).collect()
        }
        Value::Array(items) => items.iter().map(|item| shown(key, item)).collect(),
        value => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sounds_like_a_secret_is_hidden() {
        let hidden = json!("‹hidden›");
        assert_eq!(shown("values.slack.bot_token", &json!("xoxb")), hidden);
        assert_eq!(
            shown("modules.jira", &json!({"url": "u", "api-key": "k"})),
            json!({"url": "u", "api-key": hidden})
        );
        assert_eq!(shown("values.list", &json!([{"password": 1}])), json!([{"password": hidden}]));
        assert_eq!(shown("secrets.TOKEN", &json!("env TOKEN")), json!("env TOKEN"));
        assert_eq!(shown("limits.calls", &json!(4)), json!(4));
    }
}
