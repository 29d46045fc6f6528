//! Permits: how many tools may be called at once, in all and of one module.
//!
//! Whoever waits is let in in the order of coming, and waits for the module first: what all share is not held by
//! those who cannot begin yet. A permit is given back by dropping it, so neither a panic nor a caller that goes away
//! keeps one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Those who may wait at once for a call that nobody has written down.
const WAITING: usize = 256;

/// The permits of one process.
#[derive(Debug)]
pub struct Permits {
    all: Arc<Semaphore>,
    modules: BTreeMap<String, Arc<Semaphore>>,
    /// Those who wait and may be sent away.
    waiting: AtomicUsize,
}

/// The right to call, until it is dropped.
#[derive(Debug)]
pub struct Permit {
    _of_module: Option<OwnedSemaphorePermit>,
    _of_all: Option<OwnedSemaphorePermit>,
}

/// Too many wait already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Crowded;

/// One of those who wait.
struct Waiting<'a>(&'a AtomicUsize);

impl Permits {
    /// So many in all, and of some modules no more than so many.
    pub fn new(all: usize, modules: &BTreeMap<String, usize>) -> Self {
        let of = |permits: usize| Arc::new(Semaphore::new(permits.clamp(1, Semaphore::MAX_PERMITS)));
        let modules = modules.iter().map(|(module, most)| (module.clone(), of(*most))).collect();
        Self { all: of(all), modules, waiting: AtomicUsize::new(0) }
    }

    /// As many as anybody wants.
    pub fn unlimited() -> Self {
        Self::new(Semaphore::MAX_PERMITS, &BTreeMap::new())
    }

    /// How many more could be called right now, of modules that have no number of their own.
    pub fn free(&self) -> usize {
        self.all.available_permits()
    }

    /// A permit for a call of a module's tool, as soon as there is one. Giving up waiting is fine.
    pub async fn take(&self, module: &str) -> Permit {
        let of_module = match self.modules.get(module) {
            Some(permits) => Arc::clone(permits).acquire_owned().await.ok(),
            None => None,
        };
        // The semaphores are never closed; a call without a permit would only be one too many.
        Permit { _of_module: of_module, _of_all: Arc::clone(&self.all).acquire_owned().await.ok() }
    }

    /// The same for a call that nobody misses when it is not made: when too many wait, it is sent away.
    pub(crate) async fn take_if_not_crowded(&self, module: &str) -> Result<Permit, Crowded> {
        if self.waiting.fetch_add(1, Ordering::SeqCst) >= WAITING {
            self.waiting.fetch_sub(1, Ordering::SeqCst);
            return Err(Crowded);
        }
        let _waiting = Waiting(&self.waiting);
        Ok(self.take(module).await)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn there_are_never_more_than_allowed_and_none_is_lost() {
        let permits = Arc::new(Permits::new(3, &[("slow".to_owned(), 1)].into()));
        let (all, slow) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let most = Arc::new((AtomicUsize::new(0), AtomicUsize::new(0)));
        let tasks: Vec<_> = (0..120_usize)
            .map(|number| {
                let (permits, all, slow, most) = (permits.clone(), all.clone(), slow.clone(), most.clone());
                tokio::spawn(async move {
                    let module = if number % 3 == 0 { "slow" } else { "fast" };
                    let patience = Duration::from_micros(if number % 5 == 0 { 50 } else { 10_000_000 });
                    let Ok(_permit) = tokio::time::timeout(patience, permits.take(module)).await else {
                        return;
                    };
                    most.0.fetch_max(all.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    if module == "slow" {
                        most.1.fetch_max(slow.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    }
                    tokio::time::sleep(Duration::from_micros(200)).await;
                    if module == "slow" {
                        slow.fetch_sub(1, Ordering::SeqCst);
                    }
                    all.fetch_sub(1, Ordering::SeqCst);
                    if number % 19 == 0 {
                        std::panic::resume_unwind(Box::new("it broke"));
                    }
                })
            })
            .collect();
        for task in tasks {
            let _ = task.await;
        }
        assert!(most.0.load(Ordering::SeqCst) <= 3 && most.1.load(Ordering::SeqCst) <= 1);
        let held = [permits.take("slow").await, permits.take("a").await, permits.take("b").await];
        assert!(tokio::time::timeout(Duration::from_millis(5), permits.take("c")).await.is_err());
        drop(held);
        assert!(tokio::time::timeout(Duration::from_secs(5), permits.take("slow")).await.is_ok());
    }

    #[tokio::test]
    async fn who_waits_for_a_module_holds_nothing_that_others_need() {
        let permits = Arc::new(Permits::new(2, &[("slow".to_owned(), 1)].into()));
        let held = permits.take("slow").await;
        let queue: Vec<_> = (0..4)
            .map(|_| {
                let permits = permits.clone();
                tokio::spawn(async move { drop(permits.take("slow").await) })
            })
            .collect();
        tokio::task::yield_now().await;
        assert!(tokio::time::timeout(Duration::from_secs(5), permits.take("fast")).await.is_ok());
        drop(held);
        for waiting in queue {
            waiting.await.unwrap();
        }
    }

    #[tokio::test]
    async fn not_more_than_so_many_wait() {
        let permits = Arc::new(Permits::new(1, &BTreeMap::new()));
        let held = permits.take("a").await;
        let queue: Vec<_> = (0..WAITING)
            .map(|_| {
                let permits = permits.clone();
                tokio::spawn(async move { permits.take_if_not_crowded("a").await.map(drop) })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(permits.take_if_not_crowded("a").await.unwrap_err(), Crowded);
        drop(held);
        for waiting in queue {
            assert_eq!(waiting.await.unwrap(), Ok(()));
        }
        assert!(permits.take_if_not_crowded("a").await.is_ok());
    }
}
