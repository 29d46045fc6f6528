//! A store that is not opened before somebody needs it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use tokio::sync::watch;

use super::hand::Hand;
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
    hand: Mutex<Option<Hand>>,
}

#[derive(Debug)]
enum State {
    Closed,
    Opening(Box<Opening>),
    Open(Store),
}

/// How far opening is.
enum Progress {
    Over(Result<Store, StoreError>),
    /// It will be over when this closes, and then this is the store.
    Running(watch::Receiver<()>, Store),
    /// Another thread waits for it, or is just looking.
    InOtherHands,
}

impl LazyStore {
    /// The store of a folder, as yet unopened.
    pub fn new(folder: &Path, options: StoreOptions) -> Self {
        let (state, hand) = (Mutex::new(State::Closed), Mutex::default());
        let shared = Shared { folder: folder.to_owned(), options, state, hand };
        Self { shared: Arc::new(shared) }
    }

    /// Has a hand that waits already open it, when it comes to that.
    pub fn lend(&self, hand: Hand) {
        *self.shared.hand.lock().unwrap_or_else(PoisonError::into_inner) = Some(hand);
    }

    /// Begins to open it, for whoever will need it soon. What goes wrong is said to them.
    pub fn open_early(&self) {
        // Whoever has the state is about to open it.
        if let Some(mut state) = self.free_state()
            && matches!(*state, State::Closed)
            && let Ok(opening) = self.open()
        {
            *state = State::Opening(Box::new(opening));
        }
    }

    /// The store.
    ///
    /// # Errors
    /// It cannot be opened; the next call tries again.
    pub fn get(&self) -> Result<Store, StoreError> {
        let mut state = self.state();
        let store = match std::mem::replace(&mut *state, State::Closed) {
            State::Closed => self.open()?.finish()?,
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
        loop {
            match self.advance() {
                Progress::Over(result) => return result,
                // It closes; nothing is ever sent.
                Progress::Running(mut over, _) => drop(over.changed().await),
                Progress::InOtherHands => {
                    let this = self.clone();
                    let opened = tokio::task::spawn_blocking(move || this.get()).await;
                    return opened.unwrap_or(Err(StoreError::Stopped));
                }
            }
        }
    }

    /// The store, which may not be open yet: writes wait in its queue until it is, and are told when it cannot be
    /// opened. There is nothing to be read from it before a write has been answered.
    ///
    /// # Errors
    /// Those of [`Self::get`], as far as they are known by now.
    pub async fn coming(&self) -> Result<Store, StoreError> {
        match self.advance() {
            Progress::Over(result) => result,
            Progress::Running(_, store) => Ok(store),
            Progress::InOtherHands => self.soon().await,
        }
    }

    /// Begins to open it or ends that, as far as it goes without waiting.
    fn advance(&self) -> Progress {
        let Some(mut state) = self.free_state() else { return Progress::InOtherHands };
        let opening = match std::mem::replace(&mut *state, State::Closed) {
            State::Open(store) => {
                *state = State::Open(store.clone());
                return Progress::Over(Ok(store));
            }
            State::Closed => match self.open() {
                Ok(opening) => opening,
                Err(error) => return Progress::Over(Err(error)),
            },
            State::Opening(opening) => *opening,
        };
        let over = opening.over();
        if over.has_changed().is_ok() {
            let store = opening.store();
            *state = State::Opening(Box::new(opening));
            return Progress::Running(over, store);
        }
        let result = opening.finish();
        if let Ok(store) = &result {
            *state = State::Open(store.clone());
        }
        Progress::Over(result)
    }

    fn open(&self) -> Result<Opening, StoreError> {
        let hand = self.shared.hand.lock().unwrap_or_else(PoisonError::into_inner).take();
        Opening::start(&self.shared.folder, self.shared.options, hand)
    }

    /// The state, unless another thread has it.
    fn free_state(&self) -> Option<MutexGuard<'_, State>> {
        match self.shared.state.try_lock() {
            Ok(state) => Some(state),
            Err(TryLockError::Poisoned(state)) => Some(state.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
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

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn who_waits_for_another_thread_keeps_the_runtime_free() {
        let folder = tempfile::tempdir().unwrap();
        let options = StoreOptions { durability: Durability::Normal, inline_limit: 1000 };
        let store = LazyStore::new(folder.path(), options);
        let (other, (tell, told), (holds, held)) = (store.clone(), mpsc::channel(), mpsc::channel());
        let thread = std::thread::spawn(move || {
            let _state = other.state();
            holds.send(()).unwrap();
            told.recv_timeout(Duration::from_secs(20))
        });
        held.recv().unwrap();
        let opened = async {
            store.open_early();
            store.soon().await
        };
        let (opened, sent) = tokio::join!(opened, async { tell.send(()) });
        assert!(opened.is_ok() && sent.is_ok());
        assert_eq!(thread.join().unwrap(), Ok(()), "it was told while the other waited");
    }

    #[tokio::test]
    async fn what_is_written_before_it_is_open_is_written_then() {
        let folder = tempfile::tempdir().unwrap();
        let options = StoreOptions { durability: Durability::Normal, inline_limit: 1000 };
        let lazy = LazyStore::new(folder.path(), options);
        let coming = lazy.coming().await.unwrap();
        coming.ping().await.unwrap();
        lazy.get().unwrap().ping().await.unwrap();
    }

    #[tokio::test]
    async fn what_is_written_to_one_that_does_not_come_is_refused_with_the_reason() {
        let lazy = LazyStore::default();
        for _ in 0..2 {
            let refused = match lazy.coming().await {
                Ok(coming) => coming.ping().await,
                Err(error) => Err(error),
            };
            assert!(matches!(refused, Err(StoreError::Unusable { .. })), "{refused:?}");
        }
    }

    #[tokio::test]
    async fn everyone_who_waits_is_told_of_a_failure() {
        let store = LazyStore::default();
        store.open_early();
        let (one, other) = tokio::join!(store.soon(), store.soon());
        assert!(one.is_err() && other.is_err());
    }
}
