//! Events on disk: one `SQLite` database and a folder of big values beside it.
//!
//! One writer thread owns the write connection, drains what is queued, commits once
//! and then acknowledges all. What is acknowledged survives a power cut.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aa_spec::plan::Plan;
use chrono::Utc;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::cause::cause;
use crate::event::{Event, Origin, Resolution, RunId, StepPath, Time};
pub use audit::{AuditFilter, Audited};
use blobs::Blobs;
pub use browsers::BrowserRow;
pub use copy::{Copied, restore};
pub use figures::Backlog;
pub use hand::Hand;
pub use heal::{Entrance, HealRecord};
use journal::{Birth, Takeover};
pub use lazy::LazyStore;
pub use listeners::{Claim, Heard, Marked, Pending, Positions, THREAD};
pub use memory::{Change, Changed, Document, Imported, MemoryEntry};
pub use notices::{News, Notice, NoticeState};
use opening::Opening;
pub(crate) use passages::terms;
pub use passages::{Hit, Wanted};
use reader::Reader;
use row::Entry;
pub use schedules::{Decided, ENDED, KeyedRequest, Mark, PollTurn, RequestedBefore, Sighting};
pub use services::ServiceRow;
pub use slots::{Claimed, Settled, SlotFilter};
pub use tail::Cursor;
pub(crate) use tail::{Tail, Tailed};
pub use trust::Pinned;
use writer::Writer;

mod audit;
mod blobs;
mod browsers;
mod copy;
mod database;
mod failure;
mod figures;
mod hand;
mod heal;
mod journal;
mod lazy;
mod listeners;
mod marks;
mod memory;
mod mistakes;
mod notices;
mod opening;
mod owner;
mod passages;
mod ping;
mod projection;
mod reader;
mod rewind;
mod row;
mod schedules;
mod services;
mod slots;
mod tail;
mod trust;
mod turns;
mod workspaces;
mod writer;

#[cfg(test)]
mod tests;

/// The store of one user or project. Cheap to clone; clones share the writer.
#[derive(Clone, Debug)]
pub struct Store {
    parts: Arc<Parts>,
}

#[derive(Debug)]
struct Parts {
    path: PathBuf,
    inline_limit: usize,
    blobs: Arc<Blobs>,
    reader: Reader,
    writer: Writer,
    /// Mistakes as they were known when this process last created or took over a run.
    mistakes: mistakes::Known,
}

/// How to open a store.
#[derive(Clone, Copy, Debug)]
pub struct StoreOptions {
    /// What a commit survives.
    pub durability: Durability,
    /// Event bodies larger than this go to a content-addressed file, in bytes.
    pub inline_limit: usize,
}

/// What a commit survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// A power cut.
    #[default]
    Full,
    /// The death of the process; a power cut may lose the last commits.
    Normal,
}

/// A run to be created.
#[derive(Clone, Debug)]
pub struct NewRun {
    /// Canonical name of the skill.
    pub skill: String,
    /// What runs; stored once by its hash.
    pub plan: Arc<Plan>,
    /// Who starts it.
    pub origin: Origin,
    /// When.
    pub at: Time,
    /// The folder it was started in.
    pub folder: PathBuf,
    /// A repeated request of the same principal with the same key finds the first run instead.
    pub request_key: Option<String>,
    /// Of which tenant it is.
    pub tenant: String,
    /// Whose it is.
    pub principal: String,
}

/// The right to append to a run. Held by one process at a time; a dead process loses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The run.
    pub run: RunId,
    /// Fencing number: an append under an older one is refused.
    pub epoch: i64,
}

impl Lease {
    /// That of whoever creates a run.
    pub(crate) fn first(run: RunId) -> Self {
        Self { run, epoch: 1 }
    }
}

/// Where a run stands; a projection of its events, kept in the same transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RunStatus {
    /// Steps are running or about to.
    Running,
    /// Only a person can move it on: a question is open or an outcome unknown.
    Waiting,
    /// It succeeded.
    Completed,
    /// It failed.
    Failed,
    /// It was cancelled.
    Cancelled,
}

