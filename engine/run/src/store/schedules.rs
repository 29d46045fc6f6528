//! Schedules as rows: up to when their times are decided, whether they are held, what polls have seen.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::{OptionalExtension, Row, params};

use super::journal::{Fault, Journal};
use super::notices::News;
use super::slots::insert_slot;
use super::{Store, StoreError, row};
use crate::caller::Whose;
use crate::event::{RunId, Time};
use crate::schedule::book::{CHANGED, HELD, Known};
use crate::schedule::{Failing, Note, Pause, Remembered, Slot};

/// Notes that are kept.
const NOTES: i64 = 1000;

/// A schedule that a scheduler or a person looks at.
#[derive(Clone, Debug)]
pub struct Sighting {
    /// Its key.
    pub key: Arc<str>,
    /// Hash of what makes it due.
    pub trigger: String,
    /// Hash of what somebody has to let run; none when nobody has to.
    pub consent: Option<String>,
}

/// What a scheduler compares with what files say now.
#[derive(Clone, Copy, Debug)]
pub struct Mark<'a> {
    /// Up to when its times are decided.
    pub decided: Time,
    /// By what hash it was due then.
    pub trigger: &'a str,
    /// Hash of what somebody let run.
    pub consent: Option<&'a str>,
    /// Whether it is held.
    pub is_held: bool,
}

/// What is written of a schedule in one step.
#[derive(Clone, Debug)]
pub struct Decided {
    /// Its key.
    pub key: Arc<str>,
    /// The mark as it was when this was decided.
    pub from: Time,
    /// The mark as it is then.
    pub until: Time,
    /// Rows for the times between them; a time that has a row keeps it.
    pub slots: Vec<Slot>,
}

/// A request that may come again.
#[derive(Clone, Debug)]
pub struct KeyedRequest {
    /// Whose it is.
    pub whose: Whose,
    /// What it is known by among those for schedules.
    pub name: String,
    /// What a run is known by that it has started otherwise.
    pub run_key: String,
}

/// What a request was for that came before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestedBefore {
    /// The same: the time that it counted as.
    Same(Option<Time>),
    /// Another schedule, by its key.
    Schedule(String),
    /// A run of its own.
    Run(RunId),
}

impl Sighting {
    /// Whether nothing has to be written of it.
    pub(crate) fn is_as(&self, mark: &Mark<'_>) -> bool {
        let is_let = mark.is_held || self.consent.is_none() || self.consent.as_deref() == mark.consent;
        self.trigger == mark.trigger && is_let
    }
}

const COLUMNS: &str =
    "key, decided, seen, paused_at, paused_by, paused_why, polled, polled_text, null, null, consent";
/// The same with how often in a row a poll has failed, and since when: that is kept beside what polls have seen.
const ALL: &str = "key, decided, seen, paused_at, paused_by, paused_why, polled, polled_text,
    (select due from schedule_seen s where s.schedule = schedules.key and s.key = 'poll fails'),
    (select at from schedule_seen s where s.schedule = schedules.key and s.key = 'poll fails'),
    consent";
/// The key of that: those of news say `poll` and a hash.
const FAILS: &str = "poll fails";
/// What the key begins with of a poll that is under way; then comes the name of the process.
const ASKS: &str = "poll asks ";

/// Whose turn it is to ask for a poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PollTurn {
    /// This process's.
    Mine,
    /// Nobody's: it is still being asked from before.
    UnderWay,
    /// Another process has it, or has had it.
    Gone,
}

impl Store {
    /// Takes note of schedules: those that are new, or are due by another rule than before, begin now. Gives
    /// what is known of each. On return it is durable.
    pub async fn see_schedules(&self, of: Vec<Sighting>, now: Time) -> Result<Vec<Remembered>, StoreError> {
        self.parts.writer.submit(move |journal| journal.see_schedules(&of, now)).await
    }

    /// What is known of every schedule, by key.
    pub fn all_schedules(&self) -> Result<HashMap<String, Remembered>, StoreError> {
        let reader = &self.parts.reader;
        reader.with(|db| {
            let sql = format!("select {ALL} from schedules");
            let mut select = db.prepare_cached(&sql).map_err(|e| reader.failed(&e))?;
            let rows = select.query_map((), remembered).map_err(|e| reader.failed(&e))?;
            let keyed = rows.map(|row| row.map(|row| (row.key.clone(), row)));
            keyed.collect::<Result<_, _>>().map_err(|e| reader.failed(&e))
        })
    }

