//! The log of a daemon: a file, and some older ones.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// A file that is begun anew once it is long, after which so many older ones are kept.
#[derive(Debug)]
pub(crate) struct Rolling {
    path: PathBuf,
    bytes: u64,
    files: u32,
    now: Mutex<Now>,
}

#[derive(Debug)]
struct Now {
    file: File,
    length: u64,
}

impl Rolling {
    /// Goes on with what is there.
    pub(super) fn open(path: &Path, bytes: u64, files: u32) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), bytes, files, now: Mutex::new(Now::open(path)?) })
    }

    /// The path of an older one, from 1, the newest of them.
    fn older(&self, number: u32) -> PathBuf {
        older(&self.path, number)
    }

    /// Begins anew. Where somebody has taken the file away, the older ones stay as they are.
    fn roll(&self, now: &mut Now) -> io::Result<()> {
        if self.path.try_exists()? {
            self.age()?;
        }
        *now = Now::open(&self.path)?;
        Ok(())
    }

    fn age(&self) -> io::Result<()> {
        for number in (1..self.files).rev() {
            let (from, to) = (self.older(number), self.older(number + 1));
            if from.exists() {
                fs::rename(from, to)?;
            }
        }
        fs::rename(&self.path, self.older(1))
    }
}

/// The path of an older log.
pub(super) fn older(path: &Path, number: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

impl Now {
    fn open(path: &Path) -> io::Result<Self> {
        let file = File::options().create(true).append(true).mode(0o600).open(path)?;
        let length = file.metadata()?.len();
        Ok(Self { file, length })
    }
}

impl Write for &Rolling {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        // A line is written at once, and is not parted.
        let added = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let is_full = now.length > 0 && now.length.saturating_add(added) > self.bytes;
        if (is_full || !self.path.exists()) && self.roll(&mut now).is_err() {
            // The file that is there goes on. It is tried again once as much has come to it, as older ones may have moved.
            now.length = 0;
        }
        now.file.write_all(bytes)?;
        now.length += added;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_log_is_begun_anew_and_some_older_ones_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        for round in 0..2 {
            let log = Rolling::open(&path, 10, 2).unwrap();
            for line in 0..3 {
                (&log).write_all(format!("{round} {line} abc\n").as_bytes()).unwrap();
            }
        }
        let text = |path: &Path| fs::read_to_string(path).unwrap();
        assert_eq!(text(&path), "1 2 abc\n");
        assert_eq!(
            (text(&older(&path, 1)), text(&older(&path, 2))),
            ("1 1 abc\n".into(), "1 0 abc\n".into())
        );
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
    }

    #[test]
    fn nothing_is_lost_when_the_file_is_taken_away_or_cannot_be_moved() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let log = Rolling::open(&path, 10, 2).unwrap();
        let write = |line: &str| (&log).write_all(line.as_bytes()).unwrap();
        let text = |path: &Path| fs::read_to_string(path).unwrap();
        write("one 1234\n");
        write("two 1234\n");
        fs::remove_file(&path).unwrap();
        write("three\n");
        assert_eq!((text(&path), text(&older(&path, 1))), ("three\n".into(), "one 1234\n".into()));
        // Nothing can take the place of a folder.
        fs::remove_file(older(&path, 1)).unwrap();
        fs::create_dir_all(older(&path, 2).join("x")).unwrap();
        fs::create_dir_all(older(&path, 1).join("x")).unwrap();
        write("four 1234\n");
        write("five 1234\n");
        assert_eq!(text(&path), "three\nfour 1234\nfive 1234\n");
    }
}
