//! What skills that were written for another system lack here.

use std::collections::BTreeMap;

use aa_spec::check::Strictness;
use aa_spec::diagnostic::{Diagnostic, Severity};
use serde::Serialize;

use super::parts::Parts;
use super::{StartError, catalog, mend};

/// What became of a folder of foreign skills.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Compat {
    /// Every file, in the order given.
    pub files: Vec<CompatFile>,
    /// What is missing in them, what is used most first.
    pub missing: Vec<Missing>,
}

/// One file.
#[derive(Clone, Debug, Serialize)]
pub struct CompatFile {
    /// Path as shown to people.
    pub path: String,
    /// Whether it runs.
    pub verdict: Verdict,
    /// Problems that stop a run.
    pub errors: usize,
    /// Doubtful things, among them mistakes whose meaning is clear.
    pub warnings: usize,
    /// What it uses and is not there.
    pub missing: Vec<Missing>,
    /// Errors by their codes, those of missing things excluded.
    pub other: BTreeMap<&'static str, usize>,
}

/// Whether a foreign skill runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As it is.
    AsIs,
    /// As it was meant, with warnings.
    WithWarnings,
    /// Only when it is read leniently.
    Leniently,
    /// Not at all.
    No,
    /// It cannot be read as a skill.
    Unreadable,
}

/// Something that skills use and that is not there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// What kind of thing.
    pub kind: MissingKind,
    /// Its name; an argument's is `tool.argument`.
    pub name: String,
    /// How often it is used.
    pub uses: usize,
    /// In how many files.
    pub files: usize,
}

/// Kinds of things that can be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MissingKind {
    /// A tool.
    Tool,
    /// A skill that a step runs.
    Skill,
    /// A Python module.
    Module,
    /// An argument that a tool does not have, or needs and is not given.
    Argument,
}

impl Compat {
    /// How many files have a verdict.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.files.iter().filter(|file| file.verdict == verdict).count()
    }
}

/// Checks every file by itself, strictly first and then leniently.
pub(super) fn compare(parts: &Parts, files: &[String]) -> Result<Compat, StartError> {
    let files = files.iter().map(|file| one(parts, file)).collect::<Result<Vec<_>, _>>()?;
    let mut totals = Tally::default();
    for missing in files.iter().flat_map(|file| &file.missing) {
        let (uses, files) = totals.0.entry((missing.kind, missing.name.clone())).or_default();
        (*uses, *files) = (*uses + missing.uses, *files + 1);
    }
    Ok(Compat { files, missing: totals.most_used_first() })
}

fn one(parts: &Parts, file: &str) -> Result<CompatFile, StartError> {
    let strict = catalog::check(parts, file, Strictness::default())?;
    let own: Vec<&Diagnostic> =
        strict.diagnostics.iter().filter(|found| found.source == strict.source).collect();
    let (errors, warnings) = mend::counted(&strict.diagnostics);
    let mut missing = Tally::default();
    let mut other = BTreeMap::new();
    for found in own.iter().filter(|found| found.severity == Severity::Error) {
        match lacks(found) {
            Some(key) => missing.0.entry(key).or_insert((0, 1)).0 += 1,
            None => *other.entry(found.code).or_default() += 1,
        }
    }
    let verdict = match (errors, warnings) {
        _ if aa_spec::dialect::read(&strict.source).0.is_none() => Verdict::Unreadable,
        (0, 0) => Verdict::AsIs,
        (0, _) => Verdict::WithWarnings,
        _ if runs_leniently(parts, file)? => Verdict::Leniently,
        _ => Verdict::No,
    };
    let path = strict.source.path.to_string();
    Ok(CompatFile { path, verdict, errors, warnings, missing: missing.most_used_first(), other })
}

fn runs_leniently(parts: &Parts, file: &str) -> Result<bool, StartError> {
    let lenient = Strictness { lenient: true, ..Strictness::default() };
    Ok(catalog::check(parts, file, lenient)?.plan.is_some())
}

/// What a problem says is not there.
fn lacks(found: &Diagnostic) -> Option<(MissingKind, String)> {
    let kind = match found.code {
        "unknown-tool" => MissingKind::Tool,
        "unknown-skill" => MissingKind::Skill,
        "unknown-argument" | "missing-argument" => MissingKind::Argument,
        "compute-import" => MissingKind::Module,
        _ => return None,
    };
    let name = if found.subject.is_empty() { found.source.slice(found.span) } else { &found.subject };
    Some((kind, name.to_owned()))
}

/// Uses and files of what is missing.
#[derive(Default)]
struct Tally(BTreeMap<(MissingKind, String), (usize, usize)>);

impl Tally {
    fn most_used_first(self) -> Vec<Missing> {
        let missing = |((kind, name), (uses, files))| Missing { kind, name, uses, files };
        let mut all: Vec<Missing> = self.0.into_iter().map(missing).collect();
        all.sort_by_key(|missing| (missing.kind, std::cmp::Reverse(missing.uses)));
        all
    }
}
