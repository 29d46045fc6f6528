//! A tool that is a command, compiled.

use std::collections::{BTreeMap, BTreeSet};

use super::{Compiler, Known, exposed};
use crate::template::{Expression, Template};
use crate::tool::ErrorKind;
use crate::tool::module::{Argument, KeyPlace};
use crate::yaml::Spanned;

/// A command.
#[derive(Clone, Debug)]
pub struct Run {
    /// The command and its arguments.
    pub run: Vec<Part>,
    /// Text for its standard input.
    pub stdin: Option<Template>,
    /// Folder to run in.
    pub cwd: Option<Template>,
    /// Environment variables to set.
    pub env: Vec<(String, Template)>,
    /// Environment variables to pass on.
    pub env_pass: Vec<String>,
    /// Exit codes that are a success.
    pub ok: BTreeSet<i32>,
    /// Error kinds of other exit codes.
    pub kinds: BTreeMap<i32, ErrorKind>,
}

/// One or more arguments of a command. A template that is one whole `{{ expression }}` is
/// left out when it is null, and stands for several arguments when it is a list.
#[derive(Clone, Debug)]
pub struct Part {
    /// There only when this is true.
    pub condition: Option<Expression>,
    /// The arguments.
    pub values: Vec<Template>,
    /// The arguments when it is not.
    pub otherwise: Vec<Template>,
    /// Whether values may be options.
    pub options: bool,
}

impl Compiler<'_> {
    pub(super) fn run(&mut self) -> Run {
        let (module, tool) = (self.module, self.tool);
        if tool.run.is_empty() {
            let message =
                format!("`{}` has neither a command (`run`) nor a request (`http`)", tool.name.value);
            self.error("missing-key", tool.name.span, message);
        }
        if let Some(KeyPlace::Header(name)) = &tool.idempotency_key {
            self.error("stray-key", name.span, "a command has no headers");
        }
        self.check_codes("exit code", &tool.exit.ok, &tool.exit.kinds);
        self.check_spliced();
        Run {
            run: tool.run.iter().map(|argument| self.part(argument)).collect(),
            stdin: tool.stdin.as_ref().and_then(|node| self.template(node, Known::TOOL)),
            cwd: tool.cwd.as_ref().and_then(|text| self.text(text, Known::TOOL)),
            env: self.env(),
            env_pass: module.env_pass.iter().chain(&tool.env_pass).map(|name| name.value.clone()).collect(),
            ok: tool.exit.ok.iter().copied().collect(),
            kinds: tool.exit.kinds.clone(),
        }
    }

    fn env(&mut self) -> Vec<(String, Template)> {
        let (module, tool) = (self.module, self.tool);
        let mut env = Vec::new();
        for (name, node) in &module.env {
            env.extend(self.template(node, Known::MODULE).map(|value| (name.clone(), value)));
        }
        for (name, node) in &tool.env {
            env.extend(self.template(node, Known::TOOL).map(|value| (name.clone(), value)));
        }
        env
    }

    fn part(&mut self, argument: &Argument) -> Part {
        let part = |values| Part { condition: None, values, otherwise: Vec::new(), options: false };
        match argument {
            Argument::Always(text) => part(self.argument(text).into_iter().collect()),
            Argument::Options(options) => {
                Part { options: true, ..part(self.argument(&options.options).into_iter().collect()) }
            }
            Argument::When(when) => Part {
                condition: self.expression(&when.r#if, Known::TOOL),
                otherwise: when.r#else.iter().filter_map(|text| self.argument(text)).collect(),
                ..part(when.then.iter().filter_map(|text| self.argument(text)).collect())
            },
        }
    }

    /// A template of the command line, which everybody on the machine can read.
    fn argument(&mut self, text: &Spanned<String>) -> Option<Template> {
        let template = self.text(text, Known::TOOL)?;
        if let Some(path) = exposed(&template, self.module) {
            let message = format!("everybody on the machine can read a command line, and `{path}` is secret");
            self.error("secret-in-command", text.span, message);
        }
        Some(template)
    }
}
