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
use chrono::Utc;
use sha2::{Digest, Sha256};

use crate::caller::{Caller, LOCAL, MAIN, Sees, Whose};
use crate::cause::cause;
use crate::event::{Origin, Time};
use crate::grant::Grants;
use crate::policy::Rules;
use crate::settings::{Issuer, SettingsError};
use crate::token::{Issuers, TokenError, looks_like_one};

/// The shortest key that is taken, in characters: shorter ones can be guessed.
pub const SHORTEST: usize = 32;

/// Whoever has shown a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guest {
    /// Whose runs, workspaces and sessions they see.
    pub principal: String,
    /// To whom they belong.
    pub tenant: String,
    /// When what they have shown opens nothing any more.
    pub expires: Option<Time>,
    /// Personas that they may play, by canonical name; none: all.
    pub personas: Option<Vec<String>>,
    /// What the key says of what they may do.
    pub rules: Rules,
    /// What they may use.
    pub grants: Grants,
    /// Who has issued the token that they have shown; none of a key.
    pub issuer: Option<Arc<Issuer>>,
}

/// What is remembered of a key that was shown.
#[derive(Clone, Copy)]
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
    issuers: Option<Arc<Issuers>>,
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
    /// Whether no key or persona keeps anything from them.
    pub fn opens_all(&self) -> bool {
        self.personas.is_none() && self.grants.is_usual()
    }

    /// Whoever owns the store.
    pub fn local() -> Self {
        Self { grants: Grants::All, ..Self::named(LOCAL) }
    }

    /// Somebody who may play every persona, and do what everybody may.
    pub fn named(principal: &str) -> Self {
        let (rules, grants) = (Rules::default(), Grants::Usual);
        let (principal, tenant) = (principal.to_owned(), MAIN.to_owned());
        Self { principal, tenant, expires: None, personas: None, rules, grants, issuer: None }
    }

    /// Them as a caller of the engine.
    pub fn caller(&self, origin: Origin, sees: Sees) -> Caller {
        let (principal, tenant) = (self.principal.clone(), self.tenant.clone());
        Caller { origin, principal, tenant, sees, rules: self.rules, grants: self.grants.clone() }
    }

    /// Whether what they have shown opens nothing any more.
    pub fn has_expired(&self, now: Time) -> bool {
        self.expires.is_some_and(|at| now >= at)
    }

    /// Whose is what they make.
    pub fn whose(&self) -> Whose {
        Whose { tenant: self.tenant.clone(), principal: self.principal.clone() }
    }

    /// Whether they are who they are for the owner of the store, too.
    pub fn is_local(&self) -> bool {
        self.principal == LOCAL && self.tenant == MAIN
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
        self.add_hash(digest(key), guest)
    }

    /// Adds a key of which only the hash is known.
    ///
    /// # Errors
    /// It opens for another principal already.
    pub fn add_hash(&mut self, hash: [u8; 32], guest: Guest) -> Result<(), KeyError> {
        if let Some(other) = self.of(&Mark(hash)) {
            return Err(KeyError::Same { principal: guest.principal, other: other.principal.clone() });
        }
        self.known.push((hash, Arc::new(guest)));
        Ok(())
    }

    /// Whose key it is. Takes the same time whichever it is, and if it is none.
    pub fn guest(&self, shown: &str) -> Option<Arc<Guest>> {
        self.of(&Mark::of(shown))
    }

    /// Whose token it is, when it is one.
    ///
    /// # Errors
    /// It opens nothing.
    pub async fn guest_of_token(&self, shown: &str) -> Result<Arc<Guest>, TokenError> {
        match &self.issuers {
            Some(issuers) if looks_like_one(shown) => issuers.guest(shown, Utc::now()).await.map(Arc::new),
            _ => Err(TokenError::Issuer),
        }
    }

    /// The tokens of these open, too.
    pub fn trust(&mut self, issuers: Arc<Issuers>) {
        self.issuers = Some(issuers);
    }

    /// The same, of a key that was shown before.
    fn of(&self, shown: &Mark) -> Option<Arc<Guest>> {
        let mut found = None;
        for (known, guest) in &self.known {
            if same(known, &shown.0) {
                found = Some(guest);
            }
        }
        found.filter(|guest| !guest.has_expired(Utc::now())).map(Arc::clone)
    }

    /// Whether somebody who has come in by a key could come in again by it, as the same.
    pub fn still_open(&self, shown: &Mark, guest: &Guest) -> bool {
        match &guest.issuer {
            None => self.of(shown).is_some_and(|now| *now == *guest),
            Some(issuer) => {
                let trusted = self.issuers.as_ref().is_some_and(|issuers| issuers.trust(issuer));
                trusted && !guest.has_expired(Utc::now())
            }
        }
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

impl fmt::Debug for Fresh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fresh").field("hash", &self.hash).finish_non_exhaustive()
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.guests()).finish()
    }
}

/// A key that was just made.
#[derive(Clone, PartialEq, Eq)]
pub struct Fresh {
    /// What its holder shows. It is kept nowhere.
    pub key: String,
    /// What is written into the configuration.
    pub hash: String,
}

/// Makes a key: a public name by which people can tell it from others, and a secret.
///
/// # Errors
/// The system gives no randomness.
pub fn fresh() -> io::Result<Fresh> {
    let (mut name, mut secret) = ([0; 4], [0; 32]);
    getrandom::fill(&mut name).and_then(|()| getrandom::fill(&mut secret)).map_err(io::Error::other)?;
    let key = format!("aa_{}_{}", crate::audit::hex(&name), URL_SAFE_NO_PAD.encode(secret));
    let hash = format!("sha256:{}", crate::audit::hex(&digest(&key)));
    Ok(Fresh { key, hash })
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
