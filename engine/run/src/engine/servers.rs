//! Modules over MCP servers: what is known of them, and what is trusted.

use std::sync::Arc;

use aa_spec::diagnostic::{Diagnostic, has_errors};
use futures_util::future::try_join_all;
use serde_json::{Map, Value, json};

use super::personas::lines;
use super::{Engine, StartError, tools};
use crate::event::StepError;
use crate::persona::View;
use crate::tool::mcp::McpModule;
pub use crate::tool::mcp::{Change, Guide, McpEntry, Review};
use crate::tool::{Person, Progress};

impl Engine {
    /// Calls one tool as [`Self::call_tool`] does; what the tool asks, it asks `person`.
    ///
    /// # Errors
    /// The tool's, or that the arguments do not fit it.
    pub async fn call_tool_asking(
        &self,
        name: &str,
        args: Map<String, Value>,
        progress: Progress,
        person: Arc<dyn Person>,
    ) -> Result<Value, StepError> {
        tools::call(self, name, args, (progress, person)).await
    }

    /// Asks the servers that may have a tool of this name which tools they have, unless they are
    /// known. To be done when somebody wants to call it.
    ///
    /// # Errors
    /// A folder or file of modules cannot be read.
    pub async fn meet(&self, name: &str) -> Result<(), StartError> {
        let toolbox = self.parts.toolbox()?;
        if toolbox.tool(name).is_none() {
            toolbox.meet(name).await;
        }
        Ok(())
    }

    /// Every module over an MCP server, by name. None is started.
    ///
    /// # Errors
    /// A folder or file of modules cannot be read.
    pub fn servers(&self) -> Result<Vec<McpEntry>, StartError> {
        Ok(self.parts.toolbox()?.servers())
    }

    /// The server that a module is over; `None` when it is over none. Only that one is looked at, and it is not
    /// started.
    ///
    /// # Errors
    /// A folder or file of modules cannot be read.
    pub fn server(&self, module: &str) -> Result<Option<McpEntry>, StartError> {
        Ok(self.parts.toolbox()?.server(module).map(|server| server.entry()))
    }

    /// Whether a module is over a server, which is cheaper to tell than what is known of that server.
    pub fn is_over_server(&self, module: &str) -> bool {
        self.parts.toolbox().is_ok_and(|toolbox| toolbox.server(module).is_some())
    }

    /// Starts the servers that tools of a view are of, all at once, unless they run. Those are trusted: of a server
    /// that was never asked, a view has no tools.
    ///
    /// # Errors
    /// The first that does not start.
    pub async fn wake(&self, view: &View) -> Result<(), StartError> {
        let toolbox = self.parts.toolbox()?;
        let servers = view.modules().into_iter().filter_map(|module| toolbox.server(module));
        let wake = |server: McpModule| async move {
            server.wake().await.map_err(|error| StartError::Refused(error.message))
        };
        try_join_all(servers.map(wake)).await.map(drop)
    }

    /// What modules of a view need and this machine has not: the module and the command.
    ///
    /// # Errors
    /// A module cannot be read.
    pub fn lacking(&self, view: &View) -> Result<Vec<(String, String)>, StartError> {
        let (toolbox, folder) = (self.parts.toolbox()?, &self.settings().folder);
        let of = |module: &str| {
            let lacks = toolbox.requires(module).into_iter();
            let lacks = lacks.filter(|command| !toolbox.has_command(command, folder));
            lacks.map(|command| (module.to_owned(), command)).collect::<Vec<_>>()
        };
        Ok(view.modules().into_iter().flat_map(of).collect())
    }

    /// What the server of a module says of its tools now, beside what is trusted; `None` when
    /// there is no such module. Starts the server.
    ///
    /// # Errors
    /// It does not say anything.
    pub fn review_server(&self, module: &str) -> Result<Option<Review>, StartError> {
        let Some(server) = self.parts.toolbox()?.server(module) else { return Ok(None) };
        server.review().map(Some).map_err(|error| StartError::Refused(error.message))
    }

    /// The folders of instructions that the server of a module offers; `None` when there is no such module.
    /// Starts the server and fetches no file.
    ///
    /// # Errors
    /// It offers none, or does not answer.
    pub fn guides(&self, module: &str) -> Result<Option<Vec<Guide>>, StartError> {
        let Some(server) = self.parts.toolbox()?.server(module) else { return Ok(None) };
        server.guides().map(Some).map_err(|error| StartError::Refused(error.message))
    }

    /// A file of such a folder: `SKILL.md` when none is named; `None` when there is no such module. Starts the
    /// server.
    ///
    /// # Errors
    /// There is none of that name, or it is not what the server has announced.
    pub fn guide(&self, module: &str, name: &str, file: Option<&str>) -> Result<Option<Vec<u8>>, StartError> {
        let Some(server) = self.parts.toolbox()?.server(module) else { return Ok(None) };
        server.guide(name, file).map(Some).map_err(|error| StartError::Refused(error.message))
    }

    /// The name of every tool, sorted, as far as it is known without starting servers.
    ///
    /// # Errors
    /// A folder or file of modules cannot be read.
    pub fn tool_names(&self) -> Result<Vec<String>, StartError> {
        Ok(self.parts.toolbox()?.names())
    }

    /// Why there is no tool of a name: what is wrong with the modules that could have it.
    ///
    /// # Errors
    /// A folder or file of modules cannot be read.
    pub fn problems_of_tool(&self, name: &str) -> Result<Vec<Diagnostic>, StartError> {
        Ok(self.parts.toolbox()?.problems(name))
    }

    /// The errors for which there may be no tool or no module of a name, a line each, for whoever cannot see files.
    ///
    /// # Errors
    /// A folder or file of modules cannot be read.
    pub fn why_missing(&self, name: &str) -> Result<String, StartError> {
        let toolbox = self.parts.toolbox()?;
        let mut errors = toolbox.problems(name);
        errors.extend(toolbox.faults(name));
        errors.retain(|problem| has_errors(std::slice::from_ref(problem)));
        errors.dedup();
        Ok(lines(&errors))
    }

    /// Trusts what a server was seen to say.
    ///
    /// # Errors
    /// There is no such module, or the store cannot be written.
    pub async fn trust_server(&self, module: &str, review: Review) -> Result<(), StartError> {
        let server = self.parts.toolbox()?.server(module);
        let server = server.ok_or_else(|| StartError::Refused(format!("there is no server `{module}`")))?;
        self.note(None, "tool.trust", &format!("server {module}"), json!({})).await?;
        server.trust(review).map_err(|error| StartError::Refused(error.message))
    }
}
