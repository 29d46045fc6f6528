//! What all tools of YAML modules do alike, however they are carried out.

use std::sync::Arc;

use aa_spec::plan::resolve::{Touched, hosts};
use aa_spec::template::{EvalError, Expression, Missing, Scope, Template};
use aa_spec::tool::module::KeyPlace;
use aa_spec::tool::recipe::Common;
use aa_spec::tool::{ErrorKind, ToolSpec};
use serde_json::{Map, Value, json};

use super::asked;
use super::configuration::Configuration;
use super::native::invalid;
use super::{CallContext, ToolError};

/// A tool of a module: its face, what was compiled of it, and what its module is configured with.
#[derive(Clone)]
pub(crate) struct Declared {
    pub(crate) spec: Arc<ToolSpec>,
    pub(crate) common: Common,
    pub(crate) configuration: Arc<Configuration>,
}

impl Declared {
    /// What its templates see: the arguments, the configuration, the idempotency key.
    pub(super) async fn scope(
        &self,
        context: &CallContext,
        args: Map<String, Value>,
    ) -> Result<Scope, ToolError> {
        let args = self.complete(context, args)?;
        let mut scope = Scope::default();
        if !self.common.config.is_empty() {
            let config = self.configuration.of(&self.spec.module, &self.common.config, context).await?;
            scope.set("config", &Value::Object(config));
        }
        for (name, value) in &args {
            scope.set(name, value);
        }
        scope.set("idempotency_key", &json!(context.idempotency_key));
        scope.set_now(chrono::Utc::now().timestamp_millis());
        if let Some(asks) = &self.common.asks {
            asked::look(asks, context, &mut scope).await?;
        }
        Ok(scope)
    }

    /// What its module is configured with: the places that these addresses come to, and the secrets.
    pub(super) fn touches<'t>(&self, addresses: impl IntoIterator<Item = &'t Template>) -> Touched {
        let (scope, secrets) = self.configuration.known(&self.spec.module, &self.common.config);
        let mut places = Vec::new();
        for address in addresses {
            hosts(&filled(address, &scope), &mut places);
        }
        Touched { places, secrets }
    }

    /// The arguments with defaults filled in; what is not given is null.
    fn complete(
        &self,
        context: &CallContext,
        mut args: Map<String, Value>,
    ) -> Result<Map<String, Value>, ToolError> {
        if let Some(KeyPlace::Arg(name)) = &self.common.idempotency_key {
            args.entry(name.value.clone()).or_insert_with(|| context.idempotency_key.clone().into());
        }
        let args = Value::Object(args);
        aa_spec::input::fits(&self.spec.input, &args).map_err(|message| {
            invalid(format!("the arguments of `{}` do not fit: {message}", self.spec.name))
        })?;
        let Value::Object(mut args) = args else { return Err(invalid("the arguments are a mapping")) };
        let properties = self.spec.input["properties"].as_object();
        for (name, schema) in properties.into_iter().flatten() {
            if !args.contains_key(name) {
                args.insert(name.clone(), schema.get("default").cloned().unwrap_or_default());
            }
        }
        Ok(args)
    }

    /// What kind of error its rules make of what the other side said.
    pub(super) fn kind_of(&self, said: &str) -> Option<ErrorKind> {
        let rule = self.common.errors.iter().find(|rule| rule.pattern.is_match(said));
        rule.map(|rule| rule.kind)
    }

    /// The tool's value: the result, or what `each` and `value` make of it.
    pub(super) fn finish(&self, mut scope: Scope, mut result: Value) -> Result<Value, ToolError> {
        if let Some(each) = &self.common.each {
            scope.set("result", &result);
            result = render(each, &scope, Missing::Null)?.unwrap_or_default();
        }
        let value = match &self.common.value {
            Some(template) => {
                scope.set("result", &result);
                render(template, &scope, Missing::Null)?.unwrap_or_default()
            }
            None => result,
        };
        self.check_output(&value)?;
        Ok(value)
    }

    fn check_output(&self, value: &Value) -> Result<(), ToolError> {
        if self.spec.output == Value::Bool(true) {
            return Ok(());
        }
        let fits = aa_spec::input::fits(&self.spec.output, value).or_else(|message| {
            // A number that is kept as text, so as not to become another one, is a number all the same.
            let numbers = aa_spec::json::numbers(value);
            let fits =
                numbers.is_some_and(|numbers| aa_spec::input::fits(&self.spec.output, &numbers).is_ok());
            if fits { Ok(()) } else { Err(message) }
        });
        fits.map_err(|message| {
            let message = format!("the result of `{}` is not what it declares: {message}", self.spec.name);
            ToolError::new(ErrorKind::Permanent, message).details(json!({"result": value}))
        })
    }
}

pub(super) fn render(
    template: &Template,
    scope: &Scope,
    missing: Missing,
) -> Result<Option<Value>, ToolError> {
    template.render(scope, missing).map_err(unfit)
}

/// The value of an expression.
pub(super) fn eval(expression: &Expression, scope: &Scope) -> Result<Value, ToolError> {
    expression.eval(scope).map_err(unfit)
}

/// A template as text; `None` when it is missing.
pub(super) fn text(template: &Template, scope: &Scope) -> Result<Option<String>, ToolError> {
    match render(template, scope, Missing::Fail)? {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(value) => Ok(Some(value.to_string())),
    }
}

pub(super) fn unfit(error: EvalError) -> ToolError {
    invalid(error.message)
}

/// What a template comes to that reads only what is known of a configuration; null when it reads more.
pub(super) fn filled(template: &Template, scope: &Scope) -> Value {
    let known = template.references().iter().all(|path| path.starts_with("config."));
    let value = known.then(|| template.render(scope, Missing::Fail).ok().flatten());
    value.flatten().unwrap_or_default()
}
