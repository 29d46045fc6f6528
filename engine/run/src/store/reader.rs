//! The reads, each on a connection of its own so that they never wait for a write.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use aa_spec::plan::Plan;
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter, types::Value as Param};

use super::blobs::Blobs;
use super::{History, Request, RunFilter, RunStatus, RunSummary, StoreError, database, owner, row};
use crate::event::{Body, Event, RunId};

/// Connections kept open between reads.
const IDLE: usize = 4;

const SUMMARY: &str = "select id, skill, plan, status, origin, started_at, ended_at, folder, error, owner,
  (select coalesce(max(seq) + 1, 0) from events where run = runs.id),
  (select body ->> 'stubs' is not null from events where run = runs.id and seq = 0),
  (select blob from events where run = runs.id and seq = 0), principal, tenant from runs";

/// The read side of the store. Connections are opened when first needed.
#[derive(Debug)]
pub(super) struct Reader {
    path: PathBuf,
    owners: PathBuf,
    blobs: Arc<Blobs>,
    idle: Mutex<Vec<Connection>>,
    /// Only compares commits within one connection, so it has its own.
    watch: Mutex<Option<Connection>>,
}

impl Reader {
    pub(super) fn new(path: PathBuf, owners: PathBuf, blobs: Arc<Blobs>) -> Self {
        Self { path, owners, blobs, idle: Mutex::default(), watch: Mutex::default() }
    }

    pub(super) fn events(&self, run: RunId, from: u64) -> Result<Vec<Event>, StoreError> {
        self.with(|db| {
            let events = row::events(db, &self.blobs, run, from)?;
            if events.is_empty() && !self.exists(db, run)? {
                return Err(StoreError::NoRun(run));
            }
            Ok(events)
        })
    }

    pub(super) fn history(&self, run: RunId) -> Result<History, StoreError> {
        self.with(|db| {
            // Or a run could be over of whose last step nothing is known yet.
            let moment = db.unchecked_transaction().map_err(|e| self.failed(&e))?;
            let summary = self.run_in(&moment, run)?;
            let events = row::events(&moment, &self.blobs, run, 0)?;
            Ok(History { run: summary, events, plan: self.plan_in(&moment, run)? })
        })
    }

    pub(super) fn first_event(&self, run: RunId) -> Result<Option<Event>, StoreError> {
        let which = (0, "seq < 1 and ?3 = ''", "");
        self.with(|db| Ok(row::some_events(db, &self.blobs, run, which)?.into_iter().next()))
    }

    pub(super) fn plan(&self, run: RunId) -> Result<Plan, StoreError> {
        self.with(|db| self.plan_in(db, run))
    }

    fn plan_in(&self, db: &Connection, run: RunId) -> Result<Plan, StoreError> {
        let sql = "select json from runs left join plans on hash = plan where id = ?";
        let mut select = db.prepare_cached(sql).map_err(|e| self.failed(&e))?;
        let json: Option<Option<String>> =
            select.query_row([run.0], |row| row.get(0)).optional().map_err(|e| self.failed(&e))?;
        let corrupt = |message| StoreError::Corrupt { run, message };
        let json =
            json.ok_or(StoreError::NoRun(run))?.ok_or_else(|| corrupt("its plan is gone".to_owned()))?;
        row::plan(&json).map_err(corrupt)
    }

    pub(super) fn run(&self, run: RunId) -> Result<RunSummary, StoreError> {
        self.with(|db| self.run_in(db, run))
    }

    fn run_in(&self, db: &Connection, run: RunId) -> Result<RunSummary, StoreError> {
        let sql = format!("{SUMMARY} where id = ?");
        let found = self.summaries(db, (&sql, vec![run.0.into()]), usize::MAX, |_| true)?;
        found.into_iter().next().ok_or(StoreError::NoRun(run))
    }

    pub(super) fn runs(&self, filter: &RunFilter) -> Result<Vec<RunSummary>, StoreError> {
        let (sql, params) = query(filter);
        let limit = filter.limit.map_or(usize::MAX, |limit| limit as usize);
        self.with(|db| self.summaries(db, (&sql, params), limit, |run| filter.wants(run)))
    }

    /// How many runs stand how.
    pub(super) fn run_counts(
        &self,
        (tenant, principal): (Option<&str>, Option<&str>),
        folder: Option<&Path>,
    ) -> Result<BTreeMap<String, u64>, StoreError> {
        let sql = "select status, count(*) from runs
                   where (?3 is null or tenant = ?3) and (?1 is null or principal = ?1) and (?2 is null or folder = ?2)
                   group by status";
        let folder = folder.map(|folder| folder.display().to_string());
        self.with(|db| {
            let mut select = db.prepare_cached(sql).map_err(|e| self.failed(&e))?;
            let rows = select.query_map(params![principal, folder, tenant], |row| {
                Ok((row.get(0)?, row.get::<_, i64>(1)?.cast_unsigned()))
            });
            rows.and_then(Iterator::collect).map_err(|e| self.failed(&e))
        })
    }

