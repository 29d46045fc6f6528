//! Times that are to be run: claimed, started, followed, settled.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError};

use aa_spec::schedule::Overlap;

use super::super::book::{Known, is_of_book, is_of_nobody};
use super::super::decide::{Verdict, judge, lapse, milliseconds};
use super::super::{Slot, SlotKind, SlotState, Waiting};
use super::{Core, Scheduler, warn};
use crate::caller::Caller;
use crate::driver::Park;
use crate::engine::{Engine, RunHandle, StartError, told, waiting_run};
use crate::event::{Body, Origin, RunId, Time};
use crate::store::{Claimed, News, RunStatus, RunSummary, Settled, Store, StoreError};

/// Who cancels.
const BY: &str = "the scheduler";
/// A run that was told to end may take so long before it is told again.
const PATIENCE: chrono::TimeDelta = chrono::TimeDelta::minutes(1);
/// How it is told that a run took too long.
const TOO_LONG: &str = "it took longer than";

/// Times of one schedule that have their turn before those of the next.
const TURN: usize = 10;
/// Times that have their turn in one look: others look at whether this one does.
const LOOK: usize = 1000;

/// What came of a time that may be run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Begun {
    /// Its run is started.
    Runs,
    /// It is not run.
    Over,
    /// It stays as it is.
    Waits,
}

impl Scheduler {
    /// Does what can be done about the times that are not over: about all of those under way, and about some of each
    /// schedule that may be run. Says whether others may be run that have not had their turn.
    pub(super) async fn work(&mut self, store: &Store, now: Time) -> Result<bool, StoreError> {
        let under_way = store.slots_under_way()?;
        for slot in &under_way {
            let Some(known) = self.book.get(&*slot.schedule).cloned() else {
                self.forsaken(store, slot).await?;
                continue;
            };
            match slot.state {
                SlotState::Claimed => self.take(store, &known, slot).await?,
                _ => self.core.mind(store, &known, slot, now).await?,
            }
        }
        let running = under_way.iter().filter(|slot| slot.state == SlotState::Running);
        let busy: HashSet<&str> = running.map(|slot| slot.schedule.as_str()).collect();
        self.begin_some(store, &busy, now).await
    }

    /// Goes through the schedules from the one on whose turn it is, until there is none or enough was begun.
    async fn begin_some(
        &mut self,
        store: &Store,
        busy: &HashSet<&str>,
        now: Time,
    ) -> Result<bool, StoreError> {
        let mut left = LOOK;
        // A round that takes several looks misses what comes to those that it has been at.
        let is_long = !self.turn.is_empty();
        while let Some(schedule) = store.next_in_line(&self.turn, now)? {
            if left == 0 {
                return Ok(true);
            }
            let (looked_at, done) = self.begin_of(store, (&schedule, busy), now).await?;
            self.began |= done > 0;
            self.more |= done == TURN;
            left = left.saturating_sub(looked_at.max(1));
            self.turn = schedule;
        }
        self.turn.clear();
        // Where nothing has become of anything, it would be the same again.
        let (began, more) = (std::mem::take(&mut self.began), std::mem::take(&mut self.more));
        Ok(more || is_long && began)
    }

    /// Begins some times of one schedule: how many were looked at, and of how many something has become.
    async fn begin_of(
        &self,
        store: &Store,
        (schedule, busy): (&str, &HashSet<&str>),
        now: Time,
    ) -> Result<(usize, usize), StoreError> {
        let ready = store.ready_slots(schedule, (self.paused.contains(schedule), now), TURN)?;
        let (mut is_busy, mut done) = (busy.contains(schedule), 0);
        for slot in &ready {
            let begun = match self.book.get(schedule) {
                Some(known) => self.begin(store, known, (slot, is_busy), now).await?,
                None => self.gone(store, slot, now).await?,
            };
            is_busy |= begun != Begun::Over;
            done += usize::from(begun != Begun::Waits);
        }
        Ok((ready.len(), done))
    }

    /// A time of a schedule that is no longer there.
    async fn gone(&self, store: &Store, slot: &Slot, now: Time) -> Result<Begun, StoreError> {
        if !self.is_of_book(slot) && !is_of_nobody(&slot.schedule) {
            return Ok(Begun::Waits);
        }
        let why = "its schedule is no longer there";
        store.settle_slot(slot, Settled::quietly(SlotState::Skipped, why), now).await?;
        Ok(Begun::Over)
    }

