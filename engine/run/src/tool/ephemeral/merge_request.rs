//! `ephemeral_merge_request`: which commit a merge request stands for.

use aa_spec::tool::Effect;
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Local;
use crate::tool::native::{Face, Native};
use crate::tool::{CallContext, ToolError};

pub(super) struct FindMergeRequest(pub(super) Local);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    /// Number of the merge request (GitLab) or pull request (GitHub).
    #[schemars(range(min = 1))]
    mr: u64,
    /// Folder, bundle or address of a git repository, or `sample` for the one that comes
    /// with `aa`; by default what the configuration says, else the sample.
    #[serde(default)]
    repository: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Output {
    /// Number of the merge request.
    mr: u64,
    /// The repository: `sample`, an absolute path, or an address.
    repository: String,
    /// Reference of the merge request.
    reference: String,
    /// Full id of its newest commit.
    commit: String,
    /// The first digits of it.
    short: String,
}

#[async_trait]
impl Native for FindMergeRequest {
    type Args = Args;
    type Output = Output;
    const FACE: Face = Face {
        name: "ephemeral_merge_request",
        module: "ephemeral",
        description: "Find the newest commit of a merge request without fetching it",
        effect: Effect::Read,
        idempotent: true,
    };

    async fn call(&self, context: &CallContext, args: Args) -> Result<Output, ToolError> {
        let repository = self.0.repository(context, args.repository.as_deref())?;
        let found = repository.merge_request(&self.0, context, args.mr).await?;
        Ok(Output {
            mr: args.mr,
            repository: repository.name(),
            reference: found.reference,
            short: short(&found.commit),
            commit: found.commit,
        })
    }
}

/// The first digits of a commit id, enough to recognise it.
pub(super) fn short(commit: &str) -> String {
    commit.chars().take(10).collect()
}
