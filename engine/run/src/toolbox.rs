//! Which tools exist: those written in Rust, and those of YAML modules.
//!
//! Looking a tool up parses only the modules that mention its name, so a process that
//! calls one tool does not pay for three hundred. The nearest layer wins, tool by tool.
//! A module with errors has no tools but keeps its place: what it would define is not
//! quietly taken from a farther layer. Tools of servers come last ([`foreign`]).

mod foreign;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use aa_spec::diagnostic::{Diagnostic, has_errors};
use aa_spec::name::fold;
use aa_spec::source::Source;
use aa_spec::tool::ToolSpec;
use aa_spec::tool::module::Module;
use aa_spec::tool::recipe;

use crate::store::LazyStore;
use crate::tool::mcp::{McpModule, Surroundings};
use crate::tool::process::{Environment, Launcher};
use crate::tool::{BuiltIn, Tool, command, ephemeral};

/// All tools of a process. Cheap to clone; clones share what has been parsed.
#[derive(Clone)]
pub struct Toolbox {
    shelf: Arc<Shelf>,
}

/// The text of a module, and how near it is.
#[derive(Clone, Debug)]
pub struct ModuleText {
    /// `project`, `user`, `shipped` or a configured folder.
    pub layer: String,
    /// Its text and the path shown to people.
    pub source: Source,
}

/// What tools need to know of where they run.
#[derive(Clone, Debug)]
pub struct ToolboxOptions {
    /// The environment that commands may inherit from.
    pub environment: Environment,
    /// Most bytes that a command may print or an answer may have.
    pub output_bytes: usize,
    /// Proxy for HTTP requests; without it they go straight.
    pub proxy: Option<String>,
    /// Folder that servers run in.
    pub folder: PathBuf,
    /// Where tools keep what outlives a run, e.g. ephemeral namespaces.
    pub state_folder: PathBuf,
    /// Where memory is kept; opened by the first tool that needs it.
    pub store: LazyStore,
    /// What a call of an ephemeral tool means that does not say.
    pub ephemeral: ephemeral::Defaults,
}

/// A module in `aa tool list`.
#[derive(Clone, Debug)]
pub struct ModuleEntry {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Where it comes from: a layer, or `built in`.
    pub layer: String,
    /// Commands that must be there for its tools to work.
    pub requires: Vec<String>,
}

struct Shelf {
    built_in: BuiltIn,
    /// Nearest first.
    modules: Vec<Entry>,
    launcher: Arc<Launcher>,
    around: Surroundings,
    found: Mutex<BTreeMap<String, Option<Arc<dyn Tool>>>>,
}

struct Entry {
    text: ModuleText,
    /// The text with every `-` as `_`, to look names up in.
    folded: OnceLock<String>,
    parsed: OnceLock<Parsed>,
}

/// A module, unless it has errors.
struct Parsed {
    module: Option<Module>,
    diagnostics: Vec<Diagnostic>,
    server: OnceLock<Option<McpModule>>,
}

impl Toolbox {
    /// A toolbox of these modules, nearest first, and the built-in tools. Parses nothing yet.
    pub fn new(modules: Vec<ModuleText>, options: &ToolboxOptions) -> Self {
        let entry = |text| Entry { text, folded: OnceLock::new(), parsed: OnceLock::new() };
        let launcher = Arc::new(Launcher::new(options.environment.clone(), options.output_bytes));
        let shelf = Shelf {
            built_in: BuiltIn::new(launcher.clone(), options),
            modules: modules.into_iter().map(entry).collect(),
            around: foreign::surroundings(launcher.clone(), options),
            launcher,
            found: Mutex::default(),
        };
        Self { shelf: Arc::new(shelf) }
    }

    /// The tool of a name (`-` and `_` are the same letter). `None` as well when the module that
    /// should have it has errors: see [`Self::problems`].
    pub fn tool(&self, name: &str) -> Option<Arc<dyn Tool>> {
        let name = fold(name);
        let known = self.found().get(&name).cloned();
        let own = known.unwrap_or_else(|| {
            let tool = self.shelf.look_up(&name);
            self.found().insert(name.clone(), tool.clone());
            tool
        });
        // What a server has may change; it is looked up each time.
        own.or_else(|| self.shelf.foreign(&name))
    }

