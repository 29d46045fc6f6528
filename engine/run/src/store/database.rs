//! The database file: opened, recognised and brought up to date.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::{Durability, StoreError};

/// Every format ever written, oldest first; the format number is the position, from 1.
const MIGRATIONS: [&str; 1] = [include_str!("../../migrations/0001_runs_and_events.sql")];

/// The newest format known here.
const KNOWN: i64 = MIGRATIONS.len().cast_signed() as i64;

/// Marks the file as ours; set by the first migration.
const APPLICATION_ID: i64 = 0x6161_5752;

/// Pages in the write-ahead log before they are moved into the database. Every process
/// that opens the store first reads the log through, so it is kept short.
const LOG_PAGES: i64 = 400;

/// How long a write waits for another process to finish its own.
const PATIENCE: Duration = Duration::from_secs(10);
const NAP: Duration = Duration::from_micros(200);

/// The connection that writes; creates the file and migrates it when needed.
pub(super) fn open_writer(path: &Path, durability: Durability) -> Result<Connection, StoreError> {
    let mut db = connect(path, OpenFlags::SQLITE_OPEN_CREATE).map_err(|e| unusable(path, &e))?;
    if recognise(&db, path)? < KNOWN {
        migrate(&mut db, path)?;
    }
    tune_writer(&mut db, durability).map_err(|e| unusable(path, &e))?;
    Ok(db)
}

/// A connection that only reads. The file exists: a writer was opened before.
pub(super) fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let open = || {
        let db = connect(path, OpenFlags::empty())?;
        db.pragma_update(None, "query_only", true)?;
        db.busy_timeout(PATIENCE)?;
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        Ok(db)
    };
    open().map_err(|e: rusqlite::Error| unusable(path, &e))
}

pub(super) fn unusable(path: &Path, error: &dyn std::fmt::Display) -> StoreError {
    StoreError::Unusable { path: path.to_owned(), message: error.to_string() }
}

/// Makes names created in a folder survive a power cut.
pub(super) fn sync_folder(folder: &Path) -> std::io::Result<()> {
    File::open(folder)?.sync_all()
}

fn connect(path: &Path, more: OpenFlags) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | more;
    Connection::open_with_flags(path, flags)
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
    db.pragma_update(None, "wal_autocheckpoint", LOG_PAGES)?;
    // The built-in handler sleeps in whole milliseconds; a commit takes a fraction of one.
    db.busy_handler(Some(|tries: i32| {
        std::thread::sleep(NAP);
        NAP * tries.unsigned_abs() < PATIENCE
    }))
}

fn migrate(db: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let lock = File::create(path.with_extension("lock")).map_err(|e| unusable(path, &e))?;
    lock.lock().map_err(|e| unusable(path, &e))?;
    // Another process may have been faster.
    let found = recognise(db, path)?;
    apply(db, found).map_err(|e| unusable(path, &e))?;
    path.parent().map_or(Ok(()), sync_folder).map_err(|e| unusable(path, &e))
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
