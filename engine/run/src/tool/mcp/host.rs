//! A thread of their own for the connections to servers.
//!
//! Tools are looked up where nothing can be awaited, and connections outlive the runtime of
//! whoever made the first call; so they live here. The thread is started by the first
//! connection, and ends them all when the toolbox is dropped.

use std::future::Future;
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use aa_spec::tool::ErrorKind;
use tokio::runtime::{Builder, Handle};
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;

use crate::tool::ToolError;

/// How long servers may take to end once nobody needs them.
const FAREWELL: Duration = Duration::from_secs(8);

/// Where connections live.
#[derive(Default)]
pub(crate) struct Host {
    thread: Mutex<Option<Thread>>,
    closing: CancellationToken,
}

struct Thread {
    handle: Handle,
    /// Held by whatever must come to its end before the thread may.
    guard: tokio::sync::mpsc::Sender<()>,
    joined: JoinHandle<()>,
}

/// Held by a connection, which thereby keeps the thread alive until it has ended.
pub(super) struct Stay {
    _guard: tokio::sync::mpsc::Sender<()>,
}

impl Host {
    /// Does work on the thread and waits for it. Dropping the future stops the work.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, ToolError>> + Send + 'static,
    ) -> Result<T, ToolError> {
        let task = self.handle()?.spawn(work);
        let _stop = Stop(task.abort_handle());
        task.await.unwrap_or_else(|error| Err(broken(&error)))
    }

    /// Does work on the thread while this one waits; for where nothing can be awaited.
    pub(super) fn block<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, ToolError>> + Send + 'static,
    ) -> Result<T, ToolError> {
        let (done, result) = mpsc::sync_channel(1);
        self.handle()?.spawn(async move {
            // Nobody waits any more: then nobody needs it.
            let _ = done.send(work.await);
        });
        result.recv().unwrap_or_else(|_| Err(ended()))
    }

    /// Fires when all connections are to end.
    pub(super) fn closing(&self) -> CancellationToken {
        self.closing.child_token()
    }

    /// Keeps the thread until what it is given to has ended.
    pub(super) fn stay(&self) -> Option<Stay> {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        thread.as_ref().map(|thread| Stay { _guard: thread.guard.clone() })
    }

    fn handle(&self) -> Result<Handle, ToolError> {
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = &*thread {
            return Ok(thread.handle.clone());
        }
        let started = self.start().map_err(|error| {
            let message = format!("cannot start a thread: {}", crate::cause::cause(&error));
            ToolError::new(ErrorKind::Transient, message)
        })?;
        Ok(thread.insert(started).handle.clone())
    }

    fn start(&self) -> std::io::Result<Thread> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (guard, mut stays) = tokio::sync::mpsc::channel(1);
        let closing = self.closing.clone();
        let thread = std::thread::Builder::new().name("mcp".to_owned()).spawn(move || {
            runtime.block_on(async {
                closing.cancelled().await;
                let _late = tokio::time::timeout(FAREWELL, stays.recv()).await;
            });
        })?;
        Ok(Thread { handle, guard, joined: thread })
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.closing.cancel();
        let thread = self.thread.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Thread { guard, joined, .. }) = thread {
            drop(guard);
            // Dropped by its own work, it cannot wait for itself.
            if joined.thread().id() != std::thread::current().id() {
                let _panicked = joined.join();
            }
        }
    }
}

/// Stops a task when nobody waits for it any more.
struct Stop(AbortHandle);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn broken(error: &tokio::task::JoinError) -> ToolError {
    if error.is_panic() { ToolError::new(ErrorKind::Permanent, "the call panicked") } else { ended() }
}

fn ended() -> ToolError {
    ToolError::new(ErrorKind::Cancelled, "the connections have been closed")
}
