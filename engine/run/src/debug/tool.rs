//! `debug_tool`.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use aa_spec::tool::{Effect, ErrorKind};

use super::{Subject, ToolReport, report};
use crate::store::LazyStore;
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
        let store = self.store.clone();
        let work = move |_: &crate::tool::native::Brake| {
            let name = &args.tool_name;
            let tool = toolbox
                .tool(name)
                .ok_or_else(|| ToolError::new(ErrorKind::NotFound, format!("there is no tool `{name}`")))?;
            let definition = toolbox.definition(name);
            let server = toolbox.trusted(name);
            let subject = Subject { spec: tool.spec(), definition, said: &args.error_message, server };
            report(subject, &store).map_err(|error| ToolError::new(ErrorKind::Permanent, error.to_string()))
        };
        blocking(context, work).await
    }
}
