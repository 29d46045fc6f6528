//! The writes: what each does inside the writer's transaction.
//!
//! Every write checks before it changes anything, so that a refused one leaves the
//! transaction it shares with others as it was.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use aa_spec::plan::Plan;
use rusqlite::{Connection, OptionalExtension, params};

use super::blobs::Blobs;
use super::owner::Ownership;
use super::projection::Projection;
use super::row::{self, Entry};
use super::{Ask, Created, Lease, RunStatus, StoreError, database, mistakes};
use crate::event::{Event, Origin, RunId, Time};

const HOLDER: &str = "select owner, epoch from runs where id = ?";
const PROJECT: &str = "update runs set status = ?1, ended_at = ?2, error = ?3,
                       owner = iif(?2 is null, owner, null) where id = ?4";
const FORGET_REQUESTS: &str = "delete from requests where run = ?";

/// The write side of the store, owned by the writer's thread.
pub(super) struct Journal {
    pub(super) db: Connection,
    pub(super) path: PathBuf,
    pub(super) blobs: Arc<Blobs>,
    pub(super) ownership: Arc<Ownership>,
    /// Projections of the runs this process drives: a cache of what their events say.
    pub(super) held: HashMap<RunId, Projection>,
    /// Mistakes as they were known when a run was last created or taken over.
    pub(super) mistakes: mistakes::Known,
}

/// Why a write did not take place.
pub(super) enum Fault {
    /// It must not; it changed nothing.
    Refused(StoreError),
    /// The database failed; the whole transaction is lost.
    Broken(rusqlite::Error),
}

/// A run to be created, ready to be written.
pub(super) struct Birth {
    pub(super) skill: String,
    pub(super) plan: Arc<Plan>,
    pub(super) plan_hash: String,
    pub(super) origin: Origin,
    pub(super) at: Time,
    pub(super) folder: String,
    pub(super) request_key: Option<String>,
    pub(super) tenant: String,
    pub(super) principal: String,
    pub(super) inline_limit: usize,
}

/// Gives the first events of a run once its number is known.
pub(super) type Begin<'a> = &'a mut dyn FnMut(RunId) -> Result<Vec<Event>, StoreError>;

/// Which runs may be taken over.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Takeover {
    /// Only one that goes on.
    Going,
    /// Also one that is over.
    Any,
}

impl Journal {
    pub(super) fn new(db: Connection, path: PathBuf, blobs: Arc<Blobs>, ownership: Arc<Ownership>) -> Self {
        Self { db, path, blobs, ownership, held: HashMap::new(), mistakes: mistakes::Known::default() }
    }

    /// Forgets what a lost transaction may have left in the cache.
    pub(super) fn forget(&mut self) {
        self.held.clear();
    }

    /// Gets ready what the end of a run will need. What goes wrong is seen then.
    pub(super) fn warm(&self) {
        for sql in [HOLDER, PROJECT, FORGET_REQUESTS] {
            let _ready = self.db.prepare_cached(sql);
        }
    }

    pub(super) fn tidy(&self) {
        database::tidy_log(&self.db, &self.path);
    }

    pub(super) fn write_error(&self, error: &dyn std::fmt::Display) -> StoreError {
        StoreError::Write { path: self.path.clone(), message: crate::cause::cause(error) }
    }

    /// Refuses where the file may only be read: a transaction of it begins all the same.
    pub(super) fn may_write(&self) -> Result<(), Fault> {
        if self.db.is_readonly(rusqlite::MAIN_DB)? {
            return Err(self.write_error(&"attempt to write a readonly database").into());
        }
        Ok(())
    }

    pub(super) fn create(&mut self, birth: &Birth, begin: Begin<'_>) -> Result<Created, Fault> {
        if let Some(key) = &birth.request_key {
            let sql = "select id from runs where tenant = ? and principal = ? and request_key = ?";
            let mut find = self.db.prepare_cached(sql)?;
            let of = [&birth.tenant, &birth.principal, key];
            if let Some(id) = find.query_row(of, |row| row.get(0)).optional()? {
                return Ok(Created::Existing(RunId(id)));
            }
        }
        self.may_write()?;
        let (run, has_mistakes) = self.next_run()?;
        self.look_up_mistakes(has_mistakes)?;
        let entries = begin(run)?.into_iter().map(|event| self.entry(event, birth.inline_limit));
        let entries = entries.collect::<Result<Vec<Entry>, StoreError>>()?;
        // Its driver is at work by now: nothing that it does not need may come before.
        let owner = self.owner_name()?;
        self.insert_plan(birth)?;
        self.insert_run(run, birth, &owner)?;
        let mut projection = Projection::default();
        self.insert_events(run, &entries, &mut projection)?;
        self.project(run, &Projection::default(), &projection)?;
        self.hold(run, projection);
        Ok(Created::New(Lease::first(run)))
    }

