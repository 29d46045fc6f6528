//! What modules are configured with, held against what they can be configured with.

use aa_spec::diagnostic::Diagnostic;
use aa_spec::name::{fold, list, suggest};
use aa_spec::template::Template;
use serde_json::Value;

use super::{Engine, StartError};
use crate::settings::Setting;
use crate::toolbox::Toolbox;

/// What is shown in the place of a secret that should not be there.
const HIDDEN: &str = "‹secret›";

impl Engine {
    /// Names under `modules` of the configuration that mean nothing.
    ///
    /// # Errors
    /// A folder of tool modules, or one of them, cannot be read.
    pub fn idle_module_settings(&self) -> Result<Vec<String>, StartError> {
        if self.settings().modules.is_empty() {
            return Ok(Vec::new());
        }
        let toolbox = self.parts.toolbox()?;
        let mut idle = Vec::new();
        for (module, values) in &self.settings().modules {
            let known: Vec<_> =
                toolbox.readable().filter(|(_, known)| fold(&known.module.value) == fold(module)).collect();
            if known.is_empty() {
                let names: Vec<&str> =
                    toolbox.readable().map(|(_, known)| known.module.value.as_str()).collect();
                let near = suggest(module, names).map(|near| format!("; did you mean `{near}`?"));
                idle.push(format!(
                    "`modules.{module}`: there is no such tool module{}",
                    near.unwrap_or_default()
                ));
                continue;
            }
            let names: Vec<&str> =
                known.iter().flat_map(|(_, known)| known.config.keys()).map(String::as_str).collect();
            for name in values.keys().filter(|name| !names.contains(&name.as_str())) {
                let instead = if names.is_empty() { "nothing".to_owned() } else { list(&names) };
                idle.push(format!("`modules.{module}.{name}`: `{module}` can be configured with {instead}"));
            }
        }
        Ok(idle)
    }

    /// Secrets of modules that are written down in the configuration, where a reference to one should be.
    ///
    /// # Errors
    /// A folder of tool modules, or one of them, cannot be read.
    pub fn written_secrets(&self) -> Result<Vec<Diagnostic>, StartError> {
        let written = &self.settings().written_modules;
        if written.is_empty() {
            return Ok(Vec::new());
        }
        let toolbox = self.parts.toolbox()?;
        let bare = written
            .iter()
            .filter(|value| is_secret(&toolbox, &value.module, &value.name) && is_written(&value.value));
        let problem = |value: &crate::settings::WrittenValue| {
            let message =
                format!("`{}` of `{}` is secret and must not be written down", value.name, value.module);
            Diagnostic::error("written-secret", &value.source, value.span, message).hint(
                "write `\"{{ secrets.NAME }}\"`, and under `secrets:` whether NAME is in a variable, a file or a command",
            )
        };
        Ok(bare.map(problem).collect())
    }

    /// The settings in force, for people to see: without secrets of modules that are written down in them. While
    /// modules cannot be read, each of their values may be one.
    pub fn visible_settings(&self) -> Vec<Setting> {
        let mut shown = self.settings().origins.clone();
        let of_module = |setting: &Setting| {
            let (module, name) = setting.key.strip_prefix("modules.")?.split_once('.')?;
            Some((module.to_owned(), name.to_owned()))
        };
        if shown.iter().all(|setting| of_module(setting).is_none()) {
            return shown;
        }
        let toolbox = self.parts.toolbox().ok();
        for setting in &mut shown {
            let Some((module, name)) = of_module(setting) else { continue };
            let may_be = toolbox.as_ref().is_none_or(|toolbox| is_secret(toolbox, &module, &name));
            if may_be && is_written(&setting.value) {
                setting.value = Value::from(HIDDEN);
            }
        }
        shown
    }
}

/// Whether a module declares a value that it can be configured with as secret.
fn is_secret(toolbox: &Toolbox, module: &str, name: &str) -> bool {
    let modules = toolbox.readable().filter(|(_, known)| fold(&known.module.value) == fold(module));
    modules.into_iter().any(|(_, known)| known.config.get(name).is_some_and(|setting| setting.secret))
}

/// Whether a value is one itself: no reference to one, and not nothing.
fn is_written(value: &Value) -> bool {
    !value.is_null() && value != "" && Template::parse(value).map_or(true, |template| template.is_constant())
}
