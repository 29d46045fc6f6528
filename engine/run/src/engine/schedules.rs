//! Schedules for front ends: listed, run, held, explained. What makes them run by themselves is
//! [`crate::schedule::scheduler`].

use std::collections::BTreeSet;
use std::sync::Arc;

use aa_spec::config::ScopeKind;
use aa_spec::diagnostic::Diagnostic;
use aa_spec::name::{fold, suggest};
use chrono::TimeDelta;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::{Engine, RunHandle, StartError};
use crate::event::Time;
use crate::schedule::book::{Book, Broken, Known};
use crate::schedule::service::{SERVICES, Service};
use crate::schedule::why::{Reason, reasons, summed};
use crate::schedule::{Failing, Pause, Remembered, Slot, SlotKind, SlotState, Waiting};
use crate::store::{Notice, ServiceRow, SlotFilter, StoreError};

mod cause;
mod faults;
mod hook;
mod reading;
mod start;
mod steer;
mod waiting;

pub use cause::Cause;
pub(in crate::engine) use faults::KeptFaults;
pub use faults::ScheduleFault;
pub use hook::{Delivery, HookRefusal, Hooks};
pub(crate) use start::told;
pub(crate) use waiting::of_run as waiting_run;

/// Times that a plan of a backfill holds at most.
const BACKFILL: usize = 1000;

/// Times of a window that are looked at for those that have no success.
const LOOKED_AT: usize = 100_000;
/// So many times are looked at for each that is told.
const SUMMED: u32 = 20;

/// A schedule as people see it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ScheduleView {
    /// Its name.
    pub name: String,
    /// What it is for; may be empty.
    pub description: String,
    /// The skill that it runs.
    pub skill: String,
    /// What makes it due, in words.
    pub trigger: String,
    /// The zone of its times.
    pub timezone: String,
    /// File and line.
    pub place: String,
    /// The project that defines it; none for the user's own.
    pub project: Option<String>,
    /// Whether it is in force.
    pub enabled: bool,
    /// Whether it is held, and why.
    pub paused: Option<Pause>,
    /// When it is due next, as far as that can be told.
    pub next: Option<Time>,
    /// What has become of the last time.
    pub last: Option<Slot>,
    /// That a run of it waits for a person, if one does.
    pub waiting: Option<Waiting>,
    /// When a poll last asked, and what came of it.
    pub polled: Option<(Time, String)>,
    /// That a poll fails, if it does.
    pub failing: Option<Failing>,
    /// What is wrong with it; then it does not run.
    pub problems: Vec<String>,
    /// The same with their places, and what to do about it.
    pub faults: Vec<ScheduleFault>,
}

/// What a backfill would run.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct BackfillPlan {
    /// Times without a success, the earliest first.
    pub times: Vec<Time>,
    /// How many times of the window had a success.
    pub done: usize,
    /// Whether there are more than fit in one plan.
    pub more: bool,
}

/// A run that somebody wanted now.
#[derive(Debug)]
pub struct Triggered {
    /// The run.
    pub handle: RunHandle,
    /// The schedule.
    pub known: Arc<Known>,
    /// The time that it counts as.
    pub slot: Slot,
}

impl Engine {
    /// Every schedule, by name.
    ///
    /// # Errors
    /// A folder or file of skills, or the store, cannot be read.
    pub fn schedules(&self, now: Time) -> Result<Vec<ScheduleView>, StartError> {
        let book = self.schedule_book()?;
        let faults = self.schedule_faults(&book)?;
        let (mut remembered, mut waiting) = (self.parts.store()?.all_schedules()?, self.waiting_slots()?);
        let mut views = Vec::new();
        for known in book.known.values().filter(|known| self.shows_schedule(&known.compiled.name)) {
            let wrong = faults.get(&known.key).map(Vec::as_slice).unwrap_or_default();
            let state = (remembered.remove(&*known.key), waiting.remove(&*known.key));
            views.push(self.schedule_view(known, state, wrong, now)?);
        }
        let broken = book.broken.iter().filter(|broken| self.shows_schedule(&broken.name));
        views.extend(broken.map(ScheduleView::of_broken));
        views.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(views)
    }

