//! Files and folders: read, write, list, find, search, copy, move, remove.
//!
//! Paths are relative to the call's folder. Whatever is read is bounded, whatever is
//! written is whole or not there at all.

mod content;
pub(super) mod glob;
mod place;
mod search;
mod tree;

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use aa_spec::tool::{Effect, ErrorKind};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::native::{Face, Native, blocking, invalid};
use super::{CallContext, ToolError};

pub(super) use self::content::{FileAppend, FileRead, FileWrite};
pub(super) use self::place::{FileCopy, FileMove, FileRemove, FolderCreate};
pub(super) use self::search::FileSearch;
pub(super) use self::tree::{FileFind, FileList};

/// `file_exists`.
pub(super) struct FileExists;

/// `file_hash`.
pub(super) struct FileHash;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OnlyPath {
    /// The file or folder, relative to the run's folder.
    path: String,
}

/// What is known of a path.
#[derive(Serialize, JsonSchema)]
pub(super) struct Existence {
    exists: bool,
    /// What it is; null when it does not exist.
    kind: Option<Kind>,
    /// Size in bytes; null when it does not exist.
    bytes: Option<u64>,
    /// When it was changed last, RFC 3339 in UTC; null when it does not exist.
    modified: Option<String>,
}

/// What kind of thing a path leads to. Links are not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Kind {
    File,
    Folder,
    Link,
    Other,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Hash {
    /// SHA-256 in hex.
    sha256: String,
    /// Size in bytes.
    bytes: u64,
}

#[async_trait]
impl Native for FileExists {
    type Args = OnlyPath;
    type Output = Existence;

    const FACE: Face = Face {
        name: "file_exists",
        module: "file",
        description: "Whether a file or folder exists, and what it is",
        effect: Effect::Read,
        idempotent: true,
    };

    async fn call(&self, context: &CallContext, args: OnlyPath) -> Result<Existence, ToolError> {
        let path = resolve(context, &args.path)?;
        blocking(context, move |_| match fs::symlink_metadata(&path) {
            Ok(metadata) => Ok(Existence {
                exists: true,
                kind: Some(kind(&metadata)),
                bytes: Some(metadata.len()),
                modified: modified(&metadata),
            }),
            Err(error) if is_missing(&error) => {
                Ok(Existence { exists: false, kind: None, bytes: None, modified: None })
            }
            Err(error) => Err(cannot("look at", &path, &error)),
        })
        .await
    }
}

#[async_trait]
impl Native for FileHash {
    type Args = OnlyPath;
    type Output = Hash;

    const FACE: Face = Face {
        name: "file_hash",
        module: "file",
        description: "SHA-256 of a file",
        effect: Effect::Read,
        idempotent: true,
    };

    async fn call(&self, context: &CallContext, args: OnlyPath) -> Result<Hash, ToolError> {
        let path = resolve(context, &args.path)?;
        blocking(context, move |brake| {
            let mut file = open(&path)?;
            let mut hasher = Sha256::new();
            let mut chunk = vec![0; 64 * 1024];
            let mut bytes = 0;
            loop {
                brake.check()?;
                let count = file.read(&mut chunk).map_err(|error| cannot("read", &path, &error))?;
                if count == 0 {
                    return Ok(Hash { sha256: hex(&hasher.finalize()), bytes });
                }
                hasher.update(&chunk[..count]);
                bytes += count as u64;
            }
        })
        .await
    }
}

/// A path as the skill means it, open to whoever calls.
fn resolve(context: &CallContext, path: &str) -> Result<PathBuf, ToolError> {
    context.reach(written(path)?)
}

/// The same with everything below it.
fn resolve_tree(context: &CallContext, path: &str) -> Result<PathBuf, ToolError> {
    context.reach_tree(written(path)?)
}

fn written(path: &str) -> Result<&Path, ToolError> {
    match path {
        "" => Err(invalid("the path is empty")),
        path if path == "~" || path.starts_with("~/") => {
            Err(invalid(format!("`{path}`: `~` is not expanded; write the whole path")))
        }
        path if path.contains('\0') => Err(invalid("the path holds a NUL character")),
        path => Ok(Path::new(path)),
    }
}

/// Opens a file, and nothing but a file: reading a pipe or a terminal could take for ever.
fn open(path: &Path) -> Result<fs::File, ToolError> {
    let metadata = fs::metadata(path).map_err(|error| cannot("read", path, &error))?;
    if !metadata.is_file() {
        let what = if metadata.is_dir() { "a folder" } else { "no file" };
        return Err(invalid(format!("cannot read `{}`: it is {what}", path.display())));
    }
    fs::File::open(path).map_err(|error| cannot("read", path, &error))
}

fn kind(metadata: &fs::Metadata) -> Kind {
    match metadata.file_type() {
        kind if kind.is_file() => Kind::File,
        kind if kind.is_dir() => Kind::Folder,
        kind if kind.is_symlink() => Kind::Link,
        _ => Kind::Other,
    }
}

fn modified(metadata: &fs::Metadata) -> Option<String> {
    let time = chrono::DateTime::<chrono::Utc>::from(metadata.modified().ok()?);
    Some(time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true))
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// An error of the file system, in words.
fn cannot(what: &str, path: &Path, error: &io::Error) -> ToolError {
    let (kind, why) = match error.kind() {
        io::ErrorKind::NotFound => (ErrorKind::NotFound, "it does not exist".to_owned()),
        io::ErrorKind::NotADirectory => (ErrorKind::NotFound, "a part of its path is no folder".to_owned()),
        io::ErrorKind::AlreadyExists => (ErrorKind::Permanent, "it exists".to_owned()),
        io::ErrorKind::PermissionDenied => (ErrorKind::Permanent, "it is not allowed".to_owned()),
        io::ErrorKind::IsADirectory => (ErrorKind::Invalid, "it is a folder".to_owned()),
        io::ErrorKind::DirectoryNotEmpty => (ErrorKind::Invalid, "the folder is not empty".to_owned()),
        io::ErrorKind::StorageFull => (ErrorKind::Permanent, "the disk is full".to_owned()),
        io::ErrorKind::ReadOnlyFilesystem => {
            (ErrorKind::Permanent, "the file system is read-only".to_owned())
        }
        io::ErrorKind::InvalidFilename => (ErrorKind::Invalid, "the name is not possible".to_owned()),
        io::ErrorKind::Interrupted | io::ErrorKind::ResourceBusy => (ErrorKind::Transient, error.to_string()),
        _ => (ErrorKind::Permanent, error.to_string()),
    };
    ToolError::new(kind, format!("cannot {what} `{}`: {why}", path.display()))
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests;
