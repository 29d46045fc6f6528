//! Files of canned answers and of tests: found, read, checked.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aa_spec::check::Strictness;
use aa_spec::config::Secret;
use aa_spec::diagnostic::{Diagnostic, has_errors};
use aa_spec::plan::Plan;
use aa_spec::source::{Source, Span};
use aa_spec::stub::{self, Checked, Others, Script, World};
use aa_spec::test::{self, Test, Tests};
use aa_spec::yaml::{self, Node, Spanned};
use serde_json::Value;

use super::case::{Case, begins};
use crate::engine::parts::Parts;
use crate::engine::{Inputs, StartError, admission, catalog};
use crate::home::{Entry, FileError, Kind};
use crate::settings::{Settings, Variables};

/// A file of canned answers, read and checked.
#[derive(Clone, Debug)]
pub struct StubFile {
    /// Its text.
    pub source: Source,
    /// What is answered and where that stands, unless the file cannot be read.
    pub checked: Option<Checked>,
    /// Everything that is wrong or doubtful.
    pub diagnostics: Vec<Diagnostic>,
}

/// A file of tests, read and checked.
#[derive(Debug)]
pub struct TestFile {
    /// Its text.
    pub source: Source,
    /// The skill that is tested, as it is named.
    pub skill: String,
    /// Everything that is wrong or doubtful; with an error among it, there are no tests.
    pub diagnostics: Vec<Diagnostic>,
    pub(super) cases: Vec<Case>,
}

/// A value beside a file, by its relative path.
pub(super) type Beside<'a> = &'a dyn Fn(&str) -> Result<(Vec<u8>, String), String>;

/// Reads canned answers for a skill.
pub(in crate::engine) fn stubs(
    parts: &Parts,
    file: &Path,
    skill: &str,
    strictness: Strictness,
) -> Result<StubFile, StartError> {
    let entry = parts.home.at(file);
    let source = match read(parts, &entry)? {
        Ok(source) => source,
        Err(problem) => {
            let source = problem.source.clone();
            return Ok(StubFile { source, checked: None, diagnostics: vec![problem] });
        }
    };
    let plan = catalog::check(parts, skill, strictness)?.plan;
    let beside = |path: &str| parts.home.data_beside(&entry, path).map_err(|error| error.to_string());
    let (checked, diagnostics) =
        in_world(parts, plan.as_deref(), &beside, |world| stub::read(&source, world))?;
    let checked = checked.filter(|_| !has_errors(&diagnostics));
    Ok(StubFile { source, checked, diagnostics })
}

/// The tests of these skills, or all there are.
pub(in crate::engine) fn tests(parts: &Parts, of: &[String]) -> Result<Vec<TestFile>, StartError> {
    if of.is_empty() {
        return layered(parts, |_| true);
    }
    let mut files = Vec::new();
    for name in of {
        if let Some((entry, skill)) = at_path(parts, name)? {
            files.push(file(parts, &entry, &skill)?);
            continue;
        }
        let skill = catalog::find(parts, name)?.name;
        let found = layered(parts, |entry| entry == skill)?;
        if found.is_empty() {
            let message =
                format!("skill `{name}` has no tests; they would be in `{name}.test.yaml` beside it");
            return Err(StartError::Refused(message));
        }
        files.extend(found);
    }
    Ok(files)
}

/// The tests that a path means: a file of tests, or those beside a skill's file.
fn at_path(parts: &Parts, name: &str) -> Result<Option<(Entry, String)>, StartError> {
    if !catalog::is_path(name) {
        return Ok(None);
    }
    let path = parts.settings.folder.join(name);
    let text = path.to_string_lossy();
    let Some(stem) = text.strip_suffix(".yaml").or_else(|| text.strip_suffix(".yml")) else {
        return Err(StartError::Refused(format!("`{name}` is no YAML file")));
    };
    let (stem, tests) = match stem.strip_suffix(".test") {
        Some(stem) => (stem, path.clone()),
        None => (stem, sibling(&format!("{stem}.test"))),
    };
    if !tests.is_file() && *tests != path {
        return Err(StartError::Refused(format!(
            "skill `{name}` has no tests; they would be in `{}`",
            parts.home.shown(&tests)
        )));
    }
    let skill = sibling(stem);
    Ok(Some((parts.home.at(&tests), skill.display().to_string())))
}

/// The YAML file of that stem, with whichever ending there is.
fn sibling(stem: &str) -> PathBuf {
    let short = PathBuf::from(format!("{stem}.yml"));
    if short.is_file() { short } else { PathBuf::from(format!("{stem}.yaml")) }
}

