//! The one thread that writes.
//!
//! It takes everything that is queued, writes it in one transaction and then answers
//! everyone. It never waits for more: a batch gathers by itself while the previous
//! one is being synced.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::sync::{mpsc, oneshot, watch};

use super::StoreError;
use super::hand::Hand;
use super::journal::{Fault, Journal};
use super::owner::Ownership;

/// Writes that may be queued before callers have to wait.
const QUEUE: usize = 4096;
/// Commits from one look at the log to the next.
const TIDY_EVERY: u64 = 16;
/// Writes of one transaction; bounds the memory and time that one takes.
const BATCH: usize = 1024;

/// A handle of the writing thread; dropping it ends the thread once its queue is empty.
#[derive(Debug)]
pub(super) struct Writer {
    queue: Option<mpsc::Sender<Box<dyn Write>>>,
    /// Closes when everything is written and the runs are given back.
    resigned: Mutex<Receiver<()>>,
    commits: watch::Receiver<u64>,
    /// How many writes were queued, ever.
    queued: AtomicU64,
    /// How many of them are done.
    done: Arc<AtomicU64>,
    /// Why there is nothing to write to.
    failure: Arc<OnceLock<StoreError>>,
    ownership: Arc<Ownership>,
}

/// A queued write: done within a shared transaction, answered after its commit.
trait Write: Send {
    /// Does it and keeps the answer. May be called again after a lost transaction.
    fn run(&mut self, journal: &mut Journal) -> rusqlite::Result<()>;
    /// Answers, with the kept answer or with the failure of the transaction.
    fn answer(self: Box<Self>, failure: Option<StoreError>);
}

struct Job<T, F> {
    work: F,
    kept: Option<Result<T, StoreError>>,
    caller: oneshot::Sender<Result<T, StoreError>>,
}

impl Writer {
    /// Sets a thread to work, which first opens what it will write to; without it, it ends.
    ///
    /// What is owned is owned by its journal.
    pub(super) fn start(
        hand: Hand,
        open: impl FnOnce() -> Result<Journal, StoreError> + Send + 'static,
        ownership: Arc<Ownership>,
    ) -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let (counter, commits) = watch::channel(0);
        let (serving, resigned) = channel();
        // While it is being opened, more is to be done than was queued.
        let done = Arc::new(AtomicU64::new(u64::MAX));
        let (progress, own) = (done.clone(), LetGo(ownership.clone()));
        let failure = Arc::new(OnceLock::new());
        let told = failure.clone();
        hand.set_to(move || {
            // However this ends, be it by a panic, nobody is kept out after it.
            let own = own;
            match open() {
                Ok(mut journal) => {
                    progress.store(0, Ordering::Release);
                    write_all(&mut journal, receiver, (&counter, &progress));
                    drop(own);
                    // What is left is to close the database, for which nobody has to wait: not a process that ends,
                    // and not whoever opens it again.
                    drop(serving);
                }
                // Whoever has queued something hears of it when the queue is dropped.
                Err(error) => drop(told.set(error)),
            }
        });
        let (queue, resigned) = (Some(sender), Mutex::new(resigned));
        Self { queue, resigned, commits, queued: AtomicU64::new(0), done, failure, ownership }
    }

    /// Counts this process's commits.
    pub(super) fn commits(&self) -> watch::Receiver<u64> {
        self.commits.clone()
    }

    /// Queues a write and waits until it is durable, or refused, or has failed.
    pub(super) async fn submit<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&mut Journal) -> Result<T, Fault> + Send + 'static,
    {
        let (caller, answer) = oneshot::channel();
        let job = Job { work, kept: None, caller };
        self.queued.fetch_add(1, Ordering::Relaxed);
        if let Some(queue) = &self.queue
            && queue.send(Box::new(job)).await.is_ok()
            && let Ok(answer) = answer.await
        {
            return answer;
        }
        Err(self.failure.get().cloned().unwrap_or(StoreError::Stopped))
    }
}

/// Gives back what a process owns when it is dropped.
struct LetGo(Arc<Ownership>);

impl Drop for LetGo {
    fn drop(&mut self) {
        self.0.let_go();
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if self.done.load(Ordering::Acquire) == *self.queued.get_mut() {
            // What is left can be done here; the thread hears that it can go when the queue is dropped.
            self.ownership.let_go();
            return;
        }
        drop(self.queue.take());
        // Nothing is ever sent. A panic in there closes it too, and has been answered to its callers.
        let _ = self.resigned.get_mut().unwrap_or_else(PoisonError::into_inner).recv();
    }
}

fn write_all(
    journal: &mut Journal,
    mut queue: mpsc::Receiver<Box<dyn Write>>,
    (commits, done): (&watch::Sender<u64>, &AtomicU64),
) {
    let mut batch = Vec::new();
    while let Some(first) = queue.blocking_recv() {
        batch.push(first);
        while batch.len() < BATCH
            && let Ok(next) = queue.try_recv()
        {
            batch.push(next);
        }
        write_batch(journal, &mut batch, done);
        commits.send_modify(|count| *count += 1);
        // Callers now do what they waited to be durable for: time to get ready and to clean up.
        if *commits.borrow() == 1 && queue.is_empty() {
            journal.warm();
        }
        if *commits.borrow() % TIDY_EVERY == 1 && queue.is_empty() {
            journal.tidy();
        }
    }
}

fn write_batch(journal: &mut Journal, batch: &mut Vec<Box<dyn Write>>, done: &AtomicU64) {
    let result = commit(journal, batch);
    if result.is_ok() || batch.len() == 1 {
        // Before anybody is answered: whoever is may be the last one, and ask whether all is done.
        done.fetch_add(batch.len() as u64, Ordering::Release);
    }
    match result {
        Ok(()) => batch.drain(..).for_each(|write| write.answer(None)),
        // One write that cannot be must not take the others with it.
        Err(_) if batch.len() > 1 => {
            for write in batch.drain(..) {
                write_batch(journal, &mut vec![write], done);
            }
        }
        Err(error) => batch.drain(..).for_each(|write| write.answer(Some(journal.write_error(&error)))),
    }
}

fn commit(journal: &mut Journal, batch: &mut [Box<dyn Write>]) -> rusqlite::Result<()> {
    journal.db.execute_batch("begin immediate")?;
    let written = batch.iter_mut().try_for_each(|write| write.run(journal));
    let written = written.and_then(|()| journal.db.execute_batch("commit"));
    written.inspect_err(|_| {
        journal.forget();
        // After some failures SQLite has rolled back by itself.
        let _ = journal.db.execute_batch("rollback");
    })
}

impl<T, F> Write for Job<T, F>
where
    T: Send,
    F: FnMut(&mut Journal) -> Result<T, Fault> + Send,
{
    fn run(&mut self, journal: &mut Journal) -> rusqlite::Result<()> {
        self.kept = Some(match (self.work)(journal) {
            Ok(value) => Ok(value),
            Err(Fault::Refused(error)) => Err(error),
            Err(Fault::Broken(error)) => return Err(error),
        });
        Ok(())
    }

    fn answer(self: Box<Self>, failure: Option<StoreError>) {
        let Self { kept, caller, .. } = *self;
        let answer = failure.map_or_else(|| kept.unwrap_or(Err(StoreError::Stopped)), Err);
        // A caller that no longer listens has been cancelled; the write stands.
        let _ = caller.send(answer);
    }
}