    /// Tells of every schedule by its key up to when its times are decided, and as what it was seen then.
    pub fn marks(&self, mut tell: impl FnMut(&str, Mark<'_>)) -> Result<(), StoreError> {
        let reader = &self.parts.reader;
        reader.with(|db| {
            let sql = "select key, decided, trigger, consent, paused_at is not null from schedules";
            let mut select = db.prepare_cached(sql).map_err(|e| reader.failed(&e))?;
            let mut rows = select.query(()).map_err(|e| reader.failed(&e))?;
            while let Some(row) = rows.next().map_err(|e| reader.failed(&e))? {
                mark(row, &mut tell).map_err(|e| reader.failed(&e))?;
            }
            Ok(())
        })
    }

    /// What is known of a schedule.
    pub fn schedule(&self, key: &str) -> Result<Option<Remembered>, StoreError> {
        let reader = &self.parts.reader;
        reader.with(|db| {
            let sql = format!("select {ALL} from schedules where key = ?");
            let mut select = db.prepare_cached(&sql).map_err(|e| reader.failed(&e))?;
            select.query_row([key], remembered).optional().map_err(|e| reader.failed(&e))
        })
    }

    /// Keys of the schedules that are held.
    pub fn paused_schedules(&self) -> Result<Vec<String>, StoreError> {
        let reader = &self.parts.reader;
        reader.with(|db| {
            let sql = "select key from schedules where paused_at is not null";
            let mut select = db.prepare_cached(sql).map_err(|e| reader.failed(&e))?;
            let rows = select.query_map((), |row| row.get(0)).map_err(|e| reader.failed(&e))?;
            rows.collect::<Result<_, _>>().map_err(|e| reader.failed(&e))
        })
    }

    /// Writes decisions, each only if nobody has decided since; says which were written. On return they
    /// are durable.
    pub async fn decide_slots(&self, of: Vec<Decided>) -> Result<Vec<bool>, StoreError> {
        self.parts.writer.submit(move |journal| of.iter().map(|of| journal.decide(of)).collect()).await
    }

    /// Adds a time that no clock has brought; false when there is a row of that time.
    pub async fn add_slot(&self, slot: Slot) -> Result<bool, StoreError> {
        self.parts.writer.submit(move |journal| Ok(insert_slot(&journal.db, &slot)?)).await
    }

    /// Has a time of the past run that has no success; false when it has one, or is under way. A row for several times
    /// goes on for the others, which `known` tells.
    pub async fn refill_slot(&self, slot: Slot, known: Arc<Known>) -> Result<bool, StoreError> {
        let work = move |journal: &mut Journal| {
            let of = params![slot.schedule, slot.due.timestamp_millis()];
            // What has a row of its own is none of those that another row is for.
            let sql = "select 1 from schedule_slots where schedule = ? and due = ? and count = 1";
            if !journal.db.prepare_cached(sql)?.exists(of)? {
                journal.take_out(slot.due, &known)?;
            }
            let sql = "delete from schedule_slots where schedule = ? and due = ?
                       and state in ('failed', 'cancelled', 'skipped', 'missed') and count = 1";
            journal.db.prepare_cached(sql)?.execute(of)?;
            Ok(insert_slot(&journal.db, &slot)?)
        };
        self.parts.writer.submit(work).await
    }

    /// Adds a time that something new has brought, under the keys that tell it apart. When one of them was
    /// there before, nothing is added and its time is given.
    pub async fn add_news(
        &self,
        slot: Slot,
        keys: Vec<String>,
    ) -> Result<Result<Time, Option<Time>>, StoreError> {
        self.parts.writer.submit(move |journal| journal.add_news(&slot, &keys)).await
    }

    /// Adds a time that a request of this name has brought, unless it came before: then it is said for what.
    pub async fn add_requested(
        &self,
        slot: Slot,
        request: KeyedRequest,
    ) -> Result<Result<Time, RequestedBefore>, StoreError> {
        self.parts.writer.submit(move |journal| journal.add_requested(&slot, &request)).await
    }

    /// The schedule that a request of this name has had run.
    pub fn schedule_of_request(&self, request: &str) -> Result<Option<String>, StoreError> {
        let reader = &self.parts.reader;
        reader.with(|db| {
            let sql = "select key from schedule_seen where schedule = ? limit 1";
            let mut select = db.prepare_cached(sql).map_err(|e| reader.failed(&e))?;
            select.query_row([request], |row| row.get(0)).optional().map_err(|e| reader.failed(&e))
        })
    }

    /// Takes the turn to ask for a poll that was last asked before a time: one process gets it, unless one asks already
    /// that has begun after `longest`. Whoever gets it notes what came of it.
    pub async fn take_poll(
        &self,
        key: &str,
        due: Time,
        (longest, now): (Time, Time),
    ) -> Result<PollTurn, StoreError> {
        let key = key.to_owned();
        self.parts.writer.submit(move |journal| journal.take_poll(&key, due, (longest, now))).await
    }

    /// Notes what came of a poll. One that fails again and again is told once, by the news that are made of how
    /// often it has failed in a row and since when. `asked` is when the turn was taken.
    pub async fn note_poll(
        &self,
        key: &str,
        told: Result<String, String>,
        (asked, now): (Time, Time),
        news: impl Fn(u32, Time) -> Option<News> + Send + 'static,
    ) -> Result<(), StoreError> {
        let key = key.to_owned();
        let work = move |journal: &mut Journal| {
            let asks = format!("{ASKS}{}", journal.owner_name()?);
            // Whoever has the turn by now keeps it.
            let sql = "delete from schedule_seen where schedule = ? and key = ? and at = ?";
            journal.db.prepare_cached(sql)?.execute(params![key, asks, asked.timestamp_millis()])?;
            let text = told.as_ref().map_or_else(|error| format!("it failed: {error}"), Clone::clone);
            let sql = "update schedules set polled_text = ? where key = ?";
            journal.db.prepare_cached(sql)?.execute([&text, &key])?;
            if told.is_ok() {
                let sql = "delete from schedule_seen where schedule = ? and key = ?";
                journal.db.prepare_cached(sql)?.execute([&*key, FAILS])?;
                return Ok(());
            }
            let sql = "insert into schedule_seen (schedule, key, at, due) values (?, ?, ?, 1)
                       on conflict (schedule, key) do update set due = due + 1 returning due, at";
            let (count, since) = journal
                .db
                .prepare_cached(sql)?
                .query_row(params![key, FAILS, now.timestamp_millis()], |row| {
                    Ok((row.get(0)?, time(row, 1)?))
                })?;
            news(count, since).map_or(Ok(()), |news| journal.write_news(&news, now))
        };
        self.parts.writer.submit(work).await
    }

    /// Holds a schedule. False when it is not known.
    pub async fn pause_schedule(&self, key: &str, pause: Pause) -> Result<bool, StoreError> {
        let key = key.to_owned();
        let work = move |journal: &mut Journal| {
            let sql = "update schedules set paused_at = ?, paused_by = ?, paused_why = ? where key = ?";
            let row = params![pause.at.timestamp_millis(), pause.by, pause.why, key];
            Ok(journal.db.prepare_cached(sql)?.execute(row)? == 1)
        };
        self.parts.writer.submit(work).await
    }

    /// Lets a schedule go on with times after `now`, as it is now. False when it is not known.
    pub async fn resume_schedule(&self, of: &Sighting, now: Time) -> Result<bool, StoreError> {
        let of = of.clone();
        let work = move |journal: &mut Journal| {
            let sql = "update schedules set paused_at = null, paused_by = null, paused_why = null,
                       decided = max(decided, ?), consent = ? where key = ?";
            let row = params![now.timestamp_millis(), of.consent, of.key];
            Ok(journal.db.prepare_cached(sql)?.execute(row)? == 1)
        };
        self.parts.writer.submit(work).await
    }

    /// Notes what happened to a scheduler.
    pub async fn note_scheduler(&self, at: Time, text: &str) -> Result<(), StoreError> {
        let text = text.to_owned();
        let work = move |journal: &mut Journal| {
            let owner = journal.owner_name()?;
            let sql = "insert into schedule_notes (at, owner, text) values (?, ?, ?)";
            journal.db.prepare_cached(sql)?.execute(params![at.timestamp_millis(), owner, text])?;
            let sql = "delete from schedule_notes where id <= (select max(id) from schedule_notes) - ?";
            journal.db.prepare_cached(sql)?.execute([NOTES])?;
            Ok(())
        };
        self.parts.writer.submit(work).await
    }

    /// The last notes about schedulers, the newest first.
    pub fn scheduler_notes(&self, limit: u32) -> Result<Vec<Note>, StoreError> {
        let reader = &self.parts.reader;
        reader.with(|db| {
            let sql = "select at, text from schedule_notes order by id desc limit ?";
            let mut select = db.prepare_cached(sql).map_err(|e| reader.failed(&e))?;
            let note = |row: &Row<'_>| Ok(Note { at: time(row, 0)?, text: row.get(1)? });
            let rows = select.query_map([limit], note).map_err(|e| reader.failed(&e))?;
            rows.collect::<Result<_, _>>().map_err(|e| reader.failed(&e))
        })
    }

    /// Whether a living process has a scheduler: the last note of its own does not say that it ended.
    pub fn has_scheduler(&self) -> Result<bool, StoreError> {
        let reader = &self.parts.reader;
        let last: Vec<(String, String)> = reader.with(|db| {
            let sql = "select owner, text from schedule_notes n where id =
                       (select max(id) from schedule_notes where owner = n.owner)";
            let mut select = db.prepare_cached(sql).map_err(|e| reader.failed(&e))?;
            let rows = select.query_map((), |row| Ok((row.get(0)?, row.get(1)?)));
            rows.and_then(Iterator::collect).map_err(|e| reader.failed(&e))
        })?;
        Ok(last.iter().any(|(owner, text)| text != ENDED && reader.is_alive(owner)))
    }
}

/// What is noted when a scheduler ends in order.
pub const ENDED: &str = "the scheduler ended";

impl Journal {
    fn see_schedules(&mut self, of: &[Sighting], now: Time) -> Result<Vec<Remembered>, Fault> {
        let now = now.timestamp_millis();
        let sql = "insert into schedules (key, trigger, decided, seen, paused_at, paused_by, paused_why)
                   values (?1, ?2, ?3, ?3, iif(?4, ?3, null), iif(?4, '', null), iif(?4, ?5, null))
                   on conflict (key) do update set trigger = excluded.trigger, decided = excluded.decided
                   where trigger <> excluded.trigger";
        let mut insert = self.db.prepare_cached(&format!("{sql} returning {COLUMNS}"))?;
        let mut select = self.db.prepare_cached(&format!("select {COLUMNS} from schedules where key = ?"))?;
        let seen = |one: &Sighting| {
            self.hold_changed(one, now)?;
            let row = params![one.key, one.trigger, now, one.consent.is_some(), HELD];
            // Gives nothing when nothing has changed.
            match insert.query_row(row, remembered).optional()? {
                Some(row) => Ok(row),
                None => Ok(select.query_row([&one.key], remembered)?),
            }
        };
        of.iter().map(seen).collect()
    }

