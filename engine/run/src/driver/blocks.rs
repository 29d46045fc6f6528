//! Running blocks as tasks: they hand back what they came to, and ask the loop for calls.
//!
//! A block that is run again gets the calls that it had made from the journal. Any other
//! call it sends to the loop, and waits until the end of that call is durable.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use aa_spec::template::seal;
use aa_spec::tool::ErrorKind;
use async_trait::async_trait;
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::calls::Shared;
use crate::compute::{Computed, Host, HostCall, Job};
use crate::event::{Body, Event, StepError, StepPath, Time};
use crate::machine::{ComputeCall, Made};

/// How long a block that was asked to stop may take for it.
const GRACE: Duration = Duration::from_secs(5);

/// The blocks that a run computes at the moment.
pub(super) struct Blocks {
    shared: Arc<Shared>,
    tasks: JoinSet<Result<Computed, StepError>>,
    step_of: HashMap<Id, StepPath>,
    running: BTreeMap<StepPath, Running>,
    /// Blocks that wait, by the call whose end they wait for.
    waiting: BTreeMap<StepPath, Waiting>,
    /// Blocks that ended before the call that they had asked for.
    held: BTreeMap<StepPath, Result<Computed, StepError>>,
    /// Blocks of which nothing runs any more.
    over: Vec<Over>,
    asks: mpsc::UnboundedReceiver<Ask>,
    asker: mpsc::UnboundedSender<Ask>,
    /// What is asked for and is not begun any more: whoever runs the block again asks again.
    put_off: Vec<Ask>,
}

struct Running {
    attempt: u32,
    cancel: CancellationToken,
    task: AbortHandle,
    /// It waits for the end of a call.
    waits: bool,
}

struct Waiting {
    block: StepPath,
    reply: oneshot::Sender<Reply>,
}

/// The end of a block.
pub(super) struct Over {
    pub(super) step: StepPath,
    pub(super) result: Result<Computed, StepError>,
}

/// A block asks for a call.
pub(super) struct Ask {
    pub(super) step: StepPath,
    attempt: u32,
    pub(super) call: HostCall,
    reply: oneshot::Sender<Reply>,
}

/// What happens next with a run's blocks.
pub(super) enum News {
    /// One asks for a call.
    Ask(Ask),
    /// Some are over, at least one.
    Over(Vec<Over>),
}

/// What a block is told.
enum Reply {
    /// The call has ended.
    Answer(Result<Value, StepError>),
    /// It must not go on.
    Refusal(StepError),
}

impl Ask {
    /// Ends the block that asks.
    pub(super) fn refuse(self, error: StepError) {
        // A block that is gone already needs no telling.
        let _ = self.reply.send(Reply::Refusal(error));
    }
}

