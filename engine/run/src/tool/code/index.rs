//! The index of one folder: an `SQLite` file that holds words and places, no text.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use aa_spec::tool::ErrorKind;
use chrono::{DateTime, SecondsFormat, Utc};
use ignore::{DirEntry, WalkBuilder};
use rusqlite::{Connection, ErrorCode, OpenFlags, params};
use schemars::JsonSchema;
use serde::Serialize;

use super::chunk::{Chunk, chunks, language};
use crate::cause::cause;
use crate::tool::ToolError;
use crate::tool::native::Brake;

/// Bigger files are left out, in bytes.
const BIGGEST: u64 = 1 << 20;
/// Most files of an index, and most bytes of them; what is beyond is left out.
const FILES: usize = 50_000;
const BYTES: u64 = 512 << 20;
/// Files between two commits: what is done stays done when a call is stopped.
const BATCH: usize = 500;
/// A file that changed this short before it was read may have changed again unseen.
const RACE: i64 = 2_000_000_000;
/// How long to wait for another process that brings the same index up to date.
const PATIENCE: Duration = Duration::from_secs(30);

const FORMAT: i64 = 1;
const SCHEMA: &str = "
    create table about (root text not null, refreshed_at integer not null) strict;
    create table files (
      id integer primary key, path text not null unique, language text not null,
      size integer not null, changed_at integer not null,
      lines integer -- null: it is no text
    ) strict;
    create table chunks (
      id integer primary key, file integer not null, first integer not null, last integer not null,
      function integer not null, class integer not null
    ) strict;
    create index chunks_by_file on chunks (file);
    create virtual table words using fts5 (
      path, text, content = '', contentless_delete = 1, tokenize = 'porter unicode61'
    );
    pragma user_version = 1;";

/// An open index.
pub(super) struct Index {
    pub(super) db: Connection,
    pub(super) root: PathBuf,
}

/// What bringing an index up to date has done.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub(super) struct Refreshed {
    /// Files in the index now.
    pub(super) files: usize,
    /// Files that were read, because they are new or have changed.
    pub(super) read: usize,
    /// Files that are not there any more.
    pub(super) removed: usize,
    /// Files that were left out because they are bigger than 1 MiB.
    pub(super) too_big: usize,
    /// Files that were left out because they are no text.
    pub(super) no_text: usize,
    /// Files that were left out because there are too many.
    pub(super) too_many: usize,
    /// Files and folders that cannot be read.
    pub(super) unreadable: usize,
    /// What it took, in milliseconds.
    pub(super) duration_ms: u64,
}

/// Why an index cannot be opened.
enum Fault {
    /// It is broken, or of an older format.
    Useless,
    /// It is of a newer format.
    Newer,
    /// Something else, which says nothing of what is in it.
    Failed(rusqlite::Error),
}

/// What is in an index.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub(super) struct Totals {
    /// Files in it.
    pub(super) files: usize,
    /// Lines of them.
    lines: usize,
    /// Bytes of them.
    bytes: usize,
    /// Pieces that can be found.
    chunks: usize,
    /// By language, most files first.
    languages: Vec<Share>,
    /// When it was brought up to date last, RFC 3339 in UTC; empty when never.
    pub(super) refreshed_at: String,
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
struct Share {
    /// Its name, or the ending of the files' names.
    language: String,
    files: usize,
    lines: usize,
}

/// A file as the index has it.
#[derive(Clone, Copy)]
struct Known {
    id: i64,
    is_text: bool,
    size: i64,
    changed_at: i64,
}

/// A file as it is now.
struct Candidate {
    path: String,
    size: i64,
    changed_at: i64,
}

