//! The audit on disk: written by the one writer, within its transaction, so that two processes cannot both bind
//! an entry to the same one.

use chrono::Utc;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::{Map, Value, json};

use super::journal::Journal;
use super::schedules::time;
use super::{Store, StoreError};
use crate::audit::{Chain, Check, Ends, Entry, Fault, Kept, Mark, NO_ENDS, UNTRUSTED, digest};
use crate::event::Time;

/// Events of runs that somebody has caused, by their kind, and what that is called here.
const TAKEN_IN: [(&str, &str); 5] = [
    ("skill_started", "run.start"),
    ("confirm_answered", "run.answer"),
    ("cancel_requested", "run.cancel"),
    ("step_resolved", "run.resolve"),
    ("undo_started", "run.undo"),
];

/// Events that one write takes in.
const PAGE: u32 = 1000;

/// Longest answer that is told; what people fill in may be long and private.
const ANSWER: usize = 64;

/// Which entries to list, the newest first.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// Only of them.
    pub who: Option<String>,
    /// Only what begins like this, e.g. `run.` or `run.start`.
    pub did: Option<String>,
    /// Only of this thing, e.g. `run 12`.
    pub what: Option<String>,
    /// Only from this time on.
    pub since: Option<Time>,
    /// Only before this entry.
    pub before: Option<u64>,
    /// At most so many.
    pub limit: Option<u32>,
}

/// What checking an audit has found.
#[derive(Clone, Debug, PartialEq)]
pub struct Audited {
    /// What is wrong, if anything is.
    pub fault: Option<Fault>,
    /// Entries that are as they were written.
    pub entries: u64,
    /// The newest of them.
    pub last: Option<Mark>,
    /// Entries that were removed for their age.
    pub removed: u64,
    /// Events of runs that it has not taken in so far.
    pub pending: u64,
}

impl Store {
    /// Writes entries down, after all that runs have brought about so far. On return they are durable.
    pub async fn audit(&self, chain: &Chain, entries: Vec<Entry>) -> Result<(), StoreError> {
        loop {
            let (chain, entries) = (chain.clone(), entries.clone());
            let work = move |journal: &mut Journal| {
                let mut pen = Pen::new(&journal.db, &chain)?;
                // Of a long journal some at a time: others want to write, too.
                let is_all = pen.take_in()? < PAGE;
                if is_all {
                    entries.iter().try_for_each(|entry| pen.write(entry))?;
                }
                pen.put_down()?;
                Ok(is_all)
            };
            if self.parts.writer.submit(work).await? {
                return Ok(());
            }
        }
    }

    /// Removes entries from before a time, and says so in the audit.
    pub async fn shorten_audit(&self, chain: &Chain, before: Time, told: Entry) -> Result<u64, StoreError> {
        let chain = chain.clone();
        let work = move |journal: &mut Journal| {
            let mut pen = Pen::new(&journal.db, &chain)?;
            let removed = pen.remove(before)?;
            if removed > 0 {
                let detail = json!({ "entries": removed, "up_to": pen.ends.removed.0 });
                pen.write(&Entry { detail, ..told.clone() })?;
                pen.put_down()?;
            }
            Ok(removed)
        };
        self.parts.writer.submit(work).await
    }

    /// Whether runs have brought about something that the audit has not taken in.
    pub fn audit_is_behind(&self) -> Result<bool, StoreError> {
        let sql = "select coalesce((select max(pos) from events), 0) > coalesce((select events from audit_ends), 0)";
        self.parts.reader.ask(|db| db.prepare_cached(sql)?.query_row((), |row| row.get(0)))
    }

