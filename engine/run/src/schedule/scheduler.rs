//! The loop that runs what is due: a value that a process owns.
//!
//! Each look compares the clock with what the store knows, so it does not matter how long nobody has
//! looked or what was done to the clock: nothing is armed that could fire late or twice. Between two looks
//! it sleeps until the next moment that something is due, and for a second at most.

mod clock;
mod poll;
mod work;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use aa_spec::schedule::Caught;
use chrono::TimeDelta;
use tokio::sync::Notify;

use super::book::{Book, BookStamps, Known, NAP};
use super::decide::{Decision, decide};
use super::notify::{Desk, Say, Senders};
use super::{Slot, SlotKind, SlotState};
use crate::driver::Clock;
use crate::engine::{Engine, StartError, new_slot};
use crate::event::{RunId, Time};
use crate::store::{Decided, ENDED, Sighting, SlotFilter, Store, StoreError};
pub(crate) use work::settle_by_hand;

/// How often files are looked at.
const RELOAD: TimeDelta = TimeDelta::seconds(2);
/// How often old rows are forgotten.
const TIDY: TimeDelta = TimeDelta::hours(1);

/// Runs schedules in this process, together with whichever other processes do.
pub struct Scheduler {
    core: Arc<Core>,
    senders: Senders,
    book: BTreeMap<Arc<str>, Arc<Known>>,
    stamps: BookStamps,
    /// When each is due next, by moment and by key.
    upcoming: BTreeSet<(Time, Arc<str>)>,
    next: BTreeMap<Arc<str>, Time>,
    /// Up to when each is decided, as far as is known here.
    decided: BTreeMap<Arc<str>, Time>,
    paused: BTreeSet<String>,
    /// The schedule that had the last turn.
    turn: String,
    /// Whether in this round something has become of a time.
    began: bool,
    /// Whether in this round a schedule had more times than it has at once.
    more: bool,
    looked: Option<Time>,
    /// Whether the clock may have been put back, and what waits to be tried again is yet to be looked at.
    may_be_back: bool,
    /// Before then nobody was there to notice what was due.
    back: Time,
    reloaded: Option<Time>,
    tidied: Option<Time>,
}

/// What the loop and the tasks that it starts share.
pub(super) struct Core {
    pub(super) engine: Mutex<Engine>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) say: Say,
    pub(super) wake: Arc<Notify>,
    /// Times whose runs are followed by this process.
    pub(super) following: Mutex<HashSet<(String, Time)>>,
    /// Runs of which people were told that they wait, and with how many events they did.
    pub(super) waiting: Mutex<HashMap<RunId, u64>>,
    /// What was said in the log of polls that fail.
    pub(super) failing: Mutex<HashMap<Arc<str>, String>>,
    /// How often polls were due while they were still being asked.
    pub(super) left_out: Mutex<HashMap<Arc<str>, u32>>,
    /// Polls that this process asks.
    pub(super) asking: Mutex<HashSet<Arc<str>>>,
}

impl Core {
    pub(super) fn engine(&self) -> Engine {
        self.engine.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn now(&self) -> Time {
        let now = self.clock.now();
        // As rows have it.
        Time::from_timestamp_millis(now.timestamp_millis()).unwrap_or(now)
    }

    pub(super) async fn store(&self) -> Result<Store, StoreError> {
        self.engine().schedule_store().await
    }

    /// The schedules as files define them, while others of this thread go on.
    async fn read(&self) -> Result<Arc<Book>, StartError> {
        let engine = self.engine();
        let read = tokio::task::spawn_blocking(move || engine.schedule_book()).await;
        read.unwrap_or_else(|error| Err(StartError::Refused(format!("files were not read: {error}"))))
    }
}

type Decisions = BTreeMap<Arc<str>, Time>;

/// Up to when those are decided that are the same as before, and the others.
fn seen(store: &Store, book: &Book) -> Result<(Decisions, Vec<Sighting>), StoreError> {
    let mut fresh: BTreeMap<Arc<str>, Sighting> = book
        .known
        .values()
        .map(|known| known.sighting())
        .map(|sighting| (Arc::clone(&sighting.key), sighting))
        .collect();
    let mut decided = Decisions::new();
    store.marks(|key, mark| {
        if fresh.get(key).is_some_and(|sighting| sighting.is_as(&mark))
            && let Some(sighting) = fresh.remove(key)
        {
            decided.insert(sighting.key, mark.decided);
        }
    })?;
    Ok((decided, fresh.into_values().collect()))
}

impl Scheduler {
    /// A scheduler that has not looked at anything yet. `say` is where messages to the terminal go.
    pub fn new(engine: Engine, clock: Arc<dyn Clock>, say: Say) -> Self {
        let wake = engine.due();
        engine.pulse().begin();
        let core = Core {
            engine: Mutex::new(engine),
            clock,
            say,
            wake,
            following: Mutex::default(),
            waiting: Mutex::default(),
            failing: Mutex::default(),
            left_out: Mutex::default(),
            asking: Mutex::default(),
        };
        Self {
            core: Arc::new(core),
            senders: Senders::default(),
            book: BTreeMap::new(),
            stamps: BookStamps::default(),
            upcoming: BTreeSet::new(),
            next: BTreeMap::new(),
            decided: BTreeMap::new(),
            paused: BTreeSet::new(),
            turn: String::new(),
            began: false,
            more: false,
            looked: None,
            may_be_back: false,
            back: Time::MIN_UTC,
            reloaded: None,
            tidied: None,
        }
    }

