//! Workers that are there already when a block comes.
//!
//! None is started before the first block. A worker is used again as long as it lives; one
//! that dies by no fault of its block is replaced and the block is run again, which
//! nobody can tell: it has no effect of its own, and the answers of its calls are kept.

mod evaluate;
mod failure;
mod process;
mod run;

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Instant;

use async_trait::async_trait;
use tokio::sync::Semaphore;

use super::{Computed, Computer, Host, Job, Limits};
use crate::event::StepError;
use process::Worker;

/// How often a block is begun whose worker is killed by someone else.
const TRIES: usize = 6;

/// How to start a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerCommand {
    /// The program.
    pub program: PathBuf,
    /// Its arguments; the memory limit is put after them.
    pub args: Vec<OsString>,
}

impl WorkerCommand {
    /// The running program itself, in its other role.
    pub fn own() -> Self {
        // Unlike its path, this still works when the file has been replaced.
        let linux = PathBuf::from("/proc/self/exe");
        let program =
            if linux.exists() { linux } else { std::env::current_exe().unwrap_or_else(|_| "aa".into()) };
        Self { program, args: vec![super::worker::WORKER.into()] }
    }
}

/// Runs blocks and expressions in worker processes.
#[derive(Clone, Debug)]
pub struct Workers(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    command: WorkerCommand,
    limits: Limits,
    /// As many permits as blocks may compute at once.
    turns: Arc<Semaphore>,
    idle: Mutex<Idle>,
}

#[derive(Debug, Default)]
struct Idle {
    /// Latest last.
    workers: Vec<(Worker, Instant)>,
    /// Whether someone will come and end those unused for too long.
    sweeping: bool,
}

impl Workers {
    /// Starts nothing yet.
    pub fn new(command: WorkerCommand, limits: Limits) -> Self {
        let turns = Arc::new(Semaphore::new(limits.workers.max(1)));
        Self(Arc::new(Shared { command, limits, turns, idle: Mutex::default() }))
    }

    /// What a block may use.
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// Process ids of the workers that wait for a block.
    pub fn waiting(&self) -> Vec<u32> {
        self.0.lock().workers.iter().map(|(worker, _)| worker.id()).collect()
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A worker that lives, as far as can be known.
    fn take(&self) -> io::Result<Worker> {
        loop {
            let Some((mut worker, _)) = self.lock().workers.pop() else {
                return Worker::start(&self.command, self.limits.memory);
            };
            if worker.lives() {
                return Ok(worker);
            }
        }
    }

    /// Keeps a worker for the next block.
    fn give(self: &Arc<Self>, worker: Worker) {
        let mut idle = self.lock();
        if idle.workers.len() >= self.limits.workers.max(1) {
            drop(idle);
            return drop(worker);
        }
        idle.workers.push((worker, Instant::now()));
        if let (false, Ok(runtime)) = (idle.sweeping, tokio::runtime::Handle::try_current()) {
            idle.sweeping = true;
            runtime.spawn(sweep(Sweeper(Arc::downgrade(self)), self.limits.idle));
        }
    }

    /// Ends workers that nobody has used for long; true when there are others.
    fn prune(&self) -> bool {
        let mut idle = self.lock();
        let (old, rest) = idle.workers.drain(..).partition(|(_, since)| since.elapsed() >= self.limits.idle);
        idle.workers = rest;
        idle.sweeping = !idle.workers.is_empty();
        let left = idle.sweeping;
        drop(idle);
        drop::<Vec<_>>(old);
        left
    }
}

/// Says that nobody sweeps any more when its task ends, be it with its runtime.
struct Sweeper(Weak<Shared>);

impl Drop for Sweeper {
    fn drop(&mut self) {
        if let Some(shared) = self.0.upgrade() {
            shared.lock().sweeping = false;
        }
    }
}

async fn sweep(sweeper: Sweeper, every: std::time::Duration) {
    loop {
        tokio::time::sleep(every).await;
        let Some(shared) = sweeper.0.upgrade() else { return };
        if !shared.prune() {
            return;
        }
    }
}

#[async_trait]
impl Computer for Workers {
    async fn run(&self, job: Job, host: &mut dyn Host) -> Result<Computed, StepError> {
        run::Run::new(&self.0, &job)?.finish(host).await
    }
}
