//! Modules that listen.

use std::collections::BTreeMap;
use std::sync::Arc;

use aa_spec::name::{fold, suggest};
use aa_spec::source::Text;
use aa_spec::tool::ErrorKind;
use async_trait::async_trait;
use serde_json::{Map, Value};

use super::Engine;
use crate::event::StepError;
use crate::listen::{Asker, Listener, Standing};
use crate::toolbox::Toolbox;

/// The service that stands for the listener of the module of the same name.
const SLACK: &str = "slack";

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
    /// The module does not listen or has errors, another process listens for it already ([`ErrorKind::Invalid`]), or
    /// the store cannot be opened.
    pub fn listener(&self, module: &str) -> Result<Listener<Engine>, StepError> {
        let unusable =
            |error: &dyn std::fmt::Display| StepError::new(ErrorKind::Permanent, error.to_string());
        let toolbox = self.parts.toolbox().map_err(|error| unusable(&error))?;
        let Some((module, recipe)) = toolbox.listener(module) else {
            return Err(StepError::new(ErrorKind::NotFound, unknown(module, &toolbox)));
        };
        let store = self.parts.store().map_err(|error| unusable(&error))?;
        let folder = self.parts.settings.state_folder.join("listeners");
        Listener::new(&module, recipe, (store, &folder), self.clone(), toolbox.web())
    }

    /// Names under `listen` of the configuration that nothing listens by.
    ///
    /// # Errors
    /// A folder of tool modules, or one of them, cannot be read.
    pub fn idle_listeners(&self) -> Result<Vec<String>, super::StartError> {
        let names = &self.settings().listen;
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let toolbox = self.parts.toolbox()?;
        let idle = names.iter().filter(|name| toolbox.listener_text(name).is_none());
        Ok(idle.map(|name| format!("`listen`: {}", unknown(name, &toolbox))).collect())
    }

    /// The listeners that the configuration wants by now, by module.
    pub(crate) fn wanted_listeners(&self) -> BTreeMap<String, Wanted> {
        let engine = self.current();
        let wanted = |name: &String| {
            let text = engine.parts.toolbox().ok().and_then(|toolbox| toolbox.listener_text(name));
            (fold(name), Wanted { is_on: engine.listens(name), engine: engine.clone(), text })
        };
        engine.settings().listen.iter().map(wanted).collect()
    }

    /// How the listeners of this process stand.
    pub(crate) fn listeners(&self) -> Standing {
        self.parts.shared.listeners.clone()
    }

    /// Whether nobody has switched the listener of a module off.
    fn listens(&self, module: &str) -> bool {
        fold(module) != SLACK || self.is_service_enabled(SLACK).unwrap_or(true)
    }
}

/// A listener that the configuration wants.
#[derive(Clone)]
pub(crate) struct Wanted {
    /// Whether nobody has switched it off.
    pub(crate) is_on: bool,
    /// The engine as it is configured.
    pub(crate) engine: Engine,
    /// The text of its module, if it has one that listens.
    text: Option<Text>,
}

impl PartialEq for Wanted {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.engine.parts, &other.engine.parts)
            && (self.is_on, &self.text) == (other.is_on, &other.text)
    }
}

impl std::fmt::Debug for Wanted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wanted").field("is_on", &self.is_on).finish_non_exhaustive()
    }
}

fn unknown(module: &str, toolbox: &Toolbox) -> String {
    let known = toolbox.listening();
    let near = suggest(module, known.iter().map(String::as_str));
    let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    format!("there is no module `{module}` that listens{hint}")
}

#[async_trait]
impl Asker for Engine {
    async fn ask(&self, tool: &str, args: Map<String, Value>) -> Result<Value, StepError> {
        // Somebody may switch it off while it listens.
        if tool.starts_with("slack_") && !self.listens(SLACK) {
            let message = "the service `slack` is off; `aa config service enable slack` switches it on";
            return Err(StepError::new(ErrorKind::Permanent, message));
        }
        let quiet = Arc::new(|line: &str| tracing::debug!("{line}"));
        self.call_tool(tool, args, quiet).await
    }
}
