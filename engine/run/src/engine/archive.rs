//! The memory as a folder of YAML files, `KEY.yaml` each, and back.
//!
//! Reading takes in everything or nothing: all files are read and held against their
//! shapes first, and what does not belong to a memory is left out and said. No link is
//! followed. A document that is too big to be read as YAML is written as JSON.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use aa_spec::diagnostic::Diagnostic;
use aa_spec::source::Source;
use aa_spec::yaml;
use chrono::Utc;
use serde_json::{Map, Value};

use super::{Engine, StartError};
use crate::cause::cause;
use crate::home::file;
use crate::store::Imported;
use crate::tool::{DEEPEST, Key, check_size, shape};

/// Deepest folder that is looked into; a key's last word is a file.
const DEPTH: usize = DEEPEST - 1;
/// Where other systems keep the mistakes that they have counted.
const PATTERNS: &str = "learned/usage_patterns";
/// Most files of a memory.
const FILES: usize = 20_000;
/// Biggest JSON file that is read.
const BIGGEST: u64 = 16 << 20;

/// What is in a folder.
#[derive(Debug, Default)]
pub struct Archive {
    /// Documents by key.
    pub documents: BTreeMap<String, Map<String, Value>>,
    /// Files that are no part of a memory, and why.
    pub skipped: Vec<Remark>,
    /// What is to be known of documents that can be taken in.
    pub notes: Vec<Remark>,
    /// Documents that cannot be taken in, and why.
    pub problems: Vec<Remark>,
    /// What is wrong in texts.
    pub diagnostics: Vec<Diagnostic>,
}

/// Something about a file.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Remark {
    /// Which, relative to the folder.
    pub file: String,
    /// What.
    pub message: String,
}

impl Engine {
    /// Reads a folder of documents; nothing is remembered yet.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn read_archive(&self, folder: &Path) -> Result<Archive, StartError> {
        read(folder)
            .map_err(|error| StartError::Unreadable { path: folder.to_owned(), message: cause(&error) })
    }

    /// Remembers documents for the caller's tenant, all of them or none: none when a key is there with another
    /// document, unless they are to be replaced.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn import_memory(&self, archive: Archive, replace: bool) -> Result<Imported, StartError> {
        if !archive.is_whole() {
            return Err(StartError::Refused("some documents cannot be taken in".to_owned()));
        }
        let documents = archive.documents.into_iter().collect();
        let (store, tenant) = (self.parts.store()?, &self.caller.tenant);
        Ok(store.import_memory(tenant, documents, Utc::now(), replace).await?)
    }

    /// Writes all that the caller's tenant remembers into a folder that is empty or not there, or over what
    /// is there when that is wanted; gives the keys.
    ///
    /// # Errors
    /// There is something in the folder, or it cannot be written.
    pub fn export_memory(&self, folder: &Path, over: bool) -> Result<Vec<String>, StartError> {
        let documents = self.parts.store()?.memory_documents(&self.caller.tenant)?;
        let is_full = fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some());
        if is_full && !over {
            return Err(StartError::Refused(format!("`{}` is not empty", folder.display())));
        }
        let written = if is_full { write_over(folder, &documents) } else { write_new(folder, &documents) };
        written
            .map_err(|error| StartError::Unwritable { path: folder.to_owned(), message: cause(&error) })?;
        Ok(documents.into_iter().map(|(key, _)| key).collect())
    }
}

impl Archive {
    /// Whether all of its documents can be taken in.
    pub fn is_whole(&self) -> bool {
        self.problems.is_empty() && self.diagnostics.is_empty()
    }

    fn skip(&mut self, file: &str, message: impl Into<String>) {
        self.skipped.push(Remark { file: file.to_owned(), message: message.into() });
    }

    fn refuse(&mut self, file: &str, message: impl Into<String>) {
        self.problems.push(Remark { file: file.to_owned(), message: message.into() });
    }

