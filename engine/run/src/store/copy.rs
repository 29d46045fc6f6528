//! Copies of a store, taken while it is written to, and put back.
//!
//! A copy is a folder: the database as of one moment, the big texts that it names, the keys of the store, and a
//! list of it all with hashes. Texts are never changed and are on disk before the commit that names them, so
//! those that are copied after the database are all that it needs.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt};
use std::path::{Path, PathBuf};

use chrono::Utc;
use rusqlite::{Connection, OpenFlags};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::database::{self, sync_folder, unusable};
use super::{Store, StoreError};
use crate::event::Time;

/// The database in a store, and in a copy.
const DATABASE: &str = "aa.db";
/// The list of a copy.
const LIST: &str = "backup.json";
/// Beside the database: without these, what keys have sealed cannot be checked, and an audit that was emptied not be told
/// from one that was never begun.
const SEALS: [&str; 3] = ["audit.key", "audit.begun", "seal.key"];

/// What is moved when a copy is put back; whatever else is beside the database stays.
const MOVED: [&str; 5] = [DATABASE, "blobs", "audit.key", "audit.begun", "seal.key"];

/// What a copy holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Copied {
    /// When it was taken.
    pub at: Time,
    /// The format of the database.
    pub format: i64,
    /// Runs in it.
    pub runs: u64,
    /// Events in it.
    pub events: u64,
    /// Its files, by path, with the SHA-256 of each.
    pub files: BTreeMap<String, String>,
}

impl Store {
    /// Copies everything into a folder, which must not be there. Nobody has to wait for it.
    ///
    /// # Errors
    /// The folder is there, or something cannot be read or written.
    pub fn copy_to(&self, folder: &Path) -> Result<Copied, StoreError> {
        let home = self.parts.path.parent().unwrap_or_else(|| Path::new("."));
        let draft = folder.with_extension("part");
        copy(&self.parts.path, home, folder, &draft).map_err(|error| {
            // The error is what matters.
            let _ = fs::remove_dir_all(&draft);
            StoreError::Write { path: folder.to_owned(), message: crate::cause::cause(&error) }
        })
    }
}

/// Puts a copy in the place of a store. What was there is moved into a folder beside it, whose name is given.
///
/// # Errors
/// The copy is not whole, a process uses the store, or something cannot be read or written.
pub fn restore(copy: &Path, store: &Path) -> Result<(Copied, Option<PathBuf>), StoreError> {
    let copied = check(copy).map_err(|error| unusable(copy, &error))?;
    let failed =
        |error: io::Error| StoreError::Write { path: store.to_owned(), message: crate::cause::cause(&error) };
    fs::create_dir_all(store).map_err(failed)?;
    let draft = store.join("restore.part");
    let _none = fs::remove_dir_all(&draft);
    take_in(copy, &draft, &copied).map_err(failed)?;
    begin_life(&draft.join(DATABASE)).map_err(|error| failed(io::Error::other(error)))?;
    let put = || {
        // Nobody makes a new store meanwhile.
        let _turn = database::turn(&store.join(DATABASE))?;
        let aside = put_aside(store)?;
        // The database comes last: it names what has to be there.
        for name in MOVED.iter().rev().filter(|name| draft.join(name).exists()) {
            fs::rename(draft.join(name), store.join(name))?;
        }
        sync_folder(store)?;
        fs::remove_dir_all(&draft)?;
        Ok(aside)
    };
    put().map(|aside| (copied, aside)).map_err(failed)
}

/// Notes that what follows in this database is not what followed before: whoever has listened to that has cursors that
/// mean something else here.
fn begin_life(database: &Path) -> rusqlite::Result<()> {
    let db = Connection::open(database)?;
    db.execute_batch(database::LIVES)?;
    // Later than all before it, whatever clocks say.
    let sql = "insert into lives select max(?, coalesce((select max(life) + 1 from lives), 0))";
    db.execute(sql, [Utc::now().timestamp_millis()])?;
    db.close().map_err(|(_, error)| error)
}

/// Moves a store aside that no process uses.
fn put_aside(store: &Path) -> io::Result<Option<PathBuf>> {
    let database = store.join(DATABASE);
    if !database.exists() {
        return Ok(None);
    }
    quiet(&database)?;
    let aside = beside(store);
    fs::create_dir(&aside)?;
    for name in MOVED.iter().filter(|name| store.join(name).exists()) {
        fs::rename(store.join(name), aside.join(name))?;
    }
    let log = |db: Connection| db.pragma_update(None, "journal_mode", "wal");
    Connection::open(aside.join(DATABASE)).and_then(log).map_err(io::Error::other)?;
    Ok(Some(aside))
}

/// Takes the log of a database into it, which is only possible when nobody else has it open.
fn quiet(database: &Path) -> io::Result<()> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let alone = Connection::open_with_flags(database, flags).and_then(|db| {
        db.busy_timeout(std::time::Duration::ZERO)?;
        db.query_row("pragma journal_mode = delete", (), |row| row.get::<_, String>(0))
    });
    match alone {
        Ok(mode) if mode == "delete" => Ok(()),
        _ => Err(io::Error::other("a process uses it; stop servers and runs first")),
    }
}

