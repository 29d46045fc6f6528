//! Times of schedules as rows: each once, claimed by one process, and what has become of it.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::journal::{Fault, Journal};
use super::notices::News;
use super::schedules::time;
use super::{Store, StoreError};
use crate::caller::Whose;
use crate::event::{RunId, Time};
use crate::schedule::book::Known;
use crate::schedule::decide::{Turn, turn};
use crate::schedule::{Slot, SlotKind, SlotState};

pub(super) const COLUMNS: &str =
    "schedule, due, since, count, kind, state, at, attempt, owner, run, inputs, started, ended,
                       deadline, alerted, why";

/// What came of claiming a time.
#[derive(Clone, Debug, PartialEq)]
pub enum Claimed {
    /// It is this process's to start; these runs are to be cancelled first.
    Mine(Box<Slot>, Vec<RunId>),
    /// Its turn comes when what goes on has ended.
    Waits,
    /// It is not run after all.
    Skipped,
    /// Another process has it, or it is over.
    Gone,
}

/// What has become of an attempt at a time.
#[derive(Clone, Debug)]
pub struct Settled {
    /// How the time stands now.
    pub state: SlotState,
    /// When it is run again, if it is.
    pub again: Option<Time>,
    /// Why; empty leaves what is known.
    pub why: String,
    /// What people are told of it.
    pub news: Option<News>,
}

impl Settled {
    /// The end of a time that nobody is told of.
    pub fn quietly(state: SlotState, why: impl Into<String>) -> Self {
        Self { state, again: None, why: why.into(), news: None }
    }
}

/// Which times to look at, the newest first.
#[derive(Clone, Debug, Default)]
pub struct SlotFilter {
    /// Only those of this schedule.
    pub schedule: Option<String>,
    /// Only those from this time on.
    pub from: Option<Time>,
    /// Only those before this time.
    pub before: Option<Time>,
    /// At most so many.
    pub limit: Option<u32>,
}

impl Store {
    /// Times of schedules, the newest first.
    pub fn slots(&self, filter: &SlotFilter) -> Result<Vec<Slot>, StoreError> {
        // Only with what is asked for: else no index could be used.
        let schedule = filter.schedule.as_ref().map_or("?1 is null", |_| "schedule = ?1");
        let from = filter.from.map_or("?2 is null", |_| "due >= ?2");
        let before = filter.before.map_or("?3 is null", |_| "due < ?3");
        let sql = format!(
            "select {COLUMNS} from schedule_slots where {schedule} and {from} and {before}
             order by due desc limit ?4"
        );
        let ms = |time: Option<Time>| time.map(|time| time.timestamp_millis());
        let limit = filter.limit.map_or(-1, i64::from);
        self.some_slots(&sql, params![filter.schedule, ms(filter.from), ms(filter.before), limit])
    }

    /// One time of a schedule.
    pub fn slot(&self, schedule: &str, due: Time) -> Result<Option<Slot>, StoreError> {
        let sql = format!("select {COLUMNS} from schedule_slots where schedule = ? and due = ?");
        Ok(self.some_slots(&sql, params![schedule, due.timestamp_millis()])?.pop())
    }

    /// The time of a schedule that a run was started for last.
    pub fn slot_of(&self, run: RunId) -> Result<Option<Slot>, StoreError> {
        let sql = format!("select {COLUMNS} from schedule_slots where run = ?");
        Ok(self.some_slots(&sql, [run.0])?.pop())
    }

    /// Times of which something will still become, the earliest first. There may be very many.
    #[cfg(test)]
    pub fn open_slots(&self) -> Result<Vec<Slot>, StoreError> {
        let sql = format!(
            "select {COLUMNS} from schedule_slots where state in ('ready', 'claimed', 'running') order by at, due"
        );
        self.some_slots(&sql, [])
    }

    /// Times without a success whose deadline has passed and that nobody was told of.
    pub fn late_slots(&self, now: Time) -> Result<Vec<Slot>, StoreError> {
        let sql = format!(
            "select {COLUMNS} from schedule_slots
             where deadline is not null and alerted is null and state <> 'succeeded' and deadline <= ?
             order by deadline limit 100"
        );
        self.some_slots(&sql, [now.timestamp_millis()])
    }

