//! Imports: what is there, what stands for something else here, and what cannot be had.

use ruff_python_ast::{Alias, StmtImport, StmtImportFrom};
use ruff_text_size::{Ranged, TextRange};

use super::{Walk, span};
use crate::compute::reading::Problem;
use crate::compute::scope::foreign_word;
use crate::compute::{modules, vocabulary};

impl Walk<'_> {
    pub(super) fn imports(&mut self, import: &StmtImport) {
        let mut aliases = Vec::new();
        let mut foreign = false;
        for alias in &import.names {
            let name = alias.name.as_str();
            let last = name.rsplit('.').next().unwrap_or_default();
            self.set(alias.asname.as_ref().map_or_else(|| root(name), |known| known.as_str()));
            if foreign_word(name).is_some() {
                foreign = true;
                if alias.asname.is_none() {
                    let problem = Problem::error(
                        "compute-import",
                        span(alias.range),
                        format!("`{name}` has no name of its own here"),
                    );
                    self.report(problem.hint(format!("write `import {name} as {last}`")));
                }
                aliases.extend(self.stand_in(alias, last, last));
            } else {
                self.module(alias, name);
            }
        }
        if foreign {
            self.replace_statement(import.range, &aliases);
        }
    }

    pub(super) fn imports_from(&mut self, import: &StmtImportFrom) {
        let module = import.module.as_deref().unwrap_or_default();
        for alias in &import.names {
            self.set(alias.asname.as_ref().unwrap_or(&alias.name));
        }
        if import.level > 0 || import.names.iter().any(|alias| alias.name.as_str() == "*") {
            let message = "names can only be imported one by one, from a module by its full name";
            return self.unsupported(import, message, "write `from module import name`");
        }
        match module {
            "__future__" => self.replace_statement(import.range, &[]),
            _ if is_foreign(module) => self.stand_ins(import, module),
            _ => {
                let before = self.found.problems.len();
                self.module(import, module);
                if self.found.problems.len() == before {
                    self.names_of(module, &import.names);
                }
            }
        }
    }

    /// A module that is imported as it is.
    fn module(&mut self, at: impl Ranged, name: &str) {
        if modules::names(name).is_some() || name == "sys" && self.import_nets > 0 {
            return;
        }
        let at = span(at.range());
        let message = format!("the module `{name}` is not there");
        let advice = vocabulary::instead(root(name)).unwrap_or("let a step of its own do it, with a tool");
        // The interpreter has an empty `os`, so no handler would come to help.
        let problem = if self.import_nets > 0 && root(name) != "os" {
            Problem::warning("compute-import", at, message)
        } else {
            Problem::error("compute-import", at, message)
        };
        self.report(problem.hint(advice));
    }

    fn names_of(&mut self, module: &str, names: &[Alias]) {
        let Some(known) = modules::names(module) else { return };
        for alias in names.iter().filter(|alias| !known.contains(&alias.name.as_str())) {
            let at = span(alias.range);
            let message = format!("`{module}` has no `{}` here", alias.name);
            let problem = if self.import_nets > 0 {
                Problem::warning("compute-import", at, message)
            } else {
                Problem::error("compute-import", at, message)
            };
            let hint = match crate::name::suggest(&alias.name, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "do without it".to_owned(),
            };
            self.report(problem.hint(hint));
        }
    }

    /// Names of modules that the prelude stands in for.
    fn stand_ins(&mut self, import: &StmtImportFrom, module: &str) {
        let from_memory = module.rsplit('.').next() == Some("memory");
        let mut aliases = Vec::new();
        let known = |name: &str| from_memory || vocabulary::word(name).is_some();
        if self.import_nets > 0 && !import.names.iter().all(|alias| known(&alias.name)) {
            // It fails, and the block says itself what then.
            return self.module(import, module);
        }
        for alias in &import.names {
            let name = alias.name.as_str();
            if from_memory {
                self.memory(name, span(alias.range));
                let local = alias.asname.as_ref().unwrap_or(&alias.name);
                aliases.push(format!("{local} = lambda *_a, **_k: memory.{name}(*_a, **_k)"));
            } else if vocabulary::word(name).is_some() {
                aliases.extend(self.stand_in(alias, name, name));
            } else {
                let message = format!("`{module}` has no `{name}` here");
                let problem = Problem::error("compute-import", span(alias.range), message);
                self.report(problem.hint("let a step of its own do it, with a tool"));
            }
        }
        self.replace_statement(import.range, &aliases);
    }

    /// A word of the prelude under the name that the import gives it, unless it is its own.
    fn stand_in(&mut self, alias: &Alias, name: &str, word: &str) -> Option<String> {
        self.import(word);
        for tool in vocabulary::word(word).into_iter().flat_map(|word| word.tools) {
            self.calls_for(tool, word, span(alias.range));
        }
        for read in vocabulary::word(word).into_iter().flat_map(|word| word.reads) {
            self.reads_for(read, span(alias.range));
        }
        let local = alias.asname.as_ref().filter(|local| local.as_str() != name)?;
        Some(format!("{local} = {word}"))
    }

    /// Puts other statements in the place of one, on as many lines.
    fn replace_statement(&mut self, range: TextRange, statements: &[String]) {
        let range = span(range);
        let lines = self.source.get(range.clone()).unwrap_or_default().matches('\n').count();
        let text = if statements.is_empty() { "pass".to_owned() } else { statements.join("; ") };
        self.edits.replace(range, text + &"\n".repeat(lines));
    }
}

/// Whether it is a module of the system that the dialect comes from.
fn is_foreign(module: &str) -> bool {
    matches!(root(module), "scripts" | "server")
}

fn root(module: &str) -> &str {
    module.split('.').next().unwrap_or_default()
}
