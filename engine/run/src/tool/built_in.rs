//! The tools that are written in Rust, by name.

use std::sync::Arc;

use super::Tool;
use super::client::{ClientLog, ClientRoots, ClientSample};
use super::ephemeral;
use super::file::{
    FileAppend, FileCopy, FileExists, FileFind, FileHash, FileList, FileMove, FileRead, FileRemove,
    FileSearch, FileWrite, FolderCreate,
};
use super::http::{HttpGet, HttpRequest, HttpWait, Web};
use super::login::{KubeLogin, Login, VpnConnect};
use super::memory::{self, Memory};
use super::native::{Native, tool};
use super::net::{PortCheck, WaitPort};
use super::plain::{Echo, EmitEvent, TextLines};
use super::process::Launcher;
use super::shell::Shell;
use super::{code, knowledge, project};
use crate::toolbox::ToolboxOptions;

/// Makes built-in tools. A tool is made when it is looked up, its schemas with it.
pub(crate) struct BuiltIn {
    launcher: Arc<Launcher>,
    web: Arc<Web>,
    local: ephemeral::Local,
    memory: Memory,
    code: code::Code,
    login: Arc<Login>,
}

type Make = fn(&BuiltIn) -> Arc<dyn Tool>;

/// Every built-in tool: adding one is a line here.
const TOOLS: &[(&str, Make)] = &[
    (ClientLog::FACE.name, |_| tool(ClientLog)),
    (ClientRoots::FACE.name, |_| tool(ClientRoots)),
    (ClientSample::FACE.name, |_| tool(ClientSample)),
    (Echo::FACE.name, |_| tool(Echo)),
    (EmitEvent::FACE.name, |_| tool(EmitEvent)),
    (FileAppend::FACE.name, |_| tool(FileAppend)),
    (FileCopy::FACE.name, |_| tool(FileCopy)),
    (FileExists::FACE.name, |_| tool(FileExists)),
    (FileFind::FACE.name, |_| tool(FileFind)),
    (FileHash::FACE.name, |_| tool(FileHash)),
    (FileList::FACE.name, |_| tool(FileList)),
    (FileMove::FACE.name, |_| tool(FileMove)),
    (FileRead::FACE.name, |own| tool(FileRead { limit: own.launcher.output_bytes() })),
    (FileRemove::FACE.name, |_| tool(FileRemove)),
    (FileSearch::FACE.name, |_| tool(FileSearch)),
    (FileWrite::FACE.name, |_| tool(FileWrite)),
    (FolderCreate::FACE.name, |_| tool(FolderCreate)),
    (HttpGet::FACE.name, |own| tool(HttpGet(own.web.clone()))),
    (HttpRequest::FACE.name, |own| tool(HttpRequest(own.web.clone()))),
    (HttpWait::FACE.name, |own| tool(HttpWait(own.web.clone()))),
    (KubeLogin::FACE.name, |own| tool(KubeLogin(own.login.clone()))),
    (PortCheck::FACE.name, |_| tool(PortCheck)),
    (Shell::FACE.name, |own| tool(Shell(own.launcher.clone()))),
    (TextLines::FACE.name, |_| tool(TextLines)),
    (VpnConnect::FACE.name, |own| tool(VpnConnect(own.login.clone()))),
    (WaitPort::FACE.name, |_| tool(WaitPort)),
];

/// The tools over the memory, module by module.
const MEMORY: [&[(&str, memory::Make)]; 3] = [knowledge::TOOLS, memory::TOOLS, project::TOOLS];

/// The modules that built-in tools belong to.
const MODULES: &[(&str, &str)] = &[
    ("client", "The AI client that started a run: its model, its folders, its log"),
    ("code", "Search in the text of projects"),
    ("ephemeral", "Somewhere to run one commit of a service for a while"),
    ("file", "Files and folders"),
    ("http", "HTTP requests"),
    ("knowledge", "What is known of projects"),
    ("login", "Logging in to clusters, and connecting to the network"),
    ("memory", "What skills remember from one run to the next"),
    ("net", "TCP ports"),
    ("plain", "Values, without any effect"),
    ("project", "Folders with a name, and what skills need to know of them"),
    ("shell", "Shell scripts"),
];

