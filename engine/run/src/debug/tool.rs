//! `debug_tool`.

use std::sync::Arc;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use aa_spec::tool::{Effect, ErrorKind};

use super::{Subject, ToolReport, Trusted, report};
use crate::event::RunId;
use crate::store::{LazyStore, StoreError};
use crate::tool::native::{Face, Native, blocking, invalid};
use crate::tool::{CallContext, ToolError};
use crate::toolbox::Remote;

/// `debug_tool`.
pub(crate) struct DebugTool {
    /// The toolbox that it is in itself.
    pub(crate) toolbox: Remote,
    pub(crate) store: LazyStore,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DebugArgs {
    /// The tool that fails.
    tool_name: String,
    /// What it said; without it the last failing call in the journal counts.
    #[serde(default)]
    error_message: String,
}

#[async_trait]
impl Native for DebugTool {
    type Args = DebugArgs;
    type Output = ToolReport;

    const FACE: Face = Face {
        name: "debug_tool",
        module: "workflow",
        description: "Why a tool fails: its definition, its last failing call, a diagnosis and perhaps a patch",
        effect: Effect::Read,
        idempotent: true,
    };

    async fn call(&self, context: &CallContext, args: DebugArgs) -> Result<ToolReport, ToolError> {
        let Some(toolbox) = self.toolbox.get() else { return Err(invalid("the tools are gone")) };
        let (store, run, tenant) = (self.store.clone(), context.run, Arc::clone(&context.tenant));
        let work = move |_: &crate::tool::native::Brake| {
            let name = &args.tool_name;
            let tool = toolbox
                .tool(name)
                .ok_or_else(|| ToolError::new(ErrorKind::NotFound, format!("there is no tool `{name}`")))?;
            let definition = toolbox.definition(name);
            let mut server = toolbox.trusted(name);
            server.iter_mut().for_each(Trusted::withhold);
            let said = &args.error_message;
            let sees = |other| run.map_or(Ok(true), |run| is_of_same(&store, run, other));
            let subject =
                Subject { spec: tool.spec(), definition, said, server, tenant: &tenant, sees: &sees };
            let failed = |error: StoreError| ToolError::new(ErrorKind::Permanent, error.to_string());
            report(subject, &store).map_err(failed)
        };
        blocking(context, work).await
    }
}

/// Whether two runs are one person's, in one folder: two tenants may have somebody of the same name.
fn is_of_same(store: &LazyStore, run: RunId, other: RunId) -> Result<bool, StoreError> {
    let store = store.get()?;
    let (run, other) = (store.run(run)?, store.run(other)?);
    Ok((&run.tenant, &run.principal, &run.folder) == (&other.tenant, &other.principal, &other.folder))
}
