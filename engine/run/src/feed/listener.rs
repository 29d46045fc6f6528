//! One who listens: first to what they have missed, then to what happens.

use std::sync::Arc;

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

use super::{Feed, Happening};
use crate::caller::Caller;
use crate::event::RunId;
use crate::store::{Cursor, StoreError};

/// Messages that are handed over at once.
const BATCH: usize = 256;

/// What somebody wants to hear, of what is there for them.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Only of this run.
    pub run: Option<RunId>,
    /// Only these types; empty means all.
    pub types: Vec<String>,
}

/// One who listens.
#[derive(Debug)]
pub struct Listener {
    feed: Feed,
    caller: Caller,
    wanted: Wanted,
    at: Cursor,
    /// What happens from now on, once what was missed is nearly read.
    live: Option<Receiver<Arc<Happening>>>,
    /// Whether all that was missed has been read.
    caught_up: bool,
}

/// Why there is nothing more.
#[derive(Debug, thiserror::Error)]
pub enum Gone {
    /// The listener was too slow; from its cursor on it misses nothing.
    #[error("you are too far behind; come back with your cursor")]
    Lagged,
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Listener {
    /// Listens from a cursor on, or from now on.
    pub(crate) async fn new(
        feed: Feed,
        caller: Caller,
        wanted: Wanted,
        since: Option<Cursor>,
    ) -> Result<Self, StoreError> {
        let at = match since {
            Some(since) => since,
            None => feed.end().await?,
        };
        Ok(Self { feed, caller, wanted, at, live: None, caught_up: false })
    }

    /// How far it has listened.
    pub fn cursor(&self) -> Cursor {
        self.at
    }

    /// What comes next, at least one message. May be dropped while it waits.
    ///
    /// # Errors
    /// The listener was too slow, or the store cannot be read.
    pub async fn next(&mut self) -> Result<Vec<Arc<Happening>>, Gone> {
        loop {
            let come = if self.caught_up { self.hear().await? } else { self.catch_up().await? };
            let mut told = Vec::with_capacity(come.len());
            for happening in come {
                if happening.is_after(self.at) {
                    self.at = happening.moved(self.at);
                    if self.wants(&happening) {
                        told.push(happening);
                    }
                }
            }
            if !told.is_empty() {
                return Ok(told);
            }
        }
    }

    async fn catch_up(&mut self) -> Result<Vec<Arc<Happening>>, Gone> {
        let page = self.feed.page(self.at).await?;
        if page.is_empty() {
            // What comes between the last look and the first message is looked at once more.
            self.caught_up = self.live.is_some();
            if self.live.is_none() {
                self.live = Some(self.feed.subscribe().await?);
            }
        }
        Ok(page)
    }

    async fn hear(&mut self) -> Result<Vec<Arc<Happening>>, Gone> {
        let Some(live) = &mut self.live else { return Err(Gone::Lagged) };
        let mut come = match live.recv().await {
            Ok(first) => vec![first],
            Err(RecvError::Lagged(_) | RecvError::Closed) => return Err(Gone::Lagged),
        };
        while come.len() < BATCH {
            match live.try_recv() {
                Ok(more) => come.push(more),
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
                // What is at hand is handed over first; the next look says that some is missing.
                Err(TryRecvError::Lagged(_)) => return Err(Gone::Lagged),
            }
        }
        Ok(come)
    }

    fn wants(&self, happening: &Happening) -> bool {
        happening.is_there_for(&self.caller)
            && self.wanted.run.is_none_or(|run| happening.run == Some(run))
            && (self.wanted.types.is_empty() || self.wanted.types.iter().any(|kind| kind == happening.kind))
    }
}
