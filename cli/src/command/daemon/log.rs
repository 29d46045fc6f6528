//! The log of a daemon: a file, and some older ones.

use std::fs::{self, File, Metadata};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
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

    /// Begins it anew when it is long, or is not the file of that name any more. What cannot be begun anew goes on:
    /// a line in a long file is better than none.
    fn make_room(&self, now: &mut Now, added: u64) {
        let begun = if now.is_at(&self.path) {
            if now.length == 0 || now.length.saturating_add(added) <= self.bytes {
                return;
            }
            self.roll(now)
        } else {
            Now::open(&self.path).map(|new| *now = new)
        };
        // It is tried again after as much again, and not at every line.
        if begun.is_err() {
            now.length = 0;
        }
    }

    fn roll(&self, now: &mut Now) -> io::Result<()> {
        for number in (1..self.files).rev() {
            let (from, to) = (self.older(number), self.older(number + 1));
            if from.exists() {
                fs::rename(from, to)?;
            }
        }
        fs::rename(&self.path, self.older(1))?;
        *now = Now::open(&self.path)?;
        Ok(())
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

    /// Whether this is the file that somebody finds there.
    fn is_at(&self, path: &Path) -> bool {
        let same = |(own, there): (Metadata, Metadata)| own.dev() == there.dev() && own.ino() == there.ino();
        self.file.metadata().and_then(|own| Ok((own, fs::metadata(path)?))).is_ok_and(same)
    }
}

impl Write for &Rolling {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        // A line is written at once, and is not parted.
        let added = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.make_room(&mut now, added);
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
    fn a_log_that_somebody_has_removed_comes_back_and_takes_none_of_the_older_ones_along() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let log = Rolling::open(&path, 10, 2).unwrap();
        for line in 0..2 {
            (&log).write_all(format!("{line} abcdef\n").as_bytes()).unwrap();
        }
        fs::remove_file(&path).unwrap();
        (&log).write_all(b"2 abcdef\n").unwrap();
        let text = |path: &Path| fs::read_to_string(path).unwrap();
        assert_eq!((text(&path), text(&older(&path, 1))), ("2 abcdef\n".into(), "0 abcdef\n".into()));
    }

    #[test]
    fn a_log_that_cannot_be_begun_anew_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        fs::create_dir_all(older(&path, 1).join("in the way")).unwrap();
        let log = Rolling::open(&path, 10, 1).unwrap();
        for line in 0..3 {
            (&log).write_all(format!("{line} abcdef\n").as_bytes()).unwrap();
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), "0 abcdef\n1 abcdef\n2 abcdef\n");
    }
}
