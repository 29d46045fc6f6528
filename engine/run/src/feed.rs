//! All that happens, in one stream that can be gone on with where one has left it.
//!
//! Reading order: [`message`] (what listeners are told), [`listener`] (one who listens), and here the one
//! reader that all listeners of a process share: it reads what any process has written, and hands it on
//! through a ring. Who cannot keep up is told so and comes back with their cursor; nobody waits for them.

mod listener;
mod message;

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, broadcast, watch};
use tokio::time::{sleep, timeout};

pub use self::listener::{Gone, Listener, Wanted};
use self::message::Teller;
pub(crate) use self::message::question_id;
pub use self::message::{Happening, TYPES};
use crate::event::RunId;
use crate::store::{Cursor, LazyStore, Store, StoreError, Tail};

/// Messages that may wait for a listener before it is left behind.
const RING: usize = 4096;
/// Events that are read at once.
const PAGE: u32 = 256;
/// How late what another process wrote may be seen.
const TICK: Duration = Duration::from_millis(100);
/// For so long what comes is gathered, so that listeners are not woken for each event.
const GATHER: Duration = Duration::from_millis(15);
/// Listeners that read what they have missed at the same time.
const CATCHING_UP: usize = 4;

/// The stream of a process. Cheap to clone; clones share the reader.
#[derive(Clone, Debug)]
pub(crate) struct Feed {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    store: LazyStore,
    /// Made for the first who listens: a short command has nobody, and its pages are not for nothing.
    ring: OnceLock<broadcast::Sender<Arc<Happening>>>,
    /// Whether somebody reads.
    reads: Mutex<bool>,
    teller: Teller,
    catching_up: Semaphore,
}

impl Feed {
    pub(crate) fn new(store: LazyStore) -> Self {
        let (ring, reads, teller) = (OnceLock::new(), Mutex::new(false), Teller::default());
        let catching_up = Semaphore::new(CATCHING_UP);
        Self { shared: Arc::new(Shared { store, ring, reads, teller, catching_up }) }
    }

    /// The end of all that has happened so far.
    async fn end(&self) -> Result<Cursor, StoreError> {
        let store = self.shared.store.soon().await?;
        blocking(move || store.end()).await
    }

    /// What has happened to a run so far: how it began, and the last of what came then.
    pub(crate) fn of_run(
        &self,
        store: &Store,
        run: RunId,
        most: u32,
    ) -> Result<Vec<Arc<Happening>>, StoreError> {
        let events = store.tail_of(run, most)?;
        let tail = Tail { events, notices: Vec::new() };
        Ok(self.shared.teller.tell(store, store.end()?, &tail))
    }

    /// Whatever comes from now on. Begins to read when nobody does.
    async fn subscribe(&self) -> Result<broadcast::Receiver<Arc<Happening>>, StoreError> {
        let store = self.shared.store.soon().await?;
        let mut reads = self.shared.reads.lock().unwrap_or_else(PoisonError::into_inner);
        if !*reads {
            let from = store.end()?;
            tokio::spawn(read(self.shared.clone(), store, from));
            *reads = true;
        }
        Ok(self.shared.ring().subscribe())
    }

    /// Some of what happened after a cursor; nothing when that is all.
    async fn page(&self, after: Cursor) -> Result<Vec<Arc<Happening>>, StoreError> {
        let _turn = self.shared.catching_up.acquire().await.map_err(|_| StoreError::Stopped)?;
        let store = self.shared.store.soon().await?;
        let shared = self.shared.clone();
        blocking(move || shared.told(&store, after)).await
    }
}

impl Shared {
    fn ring(&self) -> &broadcast::Sender<Arc<Happening>> {
        self.ring.get_or_init(|| broadcast::Sender::new(RING))
    }

    fn told(&self, store: &Store, after: Cursor) -> Result<Vec<Arc<Happening>>, StoreError> {
        let tail = store.tail(after, PAGE)?;
        Ok(self.teller.tell(store, after, &tail))
    }
}

/// Reads on for as long as somebody listens.
async fn read(shared: Arc<Shared>, store: Store, from: Cursor) {
    let (mut at, mut commits) = (from, store.commits());
    loop {
        let (reader, of) = (shared.clone(), store.clone());
        match blocking(move || reader.told(&of, at)).await {
            Ok(happenings) if !happenings.is_empty() => {
                for happening in happenings {
                    at = happening.cursor;
                    // Nobody need be there any more.
                    let _ = shared.ring().send(happening);
                }
                sleep(GATHER).await;
            }
            Ok(_) => wait(&mut commits).await,
            Err(error) => {
                tracing::warn!("what happens cannot be read: {error}");
                sleep(10 * TICK).await;
            }
        }
        let mut reads = shared.reads.lock().unwrap_or_else(PoisonError::into_inner);
        if shared.ring().receiver_count() == 0 {
            *reads = false;
            return;
        }
    }
}

/// Waits until somebody may have written something: this process says so, others are looked for.
async fn wait(commits: &mut watch::Receiver<u64>) {
    if let Ok(Err(_)) = timeout(TICK, commits.changed()).await {
        // The store is closing.
        sleep(TICK).await;
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(StoreError::Stopped))
}