    /// Looks again and again, until it is stopped. Runs that go on then are left to whoever comes next.
    pub async fn run(mut self, stop: impl Future<Output = ()> + Send) {
        tokio::pin!(stop);
        let (drain, pulse) = (self.core.engine().drain(), self.core.engine().pulse());
        loop {
            let next = match self.look().await {
                Ok(next) => {
                    pulse.beat();
                    next
                }
                Err(error) => {
                    tracing::warn!("schedules cannot be looked after now: {error}");
                    self.core.now() + NAP
                }
            };
            let nap = (next - self.core.now()).clamp(TimeDelta::zero(), NAP).to_std().unwrap_or_default();
            tokio::select! {
                () = &mut stop => break,
                // What is due now is run by whoever comes next.
                () = drain.begun() => break,
                () = self.core.wake.notified() => {}
                () = tokio::time::sleep(nap) => {}
            }
        }
        pulse.end();
        self.senders.end().await;
        if let Ok(store) = self.core.store().await {
            let _told = store.note_scheduler(self.core.now(), ENDED).await;
        }
    }

    /// Looks once: decides what is due, starts what can start, follows up on what goes on. Gives the
    /// moment by which to look again.
    ///
    /// # Errors
    /// The store cannot be used.
    pub async fn look(&mut self) -> Result<Time, StoreError> {
        let now = self.core.now();
        let store = self.core.store().await?;
        self.mind_clock(&store, now).await?;
        self.reload(&store, now).await?;
        if self.may_be_back {
            self.mind_retries(&store, now).await?;
            self.may_be_back = false;
        }
        let engine = self.core.engine();
        self.mind_pauses(&store, now)?;
        let off = match (engine.is_service_enabled("scheduler")?, engine.is_service_enabled("cron")?) {
            (false, _) => Some("scheduler"),
            (true, false) => Some("cron"),
            (true, true) => None,
        };
        self.decide(&store, now, off).await?;
        let mut more = false;
        if off != Some("scheduler") {
            more = self.work(&store, now).await?;
            self.alert(&store, now).await?;
        }
        self.send(&store, now).await?;
        self.tidy(&store, now).await?;
        if more { Ok(now) } else { self.look_again(&store, now) }
    }

    /// Has people told, and waits for nobody: a channel may take its time, or not answer at all.
    async fn send(&mut self, store: &Store, now: Time) -> Result<(), StoreError> {
        let core = &self.core;
        let (clock, say, wake) = (Arc::clone(&core.clock), Arc::clone(&core.say), Arc::clone(&core.wake));
        let desk = Desk { engine: core.engine(), clock, say };
        self.senders.begin(store, &desk, now, move || wake.notify_one()).await
    }

    /// Uses these definitions from now on, whatever files say.
    pub async fn use_book(&mut self, book: &Book, now: Time) -> Result<(), StoreError> {
        let (decided, fresh) = seen(&self.core.store().await?, book)?;
        self.decided = decided;
        let rows = self.core.store().await?.see_schedules(fresh, now).await?;
        self.decided.extend(rows.into_iter().map(|row| (row.key.into(), row.decided)));
        let known = book.known.iter().filter(|(_, known)| known.compiled.enabled);
        self.book = known.map(|(key, known)| (Arc::clone(key), Arc::clone(known))).collect();
        self.arm(now);
        self.reloaded = Some(now);
        Ok(())
    }