impl Blocks {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let (asker, asks) = mpsc::unbounded_channel();
        Self {
            shared,
            tasks: JoinSet::new(),
            step_of: HashMap::new(),
            running: BTreeMap::new(),
            waiting: BTreeMap::new(),
            held: BTreeMap::new(),
            over: Vec::new(),
            asks,
            asker,
            put_off: Vec::new(),
        }
    }

    /// Leaves a block waiting.
    pub(super) fn put_off(&mut self, ask: Ask) {
        if let Some(running) = self.running.get_mut(&ask.step) {
            running.waits = true;
        }
        self.put_off.push(ask);
    }

    /// How many blocks get on, rather than waiting for a call of theirs.
    pub(super) fn busy(&self) -> usize {
        self.over.len() + self.running.values().filter(|running| !running.waits).count()
    }

    /// Starts a block.
    pub(super) fn start(&mut self, call: ComputeCall) {
        let cancel = CancellationToken::new();
        let (step, attempt) = (call.step.clone(), call.attempt);
        let work = compute(Arc::clone(&self.shared), call, cancel.clone(), self.asker.clone());
        let task = self.tasks.spawn(work);
        self.step_of.insert(task.id(), step.clone());
        self.running.insert(step, Running { attempt, cancel, task, waits: false });
    }

    /// Asks a block to stop.
    pub(super) fn stop(&self, step: &StepPath) {
        if let Some(running) = self.running.get(step) {
            running.cancel.cancel();
        }
    }

    /// Ends a block at once.
    pub(super) fn kill(&self, step: &StepPath) {
        if let Some(running) = self.running.get(step) {
            running.task.abort();
        }
    }

    /// Ends every block, and waits until they are gone.
    pub(super) async fn kill_all(&mut self) {
        self.tasks.shutdown().await;
    }

    /// Whether a call is asked for by a block that runs.
    pub(super) fn is_current(&self, ask: &Ask) -> bool {
        self.running.get(&ask.step).is_some_and(|running| running.attempt == ask.attempt && !running.waits)
    }

    /// Lets a block wait for the end of the call that it asked for.
    pub(super) fn await_end(&mut self, call: StepPath, ask: Ask) {
        if let Some(running) = self.running.get_mut(&ask.step) {
            running.waits = true;
        }
        self.waiting.insert(call, Waiting { block: ask.step, reply: ask.reply });
    }

    /// The ends of calls that blocks wait for, among events that are about to be durable.
    pub(super) fn ends(&self, events: &[Event]) -> Vec<(StepPath, Result<Value, StepError>)> {
        if self.waiting.is_empty() {
            return Vec::new();
        }
        let end = |event: &Event| match &event.body {
            Body::StepCompleted { step, output, .. } if self.waiting.contains_key(step) => {
                Some((step.clone(), Ok(output.clone())))
            }
            Body::StepFailed { step, error, .. } if self.waiting.contains_key(step) => {
                Some((step.clone(), Err(error.clone())))
            }
            _ => None,
        };
        events.iter().filter_map(end).collect()
    }

    /// Tells blocks how the calls ended that they wait for.
    pub(super) fn answer(&mut self, ends: Vec<(StepPath, Result<Value, StepError>)>) {
        for (call, answer) in ends {
            let Some(Waiting { block, reply }) = self.waiting.remove(&call) else { continue };
            if let Some(running) = self.running.get_mut(&block) {
                running.waits = false;
            }
            if let Some(result) = self.held.remove(&block) {
                self.over.push(Over { step: block, result });
            }
            // A block that is gone already needs no telling.
            let _ = reply.send(Reply::Answer(answer));
        }
    }

    /// What happens next, if ever. May be cancelled without losing anything.
    pub(super) async fn next(&mut self) -> News {
        while self.over.is_empty() {
            tokio::select! {
                Some(ask) = self.asks.recv() => return News::Ask(ask),
                Some(joined) = self.tasks.join_next_with_id() => self.take_in(joined),
            }
        }
        while let Some(joined) = self.tasks.try_join_next_with_id() {
            self.take_in(joined);
        }
        News::Over(std::mem::take(&mut self.over))
    }

    fn take_in(&mut self, joined: Result<(Id, Result<Computed, StepError>), JoinError>) {
        let (id, result) = match joined {
            Ok((id, result)) => (id, result),
            Err(error) if error.is_panic() => {
                (error.id(), Err(StepError::new(ErrorKind::Permanent, "what runs the block panicked")))
            }
            Err(error) => (error.id(), Err(StepError::new(ErrorKind::Cancelled, "the block was killed"))),
        };
        // Every task is put down when it is started.
        let step = self.step_of.remove(&id).unwrap_or_else(|| StepPath(String::new()));
        let waits = self.running.remove(&step).is_some_and(|running| running.waits);
        if waits {
            self.held.insert(step, result);
        } else {
            self.over.push(Over { step, result });
        }
    }
}

/// Runs a block to its end.
async fn compute(
    shared: Arc<Shared>,
    call: ComputeCall,
    cancel: CancellationToken,
    asks: mpsc::UnboundedSender<Ask>,
) -> Result<Computed, StepError> {
    let Some(computer) = shared.computer() else {
        return Err(StepError::new(ErrorKind::Invalid, "this build of `aa` cannot run `compute` steps"));
    };
    let names = call.names.clone()?;
    let mut host = Replay::new(&shared, &call, asks, cancel.clone());
    let stop = host.stop.clone();
    let deadline = call.deadline;
    let job = Job {
        block: call.block,
        file: call.skill,
        names,
        known: call.known,
        now: call.now,
        deadline: shared.instant(deadline),
        cancel: cancel.clone(),
    };
    let mut result = tokio::select! {
        result = limited(&shared, computer.run(job, &mut host), (cancel, deadline)) => result,
        () = stop.cancelled() => Err(StepError::new(ErrorKind::Cancelled, "the block was stopped")),
    };
    result = host.verdict(result);
    match &mut result {
        Ok(computed) => {
            shared.veil().hide_value(&mut computed.value);
            computed.printed.iter_mut().for_each(|line| *line = shared.veil().hide(line));
        }
        Err(error) => shared.veil().hide_error(error),
    }
    result
}

/// A block that ends soon after it was stopped or its time is over.
async fn limited(
    shared: &Shared,
    work: impl Future<Output = Result<Computed, StepError>>,
    (cancel, deadline): (CancellationToken, Option<Time>),
) -> Result<Computed, StepError> {
    tokio::pin!(work);
    let late = tokio::select! {
        result = &mut work => return result,
        () = cancel.cancelled() => false,
        () = shared.reached(deadline) => true,
    };
    cancel.cancel();
    let kind = if late { ErrorKind::Timeout } else { ErrorKind::Cancelled };
    match timeout(GRACE, work).await {
        Ok(Err(error)) if late && error.kind == ErrorKind::Cancelled => {
            Err(StepError { kind, message: "it did not end in time and was stopped".to_owned(), ..error })
        }
        Ok(result) => result,
        Err(_) => Err(StepError::new(kind, "the block did not stop in time and was abandoned")),
    }
}

