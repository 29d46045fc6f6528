//! The shipped modules, on the real thing.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use serde_json::Value;

use super::*;
use crate::tool::{CallContext, ToolError};

mod archive;
mod audit;
mod bisect;
mod disk;
mod git;
mod log;
mod system;
mod tls;

fn modules() -> Vec<ModuleText> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tools");
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    paths.sort();
    let read = |path: &PathBuf| ModuleText {
        layer: "shipped".to_owned(),
        source: Source::new(path.file_name().unwrap().to_str().unwrap(), fs::read_to_string(path).unwrap()),
    };
    paths.iter().map(read).collect()
}

/// One toolbox for all tests: reading the modules takes long in a build for tests.
static TOOLBOX: LazyLock<Toolbox> = LazyLock::new(|| toolbox(modules(), std::env::var_os("PATH")));

/// The tools of some modules, with commands out of these folders.
fn toolbox(modules: Vec<ModuleText>, path: Option<OsString>) -> Toolbox {
    let path = path.map(|path| ("PATH".into(), path)).into_iter();
    let own = VARIABLES.iter().map(|(name, value)| (name.into(), value.into()));
    let options = ToolboxOptions {
        environment: Environment::new(path.chain(own)),
        output_bytes: 8 * 1024 * 1024,
        proxy: None,
        ca: None,
        configuration: crate::tool::configuration::Configuration::default(),
        state_folder: "/nonexistent".into(),
        open_folders: Vec::new(),
        store: LazyStore::default(),
        logins: crate::tool::Logins::default(),
        ephemeral: ephemeral::Defaults::default(),
    };
    Toolbox::new(modules, &options)
}

/// What commands see: nothing of whoever runs the tests.
const VARIABLES: [(&str, &str); 6] = [
    ("HOME", "/nonexistent"),
    ("GIT_CONFIG_SYSTEM", "/dev/null"),
    ("GIT_AUTHOR_NAME", "Ada"),
    ("GIT_AUTHOR_EMAIL", "ada@example.org"),
    ("GIT_COMMITTER_NAME", "Ada"),
    ("GIT_COMMITTER_EMAIL", "ada@example.org"),
];

/// The shipped tools, called in a folder of their own.
struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    async fn call(&self, tool: &str, args: Value) -> Result<Value, ToolError> {
        let Value::Object(args) = args else { panic!("arguments are an object") };
        let tool = TOOLBOX.tool(tool).unwrap_or_else(|| panic!("no tool {tool}"));
        tool.call(&CallContext::detached(self.folder.path()), args).await
    }

    async fn ok(&self, tool: &str, args: Value) -> Value {
        match self.call(tool, args.clone()).await {
            Ok(value) => value,
            Err(error) => panic!("{tool} {args}: {error} {}", error.details),
        }
    }

    async fn error(&self, tool: &str, args: Value) -> ToolError {
        match self.call(tool, args.clone()).await {
            Ok(value) => panic!("{tool} {args} gave {value}"),
            Err(error) => error,
        }
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.folder.path().join(path)).unwrap()
    }
}

#[test]
fn shipped_modules_have_no_problems_and_no_tool_twice() {
    let mut seen = BTreeMap::new();
    for text in modules() {
        let (module, problems) = recipe::check(&text.source);
        let problems: Vec<_> =
            problems.iter().map(|problem| format!("{}: {}", problem.place().line, problem.message)).collect();
        assert!(problems.is_empty(), "{}: {problems:#?}", text.source.path);
        let module = module.unwrap();
        for alias in module.aliases.keys() {
            assert!(!BuiltIn::names().any(|name| fold(name) == fold(alias)), "{alias} is built in");
        }
        assert_eq!(format!("{}.yaml", module.module.value), *text.source.path);
        for tool in &module.tools {
            let name = tool.name.value.clone();
            assert!(
                tool.output.is_some() || tool.effect.value != aa_spec::tool::Effect::Read,
                "{name} has no output"
            );
            let other = seen.insert(name.clone(), text.source.path.clone());
            assert_eq!(other, None, "{name} is in two modules");
        }
    }
    for name in BuiltIn::names() {
        assert!(!seen.contains_key(name), "{name} is built in");
    }
}
