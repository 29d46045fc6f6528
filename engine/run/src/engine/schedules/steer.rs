//! What people say to schedules: hold, go on, run now, fill in the past. Each is allowed to whoever may run
//! the schedule, and what the policy forbids its caller to run, it forbids to have run.

use std::sync::Arc;
use std::time::Duration;

use aa_spec::check::Strictness;
use aa_spec::config::ScopeKind;
use aa_spec::schedule::Overlap;
use aa_spec::tool::Effect;
use chrono::TimeDelta;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::super::approval::word;
use super::super::{Engine, StartError};
use super::{Triggered, new_slot, start, while_held};
use crate::caller::Whose;
use crate::driver::Park;
use crate::event::{Origin, Time};
use crate::policy::Verdict;
use crate::schedule::book::Known;
use crate::schedule::{Pause, Slot, SlotKind, SlotState};
use crate::store::{Claimed, KeyedRequest, RequestedBefore, Settled, Store, StoreError};

/// How long the run of a time that somebody else has claimed is waited for.
const PATIENCE: Duration = Duration::from_secs(3);
const TICK: Duration = Duration::from_millis(20);

impl Engine {
    /// Holds a schedule: no time of it is run by itself until it is let go on.
    ///
    /// # Errors
    /// There is none of this name, or the caller may not.
    pub async fn pause_schedule(&self, name: &str, by: &str, why: &str, now: Time) -> Result<(), StartError> {
        let known = self.steered(name)?;
        self.note(Some(by), "schedule.pause", &format!("schedule {name}"), json!({ "why": why })).await?;
        let pause = Pause { at: now, by: by.to_owned(), why: why.to_owned() };
        let store = self.parts.store_soon().await?;
        store.see_schedules(vec![known.sighting()], now).await?;
        store.pause_schedule(&known.key, pause).await?;
        Ok(())
    }

    /// Lets a schedule go on that was held. Times that were due meanwhile are not run.
    ///
    /// # Errors
    /// There is none of this name, or the caller may not.
    pub async fn resume_schedule(&self, name: &str, by: &str, now: Time) -> Result<(), StartError> {
        let known = self.let_run(name, "resume")?;
        self.may_release(&known)?;
        self.note(Some(by), "schedule.resume", &format!("schedule {name}"), json!({})).await?;
        let store = self.parts.store_soon().await?;
        let before = store.see_schedules(vec![known.sighting()], now).await?;
        let held = before.first().and_then(|row| Some((row.decided, row.pause.clone()?)));
        let slot = held.and_then(|(decided, held)| while_held(&known, (decided, now), &held));
        store.resume_schedule(&known.sighting(), now).await?;
        if let Some(slot) = slot {
            store.add_slot(slot).await?;
        }
        Ok(())
    }

    /// Has times of the past run, one after the other, by whichever scheduler runs.
    ///
    /// # Errors
    /// There is none of this name, or the caller may not.
    pub async fn backfill(
        &self,
        name: &str,
        times: &[Time],
        (by, now): (&str, Time),
    ) -> Result<usize, StartError> {
        let known = self.let_run(name, "backfill")?;
        self.is_released(&known)?;
        let detail = json!({ "times": times.len(), "from": times.first(), "until": times.last() });
        self.note(Some(by), "schedule.backfill", &format!("schedule {name}"), detail).await?;
        let store = self.parts.store_soon().await?;
        store.see_schedules(vec![known.sighting()], now).await?;
        let mut added = 0;
        for due in times {
            let slot = Slot {
                why: "somebody wanted the past".to_owned(),
                ..new_slot(&known, *due, SlotKind::Backfill)
            };
            added += usize::from(store.refill_slot(Slot { at: now, ..slot }, Arc::clone(&known)).await?);
        }
        Ok(added)
    }