/// Answers a block's calls: those that it has made before from what is known of them.
struct Replay {
    shared: Arc<Shared>,
    step: StepPath,
    attempt: u32,
    /// Calls that have ended, in order.
    made: Vec<Made>,
    /// How many of them an earlier process has made.
    before: usize,
    /// How many calls the block has got an answer to.
    answered: usize,
    /// The call that is under way. A worker that died meanwhile asks for it once more.
    open: Option<(HostCall, oneshot::Receiver<Reply>)>,
    asks: mpsc::UnboundedSender<Ask>,
    /// Fires when the block should stop.
    cancel: CancellationToken,
    /// It was told so in the place of an answer.
    given_up: bool,
    /// Why the block must not go on.
    refused: Option<StepError>,
    /// Fires once there is such a reason.
    stop: CancellationToken,
}

impl Replay {
    fn new(
        shared: &Arc<Shared>,
        call: &ComputeCall,
        asks: mpsc::UnboundedSender<Ask>,
        cancel: CancellationToken,
    ) -> Self {
        Self {
            shared: Arc::clone(shared),
            step: call.step.clone(),
            attempt: call.attempt,
            made: call.done.clone(),
            before: call.done.len(),
            answered: 0,
            open: None,
            asks,
            cancel,
            given_up: false,
            refused: None,
            stop: CancellationToken::new(),
        }
    }

    /// The answer to a call, or why the block must not go on.
    async fn answer(&mut self, call: HostCall) -> Result<Result<Value, StepError>, StepError> {
        let at = usize::try_from(call.number).unwrap_or(usize::MAX).wrapping_sub(1);
        if let Some(made) = self.made.get(at) {
            if !made.is(&call) {
                return Err(strayed(&format!(
                    "its call {} was `{}`, and is `{}` with other arguments or another tool now",
                    call.number, made.target, call.target
                )));
            }
            self.answered = self.answered.max(at + 1);
            return Ok(made.answer.clone());
        }
        if self.open.as_ref().is_some_and(|(open, _)| *open != call) {
            return Err(strayed(&format!("its call {} was another one before its worker died", call.number)));
        }
        let answer = self.ask(call.clone()).await?;
        self.made.push(Made { target: call.target, args: Some(call.args), answer: answer.clone() });
        self.answered = self.made.len();
        Ok(answer)
    }

    /// Has the loop make a call, and waits for its end.
    async fn ask(&mut self, call: HostCall) -> Result<Result<Value, StepError>, StepError> {
        let gone = || StepError::new(ErrorKind::Cancelled, "the run has gone");
        if self.open.is_none() {
            let (reply, answer) = oneshot::channel();
            let ask = Ask { step: self.step.clone(), attempt: self.attempt, call: call.clone(), reply };
            self.asks.send(ask).map_err(|_| gone())?;
            self.open = Some((call, answer));
        }
        let Some((_, answer)) = &mut self.open else { return Err(gone()) };
        let reply = answer.await;
        self.open = None;
        match reply {
            Ok(Reply::Answer(answer)) => Ok(answer),
            Ok(Reply::Refusal(error)) => Err(error),
            Err(_) => Err(gone()),
        }
    }

    /// What a block comes to, given how its calls went.
    fn verdict(self, result: Result<Computed, StepError>) -> Result<Computed, StepError> {
        if let Some(error) = self.refused {
            return Err(error);
        }
        if result.is_ok() && self.given_up {
            return Err(cancelled());
        }
        if result.is_ok() && self.answered < self.before {
            return Err(strayed(&format!("it made {} calls, and {} now", self.before, self.answered)));
        }
        result
    }
}

#[async_trait]
impl Host for Replay {
    fn printed(&mut self, text: &str) {
        text.lines().for_each(|line| self.shared.show(&self.step, line));
    }

    async fn call(&mut self, mut call: HostCall) -> Result<Value, StepError> {
        // A block must not make a secret's reference up.
        call.args.values_mut().for_each(seal::clean);
        let cancel = self.cancel.clone();
        let answer = tokio::select! {
            answer = self.answer(call) => answer,
            // The call goes on, and so does the step until it is over; the block is not needed for that.
            () = cancel.cancelled() => {
                self.given_up = true;
                return Err(cancelled());
            }
        };
        match answer {
            Ok(answer) => answer,
            Err(error) => {
                self.refused = Some(error);
                self.stop.cancel();
                // The block has no say in this, so it is not told.
                std::future::pending().await
            }
        }
    }
}

fn cancelled() -> StepError {
    StepError::new(ErrorKind::Cancelled, "the block was cancelled")
}

fn strayed(how: &str) -> StepError {
    let message = format!("the block does not do the same when it is run again: {how}");
    StepError::new(ErrorKind::Permanent, message)
}