/// A run in a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunSummary {
    /// Its number.
    pub id: RunId,
    /// Canonical name of the skill.
    pub skill: String,
    /// Hash of its plan.
    pub plan: String,
    /// Where it stands.
    pub status: RunStatus,
    /// Whether a living process drives it.
    pub driven: bool,
    /// True when it is not over, does not wait for a person, and no living process drives it.
    pub interrupted: bool,
    /// Who started it.
    pub origin: Origin,
    /// Of which tenant it is.
    pub tenant: String,
    /// Whose it is.
    pub principal: String,
    /// When.
    pub started_at: Time,
    /// When it ended.
    pub ended_at: Option<Time>,
    /// The folder it was started in.
    pub folder: PathBuf,
    /// Number of its events.
    pub events: u64,
    /// One line on how it ended; empty when all is well.
    pub error: String,
    /// Whether canned answers stand for its tools.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stubbed: bool,
}

/// All that is recorded of a run, as of one moment: how it stands and what has happened belong together.
#[derive(Clone, Debug)]
pub struct History {
    /// The run in a list.
    pub run: RunSummary,
    /// Its events, from the first on.
    pub events: Vec<Event>,
    /// The plan that it is pinned to.
    pub plan: Plan,
}

/// Which runs to list, newest first.
#[derive(Clone, Debug, Default)]
pub struct RunFilter {
    /// Only this skill.
    pub skill: Option<String>,
    /// Only these states; empty means all, unless those that are interrupted are wanted.
    pub status: Vec<RunStatus>,
    /// Runs that are not over and that no living process drives, besides those of the states. That is not in the store
    /// but follows from who is alive.
    pub interrupted: bool,
    /// Only runs of this tenant.
    pub tenant: Option<String>,
    /// Only runs of this principal.
    pub principal: Option<String>,
    /// Only runs that were started in this folder.
    pub folder: Option<PathBuf>,
    /// Only runs that came through this front end.
    pub origin: Option<Origin>,
    /// Only runs that were started at this time or later.
    pub since: Option<Time>,
    /// Only runs that were started before this time.
    pub until: Option<Time>,
    /// Only runs before this one.
    pub before: Option<RunId>,
    /// At most this many.
    pub limit: Option<u32>,
}

impl RunFilter {
    /// Whether it wants a run that stands so.
    fn wants(&self, run: &RunSummary) -> bool {
        let all = self.status.is_empty() && !self.interrupted;
        all || self.status.contains(&run.status) || self.interrupted && run.interrupted
    }
}

/// What another process wants of a run: the durable inbox.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Number in the inbox, ascending.
    pub id: i64,
    /// Through which front end it came.
    pub origin: Origin,
    /// Who wants it.
    pub by: String,
    /// What is wanted.
    pub ask: Ask,
}

/// What is wanted of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// End it.
    Cancel {
        /// Why; may be empty.
        reason: String,
    },
    /// Answer an open question.
    Answer {
        /// Which step asks.
        step: StepPath,
        /// One of its options.
        answer: String,
        /// Which of its questions: number of the event that put it. Without one, whatever it asks now.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        question: Option<u64>,
    },
    /// Say how a step with unknown outcome ended.
    Resolve {
        /// Which step.
        step: StepPath,
        /// How.
        resolution: Resolution,
    },
}

