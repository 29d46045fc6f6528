//! A state folder of its own, and whatever was started in it ended at the end.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::super::{Defaults, Local, TOOLS};
use crate::tool::process::{Environment, Launcher};
use crate::tool::{CallContext, Tool, ToolError};

/// A service in shell: nothing to build, one file served by nobody.
pub(super) const SERVICE: &str = "\
service: sleeper
build: [[sh, -c, 'echo built']]
run: [sh, -c, 'echo started on {{ port }}; exec sleep 600']
health: /
";

/// How long to wait for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// Calls the tools of the module.
#[derive(Clone)]
pub(super) struct Bench {
    shared: Arc<Shared>,
    key: String,
}

struct Shared {
    state: TempDir,
    tools: Vec<Arc<dyn Tool>>,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Bench {
    pub(super) fn new() -> Self {
        let secret = ("SECRET_TOKEN".into(), "hunter2".into());
        let environment = Environment::new(std::env::vars_os().chain([secret]));
        let launcher = Arc::new(Launcher::new(environment, 8 * 1024 * 1024));
        let state = tempfile::tempdir().unwrap();
        let local = Local::new(state.path(), launcher, Defaults::default());
        let tools = TOOLS.iter().map(|(_, make)| make(local.clone())).collect();
        Self { shared: Arc::new(Shared { state, tools, lines: Arc::default() }), key: "key".to_owned() }
    }

    /// The same bench for a step with another idempotency key.
    pub(super) fn with_key(&self, key: &str) -> Self {
        Self { key: key.to_owned(), ..self.clone() }
    }

    pub(super) fn tools(&self) -> impl Iterator<Item = &Arc<dyn Tool>> {
        self.shared.tools.iter()
    }

    pub(super) fn folder(&self) -> &Path {
        self.shared.state.path()
    }

    pub(super) fn namespaces(&self) -> PathBuf {
        self.folder().join("ephemeral")
    }

    /// What the calls so far have shown.
    pub(super) fn lines(&self) -> Vec<String> {
        self.shared.lines.lock().unwrap().clone()
    }

    pub(super) fn context(&self) -> CallContext {
        let lines = Arc::clone(&self.shared.lines);
        let mut context = CallContext::detached(self.folder());
        context.progress = Arc::new(move |line: &str| lines.lock().unwrap().push(line.to_owned()));
        context.idempotency_key.clone_from(&self.key);
        context
    }

    pub(super) async fn call(&self, tool: &str, args: Value) -> Result<Value, ToolError> {
        let Value::Object(args) = args else { panic!("arguments are an object") };
        let tool = self.tools().find(|known| known.spec().name == tool).unwrap();
        let result = tool.call(&self.context(), args).await;
        if let Ok(result) = &result {
            let schema = jsonschema::validator_for(&tool.spec().output).unwrap();
            if let Err(misfit) = schema.validate(result) {
                panic!("{} gives what its schema does not allow: {misfit}", tool.spec().name);
            }
        }
        result
    }

    /// Calls a tool until its result is as wanted.
    pub(super) async fn until(&self, tool: &str, args: Value, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let result = self.call(tool, args.clone()).await.unwrap();
            if wanted(&result) {
                return result;
            }
            assert!(Instant::now() < deadline, "{tool} still gives {result}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// A repository with these files in one commit on `main`.
    pub(super) fn repository(&self, name: &str, files: &[(&str, &str)]) -> PathBuf {
        let folder = self.folder().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        git(&folder, &["init", "--quiet", "--template=", "--initial-branch=main"]);
        self.commit(name, files);
        folder
    }

    /// One more commit in a repository.
    pub(super) fn commit(&self, name: &str, files: &[(&str, &str)]) -> String {
        let folder = self.folder().join(name);
        for (file, text) in files {
            std::fs::write(folder.join(file), text).unwrap();
        }
        git(&folder, &["add", "--all"]);
        git(&folder, &["commit", "--quiet", "--allow-empty", "--message=change"]);
        git(&folder, &["rev-parse", "HEAD"]).trim().to_owned()
    }

    /// Reserves, checks out `main` of a repository with this manifest, and builds it.
    pub(super) async fn built(&self, manifest: &str) -> Value {
        let repository = self.repository("service", &[("ephemeral.yaml", manifest)]);
        let reserved = self.call("ephemeral_reserve", json!({"owner": "ada"})).await.unwrap();
        let namespace = json!({"namespace": reserved["namespace"]});
        let mut checkout = namespace.clone();
        checkout["repository"] = json!(repository);
        checkout["reference"] = json!("refs/heads/main");
        self.call("ephemeral_checkout", checkout).await.unwrap();
        self.call("ephemeral_build", namespace.clone()).await.unwrap();
        namespace
    }
}

/// Runs git as nobody in particular.
pub(super) fn git(folder: &Path, words: &[&str]) -> String {
    let output = std::process::Command::new("git")
        .args(["-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "commit.gpgsign=false"])
        .args(words)
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

impl Drop for Shared {
    /// Ends what a failing test has left running.
    fn drop(&mut self) {
        let folder = self.state.path().join("ephemeral");
        for record in super::super::namespace::Namespaces::new(folder).read_all().unwrap_or_default() {
            let alive = record.service.filter(|service| service.process.is_alive());
            let pid = alive.and_then(|service| i32::try_from(service.process.pid).ok());
            if let Some(group) = pid.and_then(rustix::process::Pid::from_raw) {
                let _gone = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
            }
        }
    }
}
