//! The loop that gives a machine hands.
//!
//! One loop per run owns the machine, the lease and the journal. Calls ([`calls`]) and
//! blocks ([`blocks`]) run as tasks that hand back a value and touch nothing, so there is
//! nothing to lock.
//!
//! Each turn of the loop takes everything that has happened meanwhile, folds it in, lets
//! the machine say all that follows, and makes the lot durable in one commit. Only then
//! calls start and watchers are told. So the end of one step and the start of the next
//! share a commit, and batches grow with the load. Only calls that change nothing start
//! beside the commit: should it fail, they are stopped, and nothing has happened.

mod blocks;
mod calls;
mod clock;
mod heals;
mod inbox;
mod intake;
mod journal;
mod lines;
mod mistakes;
mod questions;
mod rest;
mod turns;
mod veil;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use aa_spec::compute::{Failure, Interpreter};
use aa_spec::plan::Plan;
use aa_spec::tool::{Effect, ErrorKind};
use async_trait::async_trait;
use serde_json::{Map, Value};
use tokio::sync::{mpsc, oneshot, watch};

use self::blocks::{Blocks, News};
use self::calls::{Calls, Ended};
pub(crate) use self::clock::milliseconds;
pub use self::clock::{Clock, WallClock};
use self::heals::Heals;
use self::inbox::Inbox;
pub use self::journal::Journal;
use self::lines::{Line, Lines};
use self::questions::{Asked, Questions};
pub(crate) use self::turns::begin_held;
pub(crate) use self::veil::{Veil, in_url};
use crate::compute::Computer;
use crate::drain::Drain;
use crate::engine::{Notice, Outcome};
use crate::event::{Body, Event, Origin, RunId, StepError, StepPath, Time};
use crate::fence::Fence;
use crate::machine::{Admission, Command, HealCall, Left, Machine, Misfit};
use crate::mistake::Watch;
use crate::observe::Observers;
use crate::permits::Permits;
use crate::places::Turn;
use crate::store::{Lease, StoreError};
use crate::tool::Tool;
use crate::trace::Trace;

/// How long the machine may decide things before they are made durable.
const SLICE: Duration = Duration::from_millis(50);

/// One run about to be driven.
pub struct Drive {
    /// The run's state: all its events so far are folded in.
    pub machine: Machine,
    /// Why it is driven.
    pub entry: Entry,
    /// The right to append to it.
    pub lease: Lease,
    /// Who started it; the source of every event that nobody in particular caused.
    pub origin: Origin,
    /// Folder that relative paths mean.
    pub folder: PathBuf,
    /// Of which tenant it is: its tools remember for it.
    pub tenant: Arc<str>,
    /// How far whoever started it reaches into the files of this machine.
    pub fence: Fence,
    /// Where its events go.
    pub journal: Arc<dyn Journal>,
    /// What all runs of this process share.
    pub means: Means,
    /// Takes what happens, from the next event on. Nobody listening is fine.
    pub watchers: mpsc::UnboundedSender<Notice>,
    /// What to do when only a person can move the run on.
    pub park: Park,
    /// Its claim to a place among the runs that may move; without one it needs none.
    pub(crate) turn: Option<Turn>,
    /// Warns of mistakes that repeat, and learns from failures; absent where nothing is real.
    pub(crate) watch: Option<Watch>,
    /// For a run that is being written down: word that it is on disk, or the end of the channel
    /// when it will never be. Before it nothing is told, written or changed.
    pub(crate) born: Option<oneshot::Receiver<()>>,
}

/// Why a run is driven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// It has just been created.
    Fresh,
    /// Another process (or this one, before it parked the run) drove it: `run_resumed` comes first.
    Resume(Left),
    /// It is over, and its completed steps are to be taken back.
    Undo {
        /// Who asked.
        by: String,
    },
}

/// What to do when only a person can move a run on: nothing runs, and no timer is pending
/// but that of a question without a default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Park {
    /// Keep the lease and wait for the answer.
    Stay,
    /// Release the lease and end with [`Outcome::Waiting`].
    Release,
}

/// What all runs of a process share.
#[derive(Clone)]
pub struct Means {
    /// Finds a tool by its canonical name.
    pub tools: Toolbox,
    /// Runs the blocks of `compute` steps; without one they fail.
    pub computer: Option<Arc<dyn Computer>>,
    /// Calls of this process that may run at once.
    pub permits: Arc<Permits>,
    /// Opens secrets right before a call.
    pub secrets: Arc<dyn Secrets>,
    /// Says whether heal rules may act; without it they may not.
    pub healer: Option<Arc<dyn Healer>>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Changes when this process has put something into an inbox.
    pub nudge: watch::Receiver<()>,
    /// Longest time for a call that has no deadline of its own.
    pub call_timeout: Option<Duration>,
    /// Evaluates expressions that only Python grammar accepts.
    pub interpreter: Option<Arc<dyn Interpreter>>,
    /// Called with every event after its commit; tests of crashes hang themselves in here.
    pub after_commit: Option<AfterCommit>,
    /// Who is told how long calls wait for their turn.
    pub(crate) observers: Observers,
    /// Says that the process is about to end.
    pub drain: Drain,
    /// The run's trace and the share of traces that are kept, when somebody traces runs.
    pub(crate) trace: Option<(Arc<Trace>, u32)>,
}