    /// Median duration of each step in the last completed runs of a skill, in milliseconds.
    pub(super) fn usual_durations(
        &self,
        (tenant, skill): (&str, &str),
        runs: u32,
    ) -> Result<BTreeMap<String, u64>, StoreError> {
        let sql = "select body ->> 'step', body ->> 'duration_ms' from events
                   where kind = 'step_completed' and body is not null and run in
                     (select id from runs where tenant = ? and skill = ? and status = 'completed' order by id desc limit ?)";
        self.with(|db| {
            let mut select = db.prepare_cached(sql).map_err(|e| self.failed(&e))?;
            let rows = select
                .query_map(params![tenant, skill, runs], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?)));
            let mut durations = BTreeMap::<String, Vec<u64>>::new();
            for row in rows.map_err(|e| self.failed(&e))? {
                let (step, ms) = row.map_err(|e| self.failed(&e))?;
                durations.entry(step).or_default().push(u64::try_from(ms).unwrap_or(0));
            }
            let median = |mut of: Vec<u64>| {
                of.sort_unstable();
                of[of.len() / 2]
            };
            Ok(durations.into_iter().map(|(step, of)| (step, median(of))).collect())
        })
    }

    pub(super) fn inbox(&self, run: RunId) -> Result<Vec<Request>, StoreError> {
        self.with(|db| {
            let sql = "select id, origin, by, ask from requests where run = ? order by id";
            let mut select = db.prepare_cached(sql).map_err(|e| self.failed(&e))?;
            let mut rows = select.query([run.0]).map_err(|e| self.failed(&e))?;
            let mut requests = Vec::new();
            while let Some(found) = rows.next().map_err(|e| self.failed(&e))? {
                requests.push(row::request(found).map_err(|message| StoreError::Corrupt { run, message })?);
            }
            if requests.is_empty() && !self.exists(db, run)? {
                return Err(StoreError::NoRun(run));
            }
            Ok(requests)
        })
    }

    pub(super) fn version(&self) -> Result<i64, StoreError> {
        let mut watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
        let db = match &mut *watch {
            Some(db) => db,
            none => none.insert(database::open_reader(&self.path)?),
        };
        db.pragma_query_value(None, "data_version", |row| row.get(0)).map_err(|e| self.failed(&e))
    }

    fn summaries(
        &self,
        db: &Connection,
        (sql, params): (&str, Vec<Param>),
        limit: usize,
        keep: impl Fn(&RunSummary) -> bool,
    ) -> Result<Vec<RunSummary>, StoreError> {
        let mut living = Living { owners: &self.owners, known: HashMap::new() };
        let mut select = db.prepare_cached(sql).map_err(|e| self.failed(&e))?;
        let mut rows = select.query(params_from_iter(params)).map_err(|e| self.failed(&e))?;
        let mut found = Vec::new();
        while found.len() < limit
            && let Some(row) = rows.next().map_err(|e| self.failed(&e))?
        {
            let mut run = summary(row, &mut living)?;
            run.stubbed = self.is_stubbed(row);
            if keep(&run) {
                found.push(run);
            }
        }
        Ok(found)
    }

    /// Whether the first event, in the row or in a file, names canned answers.
    fn is_stubbed(&self, row: &Row<'_>) -> bool {
        match row.get::<_, Option<String>>(12) {
            Ok(Some(blob)) => {
                let body = self.blobs.get(&blob).ok().and_then(|body| serde_json::from_str(&body).ok());
                matches!(body, Some(Body::SkillStarted { stubs: Some(_), .. }))
            }
            _ => row.get::<_, Option<bool>>(11).ok().flatten().unwrap_or(false),
        }
    }

    fn exists(&self, db: &Connection, run: RunId) -> Result<bool, StoreError> {
        let mut select = db.prepare_cached("select 1 from runs where id = ?").map_err(|e| self.failed(&e))?;
        select.exists([run.0]).map_err(|e| self.failed(&e))
    }

    pub(super) fn with<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let db = match idle {
            Some(db) => db,
            None => database::open_reader(&self.path)?,
        };
        let result = read(&db);
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE {
            idle.push(db);
        }
        result
    }

    /// Whether the process that an owner's name stands for lives.
    pub(super) fn is_alive(&self, owner: &str) -> bool {
        owner::is_alive(&self.owners, owner)
    }

    /// The text of a blob.
    pub(super) fn blob(&self, hash: &str) -> Result<String, String> {
        self.blobs.get(hash)
    }

    /// The same for whoever has nothing else to say of a failure.
    pub(super) fn ask<T>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        self.with(|db| read(db).map_err(|error| self.failed(&error)))
    }

    pub(super) fn failed(&self, error: &rusqlite::Error) -> StoreError {
        database::unusable(&self.path, error)
    }
}