    pub(super) fn append(&mut self, lease: Lease, entries: &[Entry], taken: &[i64]) -> Result<(), Fault> {
        self.check(lease)?;
        let before = self.projection(lease.run)?;
        let mut after = before.clone();
        if let Some(entry) = entries.iter().zip(before.events..).find(|(entry, next)| entry.seq != *next) {
            let message = format!("event {} came where {} was due", entry.0.seq, entry.1);
            return Err(StoreError::Corrupt { run: lease.run, message }.into());
        }
        self.insert_events(lease.run, entries, &mut after)?;
        for id in taken {
            self.forget_request(lease.run, *id)?;
        }
        self.project(lease.run, &before, &after)?;
        self.hold(lease.run, after);
        Ok(())
    }

    pub(super) fn acquire(&mut self, run: RunId, takeover: Takeover) -> Result<Lease, Fault> {
        let (holder, epoch) = self.holder(run)?;
        if holder.is_some_and(|name| self.ownership.is_alive(&name)) {
            return Err(StoreError::Busy(run).into());
        }
        let projection = self.load(run)?;
        if takeover == Takeover::Going && projection.ended_at().is_some() {
            return Err(StoreError::Over { run, status: projection.status() }.into());
        }
        self.look_up_mistakes(true)?;
        let owner = self.owner_name()?;
        let epoch = epoch + 1;
        let sql = "update runs set owner = ?, epoch = ? where id = ?";
        self.db.prepare_cached(sql)?.execute(params![owner, epoch, run.0])?;
        self.held.insert(run, projection);
        Ok(Lease { run, epoch })
    }

    pub(super) fn release(&mut self, lease: Lease) -> Result<(), Fault> {
        match self.check(lease) {
            // The end of the run had already let it go.
            Err(Fault::Refused(StoreError::Fenced(_))) if self.holder(lease.run)? == (None, lease.epoch) => {
                Ok(())
            }
            Err(fault) => Err(fault),
            Ok(()) => {
                self.db
                    .prepare_cached("update runs set owner = null where id = ?")?
                    .execute([lease.run.0])?;
                self.held.remove(&lease.run);
                Ok(())
            }
        }
    }

    pub(super) fn post(
        &mut self,
        run: RunId,
        from: (Origin, &str),
        at: Time,
        ask: &Ask,
    ) -> Result<i64, Fault> {
        self.holder(run)?;
        let (origin, by) = from;
        let ask = serde_json::to_string(ask).map_err(|error| self.write_error(&error))?;
        let sql = "insert into requests (run, at, origin, by, ask) values (?, ?, ?, ?, ?)";
        self.db.prepare_cached(sql)?.execute(params![
            run.0,
            at.timestamp_millis(),
            origin.name(),
            by,
            ask
        ])?;
        Ok(self.db.last_insert_rowid())
    }

    /// Removes a request from an inbox; false when it is not there any more.
    pub(super) fn forget_request(&self, run: RunId, request: i64) -> Result<bool, Fault> {
        let sql = "delete from requests where id = ? and run = ?";
        Ok(self.db.prepare_cached(sql)?.execute(params![request, run.0])? > 0)
    }

    /// Refuses a lease that is not, or no longer, this process's.
    fn check(&self, lease: Lease) -> Result<(), Fault> {
        let (holder, epoch) = self.holder(lease.run)?;
        let held = epoch == lease.epoch && holder.is_some_and(|name| self.ownership.is_of(&name));
        if held { Ok(()) } else { Err(StoreError::Fenced(lease.run).into()) }
    }

