//! The key with which states are sealed that clients carry for us, and what makes them count once.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use chrono::{TimeDelta, Utc};

use super::{Engine, StartError};

/// Length of the key.
const KEY: usize = 32;

impl Engine {
    /// The key of this store. It is made when it is first needed; only its owner can read it.
    ///
    /// # Errors
    /// It cannot be made or read, or it is no key.
    pub fn sealing_key(&self) -> io::Result<Vec<u8>> {
        key_file(&self.settings().state_folder, "seal.key")
    }

    /// Text that nobody can guess.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn mark(&self) -> io::Result<String> {
        let bytes: [u8; 16] = random()?;
        Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
    }

    /// Whether a mark is shown for the first time. It is forgotten after `ttl`.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn use_mark(&self, mark: &str, ttl: std::time::Duration) -> Result<bool, StartError> {
        let now = Utc::now();
        let ttl = TimeDelta::from_std(ttl).unwrap_or(TimeDelta::days(1));
        Ok(self.parts.store()?.use_mark(mark, now, now + ttl).await?)
    }
}

/// A key beside the store. It is made when it is first needed; only its owner can read it.
pub(super) fn key_file(folder: &Path, name: &str) -> io::Result<Vec<u8>> {
    let path = folder.join(name);
    match read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(folder)?;
            make(folder, &path)?;
            read(&path)
        }
        read => read,
    }
}

/// The same, if it is there: looking makes none.
pub(super) fn key_if_there(folder: &Path, name: &str) -> io::Result<Option<Vec<u8>>> {
    match read(&folder.join(name)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        read => read.map(Some),
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let key = fs::read(path)?;
    if fs::metadata(path)?.mode() & 0o077 != 0 {
        return Err(io::Error::other(format!(
            "others can read `{}`; `chmod 600` it, or remove it so that a new one is made",
            path.display()
        )));
    }
    if key.len() == KEY {
        return Ok(key);
    }
    Err(io::Error::other(format!("`{}` is no key; remove it, and a new one is made", path.display())))
}

/// Another process may do the same at the same time: the first one's key stays.
fn make(folder: &Path, path: &Path) -> io::Result<()> {
    let key: [u8; KEY] = random()?;
    // Other threads of this process may be at it, too.
    let draft: [u8; 8] = random()?;
    let draft = folder.join(format!(".seal.key.{:016x}", u64::from_be_bytes(draft)));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    file.write_all(&key)?;
    file.sync_all()?;
    let linked = fs::hard_link(&draft, path);
    fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes)
}
