//! Search in the text of projects.
//!
//! Every project has an index of its own, an `SQLite` file in the state folder: a cache that
//! can be thrown away ([`index`]). A tenant has indexes of its own, and only of folders that it may look
//! into. Whoever searches first brings it up to date, by size
//! and time of the files, so there is no watcher that has to run and nothing that can be
//! out of step. Files that git ignores, that are too big or no text are left out, and
//! counted. Reading order: [`chunk`] (a file in pieces), [`index`], [`search`], the tools.

use std::path::{Path, PathBuf};

use aa_spec::plan::digest;
use aa_spec::tool::{Effect, ErrorKind};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::cache::CodeCache;
use self::index::{Index, Refreshed, Totals};
use self::search::{Found, Question};
use self::watch::{CodeWatch, CodeWatchAll};
use super::memory::Memory;
use super::native::{Face, Native, blocking, tool};
use super::project;
use super::{CallContext, Tool, ToolError};
use crate::caller::MAIN;

mod cache;
mod chunk;
mod index;
mod search;
#[cfg(test)]
mod tests;
mod watch;

/// Makes one of the tools.
pub(super) type Make = fn(Code) -> std::sync::Arc<dyn Tool>;

/// Every tool of the module by name.
pub(super) const TOOLS: &[(&str, Make)] = &[
    (CodeCache::FACE.name, |code| tool(CodeCache(code))),
    (CodeHealth::FACE.name, |code| tool(CodeHealth(code))),
    (CodeIndex::FACE.name, |code| tool(CodeIndex(code))),
    (CodeSearch::FACE.name, |code| tool(CodeSearch(code))),
    (CodeStats::FACE.name, |code| tool(CodeStats(code))),
    (CodeWatch::FACE.name, |code| tool(CodeWatch(code))),
    (CodeWatchAll::FACE.name, |code| tool(CodeWatchAll(code))),
];

/// Where the indexes are, and which projects there are.
#[derive(Clone, Debug)]
pub(super) struct Code {
    memory: Memory,
    folder: PathBuf,
}

