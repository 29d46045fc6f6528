//! Time that passes at once when nothing goes on.
//!
//! The driver says when it is idle and how many calls and blocks are on their way. When every
//! one of them sleeps here as well, nothing can happen before the next of all the timers is due, so
//! the clock jumps to it. Where real calls take part, time also passes by itself.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use async_trait::async_trait;
use tokio::sync::watch;

use crate::driver::{Clock, milliseconds};
use crate::event::Time;

/// Turns of the runtime that everything that is ready gets before the clock jumps.
const TURNS: usize = 4;

/// A clock of its own for one run.
pub(crate) struct VirtualClock {
    state: Mutex<State>,
    /// Changes with every jump and every new sleeper.
    changes: watch::Sender<u64>,
    /// Whether time also passes by itself.
    flows: bool,
}

struct State {
    /// What the clock showed at `since`.
    base: Time,
    since: Instant,
    /// Those who wait for a time while their call goes on, such as its deadline.
    watchers: BTreeSet<(Time, u64)>,
    /// Calls that do nothing but sleep.
    naps: BTreeSet<(Time, u64)>,
    next: u64,
}

/// A place among the sleepers, given up when it is dropped.
struct Bed<'a> {
    clock: &'a VirtualClock,
    key: (Time, u64),
}

impl VirtualClock {
    pub(crate) fn new(at: Time, flows: bool) -> Self {
        let state = State {
            base: milliseconds(at),
            since: Instant::now(),
            watchers: BTreeSet::new(),
            naps: BTreeSet::new(),
            next: 0,
        };
        Self { state: Mutex::new(state), changes: watch::Sender::new(0), flows }
    }

    /// Lets a call sleep: as long as it does, it keeps nothing else from happening.
    pub(crate) async fn nap(&self, ms: u64) {
        let delta = i64::try_from(ms).ok().and_then(chrono::TimeDelta::try_milliseconds);
        let until = delta.and_then(|delta| self.now().checked_add_signed(delta)).unwrap_or(Time::MAX_UTC);
        let bed = self.bed(until, true);
        self.reach(until).await;
        drop(bed);
    }

    fn bed(&self, until: Time, nap: bool) -> Bed<'_> {
        let mut state = self.state();
        let key = (until, state.next);
        state.next += 1;
        if nap {
            state.naps.insert(key)
        } else {
            state.watchers.insert(key)
        };
        drop(state);
        self.changes.send_modify(|number| *number += 1);
        Bed { clock: self, key }
    }

    async fn reach(&self, time: Time) {
        let mut changes = self.changes.subscribe();
        loop {
            changes.mark_unchanged();
            let left = (time - self.now()).to_std().unwrap_or_default();
            if left.is_zero() {
                return;
            }
            tokio::select! {
                // The sender lives as long as the clock.
                _ = changes.changed() => {}
                () = tokio::time::sleep(left), if self.flows => {}
            }
        }
    }

    /// Jumps to the first of all timers, if nothing can happen before it. Says whether it did.
    fn jump(&self, timer: Option<Time>, running: usize) -> bool {
        let now = self.now();
        let mut state = self.state();
        if state.naps.len() < running {
            return false;
        }
        let sleepers = [state.naps.first(), state.watchers.first()];
        let first = sleepers.into_iter().flatten().map(|(time, _)| *time).chain(timer).min();
        let Some(time) = first else { return false };
        (state.base, state.since) = (time.max(now), Instant::now());
        // Whoever wakes up now is at work again, even before it has noticed.
        state.naps.retain(|(until, _)| *until > time);
        state.watchers.retain(|(until, _)| *until > time);
        drop(state);
        self.changes.send_modify(|number| *number += 1);
        true
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Clock for VirtualClock {
    fn now(&self) -> Time {
        let state = self.state();
        let passed = if self.flows { state.since.elapsed() } else { std::time::Duration::ZERO };
        let passed = chrono::TimeDelta::from_std(passed).unwrap_or_default();
        state.base.checked_add_signed(passed).unwrap_or(Time::MAX_UTC)
    }

    async fn sleep_until(&self, time: Time) {
        let bed = self.bed(time, false);
        self.reach(time).await;
        drop(bed);
    }

    async fn idle(&self, timer: Option<Time>, running: usize) {
        let mut changes = self.changes.subscribe();
        loop {
            for _ in 0..TURNS {
                tokio::task::yield_now().await;
            }
            if timer.is_some_and(|timer| timer <= self.now()) {
                return;
            }
            changes.mark_unchanged();
            if self.jump(timer, running) {
                continue;
            }
            let due = async {
                match timer.filter(|_| self.flows) {
                    Some(time) => self.reach(time).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = changes.changed() => {}
                () = due => return,
            }
        }
    }
}

impl Drop for Bed<'_> {
    fn drop(&mut self) {
        let mut state = self.clock.state();
        state.naps.remove(&self.key);
        state.watchers.remove(&self.key);
    }
}
