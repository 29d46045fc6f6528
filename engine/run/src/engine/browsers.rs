//! Browsers that have signed in, kept for when the server is started anew.
//!
//! Nothing that is kept opens anything by itself: the key that was shown is sealed with the mark that only the browser
//! has, and with the key of this store. Of the mark there is a hash. Whoever comes back with it passes the door with the
//! key that is sealed under it, as if it had just been shown.

use chrono::TimeDelta;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac::{HMAC_SHA256, Key, sign};
use sha2::{Digest, Sha256};

use super::Engine;
use crate::event::Time;
use crate::store::{BrowserRow, StoreError};

/// A browser that has signed in.
#[derive(Clone, PartialEq, Eq)]
pub struct Browser {
    /// The key that was shown.
    pub key: String,
    /// When.
    pub began: Time,
    /// When it last looked.
    pub used: Time,
}

impl Engine {
    /// Keeps a browser under the mark that it has, which must be as hard to guess as a key and be used for no other
    /// key; forgets those that have not looked for some time, and all but so many of the others.
    ///
    /// # Errors
    /// The store or the key of it cannot be read or written.
    pub async fn keep_browser(
        &self,
        mark: &str,
        browser: &Browser,
        (idle, most): (TimeDelta, u32),
    ) -> Result<(), StoreError> {
        let Browser { key, began, used } = browser;
        let mut sealed = key.as_bytes().to_vec();
        let lock = self.lock(mark)?;
        lock.seal_in_place_append_tag(nonce(), bound(*began), &mut sealed).map_err(|_| unusable("seal"))?;
        let row = BrowserRow { mark: hash(mark), sealed, began: *began, used: *used };
        self.parts.store_soon().await?.keep_browser(row, *used - idle, most).await
    }

    /// The browser that has this mark; none when nobody has, or what is kept of it is not what was kept.
    ///
    /// # Errors
    /// The store or the key of it cannot be read.
    pub fn browser(&self, mark: &str) -> Result<Option<Browser>, StoreError> {
        let Some(row) = self.parts.store()?.browser(&hash(mark))? else { return Ok(None) };
        let BrowserRow { mut sealed, began, used, .. } = row;
        let lock = self.lock(mark)?;
        let opened = lock.open_in_place(nonce(), bound(began), &mut sealed).ok();
        let key = opened.and_then(|key| String::from_utf8(key.to_vec()).ok());
        Ok(key.map(|key| Browser { key, began, used }))
    }

    /// Notes that the browser that has this mark has looked.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn browser_used(&self, mark: &str, at: Time) -> Result<(), StoreError> {
        self.parts.store_soon().await?.browser_used(hash(mark), at).await
    }

    /// Forgets the browser that has this mark.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn forget_browser(&self, mark: &str) -> Result<(), StoreError> {
        self.parts.store_soon().await?.forget_browser(hash(mark)).await
    }

    /// What opens what is kept under a mark.
    fn lock(&self, mark: &str) -> Result<LessSafeKey, StoreError> {
        let own = self.sealing_key().map_err(|error| unusable(&crate::cause::cause(&error)))?;
        let both = sign(&Key::new(HMAC_SHA256, &own), format!("browser {mark}").as_bytes());
        let key = UnboundKey::new(&CHACHA20_POLY1305, both.as_ref()).map_err(|_| unusable("no key"))?;
        Ok(LessSafeKey::new(key))
    }
}

impl std::fmt::Debug for Browser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Browser")
    }
}

fn hash(mark: &str) -> Vec<u8> {
    Sha256::digest(mark.as_bytes()).to_vec()
}

/// The same each time: of each mark there is a key of its own, with which one text is sealed.
fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; NONCE_LEN])
}

/// When it began cannot be changed in the store.
fn bound(began: Time) -> Aad<[u8; 8]> {
    Aad::from(began.timestamp_millis().to_be_bytes())
}

fn unusable(message: &str) -> StoreError {
    StoreError::Unusable { path: "seal.key".into(), message: message.to_owned() }
}
