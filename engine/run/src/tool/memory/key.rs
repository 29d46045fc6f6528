//! Names of what is remembered.

use crate::tool::ToolError;
use crate::tool::native::invalid;

/// Longest key.
const LONGEST: usize = 200;

/// Most words of a key.
pub(crate) const DEEPEST: usize = 10;

/// A key such as `state/current_work`: words of letters, digits, `_`, `-` and `.`,
/// separated by `/`. Written `state/current_work.yaml`, it is the same key. Every key can
/// be written into a file of its own below one folder, and be read back from there.
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
        if let Some(why) = no_file(key) {
            return Err(invalid(format!("`{text}` is not a key of the memory: {why}")));
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

/// Why a key's file could not be exported and imported again.
fn no_file(key: &str) -> Option<String> {
    let (folders, _) = key.rsplit_once('/')?;
    let ends_like_file = |word: &str| [".yaml", ".json"].iter().any(|end| word.ends_with(end));
    if folders.split('/').count() >= DEEPEST {
        return Some(format!("it has more than {DEEPEST} words"));
    }
    if let Some(word) = folders.split('/').find(|word| ends_like_file(word)) {
        return Some(format!("`{word}` would be a folder that is named like a file"));
    }
    (folders.split('/').next() == Some("backups")).then(|| "what is below `backups/` is no memory".to_owned())
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

    #[test]
    fn keys_that_could_not_be_exported_are_refused_and_say_why() {
        for (bad, why) in [
            ("backups/old", "no memory"),
            ("a.yaml/b", "named like a file"),
            ("x/a.json/b", "named like a file"),
            ("1/2/3/4/5/6/7/8/9/10/11", "more than 10 words"),
        ] {
            let error = Key::new(bad).unwrap_err();
            assert!(error.message.contains(why), "{error}");
        }
        for good in ["backups", "1/2/3/4/5/6/7/8/9/10", "a/b.json", "a.yml/b"] {
            assert!(Key::new(good).is_ok(), "{good}");
        }
    }
}
