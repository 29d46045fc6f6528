//! Skills written down for assistants, as files of a project.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use aa_spec::check::Strictness;

use super::mend::replace;
use super::{Engine, StartError};
use crate::cause::cause;
use crate::export::{Client, folder, is_made, shown_name};

/// What is to be written down.
#[derive(Clone, Debug)]
pub struct ExportRequest {
    /// For whom.
    pub client: Client,
    /// Folders with a `SKILL.md` in place of commands.
    pub as_skills: bool,
    /// Where: the folder of a project.
    pub folder: PathBuf,
    /// Which skills; empty for all.
    pub names: Vec<String>,
}

/// Files to write, and what is there already.
#[derive(Clone, Debug, Default)]
pub struct Export {
    /// The files, by path.
    pub files: Vec<ExportFile>,
    /// Skills that have errors and so are left out.
    pub broken: Vec<String>,
}

/// A file to write.
#[derive(Clone, Debug)]
pub struct ExportFile {
    /// Where.
    pub path: PathBuf,
    /// How it stands to what is there.
    pub state: ExportState,
    text: String,
}

/// How a file stands to what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportState {
    /// There is none yet.
    New,
    /// It is as it has to be.
    Same,
    /// It was made before, and is to be written again.
    Old,
    /// Somebody else has written it, so it stays.
    Foreign,
    /// It was made of a skill that is gone; it stays until somebody removes it.
    Left,
}

impl Engine {
    /// What an export would write.
    ///
    /// # Errors
    /// A skill is not there, or a file cannot be read.
    pub fn export(&self, request: &ExportRequest) -> Result<Export, StartError> {
        let names = if request.names.is_empty() {
            self.skills()?.into_iter().map(|skill| skill.name).collect()
        } else {
            request.names.clone()
        };
        let mut export = Export::default();
        let mut wanted = BTreeMap::new();
        for name in names {
            let checked = self.check(&name, Strictness { lenient: false, strict: false })?;
            match &checked.plan {
                None => export.broken.push(name),
                Some(plan) if request.as_skills => {
                    let root = format!("{}/{}", request.client.skills(), shown_name(&plan.skill.name));
                    let files = folder(plan, &checked.source).into_iter();
                    wanted.extend(files.map(|(file, text)| (format!("{root}/{file}"), text)));
                }
                Some(plan) => wanted.extend([request.client.command(plan)]),
            }
        }
        // Of a skill's folder, the sheet says whether all of it was made here.
        let sheets = wanted
            .keys()
            .filter_map(|path| path.strip_suffix("SKILL.md"))
            .map(str::to_owned)
            .collect::<Vec<_>>();
        for (path, text) in wanted {
            let sheet =
                sheets.iter().find(|root| path.starts_with(*root)).map(|root| format!("{root}SKILL.md"));
            let path = request.folder.join(path);
            let state = state(&path, sheet.map(|sheet| request.folder.join(sheet)).as_deref(), &text)?;
            export.files.push(ExportFile { path, state, text });
        }
        if request.names.is_empty() {
            let left = left(request, &export)?;
            export.files.extend(left);
        }
        Ok(export)
    }

    /// Writes what is new or old; never over a file that somebody else has written.
    ///
    /// # Errors
    /// A file cannot be written; those before it are.
    pub fn write_export(&self, export: &Export) -> Result<(), StartError> {
        for file in
            export.files.iter().filter(|file| matches!(file.state, ExportState::New | ExportState::Old))
        {
            write(file).map_err(|error| StartError::Unwritable {
                path: file.path.clone(),
                message: cause(&error),
            })?;
        }
        Ok(())
    }
}

fn write(file: &ExportFile) -> io::Result<()> {
    if let Some(folder) = file.path.parent() {
        fs::create_dir_all(folder)?;
    }
    match file.state {
        // Whoever has put a file there in the meantime keeps it.
        ExportState::New => {
            io::Write::write_all(&mut fs::File::create_new(&file.path)?, file.text.as_bytes())
        }
        _ => replace(&file.path, &file.text),
    }
}

fn state(path: &Path, sheet: Option<&Path>, text: &str) -> Result<ExportState, StartError> {
    if path.is_symlink() {
        // What it leads to may be anything.
        return Ok(ExportState::Foreign);
    }
    let Some(found) = read(path)? else { return Ok(ExportState::New) };
    if found == text {
        return Ok(ExportState::Same);
    }
    let marked = match sheet {
        Some(sheet) if sheet != path => read(sheet)?.unwrap_or_default(),
        _ => found,
    };
    Ok(if is_made(&marked) { ExportState::Old } else { ExportState::Foreign })
}

/// The text of a file; none when there is none.
fn read(path: &Path) -> Result<Option<String>, StartError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StartError::Unreadable { path: path.to_owned(), message: cause(&error) }),
    }
}

/// Files that were made before and are not wanted any more. Those of a skill that has errors are: it is
/// not gone.
fn left(request: &ExportRequest, export: &Export) -> Result<Vec<ExportFile>, StartError> {
    let broken: Vec<String> = export.broken.iter().map(|name| shown_name(name)).collect();
    let is_broken = |entry: &fs::DirEntry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        broken.iter().any(|broken| name.split('.').next() == Some(broken.as_str()))
    };
    let root = request.client;
    let root = request.folder.join(if request.as_skills { root.skills() } else { root.commands() });
    let entries = match fs::read_dir(&root) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(StartError::Unreadable { path: root, message: cause(&error) }),
    };
    let mut left = Vec::new();
    for entry in entries.filter_map(Result::ok) {
        let path = if request.as_skills { entry.path().join("SKILL.md") } else { entry.path() };
        let is_wanted = is_broken(&entry) || export.files.iter().any(|file| file.path == path);
        if !is_wanted && path.is_file() && read(&path)?.is_some_and(|text| is_made(&text)) {
            left.push(ExportFile { path, state: ExportState::Left, text: String::new() });
        }
    }
    left.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(left)
}
