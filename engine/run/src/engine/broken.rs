//! Files of skills, tool modules and personas that have errors, and configurations, in a process that lives on while they
//! change.
//!
//! They are checked when it is seen that files have changed, beside everything else: nobody waits for that. What is part
//! of the binary is not among them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use aa_spec::check::Strictness;
use aa_spec::diagnostic::{Diagnostic, Severity};
use serde::{Deserialize, Serialize};

use super::{Catalogue, Engine, StartError, catalog, personas};
use crate::home::Kind;

/// How often it is looked whether files have changed.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// A file that is not heard until it is mended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokenFile {
    /// Its path, as shown to people.
    pub file: String,
    /// What is wrong at first, with its line.
    pub problem: String,
}

/// What is wrong with files, by path, as far as somebody has looked.
#[derive(Debug, Default)]
pub(super) struct Broken(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// What was looked at last.
    seen: Weak<Catalogue>,
    files: BTreeMap<String, String>,
    /// Configurations that cannot be read as they are now, by the folder that they are for.
    configurations: BTreeMap<PathBuf, BrokenFile>,
}

impl Broken {
    /// The files that had errors when they were looked at last.
    pub(super) fn files(&self) -> Vec<BrokenFile> {
        let held = self.held();
        let files = held.files.iter().map(|(file, problem)| (file.clone(), problem.clone()));
        let files = files.map(|(file, problem)| BrokenFile { file, problem });
        held.configurations.values().cloned().chain(files).collect()
    }

    /// Takes note that the configuration of a folder was read again, or why that could not be.
    pub(super) fn configured(&self, folder: &Path, wrong: Option<BrokenFile>) {
        let configurations = &mut self.held().configurations;
        match wrong {
            Some(wrong) => drop(configurations.insert(folder.to_owned(), wrong)),
            None => drop(configurations.remove(folder)),
        }
    }

    /// Whether somebody has yet to look at the files as they are now; then it is the caller.
    fn is_news(&self, catalogue: &Arc<Catalogue>) -> bool {
        let seen = Arc::downgrade(catalogue);
        !std::mem::replace(&mut self.held().seen, seen.clone()).ptr_eq(&seen)
    }

    /// Takes what was found, unless files have changed again since, and says to the log what is different.
    fn found(&self, catalogue: &Arc<Catalogue>, files: BTreeMap<String, String>) {
        let mut held = self.held();
        if !held.seen.ptr_eq(&Arc::downgrade(catalogue)) {
            return;
        }
        for (file, problem) in files.iter().filter(|(file, problem)| held.files.get(*file) != Some(problem)) {
            tracing::warn!(file, "has errors, and is refused until it is mended: {problem}");
        }
        for file in held.files.keys().filter(|file| !files.contains_key(*file)) {
            tracing::info!(file, "has no errors any more, or is gone");
        }
        held.files = files;
    }

    fn held(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine {
    /// Has files checked that have changed, again and again, so that the log says what is refused before anybody asks
    /// for it; never ends.
    pub async fn watch_files(&self) {
        loop {
            let current = self.current();
            if let Ok(catalogue) = current.catalogue() {
                current.broken_files(&catalogue);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Has files checked that have changed since the last time, and gives those that had errors then.
    pub(super) fn broken_files(&self, catalogue: &Arc<Catalogue>) -> Vec<BrokenFile> {
        let broken = &self.parts.shared.broken;
        if broken.is_news(catalogue) {
            let (engine, catalogue) = (self.clone(), Arc::clone(catalogue));
            tokio::task::spawn_blocking(move || {
                let files = engine.look_for_errors(&catalogue);
                engine.parts.shared.broken.found(&catalogue, files);
            });
        }
        broken.files()
    }

    /// Checks every file that is not part of the binary.
    fn look_for_errors(&self, catalogue: &Catalogue) -> BTreeMap<String, String> {
        let (home, toolbox) = (&self.parts.home, catalogue.toolbox());
        let files =
            |kind| home.list(kind).unwrap_or_default().into_iter().filter(|entry| entry.path().is_some());
        let skills = files(Kind::Skill).filter_map(|entry| {
            let strictness = Strictness { lenient: false, strict: false };
            let checked = catalog::check_entry(&self.parts, &entry, strictness, toolbox);
            Some((entry.shown, first(&checked.map(|skill| skill.diagnostics))?))
        });
        let personas = files(Kind::Persona)
            .filter_map(|entry| Some((entry.shown.clone(), first(&personas::check(self, &entry, toolbox))?)));
        let modules =
            toolbox.broken().filter_map(|(path, problems)| Some((path.to_owned(), error(problems)?)));
        skills.chain(personas).chain(modules).collect()
    }
}

/// What is wrong with a file at first.
fn first(checked: &Result<Vec<Diagnostic>, StartError>) -> Option<String> {
    checked.as_ref().map_or_else(|failed| Some(failed.to_string()), |problems| error(problems))
}

fn error(problems: &[Diagnostic]) -> Option<String> {
    let error = problems.iter().find(|problem| problem.severity == Severity::Error)?;
    let line = error.source.place(error.span.start).line;
    Some(format!("{}:{line}: {}", error.source.path, error.message))
}
