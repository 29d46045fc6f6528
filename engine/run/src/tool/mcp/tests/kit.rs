//! A project with modules over the server of `tests/fixtures/mcp`.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aa_spec::source::Source;
use async_trait::async_trait;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use crate::store::{Durability, LazyStore, StoreOptions};
use crate::tool::configuration::Configuration;
use crate::tool::process::Environment;
use crate::tool::{CallContext, Logins, Nobody, Person, Question, Tool, ToolError, ephemeral};
use crate::toolbox::{ModuleText, Toolbox, ToolboxOptions};

/// How long a call may take in a test that expects it to work.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

pub(super) struct World {
    pub(super) folder: tempfile::TempDir,
    store: LazyStore,
    modules: Vec<(String, String)>,
}

impl World {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = StoreOptions { durability: Durability::Normal, inline_limit: 1000 };
        let store = LazyStore::new(&folder.path().join("state"), options);
        Self { folder, store, modules: Vec::new() }
    }

    /// Adds a module over the server with these flags; `more` are further keys of `mcp`.
    pub(super) fn server(self, module: &str, flags: &[&str], more: &str) -> Self {
        let mut command = vec!["python3", SERVER];
        command.extend(flags);
        let text = format!(
            "module: {module}\ndescription: A server\nmcp:\n  command: {}\n  start_timeout: 20s\n{more}",
            json!(command)
        );
        self.module(module, &text)
    }

    pub(super) fn module(mut self, name: &str, text: &str) -> Self {
        self.modules.push((name.to_owned(), text.to_owned()));
        self
    }

    pub(super) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// A toolbox as one process has it; all have the same store.
    pub(super) fn toolbox(&self) -> Toolbox {
        let text = |(name, text): &(String, String)| ModuleText {
            layer: "project".to_owned(),
            source: Source::new(format!("{name}.yaml"), text.clone()),
        };
        let modules = self.modules.iter().map(text).collect();
        Toolbox::new(modules, &options(self.folder.path(), self.store.clone()))
    }
}

/// The server of the tests.
pub(super) const SERVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/mcp/server.py");

fn options(folder: &Path, store: LazyStore) -> ToolboxOptions {
    let mut variables: Vec<_> =
        std::env::vars_os().filter(|(name, _)| name == "PATH" || name == "HOME").collect();
    variables.push(("AWS_SECRET".into(), "do not tell".into()));
    variables.push(("PASSED_ON".into(), "tell".into()));
    ToolboxOptions {
        environment: Environment::new(variables),
        output_bytes: 1 << 20,
        proxy: None,
        ca: None,
        configuration: Configuration {
            environment: [("SHOP_TOKEN".to_owned(), "top-secret-token".to_owned())].into(),
            ..Configuration::default()
        },
        state_folder: folder.to_owned(),
        open_folders: Vec::new(),
        store,
        ephemeral: ephemeral::Defaults::default(),
        logins: Logins::default(),
    }
}

/// A call of a tool, as a test wants it.
pub(super) struct Calling {
    tool: Arc<dyn Tool>,
    args: Map<String, Value>,
    pub(super) context: CallContext,
    pub(super) lines: Arc<Mutex<Vec<String>>>,
}

/// A tool, whose server is asked if need be.
pub(super) fn met(toolbox: &Toolbox, name: &str) -> Option<Arc<dyn Tool>> {
    std::thread::scope(|scope| {
        let meeting = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(toolbox.meet(name));
        });
        meeting.join().unwrap();
    });
    toolbox.tool(name)
}

pub(super) fn calling(toolbox: &Toolbox, name: &str, args: Value) -> Calling {
    let tool = met(toolbox, name).unwrap_or_else(|| panic!("no tool {name}: {:?}", toolbox.problems(name)));
    let Value::Object(args) = args else { panic!("arguments are a mapping") };
    let lines = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&lines);
    let mut context = CallContext::detached("/");
    context.progress = Arc::new(move |line| kept.lock().unwrap().push(line.to_owned()));
    context.deadline = Some(Instant::now() + PATIENCE);
    Calling { tool, args, context, lines }
}

impl Calling {
    pub(super) fn within(mut self, time: Duration) -> Self {
        self.context.deadline = Some(Instant::now() + time);
        self
    }

    pub(super) fn asking(mut self, person: Arc<dyn Person>) -> Self {
        self.context.person = person;
        self
    }

    pub(super) async fn make(self) -> Result<Value, ToolError> {
        self.tool.call(&self.context, self.args).await
    }
}

/// Calls a tool that nobody watches.
pub(super) async fn call(toolbox: &Toolbox, name: &str, args: Value) -> Result<Value, ToolError> {
    calling(toolbox, name, args).asking(Arc::new(Nobody)).make().await
}

/// Gives the same answer to every question, after a while, and keeps the questions.
#[derive(Default)]
pub(super) struct Answerer {
    pub(super) answer: &'static str,
    pub(super) after: Duration,
    pub(super) asked: Mutex<Vec<Question>>,
}

#[async_trait]
impl Person for Answerer {
    async fn ask(&self, question: Question) -> Result<String, ToolError> {
        self.asked.lock().unwrap().push(question);
        tokio::time::sleep(self.after).await;
        Ok(self.answer.to_owned())
    }
}

/// The processes of the system whose command line holds a text.
pub(super) fn processes(with: &str) -> BTreeSet<u32> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let named = ids.filter(|id| {
        let line = std::fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).replace('\0', " ").contains(with)
    });
    named.collect()
}
