//! Skills found, read and checked against what is there.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use aa_spec::check::{self, Catalog, Strictness};
use aa_spec::diagnostic::{Diagnostic, Severity, has_errors};
use aa_spec::heal::HealPlan;
use aa_spec::name;
use aa_spec::plan::SkillPlan;
use aa_spec::source::Source;
use aa_spec::template::seal;
use aa_spec::tool::ToolSpec;
use aa_spec::yaml;
use serde_json::Value;

use super::parts::Parts;
use super::{CheckedSkill, SkillEntry, StartError};
use crate::home::{Entry, FileError, Kind};
use crate::toolbox::{HealEntry, Toolbox};

/// Every skill, by name.
pub(super) fn skills(parts: &Parts) -> Result<Vec<SkillEntry>, StartError> {
    let entries = parts.home.list(Kind::Skill)?.into_iter();
    Ok(entries.map(|entry| skill_entry(parts, entry)).collect())
}

/// What is told of a skill without checking it.
pub(super) fn skill_entry(parts: &Parts, entry: Entry) -> SkillEntry {
    let text = parts.home.read(&entry).map(|source| description(&source)).unwrap_or_default();
    SkillEntry { name: entry.name, description: text, layer: entry.layer, path: entry.shown }
}

/// Reads and checks a skill, by name or path.
pub(super) fn check(parts: &Parts, skill: &str, strictness: Strictness) -> Result<CheckedSkill, StartError> {
    check_entry(parts, &find(parts, skill)?, strictness, &parts.toolbox()?)
}

/// Reads and checks a skill that was found.
pub(super) fn check_entry(
    parts: &Parts,
    entry: &Entry,
    strictness: Strictness,
    toolbox: &Toolbox,
) -> Result<CheckedSkill, StartError> {
    let source = match parts.home.read(entry) {
        Ok(source) => source,
        Err(FileError { problem: Some(problem), .. }) => {
            return Ok(CheckedSkill {
                source: problem.source.clone(),
                plan: None,
                diagnostics: vec![*problem],
            });
        }
        Err(error) => return Err(error.into()),
    };
    check_text((parts, toolbox), entry, &source, strictness)
}

/// Checks a text as if it stood in a file.
pub(super) fn check_text(
    (parts, toolbox): (&Parts, &Toolbox),
    entry: &Entry,
    source: &Source,
    strictness: Strictness,
) -> Result<CheckedSkill, StartError> {
    let strictness = Strictness { lenient: strictness.lenient || entry.lenient, ..strictness };
    if let Some(known) = parts.checked.get(source, strictness, toolbox) {
        return Ok(known);
    }
    let shelves = Shelves::new(parts, Some(entry), toolbox.clone());
    let (plan, mut diagnostics) = check::check(source, &shelves, strictness);
    let may_be_kept = parts.settings.looking.every().is_some() && !shelves.elsewhere.get();
    shelves.explain(&mut diagnostics)?;
    let plan = plan.filter(|_| !has_errors(&diagnostics)).map(Arc::new);
    let skill = CheckedSkill { source: source.clone(), plan, diagnostics };
    if may_be_kept {
        parts.checked.keep(&skill, strictness, toolbox);
    }
    Ok(skill)
}

/// The heal rules that a skill may need which was made here, and the skills that they run.
pub(super) fn heal_rules(
    parts: &Parts,
    entry: &Entry,
    toolbox: &Toolbox,
    skill: &SkillPlan,
) -> (Vec<HealPlan>, BTreeMap<String, SkillPlan>) {
    check::heal_rules(skill, &Shelves::new(parts, Some(entry), toolbox.clone()))
}

/// Finds a skill by name or path.
pub(super) fn find(parts: &Parts, skill: &str) -> Result<Entry, StartError> {
    if is_path(skill) {
        return Ok(parts.home.at(Path::new(skill)));
    }
    if let Some(entry) = parts.home.find(Kind::Skill, skill)? {
        return Ok(entry);
    }
    let known = parts.home.list(Kind::Skill)?;
    let near = name::suggest(skill, known.iter().map(|entry| entry.name.as_str()));
    Err(StartError::UnknownSkill { name: skill.to_owned(), suggestion: near.map(str::to_owned) })
}

/// A name has no slash and no ending.
pub(super) fn is_path(skill: &str) -> bool {
    let path = Path::new(skill);
    skill.contains('/') || path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml")
}

/// The first line of a skill's description, without reading the rest of the skill.
fn description(source: &Source) -> String {
    let mut lines = source.text.lines().skip_while(|line| !line.starts_with("description:"));
    let Some(first) = lines.next() else { return String::new() };
    let rest = lines.take_while(|line| line.is_empty() || line.starts_with([' ', '\t']));
    let head: Vec<&str> = std::iter::once(first).chain(rest).collect();
    let node = yaml::parse(&Source::new(source.path.clone(), head.join("\n"))).ok();
    let text = node.as_ref().and_then(|node| node.get("description")?.as_str());
    text.and_then(|text| text.trim().lines().next()).unwrap_or_default().to_owned()
}

