//! What heal rules did: the bounds on what they may do, over all runs and processes.
//!
//! Who may act is decided within one transaction of the one writer, so two processes cannot
//! both be let through. How a healing went is read from the run's journal: nothing has to be
//! put down by a process that may be dead by then.

use aa_spec::heal::Bounds;
use aa_spec::tool::ErrorKind;
use rusqlite::{OptionalExtension, Row, params};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use super::journal::{Fault, Journal};
use super::memory::{Change, Changed};
use super::{Store, StoreError, row};
use crate::event::{Body, Event, RunId, StepPath, Time};
use crate::heal::learned;
use crate::machine::HealCall;

/// How much longer than allowed a call may take before it counts as lost.
const GRACE_MS: i64 = 30_000;
const HOUR_MS: i64 = 3_600_000;
/// How long healings are kept.
const KEPT_MS: i64 = 90 * 24 * HOUR_MS;
/// Characters of an error that are kept.
const SNIPPET: usize = 200;

const COLUMNS: &str =
    "id, rule, shown, run, step, number, seq, tool, kind, snippet, reused, started_at, ended_at,
  worked, helped, until_at, cancelled";

/// Events that can tell how a healing went, if they are about its step or about no step.
const TELLING: &str = "kind in ('heal_finished', 'heal_started', 'step_completed', 'step_failed',
  'cancel_requested', 'skill_completed', 'skill_failed', 'skill_cancelled')";

/// Whether a rule may act now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entrance {
    /// It may.
    Granted,
    /// Somebody is making the same call.
    Busy,
    /// The same call has just been made, and worked.
    Reused(String),
    /// It must not, for this reason.
    Refused(String),
}

/// One healing that was let through.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct HealRecord {
    /// Number in the store.
    #[serde(skip)]
    pub id: i64,
    /// Which rule.
    pub rule: String,
    /// What was called, in short.
    pub action: String,
    /// For which run.
    pub run: RunId,
    /// For which step.
    pub step: StepPath,
    /// Which healing of the step, from 1.
    pub number: u32,
    /// The first event that can tell how it went.
    #[serde(skip)]
    pub seq: u64,
    /// The tool that had failed; empty for what is no tool.
    pub tool: String,
    /// How it had failed.
    pub kind: String,
    /// The beginning of what it had said.
    pub error: String,
    /// The call was not made: that of somebody else was made use of.
    pub reused: bool,
    /// When it was let through.
    pub started_at: Time,
    /// When its call was over.
    pub ended_at: Option<Time>,
    /// Whether the call worked.
    pub worked: Option<bool>,
    /// Whether the step worked afterwards.
    pub helped: Option<bool>,
    /// The step was cancelled: whether the rule would have helped is not known.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub cancelled: bool,
    #[serde(skip)]
    until_at: i64,
}

/// Whose open healings to look at.
#[derive(Clone, Debug)]
enum Whose {
    Everybody,
    Run(RunId),
    /// Those that have a say in whether a call may be made.
    Call {
        key: String,
        rule: String,
    },
    Rule(String),
}

impl Store {
    /// Lets a rule act, if its bounds allow it. On return that is durable.
    pub async fn admit_heal(&self, run: RunId, call: HealCall, now: Time) -> Result<Entrance, StoreError> {
        self.parts.writer.submit(move |journal| journal.admit_heal(run, &call, now)).await
    }

