//! What modules are configured with: the configuration file, else the environment, else a default.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use aa_spec::name::fold;
use aa_spec::template::{Missing, Scope, Template, seal};
use aa_spec::tool::ErrorKind;
use aa_spec::tool::module::Setting;
use aa_spec::yaml::Node;
use serde_json::{Map, Value};

use super::native::invalid;
use super::{CallContext, ToolError};
use crate::driver::Secrets;
use crate::settings::Variables;

/// The configuration of all modules. Values are looked up when a tool is called.
#[derive(Clone, Default)]
pub struct Configuration {
    /// `modules:` of the configuration file.
    pub modules: BTreeMap<String, Map<String, Value>>,
    /// Environment variables of the process.
    pub environment: Variables,
    /// Names of the configured secrets.
    pub secret_names: Vec<String>,
    /// Opens secrets.
    pub secrets: Option<Arc<dyn Secrets>>,
    /// Nothing is looked up: every value is its default, or stands for one.
    pub standing_in: bool,
}

impl Configuration {
    /// The configuration of a call that is replayed: the same on every machine.
    pub(crate) fn recorded() -> Self {
        Self { standing_in: true, ..Self::default() }
    }

    /// The wanted values of a module. Secret ones are hidden in all that comes back from the call.
    ///
    /// # Errors
    /// A value is missing or cannot be had, or a secret one cannot be hidden.
    pub(super) async fn of(
        &self,
        module: &str,
        wanted: &[(String, Setting)],
        context: &CallContext,
    ) -> Result<Map<String, Value>, ToolError> {
        let mut values = Map::new();
        for (name, setting) in wanted {
            let value = self.one(module, name, setting, context).await?;
            values.insert(name.clone(), value);
        }
        Ok(values)
    }

    async fn one(
        &self,
        module: &str,
        name: &str,
        setting: &Setting,
        context: &CallContext,
    ) -> Result<Value, ToolError> {
        if self.standing_in {
            return Ok(stand_in(module, name, setting));
        }
        let written = self.written_value(module, name);
        let variable = setting.env.as_ref().map(|env| env.value.as_str());
        let given = variable.and_then(|variable| self.environment.get(variable));
        let value = match (written, given.filter(|text| !text.is_empty()), &setting.default) {
            (Some(written), ..) => self.opened(module, name, setting, written, context).await?,
            (None, Some(text), _) => Value::from(text.as_str()),
            (None, None, Some(default)) => default.to_json(),
            (None, None, None) if setting.optional => Value::Null,
            (None, None, None) => return Err(missing(module, name, variable)),
        };
        if setting.secret {
            hide(context, &format!("{module}.{name}"), &value)?;
        }
        Ok(value)
    }

    /// What is known of the wanted values of a module without looking any secret up: those that are written
    /// down, for templates that read `config`, and what the others are called.
    pub(super) fn known(&self, module: &str, wanted: &[(String, Setting)]) -> (Scope, BTreeSet<String>) {
        let (mut values, mut secrets) = (Map::new(), BTreeSet::new());
        for (name, setting) in wanted {
            match self.known_value(module, name, setting) {
                Ok(Some(value)) => drop(values.insert(name.clone(), value)),
                Ok(None) => {}
                Err(names) => secrets.extend(names),
            }
        }
        let mut scope = Scope::default();
        scope.set("config", &Value::Object(values));
        (scope, secrets)
    }