    /// Works out anew when everything is due.
    fn arm(&mut self, now: Time) {
        let due = self.book.values().filter(|known| !self.paused.contains(&*known.key));
        self.next =
            due.filter_map(|known| Some((Arc::clone(&known.key), self.next_of(known, now)?))).collect();
        self.upcoming = self.next.iter().map(|(key, due)| (*due, Arc::clone(key))).collect();
    }

    /// When a schedule is due next that is not held.
    fn next_of(&self, known: &Known, now: Time) -> Option<Time> {
        // A poll asks for what is new by now, and has nothing to catch up with.
        let is_timed = known.compiled.trigger.is_timed();
        let from = self.decided.get(&known.key).copied().filter(|_| is_timed).unwrap_or(now);
        known.compiled.trigger.next(from, known.zone())
    }

    fn arm_one(&mut self, key: &Arc<str>, due: Option<Time>) {
        if let Some(before) = self.next.remove(key) {
            self.upcoming.remove(&(before, Arc::clone(key)));
        }
        if let Some(due) = due {
            self.next.insert(Arc::clone(key), due);
            self.upcoming.insert((due, Arc::clone(key)));
        }
    }

    /// Reads the definitions again when their files have changed.
    async fn reload(&mut self, store: &Store, now: Time) -> Result<(), StoreError> {
        if self.reloaded.is_some_and(|at| now >= at && now - at < RELOAD) {
            return Ok(());
        }
        let is_first = self.reloaded.is_none();
        self.reloaded = Some(now);
        let engine = self.core.engine();
        let Ok(stamps) = engine.schedule_stamps() else { return Ok(()) };
        if !is_first && stamps == self.stamps {
            return Ok(());
        }
        if stamps.config != self.stamps.config {
            match engine.reconfigured() {
                Ok(fresh) => *self.core.engine.lock().unwrap_or_else(PoisonError::into_inner) = fresh,
                // A file that is being saved, say. What was there serves until it can be read.
                Err(error) => {
                    tracing::warn!("schedules stay as they were: {error}");
                    // At first that is what the process was started with.
                    if !is_first {
                        return Ok(());
                    }
                }
            }
        }
        match self.core.read().await {
            Ok(book) => {
                for broken in &book.broken {
                    let first = broken.problems.first().map(|problem| problem.message.as_str());
                    tracing::warn!(schedule = broken.name, "does not run: {}", first.unwrap_or_default());
                }
                self.stamps = stamps;
                self.use_book(&book, now).await?;
                self.core.engine().warn_of_faults(&book);
            }
            Err(error) => tracing::warn!("schedules stay as they were: {error}"),
        }
        if is_first {
            let count = self.book.len();
            store.note_scheduler(now, &format!("a scheduler began, with {count} schedules")).await?;
        }
        Ok(())
    }

    /// Holds what somebody has paused, and lets go on what was resumed.
    fn mind_pauses(&mut self, store: &Store, now: Time) -> Result<(), StoreError> {
        let paused: BTreeSet<String> = store.paused_schedules()?.into_iter().collect();
        if paused == self.paused {
            return Ok(());
        }
        for key in self.paused.difference(&paused) {
            if let Some(row) = store.schedule(key)? {
                self.decided.insert(key.as_str().into(), row.decided);
            }
        }
        let changed: Vec<String> = self.paused.symmetric_difference(&paused).cloned().collect();
        self.paused = paused;
        for key in changed {
            let Some(known) = self.book.get(&*key).cloned() else { continue };
            let due = if self.paused.contains(&key) { None } else { self.next_of(&known, now) };
            self.arm_one(&known.key, due);
        }
        Ok(())
    }