/// Finds a tool by its canonical name.
pub type Toolbox = Arc<dyn Fn(&str) -> Option<Arc<dyn Tool>> + Send + Sync>;

/// Sees every event after its commit and before anything that follows from it.
pub type AfterCommit = Arc<dyn Fn(&Event) + Send + Sync>;

/// Opens sealed secrets.
#[async_trait]
pub trait Secrets: Send + Sync {
    /// The value of a secret.
    ///
    /// # Errors
    /// Why it cannot be had, in one line without any part of the value.
    async fn reveal(&self, name: &str) -> Result<String, String>;
}

/// Says whether a heal rule may act, by what it did in other runs.
#[async_trait]
pub trait Healer: Send + Sync {
    /// Waits until it is known.
    async fn admit(&self, run: RunId, call: &HealCall) -> Admission;
    /// Adds to the error of a call what a tenant knows about it.
    async fn advise(&self, tenant: &str, tool: &str, error: &mut StepError);
    /// Takes in how a run's healings went, by its journal.
    async fn settle(&self, run: RunId);
}

/// Drives a run until it is over, or parked, or cannot be written any more.
///
/// # Errors
/// The journal's: then every call has been stopped and nothing was told that is not durable.
/// A machine that refuses an event gives [`StoreError::Corrupt`].
pub async fn drive(run: Drive) -> Result<Outcome, StoreError> {
    let _driven = run.means.drain.count();
    let mut driver = Driver::new(run);
    let result = driver.run().await;
    // Whatever still runs has lost its run; it must not outlive it.
    driver.calls.kill_all().await;
    driver.blocks.kill_all().await;
    driver.heals.drop_all().await;
    driver.finish_watch().await;
    result
}

/// A fresh run: its machine and its first events, up to where something has to be called
/// or evaluated in Python.
///
/// Everything that can be known at once is decided before the run is written down, so that
/// the run and the start of its first steps share a commit. Python may take its time, and
/// whoever writes runs down must not wait for it, so that is left to [`drive`]. `first` is
/// the first event.
///
/// # Errors
/// The plan and the event do not fit.
pub fn begin(plan: &Arc<Plan>, first: Event, clock: &dyn Clock) -> Result<(Machine, Vec<Event>), Misfit> {
    let later = Arc::new(Later::default());
    let mut machine = Machine::new(plan);
    machine.set_interpreter(&(Arc::clone(&later) as Arc<dyn Interpreter>));
    machine.apply(&first)?;
    let (run_id, source) = (first.run_id, first.source);
    let mut events = vec![first];
    loop {
        let body = machine.next_record(clock::milliseconds(clock.now()));
        if later.is_needed() {
            // What it has decided without a value is not so.
            return Ok((Machine::replay(plan, &events)?, events));
        }
        let Some(body) = body else { break };
        let at = clock::milliseconds(clock.now()).max(machine.last_at());
        let event = Event { run_id, seq: machine.next_seq(), at, source, body };
        machine.apply(&event)?;
        events.push(event);
    }
    Ok((machine, events))
}

/// Stands where an interpreter will be, and takes note that one is needed.
#[derive(Default)]
struct Later(AtomicBool);

