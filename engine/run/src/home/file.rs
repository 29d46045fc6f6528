//! Reading a file that a person wrote: bounded, UTF-8, and with words when it cannot be.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use aa_spec::diagnostic::Diagnostic;
use aa_spec::source::Source;
use aa_spec::yaml;

use crate::cause::cause;

/// Why a file or folder cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot read `{}`: {message}", .path.display())]
pub struct FileError {
    /// Which one.
    pub path: PathBuf,
    /// Why.
    pub message: String,
    /// What is wrong with its text, when it could be opened.
    pub problem: Option<Box<Diagnostic>>,
}

impl FileError {
    pub(crate) fn new(path: &Path, message: impl std::fmt::Display) -> Self {
        Self { path: path.to_owned(), message: cause(&message), problem: None }
    }

    fn in_text(path: &Path, problem: Box<Diagnostic>) -> Self {
        Self { path: path.to_owned(), message: problem.message.clone(), problem: Some(problem) }
    }
}

/// Reads a file; `None` when there is none.
pub(crate) fn read(path: &Path, shown: &str) -> Result<Option<Source>, FileError> {
    let failed = |error: io::Error| FileError::new(path, error);
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    if metadata.is_dir() {
        return Err(FileError::new(path, "it is a folder"));
    }
    // A pipe or device has no size to go by, and whoever opens one may wait for ever.
    if !metadata.is_file() {
        return Err(FileError::new(path, "it is not a file"));
    }
    let file = File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(yaml::MAX_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    let length = metadata.len().max(bytes.len() as u64);
    if length > yaml::MAX_BYTES as u64 {
        return Err(FileError::in_text(path, Box::new(yaml::too_large(shown, length))));
    }
    decode(path, shown, bytes).map(Some)
}

/// Reads a file of data of at most so many bytes.
pub(crate) fn bytes(path: &Path, most: u64) -> Result<Vec<u8>, FileError> {
    let failed = |error: io::Error| FileError::new(path, error);
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err(FileError::new(path, "it is not a file"));
    }
    let file = File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > most {
        return Err(FileError::new(path, format!("it has more than {most} bytes")));
    }
    Ok(bytes)
}

/// Text of bytes that were read.
pub(super) fn decode(path: &Path, shown: &str, bytes: Vec<u8>) -> Result<Source, FileError> {
    yaml::decode(shown, bytes).map_err(|problem| FileError::in_text(path, problem))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn only_small_utf8_files_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, content: &[u8]| {
            let path = folder.path().join(name);
            fs::write(&path, content).unwrap();
            read(&path, name).map_err(|error| error.message)
        };
        assert_eq!(put("good", "grün".as_bytes()).unwrap().unwrap().text.to_string(), "grün");
        assert_eq!(put("latin", b"a: b\nc: gr\xfcn\n").unwrap_err(), "the byte 0xfc is not UTF-8 text");
        let large = put("large", &vec![b'x'; (1 << 20) + 1]).unwrap_err();
        assert_eq!(large, "the file has 1048577 bytes; at most 1048576 are read");
        assert!(put("most", &vec![b'x'; 1 << 20]).is_ok());
        assert_eq!(read(folder.path(), "").unwrap_err().message, "it is a folder");
        assert_eq!(read(&folder.path().join("none"), ""), Ok(None));
        assert!(read(&folder.path().join("good/below"), "").is_err());
        assert_eq!(read(Path::new("/dev/null"), "").unwrap_err().message, "it is not a file");
    }
}
