//! What is known of the hosts that are asked: how much they may be asked, and whether they
//! answer at all. Shared by all calls of a process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aa_spec::tool::ErrorKind;
use aa_spec::tool::recipe::{Breaker, Limits};
use serde_json::json;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::tool::ToolError;
use crate::tool::http::failure::LONGEST_WAIT;

/// No host is left alone for longer, whatever it says: the next answer tells anew.
const LONGEST_PAUSE: Duration = Duration::from_hours(1);

/// All hosts that were asked, by origin.
#[derive(Debug, Default)]
pub(super) struct Hosts {
    known: Mutex<HashMap<String, Arc<Host>>>,
}

/// One host.
#[derive(Debug)]
pub(super) struct Host {
    origin: String,
    state: Mutex<State>,
    /// Told when a request is over.
    freed: Notify,
}

#[derive(Debug, Default)]
struct State {
    under_way: u32,
    /// When the next request would be due if they came evenly.
    due: Option<Instant>,
    /// The host asked for a pause.
    paused_until: Option<Instant>,
    failures: u32,
    /// What the last failure was.
    last: String,
    /// It is left alone.
    open_until: Option<Instant>,
    /// One request is trying whether it is back.
    probing: bool,
}

/// Leave to send one request; whoever drops it ends the request.
pub(super) struct Ticket {
    host: Arc<Host>,
    probe: bool,
}

impl Hosts {
    pub(super) fn of(&self, origin: &str) -> Arc<Host> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let make = || Host { origin: origin.to_owned(), state: Mutex::default(), freed: Notify::new() };
        Arc::clone(known.entry(origin.to_owned()).or_insert_with(|| Arc::new(make())))
    }

    /// How many are left alone right now.
    pub(super) fn left_alone(&self) -> usize {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.values().filter(|host| host.is_open()).count()
    }
}

impl Host {
    /// Waits until one more request may be sent.
    ///
    /// # Errors
    /// The host is left alone, or the turn would come after `deadline`.
    pub(super) async fn enter(
        self: &Arc<Self>,
        limits: Limits,
        deadline: Option<Instant>,
    ) -> Result<Ticket, ToolError> {
        self.refuse_while_open()?;
        let mut ticket = self.take_place(limits.concurrent).await;
        let turn = self.take_turn(limits, deadline)?;
        // A timer sleeps to the next millisecond, also when its time has come: longer than most requests take.
        if turn > Instant::now() {
            sleep_until(turn).await;
        }
        ticket.probe = self.pass()?;
        Ok(ticket)
    }

    /// Asks no more until then.
    pub(super) fn pause(&self, pause: Duration) {
        let until = Instant::now() + pause.min(LONGEST_PAUSE);
        let mut state = self.state();
        state.paused_until = Some(state.paused_until.map_or(until, |known| known.max(until)));
    }

    /// Whether it is left alone.
    pub(super) fn is_open(&self) -> bool {
        self.state().open_until.is_some_and(|until| Instant::now() < until)
    }

    fn refuse_while_open(&self) -> Result<(), ToolError> {
        if self.is_open() { Err(self.left_alone()) } else { Ok(()) }
    }

    async fn take_place(self: &Arc<Self>, most: u32) -> Ticket {
        loop {
            let freed = self.freed.notified();
            tokio::pin!(freed);
            // From here on no end of a request is missed.
            freed.as_mut().enable();
            {
                let mut state = self.state();
                if state.under_way < most {
                    state.under_way += 1;
                    return Ticket { host: Arc::clone(self), probe: false };
                }
            }
            freed.await;
        }
    }

    /// When the next request may go: evenly in the long run, `burst` at once after a pause.
    fn take_turn(&self, limits: Limits, deadline: Option<Instant>) -> Result<Instant, ToolError> {
        let now = Instant::now();
        let mut state = self.state();
        let mut turn = state.paused_until.map_or(now, |until| until.max(now));
        if turn - now > LONGEST_WAIT {
            return Err(self.not_before(turn - now));
        }
        let mut due = None;
        if let Some(rate) = limits.per_second {
            let step = Duration::from_secs_f64((1.0 / rate).min(86_400.0));
            let ahead = step.saturating_mul(limits.burst.saturating_sub(1));
            let next = state.due.map_or(now, |due| due.max(now));
            turn = turn.max(next.checked_sub(ahead).unwrap_or(now));
            due = Some(next + step);
        }
        if deadline.is_some_and(|deadline| turn > deadline) {
            let wait = (turn - now).as_secs_f64().ceil();
            let message = format!("`{}` may be asked again only in {wait} s, which is too late", self.origin);
            return Err(ToolError::new(ErrorKind::Timeout, message));
        }
        state.due = due.or(state.due);
        Ok(turn)
    }

    fn not_before(&self, wait: Duration) -> ToolError {
        let seconds = wait.as_secs_f64().ceil();
        let message = format!("`{}` has asked to be left alone for {seconds} s more", self.origin);
        let details = json!({"host": self.origin, "headers": {"retry-after": seconds.to_string()}});
        ToolError::new(ErrorKind::Transient, message).details(details)
    }

    /// Lets a request through; true when it tries whether the host is back.
    fn pass(&self) -> Result<bool, ToolError> {
        let mut state = self.state();
        let Some(until) = state.open_until else { return Ok(false) };
        if Instant::now() < until || state.probing {
            drop(state);
            return Err(self.left_alone());
        }
        state.probing = true;
        Ok(true)
    }

    fn left_alone(&self) -> ToolError {
        let state = self.state();
        let left =
            state.open_until.map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now()));
        let message = format!(
            "`{}` has failed {} times in a row ({}) and is left alone for {} s",
            self.origin,
            state.failures,
            state.last,
            left.as_secs_f64().ceil()
        );
        let left_ms = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
        ToolError::new(ErrorKind::Transient, message)
            .details(json!({"host": self.origin, "breaker": "open", "retry_in_ms": left_ms}))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // What is in it is whole at any time, whoever panicked.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket {
    /// The host has answered.
    pub(super) fn succeeded(self) {
        let mut state = self.host.state();
        state.failures = 0;
        state.open_until = None;
        state.probing = false;
    }

    /// The host has not answered, or said that it cannot.
    pub(super) fn failed(mut self, breaker: Breaker, why: &str) {
        let mut state = self.host.state();
        state.failures = state.failures.saturating_add(1);
        why.clone_into(&mut state.last);
        if self.probe || state.failures >= breaker.failures {
            state.open_until = Instant::now().checked_add(Duration::from_millis(breaker.cool_down_ms));
            state.probing = false;
        }
        drop(state);
        self.probe = false;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut state = self.host.state();
        state.under_way = state.under_way.saturating_sub(1);
        if self.probe {
            // Nobody knows more than before.
            state.probing = false;
        }
        drop(state);
        self.host.freed.notify_waiters();
    }
}
