//! Personas found, read and checked, and what a client sees of tools and skills.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aa_spec::diagnostic::{Diagnostic, has_errors};
use aa_spec::name::{fold, suggest};
use aa_spec::persona::{self, Known, Persona, Text, module_form};
use aa_spec::shape;
use aa_spec::tool::{Tier, ToolSpec};

use super::catalog::is_path;
use super::parts::Parts;
use super::{Catalogue, Engine, StartError};
use crate::card::{BrokenSkill, Card};
use crate::home::{Entry, FileError, Home, Kind, SHIPPED};
use crate::persona::{CheckedPersona, Choice, PersonaEntry, View, ViewError};
use crate::toolbox::Toolbox;

impl Engine {
    /// Every persona, by name.
    ///
    /// # Errors
    /// A folder of personas cannot be read.
    pub fn personas(&self) -> Result<Vec<PersonaEntry>, StartError> {
        let home = &self.parts.home;
        let entries = home.list(Kind::Persona)?.into_iter();
        let persona = |entry: Entry| {
            let read = home.read(&entry).ok().and_then(|source| shape::read::<Persona>(&source).0);
            named(entry, read.map(|persona| persona.description.value).unwrap_or_default())
        };
        Ok(entries.map(persona).collect())
    }

    /// Checks one persona, by name or path; `None` when there is none of that name.
    ///
    /// # Errors
    /// A folder or file cannot be read.
    pub fn check_persona(&self, name: &str) -> Result<Option<CheckedPersona>, StartError> {
        let home = &self.parts.home;
        let entry =
            if is_path(name) { Some(home.at(Path::new(name))) } else { home.find(Kind::Persona, name)? };
        let Some(entry) = entry else { return Ok(None) };
        let diagnostics = check(self, &entry, &self.parts.toolbox()?)?;
        Ok(Some(CheckedPersona { name: entry.name, path: entry.shown, diagnostics }))
    }
}

impl Engine {
    /// That what is chosen at a start has the name of something. What is wrong with it is another matter, which may be mended
    /// while clients are served.
    ///
    /// # Errors
    /// There is no persona, module or tool of that name, or a folder or file cannot be read.
    pub fn is_there(&self, choice: &Choice) -> Result<(), ViewError> {
        let toolbox = || self.parts.toolbox().map_err(|error| ViewError::Unusable(error.to_string()));
        match choice {
            Choice::Persona(name) => self.persona_name(name).map(drop),
            Choice::All => Ok(()),
            Choice::Module(name) => expect_module(&self.parts, &toolbox()?, name),
            Choice::Tools(names) => {
                let toolbox = toolbox()?;
                names.iter().try_for_each(|name| expect_tool(&toolbox, name))
            }
        }
    }
}

/// That there is a module of this name; reads no module that is called like its file.
fn expect_module(parts: &Parts, toolbox: &Toolbox, module: &str) -> Result<(), ViewError> {
    let files = parts.home.list(Kind::Module)?.into_iter().map(|file| file.name);
    let known: Vec<String> = files.chain(toolbox.built_in_modules()).collect();
    let is_known = known.contains(&fold(module))
        || !toolbox.module_specs(module).is_empty()
        || toolbox.server(module).is_some();
    if is_known {
        return Ok(());
    }
    let near = suggest(module, known.iter().map(String::as_str)).map(str::to_owned);
    Err(ViewError::Unknown { what: "module", name: module.to_owned(), suggestion: near })
}

/// That there is a tool of this name, or that there could be: its module has mistakes, or is a server that was not asked.
fn expect_tool(toolbox: &Toolbox, name: &str) -> Result<(), ViewError> {
    if toolbox.may_have(name) || !toolbox.problems(name).is_empty() {
        return Ok(());
    }
    tool(toolbox, name).map(drop)
}

/// Whose persona is meant by a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Word {
    /// The nearest one's, which may be the project's.
    Nearest,
    /// The user's or ours: a project has no say in it.
    Owners,
}

/// What is wrong or doubtful in a persona that was found.
pub(super) fn check(
    engine: &Engine,
    entry: &Entry,
    toolbox: &Toolbox,
) -> Result<Vec<Diagnostic>, StartError> {
    let source = match engine.parts.home.read(entry) {
        Ok(source) => source,
        Err(FileError { problem: Some(problem), .. }) => return Ok(vec![*problem]),
        Err(error) => return Err(error.into()),
    };
    let shelves = Shelves::new(&engine.parts, entry, toolbox.clone())?;
    let (persona, mut found) = persona::check(&source, &shelves);
    if let Some(persona) = persona {
        found.extend(engine.offer_problems(entry, &source, &persona)?);
    }
    found.sort_by_key(|problem| problem.span.start);
    Ok(found)
}