    /// Runs a schedule now, as if it were due; `park` says what its run does when it waits for a person. A request that comes again with the same key finds the run that
    /// the first one has started.
    ///
    /// # Errors
    /// There is none of this name, what is due goes on and the schedule allows no other, or those of
    /// [`Engine::start`].
    pub async fn run_schedule(
        &self,
        name: &str,
        key: Option<&str>,
        (by, now): (&str, Time),
        park: Park,
    ) -> Result<Triggered, StartError> {
        let known = self.let_run(name, "run")?;
        self.is_released(&known)?;
        self.note(Some(by), "schedule.run", &format!("schedule {name}"), json!({})).await?;
        let store = self.parts.store_soon().await?;
        store.see_schedules(vec![known.sighting()], now).await?;
        let slot =
            Slot { why: "somebody wanted it now".to_owned(), ..new_slot(&known, now, SlotKind::Manual) };
        let due = match key {
            None => add(&store, slot.clone()).await?,
            Some(key) => match store.add_requested(slot.clone(), self.request_of(key)).await? {
                Ok(due) => due,
                Err(RequestedBefore::Same(due)) => {
                    return self.triggered_before(&store, known, due.unwrap_or(now)).await;
                }
                Err(RequestedBefore::Run(run)) => return Err(StartError::KeyUsed(run)),
                Err(RequestedBefore::Schedule(other)) => return Err(used_for(&other)),
            },
        };
        let overlap = match known.compiled.overlap {
            // Whoever waits for it is told, instead of being put into a queue.
            Overlap::Queue => Overlap::Skip,
            other => other,
        };
        let claimed = store.claim_slot((&known.key, due), overlap, slot.at).await?;
        let (slot, cancel) = match claimed {
            Claimed::Mine(slot, cancel) => (slot, cancel),
            // The scheduler was faster.
            Claimed::Gone => return self.triggered_before(&store, known, due).await,
            Claimed::Waits | Claimed::Skipped => {
                let message =
                    format!("what was due of `{name}` still goes on; `aa schedule why {name}` says more");
                return Err(StartError::Refused(message));
            }
        };
        let owner = self.for_schedule(&known)?;
        for run in cancel {
            owner.cancel(run, "aa schedule run", "it is run anew").await?;
        }
        self.trigger(known, *slot, (now, park)).await
    }

    /// A request of the caller's with such a key.
    fn request_of(&self, key: &str) -> KeyedRequest {
        let whose = self.caller.whose();
        let Whose { tenant, principal } = &whose;
        let name = format!("request of {tenant} {principal}\n{key}");
        KeyedRequest { run_key: self.scoped_key(key), name, whose }
    }

    /// Refuses a key of a request that has had a schedule run.
    pub(in crate::engine) async fn is_of_no_schedule(&self, key: &str) -> Result<(), StartError> {
        let store = self.parts.store_soon().await?;
        match store.schedule_of_request(&self.request_of(key).name)? {
            Some(schedule) => Err(used_for(&schedule)),
            None => Ok(()),
        }
    }

    async fn trigger(
        &self,
        known: Arc<Known>,
        slot: Slot,
        (now, park): (Time, Park),
    ) -> Result<Triggered, StartError> {
        let store = self.parts.store_soon().await?;
        match self.start_slot(&known, &slot, park).await {
            Ok(handle) => {
                store.slot_started(&slot, handle.id, now).await?;
                Ok(Triggered { handle, known, slot })
            }
            Err(error) => {
                let end = Settled::quietly(SlotState::Failed, start::told(&error));
                store.settle_slot(&slot, end, now).await?;
                Err(error)
            }
        }
    }

    /// What the same request, or the scheduler, has started or is about to.
    async fn triggered_before(
        &self,
        store: &Store,
        known: Arc<Known>,
        due: Time,
    ) -> Result<Triggered, StartError> {
        let deadline = Instant::now() + PATIENCE;
        let found = loop {
            let slot = store.slot(&known.key, due)?;
            let is_open = slot.as_ref().is_some_and(|slot| slot.state.is_open());
            match slot.and_then(|slot| Some((slot.clone(), slot.run?))) {
                None if is_open && Instant::now() < deadline => sleep(TICK).await,
                found => break found,
            }
        };
        let Some((slot, run)) = found else {
            let message = "what was wanted was not run; `/why` of the schedule says more";
            return Err(StartError::Refused(message.to_owned()));
        };
        let session = format!("schedule {}", known.key);
        let handle = self.for_schedule(&known)?.attend(run, &session).await?;
        Ok(Triggered { handle, known, slot })
    }