    /// Entries, the newest first.
    pub fn audit_entries(&self, filter: &AuditFilter) -> Result<Vec<Kept>, StoreError> {
        let sql = "select seq, at, who, via, did, what, outcome, detail, hash from audit
                   where (?1 is null or who = ?1) and (?2 is null or substr(did, 1, length(?2)) = ?2)
                     and (?3 is null or what = ?3) and (?4 is null or at >= ?4) and (?5 is null or seq < ?5)
                   order by seq desc limit ?6";
        let since = filter.since.map(|time| time.timestamp_millis());
        let before = filter.before.map(u64::cast_signed);
        let limit = filter.limit.map_or(-1, i64::from);
        self.parts.reader.ask(|db| {
            let mut select = db.prepare_cached(sql)?;
            let wanted = params![filter.who, filter.did, filter.what, since, before, limit];
            select.query_map(wanted, kept)?.collect()
        })
    }

    /// Checks that every entry is as it was written, that none is missing, and that the events that it tells of are
    /// as they were. Writes nothing.
    pub fn check_audit(&self, chain: &Chain, mark: Option<Mark>) -> Result<Audited, StoreError> {
        self.parts.reader.ask(|db| {
            // All of one moment, whatever others write meanwhile.
            let moment = db.unchecked_transaction()?;
            let checked = check(&moment, chain, mark);
            moment.finish()?;
            checked
        })
    }
}

fn check(db: &Connection, chain: &Chain, mark: Option<Mark>) -> rusqlite::Result<Audited> {
    let found = ends(db)?;
    let distrust = chain.distrust(found.as_ref());
    let ends = found.as_ref().map(|(ends, _)| ends.clone()).unwrap_or_default();
    let mut check = Check::new(chain.clone(), &ends, mark);
    let (entries, last, fault) = if chain.has_key() { check_all(db, &mut check)? } else { (0, None, None) };
    let distrusted = || {
        let why = distrust.or_else(|| (found.is_none() && entries > 0).then_some(NO_ENDS))?;
        let problem =
            if entries == 0 && chain.has_key() { format!("no entry is left: {why}") } else { why.to_owned() };
        Some(Fault { seq: entries + 1, problem })
    };
    let fault = fault.or_else(distrusted).or_else(|| check.end(&ends).err());
    let sql = "select count(*) from events where pos > ? and kind in
               ('skill_started', 'confirm_answered', 'cancel_requested', 'step_resolved', 'undo_started')";
    let pending = db.query_row(sql, [ends.events], |row| row.get::<_, i64>(0))?.cast_unsigned();
    Ok(Audited { fault, entries, last, removed: ends.removed.0, pending })
}

/// Checks entry by entry; gives how many are as they were written, the last of them, and what is wrong with the next.
fn check_all(db: &Connection, check: &mut Check) -> rusqlite::Result<(u64, Option<Mark>, Option<Fault>)> {
    let (mut entries, mut last) = (0, None);
    let mut select =
        db.prepare("select seq, at, who, via, did, what, outcome, detail, hash from audit order by seq")?;
    for one in select.query_map((), kept)? {
        let one = one?;
        let fault = check.next(&one).err();
        let fault = if fault.is_none() { is_true(db, &one)? } else { fault };
        if fault.is_some() {
            return Ok((entries, last, fault));
        }
        entries += 1;
        last = Some(Mark { seq: one.seq, hash: one.hash });
    }
    Ok((entries, last, None))
}

/// Whether the event that an entry tells of is still what it was.
fn is_true(db: &Connection, kept: &Kept) -> rusqlite::Result<Option<Fault>> {
    let event = &kept.entry.detail["event"];
    let (Some(run), Some(seq), Some(hash)) =
        (event["run"].as_i64(), event["seq"].as_i64(), event["hash"].as_str())
    else {
        return Ok(None);
    };
    let mut select = db.prepare_cached("select blob, body from events where run = ? and seq = ?")?;
    let found = select.query_row([run, seq], |row| text_hash(row, 0)).optional()?;
    let problem = match found {
        Some(found) if found == hash => return Ok(None),
        Some(_) => "was changed",
        None => "is gone",
    };
    let problem = format!("event {seq} of run {run}, which it tells of, {problem}");
    Ok(Some(Fault { seq: kept.seq, problem }))
}

