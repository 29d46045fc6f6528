//! `ephemeral_list`: every namespace, expired ones included.

use aa_spec::tool::Effect;
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Local;
use super::namespace::Namespaces;
use super::status::Summary;
use crate::tool::native::{Face, Native};
use crate::tool::{CallContext, ToolError};

pub(super) struct List(pub(super) Local);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    /// Only those of this owner.
    #[serde(default)]
    owner: Option<String>,
    /// Only those whose time is over.
    #[serde(default)]
    expired: bool,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Output {
    /// How many there are.
    count: usize,
    /// How many of them are expired.
    expired: usize,
    /// The namespaces, oldest first.
    namespaces: Vec<Summary>,
}

#[async_trait]
impl Native for List {
    type Args = Args;
    type Output = Output;
    const FACE: Face = Face {
        name: "ephemeral_list",
        module: "ephemeral",
        description: "List ephemeral namespaces, oldest first",
        effect: Effect::Read,
        idempotent: true,
    };

    async fn call(&self, _context: &CallContext, args: Args) -> Result<Output, ToolError> {
        let mut records = self.0.on_disk(Namespaces::read_all).await?;
        records.retain(|record| args.owner.as_ref().is_none_or(|owner| *owner == record.owner));
        records.retain(|record| !args.expired || record.is_expired());
        records.sort_by(|a, b| (a.created, &a.name).cmp(&(b.created, &b.name)));
        let namespaces: Vec<Summary> = records.iter().map(Summary::of).collect();
        let expired = namespaces.iter().filter(|summary| summary.expired).count();
        Ok(Output { count: namespaces.len(), expired, namespaces })
    }
}
