//! What tells whether files are still the same, without reading them.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::home::Entry;

/// The stamps of some files, in their order.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Stamps(Vec<Stamp>);

/// A file as it was at a moment.
#[derive(Debug, PartialEq)]
pub(super) struct Stamp {
    /// Which.
    pub(super) path: PathBuf,
    /// None when it is gone.
    file: Option<(Option<SystemTime>, u64, u64)>,
}

impl Stamps {
    /// Those of the files among these; what is part of the binary does not change.
    pub(super) fn of(entries: &[Entry]) -> Self {
        let mut stamps = Self::default();
        entries.iter().filter_map(Entry::path).for_each(|path| stamps.add(path));
        stamps
    }

    /// One more file, which need not be there.
    pub(super) fn add(&mut self, path: &Path) {
        self.0.push(Stamp::of(path));
    }
}

impl Stamp {
    /// Whether it is there.
    pub(super) fn is_there(&self) -> bool {
        self.file.is_some()
    }

    /// A file as it is now, which need not be there.
    pub(super) fn of(path: &Path) -> Self {
        let file = fs::metadata(path).ok();
        let file = file.map(|file| (file.modified().ok(), file.len(), file.ino()));
        Self { path: path.to_owned(), file }
    }
}