    /// Owner and epoch of a run.
    pub(super) fn holder(&self, run: RunId) -> Result<(Option<String>, i64), Fault> {
        let mut find = self.db.prepare_cached(HOLDER)?;
        let found = find.query_row([run.0], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        found.ok_or_else(|| StoreError::NoRun(run).into())
    }

    pub(super) fn owner_name(&self) -> Result<String, Fault> {
        Ok(self.ownership.name().map_err(|error| self.write_error(&error))?)
    }

    fn insert_plan(&self, birth: &Birth) -> Result<(), Fault> {
        let mut find = self.db.prepare_cached("select 1 from plans where hash = ?")?;
        if find.exists([&birth.plan_hash])? {
            return Ok(());
        }
        let json = serde_json::to_string(&*birth.plan).map_err(|error| self.write_error(&error))?;
        let sql = "insert into plans (hash, json) values (?, ?)";
        self.db.prepare_cached(sql)?.execute(params![birth.plan_hash, json])?;
        Ok(())
    }

    /// The number of the run that is created next, and whether there is any mistake to be warned of.
    fn next_run(&self) -> Result<(RunId, bool), Fault> {
        let sql =
            "select (select seq from sqlite_sequence where name = 'runs'), exists (select 1 from mistakes)";
        let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, Option<i64>>(0)?, row.get(1)?));
        let (last, has_mistakes) = self.db.prepare_cached(sql)?.query_row((), read)?;
        Ok((RunId(last.unwrap_or(0) + 1), has_mistakes))
    }

    fn entry(&self, event: Event, inline_limit: usize) -> Result<Entry, StoreError> {
        let failed = |error: &dyn std::fmt::Display| self.write_error(error);
        let json = serde_json::to_string(&event.body).map_err(|error| failed(&error))?;
        let (json, blob) = if json.len() <= inline_limit {
            (Some(json), None)
        } else {
            (None, Some(self.blobs.put(&json).map_err(|error| failed(&error))?))
        };
        Ok(Entry { seq: event.seq, at: event.at, source: event.source, body: event.body, json, blob })
    }

    fn insert_run(&self, run: RunId, birth: &Birth, owner: &str) -> Result<(), Fault> {
        let sql = "insert into runs
                   (id, skill, plan, status, origin, started_at, folder, request_key, tenant, principal, owner, epoch, error)
                   values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, '')";
        self.db.prepare_cached(sql)?.execute(params![
            run.0,
            birth.skill,
            birth.plan_hash,
            row::status_name(RunStatus::Running),
            birth.origin.name(),
            birth.at.timestamp_millis(),
            birth.folder,
            birth.request_key,
            birth.tenant,
            birth.principal,
            owner,
        ])?;
        Ok(())
    }

    fn insert_events(&self, run: RunId, entries: &[Entry], projection: &mut Projection) -> Result<(), Fault> {
        let sql = "insert into events (run, seq, at, source, kind, blob, body) values (?, ?, ?, ?, ?, ?, ?)";
        let mut insert = self.db.prepare_cached(sql)?;
        for entry in entries {
            insert.execute(params![
                run.0,
                entry.seq.cast_signed(),
                entry.at.timestamp_millis(),
                entry.source.name(),
                entry.body.kind(),
                entry.blob,
                entry.json,
            ])?;
            projection.fold(entry.at, &entry.body);
        }
        Ok(())
    }

    /// Writes what changed in the list of runs. A run that ends is let go of.
    fn project(&self, run: RunId, before: &Projection, after: &Projection) -> Result<(), Fault> {
        let fields = |of: &Projection| (of.status(), of.ended_at(), of.error());
        if fields(before) == fields(after) {
            return Ok(());
        }
        let ended_at = after.ended_at().map(|at| at.timestamp_millis());
        let status = row::status_name(after.status());
        self.db.prepare_cached(PROJECT)?.execute(params![status, ended_at, after.error(), run.0])?;
        if ended_at.is_some() {
            self.db.prepare_cached(FORGET_REQUESTS)?.execute([run.0])?;
        }
        Ok(())
    }

    fn hold(&mut self, run: RunId, projection: Projection) {
        if projection.ended_at().is_some() {
            self.held.remove(&run);
        } else {
            self.held.insert(run, projection);
        }
    }

    fn projection(&self, run: RunId) -> Result<Projection, Fault> {
        match self.held.get(&run) {
            Some(projection) => Ok(projection.clone()),
            None => self.load(run),
        }
    }

    fn load(&self, run: RunId) -> Result<Projection, Fault> {
        let mut projection = Projection::default();
        for event in row::events(&self.db, &self.blobs, run, 0)? {
            projection.fold(event.at, &event.body);
        }
        Ok(projection)
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Broken(error)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Refused(error)
    }
}