    /// Notes how a run went that somebody wanted now, once it is over.
    ///
    /// # Errors
    /// The store cannot be used.
    pub async fn settle_triggered(&self, known: &Known, slot: &Slot) -> Result<(), StoreError> {
        crate::schedule::scheduler::settle_by_hand(self, known, slot).await
    }

    /// The same for whoever does not wait for it. Needs a runtime.
    pub fn settle_later(&self, triggered: Triggered) {
        let engine = self.clone();
        tokio::spawn(async move {
            let Triggered { handle, known, slot } = triggered;
            drop(handle.notices);
            let _over = handle.outcome.await;
            if let Err(error) = engine.settle_triggered(&known, &slot).await {
                tracing::warn!("what has become of a schedule is not written: {error}");
            }
        });
    }

    /// Whether the caller may run, hold and fill in a schedule of this name.
    pub fn steers_schedule(&self, name: &str) -> bool {
        self.caller.is_of_main() && self.caller.grants.lets(ScopeKind::Schedule, name, Effect::Write)
    }

    /// A schedule that the caller may steer.
    fn steered(&self, name: &str) -> Result<Arc<Known>, StartError> {
        let known = self.known_schedule(name)?;
        if self.steers_schedule(name) {
            return Ok(known);
        }
        Err(StartError::NotGranted(format!("the schedule `{name}` in this way")))
    }

    /// A schedule that the caller may have run; with the command by which a person does what they want.
    fn let_run(&self, name: &str, command: &str) -> Result<Arc<Known>, StartError> {
        let known = self.steered(name)?;
        if self.caller.origin == Origin::Cli {
            return Ok(known);
        }
        let skill = &known.compiled.skill;
        let checked = self.for_schedule(&known)?.check(skill, Strictness::default())?;
        let Some(plan) = checked.plan else { return Err(StartError::Invalid(checked.diagnostics)) };
        let effect = plan.effect();
        match self.verdict(effect, true) {
            Verdict::Refuse => return Err(StartError::Denied { what: skill.clone(), effect: word(effect) }),
            // The run is the owner's, so nobody would be asked, or whoever wanted it would be asked themselves.
            Verdict::Ask if self.caller.origin == Origin::Mcp || !self.approves_own() => {
                let message = format!(
                    "what `{name}` runs has to be approved by a person: `aa schedule {command} {name}` in a terminal does it"
                );
                return Err(StartError::Refused(message));
            }
            Verdict::Ask | Verdict::Go => {}
        }
        Ok(known)
    }

    /// That a project may have anything run by a schedule as it is now is said by a person who owns the server: a key
    /// to a schedule is for what it does, and a model does what it reads, also in a project that somebody has cloned.
    fn may_release(&self, known: &Known) -> Result<(), StartError> {
        if self.caller.origin != Origin::Mcp && self.caller.is_of_main() && self.caller.grants.owns_server() {
            return Ok(());
        }
        self.is_released(known)
    }

    /// That a schedule may be run as it is, whoever wants it: one of a project does nothing before somebody has let it.
    fn is_released(&self, known: &Known) -> Result<(), StartError> {
        if known.is_let_run(self.parts.store()?.schedule(&known.key)?.as_ref()) {
            return Ok(());
        }
        let name = &known.compiled.name;
        let message = format!(
            "`{name}` is defined by a project, so a person has to let it run first as it is now: `aa schedule resume {name}` in a terminal"
        );
        Err(StartError::Refused(message))
    }

    /// That what else belongs to the server is the caller's business.
    pub(in crate::engine) fn own_server(&self, what: &str) -> Result<(), StartError> {
        if self.caller.is_of_main() && self.caller.grants.owns_server() {
            return Ok(());
        }
        Err(StartError::NotGranted(what.to_owned()))
    }
}

/// Adds a time that somebody wants now; two may come in one millisecond.
async fn add(store: &Store, mut slot: Slot) -> Result<Time, StoreError> {
    while !store.add_slot(slot.clone()).await? {
        slot.due += TimeDelta::milliseconds(1);
    }
    Ok(slot.due)
}

/// That a key is that of a request for a schedule.
fn used_for(schedule: &str) -> StartError {
    let name = schedule.rsplit_once('\n').map_or(schedule, |(_, name)| name);
    StartError::KeyOfSchedule(name.to_owned())
}
