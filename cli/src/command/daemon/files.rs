//! What a daemon has in a folder beside the store: locks that the system lets go when it dies, and what it says of
//! itself.
//!
//! There are two locks, so that nobody takes what a dead one has said for the word of the one that follows it. `claim`
//! says who may be the daemon. Whoever has it clears away what was said, and only then takes `lock`, which is the one
//! that others look at: what is there while it is held was said by its holder, and what is there otherwise by a dead
//! one.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use aa_run::engine::Health;
use aa_run::settings::Settings;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// Whoever looks whether the lock is held holds it for a moment, too.
const TRIES: u32 = 25;
const TRY_EVERY: Duration = Duration::from_millis(10);
/// A daemon of which nothing was heard for so long is stopped or stuck; `docs/daemon.md` says so.
const SILENT: TimeDelta = TimeDelta::seconds(25);
/// How often, and after what time, one is looked at once more that may only have been asleep.
const WAKING: u32 = 15;
const WAKE: Duration = Duration::from_millis(200);

/// The files of the daemon of a store.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    folder: PathBuf,
}

/// That this process is the daemon of a store, for as long as it lives.
#[derive(Debug)]
pub(super) struct Lock {
    // Held, not read: closing them lets the locks go. In this order, which is also the one in which the system closes
    // them: who follows must not find this one's word under a lock that is still held.
    _lock: File,
    _claim: File,
}

/// Where a daemon stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Stage {
    /// It opens what it needs.
    Starting,
    /// Work can be given to it.
    Ready,
    /// Something that it needs does not work.
    NotReady,
    /// It is about to end.
    Draining,
}

/// What a daemon says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) version: String,
    pub(crate) pid: u32,
    pub(crate) stage: Stage,
    pub(crate) started: DateTime<Utc>,
    /// When this was written.
    pub(crate) at: DateTime<Utc>,
    /// Where it listens, once it does.
    pub(crate) address: Option<SocketAddr>,
    /// Where commands of this machine find it.
    pub(crate) socket: Option<PathBuf>,
    /// The folder that it works in.
    pub(crate) folder: PathBuf,
    /// What it was started with.
    pub(crate) arguments: Vec<String>,
    /// Names of secrets that it cannot read.
    #[serde(default)]
    pub(crate) secrets: Vec<String>,
    /// The zone of schedules that name none, or a `TZ` that is none.
    #[serde(default)]
    pub(crate) zone: String,
    /// How its parts stand, once it has looked.
    pub(crate) health: Option<Health>,
    /// How many runs it drives.
    pub(crate) runs: usize,
    /// How many seconds it may take to end.
    pub(crate) patience: u64,
}

impl Report {
    /// For how long nothing was heard of it, when that is too long for one that lives: it says something every ten seconds.
    pub(super) fn silence(&self) -> Option<TimeDelta> {
        Some(Utc::now() - self.at).filter(|silence| *silence > SILENT)
    }
}

impl Files {
    /// Those of the store of these settings.
    pub(crate) fn of(settings: &Settings) -> Self {
        Self::beside(&settings.state_folder)
    }

