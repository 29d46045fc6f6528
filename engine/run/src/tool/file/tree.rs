//! What is in a folder: one level of it, or all below.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use aa_spec::tool::Effect;
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::glob::Glob;
use super::{Kind, cannot, is_missing, kind, modified, resolve, resolve_tree};
use crate::tool::native::{Brake, Face, Native, blocking, invalid};
use crate::tool::{CallContext, ToolError};

/// `file_list`.
pub(in crate::tool) struct FileList;

/// `file_find`.
pub(in crate::tool) struct FileFind;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tool) struct ListArgs {
    /// The folder, relative to the run's folder.
    #[serde(default = "here")]
    path: String,
    /// Only names that fit, e.g. `*.log`.
    #[serde(default)]
    pattern: Option<String>,
    /// Whether to give names that begin with a dot.
    #[serde(default)]
    hidden: bool,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tool) struct FindArgs {
    /// The folder to search, relative to the run's folder.
    #[serde(default = "here")]
    path: String,
    /// Only what fits: a name like `*.log`, or a path like `src/**/*.rs`.
    #[serde(default)]
    pattern: Option<String>,
    /// What to look for.
    #[serde(default)]
    kind: Wanted,
    /// Whether to look at names that begin with a dot.
    #[serde(default)]
    hidden: bool,
    /// Only files of at least so many bytes.
    #[serde(default)]
    min_bytes: u64,
    /// Only what was changed longer ago, e.g. `7d`.
    #[serde(default)]
    older_than: Option<String>,
    /// Only what was changed since, e.g. `24h`.
    #[serde(default)]
    newer_than: Option<String>,
    /// How many levels to go down; without it, all.
    #[serde(default)]
    depth: Option<u32>,
    /// Finding more than this is an error.
    #[serde(default = "limit")]
    limit: usize,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Wanted {
    #[default]
    File,
    Folder,
    Any,
}

/// Something in a folder.
#[derive(Serialize, JsonSchema)]
pub(in crate::tool) struct Entry {
    /// Its path, starting with the given one.
    path: String,
    /// The last part of its path.
    name: String,
    kind: Kind,
    /// Size in bytes.
    bytes: u64,
    /// When it was changed last, RFC 3339 in UTC.
    modified: Option<String>,
}

fn here() -> String {
    ".".to_owned()
}

const fn limit() -> usize {
    10_000
}

#[async_trait]
impl Native for FileList {
    type Args = ListArgs;
    type Output = Vec<Entry>;

    const FACE: Face = Face {
        name: "file_list",
        module: "file",
        description: "What is in a folder, by name",
        effect: Effect::Read,
        idempotent: true,
    };

    async fn call(&self, context: &CallContext, args: ListArgs) -> Result<Vec<Entry>, ToolError> {
        let root = resolve(context, &args.path)?;
        let glob = args.pattern.as_deref().map(Glob::new).transpose()?;
        blocking(context, move |brake| {
            let mut entries = Vec::new();
            let walk = Walk { root: &root, shown: &args.path, hidden: args.hidden, depth: Some(1) };
            walk.each(brake, &mut |visit| {
                if glob.as_ref().is_none_or(|glob| glob.fits(visit.name, visit.name)) {
                    entries.push(visit.entry());
                }
                if entries.len() > limit() { Err(too_many(limit())) } else { Ok(()) }
            })?;
            Ok(entries)
        })
        .await
    }
}

#[async_trait]
impl Native for FileFind {
    type Args = FindArgs;
    type Output = Vec<Entry>;

    const FACE: Face = Face {
        name: "file_find",
        module: "file",
        description: "Files below a folder by name, size and age, in the order of their paths; links are not followed",
        effect: Effect::Read,
        idempotent: true,
    };

    async fn call(&self, context: &CallContext, args: FindArgs) -> Result<Vec<Entry>, ToolError> {
        let root = resolve_tree(context, &args.path)?;
        let filter = Filter::new(&args)?;
        blocking(context, move |brake| {
            let mut entries = Vec::new();
            let walk = Walk { root: &root, shown: &args.path, hidden: args.hidden, depth: args.depth };
            walk.each(brake, &mut |visit| {
                if filter.fits(visit) {
                    entries.push(visit.entry());
                }
                if entries.len() > args.limit { Err(too_many(args.limit)) } else { Ok(()) }
            })?;
            entries.sort_by(|a, b| a.path.cmp(&b.path));
            Ok(entries)
        })
        .await
    }
}

fn too_many(limit: usize) -> ToolError {
    invalid(format!("there are more than {limit}; ask for less, or raise `limit`"))
}

/// What `file_find` looks for.
struct Filter {
    glob: Option<Glob>,
    kind: Wanted,
    min_bytes: u64,
    changed_before: Option<SystemTime>,
    changed_after: Option<SystemTime>,
}

impl Filter {
    fn new(args: &FindArgs) -> Result<Self, ToolError> {
        let moment = |ago: &Option<String>| -> Result<_, ToolError> {
            match ago {
                Some(text) => {
                    let ago = Duration::from_millis(aa_spec::duration::parse_ms(text).map_err(invalid)?);
                    Ok(SystemTime::now().checked_sub(ago))
                }
                None => Ok(None),
            }
        };
        Ok(Self {
            glob: args.pattern.as_deref().map(Glob::new).transpose()?,
            kind: args.kind,
            min_bytes: args.min_bytes,
            changed_before: moment(&args.older_than)?,
            changed_after: moment(&args.newer_than)?,
        })
    }

    fn fits(&self, visit: &Visit) -> bool {
        let kind = match self.kind {
            Wanted::File => kind(visit.metadata) == Kind::File,
            Wanted::Folder => kind(visit.metadata) == Kind::Folder,
            Wanted::Any => true,
        };
        let changed = || visit.metadata.modified().ok();
        kind && visit.metadata.len() >= self.min_bytes
            && self.glob.as_ref().is_none_or(|glob| glob.fits(visit.name, visit.below))
            && self.changed_before.is_none_or(|before| changed().is_some_and(|changed| changed < before))
            && self.changed_after.is_none_or(|after| changed().is_some_and(|changed| changed >= after))
    }
}

/// A walk through a folder, in the order of the paths.
pub(super) struct Walk<'a> {
    pub(super) root: &'a Path,
    /// The folder as the caller wrote it.
    pub(super) shown: &'a str,
    pub(super) hidden: bool,
    pub(super) depth: Option<u32>,
}