    /// One schedule, by name.
    ///
    /// # Errors
    /// There is none, or something cannot be read.
    pub fn schedule(&self, name: &str, now: Time) -> Result<ScheduleView, StartError> {
        let book = self.schedule_book()?;
        if !self.shows_schedule(name) {
            return Err(self.unknown(&book, name));
        }
        let broken = book.broken.iter().find(|broken| fold(&broken.name) == fold(name));
        match (book.named(name), broken) {
            (Some(known), _) => {
                let row = self.parts.store()?.schedule(&known.key)?;
                let wrong = self.faults_of(&[known])?.remove(&known.key).unwrap_or_default();
                let waiting = self.waiting_slots()?.remove(&*known.key);
                self.schedule_view(known, (row, waiting), &wrong, now)
            }
            (None, Some(broken)) => Ok(ScheduleView::of_broken(broken)),
            (None, None) => Err(self.unknown(&book, name)),
        }
    }

    /// The next moments at which a schedule is due.
    ///
    /// # Errors
    /// There is none of this name, or something cannot be read.
    pub fn schedule_times(
        &self,
        name: &str,
        after: Time,
        count: usize,
    ) -> Result<(Arc<Known>, Vec<Time>), StartError> {
        let known = self.known_schedule(name)?;
        let times = known.compiled.trigger.between(after, Time::MAX_UTC, known.zone()).take(count).collect();
        Ok((known, times))
    }

    /// What has become of the times of a schedule, the newest first.
    ///
    /// # Errors
    /// There is none of this name, or something cannot be read.
    pub fn schedule_slots(&self, name: &str, filter: &SlotFilter) -> Result<Vec<Slot>, StartError> {
        let known = self.known_schedule(name)?;
        let filter = SlotFilter { schedule: Some(known.key.to_string()), ..filter.clone() };
        let slots = self.parts.store()?.slots(&filter)?;
        Ok(slots.into_iter().map(|slot| self.as_shown(slot)).collect())
    }

    /// Why the last times of a schedule were run or not, the newest first, in plain words.
    ///
    /// # Errors
    /// There is none of this name, or something cannot be read.
    pub fn schedule_why(&self, name: &str, limit: u32, now: Time) -> Result<Vec<Reason>, StartError> {
        let known = self.known_schedule(name)?;
        let store = self.parts.store()?;
        // More than are told, as those that come to the same are told as one.
        let most = limit.saturating_mul(SUMMED);
        let filter =
            SlotFilter { schedule: Some(known.key.to_string()), limit: Some(most), ..SlotFilter::default() };
        let slots: Vec<Slot> = store.slots(&filter)?.into_iter().map(|slot| self.as_shown(slot)).collect();
        let mut slots = summed(slots);
        slots.truncate(limit as usize);
        let waiting = self.waiting_slots()?.remove(&*known.key).map(|waiting| self.as_told(waiting));
        let remembered = store.schedule(&known.key)?;
        let notes = store.scheduler_notes(limit)?;
        let off = self.services()?.into_iter().filter(|service| !service.enabled).collect::<Vec<_>>();
        let is_alive = store.has_scheduler()?;
        let known = (&*known, remembered.as_ref(), waiting.as_ref());
        Ok(reasons(known, (&slots, &notes), (&off, is_alive), now))
    }

    /// The times of a window that have no success.
    ///
    /// # Errors
    /// There is none of this name, it is not due by the clock, the window is none, or something cannot be read.
    pub fn plan_backfill(&self, name: &str, (from, until): (Time, Time)) -> Result<BackfillPlan, StartError> {
        let known = self.known_schedule(name)?;
        let trigger = &known.compiled.trigger;
        if !trigger.is_timed() {
            let message = format!("`{name}` is not due by the clock, so it has no times to fill in");
            return Err(StartError::Refused(message));
        }
        if until < from {
            return Err(StartError::Refused(
                "the window ends before it begins, or is yet to come".to_owned(),
            ));
        }
        let before = until + TimeDelta::milliseconds(1);
        let filter = SlotFilter {
            schedule: Some(known.key.to_string()),
            from: Some(from),
            before: Some(before),
            limit: None,
        };
        let slots = self.parts.store()?.slots(&filter)?;
        let is_over = |slot: &&Slot| slot.state == SlotState::Succeeded || slot.state.is_open();
        let over: BTreeSet<Time> = slots.iter().filter(is_over).map(|slot| slot.due).collect();
        let failed = |slot: &&Slot| matches!(slot.state, SlotState::Failed | SlotState::Cancelled);
        let failed: BTreeSet<Time> = slots.iter().filter(failed).map(|slot| slot.due).collect();
        let from = from - TimeDelta::milliseconds(1);
        let mut all = trigger.between(from, until, known.zone());
        let (mut times, mut again, mut done) = (Vec::new(), Vec::new(), 0);
        for time in all.by_ref().take(LOOKED_AT) {
            if over.contains(&time) {
                done += 1;
            } else if failed.contains(&time) {
                again.push(time);
            } else {
                times.push(time);
            }
            if times.len() > BACKFILL {
                break;
            }
        }
        // What has failed keeps nothing from being run that was not tried yet.
        times.extend(again);
        let more = times.len() > BACKFILL || all.next().is_some();
        times.truncate(BACKFILL);
        times.sort_unstable();
        Ok(BackfillPlan { times, done, more })
    }

