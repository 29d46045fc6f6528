//! Where skills, tool modules and personas come from.
//!
//! Nearest first: the project's folder, the user's, the configured ones, and what the
//! binary carries. A nearer one shadows those of the same name. Names of files are
//! enough to find one by name; only the one that is wanted is read.

pub(crate) mod file;
mod shipped;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use aa_spec::name::fold;
use aa_spec::source::{Source, Text};

pub use file::FileError;

use self::shipped::Content;

use crate::settings::Settings;

/// The largest file of data that is read beside a text, in bytes.
const LARGEST: u64 = 64 << 20;

/// The layer of what the binary carries.
pub(crate) const SHIPPED: &str = "shipped";

/// The layer of what a project brings.
pub(crate) const PROJECT: &str = "project";

/// What can be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A skill.
    Skill,
    /// A tool module.
    Module,
    /// A persona.
    Persona,
    /// Tests of a skill: a file `NAME.test.yaml` among the skills.
    Test,
}

/// A file that was found and not yet read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Canonical name: the file's stem.
    pub name: String,
    /// `project`, `user`, `shipped`, or the configured folder.
    pub layer: String,
    /// Path as shown to people.
    pub shown: String,
    /// Whether unknown names in it are only warnings.
    pub lenient: bool,
    place: Place,
}

