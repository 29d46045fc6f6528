//! Who may come in from outside: principals by the keys they show.
//!
//! Only hashes of keys are kept. There is always the key of whoever owns the store, in a file that
//! only they can read; whoever can read that could read the store itself.

use std::fmt;
use std::fs;
use std::hint::black_box;
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aa_spec::diagnostic::Severity;
use aa_spec::name::fold;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::caller::LOCAL;
use crate::cause::cause;
use crate::policy::Rules;
use crate::settings::SettingsError;

/// The shortest key that is taken, in characters: shorter ones can be guessed.
pub const SHORTEST: usize = 32;

/// Whoever has shown a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guest {
    /// Whose runs, workspaces and sessions they see.
    pub principal: String,
    /// Personas that they may play, by canonical name; none: all.
    pub personas: Option<Vec<String>>,
    /// What the key says of what they may do.
    pub rules: Rules,
}

/// What is remembered of a key that was shown.
pub struct Mark([u8; 32]);

impl Mark {
    /// That of a key.
    pub fn of(shown: &str) -> Self {
        Self(digest(shown))
    }
}

/// The keys that open.
#[derive(Default)]
pub struct Keys {
    known: Vec<([u8; 32], Arc<Guest>)>,
}

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The token file cannot be used.
    #[error("the token file `{}` cannot be used: {message}", .path.display())]
    Token {
        /// Where it is.
        path: PathBuf,
        /// Why.
        message: String,
    },
    /// A configured key cannot be opened.
    #[error("the key of `{principal}` cannot be opened: secret `{secret}`: {message}")]
    Secret {
        /// Whose.
        principal: String,
        /// Which secret.
        secret: String,
        /// Why.
        message: String,
    },
    /// A configured key is too easy to guess.
    #[error("the key of `{principal}` has less than {SHORTEST} characters")]
    Short {
        /// Whose.
        principal: String,
    },
    /// The configuration cannot be read.
    #[error("{}", first(.0))]
    Settings(#[from] SettingsError),
    /// One key would be of two.
    #[error("`{principal}` and `{other}` have the same key")]
    Same {
        /// The one.
        principal: String,
        /// The other.
        other: String,
    },
}

/// An error of the configuration in a line: with the first of what is wrong in the files.
fn first(error: &SettingsError) -> String {
    match error {
        SettingsError::Invalid(problems) => {
            let found = problems.iter().find(|problem| problem.severity == Severity::Error);
            let place = found.map(|problem| {
                let line = problem.place().line;
                format!(": {}:{line}: {}", problem.source.path, problem.message)
            });
            format!("{error}{}", place.unwrap_or_default())
        }
        other => other.to_string(),
    }
}

impl Guest {
    /// Whoever owns the store.
    pub fn local() -> Self {
        Self::named(LOCAL)
    }

    /// Somebody who may play every persona, and do what everybody may.
    pub fn named(principal: &str) -> Self {
        Self { principal: principal.to_owned(), personas: None, rules: Rules::default() }
    }

    /// Whether they may play a persona.
    pub fn may_play(&self, persona: &str) -> bool {
        self.personas.as_ref().is_none_or(|names| names.contains(&fold(persona)))
    }
}

impl Keys {
    /// Adds a key.
    ///
    /// # Errors
    /// It is too short, or opens for another principal already.
    pub fn add(&mut self, key: &str, guest: Guest) -> Result<(), KeyError> {
        if key.chars().count() < SHORTEST {
            return Err(KeyError::Short { principal: guest.principal });
        }
        if let Some(other) = self.guest(key) {
            return Err(KeyError::Same { principal: guest.principal, other: other.principal.clone() });
        }
        self.known.push((digest(key), Arc::new(guest)));
        Ok(())
    }

    /// Whose key it is. Takes the same time whichever it is, and if it is none.
    pub fn guest(&self, shown: &str) -> Option<Arc<Guest>> {
        self.of(&Mark::of(shown))
    }

    /// The same, of a key that was shown before.
    fn of(&self, shown: &Mark) -> Option<Arc<Guest>> {
        let mut found = None;
        for (known, guest) in &self.known {
            if same(known, &shown.0) {
                found = Some(guest);
            }
        }
        found.map(Arc::clone)
    }

    /// Whether somebody who has come in by a key could come in again by it, as the same.
    pub fn still_open(&self, shown: &Mark, guest: &Guest) -> bool {
        self.of(shown).is_some_and(|now| *now == *guest)
    }

