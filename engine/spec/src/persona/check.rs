//! What is wrong with a persona.

use std::path::Path;

use super::{Persona, Text, module_form};
use crate::diagnostic::Diagnostic;
use crate::name::{fold, list};
use crate::shape;
use crate::source::Source;
use crate::yaml::Spanned;

/// What a persona may name. Names are canonical.
pub trait Known {
    /// Every module.
    fn modules(&self) -> &[String];
    /// Whether there is a tool of this name.
    fn has_tool(&self, name: &str) -> bool;
    /// Every tool, to guess at what was meant.
    fn tools(&self) -> Vec<String>;
    /// Every skill.
    fn skills(&self) -> &[String];
    /// Whether there is a file of this name beside the persona.
    fn has_file(&self, name: &str) -> bool;
}

/// Reads a persona and checks it against what there is.
pub fn check(source: &Source, known: &dyn Known) -> (Option<Persona>, Vec<Diagnostic>) {
    let (persona, diagnostics) = shape::read::<Persona>(source);
    let Some(persona) = persona else { return (None, diagnostics) };
    let mut checker = Checker { source, known, found: diagnostics };
    checker.name(&persona);
    checker.words(&persona);
    persona.modules.iter().for_each(|module| checker.module(module));
    persona.tools.iter().for_each(|tool| checker.tool(tool));
    persona.skills.iter().flatten().for_each(|skill| checker.skill(skill));
    checker.emptiness(&persona);
    checker.found.sort_by_key(|problem| problem.span.start);
    (Some(persona), checker.found)
}

struct Checker<'a> {
    source: &'a Source,
    known: &'a dyn Known,
    found: Vec<Diagnostic>,
}

impl Checker<'_> {
    fn error(&self, code: &'static str, of: &Spanned<String>, message: String) -> Diagnostic {
        Diagnostic::error(code, self.source, of.span, message)
    }

    /// A client asks for a persona by the name of its file, and is told the one inside.
    fn name(&mut self, persona: &Persona) {
        let path = Path::new(&*self.source.path);
        let Some(stem) = path.file_stem().and_then(std::ffi::OsStr::to_str) else { return };
        if shape::is_stand_in(&persona.name) || fold(stem) == fold(&persona.name.value) {
            return;
        }
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        let message = format!("the persona is called `{}`, but its file `{file}`", persona.name.value);
        let problem = self.error("name-mismatch", &persona.name, message);
        self.found.push(problem.hint(format!("it is loaded as `{stem}`; give both the same name")));
    }

    fn words(&mut self, persona: &Persona) {
        let (Text::File(file), Some(text)) = (persona.words(), &persona.text) else { return };
        if !self.known.has_file(file) {
            let problem =
                self.error("missing-file", text, format!("there is no file `{file}` beside the persona"));
            self.found.push(problem.hint("write the file, or the words themselves"));
        }
    }

    fn module(&mut self, word: &Spanned<String>) {
        let modules = self.known.modules();
        let is_module = |name: &str| modules.iter().any(|known| known == name);
        if shape::is_stand_in(word) || module_form(&word.value, &is_module).is_some() {
            return;
        }
        let problem = self.error("unknown-module", word, format!("there is no tool module `{}`", word.value));
        let problem = if self.known.has_tool(&fold(&word.value)) {
            problem.hint(format!("`{}` is a tool; write it under `tools`", word.value))
        } else {
            problem.suggest(&word.value, modules.iter().map(String::as_str))
        };
        self.found.push(problem);
    }

    fn tool(&mut self, word: &Spanned<String>) {
        if shape::is_stand_in(word) || self.known.has_tool(&fold(&word.value)) {
            return;
        }
        let problem = self.error("unknown-tool", word, format!("there is no tool `{}`", word.value));
        let modules = self.known.modules();
        let is_module = |name: &str| modules.iter().any(|known| known == name);
        let problem = match module_form(&word.value, &is_module) {
            Some(_) => problem.hint(format!("`{}` is a module; write it under `modules`", word.value)),
            None => problem.suggest(&word.value, self.known.tools().iter().map(String::as_str)),
        };
        self.found.push(problem);
    }

    fn skill(&mut self, word: &Spanned<String>) {
        let skills = self.known.skills();
        if shape::is_stand_in(word) || skills.contains(&fold(&word.value)) {
            return;
        }
        let problem = self.error("unknown-skill", word, format!("there is no skill `{}`", word.value));
        self.found.push(problem.suggest(&word.value, skills.iter().map(String::as_str)));
    }

    fn emptiness(&mut self, persona: &Persona) {
        let shows_skills = persona.skills.as_ref().is_none_or(|skills| !skills.is_empty());
        if shows_skills || !persona.modules.is_empty() || !persona.tools.is_empty() {
            return;
        }
        let problem =
            self.error("empty-persona", &persona.name, "the persona shows no tools and no skills".to_owned());
        let some: Vec<&str> = self.known.modules().iter().take(3).map(String::as_str).collect();
        self.found.push(problem.hint(format!("name `modules`, such as {}, or `skills`", list(&some))));
    }
}
