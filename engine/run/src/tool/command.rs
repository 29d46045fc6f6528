//! Tools of YAML modules: a command line with typed arguments and a typed result.

mod arguments;
mod reading;

use std::sync::Arc;
use std::time::Duration;

use aa_spec::template::{Missing, Scope, Template};
use aa_spec::tool::module::KeyPlace;
use aa_spec::tool::recipe::{Reading, Recipe};
use aa_spec::tool::{ErrorKind, ToolSpec};
use async_trait::async_trait;
use serde_json::{Map, Value, json};

use super::native::invalid;
use super::process::{Finished, Invocation, Launcher, Show};
use super::{CallContext, Tool, ToolError, diagnosis};

/// A tool that runs a command.
pub(crate) struct Command {
    pub(crate) spec: Arc<ToolSpec>,
    pub(crate) recipe: Recipe,
    pub(crate) launcher: Arc<Launcher>,
}

#[async_trait]
impl Tool for Command {
    fn spec(&self) -> &Arc<ToolSpec> {
        &self.spec
    }

    async fn call(&self, context: &CallContext, args: Map<String, Value>) -> Result<Value, ToolError> {
        let args = self.complete(context, args)?;
        let mut scope = Scope::default();
        for (name, value) in &args {
            scope.set(name, value);
        }
        scope.set("idempotency_key", &json!(context.idempotency_key));
        scope.set_now(chrono::Utc::now().timestamp_millis());
        let invocation = self.invocation(context, &scope)?;
        let finished = self.launcher.launch(context, &invocation).await?;
        let value = self.conclude(context, &invocation, &finished, scope)?;
        self.check_output(&value)?;
        Ok(value)
    }
}

impl Command {
    /// The arguments with defaults filled in; what is not given is null.
    fn complete(
        &self,
        context: &CallContext,
        mut args: Map<String, Value>,
    ) -> Result<Map<String, Value>, ToolError> {
        if let Some(KeyPlace::Arg(name)) = &self.recipe.idempotency_key {
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

    fn invocation(&self, context: &CallContext, scope: &Scope) -> Result<Invocation, ToolError> {
        let recipe = &self.recipe;
        let argv = arguments::render(&recipe.run, scope)?;
        let mut env = Vec::new();
        for (name, template) in &recipe.env {
            env.extend(text(template, scope)?.map(|value| (name.clone(), value)));
        }
        if let Some(KeyPlace::Env(name)) = &recipe.idempotency_key {
            env.push((name.value.clone(), context.idempotency_key.clone()));
        }
        let folder = recipe.cwd.as_ref().map(|cwd| text(cwd, scope)).transpose()?.flatten();
        Ok(Invocation {
            argv,
            folder: folder.unwrap_or_default().into(),
            env,
            pass: recipe.env_pass.clone(),
            stdin: recipe.stdin.as_ref().map(|stdin| text(stdin, scope)).transpose()?.flatten(),
            timeout: recipe.timeout_ms.map(Duration::from_millis),
            show: show(&recipe.result),
        })
    }

    fn conclude(
        &self,
        context: &CallContext,
        invocation: &Invocation,
        finished: &Finished,
        mut scope: Scope,
    ) -> Result<Value, ToolError> {
        let success = finished.code().filter(|code| self.recipe.ok.contains(code));
        let Some(code) = success else {
            return Err(diagnosis::failed(
                &invocation.argv[0],
                finished,
                &self.recipe.errors,
                &self.recipe.kinds,
            ));
        };
        let stdout = self.decode(context, finished)?;
        let result = reading::read(&self.recipe.result, &stdout).map_err(|message| {
            let message = format!("cannot read what `{}` printed: {message}", invocation.argv[0]);
            ToolError::new(ErrorKind::Permanent, message).details(Value::Object(finished.details.clone()))
        })?;
        let Some(template) = &self.recipe.value else { return Ok(result) };
        scope.set("result", &result);
        scope.set("exit_code", &code.into());
        scope.set("stdout", &stdout.into());
        scope.set("stderr", &finished.stderr.clone().into());
        render(template, &scope, Missing::Null).map(Option::unwrap_or_default)
    }

    /// The output as text. What is not UTF-8 is replaced where text is wanted, and said.
    fn decode(&self, context: &CallContext, finished: &Finished) -> Result<String, ToolError> {
        match String::from_utf8(finished.stdout.clone()) {
            Ok(text) => Ok(text),
            Err(_) if matches!(self.recipe.result, Reading::Json | Reading::JsonLines | Reading::Yaml) => {
                let message = format!("the output of `{}` is not UTF-8", self.spec.name);
                Err(ToolError::new(ErrorKind::Permanent, message)
                    .details(Value::Object(finished.details.clone())))
            }
            Err(error) => {
                (context.progress)("the output is not UTF-8; what is not is replaced by `\u{fffd}`");
                Ok(String::from_utf8_lossy(error.as_bytes()).into_owned())
            }
        }
    }

    fn check_output(&self, value: &Value) -> Result<(), ToolError> {
        if self.spec.output == Value::Bool(true) {
            return Ok(());
        }
        aa_spec::input::fits(&self.spec.output, value).map_err(|message| {
            let message = format!("the result of `{}` is not what it declares: {message}", self.spec.name);
            ToolError::new(ErrorKind::Permanent, message).details(json!({"result": value}))
        })
    }
}

/// Output for people is shown while the command runs, output for machines is not.
fn show(reading: &Reading) -> Show {
    match reading {
        Reading::Text => Show::Both,
        Reading::Lines { end: None, fields, pattern: None, .. } if fields.is_empty() => Show::Both,
        _ => Show::Errors,
    }
}

fn render(template: &Template, scope: &Scope, missing: Missing) -> Result<Option<Value>, ToolError> {
    template.render(scope, missing).map_err(|error| invalid(error.message))
}

/// A template as text; `None` when it is missing.
fn text(template: &Template, scope: &Scope) -> Result<Option<String>, ToolError> {
    match render(template, scope, Missing::Fail)? {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(value) => Ok(Some(value.to_string())),
    }
}

#[cfg(test)]
mod tests;
