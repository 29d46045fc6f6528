//! A store that is not opened before somebody needs it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::{Durability, Store, StoreError, StoreOptions};

/// A store to be opened, and created if need be, by the first who asks. Clones share it.
#[derive(Clone, Debug)]
pub struct LazyStore {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    folder: PathBuf,
    options: StoreOptions,
    opened: Mutex<Option<Store>>,
}

impl LazyStore {
    /// The store of a folder, as yet unopened.
    pub fn new(folder: &Path, options: StoreOptions) -> Self {
        let shared = Shared { folder: folder.to_owned(), options, opened: Mutex::default() };
        Self { shared: Arc::new(shared) }
    }

    /// The store.
    ///
    /// # Errors
    /// It cannot be opened; the next call tries again.
    pub fn get(&self) -> Result<Store, StoreError> {
        let mut opened = self.shared.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = &*opened {
            return Ok(store.clone());
        }
        let store = Store::open(&self.shared.folder, self.shared.options)?;
        Ok(opened.insert(store).clone())
    }
}

impl Default for LazyStore {
    /// A store that can never be opened, for whoever has none.
    fn default() -> Self {
        Self::new(Path::new("/dev/null/none"), StoreOptions { durability: Durability::Full, inline_limit: 0 })
    }
}