/// One thing met on a walk.
pub(super) struct Visit<'a> {
    pub(super) path: &'a Path,
    pub(super) name: &'a str,
    /// Its path below the folder.
    pub(super) below: &'a str,
    pub(super) shown: &'a str,
    pub(super) metadata: &'a fs::Metadata,
}

impl Walk<'_> {
    /// Calls `visit` for everything in the folder.
    pub(super) fn each(
        &self,
        brake: &Brake,
        visit: &mut dyn FnMut(&Visit) -> Result<(), ToolError>,
    ) -> Result<(), ToolError> {
        let mut open = vec![(self.root.to_owned(), String::new(), 1)];
        while let Some((folder, below, level)) = open.pop() {
            brake.check()?;
            let names = match names(&folder) {
                // A folder that vanished meanwhile has nothing in it; the one asked for must be there.
                Err(error) if level > 1 && is_missing(&error) => continue,
                names => names.map_err(|error| cannot("list", &folder, &error))?,
            };
            let mut inner = Vec::new();
            for name in names {
                let path = folder.join(&name);
                let name = name.to_string_lossy();
                if name.starts_with('.') && !self.hidden {
                    continue;
                }
                let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
                let below = if below.is_empty() { name.to_string() } else { format!("{below}/{name}") };
                visit(&Visit {
                    path: &path,
                    name: &name,
                    below: &below,
                    shown: self.shown,
                    metadata: &metadata,
                })?;
                if metadata.is_dir() && self.depth.is_none_or(|depth| level < depth) {
                    inner.push((path, below, level + 1));
                }
            }
            open.extend(inner.into_iter().rev());
        }
        Ok(())
    }
}

impl Visit<'_> {
    /// Its path as the caller would write it.
    pub(super) fn shown_path(&self) -> String {
        match self.shown {
            "." => self.below.to_owned(),
            shown => Path::new(shown).join(self.below).to_string_lossy().into_owned(),
        }
    }

    fn entry(&self) -> Entry {
        Entry {
            path: self.shown_path(),
            name: self.name.to_owned(),
            kind: kind(self.metadata),
            bytes: self.metadata.len(),
            modified: modified(self.metadata),
        }
    }
}

fn names(folder: &Path) -> std::io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        names.push(entry?.file_name());
    }
    names.sort_unstable();
    Ok(names)
}
