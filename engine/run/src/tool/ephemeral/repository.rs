//! Where commits come from: a folder, an address, or the sample that is part of the binary.

use std::fs;
use std::path::{Path, PathBuf};

use aa_spec::tool::ErrorKind;
use serde_json::json;

use super::command::git;
use super::{Local, broken};
use crate::tool::{CallContext, ToolError};

/// How the sample is asked for.
pub(super) const SAMPLE: &str = "sample";
const SAMPLE_BUNDLE: &[u8] =
    include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../skills/sample/sample.bundle"));

/// A repository to fetch from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Repository {
    /// The sample.
    Sample,
    /// A folder or bundle of this machine.
    Local(PathBuf),
    /// An address that git understands.
    Remote(String),
}

/// A merge request of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MergeRequest {
    /// Its reference.
    pub(super) reference: String,
    /// Full id of its newest commit.
    pub(super) commit: String,
}

impl Repository {
    /// Reads what a skill says: `sample`, an address, or a path.
    pub(super) fn read(text: &str, folder: &Path) -> Result<Self, ToolError> {
        if text == SAMPLE {
            return Ok(Self::Sample);
        }
        if text.is_empty() || text.starts_with('-') {
            return Err(ToolError::new(ErrorKind::Invalid, format!("`{text}` is not a repository")));
        }
        let before_path = text.split('/').next().unwrap_or_default();
        if text.contains("://") || before_path.contains(':') {
            return Ok(Self::Remote(text.to_owned()));
        }
        let path = folder.join(text);
        fs::canonicalize(&path).map(Self::Local).map_err(|_| {
            ToolError::new(ErrorKind::NotFound, format!("there is no repository at `{}`", path.display()))
                .details(json!({ "hint": "give a folder, an address such as `https://host/group/project.git`, or `sample`" }))
        })
    }

    /// What people and records call it.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Sample => SAMPLE.to_owned(),
            Self::Local(path) => path.display().to_string(),
            Self::Remote(address) => address.clone(),
        }
    }

    /// Whether fetching less saves time.
    pub(super) fn is_remote(&self) -> bool {
        matches!(self, Self::Remote(_))
    }

    /// What git calls it. Puts the sample on disk when it is asked for.
    pub(super) fn address(&self, local: &Local) -> Result<String, ToolError> {
        match self {
            Self::Remote(address) => Ok(address.clone()),
            Self::Local(path) => Ok(path.display().to_string()),
            Self::Sample => {
                let path = local.namespaces.folder().join(".sample.bundle");
                put(&path, SAMPLE_BUNDLE).map_err(|error| broken("cannot unpack the sample", &error))?;
                Ok(path.display().to_string())
            }
        }
    }

    /// Finds a merge request as GitLab or GitHub keep it.
    pub(super) async fn merge_request(
        &self,
        local: &Local,
        context: &CallContext,
        number: u64,
    ) -> Result<MergeRequest, ToolError> {
        let address = self.address(local)?;
        let places = [format!("refs/merge-requests/{number}/head"), format!("refs/pull/{number}/head")];
        let listed = git(local, context, &["ls-remote", "--quiet", &address, &places[0], &places[1]]).await?;
        let found = listed.lines().find_map(|line| line.split_once('\t'));
        if let Some((commit, reference)) = found {
            return Ok(MergeRequest { reference: reference.to_owned(), commit: commit.to_owned() });
        }
        let known =
            if self.is_remote() { Vec::new() } else { self.numbers(local, context, &address).await? };
        let missing = format!("`{}` has no merge request {number}", self.name());
        Err(ToolError::new(ErrorKind::NotFound, missing).details(match known.as_slice() {
            [] => json!({ "looked_for": places }),
            known => json!({ "looked_for": places, "hint": format!("it has {}", known.join(", ")) }),
        }))
    }

    /// Numbers of the newest merge requests there are, for a message.
    async fn numbers(
        &self,
        local: &Local,
        context: &CallContext,
        address: &str,
    ) -> Result<Vec<String>, ToolError> {
        const MOST: usize = 20;
        let patterns = ["refs/merge-requests/*/head", "refs/pull/*/head"];
        let listed =
            git(local, context, &["ls-remote", "--quiet", address, patterns[0], patterns[1]]).await?;
        let mut numbers: Vec<u64> =
            listed.lines().filter_map(|line| line.rsplit('/').nth(1)?.parse().ok()).collect();
        numbers.sort_unstable_by(|a, b| b.cmp(a));
        Ok(numbers.into_iter().take(MOST).map(|number| number.to_string()).collect())
    }
}

/// Writes a file unless it is there with that content; readers never see half of it.
fn put(path: &Path, content: &[u8]) -> std::io::Result<()> {
    if fs::read(path).is_ok_and(|present| present == content) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let draft = path.with_extension(format!("new-{}", std::process::id()));
    fs::write(&draft, content)?;
    fs::rename(&draft, path)
}
