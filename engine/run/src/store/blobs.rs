//! Big texts as files named by their hash, beside the database.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use aa_spec::plan::digest;

use super::database::sync_folder;

/// The folder of big texts.
#[derive(Debug)]
pub(super) struct Blobs {
    folder: PathBuf,
    written: AtomicU64,
}

impl Blobs {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder, written: AtomicU64::new(0) }
    }

    /// Stores a text and gives its hash. On return it survives a power cut.
    pub(super) fn put(&self, text: &str) -> io::Result<String> {
        let hash = digest(text);
        let path = self.path(&hash);
        let drawer = path.parent().unwrap_or(&self.folder);
        self.make(drawer)?;
        if fs::metadata(&path).is_ok_and(|file| file.len() == text.len() as u64) {
            // Another process may have renamed it and not synced its folder yet.
            return sync_folder(drawer).map(|()| hash);
        }
        let number = self.written.fetch_add(1, Ordering::Relaxed);
        let draft = drawer.join(format!("{hash}.{}-{number}", std::process::id()));
        write_synced(&draft, text).inspect_err(|_| {
            // The error is what matters; a draft left behind is never read.
            let _ = fs::remove_file(&draft);
        })?;
        fs::rename(&draft, &path)?;
        sync_folder(drawer)?;
        sync_folder(&self.folder)?;
        Ok(hash)
    }

    /// Makes a folder of its own for some of them. Nobody else may look into the folder of all, also where it was
    /// made by one who did not see to that.
    fn make(&self, drawer: &Path) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(drawer)?;
        let open = fs::metadata(&self.folder)?.permissions().mode() & 0o077 != 0;
        if open { fs::set_permissions(&self.folder, Permissions::from_mode(0o700)) } else { Ok(()) }
    }

    /// The text of a hash.
    ///
    /// # Errors
    /// A message, when the file is gone or its content is not what was stored.
    pub(super) fn get(&self, hash: &str) -> Result<String, String> {
        let path = self.path(hash);
        let bytes = fs::read(&path).map_err(|error| format!("cannot read `{}`: {error}", path.display()))?;
        if digest(&bytes) != hash {
            return Err(format!("`{}` is damaged: its content does not fit its name", path.display()));
        }
        String::from_utf8(bytes).map_err(|_| format!("`{}` is damaged: it is not UTF-8", path.display()))
    }

    fn path(&self, hash: &str) -> PathBuf {
        self.folder.join(hash.get(..2).unwrap_or("")).join(hash)
    }
}

fn write_synced(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::new(folder.path().to_owned());
        let hash = blobs.put("hello").unwrap();
        assert_eq!(hash, "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
        assert_eq!(blobs.get(&hash).unwrap(), "hello");
        assert_eq!(blobs.put("hello").unwrap(), hash);
        assert_eq!(fs::read_dir(folder.path().join("2c")).unwrap().count(), 1);
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn they_are_for_nobody_else_to_read() {
        let folder = tempfile::tempdir().unwrap();
        let all = folder.path().join("blobs");
        let blobs = Blobs::new(all.clone());
        let hash = blobs.put("hello").unwrap();
        let modes = [mode(&all), mode(&all.join("2c")), mode(&all.join("2c").join(hash))];
        assert_eq!(modes, [0o700, 0o700, 0o600]);

        // As those before have left it.
        fs::set_permissions(&all, Permissions::from_mode(0o755)).unwrap();
        blobs.put("other").unwrap();
        assert_eq!(mode(&all), 0o700);
    }

    #[test]
    fn damage_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::new(folder.path().to_owned());
        let hash = blobs.put("hello").unwrap();
        fs::write(folder.path().join("2c").join(&hash), "hellO").unwrap();
        assert!(blobs.get(&hash).unwrap_err().contains("is damaged"));
        fs::remove_file(folder.path().join("2c").join(&hash)).unwrap();
        assert!(blobs.get(&hash).unwrap_err().contains("cannot read"));
    }

    #[test]
    fn a_torn_file_of_another_process_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::new(folder.path().to_owned());
        let hash = blobs.put("hello").unwrap();
        fs::write(folder.path().join("2c").join(&hash), "hel").unwrap();
        blobs.put("hello").unwrap();
        assert_eq!(blobs.get(&hash).unwrap(), "hello");
    }
}