    /// The next deadline, of times without a success.
    pub fn next_deadline(&self) -> Result<Option<Time>, StoreError> {
        let reader = &self.parts.reader;
        reader.with(|db| {
            let sql = "select min(deadline) from schedule_slots
                       where deadline is not null and alerted is null and state <> 'succeeded'";
            let ms: Option<i64> = db
                .prepare_cached(sql)
                .and_then(|mut select| select.query_row((), |row| row.get(0)))
                .map_err(|e| reader.failed(&e))?;
            Ok(ms.and_then(Time::from_timestamp_millis))
        })
    }

    /// Claims a time that is to be run. In one transaction, so that of all processes one gets it.
    pub async fn claim_slot(
        &self,
        (schedule, due): (&str, Time),
        overlap: aa_spec::schedule::Overlap,
        now: Time,
    ) -> Result<Claimed, StoreError> {
        let schedule = schedule.to_owned();
        self.parts.writer.submit(move |journal| journal.claim_slot((&schedule, due), overlap, now)).await
    }

    /// Takes a claimed time over from a process that has died, or from this one; the same attempt goes on.
    pub async fn take_slot(&self, slot: &Slot) -> Result<bool, StoreError> {
        let slot = slot.clone();
        let work = move |journal: &mut Journal| {
            let own = journal.owner_name()?;
            let lives = |name: &String| *name != own && journal.ownership.is_alive(name);
            if slot.owner.as_ref().is_some_and(lives) {
                return Ok(false);
            }
            let sql = "update schedule_slots set owner = ?
                       where schedule = ? and due = ? and state = 'claimed' and owner is ?";
            let row = params![own, slot.schedule, slot.due.timestamp_millis(), slot.owner];
            Ok(journal.db.prepare_cached(sql)?.execute(row)? == 1)
        };
        self.parts.writer.submit(work).await
    }

    /// Notes the run of a claimed time.
    pub async fn slot_started(&self, slot: &Slot, run: RunId, now: Time) -> Result<(), StoreError> {
        let slot = slot.clone();
        let work = move |journal: &mut Journal| {
            let sql = "update schedule_slots set state = 'running', run = ?, started = ?, owner = null
                       where schedule = ? and due = ? and state = 'claimed' and attempt = ?";
            let row = params![
                run.0,
                now.timestamp_millis(),
                slot.schedule,
                slot.due.timestamp_millis(),
                slot.attempt
            ];
            journal.db.prepare_cached(sql)?.execute(row)?;
            Ok(())
        };
        self.parts.writer.submit(work).await
    }

    /// Notes what has become of an attempt at a time, and writes down whom to tell; true for the one who
    /// is first to do so.
    pub async fn settle_slot(&self, slot: &Slot, end: Settled, now: Time) -> Result<bool, StoreError> {
        let slot = slot.clone();
        let work = move |journal: &mut Journal| {
            let sql = "update schedule_slots set state = ?, why = iif(? = '', why, ?), ended = ?, at = coalesce(?, at),
                       owner = null
                       where schedule = ? and due = ? and attempt = ? and state in ('ready', 'claimed', 'running')";
            let row = params![
                end.state.word(),
                end.why,
                end.why,
                end.again.is_none().then_some(now.timestamp_millis()),
                end.again.map(|at| at.timestamp_millis()),
                slot.schedule,
                slot.due.timestamp_millis(),
                slot.attempt,
            ];
            let is_first = journal.db.prepare_cached(sql)?.execute(row)? == 1;
            end.news.as_ref().filter(|_| is_first).map_or(Ok(()), |news| journal.write_news(news, now))?;
            Ok(is_first)
        };
        self.parts.writer.submit(work).await
    }

    /// Notes something about a time whose run goes on.
    pub async fn note_slot(&self, slot: &Slot, why: &str) -> Result<(), StoreError> {
        let (slot, why) = (slot.clone(), why.to_owned());
        let work = move |journal: &mut Journal| {
            let sql =
                "update schedule_slots set why = ? where schedule = ? and due = ? and state = 'running'";
            let row = params![why, slot.schedule, slot.due.timestamp_millis()];
            journal.db.prepare_cached(sql)?.execute(row)?;
            Ok(())
        };
        self.parts.writer.submit(work).await
    }

