//! `ephemeral_release`: ends what runs in a namespace and removes it.

use aa_spec::tool::{Effect, ErrorKind};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::namespace::{NamespaceError, Namespaces, Removal};
use super::{Local, broken, group};
use crate::tool::native::{Face, Native};
use crate::tool::{CallContext, ToolError};

pub(super) struct Release(pub(super) Local);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    /// Namespace to release.
    #[serde(default)]
    namespace: Option<String>,
    /// Release every namespace whose time is over, instead of one by name.
    #[serde(default)]
    expired: bool,
}

#[derive(Default, Serialize, JsonSchema)]
pub(super) struct Output {
    /// Namespaces that are gone now.
    released: Vec<String>,
    /// Namespaces that had gone before.
    absent: Vec<String>,
    /// Processes that were ended.
    processes: usize,
}

#[async_trait]
impl Native for Release {
    type Args = Args;
    type Output = Output;
    const FACE: Face = Face {
        name: "ephemeral_release",
        module: "ephemeral",
        description: "End what runs in a namespace and remove it; releasing it again changes nothing",
        effect: Effect::Destructive,
        idempotent: true,
    };

    async fn call(&self, context: &CallContext, args: Args) -> Result<Output, ToolError> {
        let names = match (&args.namespace, args.expired) {
            (Some(name), false) => vec![name.clone()],
            (None, true) => {
                self.0.on_disk(Namespaces::sweep).await?;
                self.names().await?
            }
            _ => {
                return Err(ToolError::new(
                    ErrorKind::Invalid,
                    "give either a `namespace` or `expired: true`",
                ));
            }
        };
        let mut output = Output::default();
        for name in names {
            if context.cancel.is_cancelled() {
                return Err(ToolError::new(ErrorKind::Cancelled, "the release was stopped"));
            }
            self.release(name, args.expired, &mut output).await?;
        }
        Ok(output)
    }
}

impl Release {
    async fn names(&self) -> Result<Vec<String>, ToolError> {
        let records = self.0.on_disk(Namespaces::read_all).await?;
        Ok(records.into_iter().map(|record| record.name).collect())
    }

    async fn release(&self, name: String, only_expired: bool, output: &mut Output) -> Result<(), ToolError> {
        match self.0.namespaces.read(&name) {
            Ok(record) if only_expired && !record.is_expired() => return Ok(()),
            Ok(record) => {
                let leader = record.service.as_ref().map(|service| &service.process);
                output.processes += group::end(&record.token, leader)
                    .await
                    .map_err(|error| broken(&format!("cannot release `{name}`"), &error))?;
            }
            Err(NamespaceError::Unknown { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        let target = name.clone();
        match self.0.on_disk(move |namespaces| namespaces.remove(&target)).await? {
            Removal::Removed => output.released.push(name),
            Removal::Absent => output.absent.push(name),
        }
        Ok(())
    }
}