    fn take(&mut self, file: &str, key: String, value: Value) {
        let document = match value {
            Value::Null => Map::new(),
            Value::Object(document) => document,
            _ => return self.skip(file, "it is no mapping"),
        };
        if let Err(error) = shape::check(&key, &document).and_then(|()| check_size(&document)) {
            return self.refuse(file, error.message);
        }
        if key == PATTERNS {
            let message = "it is kept as it is; calls are warned of mistakes that were counted here (`aa memory patterns`)";
            self.notes.push(Remark { file: file.to_owned(), message: message.to_owned() });
        }
        match self.documents.entry(key) {
            Entry::Vacant(place) => {
                place.insert(document);
            }
            Entry::Occupied(known) => {
                let message = format!("there is another file for `{}`", known.key());
                self.refuse(file, message);
            }
        }
    }
}

/// Reads a folder.
fn read(folder: &Path) -> io::Result<Archive> {
    let mut archive = Archive::default();
    look_into(folder, "", DEPTH, &mut archive)?;
    Ok(archive)
}

fn look_into(folder: &Path, above: &str, depth: usize, archive: &mut Archive) -> io::Result<()> {
    let mut entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name();
        let shown = format!("{above}{}", name.to_string_lossy());
        let kind = entry.file_type()?;
        if kind.is_symlink() {
            archive.skip(&shown, "it is a link");
        } else if name.to_string_lossy().starts_with('.') {
            archive.skip(&shown, "it is hidden");
        } else if kind.is_dir() && above.is_empty() && name == "backups" {
            archive.skip(&shown, "backups are no memory");
        } else if kind.is_dir() && depth == 0 {
            archive.skip(&shown, "it is too deep");
        } else if kind.is_dir() {
            look_into(&entry.path(), &format!("{shown}/"), depth - 1, archive)?;
        } else if !kind.is_file() {
            archive.skip(&shown, "it is no file");
        } else if archive.documents.len() + archive.skipped.len() >= FILES {
            archive.refuse(&shown, format!("there are more than {FILES} files"));
            return Ok(());
        } else {
            read_file(&entry.path(), &shown, archive);
        }
    }
    Ok(())
}

fn read_file(path: &Path, shown: &str, archive: &mut Archive) {
    let (name, is_json) = match shown.rsplit_once('.') {
        Some((name, "yaml" | "yml")) => (name, false),
        Some((name, "json")) => (name, true),
        _ => return archive.skip(shown, "it is neither YAML nor JSON"),
    };
    // A key may itself end like a file.
    let Ok(key) = Key::new(&format!("{name}.yaml")) else {
        return archive.skip(shown, "its name is no key");
    };
    let key = key.as_str().to_owned();
    if is_json {
        let value = file::bytes(path, BIGGEST).map_err(|error| error.message);
        let value = value.and_then(|bytes| serde_json::from_slice(&bytes).map_err(|error| error.to_string()));
        return match value {
            Ok(value) => archive.take(shown, key, value),
            Err(message) => archive.refuse(shown, message),
        };
    }
    match file::read(path, shown) {
        Ok(Some(source)) => take_yaml(&source, key, archive),
        Ok(None) => archive.skip(shown, "it is gone"),
        Err(error) => match error.problem {
            Some(problem) => archive.diagnostics.push(*problem),
            None => archive.refuse(shown, error.message),
        },
    }
}

fn take_yaml(source: &Source, key: String, archive: &mut Archive) {
    let says_nothing = |line: &str| line.trim().is_empty() || line.trim_start().starts_with('#');
    if source.text.lines().all(says_nothing) {
        return archive.take(&source.path, key, Value::Null);
    }
    match yaml::parse_exactly(source) {
        Ok(node) => archive.take(&source.path, key, node.to_json()),
        Err(problem) => archive.diagnostics.push(*problem),
    }
}

