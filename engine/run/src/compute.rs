//! Python blocks, run in worker processes of the same binary.
//!
//! A block has no effect of its own: it asks for a call, and gets its answer. So a block
//! that dies with its worker, or with this process, is simply run again, and the calls it
//! had made are answered from the journal.

#[cfg(feature = "compute")]
mod adapter;
#[cfg(feature = "compute")]
mod frame;
mod limits;
#[cfg(feature = "compute")]
mod pool;
#[cfg(feature = "compute")]
mod prelude;
#[cfg(test)]
#[cfg(feature = "compute")]
pub(crate) mod tests;
#[cfg(feature = "compute")]
mod worker;

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Map, Value};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::event::{StepError, Time};
use aa_spec::compute::Block;

pub use limits::Limits;
#[cfg(feature = "compute")]
pub use pool::{WorkerCommand, Workers};
#[cfg(feature = "compute")]
pub use worker::{WORKER, worker_main};

/// One run of a block.
#[derive(Clone, Debug)]
pub struct Job {
    /// What to run.
    pub block: Arc<Block>,
    /// The skill's file as people know it, for messages.
    pub file: String,
    /// The values of [`Block::reads`], those that have one.
    pub names: Map<String, Value>,
    /// Every name that the skill has given a value so far; what `dir()` lists.
    pub known: Vec<String>,
    /// What its clock shows.
    pub now: Time,
    /// It must be over by then.
    pub deadline: Option<Instant>,
    /// Fires when it should stop.
    pub cancel: CancellationToken,
}

/// What a block came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Computed {
    /// Its result.
    pub value: Value,
    /// The names it really read, in the order of the first look.
    pub reads: Vec<String>,
    /// What it printed, line by line.
    pub printed: Vec<String>,
}

/// A call that a block asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct HostCall {
    /// Which of the block's calls it is, from 1.
    pub number: u32,
    /// Canonical name of the tool or skill; a key of [`Block::calls`].
    pub target: String,
    /// Arguments by name.
    pub args: Map<String, Value>,
}

/// Answers the calls of one block, in their order.
#[async_trait]
pub trait Host: Send {
    /// Makes a call and gives its result. An error becomes an exception that the block may catch.
    async fn call(&mut self, call: HostCall) -> Result<Value, StepError>;

    /// Takes what a block printed that has no result.
    fn printed(&mut self, _text: &str) {}
}

/// Runs blocks.
#[async_trait]
pub trait Computer: Send + Sync {
    /// Runs a block to its end.
    ///
    /// # Errors
    /// What the block raised, with the line of the skill's file; or which limit it hit.
    async fn run(&self, job: Job, host: &mut dyn Host) -> Result<Computed, StepError>;
}