impl Index {
    /// Opens the index of a folder; one that is broken or of an older format is made anew.
    /// Whatever else is wrong may pass, and another process may be using it.
    pub(super) fn open(file: &Path, root: &Path) -> Result<Self, ToolError> {
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder).map_err(|error| unusable(file, &error))?;
        }
        let db = connect(file, root).or_else(|fault| match fault {
            Fault::Useless => {
                discard(file);
                connect(file, root)
            }
            other => Err(other),
        });
        let db = db.map_err(|fault| match fault {
            Fault::Useless => unusable(file, &"it is broken, and cannot be made anew"),
            Fault::Newer => unusable(file, &"a newer version of this program has made it"),
            Fault::Failed(error) => unusable(file, &error),
        })?;
        Ok(Self { db, root: root.to_owned() })
    }

    /// What is in an index, and of which folder it is, without changing it.
    pub(super) fn look(file: &Path) -> Result<(String, Totals), ToolError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let look = || {
            let db = Connection::open_with_flags(file, flags)?;
            db.query_row("pragma quick_check(1)", (), |row| row.get::<_, String>(0))?;
            let root: String = db.query_row("select root from about", (), |row| row.get(0))?;
            Ok((PathBuf::from(&root), root, db))
        };
        let (folder, root, db) = look().map_err(|error: rusqlite::Error| unusable(file, &error))?;
        Ok((root, Self { db, root: folder }.totals()?))
    }

    /// Reads what is new or has changed, and forgets what is gone.
    pub(super) fn refresh(&mut self, force: bool, brake: &Brake) -> Result<Refreshed, ToolError> {
        let began = Instant::now();
        let now = nanoseconds(SystemTime::now());
        let mut done = Refreshed::default();
        let found = self.candidates(&mut done, brake)?;
        let mut known =
            self.begin().and_then(|since| Ok((since, self.known()?))).map_err(|e| self.failed(&e))?;
        let mut since_commit = 0;
        for file in found {
            brake.check()?;
            let before = known.1.remove(&file.path);
            let is_same = |of: &Known| of.size == file.size && of.changed_at == file.changed_at;
            let is_settled = file.changed_at < known.0 - RACE;
            if let Some(known) = before.filter(|of| !force && is_settled && is_same(of)) {
                done.files += usize::from(known.is_text);
                done.no_text += usize::from(!known.is_text);
                continue;
            }
            let Ok(text) = read(&self.root.join(&file.path)) else {
                done.unreadable += 1;
                continue;
            };
            let text = text.as_deref();
            self.replace(before, &file, text, &mut done).map_err(|e| self.failed(&e))?;
            since_commit += 1;
            if since_commit == BATCH {
                since_commit = 0;
                self.db.execute_batch("commit; begin immediate").map_err(|e| self.failed(&e))?;
            }
        }
        done.removed = known.1.len();
        self.finish(known.1.into_values(), now).map_err(|e| self.failed(&e))?;
        done.duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        Ok(done)
    }

    /// The files that belong into the index, as they are now.
    fn candidates(&self, done: &mut Refreshed, brake: &Brake) -> Result<Vec<Candidate>, ToolError> {
        let mut found = Vec::new();
        let mut bytes = 0;
        let walk = WalkBuilder::new(&self.root).require_git(false).follow_links(false).build();
        for entry in walk {
            brake.check()?;
            let Ok(entry) = entry else {
                done.unreadable += 1;
                continue;
            };
            // Links are not followed, wherever they lead.
            if !entry.file_type().is_some_and(|kind| kind.is_file()) {
                continue;
            }
            let Some(file) = candidate(&entry, &self.root) else {
                done.unreadable += 1;
                continue;
            };
            let size = file.size.unsigned_abs();
            if size > BIGGEST {
                done.too_big += 1;
            } else if found.len() >= FILES || bytes + size > BYTES {
                done.too_many += 1;
            } else {
                bytes += size;
                found.push(file);
            }
        }
        Ok(found)
    }

    /// Begins to write, and gives when that was done last.
    fn begin(&self) -> rusqlite::Result<i64> {
        self.db.execute_batch("begin immediate")?;
        self.db.query_row("select refreshed_at from about", (), |row| row.get(0))
    }

    fn known(&self) -> rusqlite::Result<HashMap<String, Known>> {
        let mut select =
            self.db.prepare("select path, id, size, changed_at, lines is not null from files")?;
        let rows = select.query_map((), |row| {
            let (id, size, changed_at, is_text) = (row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?);
            Ok((row.get(0)?, Known { id, is_text, size, changed_at }))
        })?;
        rows.collect()
    }

    /// Puts a file's pieces in the place of those it had.
    fn replace(
        &self,
        before: Option<Known>,
        file: &Candidate,
        text: Option<&str>,
        done: &mut Refreshed,
    ) -> rusqlite::Result<()> {
        if let Some(before) = before {
            self.remove(before.id)?;
        }
        let sql = "insert into files (path, language, size, changed_at, lines) values (?, ?, ?, ?, ?)";
        let lines = text.map(|text| i64::try_from(text.lines().count()).unwrap_or(i64::MAX));
        let values = params![file.path, language(&file.path), file.size, file.changed_at, lines];
        self.db.prepare_cached(sql)?.execute(values)?;
        let Some(text) = text else {
            done.no_text += 1;
            return Ok(());
        };
        let id = self.db.last_insert_rowid();
        for chunk in chunks(text) {
            self.insert(id, &file.path, &chunk)?;
        }
        done.read += 1;
        done.files += 1;
        Ok(())
    }

    fn insert(&self, file: i64, path: &str, chunk: &Chunk) -> rusqlite::Result<()> {
        let sql = "insert into chunks (file, first, last, function, class) values (?, ?, ?, ?, ?)";
        let number = |line: usize| i64::try_from(line).unwrap_or(i64::MAX);
        let values = params![file, number(chunk.first), number(chunk.last), chunk.function, chunk.class];
        self.db.prepare_cached(sql)?.execute(values)?;
        let sql = "insert into words (rowid, path, text) values (?, ?, ?)";
        self.db.prepare_cached(sql)?.execute(params![self.db.last_insert_rowid(), path, chunk.text])?;
        Ok(())
    }

    fn remove(&self, file: i64) -> rusqlite::Result<()> {
        for sql in [
            "delete from words where rowid in (select id from chunks where file = ?)",
            "delete from chunks where file = ?",
            "delete from files where id = ?",
        ] {
            self.db.prepare_cached(sql)?.execute([file])?;
        }
        Ok(())
    }

    fn finish(&self, gone: impl Iterator<Item = Known>, now: i64) -> rusqlite::Result<()> {
        for file in gone {
            self.remove(file.id)?;
        }
        self.db.execute("update about set refreshed_at = ?", [now])?;
        self.db.execute_batch("commit")
    }

    /// What is in it.
    pub(super) fn totals(&self) -> Result<Totals, ToolError> {
        self.count().map_err(|error| self.failed(&error))
    }

    fn count(&self) -> rusqlite::Result<Totals> {
        let sql = "select count(*), coalesce(sum(lines), 0), coalesce(sum(size), 0),
                   (select count(*) from chunks), (select refreshed_at from about)
                   from files where lines is not null";
        let mut totals = self.db.query_row(sql, (), |row| {
            let at: i64 = row.get(4)?;
            let at = DateTime::<Utc>::from_timestamp_nanos(at).to_rfc3339_opts(SecondsFormat::Secs, true);
            let number =
                |index| Ok::<_, rusqlite::Error>(usize::try_from(row.get::<_, i64>(index)?).unwrap_or(0));
            Ok(Totals {
                files: number(0)?,
                lines: number(1)?,
                bytes: number(2)?,
                chunks: number(3)?,
                languages: Vec::new(),
                refreshed_at: if row.get::<_, i64>(4)? > 0 { at } else { String::new() },
            })
        })?;
        let sql = "select language, count(*), sum(lines) from files where lines is not null group by 1 order by 2 desc, 1";
        let mut select = self.db.prepare(sql)?;
        let rows = select.query_map((), |row| {
            let number =
                |index| Ok::<_, rusqlite::Error>(usize::try_from(row.get::<_, i64>(index)?).unwrap_or(0));
            Ok(Share { language: row.get(0)?, files: number(1)?, lines: number(2)? })
        })?;
        totals.languages = rows.collect::<Result<_, _>>()?;
        Ok(totals)
    }

    pub(super) fn failed(&self, error: &rusqlite::Error) -> ToolError {
        unusable(Path::new(self.db.path().unwrap_or_default()), error)
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => Self::Useless,
            _ => Self::Failed(error),
        }
    }
}

