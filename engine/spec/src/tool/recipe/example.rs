//! What can be wrong with examples before they are tried.

use serde_json::Value;

use crate::diagnostic::Diagnostic;
use crate::source::{Source, Span};
use crate::test::{MATCHERS, check_matchers};
use crate::tool::module::{Example, Module, ModuleTool, Recorded};
use crate::yaml::{Kind, Node, Spanned};

/// Arguments fit, and what is expected could be what the tool gives.
pub(super) fn check(module: &Module, tool: &ModuleTool, source: &Source, diagnostics: &mut Vec<Diagnostic>) {
    let input = tool.input.schema();
    for example in &tool.examples {
        let mut checker = Checker { source, diagnostics };
        if let Err(message) = crate::input::fits(&input, &example.args.to_json()) {
            checker.error(example.args.span, message, "");
        }
        checker.config(module, example);
        checker.recorded(tool, example);
        if let Some(expect) = &example.expect {
            checker.expect(tool, example, expect);
        }
    }
}

struct Checker<'a> {
    source: &'a Source,
    diagnostics: &'a mut Vec<Diagnostic>,
}

impl Checker<'_> {
    fn error(&mut self, span: Span, message: impl Into<String>, hint: &str) {
        let problem = Diagnostic::error("bad-example", self.source, span, message);
        self.diagnostics.push(if hint.is_empty() { problem } else { problem.hint(hint) });
    }

    fn config(&mut self, module: &Module, example: &Example) {
        for (name, value) in &example.config {
            if !module.config.contains_key(name) {
                let message = format!("the module has nothing called `{name}` in its `config`");
                self.error(value.span, message, "");
            }
        }
    }

    fn recorded(&mut self, tool: &ModuleTool, example: &Example) {
        let at = example.args.span;
        match &example.recorded {
            Some(_) if !example.has_outcome() => {
                self.error(at, "a recorded example does not say what comes of it", "add `expect` or `fails`");
            }
            Some(Recorded::Command(command)) if command.run.is_empty() => {
                self.error(at, "`run` of a recorded example names no command", "");
            }
            Some(Recorded::Http(_)) if tool.http.is_none() => {
                self.error(at, "`exchanges` are of tools that ask a service over HTTP", "this one has `run`");
            }
            Some(Recorded::Command(_)) if tool.http.is_some() => {
                self.error(
                    at,
                    "`run` is recorded of tools that run a command",
                    "this one has `http`: record `exchanges`",
                );
            }
            Some(Recorded::Http(http)) if http.exchanges.is_empty() && !may_ask_nobody(tool) => {
                self.error(at, "`exchanges` of a recorded example holds none", "");
            }
            Some(_) | None => {}
        }
    }

    fn expect(&mut self, tool: &ModuleTool, example: &Example, expect: &Node) {
        if example.fails.is_some() {
            self.error(expect.span, "an example has both `expect` and `fails`", "a call has one outcome");
        }
        check_matchers(self.source, expect, self.diagnostics);
        let output = tool.output.as_ref().map_or(&Value::Bool(true), |output| &output.schema);
        if let Some((span, message)) = misfit(expect, output) {
            self.error(span, message, "this is what the tool's `output` says");
        }
    }
}

/// Where an expectation can never be met by what fits a schema; nothing where that cannot be seen.
fn misfit(expected: &Node, schema: &Value) -> Option<(Span, String)> {
    if let Some(branches) = ["anyOf", "oneOf"].iter().find_map(|word| schema.get(word)?.as_array()) {
        let all: Vec<_> = branches.iter().map(|branch| misfit(expected, branch)).collect();
        return all.into_iter().collect::<Option<Vec<_>>>()?.into_iter().next();
    }
    match &expected.kind {
        Kind::Map(entries) => match entries.as_slice() {
            [(key, value)] if key.value == "equals" => unfit(value, schema),
            [(key, _)] if MATCHERS.contains(&key.value.as_str()) => None,
            entries => wrong_kind(expected, schema, "object")
                .or_else(|| entries.iter().find_map(|(key, value)| property(key, value, schema))),
        },
        Kind::List(items) => wrong_kind(expected, schema, "array")
            .or_else(|| items.iter().find_map(|item| misfit(item, schema.get("items")?))),
        Kind::Scalar(_) => unfit(expected, schema),
    }
}

fn property(key: &Spanned<String>, value: &Node, schema: &Value) -> Option<(Span, String)> {
    let known = schema.get("properties")?.as_object()?;
    match known.get(&key.value) {
        Some(property) => misfit(value, property),
        None if schema.get("additionalProperties").is_some_and(|more| *more != Value::Bool(false)) => None,
        None => Some((key.span, format!("the result has no `{}`", key.value))),
    }
}

fn unfit(expected: &Node, schema: &Value) -> Option<(Span, String)> {
    let problem = crate::input::fits(schema, &expected.to_json()).err()?;
    Some((expected.span, format!("what is expected {problem}")))
}

/// A mapping or a list where the schema has something else.
fn wrong_kind(expected: &Node, schema: &Value, kind: &str) -> Option<(Span, String)> {
    let allowed = match schema.get("type")? {
        Value::Array(types) => types.iter().any(|one| one == kind),
        one => one == kind,
    };
    if allowed { None } else { unfit(expected, schema) }
}

/// Whether a call may end without a request.
fn may_ask_nobody(tool: &ModuleTool) -> bool {
    tool.http.as_ref().is_some_and(|request| request.r#if.is_some() || !request.first.is_empty())
}
