//! A store that is not opened before somebody needs it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::opening::Opening;
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
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    Closed,
    Opening(Opening),
    Open(Store),
}

impl LazyStore {
    /// The store of a folder, as yet unopened.
    pub fn new(folder: &Path, options: StoreOptions) -> Self {
        let shared = Shared { folder: folder.to_owned(), options, state: Mutex::new(State::Closed) };
        Self { shared: Arc::new(shared) }
    }

    /// Begins to open it, for whoever will need it soon. What goes wrong is said to them.
    pub fn open_early(&self) {
        let mut state = self.state();
        if matches!(*state, State::Closed)
            && let Ok(opening) = Opening::start(&self.shared.folder, self.shared.options)
        {
            *state = State::Opening(opening);
        }
    }

    /// The store.
    ///
    /// # Errors
    /// It cannot be opened; the next call tries again.
    pub fn get(&self) -> Result<Store, StoreError> {
        let mut state = self.state();
        let store = match std::mem::replace(&mut *state, State::Closed) {
            State::Closed => Store::open(&self.shared.folder, self.shared.options)?,
            State::Opening(opening) => opening.finish()?,
            State::Open(store) => store,
        };
        *state = State::Open(store.clone());
        Ok(store)
    }

    /// The store; does not keep a thread waiting.
    ///
    /// # Errors
    /// Those of [`Self::get`].
    pub async fn soon(&self) -> Result<Store, StoreError> {
        self.open_early();
        let over = match &*self.state() {
            State::Opening(opening) => Some(opening.over()),
            State::Closed | State::Open(_) => None,
        };
        if let Some(mut over) = over {
            // It closes; nothing is ever sent.
            let _ = over.changed().await;
        }
        self.get()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for LazyStore {
    /// A store that can never be opened, for whoever has none.
    fn default() -> Self {
        Self::new(Path::new("/dev/null/none"), StoreOptions { durability: Durability::Full, inline_limit: 0 })
    }
}
