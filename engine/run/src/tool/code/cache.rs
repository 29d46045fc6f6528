//! What the indexes take on disk, and throwing them away.

use std::path::{Path, PathBuf};

use aa_spec::tool::Effect;
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::native::{Brake, Face, Native, blocking, invalid};
use super::super::{CallContext, ToolError};
use super::{Code, index};

/// `code_cache`.
pub(super) struct CodeCache(pub(super) Code);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CacheArgs {
    /// `stats` counts; `clear` throws every index away, and the next search makes it anew.
    #[serde(default = "stats")]
    action: String,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Cache {
    /// Where the indexes are.
    folder: String,
    /// How many there are now.
    indexes: usize,
    /// What they take on disk now.
    bytes: u64,
    /// How many were thrown away.
    cleared: usize,
}

fn stats() -> String {
    "stats".to_owned()
}

#[async_trait]
impl Native for CodeCache {
    type Args = CacheArgs;
    type Output = Cache;

    const FACE: Face = Face {
        name: "code_cache",
        module: "code",
        description: "What the indexes of projects' files take on disk; throws them away when that is asked for",
        effect: Effect::Write,
        idempotent: true,
    };

    async fn call(&self, context: &CallContext, args: CacheArgs) -> Result<Cache, ToolError> {
        let clear = match args.action.as_str() {
            "stats" => false,
            "clear" => true,
            other => return Err(invalid(format!("`{other}` is no action; there are `stats` and `clear`"))),
        };
        let folder = self.0.folder(context);
        blocking(context, move |brake| {
            let before = super::files(&folder);
            if clear {
                throw_away(&before, brake)?;
            }
            Ok(counted(&folder, before.len()))
        })
        .await
    }
}

fn throw_away(files: &[PathBuf], brake: &Brake) -> Result<(), ToolError> {
    for file in files {
        brake.check()?;
        index::discard(file);
    }
    Ok(())
}

/// What is there now, of so many before.
fn counted(folder: &Path, before: usize) -> Cache {
    let left = super::files(folder);
    let size = |file: &PathBuf| {
        let parts = ["db", "db-wal", "db-shm"].map(|ending| file.with_extension(ending));
        parts.iter().filter_map(|part| std::fs::metadata(part).ok()).map(|known| known.len()).sum::<u64>()
    };
    Cache {
        folder: folder.display().to_string(),
        indexes: left.len(),
        bytes: left.iter().map(size).sum(),
        cleared: before.saturating_sub(left.len()),
    }
}
