//! Files of skills rewritten where it is clear what was meant.

use std::path::Path;

use aa_spec::check::Strictness;
use aa_spec::diagnostic::{Diagnostic, Severity};
use aa_spec::source::Source;
use aa_spec::{fix, yaml};

use super::parts::Parts;
use super::{StartError, catalog};
use crate::cause::cause;

/// Fixing one problem can bring another to light; this often at most.
const ROUNDS: usize = 16;

/// A skill whose problems have been fixed as far as that is clear, not written yet.
#[derive(Clone, Debug)]
pub struct MendedSkill {
    /// Its text as it is in the file.
    pub before: Source,
    /// Its text as it should be.
    pub after: Source,
    /// What was wrong and is no longer, with the text that it was found in.
    pub fixed: Vec<Diagnostic>,
    /// What is left, in the new text.
    pub left: Vec<Diagnostic>,
    skill: String,
}

impl MendedSkill {
    /// Whether there is anything to write.
    pub fn changes(&self) -> bool {
        self.before.text != self.after.text
    }
}

/// Fixes in memory what can be fixed.
pub(super) fn mend(parts: &Parts, skill: &str, strictness: Strictness) -> Result<MendedSkill, StartError> {
    let entry = catalog::find(parts, skill)?;
    if entry.path().is_none() {
        return Err(StartError::Shipped(entry.name));
    }
    let checked = catalog::check(parts, skill, strictness)?;
    let before = checked.source;
    let (mut text, mut left, mut fixed) = (before.clone(), checked.diagnostics, Vec::new());
    for _ in 0..ROUNDS {
        let one_by_one = || left.iter().find_map(|problem| better(&text, std::slice::from_ref(problem)));
        let Some((next, done)) = better(&text, &left).or_else(one_by_one) else { break };
        fixed.extend(done.into_iter().cloned());
        left = catalog::check_text((parts, &parts.toolbox()?), &entry, &next, strictness)?.diagnostics;
        text = next;
    }
    Ok(MendedSkill { before, after: text, fixed, left, skill: skill.to_owned() })
}

/// The text with these problems fixed, if that changes anything. A text that is read must
/// stay one.
fn better<'d>(text: &Source, problems: &'d [Diagnostic]) -> Option<(Source, Vec<&'d Diagnostic>)> {
    let (next, done) = fix::apply(text, problems);
    let next = Source::new(text.path.clone(), next);
    let is_worse = yaml::parse(&next).is_err() && yaml::parse(text).is_ok();
    (!done.is_empty() && !is_worse).then_some((next, done))
}

/// Writes a mended text in the place of the old one, whole or not at all.
pub(super) fn write(parts: &Parts, mended: &MendedSkill) -> Result<(), StartError> {
    let entry = catalog::find(parts, &mended.skill)?;
    let Some(path) = entry.path() else { return Err(StartError::Shipped(entry.name)) };
    let failed = |message: String| StartError::Unwritable { path: path.to_owned(), message };
    if parts.home.read(&entry)?.text != mended.before.text {
        return Err(failed("it has changed in the meantime".to_owned()));
    }
    replace(path, &mended.after.text).map_err(|error| failed(cause(&error)))
}

/// Puts a new file in the place of another, with its permissions; a link still leads there.
pub(super) fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let path = path.canonicalize()?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let draft = path.with_file_name(format!(".{name}.{}.new", std::process::id()));
    let write = || {
        let mut file = std::fs::File::create_new(&draft)?;
        std::io::Write::write_all(&mut file, text.as_bytes())?;
        file.set_permissions(path.metadata()?.permissions())?;
        file.sync_all()?;
        std::fs::rename(&draft, &path)
    };
    write().inspect_err(|_| drop(std::fs::remove_file(&draft)))
}

/// How many problems stop a run, and how many do not.
pub(super) fn counted(diagnostics: &[Diagnostic]) -> (usize, usize) {
    let errors = diagnostics.iter().filter(|found| found.severity == Severity::Error).count();
    (errors, diagnostics.len() - errors)
}