impl BuiltIn {
    pub(crate) fn new(launcher: Arc<Launcher>, options: &ToolboxOptions) -> Self {
        let memory = Memory::new(options.store.clone(), &options.open_folders);
        Self {
            web: Arc::new(Web::new(options.proxy.clone(), options.ca.clone(), options.output_bytes)),
            local: ephemeral::Local::new(&options.state_folder, launcher.clone(), options.ephemeral.clone()),
            code: code::Code::new(memory.clone(), &options.state_folder),
            memory,
            login: Arc::new(Login { launcher: launcher.clone(), logins: options.logins.clone() }),
            launcher,
        }
    }

    /// The way out that all HTTP tools share.
    pub(crate) fn web(&self) -> Arc<Web> {
        self.web.clone()
    }

    /// The tool of a canonical name.
    pub(crate) fn tool(&self, name: &str) -> Option<Arc<dyn Tool>> {
        if let Some((_, make)) = TOOLS.iter().find(|(known, _)| *known == name) {
            return Some(make(self));
        }
        let remembering = MEMORY.iter().flat_map(|tools| tools.iter());
        if let Some((_, make)) = remembering.into_iter().find(|(known, _)| *known == name) {
            return Some(make(self.memory.clone()));
        }
        if let Some((_, make)) = code::TOOLS.iter().find(|(known, _)| *known == name) {
            return Some(make(self.code.clone()));
        }
        let (_, make) = ephemeral::TOOLS.iter().find(|(known, _)| *known == name)?;
        Some(make(self.local.clone()))
    }

    /// Every name.
    pub(crate) fn names() -> impl Iterator<Item = &'static str> {
        let own = TOOLS.iter().map(|(name, _)| *name);
        let local = ephemeral::TOOLS.iter().map(|(name, _)| *name);
        let memory = MEMORY.iter().flat_map(|tools| tools.iter()).map(|(name, _)| *name);
        own.chain(local).chain(memory).chain(code::TOOLS.iter().map(|(name, _)| *name))
    }

    /// Every module with what it is for.
    pub(crate) fn modules() -> impl Iterator<Item = (&'static str, &'static str)> {
        MODULES.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::PathBuf;

    use serde_json::json;

    use super::*;
    use crate::store::LazyStore;
    use crate::tool::process::Environment;

    #[test]
    fn every_tool_is_described_and_strict() {
        let launcher = Arc::new(Launcher::new(Environment::default(), 1));
        let options = ToolboxOptions {
            environment: Environment::default(),
            output_bytes: 1,
            proxy: None,
            ca: None,
            configuration: crate::tool::configuration::Configuration::default(),
            state_folder: PathBuf::new(),
            open_folders: Vec::new(),
            store: LazyStore::default(),
            ephemeral: ephemeral::Defaults { repository: String::new(), ttl: String::new() },
            logins: crate::tool::Logins::default(),
        };
        let built_in = BuiltIn::new(launcher, &options);
        let mut modules = BTreeSet::new();
        for name in BuiltIn::names() {
            let spec = built_in.tool(name).unwrap().spec().clone();
            assert_eq!(spec.name, name);
            assert!(!spec.description.is_empty() && !spec.description.ends_with('.'), "{name}");
            assert_eq!(spec.input["type"], "object", "{name}");
            let strict = &spec.input["additionalProperties"];
            assert!(*strict == json!(false) || name == "echo", "{name}: {}", spec.input);
            assert!(!spec.input.to_string().contains("$ref"), "{name}: {}", spec.input);
            for (argument, schema) in spec.input["properties"].as_object().into_iter().flatten() {
                assert!(schema["description"].is_string(), "{name} {argument}");
            }
            modules.insert(spec.module.clone());
        }
        assert_eq!(modules, MODULES.iter().map(|(name, _)| (*name).to_owned()).collect());
        assert!(TOOLS.is_sorted_by_key(|(name, _)| *name));
    }
}
