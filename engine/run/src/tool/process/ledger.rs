//! What the processes of this program have started, written down until it has ended.
//!
//! Whoever goes on with the run of a killed process has to find what that has left running. A mark in the environment
//! finds most of it, but a command can clear its environment (`env -i`, `sudo`, `su -`). So each command of a run, and
//! each server, has a file while it lives, named after its mark: with who is about to start it, and a line later with the
//! number of its process. The file needs no sync: what ends the system ends its processes as well.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::family::{Here, Place, Process};

/// In how much time a file that was made has a line at the latest, unless its maker has died.
const FIRST_LINE: Duration = Duration::from_mins(1);

/// Where to write down what is started; nowhere for those of whom nobody will ask.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    folder: Option<PathBuf>,
    here: Arc<OnceLock<Option<Here>>>,
}

/// The file of one command. What it says stays true of a process that dies, so only [`Entry::over`] removes it.
#[derive(Debug, Default)]
pub(super) struct Entry(Option<Open>);

#[derive(Debug)]
struct Open {
    path: PathBuf,
    file: File,
    here: Here,
}

/// A command that somebody has started and not seen the end of.
#[derive(Clone, Debug)]
pub(super) struct Started {
    pub(super) path: PathBuf,
    /// The mark that it was started with.
    pub(super) mark: String,
    /// The leader of its process group, unless whoever started it died before that could be written.
    pub(super) leader: Option<Process>,
    /// Whether whoever started it lives on, as far as is known.
    pub(super) is_owned: bool,
}

/// The last line of a file counts that can be read.
#[derive(Serialize, Deserialize)]
struct Line {
    /// Of which running system and which space of process numbers the numbers are.
    system: String,
    owner: Process,
    /// Unless it is about to be started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    leader: Option<Process>,
}

impl Ledger {
    /// One whose files are in a folder, which comes to be with the first.
    pub(super) fn in_folder(folder: PathBuf) -> Self {
        Self { folder: Some(folder), ..Self::default() }
    }

    /// Where the files are.
    pub(super) fn folder(&self) -> &Path {
        self.folder.as_deref().unwrap_or_else(|| Path::new(""))
    }

    /// Makes the file of a command that is about to be started with a mark.
    ///
    /// # Errors
    /// It cannot be made; then nothing should be started.
    pub(super) fn open(&self, mark: &str) -> io::Result<Entry> {
        let Some((folder, here)) = self.folder.as_ref().zip(self.here()) else { return Ok(Entry::default()) };
        let path = folder.join(own_part(mark));
        let file = match create(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
                create(&path)?
            }
            made => made?,
        };
        let mut open = Open { path, file, here: here.clone() };
        if let Err(error) = open.write(None) {
            // An empty file would never be known to be anybody's.
            let _gone = fs::remove_file(&open.path);
            return Err(error);
        }
        Ok(Entry(Some(open)))
    }

    /// What is written down of commands whose mark begins with one of these keys, and of servers whose owner is dead.
    /// Files of which nothing can be left are removed.
    pub(super) fn left_by(&self, keys: &[String]) -> Vec<Started> {
        let Some((folder, here)) = self.folder.as_ref().zip(self.here()) else { return Vec::new() };
        let files = fs::read_dir(folder).into_iter().flatten().flatten();
        let known = files.filter_map(|file| known(&file.path(), here));
        known.filter(|started| started.is_of(keys)).collect()
    }

    fn here(&self) -> Option<&Here> {
        self.here.get_or_init(Here::look).as_ref()
    }
}

impl Started {
    fn is_of(&self, keys: &[String]) -> bool {
        if self.mark.starts_with(super::service::MARK) {
            return !self.is_owned;
        }
        keys.iter().any(|key| self.mark.starts_with(key))
    }

    /// Nothing is left of it.
    pub(super) fn is_over(&self) {
        let _gone = fs::remove_file(&self.path);
    }
}

impl Entry {
    /// Writes down which process it has become.
    pub(super) fn started(&mut self, leader: Option<Process>) {
        let Some(open) = self.0.as_mut() else { return };
        // It runs already, and its mark is still there to find it by.
        if let Err(error) = open.write(leader) {
            tracing::warn!("cannot write `{}`: {error}", open.path.display());
        }
    }

    /// Nothing is left of it.
    pub(super) fn over(&mut self) {
        if let Some(open) = self.0.take() {
            let _gone = fs::remove_file(open.path);
        }
    }
}

impl Open {
    fn write(&mut self, leader: Option<Process>) -> io::Result<()> {
        let line = Line { system: self.here.system.clone(), owner: self.here.process, leader };
        let mut line = serde_json::to_vec(&line)?;
        line.push(b'\n');
        self.file.write_all(&line)
    }
}

fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// What a file says, if that can be of a process that lives here.
fn known(path: &Path, here: &Here) -> Option<Started> {
    let mark = path.file_name()?.to_str()?.to_owned();
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().rev().find_map(|line| serde_json::from_str::<Line>(line).ok());
    let started = |leader, is_owned| Started { path: path.to_owned(), mark, leader, is_owned };
    let Some(line) = line else { return Some(started(None, is_new(path))) };
    match here.place(&line.system) {
        Place::Same => Some(started(line.leader, line.owner.lives())),
        Place::Elsewhere => None,
        Place::Gone => {
            started(None, false).is_over();
            None
        }
    }
}

/// Whether a file may still be without a line because its maker has not got there.
fn is_new(path: &Path) -> bool {
    let changed = fs::metadata(path).and_then(|file| file.modified());
    changed.is_ok_and(|time| time.elapsed().map_or(true, |age| age < FIRST_LINE))
}

/// A mark without those of the commands that it descends from: file names have an end.
fn own_part(mark: &str) -> &str {
    mark.rsplit('.').next().unwrap_or(mark)
}
