//! Modules that listen.

use std::sync::Arc;

use aa_spec::name;
use aa_spec::tool::ErrorKind;
use async_trait::async_trait;
use serde_json::{Map, Value};

use super::Engine;
use crate::event::StepError;
use crate::listen::{Asker, Listener};

impl Engine {
    /// Modules that listen, by name.
    ///
    /// # Errors
    /// A folder or file of modules cannot be read.
    pub fn listening(&self) -> Result<Vec<String>, super::StartError> {
        Ok(self.parts.toolbox()?.listening())
    }

    /// The listener of a module; it does nothing yet.
    ///
    /// # Errors
    /// The module does not listen or has errors, another process listens for it already, or the
    /// store cannot be opened.
    pub fn listener(&self, module: &str) -> Result<Listener<Engine>, StepError> {
        let unusable =
            |error: &dyn std::fmt::Display| StepError::new(ErrorKind::Permanent, error.to_string());
        let toolbox = self.parts.toolbox().map_err(|error| unusable(&error))?;
        let Some((module, recipe)) = toolbox.listener(module) else {
            let known = toolbox.listening();
            let near = name::suggest(module, known.iter().map(String::as_str));
            let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            let message = format!("there is no module `{module}` that listens{hint}");
            return Err(StepError::new(ErrorKind::NotFound, message));
        };
        let store = self.parts.store().map_err(|error| unusable(&error))?;
        let folder = self.parts.settings.state_folder.join("listeners");
        Listener::new(&module, recipe, (store, &folder), self.clone(), toolbox.web())
    }
}

#[async_trait]
impl Asker for Engine {
    async fn ask(&self, tool: &str, args: Map<String, Value>) -> Result<Value, StepError> {
        // Somebody may switch it off while it listens.
        if tool.starts_with("slack_") && !self.is_service_enabled("slack").unwrap_or(true) {
            let message = "the service `slack` is off; `aa config service enable slack` switches it on";
            return Err(StepError::new(ErrorKind::Permanent, message));
        }
        let quiet = Arc::new(|line: &str| tracing::debug!("{line}"));
        self.call_tool(tool, args, quiet).await
    }
}
