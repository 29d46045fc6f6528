//! A namespace on disk: a folder with a record in it.
//!
//! Every step that could leave half a namespace behind is a rename, so a namespace is
//! either there with its record or not there. Records are changed under one lock.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use aa_spec::plan::digest;
use aa_spec::tool::ErrorKind;
use chrono::{SubsecRound as _, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::service::Service;
use crate::event::Time;
use crate::tool::ToolError;

const RECORD: &str = "namespace.json";
const FORMAT: u32 = 1;
/// Digits of the random part of a name; the look-alikes `0`, `1`, `l` and `o` are left out.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
const PREFIX: &str = "ephemeral-";

/// All namespaces of one state folder.
#[derive(Debug)]
pub(super) struct Namespaces {
    folder: PathBuf,
}

/// What is known of a namespace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    /// Version of this format.
    format: u32,
    /// Its name, also that of its folder.
    pub(super) name: String,
    /// Who made it.
    pub(super) provider: Provider,
    /// Whom it is for.
    pub(super) owner: String,
    /// When it was reserved.
    pub(super) created: Time,
    /// When it may be released by anyone.
    pub(super) expires: Time,
    /// Idempotency key of the call that reserved it.
    key: String,
    /// Marks the processes that belong to it.
    pub(super) token: String,
    /// What is checked out in it.
    #[serde(default)]
    pub(super) checkout: Option<CheckedOut>,
    /// Commit whose build succeeded.
    #[serde(default)]
    pub(super) built: Option<String>,
    /// What runs in it, or ran.
    #[serde(default)]
    pub(super) service: Option<Service>,
}

/// Where namespaces come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Provider {
    /// Folders and processes of this machine.
    #[default]
    Local,
}

/// A commit in a namespace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CheckedOut {
    /// Repository it came from.
    pub(super) repository: String,
    /// Reference it was fetched by.
    pub(super) reference: String,
    /// Its full id.
    pub(super) commit: String,
}

/// What is wanted of a new namespace.
#[derive(Debug)]
pub(super) struct Reservation {
    /// Where it comes from.
    pub(super) provider: Provider,
    /// Whom it is for.
    pub(super) owner: String,
    /// How long it lives.
    pub(super) ttl: Duration,
    /// The same key gives the same namespace.
    pub(super) key: String,
}

/// What became of a name that was to be released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Removal {
    /// It is gone now.
    Removed,
    /// It was not there.
    Absent,
}

/// Why a namespace cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum NamespaceError {
    /// No such namespace.
    #[error("there is no namespace `{name}`")]
    Unknown {
        /// The name.
        name: String,
        /// What to do.
        hint: String,
    },
    /// Not a name that this module gives.
    #[error("`{0}` is not the name of an ephemeral namespace; they look like `ephemeral-ab12cd`")]
    BadName(String),
    /// A folder without a record that this version reads.
    #[error("cannot use the namespace `{}`: {message}", .path.display())]
    Unusable {
        /// Which folder or file.
        path: PathBuf,
        /// Why.
        message: String,
    },
}

impl Namespaces {
    /// The namespaces in a folder, which need not exist yet.
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Where everything of the module lives.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Reserves a namespace, or finds the one that the same key reserved before.
    pub(super) fn reserve(&self, wanted: &Reservation) -> Result<Record, NamespaceError> {
        self.locked(|| {
            let records = self.read_all()?;
            if let Some(own) = records.iter().find(|record| record.key == wanted.key) {
                return Ok(own.clone());
            }
            let taken: BTreeSet<&str> = records.iter().map(|record| record.name.as_str()).collect();
            let name = (0..=u32::MAX)
                .map(|round| name_from(&wanted.key, round))
                .find(|name| !taken.contains(name.as_str()) && !self.path(name).exists())
                // The round counts up to four thousand million.
                .unwrap_or_default();
            self.create(name, wanted)
        })
    }