    /// Whether somebody who lives is making a call. Looks only; [`Self::admit_heal`] decides.
    pub fn is_heal_open(&self, key: &str, now: Time) -> Result<bool, StoreError> {
        let reader = &self.parts.reader;
        let owner = reader.with(|db| {
            let sql = format!(
                "select runs.owner from heals join runs on runs.id = heals.run
                 where heals.id = (select max(id) from heals where action = ? and reused = 0)
                   and heals.ended_at is null and heals.helped is null and heals.until_at > ?
                   and not exists (select 1 from events where events.run = heals.run
                                   and events.seq >= heals.seq and {TELLING}
                                   and (body is null or coalesce(body ->> 'step', heals.step) = heals.step))"
            );
            let now = now.timestamp_millis();
            let found = db
                .prepare_cached(&sql)
                .and_then(|mut select| {
                    select.query_row(params![key, now], |row| row.get::<_, Option<String>>(0)).optional()
                })
                .map_err(|error| reader.failed(&error))?;
            Ok(found.flatten())
        })?;
        Ok(owner.is_some_and(|owner| reader.is_alive(&owner)))
    }

    /// Puts down how a run's healings went, as far as its journal tells.
    pub async fn settle_heals(&self, run: RunId) -> Result<(), StoreError> {
        self.parts.writer.submit(move |journal| journal.settle(&Whose::Run(run))).await
    }

    /// Lets a rule act again that has stopped by itself.
    pub async fn reset_heal(&self, rule: String, now: Time) -> Result<(), StoreError> {
        let sql = "insert into heal_resets (rule, at) values (?, ?) on conflict (rule) do update set at = excluded.at";
        let at = now.timestamp_millis();
        self.parts
            .writer
            .submit(move |journal| {
                Ok(journal.db.prepare_cached(sql)?.execute(params![rule, at]).map(drop)?)
            })
            .await
    }

    /// Every healing, newest first, each with how it went.
    pub async fn heals(&self) -> Result<Vec<HealRecord>, StoreError> {
        self.parts
            .writer
            .submit(|journal| {
                journal.settle(&Whose::Everybody)?;
                journal.records("order by id desc limit 1000", params![])
            })
            .await
    }

    /// Why a rule may not act for the time being, if it has stopped by itself.
    pub async fn stopped_heal(
        &self,
        rule: String,
        bounds: Bounds,
        now: Time,
    ) -> Result<Option<String>, StoreError> {
        self.parts
            .writer
            .submit(move |journal| {
                journal.settle(&Whose::Rule(rule.clone()))?;
                journal.stopped(&rule, &bounds, now)
            })
            .await
    }
}

impl Journal {
    fn admit_heal(&mut self, run: RunId, call: &HealCall, now: Time) -> Result<Entrance, Fault> {
        self.settle(&Whose::Call { key: call.key.clone(), rule: call.rule.clone() })?;
        let seq = i64::try_from(call.seq).unwrap_or(i64::MAX);
        let own = self.records(
            "where run = ? and step = ? and number = ? and seq = ?",
            params![run.0, call.step.0, call.number, seq],
        )?;
        if let Some(own) = own.first() {
            // A dead process had asked; it counts once.
            return Ok(if own.reused { Entrance::Reused(String::new()) } else { Entrance::Granted });
        }
        let entrance = self.entrance(run, call, now)?;
        match &entrance {
            Entrance::Granted => self.enter(run, call, now, false)?,
            Entrance::Reused(_) => self.enter(run, call, now, true)?,
            Entrance::Busy | Entrance::Refused(_) => {}
        }
        Ok(entrance)
    }

    fn entrance(&self, run: RunId, call: &HealCall, now: Time) -> Result<Entrance, Fault> {
        let last =
            self.records("where action = ? and reused = 0 order by id desc limit 1", params![call.key])?;
        if let Some(last) = last.first() {
            if self.is_busy(last, now)? {
                return Ok(Entrance::Busy);
            }
            let reset = self.reset_at(&call.rule)?;
            if let Some(entrance) = after(last, run, call, (now, reset)) {
                return Ok(entrance);
            }
        }
        if let Some(why) = self.stopped(&call.rule, &call.bounds, now)? {
            return Ok(Entrance::Refused(why));
        }
        Ok(self.too_often(run, call, now)?.map_or(Entrance::Granted, Entrance::Refused))
    }