/// Of the columns `blob` and `body`: big texts are known by their hash already.
fn text_hash(row: &Row<'_>, at: usize) -> rusqlite::Result<String> {
    let (blob, body): (Option<String>, Option<String>) = (row.get(at)?, row.get(at + 1)?);
    Ok(blob.unwrap_or_else(|| digest(&body.unwrap_or_default())))
}

fn kept(row: &Row<'_>) -> rusqlite::Result<Kept> {
    let detail: String = row.get(7)?;
    let entry = Entry {
        at: time(row, 1)?,
        who: row.get(2)?,
        via: row.get(3)?,
        did: row.get(4)?,
        what: row.get(5)?,
        outcome: row.get(6)?,
        // What is no JSON any more has been changed, and its hash will say so.
        detail: serde_json::from_str(&detail).unwrap_or(Value::String(detail)),
    };
    Ok(Kept { seq: row.get::<_, i64>(0)?.cast_unsigned(), entry, hash: row.get(8)? })
}

/// The two ends, and what seals them; none before the first entry.
fn ends(db: &Connection) -> rusqlite::Result<Option<(Ends, String)>> {
    let sql = "select events, removed, removed_hash, last, last_hash, seal from audit_ends";
    let read = |row: &Row<'_>| {
        let number = |at| Ok::<_, rusqlite::Error>(row.get::<_, i64>(at)?.cast_unsigned());
        let ends =
            Ends { events: row.get(0)?, removed: (number(1)?, row.get(2)?), last: (number(3)?, row.get(4)?) };
        Ok((ends, row.get(5)?))
    };
    db.prepare_cached(sql)?.query_row((), read).optional()
}

/// Writes entries, within a transaction.
struct Pen<'a> {
    db: &'a Connection,
    chain: &'a Chain,
    ends: Ends,
}

impl<'a> Pen<'a> {
    fn new(db: &'a Connection, chain: &'a Chain) -> rusqlite::Result<Self> {
        let found = ends(db)?;
        let distrust = chain.distrust(found.as_ref());
        let ends = found.map(|(ends, _)| ends).unwrap_or_default();
        let mut pen = Self { db, chain, ends };
        if let Some(why) = distrust {
            pen.begin_anew(why)?;
        }
        Ok(pen)
    }

    /// Goes on behind what cannot be trusted, and says so for ever: the next seal would make good what was done.
    fn begin_anew(&mut self, why: &str) -> rusqlite::Result<()> {
        tracing::error!("the audit cannot be trusted: {why}");
        let last =
            self.db.query_row("select coalesce(max(seq), 0) from audit", (), |row| row.get::<_, i64>(0))?;
        self.ends.last.0 = self.ends.last.0.max(last.cast_unsigned());
        self.write(&Entry {
            at: Utc::now(),
            who: "audit".to_owned(),
            via: "serve".to_owned(),
            did: UNTRUSTED.to_owned(),
            what: "audit".to_owned(),
            outcome: "ok".to_owned(),
            detail: json!({ "problem": why }),
        })
    }

    fn write(&mut self, entry: &Entry) -> rusqlite::Result<()> {
        let seq = self.ends.last.0 + 1;
        let hash = self.chain.hash(&self.ends.last.1, seq, entry);
        let sql = "insert into audit (seq, at, who, via, did, what, outcome, detail, hash)
                   values (?, ?, ?, ?, ?, ?, ?, ?, ?)";
        let Entry { at, who, via, did, what, outcome, detail } = entry;
        let (at, detail) = (at.timestamp_millis(), detail.to_string());
        self.db.prepare_cached(sql)?.execute(params![
            seq.cast_signed(),
            at,
            who,
            via,
            did,
            what,
            outcome,
            detail,
            hash
        ])?;
        self.ends.last = (seq, hash);
        Ok(())
    }