    fn create(&self, name: String, wanted: &Reservation) -> Result<Record, NamespaceError> {
        let created = Utc::now().trunc_subsecs(3);
        let record = Record {
            format: FORMAT,
            provider: wanted.provider,
            owner: wanted.owner.clone(),
            created,
            expires: created + wanted.ttl,
            key: wanted.key.clone(),
            token: digest(format!("{}\n{}", self.folder.display(), wanted.key)),
            checkout: None,
            built: None,
            service: None,
            name,
        };
        let target = self.path(&record.name);
        let unfinished = self.folder.join(format!(".new-{}", record.name));
        fs::create_dir_all(&unfinished).map_err(|error| unusable(&unfinished, &error))?;
        write_record(&unfinished, &record)?;
        fs::rename(&unfinished, &target).map_err(|error| unusable(&target, &error))?;
        Ok(record)
    }

    /// The record of a namespace.
    pub(super) fn read(&self, name: &str) -> Result<Record, NamespaceError> {
        require_name(name)?;
        match read_record(&self.path(name), name) {
            Err(NamespaceError::Unusable { .. }) if !self.path(name).exists() => {
                Err(NamespaceError::Unknown { name: name.to_owned(), hint: self.hint()? })
            }
            other => other,
        }
    }

    fn hint(&self) -> Result<String, NamespaceError> {
        let names: Vec<String> = self.read_all()?.into_iter().map(|record| record.name).collect();
        Ok(if names.is_empty() {
            "there are none at the moment".to_owned()
        } else {
            format!("there are {}", names.join(", "))
        })
    }

    /// Every record, by name. A folder that is not a namespace is an error: nothing is overlooked.
    pub(super) fn read_all(&self) -> Result<Vec<Record>, NamespaceError> {
        let mut names = Vec::new();
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(unusable(&self.folder, &error)),
        };
        for entry in entries {
            let entry = entry.map_err(|error| unusable(&self.folder, &error))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if is_name(&name) {
                names.push(name);
            }
        }
        names.sort();
        let mut records = Vec::with_capacity(names.len());
        for name in names {
            match read_record(&self.path(&name), &name) {
                Ok(record) => records.push(record),
                // Released between the two looks.
                Err(_) if !self.path(&name).exists() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(records)
    }

    /// Changes the record of a namespace.
    pub(super) fn update(
        &self,
        name: &str,
        change: impl FnOnce(&mut Record),
    ) -> Result<Record, NamespaceError> {
        self.locked(|| {
            let mut record = self.read(name)?;
            change(&mut record);
            write_record(&self.path(name), &record)?;
            Ok(record)
        })
    }

    /// Removes a namespace's folder. Its processes must have ended.
    pub(super) fn remove(&self, name: &str) -> Result<Removal, NamespaceError> {
        require_name(name)?;
        let gone = self.folder.join(format!(".gone-{name}"));
        let removal = self.locked(|| {
            let path = self.path(name);
            if !path.exists() {
                return Ok(Removal::Absent);
            }
            // Refuses what this module did not make.
            read_record(&path, name)?;
            delete(&gone)?;
            fs::rename(&path, &gone).map_err(|error| unusable(&path, &error))?;
            Ok(Removal::Removed)
        })?;
        // Also finishes a removal that was interrupted after its rename.
        delete(&gone)?;
        Ok(removal)
    }

    /// Removes what processes that died in the middle of something have left behind.
    pub(super) fn sweep(&self) -> Result<(), NamespaceError> {
        self.locked(|| {
            let entries = fs::read_dir(&self.folder).map_err(|error| unusable(&self.folder, &error))?;
            for entry in entries.flatten() {
                let name = entry.file_name();
                let name = name.to_string_lossy();
                // Both are made under the lock, so nobody is at work on a new one now.
                if name.starts_with(".new-") || name.starts_with(".gone-") {
                    delete(&entry.path())?;
                }
            }
            Ok(())
        })
    }

    /// The folder of a namespace.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The checkout of a namespace.
    pub(super) fn source(&self, name: &str) -> PathBuf {
        self.path(name).join("source")
    }

    /// Does something while no other process changes a namespace.
    fn locked<T>(&self, work: impl FnOnce() -> Result<T, NamespaceError>) -> Result<T, NamespaceError> {
        let path = self.folder.join(".lock");
        fs::create_dir_all(&self.folder).map_err(|error| unusable(&self.folder, &error))?;
        let lock = fs::File::create(&path).map_err(|error| unusable(&path, &error))?;
        lock.lock().map_err(|error| unusable(&path, &error))?;
        work()
        // Closing the file gives the lock back.
    }
}

impl Record {
    /// Whether its time is over.
    pub(super) fn is_expired(&self) -> bool {
        self.expires <= Utc::now()
    }

