//! Mistakes that repeat, and the warnings that were given of them.
//!
//! They are read within the transaction that creates or takes over a run, so that a run
//! that has nothing to be warned of pays for one look at an empty table. They are written
//! only after a failure, and after a success that a warning was waiting for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::TimeDelta;
use rusqlite::{Connection, params};

use super::journal::{Fault, Journal};
use super::{Store, StoreError};
use crate::event::{RunId, StepPath, Time};
use crate::mistake::{Mistake, Open, Outcome, Sighting};

/// Most mistakes that are remembered; those seen longest ago are forgotten first.
const MOST: i64 = 1000;

/// Most warnings that may wait for what comes of them, and for how long. A run that was
/// killed says nothing of its own any more.
const MOST_OPEN: i64 = 1000;
const PATIENCE: TimeDelta = TimeDelta::days(30);

/// What is known at a run's start, shared by the writer and whoever starts runs.
#[derive(Clone, Debug, Default)]
pub(super) struct Known(Arc<Mutex<Arc<Vec<Mistake>>>>);

impl Store {
    /// Mistakes as they were known when this process last created or took over a run.
    pub(crate) fn mistakes_at_start(&self) -> Arc<Vec<Mistake>> {
        self.parts.mistakes.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Every mistake, last seen first.
    pub fn mistakes(&self) -> Result<Vec<Mistake>, StoreError> {
        let reader = &self.parts.reader;
        reader.with(|db| load(db).map_err(|e| reader.failed(&e)))
    }

    /// Counts a mistake, and says of the warning that was given, if any, that it did not help.
    pub async fn count_mistake(&self, seen: Sighting) -> Result<(), StoreError> {
        self.parts.writer.submit(move |journal| journal.count_mistake(&seen)).await
    }

    /// Puts down that a warning was given.
    pub async fn put_warning(&self, mistake: String, of: Open, at: Time) -> Result<(), StoreError> {
        self.parts.writer.submit(move |journal| journal.put_warning(&mistake, &of, at)).await
    }

    /// Puts down what came of warnings, and counts it.
    pub async fn settle_warnings(
        &self,
        mistake: String,
        of: Vec<Open>,
        outcome: Outcome,
    ) -> Result<(), StoreError> {
        self.parts.writer.submit(move |journal| journal.settle_warnings(&mistake, &of, outcome)).await
    }

    /// Forgets a mistake; false when there is none of that name.
    pub async fn forget_mistake(&self, id: String) -> Result<bool, StoreError> {
        self.parts.writer.submit(move |journal| journal.forget_mistake(&id)).await
    }
}

impl Journal {
    /// Reads what is known, for the run that is about to start.
    /// Reads them for a run that starts; `any` says whether there may be some.
    pub(super) fn look_up_mistakes(&self, any: bool) -> Result<(), Fault> {
        let known = if any { load(&self.db)? } else { Vec::new() };
        *self.mistakes.0.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(known);
        Ok(())
    }

    fn count_mistake(&mut self, seen: &Sighting) -> Result<(), Fault> {
        let (of, at) = (&seen.mistake, seen.at.timestamp_millis());
        let sql = "insert into mistakes
                   (id, tool, category, mark, error, advice, seen, prevented, false_alarms, first_at, last_at)
                   values (?1, ?2, ?3, ?4, ?5, ?6, 1, 0, 0, ?7, ?7)
                   on conflict (id) do update set seen = seen + 1, error = excluded.error,
                     advice = excluded.advice, last_at = max(last_at, excluded.last_at)";
        self.db.prepare_cached(sql)?.execute(params![
            of.id,
            of.tool,
            name(&of.category),
            json(&of.mark),
            of.error,
            of.advice,
            at,
        ])?;
        self.close(&of.id, &seen.open)?;
        self.prune(seen.at)
    }

    fn put_warning(&mut self, mistake: &str, of: &Open, at: Time) -> Result<(), Fault> {
        let sql = "insert into mistake_warnings (mistake, run, skill, step, at) values (?, ?, ?, ?, ?)";
        let parameters = params![mistake, of.run.0, of.skill, of.step.0, at.timestamp_millis()];
        self.db.prepare_cached(sql)?.execute(parameters)?;
        self.prune_warnings(at)
    }

