//! Which tools exist: those written in Rust, and those of YAML modules.
//!
//! Looking a tool up parses only the modules that mention its name, so a process that
//! calls one tool does not pay for three hundred. The nearest layer wins, tool by tool.
//! A module with errors has no tools but keeps its place: what it would define is not
//! quietly taken from a farther layer. Tools of servers come last ([`foreign`]).

mod foreign;

mod digest;
mod examples;
mod heal;
mod modules;
mod workflow;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use aa_spec::diagnostic::{Diagnostic, has_errors};
use aa_spec::name::fold;
use aa_spec::source::{Source, Text};
use aa_spec::tool::ToolSpec;
use aa_spec::tool::listener;
use aa_spec::tool::module::{self, Module};
use aa_spec::tool::recipe::{self, Recipe, Way};

use crate::home::SHIPPED;
use crate::store::LazyStore;
use crate::tool::api::{Api, Services};
use crate::tool::configuration::Configuration;
use crate::tool::declared::Declared;
use crate::tool::mcp::{McpModule, Surroundings};
use crate::tool::process::{Environment, Launcher};
use crate::tool::{BuiltIn, Logins, Tool, Web, command, ephemeral, queue};

pub use self::examples::Specimen;
pub use self::heal::HealEntry;
use self::modules::Modules;
pub(crate) use self::workflow::Remote;

/// All tools of a process. Cheap to clone; clones share what has been parsed.
#[derive(Clone)]
pub struct Toolbox {
    shelf: Arc<Shelf>,
}

/// Tells a toolbox from others, and keeps none alive.
pub(crate) struct Mark(Weak<Shelf>);

impl Mark {
    /// Whether it is the one of this toolbox.
    pub(crate) fn is_of(&self, toolbox: &Toolbox) -> bool {
        std::ptr::eq(self.0.as_ptr(), Arc::as_ptr(&toolbox.shelf))
    }
}

/// The text of a module, and how near it is.
#[derive(Clone, Debug, PartialEq)]
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
    /// File of certificates (PEM) that HTTP requests trust besides the usual ones.
    pub ca: Option<PathBuf>,
    /// What modules are configured with.
    pub configuration: Configuration,
    /// Where tools keep what outlives a run, e.g. ephemeral namespaces.
    pub state_folder: PathBuf,
    /// Folders that clients may work in, besides the one of a call: projects of other tenants than the main
    /// one lie in these.
    pub open_folders: Vec<PathBuf>,
    /// Where memory is kept; opened by the first tool that needs it.
    pub store: LazyStore,
    /// What a call of an ephemeral tool means that does not say.
    pub ephemeral: ephemeral::Defaults,
    /// How to log in to clusters and to connect to the network.
    pub logins: Logins,
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
    built_in: Arc<BuiltIn>,
    modules: Modules,
    launcher: Arc<Launcher>,
    around: Surroundings,
    services: Arc<Services>,
    configuration: Arc<Configuration>,
    /// Tools of other modules are not there.
    only: Option<String>,
    store: LazyStore,
    found: Mutex<BTreeMap<String, Option<Arc<dyn Tool>>>>,
}

struct Entry {
    text: ModuleText,
    /// The text with every `-` as `_`, to look names up in.
    folded: OnceLock<String>,
    /// Whether the text speaks of a server: asked at every call, and looked for once.
    over_server: OnceLock<bool>,
    /// In a place of its own: most modules of a process are never parsed, and a short command touches them all.
    parsed: OnceLock<Box<Parsed>>,
}

/// A module, unless it has errors.
struct Parsed {
    module: Option<Module>,
    /// The names of its tools and their other names.
    names: BTreeSet<String>,
    diagnostics: Vec<Diagnostic>,
    server: OnceLock<Option<McpModule>>,
}

