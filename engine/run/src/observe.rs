//! Those who watch what a process does, to count it or to draw it: they are told, and change nothing.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use crate::event::Event;

/// Somebody who watches. Told by whoever does something, so it has to be quick.
pub trait Observer: Send + Sync {
    /// An event of a run that this process drives is on disk.
    fn happened(&self, event: &Event);

    /// A call has had to wait so long for its turn among the calls of the process.
    fn waited(&self, _: Duration) {}

    /// Which share of runs it makes traces of, in percent; services that are called are told of them then.
    fn traces(&self) -> Option<u32> {
        None
    }
}

/// All who watch one engine, in whatever folder it works.
#[derive(Clone, Default)]
pub(crate) struct Observers(Arc<RwLock<Vec<Arc<dyn Observer>>>>);

impl Observers {
    pub(crate) fn add(&self, observer: Arc<dyn Observer>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).push(observer);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    pub(crate) fn happened(&self, event: &Event) {
        self.0.read().unwrap_or_else(PoisonError::into_inner).iter().for_each(|one| one.happened(event));
    }

    pub(crate) fn traces(&self) -> Option<u32> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).iter().find_map(|one| one.traces())
    }

    pub(crate) fn waited(&self, wait: Duration) {
        self.0.read().unwrap_or_else(PoisonError::into_inner).iter().for_each(|one| one.waited(wait));
    }
}