    /// Forgets warnings that something came of, and those that nothing will come of.
    fn prune_warnings(&self, now: Time) -> Result<(), Fault> {
        let sql = "delete from mistake_warnings where outcome is not null or at < ?1 or id in
                   (select id from mistake_warnings order by id desc limit -1 offset ?2)";
        let oldest = (now - PATIENCE).timestamp_millis();
        self.db.prepare_cached(sql)?.execute(params![oldest, MOST_OPEN])?;
        Ok(())
    }

    fn settle_warnings(&mut self, mistake: &str, of: &[Open], outcome: Outcome) -> Result<(), Fault> {
        let mut settled = 0;
        for open in of {
            settled += self.close(mistake, open)?;
        }
        let sql = match outcome {
            // Several warnings of one mistake that came to nothing are one success.
            Outcome::Prevented => "update mistakes set prevented = prevented + 1 where id = ?",
            Outcome::FalseAlarm => "update mistakes set false_alarms = false_alarms + 1 where id = ?",
            Outcome::Repeated => return Ok(()),
        };
        // Another process may have been first to see it.
        if settled > 0 {
            self.db.prepare_cached(sql)?.execute([mistake])?;
        }
        Ok(())
    }

    /// Forgets a warning that something has come of: only the mistake's counts matter then.
    fn close(&self, mistake: &str, of: &Open) -> Result<usize, Fault> {
        let sql = "delete from mistake_warnings
                   where mistake = ? and run = ? and step = ? and outcome is null";
        Ok(self.db.prepare_cached(sql)?.execute(params![mistake, of.run.0, of.step.0])?)
    }

    fn forget_mistake(&mut self, id: &str) -> Result<bool, Fault> {
        self.db.execute("delete from mistake_warnings where mistake = ?", [id])?;
        Ok(self.db.execute("delete from mistakes where id = ?", [id])? > 0)
    }

    /// Forgets what is not worth remembering any more.
    fn prune(&mut self, now: Time) -> Result<(), Fault> {
        for mistake in load(&self.db)?.iter().filter(|mistake| mistake.is_stale(now)) {
            self.forget_mistake(&mistake.id)?;
        }
        self.db.execute(
            "delete from mistakes where id in (select id from mistakes order by last_at desc, id limit -1 offset ?)",
            [MOST],
        )?;
        self.db.execute("delete from mistake_warnings where mistake not in (select id from mistakes)", ())?;
        self.prune_warnings(now)
    }
}

fn load(db: &Connection) -> rusqlite::Result<Vec<Mistake>> {
    let mut select = db.prepare_cached(
        "select id, tool, category, mark, error, advice, seen, prevented, false_alarms, first_at, last_at
         from mistakes order by last_at desc, id",
    )?;
    let rows = select.query_map((), |row| {
        let time = |index| {
            Ok::<_, rusqlite::Error>(Time::from_timestamp_millis(row.get(index)?).unwrap_or_default())
        };
        let count = |index| Ok::<u32, rusqlite::Error>(u32::try_from(row.get::<_, i64>(index)?).unwrap_or(0));
        let (category, mark): (String, String) = (row.get(2)?, row.get(3)?);
        // A mistake that a newer version has put down says nothing here.
        let known = serde_json::from_str(&mark).ok().zip(serde_json::from_value(category.into()).ok());
        let Some((mark, category)) = known else { return Ok(None) };
        Ok(Some(Mistake {
            id: row.get(0)?,
            tool: row.get(1)?,
            category,
            mark,
            error: row.get(4)?,
            advice: row.get(5)?,
            seen: count(6)?,
            prevented: count(7)?,
            false_alarms: count(8)?,
            first_at: time(9)?,
            last_at: time(10)?,
            open: Vec::new(),
        }))
    })?;
    let mut known = rows.filter_map(Result::transpose).collect::<Result<Vec<_>, _>>()?;
    if known.is_empty() {
        return Ok(known);
    }
    let places: HashMap<String, usize> =
        known.iter().enumerate().map(|(place, mistake)| (mistake.id.clone(), place)).collect();
    let sql = "select mistake, run, skill, step from mistake_warnings where outcome is null order by id";
    let mut select = db.prepare_cached(sql)?;
    let mut rows = select.query(())?;
    while let Some(row) = rows.next()? {
        let of: String = row.get(0)?;
        let open = Open { run: RunId(row.get(1)?), skill: row.get(2)?, step: StepPath(row.get(3)?) };
        if let Some(place) = places.get(&of) {
            known[*place].open.push(open);
        }
    }
    Ok(known)
}

/// The name by which a value of ours is written.
fn name(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    }
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