fn copy(database: &Path, home: &Path, folder: &Path, draft: &Path) -> io::Result<Copied> {
    if folder.exists() {
        return Err(io::Error::other("it is there already; name a new folder"));
    }
    let _none = fs::remove_dir_all(draft);
    DirBuilder::new().recursive(true).mode(0o700).create(draft)?;
    let mut files = BTreeMap::new();
    private(&draft.join(DATABASE))?;
    let (format, runs, events) = snapshot(database, &draft.join(DATABASE)).map_err(io::Error::other)?;
    files.insert(DATABASE.to_owned(), hash(&draft.join(DATABASE))?);
    for name in SEALS.into_iter().filter(|name| home.join(name).exists()) {
        files.insert(name.to_owned(), carry(&home.join(name), &draft.join(name))?);
    }
    for path in named(&draft.join(DATABASE)).map_err(io::Error::other)? {
        files.insert(path.clone(), carry(&home.join(&path), &draft.join(&path))?);
    }
    let copied = Copied { at: Utc::now(), format, runs, events, files };
    let text = serde_json::to_string_pretty(&copied)?;
    private(&draft.join(LIST))?.write_all(text.as_bytes())?;
    File::open(draft.join(LIST))?.sync_all()?;
    sync_folder(draft)?;
    fs::rename(draft, folder)?;
    folder.parent().filter(|parent| !parent.as_os_str().is_empty()).map_or(Ok(()), sync_folder)?;
    Ok(copied)
}

/// The database as of one moment, in one file; gives its format and how many runs and events it has.
fn snapshot(from: &Path, to: &Path) -> rusqlite::Result<(i64, u64, u64)> {
    let read = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(from, read)?;
    // Closing must not empty the log under those who write.
    db.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    db.busy_timeout(std::time::Duration::from_secs(10))?;
    db.execute("vacuum into ?", [to.to_string_lossy()])?;
    drop(db);
    let db = Connection::open(to)?;
    db.pragma_update(None, "journal_mode", "wal")?;
    let number = |sql: &str| db.query_row(sql, (), |row| row.get::<_, i64>(0));
    let format = number("pragma user_version")?;
    let (runs, events) = (number("select count(*) from runs")?, number("select count(*) from events")?);
    db.close().map_err(|(_, error)| error)?;
    Ok((format, runs.cast_unsigned(), events.cast_unsigned()))
}

/// The big texts that a database names.
fn named(database: &Path) -> rusqlite::Result<Vec<String>> {
    let db = Connection::open(database)?;
    let sql = "select blob from events where blob is not null
               union select body ->> 'stubs' from events where kind = 'skill_started' and body ->> 'stubs' is not null";
    let mut select = db.prepare(sql)?;
    let paths = select.query_map((), |row| {
        let hash: String = row.get(0)?;
        Ok(format!("blobs/{}/{hash}", hash.get(..2).unwrap_or("")))
    })?;
    let paths = paths.collect::<rusqlite::Result<Vec<_>>>()?;
    drop(select);
    db.close().map_err(|(_, error)| error)?;
    Ok(paths)
}

/// Whether a copy is whole.
fn check(copy: &Path) -> io::Result<Copied> {
    let list = fs::read_to_string(copy.join(LIST))
        .map_err(|error| io::Error::other(format!("it is no copy of a store: `{LIST}`: {error}")))?;
    let copied: Copied = serde_json::from_str(&list)
        .map_err(|error| io::Error::other(format!("`{LIST}` is damaged: {error}")))?;
    if copied.format > database::KNOWN {
        let message = format!("it has format {}, and this `aa` knows {}", copied.format, database::KNOWN);
        return Err(io::Error::other(message));
    }
    for (path, known) in &copied.files {
        let is_inside =
            Path::new(path).components().all(|part| matches!(part, std::path::Component::Normal(_)));
        if !is_inside || hash(&copy.join(path)).ok().as_ref() != Some(known) {
            return Err(io::Error::other(format!("`{path}` is damaged or gone")));
        }
    }
    let db = Connection::open_with_flags(copy.join(DATABASE), OpenFlags::SQLITE_OPEN_READ_ONLY)
        .and_then(|db| db.query_row("pragma integrity_check", (), |row| row.get::<_, String>(0)));
    match db.map_err(io::Error::other)?.as_str() {
        "ok" => Ok(copied),
        problem => Err(io::Error::other(format!("the database is damaged: {problem}"))),
    }
}

fn take_in(copy: &Path, draft: &Path, copied: &Copied) -> io::Result<()> {
    for path in copied.files.keys() {
        carry(&copy.join(path), &draft.join(path))?;
    }
    sync_folder(draft)
}

/// A name in a folder that is free.
fn beside(store: &Path) -> PathBuf {
    let stamp = Utc::now().format("%Y%m%dT%H%M%SZ");
    let name = |n: u32| if n == 0 { format!("before-{stamp}") } else { format!("before-{stamp}-{n}") };
    let free = (0..10_000).map(|n| store.join(name(n))).find(|path| !path.exists());
    free.unwrap_or_else(|| store.join("before"))
}

/// Copies a file, readable by its owner only, and gives its hash. On return it is on disk.
fn carry(from: &Path, to: &Path) -> io::Result<String> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    let (mut from, mut to) = (File::open(from)?, private(to)?);
    let mut hasher = Sha256::new();
    pass(&mut from, |bytes| {
        hasher.update(bytes);
        to.write_all(bytes)
    })?;
    to.sync_all()?;
    Ok(crate::audit::hex(&hasher.finalize()))
}

fn hash(path: &Path) -> io::Result<String> {
    let mut hasher = Sha256::new();
    pass(&mut File::open(path)?, |bytes| {
        hasher.update(bytes);
        Ok(())
    })?;
    Ok(crate::audit::hex(&hasher.finalize()))
}

fn pass(from: &mut File, mut take: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut part = vec![0; 1 << 16];
    loop {
        match from.read(&mut part)? {
            0 => return Ok(()),
            length => take(&part[..length])?,
        }
    }
}

fn private(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}