    /// Writes down whom to tell that a time has no success, once.
    pub async fn alert_slot(&self, slot: &Slot, news: Option<News>, now: Time) -> Result<(), StoreError> {
        let slot = slot.clone();
        let work = move |journal: &mut Journal| {
            let sql = "update schedule_slots set alerted = ?
                       where schedule = ? and due = ? and alerted is null and state <> 'succeeded'";
            let row = params![now.timestamp_millis(), slot.schedule, slot.due.timestamp_millis()];
            let is_first = journal.db.prepare_cached(sql)?.execute(row)? == 1;
            news.as_ref().filter(|_| is_first).map_or(Ok(()), |news| journal.write_news(news, now))
        };
        self.parts.writer.submit(work).await
    }

    /// Forgets what has become of times before a moment, and what was seen before it.
    pub async fn forget_slots(&self, before: Time) -> Result<(), StoreError> {
        let before = before.timestamp_millis();
        let work = move |journal: &mut Journal| {
            let db = &journal.db;
            let sql =
                "delete from schedule_slots where due < ? and state not in ('ready', 'claimed', 'running')";
            db.prepare_cached(sql)?.execute([before])?;
            db.prepare_cached("delete from schedule_seen where at < ?")?.execute([before])?;
            db.prepare_cached("delete from notices where at < ?")?.execute([before])?;
            Ok(())
        };
        self.parts.writer.submit(work).await
    }

    /// The run that a request of this key has made.
    pub fn run_of_key(&self, whose: &Whose, key: &str) -> Result<Option<RunId>, StoreError> {
        let reader = &self.parts.reader;
        reader.with(|db| {
            let sql = "select id from runs where tenant = ? and principal = ? and request_key = ?";
            let mut select = db.prepare_cached(sql).map_err(|e| reader.failed(&e))?;
            let of = [&whose.tenant, &whose.principal, key];
            let found = select.query_row(of, |row| row.get(0).map(RunId)).optional();
            found.map_err(|e| reader.failed(&e))
        })
    }

    pub(super) fn some_slots(
        &self,
        sql: &str,
        params: impl rusqlite::Params,
    ) -> Result<Vec<Slot>, StoreError> {
        let reader = &self.parts.reader;
        reader.with(|db| {
            let mut select = db.prepare_cached(sql).map_err(|e| reader.failed(&e))?;
            let rows = select.query_map(params, slot).map_err(|e| reader.failed(&e))?;
            rows.collect::<Result<_, _>>().map_err(|e| reader.failed(&e))
        })
    }
}

