//! Names of what is remembered.

use crate::tool::ToolError;
use crate::tool::native::invalid;

/// Longest key.
const LONGEST: usize = 200;

/// A key such as `state/current_work`: words of letters, digits, `_`, `-` and `.`,
/// separated by `/`. Written `state/current_work.yaml`, it is the same key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key(String);

impl Key {
    pub(crate) fn new(text: &str) -> Result<Self, ToolError> {
        let key = text.trim();
        let key = key.strip_suffix(".yaml").unwrap_or(key);
        if key.len() > LONGEST || !key.split('/').all(is_word) {
            let message = format!("`{text}` is not a key of the memory: they look like `state/current_work`");
            return Err(invalid(message));
        }
        Ok(Self(key.to_owned()))
    }

    /// A key that is known to be one.
    pub(crate) fn known(text: &'static str) -> Self {
        Self(text.to_owned())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_word(word: &str) -> bool {
    word.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '_')
        && word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_words_between_slashes() {
        for good in ["state/current_work", "sessions/2026-11-26", "notes", "knowledge/personas/dev/a.b", "_x"]
        {
            assert_eq!(Key::new(good).unwrap().as_str(), good);
        }
        assert_eq!(Key::new("learned/patterns.yaml").unwrap(), Key::new("learned/patterns").unwrap());
        for bad in ["", "/", "a/", "/a", "a//b", "../a", "a/../b", ".hidden", "a b", "ä", "a\\b", ".yaml"] {
            assert!(Key::new(bad).is_err(), "{bad}");
        }
        assert!(Key::new(&"a".repeat(201)).is_err());
    }
}
