//! One block, from its start to its end, on as many workers as it takes.

use std::borrow::Cow;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{future, io};

use aa_spec::tool::{ErrorKind, alias};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::OwnedSemaphorePermit;

use super::failure::{self, Place};
use super::process::{Death, Worker, means_death};
use super::{Shared, TRIES};
use crate::compute::frame::{self, HEAD, Limit, Order, Reply, Task};
use crate::compute::{Computed, Host, HostCall, Job, prelude};
use crate::event::StepError;

/// How long a worker may be past the limit before it is stopped from outside: it stops a
/// block by itself, which is cheaper.
const GRACE: Duration = Duration::from_millis(100);

/// A call that was answered, in case the block is run again.
struct Answered {
    call: HostCall,
    answer: Result<Value, StepError>,
}

/// A block that is being run.
pub(super) struct Run<'a> {
    shared: &'a Arc<Shared>,
    job: &'a Job,
    place: Place<'a>,
    code: String,
    answered: Vec<Answered>,
}

/// Why a block does not go on here.
enum Halt {
    /// It has an end.
    Over(StepError),
    /// Its worker has died.
    Died(Death),
}

impl From<StepError> for Halt {
    fn from(error: StepError) -> Self {
        Self::Over(error)
    }
}

impl<'a> Run<'a> {
    /// Looks at a block before any worker does.
    pub(super) fn new(shared: &'a Arc<Shared>, job: &'a Job) -> Result<Self, StepError> {
        let mut place = Place { file: &job.file, first: job.block.line, prelude: 0 };
        if job.block.code.len() > shared.limits.source {
            return Err(failure::limit(Limit::Source, &shared.limits, place));
        }
        let mut code = prelude::assemble(job.block.imports.iter().map(String::as_str)).map_err(|name| {
            let what =
                format!("the block needs `{name}`, which this version does not have; check the skill again");
            failure::refused(ErrorKind::Invalid, &what, place)
        })?;
        place.prelude = u32::try_from(code.matches('\n').count()).unwrap_or(u32::MAX);
        code.push_str(&job.block.code);
        Ok(Self { shared, job, place, code, answered: Vec::new() })
    }

    /// Runs it, again if its worker is killed.
    pub(super) async fn finish(mut self, host: &mut dyn Host) -> Result<Computed, StepError> {
        let mut last = String::new();
        for _ in 0..TRIES {
            match self.once(host).await {
                Ok(computed) => return Ok(computed),
                Err(Halt::Over(error)) => return Err(error),
                Err(Halt::Died(Death::Limit(limit))) => {
                    return Err(failure::limit(limit, &self.shared.limits, self.place));
                }
                Err(Halt::Died(Death::Crashed(why))) => {
                    return Err(
                        self.refused(ErrorKind::Permanent, &format!("the block cannot be run: {why}"))
                    );
                }
                Err(Halt::Died(Death::Killed(how))) => {
                    tracing::warn!(
                        how,
                        file = self.place.file,
                        "a worker was killed; its block is run again"
                    );
                    last = how;
                }
            }
        }
        let what = format!("the block's worker was killed {TRIES} times, last by {last}");
        Err(self.refused(ErrorKind::Transient, &what))
    }

    async fn once(&mut self, host: &mut dyn Host) -> Result<Computed, Halt> {
        let mut turn = Some(self.turn().await?);
        let mut worker = self.shared.take().map_err(|error| self.no_worker(&error))?;
        let mut socket = connect(&mut worker).map_err(|error| self.no_worker(&error))?;
        let mut order = frame::encode(&Order::Run(self.task())).map_err(|error| self.no_worker(&error))?;
        let mut spent = Duration::ZERO;
        loop {
            let began = Instant::now();
            let left = (self.shared.limits.timeout + GRACE).saturating_sub(spent);
            let reply = match self.watched(left, exchange(&mut socket, &order, self.longest())).await? {
                Ok(reply) => reply,
                Err(error) => return Err(self.broken(worker, &error).await),
            };
            spent += began.elapsed();
            if let Some(limit) = self.exceeded(&reply) {
                return Err(Halt::Died(Death::Limit(limit)));
            }
            match reply {
                Reply::Call { number, target, args } => {
                    // Others may compute while this one waits, its own sub-skills above all.
                    drop(turn.take());
                    let answer = self.answer(HostCall { number, target, args }, host).await;
                    turn = Some(self.turn().await?);
                    order = encode(&answer?).map_err(|error| self.no_worker(&error))?;
                }
                reply => {
                    if let Reply::Raised(_, printed) | Reply::Limit(_, printed) = &reply {
                        host.printed(printed);
                    }
                    self.keep(worker, socket);
                    return self.end(reply);
                }
            }
        }
    }

    /// Waits until a block may compute.
    async fn turn(&self) -> Result<OwnedSemaphorePermit, StepError> {
        let turn = Arc::clone(&self.shared.turns).acquire_owned();
        let turn = self.interruptible(turn).await?;
        turn.map_err(|_| self.refused(ErrorKind::Cancelled, "the workers are closed"))
    }

    /// What `work` gives, if it does so in time.
    async fn watched<T>(&self, left: Duration, work: impl Future<Output = T>) -> Result<T, StepError> {
        let timed = self.interruptible(tokio::time::timeout(left, work)).await?;
        timed.map_err(|_| failure::limit(Limit::Time, &self.shared.limits, self.place))
    }

