//! Tools of YAML modules: a command line with typed arguments and a typed result.

mod arguments;
pub(in crate::tool) mod reading;

use std::sync::Arc;
use std::time::Duration;

use aa_spec::plan::resolve::Touched;
use aa_spec::template::{Scope, Template};
use aa_spec::tool::module::KeyPlace;
use aa_spec::tool::recipe::{Reading, Rule, Run};
use aa_spec::tool::{Effect, ErrorKind, ToolSpec};
use async_trait::async_trait;
use serde_json::{Map, Value};

use super::declared::{Declared, text};
use super::process::{Finished, Invocation, Launcher, Show};
use super::{CallContext, Tool, ToolError, diagnosis};

/// A tool that runs a command.
pub(crate) struct Command {
    pub(crate) declared: Declared,
    pub(crate) run: Run,
    pub(crate) launcher: Arc<Launcher>,
    /// Whether its result may name files to be shown: the project's own tools may.
    pub(crate) shows_files: bool,
}

#[async_trait]
impl Tool for Command {
    fn spec(&self) -> &Arc<ToolSpec> {
        &self.declared.spec
    }

    fn touches(&self) -> Touched {
        self.declared.touches([])
    }

    fn is_on_command_line(&self, argument: &str) -> bool {
        self.command_line().flat_map(Template::carried).any(|path| path.split('.').next() == Some(argument))
    }

    fn kind_of(&self, said: &str) -> Option<ErrorKind> {
        self.declared.kind_of(said)
    }

    async fn call(&self, context: &CallContext, args: Map<String, Value>) -> Result<Value, ToolError> {
        context.sent.not_yet();
        let (spec, config) = (&self.declared.spec, &self.declared.common.config);
        self.declared.configuration.refuse_exposed(&spec.module, config, self.command_line())?;
        let scope = self.declared.scope(context, args).await?;
        let invocation = self.invocation(context, &scope)?;
        let finished = self.launcher.launch(context, &invocation).await?;
        let mut value = self.conclude(context, &invocation, &finished, scope)?;
        if self.shows_files {
            let opened = crate::content::open_files(&mut value, &context.folder);
            opened.map_err(|message| ToolError::new(ErrorKind::Permanent, message))?;
        }
        Ok(value)
    }
}

impl Command {
    /// What everybody on the machine can read.
    fn command_line(&self) -> impl Iterator<Item = &Template> {
        self.run.run.iter().flat_map(|part| part.values.iter().chain(&part.otherwise))
    }

    fn invocation(&self, context: &CallContext, scope: &Scope) -> Result<Invocation, ToolError> {
        let (run, common) = (&self.run, &self.declared.common);
        let argv = arguments::render(&run.run, scope)?;
        let mut env = Vec::new();
        for (name, template) in &run.env {
            env.extend(text(template, scope)?.map(|value| (name.clone(), value)));
        }
        if let Some(KeyPlace::Env(name)) = &common.idempotency_key {
            env.push((name.value.clone(), context.idempotency_key.clone()));
        }
        let folder = run.cwd.as_ref().map(|cwd| text(cwd, scope)).transpose()?.flatten();
        Ok(Invocation {
            argv,
            folder: folder.unwrap_or_default().into(),
            env,
            pass: run.env_pass.clone(),
            stdin: run.stdin.as_ref().map(|stdin| text(stdin, scope)).transpose()?.flatten(),
            timeout: common.timeout_ms.map(Duration::from_millis),
            show: show(self.reading()),
        })
    }

    fn conclude(
        &self,
        context: &CallContext,
        invocation: &Invocation,
        finished: &Finished,
        mut scope: Scope,
    ) -> Result<Value, ToolError> {
        let (program, rules) = (&invocation.argv[0], &self.declared.common.errors);
        let Some(code) = finished.code().filter(|code| self.run.ok.contains(code)) else {
            let rule = diagnosis::fitting(finished, rules);
            return Err(self.failed(program, finished, rule));
        };
        if let Some(rule) = diagnosis::objection(finished, rules) {
            return Err(self.failed(program, finished, Some(rule)));
        }
        let stdout = self.decode(context, finished)?;
        let result = reading::read(self.reading(), &stdout).map_err(|message| {
            let message = format!("cannot read what `{program}` printed: {message}");
            let details = Value::Object(finished.details.clone());
            ToolError::new(ErrorKind::Permanent, message).details(details)
        })?;
        scope.set("exit_code", &code.into());
        scope.set("stdout", &stdout.into());
        scope.set("stderr", &finished.stderr.clone().into());
        self.declared.finish(scope, result)
    }

    /// What a command does of which nobody knows what it does may have parts, and what it says may be about one of them.
    fn failed(&self, program: &str, finished: &Finished, rule: Option<&Rule>) -> ToolError {
        let say = match self.declared.spec.effect {
            Effect::Unknown => diagnosis::ended_badly,
            _ => diagnosis::failed,
        };
        say(program, finished, rule, &self.run.kinds)
    }

    fn reading(&self) -> &Reading {
        self.declared.common.result.as_ref().unwrap_or(&Reading::Text)
    }

    /// The output as text. What is not UTF-8 is replaced where text is wanted, and said.
    fn decode(&self, context: &CallContext, finished: &Finished) -> Result<String, ToolError> {
        match String::from_utf8(finished.stdout.clone()) {
            Ok(text) => Ok(text),
            Err(_) if matches!(self.reading(), Reading::Json | Reading::JsonLines | Reading::Yaml) => {
                let message = format!("the output of `{}` is not UTF-8", self.declared.spec.name);
                Err(ToolError::new(ErrorKind::Permanent, message)
                    .details(Value::Object(finished.details.clone())))
            }
            Err(error) => {
                (context.progress)("the output is not UTF-8; what is not is replaced by `\u{fffd}`");
                Ok(String::from_utf8_lossy(error.as_bytes()).into_owned())
            }
        }
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

#[cfg(test)]
mod tests;
