//! What others do by watching files: here every search looks for changes, so there is nothing
//! to start or to stop.

use std::path::PathBuf;

use aa_spec::tool::Effect;
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::native::{Face, Native, invalid};
use super::super::{CallContext, ToolError, project};
use super::Code;

/// What is said of every project.
const MESSAGE: &str = "nothing is watched: every search looks for changed files first";

/// `code_watch`.
pub(super) struct CodeWatch(pub(super) Code);
/// `code_watch_all`.
pub(super) struct CodeWatchAll(pub(super) Code);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WatchArgs {
    /// A registered project or a folder; without it, the repository around the run's folder.
    #[serde(default)]
    project: String,
    /// `start` brings the index up to date; `stop` and `status` change nothing.
    #[serde(default = "start")]
    action: String,
    /// Of no consequence: nothing is watched.
    #[serde(default)]
    #[expect(dead_code, reason = "what others give must be taken")]
    debounce_seconds: f64,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WatchAllArgs {
    /// `start` brings the index of every registered project up to date; `stop` and `status` change nothing.
    #[serde(default = "start")]
    action: String,
    /// Of no consequence: nothing is watched.
    #[serde(default)]
    #[expect(dead_code, reason = "what others give must be taken")]
    debounce_seconds: f64,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Watched {
    project: String,
    /// Always false: an index is brought up to date by every search instead.
    watching: bool,
    /// Files in the index; 0 when it was not brought up to date.
    files: usize,
    /// The same in words.
    message: String,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct AllWatched {
    /// Always false: an index is brought up to date by every search instead.
    watching: bool,
    /// Every registered project whose folder is there.
    projects: Vec<Watched>,
    /// Registered projects whose folder is not there or not open.
    missing: Vec<String>,
    /// The same in words.
    message: String,
}

fn start() -> String {
    "start".to_owned()
}

/// Whether an action brings indexes up to date.
fn refreshes(action: &str) -> Result<bool, ToolError> {
    match action {
        "start" => Ok(true),
        "stop" | "status" => Ok(false),
        other => Err(invalid(format!("`{other}` is no action; there are `start`, `stop` and `status`"))),
    }
}

impl Code {
    async fn watched(
        &self,
        context: &CallContext,
        (project, folder): (String, PathBuf),
        refreshes: bool,
    ) -> Result<Watched, ToolError> {
        let files = if refreshes {
            self.refresh(context, (project.clone(), folder), false).await?.done.files
        } else {
            0
        };
        Ok(Watched { project, watching: false, files, message: MESSAGE.to_owned() })
    }
}

#[async_trait]
impl Native for CodeWatch {
    type Args = WatchArgs;
    type Output = Watched;

    const FACE: Face = Face {
        name: "code_watch",
        module: "code",
        description: "Says that nothing needs to be watched: every search looks for changes first",
        effect: Effect::Write,
        idempotent: true,
    };

    async fn call(&self, context: &CallContext, args: WatchArgs) -> Result<Watched, ToolError> {
        let refreshes = refreshes(&args.action)?;
        let project = self.0.project(context, &args.project).await?;
        self.0.watched(context, project, refreshes).await
    }
}

#[async_trait]
impl Native for CodeWatchAll {
    type Args = WatchAllArgs;
    type Output = AllWatched;

    const FACE: Face = Face {
        name: "code_watch_all",
        module: "code",
        description: "The same for every registered project: their indexes are brought up to date",
        effect: Effect::Write,
        idempotent: true,
    };

    async fn call(&self, context: &CallContext, args: WatchAllArgs) -> Result<AllWatched, ToolError> {
        let refreshes = refreshes(&args.action)?;
        let (mut projects, mut missing) = (Vec::new(), Vec::new());
        for (name, folder) in project::folders(&self.0.memory, context).await? {
            let open = self.0.memory.opens(context, &folder);
            match folder.canonicalize().ok().filter(|folder| open && folder.is_dir()) {
                Some(folder) => projects.push(self.0.watched(context, (name, folder), refreshes).await?),
                None => missing.push(name),
            }
        }
        Ok(AllWatched { watching: false, projects, missing, message: MESSAGE.to_owned() })
    }
}