impl Later {
    fn is_needed(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Interpreter for Later {
    fn evaluate(&self, _: &str, _: Map<String, Value>, _: i64) -> Result<Value, Failure> {
        self.0.store(true, Ordering::Relaxed);
        Err(Failure { kind: ErrorKind::Invalid, message: "Python does not run here".to_owned() })
    }
}

/// A run on its way.
struct Driver {
    run: Drive,
    calls: Calls,
    blocks: Blocks,
    heals: Heals,
    inbox: Inbox,
    lines: Lines,
    questions: Questions,
    /// Events that are folded in and not yet durable.
    batch: Vec<Event>,
    /// Requests that these events answer.
    taken: Vec<i64>,
    /// What to start and stop once the reason is durable.
    orders: Vec<Command>,
    /// Only a person can move the run on, and it has given its place back.
    rests: bool,
    /// The run was over before: its end has given the lease back then, and not now.
    was_over: bool,
}

/// Why the loop goes on.
enum Wake {
    Ended(Vec<Ended>),
    Block(News),
    Heal(StepPath, u64, Admission),
    Line(Line),
    Asked(Asked),
    Inbox,
    Timer,
}

impl Driver {
    fn new(mut run: Drive) -> Self {
        if let Some(interpreter) = &run.means.interpreter {
            run.machine.set_interpreter(interpreter);
        }
        let (lines, sender) = Lines::new();
        let (questions, asker) = Questions::new();
        let calls = Calls::new(&run, sender, asker);
        let blocks = Blocks::new(calls.shared());
        let heals = Heals::new(&run);
        let inbox = Inbox::new(&run);
        let was_over = run.machine.is_over();
        let (batch, taken, orders) = (Vec::new(), Vec::new(), Vec::new());
        Self {
            run,
            calls,
            blocks,
            heals,
            inbox,
            lines,
            questions,
            batch,
            taken,
            orders,
            rests: false,
            was_over,
        }
    }

    async fn run(&mut self) -> Result<Outcome, StoreError> {
        self.enter()?;
        loop {
            self.take_turn().await?;
            self.mind_drain();
            let more = self.advance()?;
            self.commit().await?;
            if let Some(ending) = self.run.machine.ending() {
                let outcome = outcome(ending);
                if self.was_over {
                    self.give_back().await?;
                }
                return Ok(outcome);
            }
            if more {
                // Others share this thread, and someone may want the run to end.
                tokio::task::yield_now().await;
                self.read_inbox()?;
                continue;
            }
            if self.is_at_rest() {
                return self.leave().await;
            }
            if let Some(outcome) = self.park().await? {
                return Ok(outcome);
            }
            let wake = self.wait().await;
            self.react(wake)?;
        }
    }

    /// The first events of this process, and what lies in the inbox already.
    fn enter(&mut self) -> Result<(), StoreError> {
        match &self.run.entry {
            // Nobody knows of it yet.
            Entry::Fresh => return Ok(()),
            Entry::Resume(left) => self.record(self.run.machine.resume(left.clone()), None)?,
            Entry::Undo { by } => {
                let body = Body::UndoStarted { by: by.clone(), step: None, error: None };
                self.record(body, None)?;
            }
        }
        self.read_inbox()
    }

    /// Lets the machine say everything that follows from what has happened, or as much as
    /// it can in a while: what it evaluates may take long. True when there may be more.
    fn advance(&mut self) -> Result<bool, StoreError> {
        let began = Instant::now();
        while let Some(command) = self.run.machine.poll(self.now()) {
            match command {
                Command::Record(body) => self.record(body, None)?,
                order => {
                    if let Command::Call(call) = &order {
                        self.warn(call)?;
                    }
                    self.orders.push(order);
                }
            }
            if began.elapsed() >= SLICE {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Makes what has happened durable; only then it has consequences.
    async fn commit(&mut self) -> Result<(), StoreError> {
        self.start_reads();
        if let Some(born) = self.run.born.take() {
            born.await.map_err(|_| StoreError::Stopped)?;
        }
        if !self.batch.is_empty() || !self.taken.is_empty() {
            let events = std::mem::take(&mut self.batch);
            let ends = self.blocks.ends(&events);
            let healed = self.heals.concerns(&events);
            let taken = std::mem::take(&mut self.taken);
            let hook = self.run.means.after_commit.clone();
            let told = !self.run.watchers.is_closed() || hook.is_some();
            let copies = if told { events.clone() } else { Vec::new() };
            self.run.journal.append(self.run.lease, events, taken).await?;
            for event in copies {
                if let Some(hook) = &hook {
                    hook(&event);
                }
                self.tell(Notice::Event(Box::new(event)));
            }
            self.blocks.answer(ends);
            if healed {
                self.heals.settle().await;
            }
        }
        for order in std::mem::take(&mut self.orders) {
            self.obey(order);
        }
        Ok(())
    }

    /// Starts the calls that come first and change nothing: as nobody hears of their results before the
    /// commit, it is as if they had begun after it.
    fn start_reads(&mut self) {
        let tools = &self.run.means.tools;
        let reads = |order: &&Command| match order {
            Command::Call(call) => tools(&call.tool).is_some_and(|tool| tool.spec().effect == Effect::Read),
            _ => false,
        };
        let reads = self.orders.iter().take_while(reads).count();
        for order in self.orders.drain(..reads).collect::<Vec<_>>() {
            self.obey(order);
        }
    }

    fn obey(&mut self, order: Command) {
        match order {
            Command::Call(call) => self.calls.start(call),
            Command::Compute(call) => self.blocks.start(call),
            Command::Heal(call) => self.heals.start(call),
            Command::Stop(step) => {
                self.calls.stop(&step);
                self.blocks.stop(&step);
            }
            Command::Kill(step) => {
                self.calls.kill(&step);
                self.blocks.kill(&step);
            }
            Command::Answer { step, answer } => self.questions.answer(&step, answer),
            // Recorded when it was said.
            Command::Record(_) => {}
        }
    }

    /// Ends here, or fails, when nothing but a person can move the run on.
    async fn park(&mut self) -> Result<Option<Outcome>, StoreError> {
        // A block that waits for a call is run again by the next process.
        let busy = !self.calls.is_empty() || self.blocks.busy() > 0 || self.heals.len() > 0;
        if busy {
            return Ok(None);
        }
        if self.run.machine.moves_by_itself() {
            // Only time moves it on, which takes no place.
            self.leave_turn();
            return Ok(None);
        }
        let waiting = self.run.machine.waiting();
        if waiting.is_empty() {
            return Err(self.corrupt("nothing can move the run on"));
        }
        if self.run.park == Park::Stay {
            self.leave_turn();
            return Ok(None);
        }
        self.read_inbox()?;
        if !self.batch.is_empty() || !self.taken.is_empty() {
            // Somebody has just answered: `wait` returns at once.
            self.inbox.look_again();
            return Ok(None);
        }
        self.give_back().await?;
        Ok(Some(Outcome::Waiting(waiting)))
    }

    async fn give_back(&self) -> Result<(), StoreError> {
        self.run.journal.release(self.run.lease).await
    }

    async fn wait(&mut self) -> Wake {
        let wake_at = self.run.machine.wake_at();
        let (clock, rests) = (Arc::clone(&self.run.means.clock), self.run.machine.begins_nothing());
        let timer = clock.idle(wake_at, self.calls.len() + self.blocks.busy() + self.heals.len());
        tokio::select! {
            Some(line) = self.lines.next() => Wake::Line(line),
            Some(ended) = self.calls.next() => Wake::Ended(ended),
            news = self.blocks.next() => Wake::Block(news),
            Some(asked) = self.questions.next() => Wake::Asked(asked),
            Some((step, seq, admission)) = self.heals.next() => Wake::Heal(step, seq, admission),
            () = self.inbox.changed() => Wake::Inbox,
            () = rest::news(&self.run.means.drain, rests) => Wake::Timer,
            () = timer => Wake::Timer,
        }
    }

    fn react(&mut self, wake: Wake) -> Result<(), StoreError> {
        match wake {
            Wake::Line(line) => self.show(line),
            Wake::Ended(ended) => {
                // What a step printed comes before its end.
                for line in self.lines.waiting() {
                    self.show(line)?;
                }
                ended.into_iter().try_for_each(|ended| self.settle(ended))
            }
            Wake::Block(News::Over(over)) => {
                for line in self.lines.waiting() {
                    self.show(line)?;
                }
                over.into_iter().try_for_each(|over| self.settle_block(over))
            }
            Wake::Block(News::Ask(ask)) => self.host_call(ask),
            Wake::Asked(asked) => self.put_question(asked),
            Wake::Heal(step, seq, admission) => self.admit(&step, seq, admission),
            Wake::Inbox => self.read_inbox(),
            Wake::Timer => Ok(()),
        }
    }

    /// Folds an event in and puts it down for the next commit.
    fn record(&mut self, body: Body, source: Option<Origin>) -> Result<(), StoreError> {
        let machine = &mut self.run.machine;
        let event = Event {
            run_id: self.run.lease.run,
            seq: machine.next_seq(),
            at: clock::milliseconds(self.run.means.clock.now()).max(machine.last_at()),
            source: source.unwrap_or(self.run.origin),
            body,
        };
        if let Err(misfit) = machine.apply(&event) {
            return Err(self.corrupt(&misfit.message));
        }
        self.batch.push(event);
        Ok(())
    }

    fn tell(&self, notice: Notice) {
        // Nobody listening is fine.
        let _ = self.run.watchers.send(notice);
    }

    fn now(&self) -> Time {
        clock::milliseconds(self.run.means.clock.now())
    }

    fn corrupt(&self, message: &str) -> StoreError {
        StoreError::Corrupt { run: self.run.lease.run, message: message.to_owned() }
    }
}

/// What a run's last event amounts to.
pub(crate) fn outcome(ending: &Body) -> Outcome {
    match ending {
        Body::SkillCompleted { outputs, .. } => Outcome::Completed(outputs.clone()),
        Body::SkillFailed { error, step, .. } => Outcome::Failed { error: error.clone(), step: step.clone() },
        _ => Outcome::Cancelled,
    }
}

impl std::fmt::Debug for Drive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Drive")
            .field("lease", &self.lease)
            .field("entry", &self.entry)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Means {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Means").field("call_timeout", &self.call_timeout).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
