//! What modules are configured with, held against what they can be configured with.

use aa_spec::name::{fold, list, suggest};

use super::{Engine, StartError};

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
}