    /// Whether somebody who lives is making a call.
    fn is_busy(&self, last: &HealRecord, now: Time) -> Result<bool, Fault> {
        let open = last.ended_at.is_none() && last.helped.is_none() && last.until_at > now.timestamp_millis();
        Ok(open && self.is_driven(last.run)?)
    }

    /// Why a rule may not act: it has acted as often as it may.
    fn too_often(&self, run: RunId, call: &HealCall, now: Time) -> Result<Option<String>, Fault> {
        let Bounds { per_run, per_hour, .. } = call.bounds;
        let in_run = "select count(*) from heals where rule = ? and reused = 0 and run = ?";
        if self.count(in_run, params![call.rule, run.0])? >= per_run {
            return Ok(Some(format!("it has acted {per_run} times in this run, which is the most")));
        }
        let in_hour = "select count(*) from heals where rule = ? and reused = 0 and started_at > ?";
        let since = now.timestamp_millis() - HOUR_MS;
        let often = self.count(in_hour, params![call.rule, since])? >= per_hour;
        Ok(often.then(|| format!("it has acted {per_hour} times within an hour, which is the most")))
    }

    /// Why a rule has stopped by itself: it has not helped several times in a row.
    fn stopped(&self, rule: &str, bounds: &Bounds, now: Time) -> Result<Option<String>, Fault> {
        let reset = self.reset_at(rule)?;
        let last = self.records(
            "where rule = ? and reused = 0 and helped is not null and cancelled = 0
               and started_at >= ? order by id desc limit ?",
            params![rule, reset.unwrap_or(0), bounds.failures],
        )?;
        let in_vain = last.iter().filter(|record| record.helped == Some(false)).count();
        let Some(newest) = last.first().filter(|_| u32::try_from(in_vain) == Ok(bounds.failures)) else {
            return Ok(None);
        };
        let rested = (now - newest.started_at).num_milliseconds();
        if u64::try_from(rested).unwrap_or(0) >= bounds.rest_ms {
            return Ok(None);
        }
        Ok(Some(format!(
            "it has not helped {in_vain} times in a row and has stopped; `aa heal reset {rule}` starts it again"
        )))
    }

    /// When somebody has let a rule act again, in milliseconds since 1970.
    fn reset_at(&self, rule: &str) -> Result<Option<i64>, Fault> {
        let sql = "select at from heal_resets where rule = ?";
        Ok(self.db.prepare_cached(sql)?.query_row([rule], |row| row.get(0)).optional()?)
    }

