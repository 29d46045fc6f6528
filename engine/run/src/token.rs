//! Tokens (JWT) that issuers have signed whom the configuration trusts: who shows one comes in like the holder of a
//! key.
//!
//! Reading order: [`read`] (a token taken apart; nothing in it is believed yet), [`key_set`] (the keys of an
//! issuer, and signatures held against them), [`claims`] (what a signed token says, and whether it is for us and for
//! now), and here the issuers themselves, whose keys are fetched and fetched again.
//!
//! How a token is signed decides nothing about which kind of key is used: a key is of one kind, and the configuration
//! says which kinds are taken. There are no keys that both sides know, so nothing can be passed off as one.

mod claims;
mod key_set;
mod read;

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::engine::Engine;
use crate::event::Time;
use crate::key::Guest;
use crate::settings::Issuer;
use key_set::KeySet;
use read::Token;
pub use read::looks_like_one;

/// After so long, keys are fetched again by the next who comes: what was taken back opens no more.
const FRESH: Duration = Duration::from_mins(10);
/// Keys that could not be fetched again for so long are not believed any more.
const STALE: Duration = Duration::from_hours(24);
/// So often keys are fetched at most, whatever tokens name.
const AGAIN: Duration = Duration::from_secs(10);
/// After keys could not be had, it is not tried for so long.
const PAUSE: Duration = Duration::from_secs(5);
/// For so long a file of keys is taken to be the same.
const SAME: Duration = Duration::from_secs(1);
/// How long fetching may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longest set of keys, in bytes.
const LONGEST: usize = 1 << 20;