    /// What is wrong with the modules that mention this name.
    pub fn problems(&self, name: &str) -> Vec<Diagnostic> {
        let name = fold(name);
        let mentioning = self.shelf.modules.iter().filter(|entry| entry.mentions(&name));
        let own = mentioning.flat_map(|entry| entry.parsed().diagnostics.clone());
        own.chain(self.shelf.foreign_problems(&name)).collect()
    }

    /// What is wrong with any module.
    pub fn diagnostics(&self) -> Vec<Diagnostic> {
        let own = self.shelf.modules.iter().flat_map(|entry| entry.parsed().diagnostics.clone());
        own.chain(self.shelf.foreign_doubts()).collect()
    }

    /// Every tool name, sorted, as far as it is known without starting servers. Parses all modules.
    pub fn names(&self) -> Vec<String> {
        self.all(false).iter().map(|spec| spec.name.clone()).collect()
    }

    /// Every tool, by name. Parses all modules, and asks the servers that were never asked.
    pub fn specs(&self) -> Vec<Arc<ToolSpec>> {
        self.all(true)
    }

    fn all(&self, ask: bool) -> Vec<Arc<ToolSpec>> {
        let names = BuiltIn::names().map(str::to_owned);
        let own = self.shelf.modules.iter().filter_map(|entry| entry.parsed().module.as_ref());
        let foreign = self.shelf.foreign_names(ask);
        let mut all: Vec<_> = names.chain(own.flat_map(tool_names)).chain(foreign).collect();
        all.sort_unstable();
        all.dedup();
        all.iter().filter_map(|name| self.tool(name)).map(|tool| tool.spec().clone()).collect()
    }

    /// Every module that can be used, by name. Parses all modules.
    pub fn modules(&self) -> Vec<ModuleEntry> {
        let mut entries: Vec<_> = self.shelf.modules.iter().filter_map(Entry::summary).collect();
        entries.extend(BuiltIn::modules().map(|(name, description)| ModuleEntry {
            name: name.to_owned(),
            description: description.to_owned(),
            layer: "built in".to_owned(),
            requires: Vec::new(),
        }));
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        entries
    }

    fn found(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Option<Arc<dyn Tool>>>> {
        // What is in it is whole at any time, whoever panicked.
        self.shelf.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shelf {
    fn look_up(&self, name: &str) -> Option<Arc<dyn Tool>> {
        for entry in self.modules.iter().filter(|entry| entry.mentions(name)) {
            let parsed = entry.parsed();
            match &parsed.module {
                Some(module) => {
                    if let Some(tool) = self.command(module, name, &entry.text.source) {
                        return Some(tool);
                    }
                }
                // It may have meant to define this tool, and nobody else may stand in for it.
                None if entry.names_tool(name) => return None,
                None => {}
            }
        }
        self.built_in.tool(name)
    }

    fn command(&self, module: &Module, name: &str, source: &Source) -> Option<Arc<dyn Tool>> {
        let tool = module.tool(name)?;
        let recipe = recipe::compile(module, tool, source).ok()?;
        let spec = Arc::new(tool.spec(module, source));
        Some(Arc::new(command::Command { spec, recipe, launcher: self.launcher.clone() }))
    }
}

impl Entry {
    fn mentions(&self, folded: &str) -> bool {
        self.folded.get_or_init(|| fold(&self.text.source.text)).contains(folded)
    }

    /// Whether a module that cannot be read has a tool or alias of this name, as far as can be seen.
    fn names_tool(&self, folded: &str) -> bool {
        let text = self.folded.get_or_init(|| fold(&self.text.source.text));
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
        text.match_indices(folded)
            .any(|(at, _)| !text[..at].ends_with(is_part) && !text[at + folded.len()..].starts_with(is_part))
    }

    fn parsed(&self) -> &Parsed {
        self.parsed.get_or_init(|| {
            let (module, diagnostics) = recipe::check(&self.text.source);
            let module = module.filter(|_| !has_errors(&diagnostics));
            Parsed { module, diagnostics, server: OnceLock::new() }
        })
    }

    fn summary(&self) -> Option<ModuleEntry> {
        let module = self.parsed().module.as_ref()?;
        Some(ModuleEntry {
            name: module.module.value.clone(),
            description: module.description.value.trim().to_owned(),
            layer: self.text.layer.clone(),
            requires: module.requires.commands.iter().map(|command| command.value.clone()).collect(),
        })
    }
}

fn tool_names(module: &Module) -> impl Iterator<Item = String> {
    module.tools.iter().map(|tool| fold(&tool.name.value))
}

impl fmt::Debug for Toolbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Toolbox").field("modules", &self.shelf.modules.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