fn connect(file: &Path, root: &Path) -> Result<Connection, Fault> {
    let mut db = Connection::open(file)?;
    db.busy_timeout(PATIENCE)?;
    db.pragma_update(None, "journal_mode", "wal")?;
    // A cache: a power cut may cost the last changes, and they are made again.
    db.pragma_update(None, "synchronous", "normal")?;
    let format = |db: &Connection| db.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0));
    if format(&db)? == 0 {
        let transaction = db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        // Another process may have been faster.
        if format(&transaction)? == 0 {
            transaction.execute_batch(SCHEMA)?;
            let root = root.to_string_lossy();
            transaction.execute("insert into about (root, refreshed_at) values (?, 0)", [root])?;
        }
        transaction.commit()?;
    }
    match format(&db)?.cmp(&FORMAT) {
        Ordering::Less => return Err(Fault::Useless),
        Ordering::Equal => {}
        Ordering::Greater => return Err(Fault::Newer),
    }
    // A file that is broken further in is noticed here rather than in a search.
    db.query_row("select count(*) from files", (), |row| row.get::<_, i64>(0))?;
    Ok(db)
}

/// Throws an index away.
pub(super) fn discard(file: &Path) {
    for ending in ["db", "db-wal", "db-shm"] {
        // What cannot be removed is said when it cannot be opened again.
        let _ = fs::remove_file(file.with_extension(ending));
    }
}

fn candidate(entry: &DirEntry, root: &Path) -> Option<Candidate> {
    let known = entry.metadata().ok()?;
    Some(Candidate {
        path: entry.path().strip_prefix(root).ok()?.to_str()?.to_owned(),
        size: i64::try_from(known.len()).unwrap_or(i64::MAX),
        changed_at: nanoseconds(known.modified().ok()?),
    })
}

/// A file's text, or nothing when it is none.
fn read(path: &Path) -> io::Result<Option<String>> {
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(BIGGEST).read_to_end(&mut bytes))?;
    Ok(String::from_utf8(bytes).ok().filter(|text| !text.contains('\0')))
}

fn nanoseconds(time: SystemTime) -> i64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

fn unusable(file: &Path, error: &dyn std::fmt::Display) -> ToolError {
    let message = format!("cannot use the index `{}`: {}", file.display(), cause(error));
    ToolError::new(ErrorKind::Permanent, message)
}
