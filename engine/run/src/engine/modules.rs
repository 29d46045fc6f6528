//! Tool modules as files: read again when they change, and checked.

use std::path::Path;

use aa_spec::check::tool_call;
use aa_spec::diagnostic::{Diagnostic, has_errors};
use aa_spec::heal::HealRule;
use aa_spec::name::fold;
use aa_spec::source::{Source, Span};
use aa_spec::tool::module::{Module, ModuleTool};
use aa_spec::tool::{Effect, Reconcile, ToolSpec, recipe};
use aa_spec::yaml::Spanned;
use serde_json::Value;

use super::catalog::is_path;
use super::heal::skill_problems;
use super::stamps::Stamps;
use super::{Engine, StartError};
use crate::home::{self, Entry, FileError, Home, Kind, SHIPPED};
use crate::tool::BuiltIn;
use crate::toolbox::{ModuleText, Toolbox};

/// Every module file there is beside those of the binary, with its stamp. The stamps are taken before anything is read:
/// what changes meanwhile is seen the next time.
pub(super) fn files(home: &Home) -> Result<(Vec<Entry>, Stamps), FileError> {
    let entries = home.near(Kind::Module)?;
    let stamps = Stamps::of(&entries);
    Ok((entries, stamps))
}

/// The texts of modules.
pub(super) fn texts(home: &Home, entries: Vec<Entry>) -> Result<Vec<ModuleText>, FileError> {
    let text = |entry: Entry| Ok(ModuleText { source: home.read(&entry)?, layer: entry.layer });
    entries.into_iter().map(text).collect()
}

/// The modules of the binary.
pub(super) fn shipped() -> Vec<ModuleText> {
    let text = |source| ModuleText { layer: SHIPPED.to_owned(), source };
    home::shipped_texts(Kind::Module).map(text).collect()
}

/// A tool module that was checked.
#[derive(Clone, Debug)]
pub struct CheckedModule {
    /// Everything that is wrong or doubtful.
    pub diagnostics: Vec<Diagnostic>,
    /// Commands that it requires and that are not on this machine.
    pub lacks: Vec<String>,
}

impl Engine {
    /// The names of all files of tool modules.
    ///
    /// # Errors
    /// A folder cannot be read.
    pub fn module_names(&self) -> Result<Vec<String>, StartError> {
        Ok(self.parts.home.list(Kind::Module)?.into_iter().map(|entry| entry.name).collect())
    }

    /// Whether there is a tool module of this name, built in or as a file; reads none of them.
    ///
    /// # Errors
    /// A folder cannot be read.
    pub fn has_module(&self, module: &str) -> Result<bool, StartError> {
        let built_in = BuiltIn::modules().any(|(name, _)| fold(name) == fold(module));
        Ok(built_in || self.parts.home.find(Kind::Module, module)?.is_some())
    }

    /// Checks one tool module, by name or path; `None` when there is none of that name.
    ///
    /// # Errors
    /// A folder or file cannot be read.
    pub fn check_module(&self, module: &str) -> Result<Option<CheckedModule>, StartError> {
        let home = &self.parts.home;
        let entry =
            if is_path(module) { Some(home.at(Path::new(module))) } else { home.find(Kind::Module, module)? };
        let Some(entry) = entry else { return Ok(None) };
        let source = match home.read(&entry) {
            Ok(source) => source,
            Err(FileError { problem: Some(problem), .. }) => {
                return Ok(Some(CheckedModule { diagnostics: vec![*problem], lacks: Vec::new() }));
            }
            Err(error) => return Err(error.into()),
        };
        let toolbox = self.parts.toolbox()?;
        let mut checked = check(&source, &toolbox, &self.settings().folder);
        for rule in recipe::check(&source).0.iter().flat_map(|module| &module.heal) {
            checked.diagnostics.extend(skill_problems(&self.parts, rule, &source)?);
        }
        checked.diagnostics.sort_by_key(|diagnostic| diagnostic.span.start);
        Ok(Some(checked))
    }
}

pub(super) fn check(source: &Source, toolbox: &Toolbox, folder: &Path) -> CheckedModule {
    let (module, diagnostics) = recipe::check(source);
    let mut checked = CheckedModule { diagnostics, lacks: Vec::new() };
    let Some(module) = module else { return checked };
    if !has_errors(&checked.diagnostics) {
        checked.diagnostics.extend(recipe::doubts(&module, source));
    }
    let mut checker = Checker { source, toolbox, module: &module, found: &mut checked.diagnostics };
    let usable = !has_errors(checker.found);
    module.heal.iter().for_each(|rule| checker.rule(rule, usable));
    module.tools.iter().for_each(|tool| checker.tool(tool));
    checker.others();
    let commands = module.requires.commands.iter().map(|command| &command.value);
    checked.lacks = commands.filter(|command| !toolbox.has_command(command, folder)).cloned().collect();
    checked
}