/// What a client sees that has made this choice.
pub(super) fn view(
    parts: &Parts,
    catalogue: &Catalogue,
    (choice, word): (&Choice, Word),
) -> Result<View, ViewError> {
    let toolbox = catalogue.toolbox();
    let mut view = View::default();
    match choice {
        Choice::Persona(name) => return of_persona(parts, catalogue, (name, word)),
        Choice::Tools(names) => {
            view.tools = names.iter().map(|name| tool(toolbox, name)).collect::<Result<_, _>>()?;
        }
        Choice::Module(module) => {
            view.tools = of_module(toolbox, module)?;
            return Ok(view);
        }
        Choice::All => view.tools = catalogue.tools().to_vec(),
    }
    (view.skills, view.broken) = skills(catalogue, catalogue.skill_names());
    Ok(view)
}

fn of_persona(parts: &Parts, catalogue: &Catalogue, (name, word): (&str, Word)) -> Result<View, ViewError> {
    let home = &parts.home;
    let found = match word {
        Word::Nearest => home.find(Kind::Persona, name)?,
        Word::Owners => home.find_owned(Kind::Persona, name)?,
    };
    let Some(entry) = found else {
        let known = home.list(Kind::Persona)?;
        let near = suggest(name, known.iter().map(|entry| entry.name.as_str())).map(str::to_owned);
        return Err(ViewError::UnknownPersona { name: name.to_owned(), suggestion: near });
    };
    let toolbox = catalogue.toolbox();
    let source = home.read(&entry)?;
    let shelves = Shelves::new(parts, &entry, toolbox.clone())?;
    let (persona, diagnostics) = persona::check(&source, &shelves);
    let Some(persona) = persona.filter(|_| !has_errors(&diagnostics)) else {
        return Err(ViewError::Invalid { name: entry.name, diagnostics });
    };
    let mut tools = BTreeMap::new();
    for word in &persona.modules {
        for tool in of_form(toolbox, &shelves, &word.value)? {
            tools.insert(tool.name.clone(), tool);
        }
    }
    for name in &persona.tools {
        let tool = tool(toolbox, &name.value)?;
        tools.insert(tool.name.clone(), tool);
    }
    let (skills, broken) = match &persona.skills {
        Some(wanted) => skills(catalogue, wanted.iter().map(|name| name.value.as_str())),
        // Ours would crowd out everything else in each of our own.
        None if entry.layer == SHIPPED => skills(catalogue, catalogue.own_skill_names()),
        None => skills(catalogue, catalogue.skill_names()),
    };
    Ok(View {
        any_skill: persona.skills.is_none(),
        text: words(home, &entry, &persona),
        persona: Some(named(entry, persona.description.value)),
        tools: tools.into_values().collect(),
        skills,
        broken,
        ..View::default()
    })
}

/// The cards of skills by name, and those that have none.
fn skills<'a>(
    catalogue: &Catalogue,
    names: impl Iterator<Item = &'a str>,
) -> (Vec<Arc<Card>>, Vec<Arc<BrokenSkill>>) {
    let (mut cards, mut broken) = (Vec::new(), Vec::new());
    for skill in names.filter_map(|name| catalogue.skill(name)) {
        match skill {
            Ok(card) => cards.push(card),
            Err(problem) => broken.push(problem),
        }
    }
    cards.sort_by(|a, b| a.name.cmp(&b.name));
    cards.dedup_by(|a, b| a.name == b.name);
    (cards, broken)
}

/// What an assistant is told. That the file was there is part of the check.
fn words(home: &Home, entry: &Entry, persona: &Persona) -> String {
    let read = |file: &str| {
        let bytes = home.data_below(entry, file).ok()?.0;
        Some(String::from_utf8_lossy(&bytes).trim().to_owned())
    };
    match persona.words() {
        Text::Here(text) => text.trim().to_owned(),
        Text::File(file) => read(file).unwrap_or_default(),
        Text::Beside => read(&beside(entry)).unwrap_or_default(),
    }
}

