//! What the processes of this program have started, written down until it has ended.
//!
//! Whoever goes on with the run of a killed process has to find what that has left running. A mark in the environment
//! finds most of it, but a command can clear its environment (`env -i`, `sudo`, `su -`). So each command of a run, and
//! each server, has a file while it lives, named after its mark and with the number of its process. The file needs no
//! sync: what ends the system ends its processes as well.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};

use super::family::{Here, Process};

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
    path: PathBuf,
    /// The mark that it was started with.
    pub(super) mark: String,
    /// The leader of its process group, unless whoever started it died before that could be written.
    pub(super) leader: Option<Process>,
    /// Whether whoever started it lives on, as far as is known.
    pub(super) is_owned: bool,
}

#[derive(Serialize, Deserialize)]
struct Line {
    /// Of which running system and which space of process numbers the numbers are.
    system: String,
    leader: Process,
    owner: Process,
}

impl Ledger {
    /// One whose files are in a folder, which comes to be with the first.
    pub(super) fn in_folder(folder: PathBuf) -> Self {
        Self { folder: Some(folder), ..Self::default() }
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
        Ok(Entry(Some(Open { path, file, here: here.clone() })))
    }

    /// What is written down of commands whose mark begins with one of these keys, and of servers whose owner is gone.
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
    pub(super) fn started(&mut self, leader: Option<u32>) {
        let Some((open, leader)) = self.0.as_mut().zip(leader.and_then(Process::of)) else { return };
        let line = Line { system: open.here.system.clone(), leader, owner: open.here.process };
        // It runs already, and its mark is still there to find it by.
        if let Err(error) =
            serde_json::to_vec(&line).map_err(io::Error::from).and_then(|line| open.file.write_all(&line))
        {
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

fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// What a file says, if that can be of a process that lives here.
fn known(path: &Path, here: &Here) -> Option<Started> {
    let mark = path.file_name()?.to_str()?.to_owned();
    let text = fs::read(path).ok()?;
    // A server whose file says nothing yet has not been asked for anything, and may be somebody's who lives.
    let started = Started { path: path.to_owned(), mark, leader: None, is_owned: true };
    let Ok(line) = serde_json::from_slice::<Line>(&text) else { return Some(started) };
    if line.system == here.system {
        return Some(Started { leader: Some(line.leader), is_owned: line.owner.lives(), ..started });
    }
    // Of a container or a system that may be another one, of which nothing can be seen from here.
    if !here.is_of_boot(&line.system) {
        started.is_over();
    }
    None
}

/// A mark without those of the commands that it descends from: file names have an end.
fn own_part(mark: &str) -> &str {
    mark.rsplit('.').next().unwrap_or(mark)
}