    /// Holds a project's schedule that is another one than somebody let run. What was let run before that was
    /// written down is taken for what it is now.
    fn hold_changed(&self, of: &Sighting, now: i64) -> Result<(), Fault> {
        let Some(consent) = &of.consent else { return Ok(()) };
        let sql = "update schedules set consent = ? where key = ? and paused_at is null and consent is null";
        self.db.prepare_cached(sql)?.execute(params![consent, of.key])?;
        let sql = "update schedules set paused_at = ?, paused_by = '', paused_why = ?
                   where key = ? and paused_at is null and consent <> ?";
        self.db.prepare_cached(sql)?.execute(params![now, CHANGED, of.key, consent])?;
        Ok(())
    }

    fn take_poll(&self, key: &str, due: Time, (longest, now): (Time, Time)) -> Result<PollTurn, Fault> {
        let sql = "select 1 from schedules where key = ? and (polled is null or polled < ?)";
        if !self.db.prepare_cached(sql)?.exists(params![key, due.timestamp_millis()])? {
            return Ok(PollTurn::Gone);
        }
        if self.asks(key, longest)? {
            return Ok(PollTurn::UnderWay);
        }
        let sql = "delete from schedule_seen where schedule = ? and key like ? || '%'";
        self.db.prepare_cached(sql)?.execute([key, ASKS])?;
        let sql = "insert into schedule_seen (schedule, key, at) values (?, ?, ?)";
        let asks = format!("{ASKS}{}", self.owner_name()?);
        self.db.prepare_cached(sql)?.execute(params![key, asks, now.timestamp_millis()])?;
        let sql = "update schedules set polled = ?, polled_text = 'asked' where key = ?";
        self.db.prepare_cached(sql)?.execute(params![due.timestamp_millis(), key])?;
        Ok(PollTurn::Mine)
    }