    /// Decides all times that have come; while a service is off, they are skipped.
    async fn decide(&mut self, store: &Store, now: Time, off: Option<&str>) -> Result<(), StoreError> {
        let mut batch = Vec::new();
        while let Some((due, key)) = self.upcoming.first().cloned()
            && due <= now
        {
            let Some(known) = self.book.get(&key).cloned() else {
                self.arm_one(&key, None);
                continue;
            };
            if known.compiled.trigger.is_timed() {
                let from = self.decided.get(&key).copied().unwrap_or(now);
                batch.push(decisions(store, &known, (from, now), (self.back, off))?);
            } else if off != Some("scheduler") {
                self.core.ask(&known, due);
            }
            self.arm_one(&key, known.compiled.trigger.next(now, known.zone()));
        }
        if batch.is_empty() {
            return Ok(());
        }
        let marks: Vec<_> = batch.iter().map(|decided| (Arc::clone(&decided.key), decided.until)).collect();
        let written = store.decide_slots(batch).await?;
        for ((key, until), written) in marks.into_iter().zip(written) {
            if written {
                if until < now {
                    self.arm_one(&key, Some(now));
                }
                self.decided.insert(key, until);
                continue;
            }
            // Another process was faster; it may have looked at an earlier moment than this one.
            let Some(row) = store.schedule(&key)? else { continue };
            let next =
                self.book.get(&key).and_then(|known| known.compiled.trigger.next(row.decided, known.zone()));
            self.decided.insert(key.clone(), row.decided);
            self.arm_one(&key, next);
        }
        Ok(())
    }

    async fn tidy(&mut self, store: &Store, now: Time) -> Result<(), StoreError> {
        if self.tidied.is_some_and(|at| now >= at && now - at < TIDY) {
            return Ok(());
        }
        self.tidied = Some(now);
        let keep =
            TimeDelta::from_std(self.core.engine().settings().scheduling.keep).unwrap_or(TimeDelta::MAX);
        match now.checked_sub_signed(keep) {
            Some(before) => store.forget_slots(before).await,
            None => Ok(()),
        }
    }

    fn look_again(&self, store: &Store, now: Time) -> Result<Time, StoreError> {
        let due = self.upcoming.first().map(|(due, _)| *due);
        // There were more than can be decided at once.
        if due.is_some_and(|due| due <= now) {
            return Ok(now);
        }
        let (deadline, ready) = (store.next_deadline()?, store.next_ready(now)?);
        let under_way = store.slots_under_way()?;
        let ends = under_way.iter().filter_map(|slot| {
            let known = self.book.get(&*slot.schedule)?;
            let timeout = super::decide::milliseconds(known.compiled.timeout_ms?);
            (slot.state == SlotState::Running).then_some(slot.started? + timeout)
        });
        let next = ends.chain(ready).chain(due).chain(deadline).filter(|at| *at > now).min();
        Ok(next.unwrap_or(now + NAP).min(now + NAP))
    }
}

/// The rows for all times of a schedule that have come.
fn decisions(
    store: &Store,
    known: &Known,
    (from, now): (Time, Time),
    (back, off): (Time, Option<&str>),
) -> Result<Decided, StoreError> {
    let filter = SlotFilter {
        schedule: Some(known.key.to_string()),
        from: Some(from),
        before: Some(now + TimeDelta::milliseconds(1)),
        limit: None,
    };
    let taken: BTreeSet<Time> = store.slots(&filter)?.into_iter().map(|slot| slot.due).collect();
    let decided = decide(&known.compiled, (from, now), back, &|due| taken.contains(&due));
    let slots = decided.decisions.into_iter().map(|decision| row(known, decision, now, off)).collect();
    Ok(Decided { key: Arc::clone(&known.key), from, until: decided.until, slots })
}

fn row(known: &Known, decision: Decision, now: Time, off: Option<&str>) -> Slot {
    match (decision, off) {
        (Decision::Run { due, .. }, Some(service)) => {
            let slot = new_slot(known, due, SlotKind::Timed);
            let why = format!("the service `{service}` was off");
            Slot { state: SlotState::Skipped, ended: Some(now), why, deadline: None, ..slot }
        }
        (Decision::Run { due, at, why }, None) => {
            let is_late = !why.is_empty() && known.compiled.catch_up.runs == Caught::All;
            let kind = if is_late { SlotKind::CaughtUp } else { SlotKind::Timed };
            Slot { at, why, ..new_slot(known, due, kind) }
        }
        (Decision::Missed { since, due, count, why }, _) => {
            let slot = new_slot(known, due, SlotKind::Timed);
            Slot { since: Some(since), count, state: SlotState::Missed, ended: Some(now), why, ..slot }
        }
    }
}

/// Why something could not be done, for the log.
pub(super) fn warn(what: &str, error: &StartError) {
    tracing::warn!("{what}: {error}");
}

impl std::fmt::Debug for Scheduler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scheduler").field("schedules", &self.book.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