    /// Takes in some of what runs have brought about; gives how many events were looked at.
    fn take_in(&mut self) -> rusqlite::Result<u32> {
        let sql = "select pos, events.run, seq, at, source, kind, blob, body, runs.principal, runs.skill
                   from events join runs on runs.id = events.run where pos > ? order by pos limit ?";
        let mut select = self.db.prepare_cached(sql)?;
        let mut rows = select.query(params![self.ends.events, PAGE])?;
        let (mut seen, mut entries) = (0, Vec::new());
        while let Some(row) = rows.next()? {
            seen += 1;
            self.ends.events = row.get(0)?;
            entries.extend(of_event(row)?);
        }
        entries.iter().try_for_each(|entry| self.write(entry))?;
        Ok(seen)
    }

    /// Removes what is older than a time, but for the newest entry; gives how many.
    fn remove(&mut self, before: Time) -> rusqlite::Result<u64> {
        let sql = "select max(seq) from audit where seq < ? and at < ?
                   and seq < coalesce((select min(seq) from audit where at >= ?), seq + 1)";
        let ms = before.timestamp_millis();
        let last = self.ends.last.0.cast_signed();
        let upto: Option<i64> = self.db.query_row(sql, [last, ms, ms], |row| row.get(0))?;
        let Some(upto) = upto else { return Ok(0) };
        let hash = self.db.query_row("select hash from audit where seq = ?", [upto], |row| row.get(0))?;
        let removed = self.db.execute("delete from audit where seq <= ?", [upto])?;
        self.ends.removed = (upto.cast_unsigned(), hash);
        Ok(removed as u64)
    }

    fn put_down(self) -> rusqlite::Result<()> {
        let sql =
            "insert or replace into audit_ends (id, events, removed, removed_hash, last, last_hash, seal)
                   values (1, ?, ?, ?, ?, ?, ?)";
        let seal = self.chain.seal(&self.ends);
        let Ends { events, removed, last } = self.ends;
        let (removed, last) = ((removed.0.cast_signed(), removed.1), (last.0.cast_signed(), last.1));
        self.db.prepare_cached(sql)?.execute(params![events, removed.0, removed.1, last.0, last.1, seal])?;
        Ok(())
    }
}

/// What an event says that belongs into the audit, if it does.
fn of_event(row: &Row<'_>) -> rusqlite::Result<Option<Entry>> {
    let kind: String = row.get(5)?;
    let Some((_, did)) = TAKEN_IN.iter().find(|(taken, _)| *taken == kind) else { return Ok(None) };
    let (run, seq): (i64, i64) = (row.get(1)?, row.get(2)?);
    let (principal, skill): (String, String) = (row.get(8)?, row.get(9)?);
    let body: Option<String> = row.get(7)?;
    let body: Value = body.and_then(|body| serde_json::from_str(&body).ok()).unwrap_or_default();
    let mut detail = Map::new();
    detail.insert("skill".to_owned(), skill.into());
    detail.insert("event".to_owned(), json!({"run": run, "seq": seq, "hash": text_hash(row, 6)?}));
    if let Some(request) = body["link"]["request"].as_str() {
        detail.insert("request".to_owned(), request.into());
    }
    for key in ["step", "plan", "dry_run", "reason"] {
        if let Some(value) = body.get(key).filter(|value| **value != "") {
            detail.insert(key.to_owned(), value.clone());
        }
    }
    if let Some(answer) =
        body["answer"].as_str().filter(|answer| answer.len() <= ANSWER && !answer.starts_with('{'))
    {
        detail.insert("answer".to_owned(), answer.into());
    }
    Ok(Some(Entry {
        at: time(row, 3)?,
        who: body["by"].as_str().map_or(principal, str::to_owned),
        via: row.get(4)?,
        did: (*did).to_owned(),
        what: format!("run {run}"),
        outcome: "ok".to_owned(),
        detail: detail.into(),
    }))
}