/// What is there for something that stands in no skill.
pub(super) fn shelves(parts: &Parts, toolbox: Toolbox) -> impl Catalog {
    Shelves::new(parts, None, toolbox)
}

/// What a check may look up, and what went wrong while it did.
struct Shelves<'a> {
    parts: &'a Parts,
    /// What is checked: the skills in its folder are there for it, too.
    entry: Option<&'a Entry>,
    toolbox: Toolbox,
    unreadable: RefCell<Option<FileError>>,
    missing_tools: RefCell<Vec<String>>,
    /// Whether heal rules were asked for.
    heals: Cell<bool>,
    /// What keeps rules from acting that were asked for.
    idle_rules: RefCell<Vec<Diagnostic>>,
    /// Whether something was looked up that may be another without the skill's text or the toolbox being another.
    elsewhere: Cell<bool>,
}

impl<'a> Shelves<'a> {
    fn new(parts: &'a Parts, entry: Option<&'a Entry>, toolbox: Toolbox) -> Self {
        Self {
            parts,
            entry,
            toolbox,
            unreadable: RefCell::default(),
            missing_tools: RefCell::default(),
            heals: Cell::default(),
            idle_rules: RefCell::default(),
            elsewhere: Cell::default(),
        }
    }

    /// Says why something could not be looked up, where that is not the skill's fault.
    fn explain(self, diagnostics: &mut Vec<Diagnostic>) -> Result<(), FileError> {
        if let Some(error) = self.unreadable.into_inner() {
            return Err(error);
        }
        let missing = self.missing_tools.into_inner();
        let mut problems: Vec<_> = missing.iter().flat_map(|name| self.toolbox.problems(name)).collect();
        if self.heals.get() {
            // Without them a step would fail at night that was meant to be mended.
            problems.extend(self.toolbox.heal_problems());
            problems.extend(self.idle_rules.into_inner());
        }
        for problem in problems {
            if !diagnostics.contains(&problem) {
                diagnostics.push(problem);
            }
        }
        Ok(())
    }

    /// The skill of a name: one that can be run by it, or else one beside the one that is checked.
    fn entry(&self, name: &str) -> Option<Entry> {
        let known = self.note(self.parts.home.find(Kind::Skill, name))?;
        known.or_else(|| self.parts.home.beside(self.entry?, name))
    }

    fn note<T>(&self, result: Result<T, FileError>) -> Option<T> {
        result.map_err(|error| self.unreadable.borrow_mut().get_or_insert(error).clone()).ok()
    }
}

impl Catalog for Shelves<'_> {
    fn tool(&self, name: &str) -> Option<Arc<ToolSpec>> {
        let tool = self.toolbox.tool(name);
        if tool.is_none() {
            self.missing_tools.borrow_mut().push(name.to_owned());
        }
        if !self.toolbox.is_own(name) {
            self.elsewhere.set(true);
        }
        tool.map(|tool| tool.spec().clone())
    }

    fn is_on_command_line(&self, tool: &str, argument: &str) -> bool {
        self.toolbox.tool(tool).is_some_and(|tool| tool.is_on_command_line(argument))
    }

    fn may_have_tool(&self, name: &str) -> bool {
        self.elsewhere.set(true);
        self.toolbox.may_have(name)
    }

    fn tool_names(&self) -> Vec<String> {
        self.elsewhere.set(true);
        self.toolbox.names()
    }

    fn heal_rules(&self, tools: &[String]) -> Vec<HealPlan> {
        self.heals.set(true);
        // What they call may be of a server.
        self.elsewhere.set(true);
        let is_for = |rule: &HealEntry| tools.iter().any(|tool| rule.plan.is_for(tool));
        let rules = self.toolbox.heal_rules().into_iter().filter(|rule| rule.enabled && is_for(rule));
        let (sound, idle): (Vec<_>, Vec<_>) = rules.partition(|rule| !has_errors(&rule.problems));
        let problems = idle.into_iter().flat_map(|rule| rule.problems);
        self.idle_rules.borrow_mut().extend(problems.filter(|problem| problem.severity == Severity::Error));
        sound.into_iter().map(|rule| rule.plan).collect()
    }

    fn skill(&self, name: &str) -> Option<Source> {
        self.elsewhere.set(true);
        self.note(self.parts.home.read(&self.entry(name)?))
    }

    fn is_lenient(&self, name: &str) -> bool {
        self.entry(name).is_some_and(|entry| entry.lenient)
    }

    fn skill_names(&self) -> Vec<String> {
        self.elsewhere.set(true);
        let known = self.note(self.parts.home.list(Kind::Skill)).unwrap_or_default();
        known.into_iter().map(|entry| entry.name).collect()
    }

    fn secret_names(&self) -> Vec<String> {
        self.parts.secrets.names()
    }

    fn config(&self) -> Value {
        config(self.parts)
    }
}

/// What skills see as `config`.
pub(super) fn config(parts: &Parts) -> Value {
    let mut config = Value::Object(parts.settings.values.clone());
    seal::clean(&mut config);
    config
}
