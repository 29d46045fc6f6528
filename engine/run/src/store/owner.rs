//! Which process drives a run: a locked file per process, let go by its death.
//!
//! The system drops a file lock when its process ends, however it ends, so a lease
//! needs no time-out and no heartbeat.

use std::fs::{self, File, TryLockError};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// This process as an owner of runs, for as long as it lives or until dropped.
#[derive(Debug)]
pub(super) struct Owner {
    name: String,
    path: PathBuf,
    // Held, not read: closing it lets the lock go.
    _lock: File,
}

impl Owner {
    /// Makes and locks a file of its own, and clears away those of the dead.
    pub(super) fn claim(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        sweep(folder)?;
        loop {
            let random = RandomState::new().hash_one(std::process::id());
            let name = format!("{}-{random:016x}", std::process::id());
            let path = folder.join(format!("{name}.lock"));
            let lock = File::create_new(&path)?;
            // Until it is locked, others take it for a dead one's.
            if lock.try_lock().is_ok() && same_file(&lock, &path) {
                return Ok(Self { name, path, _lock: lock });
            }
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

/// What this process owns by: taken when a write first needs it, and let go after the last one.
#[derive(Debug)]
pub(super) struct Ownership {
    folder: PathBuf,
    owner: Mutex<Option<Owner>>,
}

impl Ownership {
    /// One whose file will be in a folder.
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder, owner: Mutex::default() }
    }

    /// The name of the owner, who comes to be if need be.
    pub(super) fn name(&self) -> io::Result<String> {
        match &mut *self.owner() {
            Some(owner) => Ok(owner.name().to_owned()),
            none => Ok(none.insert(Owner::claim(&self.folder)?).name().to_owned()),
        }
    }

    /// Whether the owner has this name.
    pub(super) fn is_of(&self, name: &str) -> bool {
        self.owner().as_ref().is_some_and(|owner| owner.name() == name)
    }

    /// Whether the owner of that name, of whichever process, still lives. In doubt it does.
    pub(super) fn is_alive(&self, name: &str) -> bool {
        is_alive(&self.folder, name)
    }

    /// Gives back everything that this process owns.
    pub(super) fn let_go(&self) {
        drop(self.owner().take());
    }

    fn owner(&self) -> MutexGuard<'_, Option<Owner>> {
        self.owner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        // A file left behind is a dead one's, and swept by the next owner.
        let _ = fs::remove_file(&self.path);
    }
}

/// Whether the owner of that name still lives. In doubt it does.
pub(super) fn is_alive(folder: &Path, name: &str) -> bool {
    !is_dead(&folder.join(format!("{name}.lock")))
}

fn is_dead(path: &Path) -> bool {
    match File::open(path) {
        // Shared, so that two who look at once do not take each other for the owner.
        Ok(file) => match file.try_lock_shared() {
            Ok(()) => true,
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => false,
        },
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

fn sweep(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if is_dead(&path) {
            // Two may sweep at once.
            let _ = fs::remove_file(&path);
        }
    }
    Ok(())
}

#[cfg(unix)]
fn same_file(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let (Ok(open), Ok(named)) = (file.metadata(), fs::metadata(path)) else { return false };
    (open.dev(), open.ino()) == (named.dev(), named.ino())
}

#[cfg(not(unix))]
fn same_file(_: &File, path: &Path) -> bool {
    path.exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_lives_until_it_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let owner = Owner::claim(folder.path()).unwrap();
        let name = owner.name().to_owned();
        assert!(is_alive(folder.path(), &name));
        drop(owner);
        assert!(!is_alive(folder.path(), &name));
    }

    #[test]
    fn files_of_the_dead_are_swept_and_those_of_the_living_are_not() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("1-dead.lock"), "").unwrap();
        assert!(!is_alive(folder.path(), "1-dead"));
        let first = Owner::claim(folder.path()).unwrap();
        let second = Owner::claim(folder.path()).unwrap();
        assert_ne!(first.name(), second.name());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
        assert!(is_alive(folder.path(), first.name()) && is_alive(folder.path(), second.name()));
    }
}