impl Toolbox {
    /// A toolbox of these modules, nearest first, and the built-in tools. Parses nothing yet.
    pub fn new(modules: Vec<ModuleText>, options: &ToolboxOptions) -> Self {
        let launcher = Launcher::new(options.environment.clone(), options.output_bytes);
        let launcher = Arc::new(launcher.writing_down(options.state_folder.join("started")));
        let built_in = Arc::new(BuiltIn::new(launcher.clone(), options));
        let configuration = Arc::new(options.configuration.clone());
        let around =
            foreign::surroundings(launcher.clone(), options, (built_in.web(), configuration.clone()));
        Self::of(Shelf {
            services: Arc::new(Services::new(built_in.web(), options.output_bytes)),
            configuration,
            modules: Modules::new(modules),
            store: options.store.clone(),
            only: None,
            found: Mutex::default(),
            around,
            built_in,
            launcher,
        })
    }

    fn of(shelf: Shelf) -> Self {
        Self { shelf: Arc::new(shelf) }
    }

    /// The same with modules that come after all others, and are not asked for before they are needed.
    #[must_use]
    pub(crate) fn and(&self, last: fn() -> Vec<ModuleText>) -> Self {
        let modules = self.shelf.modules.clone().and(last);
        Self::of(Shelf { modules, found: Mutex::default(), ..self.shelf.parts() })
    }

    /// A toolbox of these modules instead, before those that come last. What has not changed stays as it is, with
    /// everything that belongs to it.
    #[must_use]
    pub fn with_modules(&self, modules: Vec<ModuleText>) -> Self {
        let modules = self.shelf.modules.exchanged(modules);
        Self::of(Shelf { modules, found: Mutex::default(), ..self.shelf.parts() })
    }

    /// The tools of one module and no others.
    #[must_use]
    pub fn only(&self, module: &str) -> Self {
        Self::of(Shelf { only: Some(fold(module)), found: Mutex::default(), ..self.shelf.parts() })
    }

    /// The tool of a name (`-` and `_` are the same letter). `None` as well when the module that
    /// should have it has errors: see [`Self::problems`].
    pub fn tool(&self, name: &str) -> Option<Arc<dyn Tool>> {
        let name = fold(name);
        let known = self.found().get(&name).cloned();
        let own = known.unwrap_or_else(|| {
            let tool = self.shelf.look_up(&name).or_else(|| self.own(&name));
            self.found().insert(name.clone(), tool.clone());
            tool
        });
        // What a server has may change; it is looked up each time.
        own.or_else(|| self.shelf.foreign(&name))
    }

    /// What tells this toolbox from others.
    pub(crate) fn mark(&self) -> Mark {
        Mark(Arc::downgrade(&self.shelf))
    }

    /// Whether a tool that was looked up is one of the modules here or of `aa` itself, and not of a server.
    pub(crate) fn is_own(&self, name: &str) -> bool {
        self.found().get(&fold(name)).is_some_and(Option::is_some)
    }

    /// How many hosts are left alone because they do not answer.
    pub fn open_breakers(&self) -> usize {
        self.shelf.services.open_breakers()
    }

    /// What is wrong with the modules that mention this name.
    pub fn problems(&self, name: &str) -> Vec<Diagnostic> {
        let name = fold(name);
        let mentioning = self.shelf.wanted().filter(|entry| entry.mentions(&name));
        let own = mentioning.flat_map(|entry| entry.parsed().diagnostics.clone());
        own.chain(self.shelf.foreign_problems(&name)).collect()
    }

    /// What is wrong with the file of a module that has no tools for that.
    pub(crate) fn faults(&self, module: &str) -> Vec<Diagnostic> {
        let name = fold(module);
        let broken = |entry: &&Arc<Entry>| entry.parsed().module.is_none() && entry.stem() == name;
        self.shelf.wanted().filter(broken).flat_map(|entry| entry.parsed().diagnostics.clone()).collect()
    }

    /// Files of modules that have no tools for what is wrong with them; of those that are not part of the binary.
    pub(crate) fn broken(&self) -> impl Iterator<Item = (&str, &[Diagnostic])> {
        let own = self.shelf.wanted().filter(|entry| !entry.is_shipped());
        let broken = own.filter(|entry| entry.parsed().module.is_none());
        broken.map(|entry| (&*entry.text.source.path, &*entry.parsed().diagnostics))
    }