    fn enter(&self, run: RunId, call: &HealCall, now: Time, reused: bool) -> Result<(), Fault> {
        let sql =
            "insert into heals (rule, action, shown, run, step, number, seq, tool, kind, snippet, reused,
                     started_at, until_at)
                   values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
        let at = now.timestamp_millis();
        let old = "delete from heals where rule = ? and started_at < ?";
        self.db.prepare_cached(old)?.execute(params![call.rule, at - KEPT_MS])?;
        let lasts = i64::try_from(call.timeout_ms).unwrap_or(i64::MAX / 2).saturating_add(GRACE_MS);
        let snippet: String = call.error.message.chars().take(SNIPPET).collect();
        self.db.prepare_cached(sql)?.execute(params![
            call.rule,
            call.key,
            call.action,
            run.0,
            call.step.0,
            call.number,
            i64::try_from(call.seq).unwrap_or(i64::MAX),
            call.tool,
            kind(call.error.kind),
            snippet,
            reused,
            at,
            at.saturating_add(lasts),
        ])?;
        Ok(())
    }

    /// Puts down how healings went that are not settled yet, and what is learned from it.
    fn settle(&mut self, whose: &Whose) -> Result<(), Fault> {
        let open = match whose {
            Whose::Everybody => self.records("where helped is null", params![])?,
            Whose::Run(run) => self.records("where helped is null and run = ?", params![run.0])?,
            Whose::Call { key, rule } => {
                self.records("where helped is null and (action = ? or rule = ?)", params![key, rule])?
            }
            Whose::Rule(rule) => self.records("where helped is null and rule = ?", params![rule])?,
        };
        for record in open {
            match self.telling(&record) {
                Ok(events) => self.put_down(&record, &events)?,
                // Another run's journal must not keep this one from being healed.
                Err(error) => tracing::warn!(run = %record.run, "cannot tell how a healing went: {error}"),
            }
        }
        Ok(())
    }

    /// The events that tell how a healing went.
    fn telling(&self, record: &HealRecord) -> Result<Vec<Event>, StoreError> {
        let which = format!(
            "({TELLING} or kind = 'step_started') and (body is null or coalesce(body ->> 'step', ?3) = ?3)"
        );
        row::some_events(&self.db, &self.blobs, record.run, (record.seq, &which, &record.step.0))
    }

    fn put_down(&mut self, record: &HealRecord, events: &[Event]) -> Result<(), Fault> {
        let told = told(record.clone(), events);
        if told == *record {
            return Ok(());
        }
        let sql = "update heals set ended_at = ?, worked = ?, helped = ?, cancelled = ? where id = ?";
        let ended = told.ended_at.map(|at| at.timestamp_millis());
        self.db.prepare_cached(sql)?.execute(params![
            ended,
            told.worked,
            told.helped,
            told.cancelled,
            told.id
        ])?;
        if told.helped.is_some() && !told.cancelled { self.learn(&told) } else { Ok(()) }
    }

    /// What the memory of the run's tenant keeps of a healing. The record itself is about a rule of
    /// this machine, and counts for all tenants.
    fn learn(&mut self, record: &HealRecord) -> Result<(), Fault> {
        let at = record.ended_at.unwrap_or(record.started_at);
        let Some(tenant) = self.tenant_of(record.run)? else { return Ok(()) };
        let failures = record.clone();
        self.remember((&tenant, "learned/tool_failures"), record.id, at, move |mapping| {
            learned::record(mapping, &failures, at);
            true
        })?;
        let patterns = record.clone();
        self.remember((&tenant, "learned/patterns"), record.id, at, move |mapping| {
            patterns.helped == Some(true) && learned::count_fixed(mapping, &patterns.tool, &patterns.error)
        })
    }

    fn tenant_of(&self, run: RunId) -> Result<Option<String>, Fault> {
        let mut select = self.db.prepare_cached("select tenant from runs where id = ?")?;
        Ok(select.query_row([run.0], |row| row.get(0)).optional()?)
    }

    fn remember(
        &mut self,
        (tenant, key): (&str, &str),
        id: i64,
        at: Time,
        change: impl Fn(&mut Map<String, Value>) -> bool,
    ) -> Result<(), Fault> {
        let (tenant, id) = (tenant.to_owned(), Some(format!("heal/{id}/{key}")));
        let wanted = Change { tenant, key: key.to_owned(), at, id };
        let stamp = at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        let mut work = |before: Option<Map<String, Value>>| -> Result<Changed, std::convert::Infallible> {
            let mut mapping = before.unwrap_or_default();
            let changed = change(&mut mapping);
            if changed {
                mapping.insert("last_updated".to_owned(), stamp.clone().into());
            }
            Ok(Changed { value: changed.then_some(mapping), answer: Value::Null })
        };
        self.change_memory(&wanted, &mut work).map(drop)
    }

    /// Whether a living process drives a run.
    fn is_driven(&self, run: RunId) -> Result<bool, Fault> {
        let (holder, _) = self.holder(run)?;
        Ok(holder.is_some_and(|name| self.ownership.is_alive(&name)))
    }

    fn count(&self, sql: &str, params: impl rusqlite::Params) -> Result<u32, Fault> {
        Ok(self.db.prepare_cached(sql)?.query_row(params, |row| row.get(0))?)
    }

    fn records(&self, rest: &str, params: impl rusqlite::Params) -> Result<Vec<HealRecord>, Fault> {
        let mut select = self.db.prepare_cached(&format!("select {COLUMNS} from heals {rest}"))?;
        let rows = select.query_map(params, record)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}