impl Journal {
    fn claim_slot(
        &mut self,
        (schedule, due): (&str, Time),
        overlap: aa_spec::schedule::Overlap,
        now: Time,
    ) -> Result<Claimed, Fault> {
        let of = params![schedule, due.timestamp_millis()];
        let sql = format!(
            "select {COLUMNS} from schedule_slots where schedule = ? and due = ? and state = 'ready'"
        );
        let found = self.db.prepare_cached(&sql)?.query_row(of, slot).optional()?;
        let Some(mine) = found.filter(|slot| slot.at <= now) else { return Ok(Claimed::Gone) };
        // What waits to be tried again has begun, too; of several of these the earliest is the next.
        let sql = format!(
            "select {COLUMNS} from schedule_slots where schedule = ?1 and due <> ?2
             and (state in ('claimed', 'running') or (state = 'ready' and attempt > 0 and (?3 = 0 or due < ?2)))"
        );
        let began = params![schedule, due.timestamp_millis(), mine.attempt];
        let others = self.db.prepare_cached(&sql)?.query_map(began, slot)?.collect::<Result<Vec<_>, _>>()?;
        // Times of the past that are all wanted come one after the other, and so do attempts at the same one.
        let asked = mine.kind.is_in_turn() || mine.attempt > 0;
        // What has begun waits for none that has not: that one waits for it.
        let begins = mine.attempt == 0 && mine.is_filled_in_turn(overlap);
        if begins && self.has_earlier_to_fill_in(of)? {
            return Ok(Claimed::Waits);
        }
        let overlap = if asked && overlap != aa_spec::schedule::Overlap::Allow {
            aa_spec::schedule::Overlap::Queue
        } else {
            overlap
        };
        if overlap == aa_spec::schedule::Overlap::CancelPrevious && !asked && self.has_later(of, now)? {
            self.end_slot(&mine, SlotState::Cancelled, "the next time was due", now)?;
            return Ok(Claimed::Skipped);
        }
        match turn(overlap, others.len()) {
            Turn::Wait => Ok(Claimed::Waits),
            Turn::Skip => {
                let run = others[0].run.map(|run| format!(" (run {run})")).unwrap_or_default();
                let why = format!("what was due at {}{run} still went on", others[0].due.format("%F %T UTC"));
                self.end_slot(&mine, SlotState::Skipped, &why, now)?;
                Ok(Claimed::Skipped)
            }
            Turn::Go => Ok(Claimed::Mine(Box::new(self.mark_claimed(mine)?), Vec::new())),
            // Nobody can tell yet which run that would be.
            Turn::Replace if others.iter().any(|other| other.state == SlotState::Claimed) => {
                Ok(Claimed::Waits)
            }
            Turn::Replace => {
                for other in others.iter().filter(|other| other.state == SlotState::Ready) {
                    self.end_slot(other, SlotState::Cancelled, "the next time was due", now)?;
                }
                let runs = others.iter().filter(|other| other.state == SlotState::Running);
                let runs = runs.filter_map(|other| other.run).collect();
                Ok(Claimed::Mine(Box::new(self.mark_claimed(mine)?), runs))
            }
        }
    }

    /// Whether an earlier time of the past is still to be run.
    fn has_earlier_to_fill_in(&self, of: &[&dyn rusqlite::ToSql]) -> Result<bool, Fault> {
        let sql = "select exists (select 1 from schedule_slots where schedule = ? and due < ?
                   and kind in ('backfill', 'caught_up') and state = 'ready')";
        Ok(self.db.prepare_cached(sql)?.query_row(of, |row| row.get(0))?)
    }

    /// Whether a later time may be run by now, for which this one would be cancelled at once.
    fn has_later(&self, of: &[&dyn rusqlite::ToSql], now: Time) -> Result<bool, Fault> {
        let sql = "select exists (select 1 from schedule_slots where schedule = ?1 and due > ?2
                   and kind = 'timed' and state = 'ready' and attempt = 0 and at <= ?3)";
        let with = params![of[0], of[1], now.timestamp_millis()];
        Ok(self.db.prepare_cached(sql)?.query_row(with, |row| row.get(0))?)
    }

    /// Takes a time out of the row that has it with others. Its ends stay times that there are, and that nothing else has
    /// become of.
    pub(super) fn take_out(&self, time: Time, known: &Known) -> Result<(), Fault> {
        let sql = format!(
            "select {COLUMNS} from schedule_slots where schedule = ?1 and due >= ?2 and since <= ?2 and count > 1
             and state in ('skipped', 'missed') order by due limit 1"
        );
        let of = params![&*known.key, time.timestamp_millis()];
        let Some(row) = self.db.prepare_cached(&sql)?.query_row(of, slot).optional()? else { return Ok(()) };
        let first = row.since.unwrap_or(row.due);
        let (trigger, zone) = (&known.compiled.trigger, known.zone());
        let a_moment = chrono::TimeDelta::milliseconds(1);
        let since = if time == first {
            self.first_without_row(trigger.between(time, row.due - a_moment, zone), known)?
        } else {
            Some(first)
        };
        let due = if time == row.due {
            let others: Vec<Time> = trigger.between(first - a_moment, time - a_moment, zone).collect();
            self.first_without_row(others.into_iter().rev(), known)?
        } else {
            Some(row.due)
        };
        self.shorten(&row, since.unwrap_or(row.due), due)
    }

    /// Has a row of several times go on for one less of them; with no end left there is none.
    fn shorten(&self, row: &Slot, since: Time, due: Option<Time>) -> Result<(), Fault> {
        let ms = Time::timestamp_millis;
        let Some(due) = due else {
            let sql = "delete from schedule_slots where schedule = ? and due = ?";
            self.db.prepare_cached(sql)?.execute(params![row.schedule, ms(&row.due)])?;
            return Ok(());
        };
        let sql =
            "update schedule_slots set since = ?, due = ?, count = count - 1 where schedule = ? and due = ?";
        let of = params![ms(&since.min(due)), ms(&due), row.schedule, ms(&row.due)];
        self.db.prepare_cached(sql)?.execute(of)?;
        Ok(())
    }

    fn first_without_row(
        &self,
        times: impl Iterator<Item = Time>,
        known: &Known,
    ) -> Result<Option<Time>, Fault> {
        let sql = "select 1 from schedule_slots where schedule = ? and due = ?";
        let mut select = self.db.prepare_cached(sql)?;
        for time in times {
            if !select.exists(params![&*known.key, time.timestamp_millis()])? {
                return Ok(Some(time));
            }
        }
        Ok(None)
    }

    fn mark_claimed(&mut self, slot: Slot) -> Result<Slot, Fault> {
        let own = self.owner_name()?;
        let sql = "update schedule_slots set state = 'claimed', owner = ?, attempt = attempt + 1
                   where schedule = ? and due = ?";
        self.db.prepare_cached(sql)?.execute(params![own, slot.schedule, slot.due.timestamp_millis()])?;
        Ok(Slot { state: SlotState::Claimed, attempt: slot.attempt + 1, owner: Some(own), ..slot })
    }

    fn end_slot(&self, slot: &Slot, state: SlotState, why: &str, now: Time) -> Result<(), Fault> {
        let sql = "update schedule_slots set state = ?, why = ?, ended = ? where schedule = ? and due = ?";
        let (ended, due) = (now.timestamp_millis(), slot.due.timestamp_millis());
        self.db.prepare_cached(sql)?.execute(params![state.word(), why, ended, slot.schedule, due])?;
        Ok(())
    }
}