/// Why the store could not do it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder or file cannot be used.
    #[error("cannot use the store `{}`: {message}", .path.display())]
    Unusable {
        /// Which file or folder.
        path: PathBuf,
        /// Why.
        message: String,
    },
    /// The store was written by a newer version.
    #[error("the store `{}` has format {found}, and this `aa` knows {known}", .path.display())]
    TooNew {
        /// Which file.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The newest format known here.
        known: i64,
    },
    /// No such run.
    #[error("there is no run {0}")]
    NoRun(RunId),
    /// A living process drives it.
    #[error("run {0} is driven already; wait until it comes to rest")]
    Busy(RunId),
    /// It has ended.
    #[error("run {run} is over ({status})")]
    Over {
        /// Which run.
        run: RunId,
        /// How it ended.
        status: RunStatus,
    },
    /// Another process has taken the run over.
    #[error("run {0} was taken over by another process")]
    Fenced(RunId),
    /// What is stored cannot be read back.
    #[error("run {run}: {message}")]
    Corrupt {
        /// Which run.
        run: RunId,
        /// What is wrong.
        message: String,
    },
    /// The writing thread is gone. Whether the write took place is not known.
    #[error("the store has stopped")]
    Stopped,
    /// A run has a folder whose name is no text, and the store keeps texts.
    #[error("a run cannot have the folder `{}`: its name is not UTF-8", .0.display())]
    Folder(PathBuf),
    /// A write failed, e.g. because the disk is full. Nothing of it was kept.
    #[error("cannot write to the store `{}`: {message}", .path.display())]
    Write {
        /// Which file.
        path: PathBuf,
        /// Why.
        message: String,
    },
}

impl std::fmt::Display for RunStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        })
    }
}

impl Store {
    /// Opens or creates the store in a folder.
    pub fn open(folder: &Path, options: StoreOptions) -> Result<Self, StoreError> {
        Opening::start(folder, options, None)?.finish()
    }

    /// Creates a run with its first events, all in one commit.
    ///
    /// `begin` gives the events once the run has its number; it is called on the writing
    /// thread, and again should the commit have to be repeated. The result is the lease, or
    /// the lease-less number of the run that the same `request_key` made.
    pub async fn create(
        &self,
        new: NewRun,
        mut begin: impl FnMut(RunId) -> Result<Vec<Event>, StoreError> + Send + 'static,
    ) -> Result<Created, StoreError> {
        let Some(folder) = new.folder.to_str().map(str::to_owned) else {
            return Err(StoreError::Folder(new.folder));
        };
        let birth = Birth {
            plan_hash: new.plan.hash(),
            skill: new.skill,
            plan: new.plan,
            origin: new.origin,
            at: new.at,
            folder,
            request_key: new.request_key,
            tenant: new.tenant,
            principal: new.principal,
            inline_limit: self.parts.inline_limit,
        };
        self.parts.writer.submit(move |journal| journal.create(&birth, &mut begin)).await
    }

    /// Appends events and takes requests off the inbox, in one commit. On return they are durable.
    pub async fn append(&self, lease: Lease, events: Vec<Event>, taken: Vec<i64>) -> Result<(), StoreError> {
        let entries = self.entries(events).await?;
        self.parts.writer.submit(move |journal| journal.append(lease, &entries, &taken)).await
    }

    /// Takes over a run that goes on and that no living process drives.
    pub async fn acquire(&self, run: RunId) -> Result<Lease, StoreError> {
        self.parts.writer.submit(move |journal| journal.acquire(run, Takeover::Going)).await
    }

    /// Takes over a run that no living process drives, even when it is over: to take it back.
    pub async fn reopen(&self, run: RunId) -> Result<Lease, StoreError> {
        self.parts.writer.submit(move |journal| journal.acquire(run, Takeover::Any)).await
    }

    /// Gives a run back while this process lives on. The end of a run does so by itself.
    pub async fn release(&self, lease: Lease) -> Result<(), StoreError> {
        self.parts.writer.submit(move |journal| journal.release(lease)).await
    }

    /// Events of a run from a `seq` on.
    pub fn events(&self, run: RunId, from: u64) -> Result<Vec<Event>, StoreError> {
        self.parts.reader.events(run, from)
    }

    /// All that is recorded of a run.
    pub fn history(&self, run: RunId) -> Result<History, StoreError> {
        self.parts.reader.history(run)
    }

    /// The first event of a run: what it was started with.
    pub fn first_event(&self, run: RunId) -> Result<Option<Event>, StoreError> {
        self.parts.reader.first_event(run)
    }

    /// The plan that a run is pinned to.
    pub fn plan(&self, run: RunId) -> Result<Plan, StoreError> {
        self.parts.reader.plan(run)
    }