impl Entry {
    /// The file; none when it is part of the binary.
    pub fn path(&self) -> Option<&Path> {
        match &self.place {
            Place::File(path) => Some(path),
            Place::Shipped(..) => None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    File(PathBuf),
    Shipped(Kind, &'static str),
}

/// Finds files by kind and name.
#[derive(Clone, Debug)]
pub struct Home {
    /// Paths below it are shown relative to it.
    folder: PathBuf,
    project: Option<PathBuf>,
    user: PathBuf,
    skills: Vec<(PathBuf, bool)>,
    modules: Vec<PathBuf>,
}

/// A folder to look in.
struct Layer {
    name: String,
    folder: PathBuf,
    lenient: bool,
    /// Someone named it, so it has to be there.
    required: bool,
}

impl Home {
    /// The places that the settings name.
    pub fn new(settings: &Settings) -> Self {
        Self {
            folder: settings.folder.clone(),
            project: settings.project_folder.clone(),
            user: settings.config_folder.clone(),
            skills: settings.skills.iter().map(|of| (of.folder.clone(), of.lenient)).collect(),
            modules: settings.tools.clone(),
        }
    }

    /// The nearest file of a name (`-` and `_` are the same letter).
    ///
    /// # Errors
    /// A folder before it cannot be read, or two of its files have that name.
    pub fn find(&self, kind: Kind, name: &str) -> Result<Option<Entry>, FileError> {
        self.find_in(self.layers(kind), kind, name)
    }

    /// The nearest file of a name that no project has brought.
    ///
    /// # Errors
    /// Those of [`Self::find`].
    pub(crate) fn find_owned(&self, kind: Kind, name: &str) -> Result<Option<Entry>, FileError> {
        let layers = self.layers(kind).into_iter().filter(|layer| layer.name != PROJECT);
        self.find_in(layers, kind, name)
    }

    fn find_in(
        &self,
        layers: impl IntoIterator<Item = Layer>,
        kind: Kind,
        name: &str,
    ) -> Result<Option<Entry>, FileError> {
        let name = fold(name);
        for layer in layers {
            if let Some(entry) = self.entries(kind, &layer)?.remove(&name) {
                return Ok(Some(entry));
            }
        }
        Ok(shipped::names(kind)
            .find(|file| stem(kind, file).is_some_and(|stem| stem == name))
            .map(|file| shipped_entry(kind, file, name)))
    }

    /// Every file that is not shadowed, by name.
    ///
    /// # Errors
    /// A folder cannot be read, or two of its files have one name.
    pub fn list(&self, kind: Kind) -> Result<Vec<Entry>, FileError> {
        let mut nearest = BTreeMap::new();
        for entry in self.all(kind)? {
            nearest.entry(entry.name.clone()).or_insert(entry);
        }
        Ok(nearest.into_values().collect())
    }

    /// Every file, the nearest layer first, by name within a layer.
    ///
    /// # Errors
    /// A folder cannot be read, or two of its files have one name.
    pub fn all(&self, kind: Kind) -> Result<Vec<Entry>, FileError> {
        let mut all = self.near(kind)?;
        all.extend(shipped_entries(kind).into_values());
        Ok(all)
    }

    /// The same without what the binary carries.
    pub(crate) fn near(&self, kind: Kind) -> Result<Vec<Entry>, FileError> {
        let mut all = Vec::new();
        for layer in self.layers(kind) {
            all.extend(self.entries(kind, &layer)?.into_values());
        }
        Ok(all)
    }

    /// A file that was named by its path, relative to the working folder.
    pub fn at(&self, path: &Path) -> Entry {
        // Without the dots that people type: `./x.yaml` is `x.yaml`.
        let path: PathBuf = self.folder.join(path).components().collect();
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let parent = path.parent().unwrap_or(&path);
        let lenient = self.skills.iter().any(|(folder, lenient)| *lenient && is_same(folder, parent));
        let layer = path.parent().unwrap_or(&path).display().to_string();
        Entry { name: fold(&stem), layer, shown: self.shown(&path), lenient, place: Place::File(path) }
    }

    /// A file of a name in the folder of another file; none beside shipped ones.
    pub fn beside(&self, entry: &Entry, name: &str) -> Option<Entry> {
        let folder = entry.path()?.parent()?;
        let mut files =
            fs::read_dir(folder).ok()?.filter_map(|item| item.ok()?.file_name().into_string().ok());
        let file = files.find(|file| stem(Kind::Skill, file).is_some_and(|stem| stem == fold(name)))?;
        Some(self.at(&folder.join(file)))
    }

    /// Reads a file.
    ///
    /// # Errors
    /// It is gone, too large, not UTF-8, or cannot be read.
    pub fn read(&self, entry: &Entry) -> Result<Source, FileError> {
        match &entry.place {
            Place::File(path) => {
                file::read(path, &entry.shown)?.ok_or_else(|| FileError::new(path, "there is no such file"))
            }
            Place::Shipped(kind, name) => {
                let path = Path::new(&entry.shown);
                match shipped::get(*kind, name) {
                    Some(Content::Text(text)) => Ok(Source::new(entry.shown.as_str(), Text::Static(text))),
                    Some(Content::Bytes(bytes)) => file::decode(path, &entry.shown, bytes.to_vec()),
                    None => Err(FileError::new(path, "it is gone")),
                }
            }
        }
    }

    /// The bytes of a file that another one names by a relative path, and the path shown.
    ///
    /// # Errors
    /// It is not there, too large, or cannot be read.
    pub fn data_beside(&self, entry: &Entry, path: &str) -> Result<(Vec<u8>, String), FileError> {
        match &entry.place {
            Place::File(of) => {
                let path = of.parent().unwrap_or(of).join(path);
                file::bytes(&path, LARGEST).map(|bytes| (bytes, self.shown(&path)))
            }
            Place::Shipped(kind, _) => {
                let shown = format!("shipped {}/{path}", kind.folder());
                let content = shipped::get(*kind, path);
                let content =
                    content.ok_or_else(|| FileError::new(Path::new(&shown), "there is no such file"))?;
                Ok((content.bytes().to_owned(), shown))
            }
        }
    }

    /// The same of a file that has to be below the other's folder: no link may lead out of it, as whoever
    /// is shown the file may not be allowed to read the rest of the disk.
    ///
    /// # Errors
    /// Those of [`Self::data_beside`], or it is not there.
    pub fn data_below(&self, entry: &Entry, path: &str) -> Result<(Vec<u8>, String), FileError> {
        if let Place::File(of) = &entry.place {
            let folder =
                of.parent().filter(|folder| *folder != Path::new("")).unwrap_or_else(|| Path::new("."));
            let meant = folder.join(path);
            let real = |path: &Path| path.canonicalize().map_err(|error| FileError::new(path, error));
            if !real(&meant)?.starts_with(real(folder)?) {
                return Err(FileError::new(&meant, "it is not below the folder of the file that names it"));
            }
        }
        self.data_beside(entry, path)
    }

    /// A path as people see it.
    pub fn shown(&self, path: &Path) -> String {
        path.strip_prefix(&self.folder).unwrap_or(path).display().to_string()
    }

    /// Folders to look in, nearest first; the shipped files come after them.
    fn layers(&self, kind: Kind) -> Vec<Layer> {
        let own = |name: &str, folder: &Path| Layer {
            name: name.to_owned(),
            folder: folder.join(kind.folder()),
            lenient: false,
            required: false,
        };
        let configured = |folder: &Path, lenient| Layer {
            name: self.shown(folder),
            folder: folder.to_owned(),
            lenient,
            required: true,
        };
        let project = self.project.iter().map(|folder| own(PROJECT, folder));
        let mut layers: Vec<Layer> = project.chain([own("user", &self.user)]).collect();
        match kind {
            Kind::Skill | Kind::Test => {
                layers.extend(self.skills.iter().map(|(folder, lenient)| configured(folder, *lenient)));
            }
            Kind::Module => layers.extend(self.modules.iter().map(|folder| configured(folder, false))),
            Kind::Persona => {}
        }
        layers
    }

    /// The YAML files of a folder, by canonical name; none when there is no such folder.
    fn entries(&self, kind: Kind, layer: &Layer) -> Result<BTreeMap<String, Entry>, FileError> {
        let failed = |error: io::Error| FileError::new(&layer.folder, error);
        let listing = match fs::read_dir(&layer.folder) {
            Ok(listing) => listing,
            Err(error) if error.kind() == io::ErrorKind::NotFound && !layer.required => {
                return Ok(BTreeMap::new());
            }
            Err(error) => return Err(failed(error)),
        };
        let mut entries = BTreeMap::<String, Entry>::new();
        for item in listing {
            let file_name = item.map_err(failed)?.file_name();
            let path = layer.folder.join(&file_name);
            let Some(file) = file_name.to_str() else {
                if stem(kind, &file_name.to_string_lossy()).is_some() {
                    return Err(FileError::new(
                        &path,
                        "its name is not UTF-8, so nothing can name it; rename it",
                    ));
                }
                continue;
            };
            let Some(name) = stem(kind, file) else { continue };
            let entry = Entry {
                name: name.clone(),
                layer: layer.name.clone(),
                shown: self.shown(&path),
                lenient: layer.lenient,
                place: Place::File(path),
            };
            if let Some(other) = entries.insert(name, entry) {
                let mut both = [self.shown(&layer.folder.join(&file_name)), other.shown];
                both.sort();
                let message = format!("`{}` and `{}` have the same name", both[0], both[1]);
                return Err(FileError::new(&layer.folder, message));
            }
        }
        Ok(entries)
    }
}

impl Kind {
    /// The folder that holds files of this kind.
    fn folder(self) -> &'static str {
        match self {
            Self::Skill | Self::Test => "skills",
            Self::Module => "tools",
            Self::Persona => "personas",
        }
    }
}

fn shipped_entries(kind: Kind) -> BTreeMap<String, Entry> {
    let entry = |file| {
        let name = stem(kind, file)?;
        Some((name.clone(), shipped_entry(kind, file, name)))
    };
    shipped::names(kind).filter_map(entry).collect()
}

/// The texts that the binary carries, by name.
pub(crate) fn shipped_texts(kind: Kind) -> impl Iterator<Item = Source> {
    let text = |entry: Entry| match entry.place {
        Place::Shipped(kind, file) => match shipped::get(kind, file)? {
            Content::Text(text) => Some(Source::new(entry.shown, Text::Static(text))),
            Content::Bytes(_) => None,
        },
        Place::File(_) => None,
    };
    shipped_entries(kind).into_values().filter_map(text)
}

fn shipped_entry(kind: Kind, file: &'static str, name: String) -> Entry {
    Entry {
        name,
        layer: SHIPPED.to_owned(),
        shown: format!("shipped {}/{file}", kind.folder()),
        lenient: false,
        place: Place::Shipped(kind, file),
    }
}

/// Whether two paths lead to one folder, however they are written.
fn is_same(a: &Path, b: &Path) -> bool {
    a == b || matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

/// The canonical name that a file's name gives; none for hidden and other files. Tests of a
/// skill lie beside it under its name and are no skill.
fn stem(kind: Kind, file: &str) -> Option<String> {
    let stem = file.strip_suffix(".yaml").or_else(|| file.strip_suffix(".yml"))?;
    let stem = match (kind, stem.strip_suffix(".test")) {
        (Kind::Test, name) => name?,
        (Kind::Skill, Some(_)) => return None,
        _ => stem,
    };
    (!stem.is_empty() && !stem.starts_with('.')).then(|| fold(stem))
}

#[cfg(test)]
mod tests;
