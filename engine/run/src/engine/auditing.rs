//! The audit for front ends: written, listed, checked, kept at its length.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::sealing::{key_file, key_if_there};
use super::steering::now;
use super::{Engine, StartError};
use crate::audit::{Chain, Entry, Kept, Mark};
use crate::store::{AuditFilter, Audited, StoreError};

/// The key that binds entries.
const KEY: &str = "audit.key";
/// Says that entries were written.
const BEGUN: &str = "audit.begun";
/// How soon a server takes in what runs have brought about.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Looks from one shortening to the next: about an hour.
const SHORTEN_EVERY: u32 = 3600;

impl Engine {
    /// Writes down that something is done that changes more than a run. To be called before it is done: what
    /// cannot be written down does not take place.
    ///
    /// # Errors
    /// It cannot be written down.
    pub async fn note(
        &self,
        by: Option<&str>,
        did: &str,
        what: &str,
        detail: Value,
    ) -> Result<(), StoreError> {
        let entry = self.entry(by, (did, what), "ok", detail);
        self.write_audit(vec![entry]).await
    }

    /// Writes down that somebody wanted something that they may not have.
    ///
    /// # Errors
    /// It cannot be written down.
    pub async fn note_refused(&self, did: &str, what: &str, why: &str) -> Result<(), StoreError> {
        let entry = self.entry(None, (did, what), "refused", json!({ "why": why }));
        self.write_audit(vec![entry]).await
    }

    /// Writes down what a server does by itself.
    ///
    /// # Errors
    /// It cannot be written down.
    pub async fn note_server(&self, did: &str, what: &str, detail: Value) -> Result<(), StoreError> {
        let entry = Entry { via: "serve".to_owned(), ..self.entry(Some("serve"), (did, what), "ok", detail) };
        self.write_audit(vec![entry]).await
    }

    /// Takes in what runs have brought about since somebody last wrote to the audit.
    ///
    /// # Errors
    /// It cannot be written down.
    pub async fn take_in_audit(&self) -> Result<(), StoreError> {
        let store = self.parts.store_soon().await?;
        if store.audit_is_behind()? { self.write_audit(Vec::new()).await } else { Ok(()) }
    }

    /// Keeps the audit up to date, and no longer than it is to be; never ends.
    pub async fn keep_audit(&self) {
        let mut looks = 0_u32;
        loop {
            let kept = async {
                self.take_in_audit().await?;
                if looks.is_multiple_of(SHORTEN_EVERY) { self.shorten_audit().await } else { Ok(()) }
            };
            if let Err(error) = kept.await {
                tracing::error!("the audit cannot be kept: {error}");
            }
            looks = looks.wrapping_add(1);
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Entries of the audit, the newest first.
    ///
    /// # Errors
    /// The store cannot be read, or the caller may not.
    pub fn audit_entries(&self, filter: &AuditFilter) -> Result<Vec<Kept>, StartError> {
        self.owns_audit()?;
        Ok(self.parts.store()?.audit_entries(filter)?)
    }

    /// Checks the audit; writes nothing. With a mark that was noted elsewhere it is also seen when somebody has
    /// put an older store in the place of this one.
    ///
    /// # Errors
    /// The store or the key cannot be read, or the caller may not.
    pub fn check_audit(&self, mark: Option<Mark>) -> Result<Audited, StartError> {
        self.owns_audit()?;
        let store = self.parts.store()?;
        let folder = &self.settings().state_folder;
        let key = key_if_there(folder, KEY).map_err(|error| unusable(folder, &error))?;
        Ok(store.check_audit(&Chain::new(key, is_begun(folder)), mark)?)
    }

    /// The same as [`Self::audit_entries`], with all that runs have brought about so far.
    ///
    /// # Errors
    /// The store cannot be read or written, or the caller may not.
    pub async fn recent_audit(&self, filter: &AuditFilter) -> Result<Vec<Kept>, StartError> {
        self.owns_audit()?;
        self.take_in_audit().await?;
        self.audit_entries(filter)
    }

    /// The same as [`Self::check_audit`], for those who have other things to do meanwhile: all of it is read.
    ///
    /// # Errors
    /// The store or the key cannot be read, or the caller may not.
    pub async fn verify_audit(&self, mark: Option<Mark>) -> Result<Audited, StartError> {
        self.owns_audit()?;
        let engine = self.clone();
        let check = tokio::task::spawn_blocking(move || engine.check_audit(mark));
        check.await.unwrap_or(Err(StartError::Store(StoreError::Stopped)))
    }

    async fn shorten_audit(&self) -> Result<(), StoreError> {
        let Some(keep) = self.settings().operations.audit_keep else { return Ok(()) };
        let at = now();
        let Some(before) = TimeDelta::from_std(keep).ok().and_then(|keep| at.checked_sub_signed(keep)) else {
            return Ok(());
        };
        let store = self.parts.store_soon().await?;
        let told = Entry {
            via: "serve".to_owned(),
            ..self.entry(Some("serve"), ("audit.shorten", "audit"), "ok", Value::Null)
        };
        store.shorten_audit(&self.chain()?, before, told).await.map(drop)
    }

    async fn write_audit(&self, entries: Vec<Entry>) -> Result<(), StoreError> {
        let store = self.parts.store_soon().await?;
        let chain = self.chain()?;
        store.audit(&chain, entries).await?;
        if chain.is_begun() {
            return Ok(());
        }
        let folder = &self.settings().state_folder;
        begin(folder).map_err(|error| unusable(folder, &error))
    }

    fn entry(&self, by: Option<&str>, (did, what): (&str, &str), outcome: &str, detail: Value) -> Entry {
        let caller = self.caller();
        Entry {
            at: now(),
            who: by.map_or_else(|| caller.principal.clone(), str::to_owned),
            via: caller.origin.name().to_owned(),
            did: did.to_owned(),
            what: what.to_owned(),
            outcome: outcome.to_owned(),
            detail,
        }
    }

    fn chain(&self) -> Result<Chain, StoreError> {
        let folder = &self.settings().state_folder;
        let key = key_file(folder, KEY).map_err(|error| unusable(folder, &error))?;
        Ok(Chain::new(Some(key), is_begun(folder)))
    }

    /// Whether the caller may look at the audit. It tells of all tenants, so it is there for nobody of another one
    /// than the main one.
    pub fn sees_audit(&self) -> bool {
        let caller = self.caller();
        caller.is_of_main() && caller.grants.sees_audit()
    }

    fn owns_audit(&self) -> Result<(), StartError> {
        if self.sees_audit() { Ok(()) } else { Err(StartError::NotGranted("the audit".to_owned())) }
    }
}

fn is_begun(folder: &Path) -> bool {
    folder.join(BEGUN).exists()
}

/// Remembers beside the database that there are entries.
fn begin(folder: &Path) -> io::Result<()> {
    let mut file =
        OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(folder.join(BEGUN))?;
    file.write_all(b"The audit in this store has entries: one without any was emptied.\n")?;
    file.sync_all()?;
    File::open(folder)?.sync_all()
}

fn unusable(folder: &Path, error: &io::Error) -> StoreError {
    StoreError::Unusable { path: folder.join(KEY), message: crate::cause::cause(error) }
}