/// `code_search`.
struct CodeSearch(Code);
/// `code_index`.
struct CodeIndex(Code);
/// `code_stats`.
struct CodeStats(Code);
/// `code_health`.
struct CodeHealth(Code);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SearchArgs {
    /// Words to look for; places with all of them, or else with any, best first.
    query: String,
    /// A registered project or a folder; without it, the repository around the run's folder.
    #[serde(default)]
    project: String,
    /// At most so many places.
    #[serde(default = "ten")]
    #[schemars(range(min = 1))]
    limit: usize,
    /// Only files that fit: a name like `*.rs`, a path like `src/**/*.py`, or a part of a path.
    #[serde(default)]
    file_filter: String,
    /// Only this language or extension, or only `function` or `class` definitions.
    #[serde(default)]
    type_filter: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct IndexArgs {
    /// A registered project or a folder; without it, the repository around the run's folder.
    #[serde(default)]
    project: String,
    /// Whether to read every file again.
    #[serde(default)]
    force: bool,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct StatsArgs {
    /// A registered project or a folder; without it, the repository around the run's folder.
    #[serde(default)]
    project: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NoArgs {}

#[derive(Serialize, JsonSchema)]
struct Searched {
    project: String,
    /// Its folder.
    path: String,
    /// Places, best first.
    results: Vec<Found>,
    /// Whether every word of the query is in each of them.
    all_words: bool,
    /// Files that could be searched.
    files: usize,
}

#[derive(Serialize, JsonSchema)]
struct Indexed {
    project: String,
    /// Its folder.
    path: String,
    #[serde(flatten)]
    done: Refreshed,
}

#[derive(Serialize, JsonSchema)]
struct Counted {
    project: String,
    /// Its folder.
    path: String,
    /// Whether it has been indexed.
    indexed: bool,
    #[serde(flatten)]
    totals: Totals,
}

#[derive(Serialize, JsonSchema)]
struct Health {
    /// Whether every index can be used.
    healthy: bool,
    /// Every index.
    indexes: Vec<Checked>,
    /// What is wrong, a line each.
    problems: Vec<String>,
}

#[derive(Serialize, JsonSchema)]
struct Checked {
    /// The folder that it is of; empty when it cannot be read.
    path: String,
    /// Whether that folder is still there.
    exists: bool,
    /// Whether it can be read and is whole.
    readable: bool,
    /// Files in it.
    files: usize,
    /// Its size on disk.
    bytes: u64,
    /// When it was brought up to date last, RFC 3339 in UTC.
    refreshed_at: String,
}

const fn ten() -> usize {
    10
}

impl Code {
    pub(super) fn new(memory: Memory, state_folder: &Path) -> Self {
        Self { memory, folder: state_folder.join("code") }
    }

    /// The project that is meant: its name and its folder.
    async fn project(&self, context: &CallContext, name: &str) -> Result<(String, PathBuf), ToolError> {
        let found = project::resolve(&self.memory, context, name).await?;
        let folder = found.folder.and_then(|folder| folder.canonicalize().ok());
        let folder = folder.filter(|folder| folder.is_dir()).ok_or_else(|| {
            let message = format!(
                "the folder of `{}` is not known or not open; give a path, or `project_add` it",
                found.name
            );
            ToolError::new(ErrorKind::NotFound, message)
        })?;
        Ok((found.name, folder))
    }

    /// Where the indexes of the caller's tenant are: what others have indexed, it neither counts nor clears.
    fn folder(&self, context: &CallContext) -> PathBuf {
        if *context.tenant == *MAIN {
            return self.folder.clone();
        }
        self.folder.join(short(context.tenant.as_bytes()))
    }

    /// The file that a folder's index is in.
    fn file(&self, context: &CallContext, of: &Path) -> PathBuf {
        self.folder(context).join(format!("{}.db", short(of.as_os_str().as_encoded_bytes())))
    }

    async fn refresh(
        &self,
        context: &CallContext,
        (project, folder): (String, PathBuf),
        force: bool,
    ) -> Result<Indexed, ToolError> {
        let file = self.file(context, &folder);
        let path = folder.display().to_string();
        let done = blocking(context, move |brake| Index::open(&file, &folder)?.refresh(force, brake)).await?;
        Ok(Indexed { project, path, done })
    }
}

#[async_trait]
impl Native for CodeSearch {
    type Args = SearchArgs;
    type Output = Searched;

    const FACE: Face = Face {
        name: "code_search",
        module: "code",
        description: "Places in a project's files where words stand, with line numbers",
        effect: Effect::Read,
        idempotent: true,
    };

    async fn call(&self, context: &CallContext, args: SearchArgs) -> Result<Searched, ToolError> {
        let question = Question::new(&args.query, args.limit, &args.file_filter, &args.type_filter)?;
        let (project, folder) = self.0.project(context, &args.project).await?;
        let (file, path) = (self.0.file(context, &folder), folder.display().to_string());
        let (files, (results, all_words)) = blocking(context, move |brake| {
            let mut index = Index::open(&file, &folder)?;
            let files = index.refresh(false, brake)?.files;
            Ok((files, index.search(&question, brake)?))
        })
        .await?;
        Ok(Searched { project, path, results, all_words, files })
    }
}

#[async_trait]
impl Native for CodeIndex {
    type Args = IndexArgs;
    type Output = Indexed;

    const FACE: Face = Face {
        name: "code_index",
        module: "code",
        description: "Brings the index of a project's files up to date; a search does so by itself",
        effect: Effect::Write,
        idempotent: true,
    };

    async fn call(&self, context: &CallContext, args: IndexArgs) -> Result<Indexed, ToolError> {
        let project = self.0.project(context, &args.project).await?;
        self.0.refresh(context, project, args.force).await
    }
}

#[async_trait]
impl Native for CodeStats {
    type Args = StatsArgs;
    type Output = Counted;

    const FACE: Face = Face {
        name: "code_stats",
        module: "code",
        description: "What is in the index of a project's files",
        effect: Effect::Read,
        idempotent: true,
    };

    async fn call(&self, context: &CallContext, args: StatsArgs) -> Result<Counted, ToolError> {
        let (project, folder) = self.0.project(context, &args.project).await?;
        let (file, path) = (self.0.file(context, &folder), folder.display().to_string());
        let totals = blocking(context, move |_| {
            if file.is_file() { Index::open(&file, &folder)?.totals().map(Some) } else { Ok(None) }
        })
        .await?;
        Ok(Counted { project, path, indexed: totals.is_some(), totals: totals.unwrap_or_default() })
    }
}

#[async_trait]
impl Native for CodeHealth {
    type Args = NoArgs;
    type Output = Health;

    const FACE: Face = Face {
        name: "code_health",
        module: "code",
        description: "Whether the indexes of projects' files can be used",
        effect: Effect::Read,
        idempotent: true,
    };

    async fn call(&self, context: &CallContext, _args: NoArgs) -> Result<Health, ToolError> {
        let folder = self.0.folder(context);
        let indexes = blocking(context, move |brake| {
            files(&folder)
                .into_iter()
                .map(|file| brake.check().map(|()| (file.clone(), checked(&file))))
                .collect()
        });
        let indexes: Vec<(PathBuf, Checked)> = indexes.await?;
        let problems: Vec<String> = indexes.iter().filter_map(|(file, index)| problem(file, index)).collect();
        let indexes = indexes.into_iter().map(|(_, index)| index).collect();
        Ok(Health { healthy: problems.is_empty(), indexes, problems })
    }
}

/// What a thing is called on disk.
fn short(of: &[u8]) -> String {
    digest(of).chars().take(16).collect()
}

/// The indexes in a folder, by name.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<_> = entries.map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "db"));
    files.sort_unstable();
    files
}

fn checked(file: &Path) -> Checked {
    let bytes = std::fs::metadata(file).map_or(0, |known| known.len());
    match Index::look(file) {
        Ok((root, totals)) => Checked {
            exists: Path::new(&root).is_dir(),
            path: root,
            readable: true,
            files: totals.files,
            bytes,
            refreshed_at: totals.refreshed_at,
        },
        Err(_) => Checked {
            path: String::new(),
            exists: false,
            readable: false,
            files: 0,
            bytes,
            refreshed_at: String::new(),
        },
    }
}

fn problem(file: &Path, index: &Checked) -> Option<String> {
    if !index.readable {
        return Some(format!("`{}` is broken; the next search makes it anew", file.display()));
    }
    let gone = !index.exists;
    gone.then(|| format!("`{}` is gone; its index `{}` can be removed", index.path, file.display()))
}