/// The files that a persona is made of; none when it is part of the binary.
pub(super) fn files(home: &Home, entry: &Entry) -> Vec<PathBuf> {
    let Some(path) = entry.path() else { return Vec::new() };
    let read = home.read(entry).ok().and_then(|source| shape::read::<Persona>(&source).0);
    let words = match read.as_ref().map(Persona::words) {
        Some(Text::File(file)) => path.with_file_name(file),
        _ => path.with_extension("md"),
    };
    vec![path.to_owned(), words]
}

/// The name of the file of words that belongs to a persona which names none.
fn beside(entry: &Entry) -> String {
    let path = entry.shown.strip_prefix("shipped ").unwrap_or(&entry.shown);
    Path::new(path).with_extension("md").file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn named(entry: Entry, description: String) -> PersonaEntry {
    PersonaEntry { name: entry.name, description, layer: entry.layer, path: entry.shown }
}

fn tool(toolbox: &Toolbox, name: &str) -> Result<Arc<ToolSpec>, ViewError> {
    toolbox.tool(name).map(|tool| tool.spec().clone()).ok_or_else(|| {
        let names = toolbox.names();
        let suggestion = suggest(name, names.iter().map(String::as_str)).map(str::to_owned);
        ViewError::Unknown { what: "tool", name: name.to_owned(), suggestion }
    })
}

/// The tools that a word under `modules` means.
fn of_form(toolbox: &Toolbox, shelves: &Shelves<'_>, word: &str) -> Result<Vec<Arc<ToolSpec>>, ViewError> {
    let is_module = |name: &str| shelves.modules.iter().any(|known| known == name);
    let (module, tier) = module_form(word, &is_module).unwrap_or_else(|| (fold(word), Tier::Basic));
    Ok(of_module(toolbox, &module)?.into_iter().filter(|tool| tool.tier == tier).collect())
}

fn of_module(toolbox: &Toolbox, module: &str) -> Result<Vec<Arc<ToolSpec>>, ViewError> {
    let of = toolbox.module_specs(module);
    if !of.is_empty() {
        return Ok(of);
    }
    let modules = toolbox.modules();
    if let Some(server) = toolbox.server(module).map(|server| server.entry()) {
        let message = format!(
            "the tools of the module `{module}` are not known yet, as its server has never been asked; `aa tool trust {}` asks it",
            server.module
        );
        return Err(ViewError::Unusable(message));
    }
    let faults = toolbox.faults(module);
    if !faults.is_empty() {
        let lines = lines(&faults);
        return Err(ViewError::Unusable(format!("the module `{module}` has errors\n{lines}")));
    }
    let near = suggest(module, modules.iter().map(|entry| entry.name.as_str()));
    let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    Err(ViewError::Unusable(format!("there is no module `{module}`, or none of its tools can be used{hint}")))
}

/// What a persona may name.
struct Shelves<'a> {
    home: &'a Home,
    entry: &'a Entry,
    toolbox: Toolbox,
    modules: Vec<String>,
    skills: Vec<String>,
}

impl<'a> Shelves<'a> {
    fn new(parts: &'a Parts, entry: &'a Entry, toolbox: Toolbox) -> Result<Self, FileError> {
        // A module is called like its file, so none has to be read to know that it is there.
        let files = parts.home.list(Kind::Module)?.into_iter().map(|module| module.name);
        let modules = files.chain(toolbox.built_in_modules()).collect();
        let skills = parts.home.list(Kind::Skill)?.into_iter().map(|skill| skill.name).collect();
        Ok(Self { home: &parts.home, entry, toolbox, modules, skills })
    }
}

impl Known for Shelves<'_> {
    fn modules(&self) -> &[String] {
        &self.modules
    }

    fn has_tool(&self, name: &str) -> bool {
        self.toolbox.tool(name).is_some()
    }

    fn tools(&self) -> Vec<String> {
        self.toolbox.names()
    }

    fn skills(&self) -> &[String] {
        &self.skills
    }

    fn has_file(&self, name: &str) -> bool {
        self.home.data_below(self.entry, name).is_ok()
    }
}

/// Errors among what was found, a line each, for whoever wanted the persona.
pub(crate) fn lines(diagnostics: &[Diagnostic]) -> String {
    let line = |problem: &Diagnostic| {
        let place = problem.source.place(problem.span.start);
        let hint = if problem.hint.is_empty() { String::new() } else { format!(" ({})", problem.hint) };
        format!("{}:{}: {}{hint}", problem.source.path, place.line, problem.message)
    };
    diagnostics.iter().map(line).collect::<Vec<_>>().join("\n")
}