/// What the end of the last same call means for another one, if anything. A call that did not work is left alone
/// for a while, unless somebody has let its rule act again since.
fn after(
    last: &HealRecord,
    run: RunId,
    call: &HealCall,
    (now, reset): (Time, Option<i64>),
) -> Option<Entrance> {
    let at = last.ended_at?;
    let HealRecord { action, worked, run: before, .. } = last;
    let others = (*before, &last.step) != (run, &call.step);
    if others && *worked == Some(true) && at >= call.since {
        return Some(Entrance::Reused(format!("{action} worked for run {before} just before")));
    }
    let age = (now - at).num_milliseconds().max(0);
    let is_over = u64::try_from(age).unwrap_or(0) >= call.bounds.cool_down_ms;
    if is_over || reset.is_some_and(|reset| reset >= at.timestamp_millis()) {
        return None;
    }
    let how = if *worked == Some(true) { "worked" } else { "did not work" };
    let seconds = age / 1000;
    let told = format!("{action} {how} {seconds} s ago in run {before}: it is left alone for a while");
    Some(Entrance::Refused(format!("{told}; `aa heal reset {}` ends that", call.rule)))
}

fn record(row: &Row<'_>) -> rusqlite::Result<HealRecord> {
    let time = |ms: i64| Time::from_timestamp_millis(ms).unwrap_or_default();
    Ok(HealRecord {
        id: row.get(0)?,
        rule: row.get(1)?,
        action: row.get(2)?,
        run: RunId(row.get(3)?),
        step: StepPath(row.get(4)?),
        number: row.get(5)?,
        seq: row.get::<_, i64>(6)?.cast_unsigned(),
        tool: row.get(7)?,
        kind: row.get(8)?,
        error: row.get(9)?,
        reused: row.get(10)?,
        started_at: time(row.get(11)?),
        ended_at: row.get::<_, Option<i64>>(12)?.map(time),
        worked: row.get(13)?,
        helped: row.get(14)?,
        until_at: row.get(15)?,
        cancelled: row.get(16)?,
    })
}

/// What a run's events tell of a healing.
fn told(mut record: HealRecord, events: &[Event]) -> HealRecord {
    // Whether the step was attempted again: if not, nothing tells whether the rule helped.
    let (mut stopping, mut again) = (false, false);
    for event in events {
        match &event.body {
            Body::CancelRequested { .. } => stopping = true,
            Body::HealFinished { step, number, healed, .. }
                if *step == record.step && *number == record.number =>
            {
                record.ended_at = Some(event.at);
                record.worked = Some(*healed);
            }
            Body::StepCompleted { step, .. } if *step == record.step => {
                record.helped = Some(record.worked == Some(true));
                break;
            }
            Body::StepStarted { step, .. } if *step == record.step && record.ended_at.is_some() => {
                again = true;
            }
            Body::StepFailed { step, error, .. }
                if *step == record.step
                    && (stopping
                        || error.kind == ErrorKind::Cancelled
                        || record.worked == Some(true) && !again) =>
            {
                (record.helped, record.cancelled) = (Some(false), true);
                break;
            }
            Body::StepFailed { step, .. } | Body::HealStarted { step, .. } if *step == record.step => {
                record.helped = Some(false);
                break;
            }
            Body::SkillCancelled { .. } => {
                (record.helped, record.cancelled) = (Some(false), true);
                break;
            }
            Body::SkillCompleted { .. } | Body::SkillFailed { .. } => {
                record.helped = Some(false);
                break;
            }
            _ => {}
        }
    }
    record
}

fn kind(kind: ErrorKind) -> String {
    serde_json::to_value(kind).ok().and_then(|kind| kind.as_str().map(str::to_owned)).unwrap_or_default()
}