/// The tests beside the skills that are found by name.
fn layered(parts: &Parts, wanted: impl Fn(&str) -> bool) -> Result<Vec<TestFile>, StartError> {
    let skills = parts.home.all(Kind::Skill)?;
    let mut files = Vec::new();
    for entry in parts.home.all(Kind::Test)?.into_iter().filter(|entry| wanted(&entry.name)) {
        let nearest = skills.iter().find(|skill| skill.name == entry.name);
        let beside = skills.iter().any(|skill| skill.name == entry.name && skill.layer == entry.layer);
        // Tests of a skill that a nearer one shadows say nothing about that one.
        if beside && nearest.is_some_and(|nearest| nearest.layer != entry.layer) {
            continue;
        }
        files.push(file(parts, &entry, &entry.name)?);
    }
    files.sort_by(|a, b| a.skill.cmp(&b.skill));
    Ok(files)
}

/// Reads the file; what is wrong with its text is a problem to show.
fn read(parts: &Parts, entry: &Entry) -> Result<Result<Source, Diagnostic>, FileError> {
    match parts.home.read(entry) {
        Ok(source) => Ok(Ok(source)),
        Err(FileError { problem: Some(problem), .. }) => Ok(Err(*problem)),
        Err(error) => Err(error),
    }
}

/// Reads and checks a file of tests for a skill.
fn file(parts: &Parts, entry: &Entry, skill: &str) -> Result<TestFile, StartError> {
    let source = match read(parts, entry)? {
        Ok(source) => source,
        Err(problem) => {
            let source = problem.source.clone();
            let skill = skill.to_owned();
            return Ok(TestFile { source, skill, diagnostics: vec![problem], cases: Vec::new() });
        }
    };
    let (tests, mut diagnostics) = test::read(&source);
    let node = yaml::parse(&source).ok();
    let mut cases = Vec::new();
    let mut skill = skill.to_owned();
    if let (Some(tests), Some(node)) = (tests, node) {
        if let Some(named) = &tests.skill {
            skill.clone_from(&named.value);
        }
        let beside = |path: &str| parts.home.data_beside(entry, path).map_err(|error| error.to_string());
        let maker = Maker { parts, source: &source, beside: &beside };
        // The skill beside the tests is the one they mean, wherever the folder is.
        let neighbour = parts.home.beside(entry, &skill);
        let place = neighbour.as_ref().and_then(Entry::path).and_then(Path::to_str);
        cases = maker.cases(tests, &node, place.unwrap_or(&skill), &mut diagnostics)?;
    }
    if has_errors(&diagnostics) {
        cases.clear();
    }
    diagnostics.sort_by_key(|found| (found.source.path != source.path, found.span.start));
    Ok(TestFile { source, skill, diagnostics, cases })
}

/// Makes cases of tests.
pub(super) struct Maker<'a> {
    pub(super) parts: &'a Parts,
    pub(super) source: &'a Source,
    pub(super) beside: Beside<'a>,
}