    /// Whether another living process asks for a poll; one knows of oneself what one asks. A mark that is later than now was
    /// made before the clock was put back.
    fn asks(&self, key: &str, longest: Time) -> Result<bool, Fault> {
        let sql = "select substr(key, length(?2) + 1) from schedule_seen
                   where schedule = ?1 and key like ?2 || '%' and at >= ?3";
        let (of, own) = (params![key, ASKS, longest.timestamp_millis()], self.owner_name()?);
        let mut select = self.db.prepare_cached(sql)?;
        let owners = select.query_map(of, |row| row.get(0))?.collect::<Result<Vec<String>, _>>()?;
        Ok(owners.iter().any(|owner| *owner != own && self.ownership.is_alive(owner)))
    }

    fn decide(&mut self, of: &Decided) -> Result<bool, Fault> {
        let sql = "update schedules set decided = ? where key = ? and decided = ?";
        let marks = params![of.until.timestamp_millis(), of.key, of.from.timestamp_millis()];
        if self.db.prepare_cached(sql)?.execute(marks)? == 0 {
            return Ok(false);
        }
        for slot in &of.slots {
            insert_slot(&self.db, slot)?;
        }
        Ok(true)
    }

    fn add_requested(
        &mut self,
        slot: &Slot,
        request: &KeyedRequest,
    ) -> Result<Result<Time, RequestedBefore>, Fault> {
        if let Some(run) = self.run_of(&request.whose, &request.run_key)? {
            return Ok(Err(RequestedBefore::Run(run)));
        }
        // Kept as if the request were a schedule: so it is found whatever schedule it was for.
        let sql = "select key from schedule_seen where schedule = ?1 and key <> ?2 limit 1";
        let other = self.db.prepare_cached(sql)?.query_row([&request.name, &slot.schedule], |row| row.get(0));
        if let Some(other) = other.optional()? {
            return Ok(Err(RequestedBefore::Schedule(other)));
        }
        let added = self.add_news(slot, std::slice::from_ref(&request.name))?;
        if let Ok(due) = added {
            let sql = "insert into schedule_seen (schedule, key, at, due) values (?1, ?2, ?3, ?3)";
            let row = params![request.name, slot.schedule, due.timestamp_millis()];
            self.db.prepare_cached(sql)?.execute(row)?;
        }
        Ok(added.map_err(RequestedBefore::Same))
    }

