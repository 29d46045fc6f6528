//! How the runs of a process come to rest before it ends: nothing more begins, what is under way ends or is left
//! where it is, and whoever comes next goes on with it. Calls of tools by themselves end as well: none is left behind.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// How long drivers may take to let go of runs whose calls were cut off.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// What tells all drivers of a process that it is about to end. Cheap to clone; clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Drain {
    /// No step begins any more.
    begun: CancellationToken,
    /// Nothing is waited for any more.
    over: CancellationToken,
    /// How many runs are driven.
    drivers: Arc<watch::Sender<usize>>,
    /// How many tools are called outside of runs.
    calls: Arc<watch::Sender<usize>>,
}

/// A run that is driven, or a call that is made, until it is dropped.
#[derive(Debug)]
pub(crate) struct Driven(Arc<watch::Sender<usize>>);

impl Driven {
    fn one_more(of: &Arc<watch::Sender<usize>>) -> Self {
        of.send_modify(|count| *count += 1);
        Self(Arc::clone(of))
    }
}

impl Drop for Driven {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count = count.saturating_sub(1));
    }
}

impl Drain {
    /// From now on no step begins, and no run.
    pub fn begin(&self) {
        self.begun.cancel();
    }

    /// Whether nothing begins any more.
    pub fn has_begun(&self) -> bool {
        self.begun.is_cancelled()
    }

    /// Returns once nothing begins any more.
    pub async fn begun(&self) {
        self.begun.cancelled().await;
    }

    /// Whether nothing is waited for any more.
    pub(crate) fn is_over(&self) -> bool {
        self.over.is_cancelled()
    }

    /// Returns once nothing is waited for any more.
    pub(crate) async fn over(&self) {
        self.over.cancelled().await;
    }

    /// Counts a run for as long as what this gives is held.
    pub(crate) fn count(&self) -> Driven {
        Driven::one_more(&self.drivers)
    }

    /// Counts a call outside of runs, likewise.
    pub(crate) fn count_call(&self) -> Driven {
        Driven::one_more(&self.calls)
    }

    /// How many runs are driven.
    pub fn driven(&self) -> usize {
        *self.drivers.borrow()
    }

    /// Waits until no run is driven and no tool called any more; after so long, calls that still go on are cut off, and
    /// from then on there are none. Gives how many runs had to be.
    pub async fn finish(&self, patience: Duration) -> usize {
        self.begin();
        let _rested = timeout(patience, self.nothing_is_left()).await;
        let cut_off = self.driven();
        self.over.cancel();
        // What a call has started has ended when the call has.
        let _gone = timeout(LAST_WORDS, self.nothing_is_left()).await;
        cut_off
    }

    async fn nothing_is_left(&self) {
        for counter in [&self.drivers, &self.calls] {
            let mut counter = counter.subscribe();
            // It cannot close: this holds it.
            let _none = counter.wait_for(|count| *count == 0).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn drivers_are_waited_for_and_then_told() {
        let drain = Drain::default();
        let driver = |drain: Drain, until_over: bool| async move {
            let _driven = drain.count();
            if until_over { drain.over().await } else { drain.begun().await }
        };
        tokio::spawn(driver(drain.clone(), false));
        tokio::task::yield_now().await;
        assert_eq!((drain.driven(), drain.has_begun()), (1, false));
        assert_eq!(drain.finish(Duration::from_mins(1)).await, 0);
        assert!(drain.has_begun() && drain.is_over());
        let drain = Drain::default();
        tokio::spawn(driver(drain.clone(), true));
        tokio::task::yield_now().await;
        assert_eq!(drain.finish(Duration::from_millis(1)).await, 1, "it goes on until it is told");
        assert_eq!(drain.driven(), 0);
    }

    #[tokio::test]
    async fn calls_outside_of_runs_are_waited_for_and_are_no_runs() {
        let drain = Drain::default();
        let call = drain.count_call();
        let told = drain.clone();
        let calling = tokio::spawn(async move {
            told.over().await;
            drop(call);
        });
        assert_eq!(drain.finish(Duration::from_millis(1)).await, 0);
        assert!(calling.is_finished() && *drain.calls.borrow() == 0);
    }
}