impl Maker<'_> {
    fn cases(
        &self,
        tests: Tests,
        node: &Node,
        skill: &str,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Result<Vec<Case>, StartError> {
        let mut cases = Vec::new();
        let span = tests.skill.as_ref().map(|skill| skill.span).unwrap_or_default();
        for (index, test) in tests.tests.into_iter().enumerate() {
            let parts = Arc::new(Parts::sharing_tools(settings(self.parts, &test), self.parts.toolbox()?));
            let checked = match catalog::check(&parts, skill, Strictness::default()) {
                Ok(checked) => checked,
                Err(error @ StartError::UnknownSkill { .. }) => {
                    diagnostics.push(
                        Diagnostic::error("unknown-skill", self.source, span, error.to_string())
                            .hint("tests lie beside their skill under its name, or say `skill: NAME`"),
                    );
                    return Ok(Vec::new());
                }
                Err(error) => return Err(error),
            };
            let Some(plan) = checked.plan else {
                let new: Vec<_> =
                    checked.diagnostics.into_iter().filter(|found| !diagnostics.contains(found)).collect();
                diagnostics.extend(new);
                continue;
            };
            let stubs = node.get("tests").and_then(|tests| tests.items().get(index)?.get("stubs"));
            cases.extend(self.case(parts, plan, (test, stubs), diagnostics)?);
        }
        Ok(cases)
    }

    /// One test of a plan; `None` with an error among the diagnostics.
    pub(super) fn case(
        &self,
        parts: Arc<Parts>,
        plan: Arc<Plan>,
        (test, stubs): (Test, Option<&Node>),
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Result<Option<Case>, StartError> {
        let mut places = Vec::new();
        let mut script = Script::default();
        if let (Some(stubs), Some(node)) = (&test.stubs, stubs) {
            let (checked, mut problems) = in_world(self.parts, Some(&plan), self.beside, |world| {
                stub::check(self.source, node, stubs, world)
            })?;
            diagnostics.append(&mut problems);
            places.extend(checked.places.into_iter().map(|(spot, span)| (spot, self.source.clone(), span)));
            script = checked.script;
        }
        if let Some(cassette) = &test.cassette {
            script = script.followed_by(self.cassette(cassette, &plan, diagnostics)?);
        }
        let inputs = Inputs::Json(
            test.inputs.as_ref().and_then(|node| node.to_json().as_object().cloned()).unwrap_or_default(),
        );
        let toolbox = parts.toolbox()?;
        match admission::admit_plan((&parts, toolbox), plan, &inputs, begins(&test)) {
            Ok(admitted) => Ok(Some(Case { test, parts, admitted, script, places })),
            Err(errors) => {
                for error in errors {
                    let span = input_span(&test, &error.name);
                    let problem = Diagnostic::error("bad-argument", self.source, span, error.to_string());
                    diagnostics.push(if error.hint.is_empty() { problem } else { problem.hint(&error.hint) });
                }
                Ok(None)
            }
        }
    }

    /// The canned answers of another file.
    fn cassette(
        &self,
        path: &Spanned<String>,
        plan: &Plan,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Result<Script, StartError> {
        let (bytes, shown) = match (self.beside)(&path.value) {
            Ok(found) => found,
            Err(message) => {
                diagnostics.push(Diagnostic::error("missing-file", self.source, path.span, message));
                return Ok(Script::default());
            }
        };
        let source = match yaml::decode(&shown, bytes) {
            Ok(source) => source,
            Err(problem) => {
                diagnostics.push(*problem);
                return Ok(Script::default());
            }
        };
        let (checked, problems) =
            in_world(self.parts, Some(plan), self.beside, |world| stub::read(&source, world))?;
        let new: Vec<_> = problems.into_iter().filter(|found| !diagnostics.contains(found)).collect();
        diagnostics.extend(new);
        Ok(checked.map(|checked| checked.script).unwrap_or_default())
    }
}

/// Where an input is written, or else the test.
fn input_span(test: &Test, name: &str) -> Span {
    let written = test.inputs.as_ref().and_then(|inputs| inputs.entry(name));
    written.map_or(test.name.span, |(key, _)| key.span)
}

/// Lets something be checked against the tools, files and plan there are.
fn in_world<T>(
    parts: &Parts,
    plan: Option<&Plan>,
    beside: Beside<'_>,
    check: impl FnOnce(World<'_>) -> T,
) -> Result<T, FileError> {
    let toolbox = parts.toolbox()?;
    let json = |path: &str| -> Result<Value, String> {
        let (bytes, shown) = beside(path)?;
        aa_spec::json::exact(&bytes).map_err(|error| format!("`{shown}` cannot be read as JSON: {error}"))
    };
    Ok(check(World {
        tool: &|name| toolbox.tool(name).map(|tool| tool.spec().clone()),
        tool_names: &|| toolbox.names(),
        file: &json,
        plan,
    }))
}

/// The settings of a test: those of the engine, without what differs between machines.
pub(super) fn settings(parts: &Parts, test: &Test) -> Settings {
    let real = parts.settings.clone();
    let secret = |name: &str| (name.to_owned(), Secret::Env(name.to_owned()));
    let calls_tools =
        test.stubs.as_ref().and_then(|stubs| stubs.others).is_some_and(|others| others.value != Others::Fail);
    let own = test.env.iter().map(|(name, value)| (name.clone(), value.value.clone()));
    // Commands need `PATH`, and whatever else they live on; the skill sees only what it declares.
    let environment: Variables = if calls_tools {
        real.environment.iter().map(|(name, value)| (name.clone(), value.clone())).chain(own).collect()
    } else {
        own.collect()
    };
    let named: BTreeMap<String, Secret> = test.secrets.iter().map(|name| secret(&name.value)).collect();
    Settings {
        values: test.config.iter().map(|(name, node)| (name.clone(), node.to_json())).collect(),
        secrets: if calls_tools { real.secrets.clone() } else { named },
        state_folder: real.state_folder.join("rehearsal"),
        environment,
        ..real
    }
}