    fn is_of_book(&self, slot: &Slot) -> bool {
        is_of_book(&slot.schedule, self.core.engine().project())
    }

    /// Whether a schedule that is held may be run all the same where somebody wants that.
    fn is_let_run(&self, store: &Store, known: &Known) -> Result<bool, StoreError> {
        Ok(!self.paused.contains(&*known.key) || known.is_let_run(store.schedule(&known.key)?.as_ref()))
    }

    /// Looks after the run of a schedule that is no longer there.
    async fn forsaken(&self, store: &Store, slot: &Slot) -> Result<(), StoreError> {
        let Some(run) = slot.run else { return self.forsaken_before_its_run(store, slot).await };
        let summary = store.run(run)?;
        if summary.ended_at.is_some() {
            return self.core.settle(store, None, slot, run).await;
        }
        if summary.is_left() && is_of_nobody(&slot.schedule) {
            let why = "the folder of its project is gone, so its run cannot go on";
            let end = Settled::quietly(SlotState::Failed, why);
            return store.settle_slot(slot, end, self.core.now()).await.map(drop);
        }
        if self.is_of_book(slot) && summary.is_left() && !self.core.is_following(slot) {
            self.core.resume(None, slot, &summary);
        }
        Ok(())
    }

    /// Looks after a time that a process has claimed and died, of a schedule that is no longer there.
    async fn forsaken_before_its_run(&self, store: &Store, slot: &Slot) -> Result<(), StoreError> {
        let is_gone = self.is_of_book(slot) || is_of_nobody(&slot.schedule);
        if is_gone && !self.core.is_following(slot) && store.take_slot(slot).await? {
            let end = Settled::quietly(SlotState::Skipped, "its schedule is no longer there");
            store.settle_slot(slot, end, self.core.now()).await?;
        }
        Ok(())
    }

    async fn begin(
        &self,
        store: &Store,
        known: &Arc<Known>,
        (slot, is_busy): (&Slot, bool),
        now: Time,
    ) -> Result<Begun, StoreError> {
        // What somebody asked for is run. News and second attempts wait; times come again.
        if slot.kind.is_of_clock() && self.paused.contains(&*known.key) {
            let why = "the schedule was held before its turn came";
            store.settle_slot(slot, Settled::quietly(SlotState::Skipped, why), now).await?;
            return Ok(Begun::Over);
        }
        // It has changed since somebody asked for it, and waits until somebody lets it run as it is.
        if !self.is_let_run(store, known)? {
            return Ok(Begun::Waits);
        }
        let overlap = known.compiled.overlap;
        // Asking the store again and again would write for nothing.
        if is_busy && (slot.is_filled_in_turn(overlap) || overlap == Overlap::Queue) {
            return Ok(Begun::Waits);
        }
        match store.claim_slot((&known.key, slot.due), overlap, now).await? {
            Claimed::Mine(slot, cancel) => {
                self.core.follow(known, *slot, cancel);
                Ok(Begun::Runs)
            }
            Claimed::Skipped | Claimed::Gone => Ok(Begun::Over),
            Claimed::Waits => Ok(Begun::Waits),
        }
    }

    /// Takes over what was claimed by a process that died before it had started the run.
    async fn take(&self, store: &Store, known: &Arc<Known>, slot: &Slot) -> Result<(), StoreError> {
        // What this process has claimed and does not follow has met with an error.
        if self.is_let_run(store, known)? && !self.core.is_following(slot) && store.take_slot(slot).await? {
            self.core.follow(known, slot.clone(), Vec::new());
        }
        Ok(())
    }

    /// Tells people of times without a success.
    pub(super) async fn alert(&self, store: &Store, now: Time) -> Result<(), StoreError> {
        for slot in store.late_slots(now)? {
            let news = self.book.get(&*slot.schedule).and_then(|known| {
                let name = &known.compiled.name;
                let title = format!("{name}: no success by its deadline");
                let due = known.zone().show(slot.due);
                let text = format!(
                    "It was due at {due}, and is {} now. `aa schedule why {name}`",
                    slot.state.word()
                );
                self.core.addressed(known, &slot, Topic::Deadline, (title, text))
            });
            store.alert_slot(&slot, news, now).await?;
        }
        Ok(())
    }
}