/// Writes a folder that is not there yet, or empty: it appears whole or not at all.
fn write_new(folder: &Path, documents: &[(String, Map<String, Value>)]) -> io::Result<()> {
    let name = folder.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy().into_owned();
    let draft = folder.with_file_name(format!(".{name}.{}.new", std::process::id()));
    if let Some(above) = folder.parent() {
        fs::create_dir_all(above)?;
    }
    fs::create_dir(&draft)?;
    let write = || {
        for (key, document) in documents {
            let (file, text) = file_of(key, document);
            put(&draft.join(file), &text)?;
        }
        // An empty folder gives way; one that has been filled meanwhile does not.
        if folder.is_dir() {
            fs::remove_dir(folder)?;
        }
        fs::rename(&draft, folder)
    };
    write().inspect_err(|_| drop(fs::remove_dir_all(&draft)))
}

/// Puts files into a folder that has others: each whole or not at all.
fn write_over(folder: &Path, documents: &[(String, Map<String, Value>)]) -> io::Result<()> {
    for (key, document) in documents {
        let (file, text) = file_of(key, document);
        let path = folder.join(&file);
        let within = path.ancestors().skip(1).take_while(|above| *above != folder);
        if let Some(link) = within.into_iter().find(|above| above.is_symlink()) {
            return Err(io::Error::other(format!("`{}` is a link", link.display())));
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let draft = path.with_file_name(format!(".{name}.{}.new", std::process::id()));
        let written = put(&draft, &text).and_then(|()| fs::rename(&draft, &path));
        written.inspect_err(|_| drop(fs::remove_file(&draft)))?;
        // The same document in its other form would be there twice.
        let other = if file.extension().is_some_and(|ending| ending == "json") { "yaml" } else { "json" };
        let other = folder.join(format!("{key}.{other}"));
        if other.is_file() {
            fs::remove_file(other)?;
        }
    }
    Ok(())
}

/// The file of a document, and what is in it.
fn file_of(key: &str, document: &Map<String, Value>) -> (PathBuf, String) {
    let value = Value::Object(document.clone());
    let text = yaml::write(&value);
    if text.len() <= yaml::MAX_BYTES {
        return (PathBuf::from(format!("{key}.yaml")), text);
    }
    let text = format!("{value:#}\n");
    // Many short lines may be more than is read again.
    let text = if text.len() as u64 > BIGGEST { format!("{value}\n") } else { text };
    (PathBuf::from(format!("{key}.json")), text)
}

fn put(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = fs::File::create(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn value() -> impl Strategy<Value = Value> {
        let number = prop_oneof![any::<i64>().prop_map(Value::from), (-1e9..1e9_f64).prop_map(Value::from)];
        let text =
            prop_oneof!["[ -~]{0,20}", "\\PC{0,12}", "(- |: |# |[a-z]+: |\n|yes|null|~|1e3|0x1f|'|\"|  )*",];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            number,
            text.clone().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 5, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map("[ -~]{1,12}", inner, 0..5)
                    .prop_map(|entries| Value::Object(entries.into_iter().collect())),
            ]
        })
    }

    fn memory() -> impl Strategy<Value = BTreeMap<String, Map<String, Value>>> {
        let key = "[a-z_][a-z0-9_.-]{0,8}(/[a-z0-9][a-z0-9_.-]{0,8}){0,2}";
        let key = key.prop_filter("it has a shape", |key| {
            !key.starts_with("sessions/") && Key::new(&format!("{key}.yaml")).is_ok()
        });
        let document = prop::collection::btree_map("[a-zA-Z_][ -~]{0,9}", value(), 0..5)
            .prop_map(|entries| entries.into_iter().collect::<Map<_, _>>());
        prop::collection::btree_map(key, document, 0..6)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]
        #[test]
        fn what_is_written_is_read_back(documents in memory()) {
            let folder = tempfile::tempdir().unwrap();
            let list: Vec<_> = documents.clone().into_iter().collect();
            let target = folder.path().join("out");
            write_new(&target, &list).unwrap();
            for _ in 0..2 {
                let archive = read(&target).unwrap();
                prop_assert!(archive.is_whole(), "{:?} {:?}", archive.problems, archive.diagnostics);
                prop_assert_eq!(&archive.skipped, &Vec::<Remark>::new());
                prop_assert_eq!(&archive.documents, &documents);
                write_over(&target, &list).unwrap();
            }
        }
    }

    #[test]
    fn what_is_too_big_for_yaml_is_written_as_json() {
        let folder = tempfile::tempdir().unwrap();
        let big = json!({"x": "words ".repeat(300_000)}).as_object().unwrap().clone();
        let target = folder.path().join("out");
        write_new(&target, &[("a/big".to_owned(), big.clone())]).unwrap();
        assert!(target.join("a/big.json").is_file());
        assert_eq!(read(&target).unwrap().documents["a/big"], big);
    }

    #[test]
    fn what_could_not_be_kept_is_not_taken_in_and_all_that_is_kept_is() {
        let folder = tempfile::tempdir().unwrap();
        let of = |value: Value| json!({"x": value}).as_object().unwrap().clone();
        let deep = ["a"; DEEPEST].join("/");
        assert!(Key::new(&deep).is_ok());
        let target = folder.path().join("out");
        let big = ("big".to_owned(), of("x".repeat(5 << 20).into()));
        // Indented, it is more than the biggest file.
        let long = ("long".to_owned(), of(json!([[vec![0; 2_000_000]]])));
        write_new(&target, &[big, long.clone(), (deep.clone(), of(json!(1)))]).unwrap();
        let archive = read(&target).unwrap();
        let keys: Vec<_> = archive.documents.keys().collect();
        assert_eq!(keys, [&deep, "long"]);
        assert_eq!(archive.documents["long"], long.1);
        assert_eq!(archive.problems.len(), 1);
        assert!(archive.problems[0].message.contains("bytes under one key"), "{:?}", archive.problems);
    }

    #[test]
    fn what_is_no_memory_is_left_out_and_said() {
        let folder = tempfile::tempdir().unwrap();
        let put = |path: &str, text: &str| super::put(&folder.path().join("m").join(path), text).unwrap();
        put("state/ok.yaml", "a: 1\n");
        put("state/empty.yml", "# nothing\n");
        put("learned/list.yaml", "- 1\n");
        put("learned/broken.yaml", "a: [1\n");
        put("learned/patterns.yaml", "auth_patterns:\n  - meaning: x\n");
        put("state/ok.json", "{\"a\": 2}");
        put("state/bad.json", "{");
        put("backups/old.yaml", "a: 1\n");
        put(".hidden.yaml", "a: 1\n");
        put("README.md", "words\n");
        put("a b.yaml", "a: 1\n");
        let outside = folder.path().join("secret.yaml");
        super::put(&outside, "secret: 1\n").unwrap();
        std::os::unix::fs::symlink(&outside, folder.path().join("m/linked.yaml")).unwrap();
        std::os::unix::fs::symlink(folder.path(), folder.path().join("m/up")).unwrap();
        let archive = read(&folder.path().join("m")).unwrap();
        let keys: Vec<_> = archive.documents.keys().map(String::as_str).collect();
        assert_eq!(keys, ["state/empty", "state/ok"]);
        let remarks = |of: &[Remark]| -> Vec<String> {
            of.iter().map(|remark| format!("{}: {}", remark.file, remark.message)).collect()
        };
        assert_eq!(
            remarks(&archive.skipped),
            [
                ".hidden.yaml: it is hidden",
                "README.md: it is neither YAML nor JSON",
                "a b.yaml: its name is no key",
                "backups: backups are no memory",
                "learned/list.yaml: it is no mapping",
                "linked.yaml: it is a link",
                "up: it is a link",
            ]
        );
        let problems = remarks(&archive.problems);
        assert_eq!(problems.len(), 3, "{problems:?}");
        assert!(
            problems[0].starts_with("learned/patterns.yaml: `learned/patterns` would not be"),
            "{problems:?}"
        );
        assert!(problems[1].starts_with("state/bad.json: "), "{problems:?}");
        assert_eq!(problems[2], "state/ok.yaml: there is another file for `state/ok`");
        assert_eq!(archive.diagnostics.len(), 1);
    }
}