    /// What `work` gives, unless the job is cancelled or its time is over.
    async fn interruptible<T>(&self, work: impl Future<Output = T>) -> Result<T, StepError> {
        let over = async {
            match self.job.deadline {
                Some(deadline) => tokio::time::sleep_until(deadline).await,
                None => future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.job.cancel.cancelled() => Err(self.refused(ErrorKind::Cancelled, "the block was cancelled")),
            () = over => Err(self.refused(ErrorKind::Timeout, "the time for the step was over before the block was")),
            done = work => Ok(done),
        }
    }

    /// The answer of a call: the one it had before, or the host's.
    async fn answer(
        &mut self,
        mut call: HostCall,
        host: &mut dyn Host,
    ) -> Result<Result<Value, StepError>, StepError> {
        let Some(callee) = self.job.block.calls.get(&call.target) else {
            let what = format!("the block calls `{}`, which its text does not name", call.target);
            return Err(self.refused(ErrorKind::Permanent, &what));
        };
        let renamed = alias::rename(&callee.aliases, &mut call.args).map_err(|twice| {
            let what = format!("an argument of `{}` is given twice: {twice}", call.target);
            self.refused(ErrorKind::Invalid, &what)
        })?;
        let before = call.number.checked_sub(1).and_then(|place| self.answered.get(place as usize));
        if let Some(before) = before {
            if before.call == call {
                return Ok(before.answer.clone());
            }
            let what = format!(
                "the block did not repeat itself when it was run again: its call {} was of `{}`, now it is of `{}` or has other arguments",
                call.number, before.call.target, call.target
            );
            return Err(self.refused(ErrorKind::Permanent, &what));
        }
        for (given, meant) in renamed {
            host.printed(&format!(
                "warning: the argument `{given}` of `{}` is called `{meant}`",
                call.target
            ));
        }
        // A host minds the deadline and the cancelling itself: what it does must not be torn.
        let answer = host.call(call.clone()).await;
        self.answered.push(Answered { call, answer: answer.clone() });
        Ok(answer)
    }

    fn end(&self, reply: Reply) -> Result<Computed, Halt> {
        Err(Halt::Over(match reply {
            Reply::Done { value, reads, printed } => {
                return Ok(Computed { value, reads, printed: printed.lines().map(str::to_owned).collect() });
            }
            Reply::Raised(raised, _) => {
                let failed = self.answered.iter().rev().find_map(|answered| answered.answer.as_ref().err());
                let failed = failed.map(|error| (failure::exception(error), error));
                let failed = failed.as_ref().map(|(text, error)| (text.as_str(), *error));
                failure::raised(&raised, self.place, failed)
            }
            Reply::Limit(limit, _) => failure::limit(limit, &self.shared.limits, self.place),
            Reply::Fault(what) => self.refused(ErrorKind::Permanent, &what),
            Reply::Call { .. } => self.refused(ErrorKind::Permanent, "a call where an end was due"),
        }))
    }

    fn task(&self) -> Task<'_> {
        let limits = &self.shared.limits;
        Task {
            code: Cow::Borrowed(&self.code),
            names: Cow::Borrowed(&self.job.names),
            known: Cow::Borrowed(&self.job.known),
            now_ms: self.job.now.timestamp_millis(),
            time_ms: u64::try_from(limits.timeout.as_millis()).unwrap_or(u64::MAX),
            depth: limits.depth,
            output: limits.output,
            printed: limits.printed,
            calls: limits.calls,
        }
    }

    /// Longest reply that a worker can have to give; printed text may grow in JSON.
    fn longest(&self) -> usize {
        self.shared.limits.output + self.shared.limits.printed * 6 + (4 << 20)
    }

    fn keep(&self, mut worker: Worker, socket: UnixStream) {
        if let Ok(socket) = socket.into_std() {
            worker.socket = Some(socket);
            self.shared.give(worker);
        }
    }

    async fn broken(&self, worker: Worker, error: &io::Error) -> Halt {
        if means_death(error) {
            return Halt::Died(worker.autopsy().await);
        }
        Halt::Over(self.refused(ErrorKind::Permanent, &format!("the worker cannot be understood: {error}")))
    }

    /// What a worker must keep by itself, in case it is no longer one.
    fn exceeded(&self, reply: &Reply) -> Option<Limit> {
        let limits = &self.shared.limits;
        match reply {
            Reply::Call { number, .. } if *number > limits.calls => Some(Limit::Calls),
            Reply::Call { args, .. } if frame::is_longer(args, limits.output) => Some(Limit::Output),
            Reply::Done { value, .. } if frame::is_longer(value, limits.output) => Some(Limit::Output),
            Reply::Done { printed, .. } if printed.len() > limits.printed => Some(Limit::Printed),
            _ => None,
        }
    }

    fn no_worker(&self, error: &io::Error) -> StepError {
        self.refused(ErrorKind::Transient, &format!("no worker can be started for the block: {error}"))
    }

    fn refused(&self, kind: ErrorKind, what: &str) -> StepError {
        failure::refused(kind, what, self.place)
    }
}

fn connect(worker: &mut Worker) -> io::Result<UnixStream> {
    let socket = worker.socket.take().ok_or(io::ErrorKind::NotConnected)?;
    socket.set_nonblocking(true)?;
    UnixStream::from_std(socket)
}

fn encode(answer: &Result<Value, StepError>) -> io::Result<Vec<u8>> {
    frame::encode(&match answer {
        Ok(value) => Order::Answer(value.clone()),
        Err(error) => Order::Failed(failure::exception(error)),
    })
}

async fn exchange(socket: &mut UnixStream, order: &[u8], longest: usize) -> io::Result<Reply> {
    socket.write_all(order).await?;
    let mut head = [0; HEAD];
    socket.read_exact(&mut head).await?;
    let mut bytes = vec![0; frame::length(head, longest)?];
    socket.read_exact(&mut bytes).await?;
    frame::decode(&bytes)
}