    /// Everybody who has a key.
    pub fn guests(&self) -> impl Iterator<Item = &Guest> {
        self.known.iter().map(|(_, guest)| &**guest)
    }
}

impl fmt::Debug for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mark")
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.guests()).finish()
    }
}

fn digest(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

fn same(one: &[u8; 32], other: &[u8; 32]) -> bool {
    black_box(one.iter().zip(other).fold(0, |differ, (a, b)| differ | (a ^ b))) == 0
}

/// Where the token of a store is.
pub fn token_file(state_folder: &Path) -> PathBuf {
    state_folder.join("serve.token")
}

/// The token of a store; made by the first who asks.
///
/// # Errors
/// It cannot be written or read, or others can read it.
pub fn token(state_folder: &Path) -> Result<String, KeyError> {
    let path = token_file(state_folder);
    let failed = |error: io::Error| KeyError::Token { path: path.clone(), message: cause(&error) };
    if !path.exists() {
        make(state_folder, &path).map_err(failed)?;
    }
    if fs::metadata(&path).map_err(failed)?.mode() & 0o077 != 0 {
        let message = "others can read it; `chmod 600` it, or remove it so that a new one is made".to_owned();
        return Err(KeyError::Token { path, message });
    }
    Ok(fs::read_to_string(&path).map_err(failed)?.trim().to_owned())
}

/// Two who make it at once get the same one: a name is given to a whole file, and only once.
fn make(state_folder: &Path, path: &Path) -> io::Result<()> {
    fs::create_dir_all(state_folder)?;
    let mut random = [0; 32];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let text = URL_SAFE_NO_PAD.encode(random);
    let part = state_folder.join(format!(".serve.token.{}", &text[..8]));
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part)?;
    let written = writeln!(file, "{text}").and_then(|()| file.sync_all());
    let named = written.and_then(|()| match fs::hard_link(&part, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        result => result,
    });
    fs::remove_file(&part)?;
    named
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn guest(principal: &str) -> Guest {
        Guest::named(principal)
    }

    #[test]
    fn a_key_opens_for_its_principal_only() {
        let mut keys = Keys::default();
        let (ann, ben) = ("a".repeat(32), "b".repeat(32));
        keys.add(&ann, guest("ann")).unwrap();
        keys.add(&ben, guest("ben")).unwrap();
        assert_eq!(keys.guest(&ann).unwrap().principal, "ann");
        assert_eq!(keys.guest(&ben).unwrap().principal, "ben");
        for wrong in ["", "a", &"a".repeat(31), &"a".repeat(33), &"A".repeat(32)] {
            assert_eq!(keys.guest(wrong), None, "{wrong}");
        }
        assert!(!format!("{keys:?}").contains("aaaa"));
        let mut later = Keys::default();
        later.add(&ben, guest("ann")).unwrap();
        let [by_ann, by_ben] = [&ann, &ben].map(|key| Mark::of(key));
        assert!(keys.still_open(&by_ann, &guest("ann")) && later.still_open(&by_ben, &guest("ann")));
        // Neither another key of the same principal nor the same key of another one.
        assert!(!later.still_open(&by_ann, &guest("ann")) && !later.still_open(&by_ben, &guest("ben")));
    }

    #[test]
    fn weak_and_shared_keys_are_refused() {
        let mut keys = Keys::default();
        let short = keys.add("hunter2", guest("ann")).unwrap_err();
        assert_eq!(short.to_string(), "the key of `ann` has less than 32 characters");
        keys.add(&"a".repeat(32), guest("ann")).unwrap();
        let same = keys.add(&"a".repeat(32), guest("ben")).unwrap_err();
        assert_eq!(same.to_string(), "`ben` and `ann` have the same key");
    }

    #[test]
    fn a_token_is_made_once_and_is_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        let tokens: Vec<String> = std::thread::scope(|scope| {
            let all: Vec<_> = (0..8).map(|_| scope.spawn(|| token(&state).unwrap())).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert_eq!(tokens[0].len(), 43);
        assert!(tokens.iter().all(|token| *token == tokens[0]));
        let path = token_file(&state);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(&state).unwrap().count(), 1);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let refused = token(&state).unwrap_err().to_string();
        assert!(refused.contains("others can read it") && !refused.contains(&tokens[0]), "{refused}");
    }
}