    /// The mark of one kind of process of it, for the environment of such processes.
    pub(super) fn mark(&self, kind: &str) -> String {
        format!("{}-{kind}", self.token)
    }
}

/// The `round`th name that a key stands for; the first that is free is taken.
fn name_from(key: &str, round: u32) -> String {
    let digits = digest(format!("{key}/{round}"));
    // Two hexadecimal digits for each character; 256 is a multiple of 32.
    let random = (0..6).filter_map(|at| u8::from_str_radix(digits.get(2 * at..2 * at + 2)?, 16).ok());
    let random = random.map(|byte| char::from(ALPHABET[usize::from(byte % 32)]));
    PREFIX.chars().chain(random).collect()
}

fn is_name(name: &str) -> bool {
    name.strip_prefix(PREFIX)
        .is_some_and(|random| random.len() == 6 && random.bytes().all(|byte| ALPHABET.contains(&byte)))
}

fn require_name(name: &str) -> Result<(), NamespaceError> {
    if is_name(name) { Ok(()) } else { Err(NamespaceError::BadName(name.to_owned())) }
}

fn read_record(folder: &Path, name: &str) -> Result<Record, NamespaceError> {
    let path = folder.join(RECORD);
    let text = fs::read(&path).map_err(|error| unusable(&path, &error))?;
    let record: Record = serde_json::from_slice(&text).map_err(|error| unusable(&path, &error))?;
    if record.format != FORMAT || record.name != name {
        return Err(unusable(&path, &format!("it is not the record of `{name}`")));
    }
    Ok(record)
}

fn write_record(folder: &Path, record: &Record) -> Result<(), NamespaceError> {
    let path = folder.join(RECORD);
    let draft = folder.join(".namespace.json.new");
    let write = || -> io::Result<()> {
        let mut file = fs::File::create(&draft)?;
        serde_json::to_writer_pretty(&mut file, record)?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        fs::rename(&draft, &path)
    };
    write().map_err(|error| unusable(&path, &error))
}

/// Removes a folder and all that is in it, also what a build made read-only.
pub(super) fn delete(folder: &Path) -> Result<(), NamespaceError> {
    let removed = match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            unprotect(folder).and_then(|()| fs::remove_dir_all(folder))
        }
        other => other,
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(unusable(folder, &error)),
        _ => Ok(()),
    }
}

/// Makes every folder in a folder writable; links are not followed.
fn unprotect(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            unprotect(&entry.path())?;
        }
    }
    Ok(())
}

fn unusable(path: &Path, error: &dyn std::fmt::Display) -> NamespaceError {
    NamespaceError::Unusable { path: path.to_owned(), message: error.to_string() }
}

impl From<NamespaceError> for ToolError {
    fn from(error: NamespaceError) -> Self {
        let message = error.to_string();
        match error {
            NamespaceError::Unknown { hint, .. } => {
                Self::new(ErrorKind::NotFound, message).details(serde_json::json!({ "hint": hint }))
            }
            NamespaceError::BadName(_) => Self::new(ErrorKind::Invalid, message),
            NamespaceError::Unusable { .. } => Self::new(ErrorKind::Permanent, message),
        }
    }
}