    /// Those of the store in a folder.
    pub(super) fn beside(state_folder: &Path) -> Self {
        Self { folder: state_folder.join("daemon") }
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.folder.join("socket")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// What it has said before it could log, and of its bugs.
    pub(super) fn stderr(&self) -> PathBuf {
        self.folder.join("stderr")
    }

    fn pid(&self) -> PathBuf {
        self.folder.join("pid")
    }

    fn health(&self) -> PathBuf {
        self.folder.join("health.json")
    }

    fn lock(&self) -> PathBuf {
        self.folder.join("lock")
    }

    fn claimed(&self) -> PathBuf {
        self.folder.join("claim")
    }

    /// Makes the folder, which is for nobody else.
    pub(super) fn prepare(&self) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)
    }

    /// Becomes the daemon; none when another process is.
    pub(super) fn claim(&self) -> io::Result<Option<Lock>> {
        self.prepare()?;
        let (lock, claim) = (locked_by(&self.lock())?, locked_by(&self.claimed())?);
        for _ in 0..TRIES {
            match claim.try_lock() {
                Ok(()) => return self.take(lock, claim),
                Err(TryLockError::Error(error)) => return Err(error),
                Err(TryLockError::WouldBlock) if is_held(&lock) => return Ok(None),
                // One is about to be it, or has just ended.
                Err(TryLockError::WouldBlock) => sleep(TRY_EVERY),
            }
        }
        Ok(None)
    }

    /// Is the daemon from now on, unless the lock is in other hands all the same, as in those of a version that knows
    /// no claims.
    fn take(&self, lock: File, claim: File) -> io::Result<Option<Lock>> {
        let mut is_cleared = false;
        for _ in 0..TRIES {
            if !is_cleared && !is_held(&lock) {
                self.clear();
                is_cleared = true;
            }
            match lock.try_lock() {
                Ok(()) if is_cleared => return Ok(Some(Lock { _lock: lock, _claim: claim })),
                Ok(()) => lock.unlock()?,
                Err(TryLockError::Error(error)) => return Err(error),
                // Somebody looks.
                Err(TryLockError::WouldBlock) => sleep(TRY_EVERY),
            }
        }
        Ok(None)
    }

    /// Whether a living process is the daemon. In doubt none is: who wants to be it finds out.
    pub(crate) fn is_claimed(&self) -> bool {
        let Ok(file) = File::open(self.lock()) else { return false };
        is_held(&file)
    }

    /// What was said last, by whomever.
    pub(super) fn last(&self) -> Option<Report> {
        serde_json::from_slice(&fs::read(self.health()).ok()?).ok()
    }

    /// What the daemon that runs has said last.
    pub(crate) fn living(&self) -> Option<Report> {
        self.is_claimed().then(|| self.last()).flatten()
    }

    /// The same. One of which nothing was heard for too long is given a moment: the machine may just have woken up.
    pub(super) fn heard(&self) -> Option<Report> {
        for _ in 0..WAKING {
            match self.living() {
                Some(report) if report.silence().is_some() => sleep(WAKE),
                other => return other,
            }
        }
        self.living()
    }

    /// The daemon that runs, when it does not answer.
    pub(super) fn silent(&self) -> Option<Report> {
        self.heard().filter(|report| report.silence().is_some())
    }

    /// Says how the daemon stands. Readers see all of it or what was there before.
    pub(super) fn say(&self, _lock: &Lock, report: &Report) -> io::Result<()> {
        let text = serde_json::to_vec_pretty(report)?;
        self.put(&self.health(), &text)
    }

    /// Says which process the daemon is.
    pub(super) fn say_pid(&self, _lock: &Lock) -> io::Result<()> {
        self.put(&self.pid(), format!("{}\n", std::process::id()).as_bytes())
    }

    /// Clears away what was said. Only for whoever holds the lock.
    fn clear(&self) {
        for path in [self.health(), self.pid()] {
            // What is left behind is a dead one's.
            let _left = fs::remove_file(path);
        }
    }

    /// Lets another process be the daemon, at an end in order.
    pub(super) fn let_go(&self, lock: Lock) {
        self.clear();
        drop(lock);
    }

    fn put(&self, path: &Path, text: &[u8]) -> io::Result<()> {
        let new =
            self.folder.join(format!(".{}.new", path.file_name().unwrap_or_default().to_string_lossy()));
        let mut file = File::options().create(true).write(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(text)?;
        fs::rename(new, path)
    }
}

/// A file that is there to be locked.
fn locked_by(path: &Path) -> io::Result<File> {
    File::options().create(true).append(true).mode(0o600).open(path)
}

/// Whether a process has the lock of a file. Shared, so that two who look at once do not take each other for it.
fn is_held(file: &File) -> bool {
    let looked = file.try_lock_shared();
    if looked.is_ok() {
        // It cannot fail: it has just been taken.
        let _let_go = file.unlock();
    }
    matches!(looked, Err(TryLockError::WouldBlock))
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn there_is_one_and_its_death_lets_another_be_it() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files { folder: folder.path().join("daemon") };
        assert!(!files.is_claimed());
        let lock = files.claim().unwrap().unwrap();
        assert!(files.is_claimed() && files.claim().unwrap().is_none());
        files.say_pid(&lock).unwrap();
        fs::write(files.health(), "{ half a repo").unwrap();
        assert_eq!(files.living(), None, "what cannot be read says nothing");
        drop(lock);
        assert!(!files.is_claimed());
        fs::write(files.health(), "what a dead one has said").unwrap();
        // Whoever looks must not keep it from being the daemon.
        let looked = File::open(files.lock()).unwrap();
        looked.try_lock_shared().unwrap();
        let starts = std::thread::spawn({
            let files = files.clone();
            move || files.claim().unwrap().unwrap()
        });
        let end = Instant::now() + Duration::from_secs(20);
        while files.health().exists() && Instant::now() < end {
            sleep(Duration::from_millis(1));
        }
        assert!(
            !files.health().exists(),
            "it is cleared away before anybody can think that the new one has said it"
        );
        drop(looked);
        let lock = starts.join().unwrap();
        // One of a version without claims is left alone.
        drop(lock);
        fs::write(files.health(), "what it says").unwrap();
        let other = File::open(files.lock()).unwrap();
        other.lock().unwrap();
        assert!(files.claim().unwrap().is_none() && files.health().exists());
        drop(other);
        let lock = files.claim().unwrap().unwrap();
        files.let_go(lock);
        assert!(!files.pid().exists() && !files.health().exists());
    }
}
