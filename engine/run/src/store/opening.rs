//! A store on its way: the thread that will write opens it, while others go on.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::sync::{Arc, mpsc};

use tokio::sync::watch;

use super::blobs::Blobs;
use super::hand::Hand;
use super::journal::Journal;
use super::mistakes::Known;
use super::owner::Ownership;
use super::reader::Reader;
use super::writer::Writer;
use super::{Parts, Store, StoreError, StoreOptions, database};

/// A store that is being opened.
#[derive(Debug)]
pub(super) struct Opening {
    parts: Arc<Parts>,
    opened: mpsc::Receiver<Result<(), StoreError>>,
    over: watch::Receiver<()>,
}

impl Opening {
    /// Begins to open, or to create, the store in a folder, with a hand that may be there for it.
    pub(super) fn start(
        folder: &Path,
        options: StoreOptions,
        hand: Option<Hand>,
    ) -> Result<Self, StoreError> {
        let (tell, opened) = mpsc::sync_channel(1);
        let (running, over) = watch::channel(());
        let (path, owners) = (folder.join("aa.db"), folder.join("owners"));
        let blobs = Arc::new(Blobs::new(folder.join("blobs")));
        let reader = Reader::new(path.clone(), owners.clone(), blobs.clone());
        let (home, file, kept) = (folder.to_owned(), path.clone(), blobs.clone());
        let mistakes = Known::default();
        let (shared, ownership) = (mistakes.clone(), Arc::new(Ownership::new(owners.clone())));
        let own = Arc::clone(&ownership);
        let open = move || {
            // Dropped at the end, which is the sign.
            let _running = running;
            let made = DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&home)
                .map_err(|e| database::unusable(&home, &e));
            let db = made.and_then(|()| database::open_writer(&file, options.durability));
            // Nobody listens any more when the store is not wanted after all.
            let _ = tell.send(db.as_ref().map(drop).map_err(Clone::clone));
            let ownership = Arc::clone(&own);
            db.map(|db| Journal { mistakes: shared, ..Journal::new(db, file, kept, ownership) })
        };
        let hand = hand.map_or_else(Hand::now, Ok).map_err(|e| database::unusable(folder, &e))?;
        let writer = Writer::start(hand, open, ownership);
        let parts = Parts { path, inline_limit: options.inline_limit, blobs, reader, writer, mistakes };
        Ok(Self { parts: Arc::new(parts), opened, over })
    }

    /// Changes, by closing, once [`Self::finish`] does not have to wait any more.
    pub(super) fn over(&self) -> watch::Receiver<()> {
        self.over.clone()
    }

    /// The store that it will be. What is written to it waits until it is open, and when it cannot be opened that
    /// is the answer.
    pub(super) fn store(&self) -> Store {
        Store { parts: self.parts.clone() }
    }

    /// Waits for the end.
    pub(super) fn finish(self) -> Result<Store, StoreError> {
        self.opened.recv().unwrap_or(Err(StoreError::Stopped))?;
        Ok(Store { parts: self.parts })
    }
}