/// Why a token opens nothing. It is for the log of the server: who shows it is told nothing of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It is not written as one.
    #[error("it is no token: {0}")]
    Malformed(&'static str),
    /// Nobody that we trust has issued it.
    #[error("nobody who is trusted has issued it")]
    Issuer,
    /// It is not signed in a way that is taken.
    #[error("it is not signed in a way that is taken")]
    Algorithm,
    /// Its signature is not one of its issuer's.
    #[error("its signature is none of its issuer's")]
    Signature,
    /// What it says is not for us, or not for now.
    #[error("{0}")]
    Claim(&'static str),
    /// The keys of its issuer cannot be had.
    #[error("the keys of its issuer cannot be had: {0}")]
    Keys(String),
}

/// Everybody whose tokens open.
pub struct Issuers {
    engine: Engine,
    all: Vec<Trusted>,
}

/// One of them, with its keys.
struct Trusted {
    issuer: Arc<Issuer>,
    held: Mutex<Held>,
    /// Held by whoever fetches the keys; the others wait for what comes.
    fetching: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Held {
    keys: Arc<KeySet>,
    /// When they were fetched.
    at: Option<Instant>,
    /// When it was last tried.
    tried: Option<Instant>,
}

impl Issuers {
    /// Those of the configuration. Nothing is fetched before a token comes.
    pub fn new(engine: &Engine, issuers: &[Issuer]) -> Self {
        let trusted = |issuer: &Issuer| Trusted {
            issuer: Arc::new(issuer.clone()),
            held: Mutex::default(),
            fetching: tokio::sync::Mutex::default(),
        };
        Self { engine: engine.clone(), all: issuers.iter().map(trusted).collect() }
    }

    /// Whether they are these.
    pub fn are(&self, issuers: &[Issuer]) -> bool {
        self.all.len() == issuers.len()
            && self.all.iter().zip(issuers).all(|(one, other)| *one.issuer == *other)
    }

    /// Whether somebody is still trusted as before.
    pub fn trust(&self, issuer: &Issuer) -> bool {
        self.all.iter().any(|one| *one.issuer == *issuer)
    }

    /// Who has come with a token.
    ///
    /// # Errors
    /// It opens nothing.
    pub async fn guest(&self, shown: &str, now: Time) -> Result<Guest, TokenError> {
        let token = Token::read(shown)?;
        let name = token.issuer()?;
        // Two entries may be of one issuer, for two audiences.
        let mut refused = TokenError::Issuer;
        for trusted in self.all.iter().filter(|one| one.issuer.issuer == name) {
            match self.admit(trusted, &token, now).await {
                Ok(guest) => return Ok(guest),
                Err(error) => refused = error,
            }
        }
        Err(refused)
    }

    async fn admit(&self, trusted: &Trusted, token: &Token<'_>, now: Time) -> Result<Guest, TokenError> {
        let algorithm = token.algorithm(&trusted.issuer.algorithms)?;
        let mut keys = self.keys(trusted, FRESH).await?;
        if !keys.has(token.key_id(), algorithm) {
            // The issuer may have a new one.
            keys = self.keys(trusted, AGAIN).await?;
        }
        keys.verify(token, algorithm)?;
        claims::guest(&trusted.issuer, token.claims(), now)
    }

    /// Its keys, fetched when those at hand are older than that.
    async fn keys(&self, trusted: &Trusted, oldest: Duration) -> Result<Arc<KeySet>, TokenError> {
        let oldest = if trusted.is_remote() { oldest } else { SAME };
        if let Some(keys) = trusted.at_hand(oldest) {
            return Ok(keys);
        }
        let _turn = trusted.fetching.lock().await;
        if let Some(keys) = trusted.at_hand(oldest) {
            return Ok(keys);
        }
        if trusted.has_just_failed() {
            return Err(TokenError::Keys("it was tried a moment ago".to_owned()));
        }
        let came = self.fetch(&trusted.issuer.jwks).await;
        trusted.take(came.and_then(|text| KeySet::read(&text)))
    }

    async fn fetch(&self, place: &str) -> Result<Vec<u8>, String> {
        if !place.contains("://") {
            return read_file(Path::new(place));
        }
        let client = self.engine.web_client().map_err(|error| error.message)?;
        let lost = |error: reqwest::Error| {
            if error.is_timeout() { "it takes too long" } else { "it cannot be reached" }
        };
        let mut response = client.get(place).timeout(PATIENCE).send().await.map_err(lost)?;
        if !response.status().is_success() {
            return Err(format!("it answers with {}", response.status()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(lost)? {
            if body.len() + chunk.len() > LONGEST {
                return Err("it is too long".to_owned());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

impl Trusted {
    fn is_remote(&self) -> bool {
        self.issuer.jwks.contains("://")
    }

    /// Keys that are not older than that, or that cannot be newer yet.
    fn at_hand(&self, oldest: Duration) -> Option<Arc<KeySet>> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let is_fresh = held.at.is_some_and(|at| at.elapsed() < oldest);
        let was_tried = self.is_remote() && held.tried.is_some_and(|tried| tried.elapsed() < AGAIN);
        let is_there = held.at.is_some_and(|at| at.elapsed() < STALE);
        (is_there && (is_fresh || was_tried)).then(|| Arc::clone(&held.keys))
    }

    /// Whether there are none, although somebody has just tried.
    fn has_just_failed(&self) -> bool {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.at.is_none() && held.tried.is_some_and(|tried| tried.elapsed() < PAUSE)
    }

    /// Takes in what came; when nothing did, what was there before serves for a while.
    fn take(&self, came: Result<KeySet, String>) -> Result<Arc<KeySet>, TokenError> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.tried = Some(Instant::now());
        match came {
            Ok(keys) => {
                held.keys = Arc::new(keys);
                held.at = held.tried;
            }
            Err(why) => {
                let issuer = &self.issuer.name;
                tracing::warn!(issuer, "the keys of an issuer of tokens cannot be had: {why}");
                if held.at.is_none_or(|at| at.elapsed() >= STALE) {
                    return Err(TokenError::Keys(why));
                }
            }
        }
        Ok(Arc::clone(&held.keys))
    }
}

fn read_file(path: &Path) -> Result<Vec<u8>, String> {
    let length = std::fs::metadata(path).map_err(|error| crate::cause::cause(&error))?.len();
    if length > LONGEST as u64 {
        return Err("it is too long".to_owned());
    }
    std::fs::read(path).map_err(|error| crate::cause::cause(&error))
}

impl fmt::Debug for Issuers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.all.iter().map(|one| &one.issuer.name)).finish()
    }
}

#[cfg(test)]
mod tests;