    /// Refuses to put a secret on a command line by a value that is not declared as one. (One that is declared is
    /// refused where the module is read.)
    ///
    /// # Errors
    /// One of the templates reads such a value.
    pub(super) fn refuse_exposed<'t>(
        &self,
        module: &str,
        wanted: &[(String, Setting)],
        command_line: impl IntoIterator<Item = &'t Template>,
    ) -> Result<(), ToolError> {
        for path in command_line.into_iter().flat_map(Template::carried) {
            let name =
                path.strip_prefix("config.").and_then(|path| path.split('.').next()).unwrap_or_default();
            let Some((name, setting)) = wanted.iter().find(|(known, _)| known == name) else { continue };
            if let Err(secrets) = self.known_value(module, name, setting) {
                let secret = secrets.into_iter().next().unwrap_or_default();
                let message = format!(
                    "`modules.{module}.{name}` of the configuration stands on a command line of `{module}`, which everybody \
                     on the machine can read, and secret `{secret}` is in it"
                );
                return Err(invalid(message));
            }
        }
        Ok(())
    }

    /// A value that is written down, or the names of the secrets that it is made of; a secret that the
    /// environment has is called by its variable.
    fn known_value(
        &self,
        module: &str,
        name: &str,
        setting: &Setting,
    ) -> Result<Option<Value>, BTreeSet<String>> {
        if let Some(written) = self.written_value(module, name) {
            let read = Template::parse(written).map(|template| template.references()).unwrap_or_default();
            let secrets: BTreeSet<String> =
                read.iter().filter_map(|path| path.strip_prefix("secrets.").map(str::to_owned)).collect();
            let is_plain = read.is_empty() && !setting.secret;
            return if secrets.is_empty() { Ok(is_plain.then(|| written.clone())) } else { Err(secrets) };
        }
        let variable = setting.env.as_ref().map(|env| env.value.as_str());
        let given = variable.and_then(|variable| Some((variable, self.environment.get(variable)?)));
        match given.filter(|(_, text)| !text.is_empty()) {
            Some((variable, _)) if setting.secret => Err(BTreeSet::from([variable.to_owned()])),
            Some((_, text)) => Ok(Some(Value::from(text.as_str()))),
            None => Ok(setting.default.as_ref().map(Node::to_json)),
        }
    }

    /// What the configuration file says of a module.
    pub(crate) fn written(&self, module: &str) -> Option<&Map<String, Value>> {
        let named = |known: &str| fold(known) == fold(module);
        self.modules.iter().find(|(known, _)| named(known)).map(|(_, values)| values)
    }

    /// What it says of one value; null says nothing.
    fn written_value(&self, module: &str, name: &str) -> Option<&Value> {
        self.written(module)?.get(name).filter(|value| !value.is_null())
    }

    /// A value of the configuration file with its secrets in place.
    async fn opened(
        &self,
        module: &str,
        name: &str,
        setting: &Setting,
        written: &Value,
        context: &CallContext,
    ) -> Result<Value, ToolError> {
        let place = format!("`modules.{module}.{name}` of the configuration");
        let template = Template::parse(written).map_err(|error| invalid(format!("{place}: {error}")))?;
        if setting.secret && template.is_constant() && written != "" {
            let message =
                format!("{place} is secret and must not be written there; write `{{{{ secrets.NAME }}}}`");
            return Err(invalid(message));
        }
        let mut scope = Scope::default();
        scope.set_secrets(&self.secret_names);
        let rendered = template.render(&scope, Missing::Null);
        let mut value =
            rendered.map_err(|error| invalid(format!("{place}: {}", error.message)))?.unwrap_or_default();
        let secrets = self.reveal(&value, &place, context).await?;
        seal::open(&mut value, &|wanted| secrets.get(wanted).cloned())
            .map_err(|error| invalid(format!("{place}: {error}")))?;
        Ok(value)
    }

    async fn reveal(
        &self,
        value: &Value,
        place: &str,
        context: &CallContext,
    ) -> Result<BTreeMap<String, String>, ToolError> {
        let mut opened = BTreeMap::new();
        for name in seal::names_in(value) {
            let unusable = |why: &str| invalid(format!("{place}: secret `{name}` cannot be used: {why}"));
            let Some(secrets) = &self.secrets else { return Err(unusable("there are no secrets here")) };
            let secret = secrets.reveal(&name).await.map_err(|why| unusable(&why))?;
            (context.conceal)(&name, &secret).map_err(|why| unusable(&why))?;
            opened.insert(name, secret);
        }
        Ok(opened)
    }
}

/// Hides a value from now on, in all that comes back from the call.
pub(super) fn hide(context: &CallContext, name: &str, value: &Value) -> Result<(), ToolError> {
    let text = match value {
        Value::Null => return Ok(()),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if text.is_empty() {
        return Ok(());
    }
    (context.conceal)(name, &text).map_err(|why| invalid(format!("`{name}` cannot be used: {why}")))
}

/// What a value is while a call is replayed.
fn stand_in(module: &str, name: &str, setting: &Setting) -> Value {
    let is_url = name == "url" || name.ends_with("_url");
    match &setting.default {
        Some(default) => default.to_json(),
        None if setting.secret => format!("recorded-{name}").into(),
        None if is_url => format!("https://{}.invalid", fold(module).replace('_', "-")).into(),
        None if setting.optional => Value::Null,
        None => name.into(),
    }
}

fn missing(module: &str, name: &str, variable: Option<&str>) -> ToolError {
    let place = format!("`modules.{module}.{name}` in the configuration");
    let message = match variable {
        Some(variable) => format!("`{module}` does not know its `{name}`; set {place} or `{variable}`"),
        None => format!("`{module}` does not know its `{name}`; set {place}"),
    };
    ToolError::new(ErrorKind::Invalid, message)
}

impl fmt::Debug for Configuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Configuration").field("modules", &self.modules.keys()).finish_non_exhaustive()
    }
}
