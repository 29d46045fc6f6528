//! The database file: opened, recognised and brought up to date.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use super::{Durability, StoreError};
use crate::cause::cause;

/// Every format ever written, oldest first; the format number is the position, from 1.
pub(super) const MIGRATIONS: [&str; 16] = [
    include_str!("../../migrations/0001_runs_and_events.sql"),
    include_str!("../../migrations/0002_memory.sql"),
    include_str!("../../migrations/0003_knowledge.sql"),
    include_str!("../../migrations/0004_heal.sql"),
    include_str!("../../migrations/0005_trust.sql"),
    include_str!("../../migrations/0006_listeners.sql"),
    include_str!("../../migrations/0007_callers.sql"),
    include_str!("../../migrations/0008_workspaces.sql"),
    include_str!("../../migrations/0009_calls.sql"),
    include_str!("../../migrations/0010_schedules.sql"),
    include_str!("../../migrations/0011_tenants.sql"),
    include_str!("../../migrations/0014_audit.sql"),
    include_str!("../../migrations/0016_browsers.sql"),
    include_str!("../../migrations/0017_tenant_memory.sql"),
    include_str!("../../migrations/0018_schedule_turns.sql"),
    LIVES,
];

/// Makes the table of the times at which a store was put back, unless it is there.
pub(super) const LIVES: &str = include_str!("../../migrations/0019_lives.sql");

/// The newest format known here.
pub(super) const KNOWN: i64 = MIGRATIONS.len().cast_signed() as i64;

/// Marks the file as ours; set by the first migration.
const APPLICATION_ID: i64 = 0x6161_5752;

/// Pages in the write-ahead log that make it worth emptying when there is nothing else
/// to do. The first process to open a store reads its log through, so it is kept short.
const LOG_PAGES: i64 = 64;

/// Pages in the log that force it to be emptied, whatever else there is to do.
const LOG_PAGES_BUSY: i64 = 2000;

/// The log's size from the start. Overwriting is faster than growing: a sync then has no
/// new file size to record.
const LOG_BYTES: usize = 1 << 20;

/// The log is cut back to this size after a rush, in bytes.
const LOG_BYTES_MOST: i64 = 16 << 20;

/// How long a write waits for another process to finish its own.
const PATIENCE: Duration = Duration::from_secs(10);
const NAP: Duration = Duration::from_micros(200);

/// The connection that writes; the file is created and migrated when needed.
pub(super) fn open_writer(path: &Path, durability: Durability) -> Result<Connection, StoreError> {
    if !path.exists() {
        create(path).map_err(|e| unusable(path, &e))?;
    }
    let has_log = log_path(path).exists();
    let mut db = connect(path).map_err(|e| unusable(path, &e))?;
    if recognise(&db, path)? < KNOWN {
        migrate(&mut db, path)?;
    }
    // The first look has created the log; its name must last like what will be in it.
    if !has_log && let Some(folder) = path.parent() {
        sync_folder(folder).map_err(|e| unusable(path, &e))?;
    }
    tune_writer(&mut db, durability).map_err(|e| unusable(path, &e))?;
    Ok(db)
}

/// A connection that only reads. The file exists: a writer was opened before.
pub(super) fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let open = || {
        let db = connect(path)?;
        db.pragma_update(None, "query_only", true)?;
        db.busy_timeout(PATIENCE)?;
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        Ok(db)
    };
    open().map_err(|e: rusqlite::Error| unusable(path, &e))
}

/// Prepares the log for the next writes. Failing to do so costs time later, nothing else.
pub(super) fn tidy_log(db: &Connection, path: &Path) {
    let pages = |mode: &str| {
        let sql = format!("pragma wal_checkpoint({mode})");
        db.query_row(&sql, (), |row| Ok(row.get::<_, i64>(1)? - row.get::<_, i64>(2)?))
    };
    if pages("noop").is_ok_and(|waiting| waiting >= LOG_PAGES) {
        let _ = pages("passive");
    }
    let _ = extend_log(db, path);
}