    /// One run.
    pub fn run(&self, run: RunId) -> Result<RunSummary, StoreError> {
        self.parts.reader.run(run)
    }

    /// Runs, newest first.
    pub fn runs(&self, filter: &RunFilter) -> Result<Vec<RunSummary>, StoreError> {
        self.parts.reader.runs(filter)
    }

    /// How many runs of a tenant, of a principal in it, of a folder or of all stand how.
    pub fn run_counts(
        &self,
        (tenant, principal): (Option<&str>, Option<&str>),
        folder: Option<&Path>,
    ) -> Result<BTreeMap<String, u64>, StoreError> {
        self.parts.reader.run_counts((tenant, principal), folder)
    }

    /// Median duration of each step in the last completed runs of a skill in a tenant, in milliseconds.
    pub fn usual_durations(
        &self,
        (tenant, skill): (&str, &str),
        runs: u32,
    ) -> Result<BTreeMap<String, u64>, StoreError> {
        self.parts.reader.usual_durations((tenant, skill), runs)
    }

    /// Keeps a text for as long as the store lives, and gives its hash. On return it is durable.
    pub async fn keep(&self, text: String) -> Result<String, StoreError> {
        let blobs = self.parts.blobs.clone();
        let failed = |error: &dyn std::fmt::Display| StoreError::Write {
            path: self.parts.path.clone(),
            message: cause(error),
        };
        let put = tokio::task::spawn_blocking(move || blobs.put(&text)).await;
        put.map_err(|error| failed(&error))?.map_err(|error| failed(&error))
    }

    /// A text that a run has had kept.
    pub fn kept(&self, run: RunId, hash: &str) -> Result<String, StoreError> {
        self.parts.blobs.get(hash).map_err(|message| StoreError::Corrupt { run, message })
    }

    /// Puts a request into a run's inbox, and gives its number there.
    pub async fn post(&self, run: RunId, origin: Origin, by: &str, ask: Ask) -> Result<i64, StoreError> {
        let by = by.to_owned();
        let at = Utc::now();
        self.parts.writer.submit(move |journal| journal.post(run, (origin, &by), at, &ask)).await
    }

    /// Takes a request out of a run's inbox again; false when whoever drives the run has taken it already.
    pub async fn withdraw(&self, run: RunId, request: i64) -> Result<bool, StoreError> {
        self.parts.writer.submit(move |journal| journal.forget_request(run, request)).await
    }

    /// Requests in a run's inbox, oldest first.
    pub fn inbox(&self, run: RunId) -> Result<Vec<Request>, StoreError> {
        self.parts.reader.inbox(run)
    }

    /// A number that changes when any process wrote to the store: cheap to poll.
    pub fn version(&self) -> Result<i64, StoreError> {
        self.parts.reader.version()
    }

    /// Changes with every commit of this process.
    pub fn commits(&self) -> watch::Receiver<u64> {
        self.parts.writer.commits()
    }

    /// Makes events ready to be written: big bodies are on disk when this returns.
    async fn entries(&self, events: Vec<Event>) -> Result<Vec<Entry>, StoreError> {
        let mut entries = Vec::with_capacity(events.len());
        for Event { seq, at, source, body, .. } in events {
            let failed = |error: &dyn std::fmt::Display| StoreError::Write {
                path: self.parts.path.clone(),
                message: cause(error),
            };
            let json = serde_json::to_string(&body).map_err(|e| failed(&e))?;
            let (json, blob) = if json.len() <= self.parts.inline_limit {
                (Some(json), None)
            } else {
                let blobs = self.parts.blobs.clone();
                let put = tokio::task::spawn_blocking(move || blobs.put(&json)).await;
                (None, Some(put.map_err(|e| failed(&e))?.map_err(|e| failed(&e))?))
            };
            entries.push(Entry { seq, at, source, body, json, blob });
        }
        Ok(entries)
    }
}

/// What [`Store::create`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created {
    /// A new run, held by this process.
    New(Lease),
    /// The same request had made this run before.
    Existing(RunId),
}