/// What people can be told.
#[derive(Clone, Copy, Debug)]
enum Topic {
    Failure,
    Deadline,
    Waiting(RunId, u64),
    Success,
}

impl Core {
    /// Starts the run of a claimed time in a task of its own, and follows it to its end.
    fn follow(self: &Arc<Self>, known: &Arc<Known>, slot: Slot, cancel: Vec<RunId>) {
        let Some(guard) = Following::begin(self, &slot) else { return };
        let (core, known) = (Arc::clone(self), Arc::clone(known));
        tokio::spawn(async move {
            let engine = core.engine();
            for run in cancel {
                if let Err(error) = engine.cancel(run, BY, "the next time was due").await {
                    warn("cannot cancel the run before", &error);
                }
            }
            if let Err(error) = core.start(&engine, &known, &slot).await {
                tracing::warn!(schedule = known.compiled.name, "cannot note what has become of it: {error}");
            }
            drop(guard);
            core.wake.notify_one();
        });
    }

    async fn start(&self, engine: &Engine, known: &Known, slot: &Slot) -> Result<(), StoreError> {
        let store = self.store().await?;
        match Box::pin(engine.start_slot(known, slot, Park::Stay)).await {
            Ok(handle) => {
                store.slot_started(slot, handle.id, self.now()).await?;
                self.wake.notify_one();
                self.end(&store, Some(known), slot, handle).await
            }
            Err(StartError::Store(error)) => Err(error),
            // It stays claimed, and is taken over from this process once that has ended.
            Err(StartError::Draining) => Ok(()),
            Err(error) => self.conclude(&store, Some(known), slot, Some(&told(&error))).await,
        }
    }

    /// Waits for the end of a run that this process drives or watches.
    async fn end(
        &self,
        store: &Store,
        known: Option<&Known>,
        slot: &Slot,
        handle: RunHandle,
    ) -> Result<(), StoreError> {
        let run = handle.id;
        match handle.outcome.await {
            Ok(Ok(_)) if store.run(run)?.ended_at.is_some() => self.settle(store, known, slot, run).await,
            // Another process drives it now, or will.
            _ => Ok(()),
        }
    }

    /// Looks after a run that goes on, whoever drives it.
    async fn mind(
        self: &Arc<Self>,
        store: &Store,
        known: &Arc<Known>,
        slot: &Slot,
        now: Time,
    ) -> Result<(), StoreError> {
        let Some(run) = slot.run else { return Ok(()) };
        let summary = store.run(run)?;
        if summary.ended_at.is_some() {
            return self.settle(store, Some(known), slot, run).await;
        }
        if let (Some(ms), Some(started)) = (known.compiled.timeout_ms, slot.started)
            && now - started >= milliseconds(ms)
        {
            return self.time_out(store, slot, run, ms).await;
        }
        if summary.status == RunStatus::Waiting {
            self.tell_waiting(store, known, slot, &summary, now).await?;
        }
        if summary.is_left() && !self.is_following(slot) {
            self.resume(Some(known), slot, &summary);
        }
        Ok(())
    }

    /// Goes on with a run whose process has died; its schedule may be there no more.
    fn resume(self: &Arc<Self>, known: Option<&Arc<Known>>, slot: &Slot, run: &RunSummary) {
        let Some(guard) = Following::begin(self, slot) else { return };
        let (core, known, slot) = (Arc::clone(self), known.cloned(), slot.clone());
        let (run, folder) = (run.id, run.folder.clone());
        tokio::spawn(async move {
            let resumed = async {
                let engine = match &known {
                    Some(known) => core.engine().for_schedule(known)?,
                    None => core.engine().in_folder(&folder)?.for_caller(Caller::local(Origin::Cron)),
                };
                let handle = Box::pin(engine.resume(run, Park::Stay)).await?;
                core.end(&core.store().await?, known.as_deref(), &slot, handle).await?;
                Ok::<(), StartError>(())
            };
            match resumed.await {
                Ok(())
                | Err(
                    StartError::Store(StoreError::Busy(_)) | StartError::Over { .. } | StartError::Draining,
                ) => {}
                Err(error) => warn("cannot go on with the run of a schedule", &error),
            }
            drop(guard);
            core.wake.notify_one();
        });
    }