    fn run_of(&self, whose: &Whose, key: &str) -> Result<Option<RunId>, Fault> {
        let sql = "select id from runs where tenant = ? and principal = ? and request_key = ?";
        let of = [&*whose.tenant, &*whose.principal, key];
        Ok(self.db.prepare_cached(sql)?.query_row(of, |row| row.get(0).map(RunId)).optional()?)
    }

    fn add_news(&mut self, slot: &Slot, keys: &[String]) -> Result<Result<Time, Option<Time>>, Fault> {
        let sql = "select due from schedule_seen where schedule = ? and key = ?";
        for key in keys {
            let known: Option<Option<i64>> =
                self.db.prepare_cached(sql)?.query_row([&slot.schedule, key], |row| row.get(0)).optional()?;
            if let Some(due) = known {
                return Ok(Err(due.and_then(Time::from_timestamp_millis)));
            }
        }
        // Two may come in one millisecond.
        let mut slot = slot.clone();
        while !insert_slot(&self.db, &slot)? {
            slot.due += chrono::TimeDelta::milliseconds(1);
        }
        let sql = "insert into schedule_seen (schedule, key, at, due) values (?1, ?2, ?3, ?3)";
        for key in keys {
            self.db.prepare_cached(sql)?.execute(params![slot.schedule, key, slot.due.timestamp_millis()])?;
        }
        Ok(Ok(slot.due))
    }
}

fn mark(row: &Row<'_>, tell: &mut impl FnMut(&str, Mark<'_>)) -> rusqlite::Result<()> {
    let (trigger, consent) = (row.get_ref(2)?.as_str()?, row.get_ref(3)?.as_str_or_null()?);
    tell(row.get_ref(0)?.as_str()?, Mark { decided: time(row, 1)?, trigger, consent, is_held: row.get(4)? });
    Ok(())
}

fn remembered(row: &Row<'_>) -> rusqlite::Result<Remembered> {
    let paused: Option<i64> = row.get(3)?;
    let pause = match paused {
        Some(_) => Some(Pause {
            at: time(row, 3)?,
            by: row.get::<_, Option<String>>(4)?.unwrap_or_default(),
            why: row.get::<_, Option<String>>(5)?.unwrap_or_default(),
        }),
        None => None,
    };
    let polled = match row.get::<_, Option<i64>>(6)? {
        Some(_) => Some((time(row, 6)?, row.get::<_, Option<String>>(7)?.unwrap_or_default())),
        None => None,
    };
    let failing = match row.get::<_, Option<u32>>(8)? {
        Some(count) => Some(Failing { count, since: time(row, 9)? }),
        None => None,
    };
    let (decided, seen, consent) = (time(row, 1)?, time(row, 2)?, row.get(10)?);
    Ok(Remembered { key: row.get(0)?, decided, seen, pause, consent, polled, failing })
}

/// A column of milliseconds as a moment.
pub(super) fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Time> {
    let ms: i64 = row.get(column)?;
    row::time(ms).map_err(|message| {
        let error = std::io::Error::other(message);
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Integer, Box::new(error))
    })
}