/// Which owners live, each looked up once.
struct Living<'a> {
    owners: &'a Path,
    known: HashMap<String, bool>,
}

impl Living<'_> {
    fn contains(&mut self, name: String) -> bool {
        let owners = self.owners;
        *self.known.entry(name).or_insert_with_key(|name| owner::is_alive(owners, name))
    }
}

/// The statement and its parameters. Liveness is not in the database, so `interrupted`
/// and the limit are left to the caller.
fn query(filter: &RunFilter) -> (String, Vec<Param>) {
    let mut conditions = Vec::new();
    let mut params: Vec<Param> = Vec::new();
    if let Some(skill) = &filter.skill {
        conditions.push("skill = ?".to_owned());
        params.push(aa_spec::name::fold(skill).into());
    }
    // What is interrupted is among what goes on; which of that it is, is seen when it is read.
    let mut stands = Vec::new();
    if !filter.status.is_empty() {
        let holes = vec!["?"; filter.status.len()].join(", ");
        stands.push(format!("status in ({holes})"));
        params.extend(filter.status.iter().map(|status| row::status_name(*status).to_owned().into()));
    }
    if filter.interrupted {
        stands.push("ended_at is null".to_owned());
    }
    if !stands.is_empty() {
        conditions.push(format!("({})", stands.join(" or ")));
    }
    if let Some(tenant) = &filter.tenant {
        conditions.push("tenant = ?".to_owned());
        params.push(tenant.clone().into());
    }
    if let Some(principal) = &filter.principal {
        conditions.push("principal = ?".to_owned());
        params.push(principal.clone().into());
    }
    if let Some(folder) = &filter.folder {
        conditions.push("folder = ?".to_owned());
        params.push(folder.display().to_string().into());
    }
    if let Some(origin) = filter.origin {
        conditions.push("origin = ?".to_owned());
        params.push(origin.name().to_owned().into());
    }
    if let Some(since) = filter.since {
        conditions.push("started_at >= ?".to_owned());
        params.push(since.timestamp_millis().into());
    }
    if let Some(until) = filter.until {
        conditions.push("started_at < ?".to_owned());
        params.push(until.timestamp_millis().into());
    }
    if let Some(before) = filter.before {
        conditions.push("id < ?".to_owned());
        params.push(before.0.into());
    }
    let conditions = if conditions.is_empty() { "1".to_owned() } else { conditions.join(" and ") };
    (format!("{SUMMARY} where {conditions} order by id desc"), params)
}

fn summary(found: &Row<'_>, living: &mut Living<'_>) -> Result<RunSummary, StoreError> {
    let run = RunId(found.get(0).unwrap_or_default());
    let read = || -> rusqlite::Result<_> {
        let times = (found.get(5)?, found.get::<_, Option<i64>>(6)?);
        let names = (found.get::<_, String>(3)?, found.get::<_, String>(4)?);
        let folder: String = found.get(7)?;
        let events = found.get::<_, i64>(10)?.cast_unsigned();
        let owner: Option<String> = found.get(9)?;
        Ok((
            times,
            names,
            folder,
            events,
            owner,
            (found.get(1)?, found.get(2)?, found.get(8)?, found.get(13)?, found.get(14)?),
        ))
    };
    let corrupt = |message: String| StoreError::Corrupt { run, message };
    let (times, names, folder, events, owner, (skill, plan, error, principal, tenant)) =
        read().map_err(|error| corrupt(error.to_string()))?;
    let status = row::status(&names.0).map_err(corrupt)?;
    let parked = status == RunStatus::Waiting && owner.is_none();
    let driven = owner.is_some_and(|name| living.contains(name));
    Ok(RunSummary {
        id: run,
        skill,
        plan,
        status,
        driven: times.1.is_none() && driven,
        interrupted: times.1.is_none() && !driven && !parked,
        origin: row::origin(&names.1).map_err(corrupt)?,
        tenant,
        principal,
        started_at: row::time(times.0).map_err(corrupt)?,
        ended_at: times.1.map(row::time).transpose().map_err(corrupt)?,
        folder: folder.into(),
        events,
        error,
        stubbed: false,
    })
}