    /// The store, for the scheduler.
    pub(crate) async fn schedule_store(&self) -> Result<crate::store::Store, StoreError> {
        self.parts.store_soon().await
    }

    /// The value of a secret, for those who tell people of schedules.
    pub(crate) async fn reveal(&self, name: &str) -> Result<String, String> {
        crate::driver::Secrets::reveal(&*self.parts.secrets, name).await
    }

    /// What requests leave this machine by.
    pub(crate) fn web_client(&self) -> Result<reqwest::Client, crate::tool::ToolError> {
        let toolbox = self.parts.toolbox().map_err(|error| {
            crate::tool::ToolError::new(aa_spec::tool::ErrorKind::Permanent, error.to_string())
        })?;
        toolbox.web().usual()
    }

    /// Whether a living process runs what is due.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn has_scheduler(&self) -> Result<bool, StoreError> {
        self.parts.store()?.has_scheduler()
    }

    /// What can be switched off and on, and how it is switched.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn services(&self) -> Result<Vec<Service>, StoreError> {
        let rows = self.parts.store()?.services()?;
        let service = |(name, about): &(&'static str, &'static str)| {
            let row = rows.iter().find(|row| row.name == *name);
            Service {
                name,
                about,
                enabled: row.is_none_or(|row| row.enabled),
                switched: row.map(|row| (row.by.clone(), row.at)),
            }
        };
        Ok(SERVICES.iter().map(service).collect())
    }

    /// Whether a service is on.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn is_service_enabled(&self, name: &str) -> Result<bool, StoreError> {
        Ok(self.services()?.iter().find(|service| service.name == name).is_none_or(|service| service.enabled))
    }

    /// Switches a service off or on.
    ///
    /// # Errors
    /// There is none of this name, or the caller may not.
    pub async fn set_service(
        &self,
        name: &str,
        enabled: bool,
        by: &str,
        now: Time,
    ) -> Result<(), StartError> {
        self.own_server("the switches of this server")?;
        if !SERVICES.iter().any(|(known, _)| *known == name) {
            let known: Vec<&str> = SERVICES.iter().map(|(name, _)| *name).collect();
            let known = aa_spec::name::list(&known);
            return Err(StartError::Refused(format!("there is no service `{name}`; there are {known}")));
        }
        let did = if enabled { "service.enable" } else { "service.disable" };
        self.note(Some(by), did, &format!("service {name}"), json!({})).await?;
        let store = self.parts.store_soon().await?;
        store.set_service(ServiceRow { name: name.to_owned(), enabled, by: by.to_owned(), at: now }).await?;
        Ok(())
    }

    /// What people were told of schedules, the newest first.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn notices(&self, limit: u32) -> Result<Vec<Notice>, StoreError> {
        self.parts.store()?.notices(limit)
    }

    /// The same for callers, of whom only the owner of the server is told: a message is of all schedules.
    ///
    /// # Errors
    /// The caller may not, or the store cannot be read.
    pub fn notices_for_owner(&self, limit: u32) -> Result<Vec<Notice>, StartError> {
        self.own_server("what people were told of schedules")?;
        Ok(self.notices(limit)?)
    }

    fn known_schedule(&self, name: &str) -> Result<Arc<Known>, StartError> {
        let book = self.schedule_book()?;
        if !self.shows_schedule(name) {
            return Err(self.unknown(&book, name));
        }
        if let Some(known) = book.named(name) {
            return Ok(Arc::clone(known));
        }
        match book.broken.iter().find(|broken| fold(&broken.name) == fold(name)) {
            Some(broken) => Err(StartError::Invalid(broken.problems.clone())),
            None => Err(self.unknown(&book, name)),
        }
    }

    /// Whether a schedule of this name is there for the caller. Schedules belong to the machine, and so to no
    /// tenant but the main one.
    pub fn shows_schedule(&self, name: &str) -> bool {
        self.caller.is_of_main() && self.caller.grants.shows(ScopeKind::Schedule, name)
    }

    fn unknown(&self, book: &Book, name: &str) -> StartError {
        let names = book.known.values().map(|known| known.compiled.name.as_str());
        let near = suggest(name, names.filter(|name| self.shows_schedule(name)));
        StartError::UnknownSchedule { name: name.to_owned(), suggestion: near.map(str::to_owned) }
    }

    /// A time as the caller is told of it: the number of a run that is not there for them means nothing.
    fn as_shown(&self, slot: Slot) -> Slot {
        let run = slot.run.filter(|run| self.caller.sees_all() || self.run(*run).is_ok());
        Slot { run, ..slot }
    }

    fn has_skill(&self, skill: &str) -> bool {
        !matches!(super::catalog::find(&self.parts, skill), Err(StartError::UnknownSkill { .. }))
    }

    /// A schedule as people see it: with what is known of it, and what is wrong with it.
    fn schedule_view(
        &self,
        known: &Known,
        (remembered, waiting): (Option<Remembered>, Option<Waiting>),
        wrong: &[Diagnostic],
        now: Time,
    ) -> Result<ScheduleView, StartError> {
        let last =
            SlotFilter { schedule: Some(known.key.to_string()), limit: Some(1), ..SlotFilter::default() };
        let compiled = &known.compiled;
        Ok(ScheduleView {
            name: compiled.name.clone(),
            description: compiled.description.clone(),
            skill: compiled.skill.clone(),
            trigger: known.trigger_text(),
            timezone: known.zone().to_string(),
            place: known.place.to_string(),
            project: known.project.as_ref().map(|folder| folder.display().to_string()),
            enabled: compiled.enabled,
            paused: known.held(remembered.as_ref(), now),
            next: compiled.trigger.next(now, known.zone()),
            last: self.parts.store()?.slots(&last)?.pop().map(|slot| self.as_shown(slot)),
            waiting: waiting.map(|waiting| self.as_told(waiting)),
            failing: remembered.as_ref().and_then(|row| row.failing),
            polled: remembered.and_then(|row| row.polled),
            problems: wrong.iter().map(|problem| problem.message.clone()).collect(),
            faults: wrong.iter().map(ScheduleFault::of).collect(),
        })
    }
}