/// Adds a row; false when there is one of that time.
pub(super) fn insert_slot(db: &Connection, slot: &Slot) -> rusqlite::Result<bool> {
    let sql = "insert or ignore into schedule_slots
               (schedule, due, since, count, kind, state, at, inputs, ended, deadline, why)
               values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    let ms = |time: Option<Time>| time.map(|time| time.timestamp_millis());
    let row = params![
        slot.schedule,
        slot.due.timestamp_millis(),
        ms(slot.since),
        slot.count,
        slot.kind.word(),
        slot.state.word(),
        slot.at.timestamp_millis(),
        slot.inputs,
        ms(slot.ended),
        ms(slot.deadline),
        slot.why,
    ];
    Ok(db.prepare_cached(sql)?.execute(row)? == 1)
}

fn slot(row: &Row<'_>) -> rusqlite::Result<Slot> {
    let maybe = |column: usize| match row.get::<_, Option<i64>>(column)? {
        Some(_) => time(row, column).map(Some),
        None => Ok(None),
    };
    let (kind, state): (String, String) = (row.get(4)?, row.get(5)?);
    Ok(Slot {
        schedule: row.get(0)?,
        due: time(row, 1)?,
        since: maybe(2)?,
        count: row.get(3)?,
        kind: SlotKind::ALL.into_iter().find(|of| of.word() == kind).unwrap_or(SlotKind::Timed),
        state: SlotState::ALL.into_iter().find(|of| of.word() == state).unwrap_or(SlotState::Missed),
        at: time(row, 6)?,
        attempt: row.get(7)?,
        owner: row.get(8)?,
        run: row.get::<_, Option<i64>>(9)?.map(RunId),
        inputs: row.get(10)?,
        started: maybe(11)?,
        ended: maybe(12)?,
        deadline: maybe(13)?,
        alerted: maybe(14)?,
        why: row.get(15)?,
    })
}