    async fn time_out(&self, store: &Store, slot: &Slot, run: RunId, ms: u64) -> Result<(), StoreError> {
        let why = format!("{TOO_LONG} {}", lapse(milliseconds(ms)));
        if slot.why != why {
            store.note_slot(slot, &why).await?;
        } else if slot.started.is_some_and(|started| self.now() - started < milliseconds(ms) + PATIENCE) {
            // It has been told, and may take a moment to end.
            return Ok(());
        }
        match self.engine().cancel(run, BY, &why).await {
            Ok(()) | Err(StartError::Over { .. }) => Ok(()),
            Err(error) => {
                warn("cannot cancel a run that takes too long", &error);
                Ok(())
            }
        }
    }

    /// Notes how a run has ended.
    async fn settle(
        &self,
        store: &Store,
        known: Option<&Known>,
        slot: &Slot,
        run: RunId,
    ) -> Result<(), StoreError> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&run);
        let summary = store.run(run)?;
        let why = store.slot(&slot.schedule, slot.due)?.map(|slot| slot.why).unwrap_or_default();
        match summary.status {
            RunStatus::Completed => self.conclude(store, known, slot, None).await,
            RunStatus::Cancelled if why.starts_with(TOO_LONG) => {
                self.conclude(store, known, slot, Some(&why)).await
            }
            RunStatus::Cancelled => {
                let end = Settled::quietly(SlotState::Cancelled, who_cancelled(store, run)?);
                store.settle_slot(slot, end, self.now()).await.map(drop)
            }
            _ => {
                let error = if summary.error.is_empty() { "it failed" } else { &summary.error };
                self.conclude(store, known, slot, Some(error)).await
            }
        }
    }

    /// Notes what has become of a time, and tells people of it.
    async fn conclude(
        &self,
        store: &Store,
        known: Option<&Known>,
        slot: &Slot,
        failure: Option<&str>,
    ) -> Result<(), StoreError> {
        let now = self.now();
        let verdict = judge(known.map(|known| &known.compiled), slot.attempt, failure, now);
        let news = known.and_then(|known| self.news_of_end(known, slot, &verdict));
        let Verdict { state, again, why } = verdict;
        store.settle_slot(slot, Settled { state, again, why, news }, now).await.map(drop)
    }

    fn news_of_end(&self, known: &Known, slot: &Slot, verdict: &Verdict) -> Option<News> {
        let (name, due) = (&known.compiled.name, known.zone().show(slot.due));
        match verdict.state {
            SlotState::Failed => {
                let text = format!("{}\nIt was due at {due}. `aa schedule why {name}`", verdict.why);
                self.addressed(known, slot, Topic::Failure, (format!("{name} failed"), text))
            }
            SlotState::Succeeded => {
                let words = (format!("{name} went well"), format!("It was due at {due}."));
                self.addressed(known, slot, Topic::Success, words)
            }
            _ => None,
        }
    }

    async fn tell_waiting(
        &self,
        store: &Store,
        known: &Known,
        slot: &Slot,
        run: &RunSummary,
        now: Time,
    ) -> Result<(), StoreError> {
        let told = || self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if told().get(&run.id) == Some(&run.events) {
            return Ok(());
        }
        let waiting = waiting_run(store, run.id)?;
        let words = words_of_waiting(&known.compiled.name, &waiting, run.id);
        // By what it waits for, and not by how much has happened: each start of a server adds an event.
        if let Some(news) = self.addressed(known, slot, Topic::Waiting(run.id, waiting.mark), words) {
            store.tell(news, now).await?;
        }
        told().insert(run.id, run.events);
        Ok(())
    }

    /// What to tell, when the schedule or the settings name somebody to tell it to.
    fn addressed(&self, known: &Known, slot: &Slot, topic: Topic, words: (String, String)) -> Option<News> {
        let engine = self.engine();
        let default = &engine.settings().scheduling.default;
        let own = known.compiled.notify.as_ref();
        let none = Vec::new();
        let (kind, channels) = match topic {
            Topic::Failure => ("failure".to_owned(), own.map_or(default, |own| &own.failure)),
            Topic::Deadline => ("deadline".to_owned(), own.map_or(default, |own| &own.deadline)),
            Topic::Success => ("success".to_owned(), own.map_or(&none, |own| &own.success)),
            Topic::Waiting(run, events) => {
                (format!("waiting {run} {events}"), own.map_or(default, |own| &own.waiting))
            }
        };
        // What was filled in once more is told of once more.
        let filled_in = match slot.kind {
            SlotKind::Backfill => format!(" {}", slot.at.timestamp_millis()),
            _ => String::new(),
        };
        let topic = format!("{} {}{filled_in} {kind}", known.key.trim(), slot.due.timestamp_millis());
        let (channels, (title, text)) = (channels.clone(), words);
        (!channels.is_empty()).then_some(News { topic, channels, title, text })
    }

    /// The channels by which it is told that something of a schedule fails.
    pub(super) fn channels_of_failure(&self, known: &Known) -> Vec<String> {
        let own = known.compiled.notify.as_ref();
        own.map_or_else(|| self.engine().settings().scheduling.default.clone(), |own| own.failure.clone())
    }

    fn is_following(&self, slot: &Slot) -> bool {
        let following = self.following.lock().unwrap_or_else(PoisonError::into_inner);
        following.contains(&(slot.schedule.clone(), slot.due))
    }
}