    /// Commands that must be there for a module's tools to work. Parses no other module.
    pub(crate) fn requires(&self, module: &str) -> Vec<String> {
        let name = fold(module);
        let entry = self.shelf.wanted().find(|entry| entry.stem() == name);
        entry.and_then(|entry| entry.summary()).map(|module| module.requires).unwrap_or_default()
    }

    /// What is wrong with any module.
    pub fn diagnostics(&self) -> Vec<Diagnostic> {
        let own = self.shelf.wanted().flat_map(|entry| entry.parsed().diagnostics.clone());
        own.chain(self.shelf.foreign_doubts()).collect()
    }

    /// Every tool name, sorted, as far as it is known without starting servers. Parses all modules.
    pub fn names(&self) -> Vec<String> {
        self.specs().iter().map(|spec| spec.name.clone()).collect()
    }

    /// Every tool, by name, as far as it is known without starting servers. Parses all modules.
    pub fn specs(&self) -> Vec<Arc<ToolSpec>> {
        let names = BuiltIn::names().chain(workflow::NAMES).map(str::to_owned);
        let own = self.shelf.modules.iter().filter_map(|entry| entry.parsed().module.as_ref());
        let foreign = self.shelf.foreign_names();
        let mut all: Vec<_> = names.chain(own.flat_map(tool_names)).chain(foreign).collect();
        all.sort_unstable();
        all.dedup();
        all.iter().filter_map(|name| self.tool(name)).map(|tool| tool.spec().clone()).collect()
    }

    /// The tools of the module of a file's name, by name; parses no other module when that one is
    /// as usual.
    pub fn module_specs(&self, module: &str) -> Vec<Arc<ToolSpec>> {
        let wanted = fold(module);
        let named = |entry: &&Arc<Entry>| entry.stem() == wanted;
        let own = self.shelf.modules.iter().filter(named).filter_map(|entry| entry.parsed().module.as_ref());
        let mut names: Vec<String> = own
            .filter(|module| module.mcp.is_none() && fold(&module.module.value) == wanted)
            .flat_map(tool_names)
            .collect();
        names.sort_unstable();
        names.dedup();
        let of = |spec: &Arc<ToolSpec>| fold(&spec.module) == wanted;
        let found: Vec<_> = names
            .iter()
            .filter_map(|name| self.tool(name))
            .map(|tool| tool.spec().clone())
            .filter(of)
            .collect();
        if found.is_empty() { self.specs().into_iter().filter(of).collect() } else { found }
    }

    /// The names of the modules that are not files.
    pub fn built_in_modules(&self) -> impl Iterator<Item = String> + use<> {
        BuiltIn::modules().chain([workflow::MODULE]).map(|(name, _)| name.to_owned())
    }

    /// Every module that can be used, by name. Parses all modules.
    pub fn modules(&self) -> Vec<ModuleEntry> {
        let mut entries: Vec<_> = self.shelf.wanted().filter_map(|entry| entry.summary()).collect();
        entries.extend(BuiltIn::modules().chain([workflow::MODULE]).map(|(name, description)| ModuleEntry {
            name: name.to_owned(),
            description: description.to_owned(),
            layer: "built in".to_owned(),
            requires: Vec::new(),
        }));
        entries.retain(|entry| self.shelf.only.as_ref().is_none_or(|only| fold(&entry.name) == *only));
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        entries
    }

    /// Ends what is left of interrupted calls of commands, by their idempotency keys. See [`Launcher::end_remains`].
    pub(crate) async fn end_remains(&self, keys: &[String]) -> Result<Vec<String>, String> {
        self.shelf.launcher.end_remains(keys).await
    }

    /// Whether a command is on this machine.
    pub fn has_command(&self, command: &str, folder: &Path) -> bool {
        self.shelf.launcher.environment().find(command, folder).is_some()
    }