/// A time of a schedule that is to be run.
pub(crate) fn new_slot(known: &Known, due: Time, kind: SlotKind) -> Slot {
    let deadline = known.compiled.deadline_ms.map(|ms| due + crate::schedule::decide::milliseconds(ms));
    Slot {
        schedule: known.key.to_string(),
        due,
        since: None,
        count: 1,
        kind,
        state: SlotState::Ready,
        at: due,
        attempt: 0,
        run: None,
        started: None,
        ended: None,
        // Nobody waits for what is run by hand, or long after.
        deadline: deadline.filter(|_| !matches!(kind, SlotKind::Manual | SlotKind::Backfill)),
        alerted: None,
        why: String::new(),
        inputs: None,
        owner: None,
    }
}

/// The times that were due while a schedule was held, as one row.
fn while_held(known: &Known, (decided, now): (Time, Time), held: &Pause) -> Option<Slot> {
    let trigger = &known.compiled.trigger;
    if !trigger.is_timed() {
        return None;
    }
    let mut times = trigger.between(decided, now, known.zone()).take(BACKFILL * 10);
    let since = times.next()?;
    let (count, due) = times.fold((1, since), |(count, _), time| (count + 1, time));
    let by = if held.by.is_empty() { String::new() } else { format!(" by {}", held.by) };
    let why = format!("the schedule was held{by} from {}", known.zone().show(held.at));
    let slot = new_slot(known, due, SlotKind::Timed);
    let state = SlotState::Skipped;
    Some(Slot { since: Some(since), count, state, why, ended: Some(now), deadline: None, ..slot })
}

impl ScheduleView {
    fn of_broken(broken: &Broken) -> Self {
        Self {
            name: broken.name.clone(),
            description: String::new(),
            skill: String::new(),
            trigger: String::new(),
            timezone: String::new(),
            place: broken.place.to_string(),
            project: None,
            enabled: false,
            paused: None,
            next: None,
            last: None,
            waiting: None,
            polled: None,
            failing: None,
            problems: broken.problems.iter().map(|problem| problem.message.clone()).collect(),
            faults: broken.problems.iter().map(ScheduleFault::of).collect(),
        }
    }
}