/// Who has had a run end, and why.
fn who_cancelled(store: &Store, run: RunId) -> Result<String, StoreError> {
    let asked = store.events(run, 0)?.into_iter().rev().find_map(|event| match event.body {
        Body::CancelRequested { by, reason } => Some((by, reason)),
        _ => None,
    });
    let Some((by, reason)) = asked else { return Ok(String::new()) };
    let by = if by.is_empty() { by } else { format!("by {by}") };
    Ok(if by.is_empty() || reason.is_empty() { by + &reason } else { format!("{by}: {reason}") })
}

/// That a run waits, and what a person does about it.
fn words_of_waiting(name: &str, waiting: &Waiting, run: RunId) -> (String, String) {
    let text = if waiting.in_doubt {
        format!(
            "Nobody knows how a step of it ended. `aa run show {run}` shows which, `aa run resolve {run}` says how"
        )
    } else {
        format!("`aa run show {run}` shows the question, `aa run answer {run}` answers it")
    };
    (format!("{name} waits for a person"), text)
}

/// A time whose run this process follows, until it is dropped.
struct Following {
    core: Arc<Core>,
    of: (String, Time),
}

impl Following {
    /// None when it is followed already.
    fn begin(core: &Arc<Core>, slot: &Slot) -> Option<Self> {
        let of = (slot.schedule.clone(), slot.due);
        let new = core.following.lock().unwrap_or_else(PoisonError::into_inner).insert(of.clone());
        new.then(|| Self { core: Arc::clone(core), of })
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.core.following.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.of);
    }
}

/// Settles a run that was started by hand, once it is over.
pub(crate) async fn settle_by_hand(engine: &Engine, known: &Known, slot: &Slot) -> Result<(), StoreError> {
    let core = Core {
        engine: std::sync::Mutex::new(engine.clone()),
        clock: Arc::new(crate::driver::WallClock),
        say: Arc::new(|_: &str| {}),
        wake: engine.due(),
        following: std::sync::Mutex::default(),
        waiting: std::sync::Mutex::default(),
        failing: std::sync::Mutex::default(),
        left_out: std::sync::Mutex::default(),
        asking: std::sync::Mutex::default(),
    };
    let store = core.store().await?;
    let Some(slot) = store.slot(&slot.schedule, slot.due)? else { return Ok(()) };
    match slot.run {
        Some(run) if store.run(run)?.ended_at.is_some() => core.settle(&store, Some(known), &slot, run).await,
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_told_what_to_do_about_what_waits_for_them() {
        let told = |in_doubt| {
            let waiting = Waiting { run: Some(RunId(7)), since: Time::UNIX_EPOCH, in_doubt, mark: 0 };
            words_of_waiting("nightly", &waiting, RunId(7)).1
        };
        assert!(told(false).contains("`aa run answer 7`") && !told(false).contains("resolve"));
        assert!(told(true).contains("`aa run resolve 7`") && !told(true).contains("answer"));
    }
}