    /// Where the module of a text comes from, if it is one of these.
    pub fn layer_of(&self, source: &Source) -> Option<&str> {
        let entry = self.shelf.modules.iter().find(|entry| entry.text.source.path == source.path)?;
        Some(&entry.text.layer)
    }

    /// Every module that can be used, with its text. Parses all of them.
    pub fn readable(&self) -> impl Iterator<Item = (&ModuleText, &Module)> {
        self.shelf.wanted().filter_map(|entry| Some((&entry.text, entry.parsed().module.as_ref()?)))
    }

    /// Every module of a layer that can be used, with its text. Parses these.
    pub fn readable_in<'a>(&'a self, layer: &'a str) -> impl Iterator<Item = (&'a ModuleText, &'a Module)> {
        let modules = self.shelf.wanted().filter(move |entry| entry.text.layer == layer);
        modules.filter_map(|entry| Some((&entry.text, entry.parsed().module.as_ref()?)))
    }

    /// The way out that its tools share.
    pub(crate) fn web(&self) -> Arc<Web> {
        self.shelf.built_in.web()
    }

    /// How a module listens, and its name as it is written; `None` when it does not.
    pub fn listener(&self, module: &str) -> Option<(String, listener::Listener)> {
        let entry = self.listens(module)?;
        let module = entry.parsed().module.as_ref()?;
        let recipe = listener::compile(module, &entry.text.source).ok()??;
        Some((fold(&module.module.value), recipe))
    }

    /// The text of a module that listens.
    pub(crate) fn listener_text(&self, module: &str) -> Option<Text> {
        Some(self.listens(module)?.text.source.text.clone())
    }

    fn listens(&self, module: &str) -> Option<&Arc<Entry>> {
        let named = |entry: &&Arc<Entry>| entry.listens().is_some_and(|name| fold(name) == fold(module));
        self.shelf.wanted().find(named)
    }

    /// Every module that listens, by name.
    pub fn listening(&self) -> Vec<String> {
        let mut names: Vec<_> = self.shelf.wanted().filter_map(|entry| entry.listens()).map(fold).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    fn found(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Option<Arc<dyn Tool>>>> {
        // What is in it is whole at any time, whoever panicked.
        self.shelf.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shelf {
    /// What a shelf with other modules shares with this one.
    fn parts(&self) -> Self {
        Self {
            built_in: Arc::clone(&self.built_in),
            modules: self.modules.clone(),
            launcher: Arc::clone(&self.launcher),
            around: self.around.clone(),
            services: Arc::clone(&self.services),
            configuration: Arc::clone(&self.configuration),
            store: self.store.clone(),
            only: self.only.clone(),
            found: Mutex::default(),
        }
    }

    /// The modules that are not left out.
    fn wanted(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.modules.iter().filter(|entry| self.only.as_ref().is_none_or(|only| entry.is_called(only)))
    }

    fn look_up(&self, name: &str) -> Option<Arc<dyn Tool>> {
        let tool = self.nearest(name)?;
        let wanted = |only: &String| fold(&tool.spec().module) == *only;
        self.only.as_ref().is_none_or(wanted).then_some(tool)
    }

    fn nearest(&self, name: &str) -> Option<Arc<dyn Tool>> {
        let built_in = self.built_in.tool(name);
        // No module that is part of the binary has a tool by the name of one that is built in.
        let near = |entry: &&Arc<Entry>| built_in.is_none() || !entry.is_shipped();
        for entry in self.modules.iter().filter(near).filter(|entry| entry.may_have(name)) {
            let parsed = entry.parsed();
            match &parsed.module {
                Some(module) => {
                    if let Some(tool) = self.declared(module, name, &entry.text) {
                        return Some(tool);
                    }
                }
                // It may have meant to define this tool, and nobody else may stand in for it.
                None => return None,
            }
        }
        built_in.or_else(|| self.queue(name))
    }

    /// A tool over what a module's listener has heard.
    fn queue(&self, name: &str) -> Option<Arc<dyn Tool>> {
        let asked = |entry: &&Arc<Entry>| entry.mentions("listener");
        let listening = self.modules.iter().filter(asked).filter_map(|entry| entry.listens());
        listening.into_iter().find_map(|module| queue::find(&fold(module), name, &self.store))
    }

    fn declared(&self, module: &Module, name: &str, text: &ModuleText) -> Option<Arc<dyn Tool>> {
        let tool = module.tool(name)?;
        let source = &text.source;
        let Recipe { way, common } = recipe::compile(module, tool, source).ok()?;
        let spec = Arc::new(tool.spec(module, source));
        let declared = Declared { spec, common, configuration: self.configuration.clone() };
        Some(match way {
            Way::Run(run) => {
                let launcher = self.launcher.clone();
                let shows_files = text.layer == "project";
                Arc::new(command::Command { declared, run: *run, launcher, shows_files })
            }
            Way::Http(http) => Arc::new(Api { declared, http: *http, services: self.services.clone() }),
        })
    }
}

impl Entry {
    fn new(text: ModuleText) -> Arc<Self> {
        let (folded, over_server, parsed) = (OnceLock::new(), OnceLock::new(), OnceLock::new());
        Arc::new(Self { text, folded, over_server, parsed })
    }

    fn is_shipped(&self) -> bool {
        self.text.layer == SHIPPED
    }

    fn mentions(&self, folded: &str) -> bool {
        self.folded.get_or_init(|| fold(&self.text.source.text)).contains(folded)
    }

    /// Whether it may have a tool or alias of this name; certain once it has been read.
    fn may_have(&self, folded: &str) -> bool {
        match self.parsed.get() {
            Some(parsed) if parsed.module.is_some() => parsed.names.contains(folded),
            _ => self.names_tool(folded),
        }
    }

    /// Whether a module that cannot be read, or has not been, has a tool or alias of this name, as far as can be seen.
    fn names_tool(&self, folded: &str) -> bool {
        let text = self.folded.get_or_init(|| fold(&self.text.source.text));
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
        text.match_indices(folded)
            .any(|(at, _)| !text[..at].ends_with(is_part) && !text[at + folded.len()..].starts_with(is_part))
    }

    /// Whether this is its name; that of the file counts where it cannot be read.
    fn is_called(&self, folded: &str) -> bool {
        self.parsed().module.as_ref().map_or_else(|| self.stem(), |module| fold(&module.module.value))
            == folded
    }

    /// The name that its file has.
    fn stem(&self) -> String {
        let file = Path::new(&*self.text.source.path).file_stem();
        fold(&file.map(std::ffi::OsStr::to_string_lossy).unwrap_or_default())
    }

    /// The name of the module, if it listens.
    fn listens(&self) -> Option<&str> {
        let module = self.parsed().module.as_ref()?;
        module.listener.as_ref().map(|_| module.module.value.as_str())
    }

    fn parsed(&self) -> &Parsed {
        self.parsed.get_or_init(|| {
            // What is part of the binary has been checked before it was; checking takes longer than reading.
            let read = if self.is_shipped() { module::read } else { recipe::check };
            let (module, diagnostics) = read(&self.text.source);
            let module = module.filter(|_| !has_errors(&diagnostics));
            let names = module.iter().flat_map(own_names).collect();
            Box::new(Parsed { module, names, diagnostics, server: OnceLock::new() })
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

/// The names of its tools, and their other names.
fn own_names(module: &Module) -> impl Iterator<Item = String> {
    let aliases = module.aliases.keys().map(|alias| fold(alias));
    module.tools.iter().map(|tool| fold(&tool.name.value)).chain(aliases)
}

/// The names of its tools, and of those over what its listener has heard.
fn tool_names(module: &Module) -> impl Iterator<Item = String> {
    let own = module.tools.iter().map(|tool| fold(&tool.name.value));
    let queue = module.listener.iter().flat_map(|_| {
        let name = fold(&module.module.value);
        [listener::pending_tool(&name), listener::claim_tool(&name), listener::mark_tool(&name)]
    });
    own.chain(queue)
}

impl fmt::Debug for Toolbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Toolbox").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
