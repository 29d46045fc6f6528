//! Tools that servers have: looked up after all others, so that no server can stand in for a
//! tool of a module or of our own.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use aa_spec::diagnostic::Diagnostic;
use aa_spec::name::{self, fold};
use aa_spec::source::Span;
use aa_spec::tool::recipe;
use futures_util::future::join_all;

use super::{Entry, Shelf, Toolbox, ToolboxOptions};
use crate::tool::Tool;
use crate::tool::Web;
use crate::tool::configuration::Configuration;
use crate::tool::mcp::{Host, McpEntry, McpModule, Surroundings, Trusted};
use crate::tool::process::Launcher;

/// What servers need of where they run.
pub(super) fn surroundings(
    launcher: Arc<Launcher>,
    options: &ToolboxOptions,
    (web, configuration): (Arc<Web>, Arc<Configuration>),
) -> Surroundings {
    Surroundings {
        host: Arc::new(Host::default()),
        launcher,
        web,
        configuration,
        store: options.store.clone(),
        folder: options.state_folder.clone(),
    }
}

impl Toolbox {
    /// The same toolbox, whose servers run in this folder.
    #[must_use]
    pub fn serving_in(self, folder: &Path) -> Self {
        let parts = self.shelf.parts();
        let around = Surroundings { folder: folder.to_owned(), ..parts.around.clone() };
        Self::of(Shelf { around, ..parts })
    }

    /// Asks the servers that may have a tool of this name, all at once, unless they were asked
    /// before. To be done before a call that somebody wants; nothing else starts servers that
    /// nobody knows.
    pub async fn meet(&self, name: &str) {
        let candidates = self.shelf.candidates(&fold(name));
        join_all(candidates.iter().map(|(_, server)| server.meet())).await;
    }

    /// Every module over a server, by name; nothing is started.
    pub fn servers(&self) -> Vec<McpEntry> {
        let mut entries: Vec<_> =
            self.shelf.servers().into_iter().map(|(_, server)| server.entry()).collect();
        entries.sort_by(|a, b| a.module.cmp(&b.module));
        entries
    }

    /// What is trusted of a tool of a server, and what that says now; `None` for any other tool.
    pub(crate) fn trusted(&self, name: &str) -> Option<Trusted> {
        let name = fold(name);
        if self.shelf.look_up(&name).is_some() {
            return None;
        }
        self.shelf.candidates(&name).into_iter().find_map(|(_, server)| server.trusted(&name))
    }

    /// Whether a server may have a tool of this name that was not asked yet, or cannot be.
    pub(crate) fn may_have(&self, name: &str) -> bool {
        self.shelf.candidates(&fold(name)).iter().any(|(_, server)| server.ignorance().is_some())
    }

    /// Changes with what is known of the tools of servers; nothing is started.
    pub(crate) fn foreign_revisions(&self) -> Vec<Option<i64>> {
        self.shelf.servers().iter().map(|(_, server)| server.revision()).collect()
    }

    /// The server of a module.
    pub(crate) fn server(&self, module: &str) -> Option<McpModule> {
        let module = fold(module);
        let mut servers = self.shelf.servers().into_iter();
        servers
            .find(|(entry, _)| entry.module_name().is_some_and(|name| fold(name) == module))
            .map(|(_, server)| server)
    }
}

impl Shelf {
    /// The tool of a server. Where two servers have it, none has: nobody could tell which is meant.
    /// Nor where a module that cannot be read may have meant to define it.
    pub(super) fn foreign(&self, name: &str) -> Option<Arc<dyn Tool>> {
        let broken = |entry: &Arc<Entry>| entry.names_tool(name) && entry.parsed().module.is_none();
        if self.modules.iter().any(broken) {
            return None;
        }
        let mut found = self.candidates(name).into_iter().filter_map(|(_, server)| server.tool(name));
        let tool = found.next()?;
        found.next().is_none().then_some(tool)
    }

    /// The names of what servers are known to have.
    pub(super) fn foreign_names(&self) -> Vec<String> {
        self.servers().iter().flat_map(|(_, server)| server.names()).collect()
    }

    /// Why a name is no tool of the servers that may have it.
    pub(super) fn foreign_problems(&self, name: &str) -> Vec<Diagnostic> {
        let candidates = self.candidates(name);
        let having: Vec<&str> = candidates
            .iter()
            .filter(|(_, server)| server.names().iter().any(|known| known == name))
            .filter_map(|(entry, _)| entry.module_name())
            .collect();
        let clash = (having.len() > 1).then(|| {
            format!("{} both have a tool `{name}`; give one of them another `prefix`", name::list(&having))
        });
        let problem = |(entry, server): &(&Entry, McpModule)| {
            let message = clash.clone().or_else(|| server.ignorance())?;
            Some(Diagnostic::error("unknown-tool", &entry.text.source, entry.server_span(), message))
        };
        candidates.iter().filter_map(problem).collect()
    }

    /// What is doubtful about servers, as far as they were asked.
    pub(super) fn foreign_doubts(&self) -> Vec<Diagnostic> {
        let servers = self.servers();
        let doubts = servers.iter().flat_map(|(entry, server)| {
            let doubt = |message| {
                Diagnostic::warning("unknown-tool", &entry.text.source, entry.server_span(), message)
            };
            let hidden = server.names().into_iter().filter(|name| self.look_up(name).is_some());
            let hidden = hidden
                .map(|name| format!("its tool `{name}` cannot be reached: there is another of that name"));
            server.entry().problems.into_iter().chain(hidden).map(doubt).collect::<Vec<_>>()
        });
        doubts.collect()
    }

    fn candidates(&self, name: &str) -> Vec<(&Entry, McpModule)> {
        self.servers().into_iter().filter(|(_, server)| server.may_have(name)).collect()
    }

    /// The modules over servers; a nearer one stands for a farther one of its name.
    fn servers(&self) -> Vec<(&Entry, McpModule)> {
        let mut seen = BTreeSet::new();
        let own = self.modules.iter().filter(|entry| entry.speaks_of_server());
        let fresh = own.filter(|entry| entry.module_name().is_some_and(|name| seen.insert(fold(name))));
        let wanted = fresh.filter(|entry| {
            let name = entry.module_name().map(fold);
            self.only.as_ref().is_none_or(|only| name.as_ref() == Some(only))
        });
        wanted.filter_map(|entry| Some((&**entry, self.server(entry)?))).collect()
    }

    fn server(&self, entry: &Entry) -> Option<McpModule> {
        let parsed = entry.parsed();
        let server = parsed.server.get_or_init(|| {
            let module = parsed.module.as_ref()?;
            let mcp = module.mcp.as_ref()?;
            let server = recipe::mcp::compile(module, mcp, &entry.text.source).ok()?;
            let source = &entry.text.source;
            let place = format!("{}:{}", source.path, source.place(mcp.span.start).line);
            Some(McpModule::new(server, place, self.around.clone()))
        });
        server.clone()
    }
}

impl Entry {
    /// Whether it may be a module over a server, as far as can be seen without parsing it.
    fn speaks_of_server(&self) -> bool {
        *self.over_server.get_or_init(|| self.mentions("mcp"))
    }

    fn module_name(&self) -> Option<&str> {
        Some(self.parsed().module.as_ref()?.module.value.as_str())
    }

    /// Where the module speaks of its server.
    fn server_span(&self) -> Span {
        let server = self.parsed().module.as_ref().and_then(|module| module.mcp.as_ref());
        server.map_or_else(Span::default, |server| server.span)
    }
}