/// Checks what only shows beside other modules.
struct Checker<'a> {
    source: &'a Source,
    toolbox: &'a Toolbox,
    module: &'a Module,
    found: &'a mut Vec<Diagnostic>,
}

impl Checker<'_> {
    fn error(&self, code: &'static str, span: Span, message: String) -> Diagnostic {
        Diagnostic::error(code, self.source, span, message)
    }

    fn tool(&mut self, tool: &ModuleTool) {
        let Some(reconcile) = &tool.reconcile else { return };
        if let Some(spec) = self.known(&reconcile.value.tool) {
            self.reconcile(tool, reconcile, &spec);
            return;
        }
        let wanted = &reconcile.value.tool;
        let message = format!("there is no tool `{wanted}`, which `reconcile` asks");
        let names = self.toolbox.names();
        let known = self.module.tools.iter().map(|tool| tool.name.value.as_str());
        let known = known.chain(names.iter().map(String::as_str));
        let problem = self.error("unknown-tool", reconcile.span, message).suggest(wanted, known);
        self.found.push(problem);
    }

    /// What a rule calls, unless that is a skill; `usable` says whether the module has no errors of its own.
    fn rule(&mut self, rule: &HealRule, usable: bool) {
        let Some(wanted) = &rule.r#do.tool else { return };
        if let Some(spec) = self.known(&wanted.value) {
            self.found.extend(tool_call(rule, &spec, self.source));
            return;
        }
        if !usable {
            // While a module cannot be used, nobody stands in for the tools that it mentions.
            return;
        }
        let own: Vec<&str> = self.module.tools.iter().map(|tool| tool.name.value.as_str()).collect();
        self.found.extend(self.toolbox.no_such_tool(wanted, &own, self.source));
    }

    /// The public face of a tool of this module, or else of any.
    fn known(&self, name: &str) -> Option<ToolSpec> {
        let own = self.module.tool(name).map(|tool| tool.spec(self.module, self.source));
        own.or_else(|| self.toolbox.tool(name).map(|tool| (**tool.spec()).clone()))
    }

    fn reconcile(&mut self, tool: &ModuleTool, reconcile: &Spanned<Reconcile>, asked: &ToolSpec) {
        let (asking, name) = (&tool.name.value, &asked.name);
        if asked.effect != Effect::Read {
            let message = format!("`{name}` is no tool that only reads; asking it would change something");
            let problem = self.error("bad-value", reconcile.span, message);
            self.found.push(problem.hint("`reconcile` takes a tool of `effect: read`"));
        }
        let given = reconcile.value.args.as_object();
        let given: Vec<&String> = given.into_iter().flat_map(|args| args.keys()).collect();
        let known = asked.input["properties"].as_object();
        let known: Vec<&str> = known.into_iter().flat_map(|known| known.keys()).map(String::as_str).collect();
        for argument in given.iter().filter(|argument| !known.contains(&argument.as_str())) {
            let message = format!("tool `{name}` has no argument `{argument}`");
            let problem = self.error("unknown-argument", reconcile.span, message);
            self.found.push(problem.suggest(argument, known.iter().copied()));
        }
        let required = asked.input["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
        for argument in required.filter(|argument| !given.iter().any(|given| given == argument)) {
            let message = format!("tool `{name}`, which `{asking}` asks, needs the argument `{argument}`");
            let problem = self.error("missing-argument", reconcile.span, message);
            self.found.push(problem);
        }
    }

    /// Tools and aliases that another module of the same layer has, too: nobody could say which is meant.
    fn others(&mut self) {
        let Some(layer) = self.toolbox.layer_of(self.source) else { return };
        for (text, other) in self.toolbox.readable_in(layer) {
            if text.source.path == self.source.path {
                continue;
            }
            let mut twice = Vec::new();
            for (name, span) in names(self.module) {
                if names(other).any(|(taken, _)| fold(taken) == fold(name)) {
                    let message = format!("`{name}` is a tool of the module `{}`, too", other.module.value);
                    let problem = self.error("duplicate-tool", span, message);
                    twice.push(
                        problem.hint(format!("see `{}`; give one of them another name", text.source.path)),
                    );
                }
            }
            self.found.append(&mut twice);
        }
    }
}

/// Names and aliases of the tools of a module, and where they stand.
fn names(module: &Module) -> impl Iterator<Item = (&str, Span)> {
    let own = module.tools.iter().map(|tool| (tool.name.value.as_str(), tool.name.span));
    own.chain(module.aliases.iter().map(|(alias, target)| (alias.as_str(), target.span)))
}