/// Writes zeros after the log's last page, where a reader stops as at any torn page.
fn extend_log(db: &Connection, path: &Path) -> io::Result<()> {
    let log = log_path(path);
    if fs::metadata(&log)?.len() >= LOG_BYTES as u64 {
        return Ok(());
    }
    // Nobody writes the log while this transaction is open.
    let _turn = Transaction::new_unchecked(db, TransactionBehavior::Immediate).map_err(io::Error::other)?;
    let mut file = OpenOptions::new().append(true).open(&log)?;
    let missing = LOG_BYTES.saturating_sub(usize::try_from(file.metadata()?.len()).unwrap_or(LOG_BYTES));
    file.write_all(&vec![0; missing])?;
    file.sync_data()
}

fn log_path(path: &Path) -> PathBuf {
    path.with_extension("db-wal")
}

pub(super) fn unusable(path: &Path, error: &dyn std::fmt::Display) -> StoreError {
    StoreError::Unusable { path: path.to_owned(), message: cause(error) }
}

/// Makes names created in a folder survive a power cut.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(path, flags)
}

/// Builds an empty store beside its place and moves it there: one sync instead of many.
fn create(path: &Path) -> io::Result<()> {
    let _turn = turn(path)?;
    if path.exists() {
        return Ok(());
    }
    let draft = path.with_extension("draft");
    let _ = fs::remove_file(&draft);
    // What SQLite makes would be for everybody to read, and its log is made like it.
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    build(&draft).map_err(io::Error::other)?;
    File::open(&draft)?.sync_all()?;
    fs::rename(&draft, path)?;
    let folder = path.parent();
    folder.into_iter().chain(folder.and_then(Path::parent)).try_for_each(sync_folder)
}

fn build(draft: &Path) -> rusqlite::Result<()> {
    let mut db = Connection::open(draft)?;
    db.pragma_update(None, "synchronous", "off")?;
    apply(&mut db, 0)?;
    db.close().map_err(|(_, error)| error)
}

/// One process at a time creates or migrates a store.
pub(super) fn turn(path: &Path) -> io::Result<File> {
    let lock = File::create(path.with_extension("lock"))?;
    lock.lock()?;
    Ok(lock)
}

/// The file's format, 0 when it is new.
fn recognise(db: &Connection, path: &Path) -> Result<i64, StoreError> {
    let number = |name| db.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let read = || Ok((number("user_version")?, number("application_id")?));
    let (found, application) = read().map_err(|e: rusqlite::Error| unusable(path, &e))?;
    if found > KNOWN && application == APPLICATION_ID {
        return Err(StoreError::TooNew { path: path.to_owned(), found, known: KNOWN });
    }
    let ours = if found == 0 {
        let tables = db.query_row("select count(*) from sqlite_schema", (), |row| row.get::<_, i64>(0));
        tables.map_err(|e| unusable(path, &e))? == 0
    } else {
        application == APPLICATION_ID
    };
    if ours { Ok(found) } else { Err(unusable(path, &"it is a database of another program")) }
}

fn tune_writer(db: &mut Connection, durability: Durability) -> rusqlite::Result<()> {
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    let synchronous = match durability {
        Durability::Full => "full",
        Durability::Normal => "normal",
    };
    db.pragma_update(None, "synchronous", synchronous)?;
    db.pragma_update(None, "wal_autocheckpoint", LOG_PAGES_BUSY)?;
    db.pragma_update(None, "journal_size_limit", LOG_BYTES_MOST)?;
    // The built-in handler sleeps in whole milliseconds; a commit takes a fraction of one.
    db.busy_handler(Some(|tries: i32| {
        std::thread::sleep(NAP);
        NAP * tries.unsigned_abs() < PATIENCE
    }))
}

fn migrate(db: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let _turn = turn(path).map_err(|e| unusable(path, &e))?;
    // Another process may have been faster.
    let found = recognise(db, path)?;
    apply(db, found).map_err(|e| unusable(path, &e))
}

fn apply(db: &mut Connection, found: i64) -> rusqlite::Result<()> {
    db.pragma_update(None, "journal_mode", "wal")?;
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for migration in MIGRATIONS.iter().skip(usize::try_from(found).unwrap_or(0)) {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "user_version", KNOWN)?;
    transaction.commit()
}
