//! What clients are told, kept from one start to the next: as long as nothing has changed, neither skills nor
//! modules are read again to say what there is. What is run is checked anew in any case.

use std::fmt::Debug;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::stamps::Stamp;
use crate::persona::{View, ViewError};
use crate::settings::Settings;

/// As many views are kept.
const MOST: usize = 32;

/// A folder of things that can be made again, and need not be as long as they are there.
pub(super) struct Shelf {
    folder: PathBuf,
    /// As many are kept; those that were not used for longest go.
    most: usize,
}

/// Views of skills and tools as they are now.
pub(super) struct Kept {
    shelf: Shelf,
    /// Digest of all that they depend on; none when it cannot be told that this is the same program.
    of: Option<Sha256>,
}

impl Kept {
    /// Those that depend on these settings and on what else `stamps` tells.
    pub(super) fn new(settings: &Settings, stamps: &impl Debug) -> Self {
        let program = std::env::current_exe().ok().map(|path| Stamp::of(&path));
        let of = program.filter(Stamp::is_there).map(|program| {
            let folders = (&settings.folder, &settings.config_folder, &settings.project_folder);
            let rest = (&settings.values, &settings.origins, folders);
            Sha256::new().chain_update(format!("{program:?} {stamps:?} {rest:?}"))
        });
        Self { shelf: Shelf::new(settings.state_folder.join("views"), MOST), of }
    }

    /// The view of a choice; made when there is none.
    ///
    /// # Errors
    /// It cannot be made.
    pub(super) fn view(
        &self,
        choice: &impl Debug,
        make: impl FnOnce() -> Result<View, ViewError>,
    ) -> Result<View, ViewError> {
        let Some(name) = self.name(choice) else { return make() };
        if let Some(view) = self.shelf.read(&name) {
            return Ok(view);
        }
        let view = make()?;
        self.shelf.write(&name, &view);
        Ok(view)
    }

    fn name(&self, choice: &impl Debug) -> Option<String> {
        let digest = self.of.clone()?.chain_update(format!(" {choice:?}")).finalize();
        Some(crate::audit::hex(&digest))
    }
}

impl Shelf {
    /// A folder in which so many things are kept.
    pub(super) fn new(folder: PathBuf, most: usize) -> Self {
        Self { folder, most }
    }

    /// What is kept under a name. What is in use is as if it were new.
    pub(super) fn read<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        let path = self.path(name);
        let kept = serde_json::from_slice(&fs::read(&path).ok()?).ok()?;
        File::options().append(true).open(&path).and_then(|file| file.set_modified(SystemTime::now())).ok();
        Some(kept)
    }

    /// Keeps something under a name.
    pub(super) fn write(&self, name: &str, what: &impl Serialize) {
        // It is only slower without.
        if let Err(error) = self.put(&self.path(name), what) {
            tracing::debug!("{}: {error}", self.folder.display());
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name).with_extension("json")
    }

    fn put(&self, path: &Path, what: &impl Serialize) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let draft = path.with_extension(format!("{}.new", std::process::id()));
        let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        let written = file.write_all(&serde_json::to_vec(what)?).and_then(|()| fs::rename(&draft, path));
        written.inspect_err(|_| drop(fs::remove_file(&draft)))?;
        self.forget()
    }

    /// Removes all but the newest.
    fn forget(&self) -> io::Result<()> {
        let mut files: Vec<(SystemTime, PathBuf)> = Vec::new();
        for file in fs::read_dir(&self.folder)? {
            let file = file?;
            files.push((file.metadata()?.modified()?, file.path()));
        }
        files.sort_unstable_by(|a, b| b.cmp(a));
        files.iter().skip(self.most).try_for_each(|(_, path)| fs::remove_file(path))
    }
}
