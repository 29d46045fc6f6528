//! Calls: of tools and skills, of `memory`, and those that are written differently here.

use std::ops::Range;

use ruff_python_ast::visitor::Visitor;
use ruff_python_ast::{Arguments, Expr, ExprAttribute, ExprCall, Identifier, Keyword, Number};
use ruff_text_size::Ranged;
use serde_json::Value;

use super::{Walk, end, span, start};
use crate::compute::CalleeKind;
use crate::compute::reading::{Argument, Call, Problem};
use crate::compute::vocabulary;

impl<'a> Walk<'a> {
    pub(super) fn call(&mut self, call: &'a ExprCall, in_path: bool) {
        match &*call.func {
            Expr::Name(name) if self.is_free(&name.id) => match name.id.as_str() {
                "call_tool" | "run_skill" => {
                    self.import(&name.id);
                    if name.id == "call_tool" {
                        self.tool(call);
                    } else {
                        self.skill(call);
                    }
                    return self.arguments(&call.arguments);
                }
                "dir" if call.arguments.is_empty() => return self.all_names(call),
                "dir" => self.unsupported(call, "`dir` takes nothing here", "name the keys: `list(value)`"),
                "next" => return self.next(call),
                _ => {}
            },
            Expr::Attribute(method) => return self.method(call, method, in_path),
            _ => {}
        }
        self.visit_expr(&call.func);
        self.arguments_of(call);
    }

    pub(super) fn arguments(&mut self, arguments: &'a Arguments) {
        arguments.args.iter().for_each(|argument| self.visit_expr(argument));
        for keyword in &arguments.keywords {
            self.visit_expr(&keyword.value);
        }
    }

    /// Arguments of what may call one of them.
    fn arguments_of(&mut self, call: &'a ExprCall) {
        let callback = self.callback(call);
        let keywords = call.arguments.keywords.iter().map(|keyword| &keyword.value);
        for argument in call.arguments.args.iter().chain(keywords) {
            let is_called = callback.is_some_and(|callback| std::ptr::eq(callback, argument));
            if !is_called || !self.is_method_of_name(argument) {
                self.visit_expr(argument);
            }
        }
    }

    /// The argument that is certainly called: `key=…`, and what `map` and `filter` begin with.
    fn callback(&self, call: &'a ExprCall) -> Option<&'a Expr> {
        let is = |names: &[&str]| names.iter().any(|name| self.is_builtin(&call.func, name));
        let sorts = matches!(&*call.func, Expr::Attribute(method) if method.attr.as_str() == "sort");
        if sorts || is(&["sorted", "min", "max"]) {
            return call.arguments.find_keyword("key").map(|keyword| &keyword.value);
        }
        call.arguments.args.first().filter(|_| is(&["map", "filter"]))
    }

    /// `call_tool("name", key=value)`.
    fn tool(&mut self, call: &'a ExprCall) {
        let Some((name, at)) = self.literal_callee(call, "call_tool", "tool") else { return };
        if let Some(other) = call.arguments.args.get(1) {
            let problem = Problem::error(
                "compute-callee",
                span(other.range()),
                "the arguments of a tool are given by name",
            );
            self.report(problem.hint(format!("write `call_tool(\"{name}\", name=value)`")));
        }
        let by_position = !call.arguments.args.is_empty();
        let keywords = call.arguments.keywords.iter().filter(|keyword| by_position || !is_name(keyword));
        let mut arguments = Vec::new();
        let mut open = false;
        for keyword in keywords {
            match &keyword.arg {
                Some(name) => arguments.push(argument(name.as_str(), span(name.range), &keyword.value)),
                None => open = true,
            }
        }
        let kind = CalleeKind::Tool;
        self.found.calls.push(Call { kind, name, span: at, by: None, arguments, open });
    }

    /// `run_skill("name", {"input": value})`.
    fn skill(&mut self, call: &'a ExprCall) {
        let Some((name, at)) = self.literal_callee(call, "run_skill", "skill") else { return };
        let keyword = call.arguments.find_keyword("inputs").map(|keyword| &keyword.value);
        let (arguments, open) = match call.arguments.args.get(1).or(keyword) {
            None => (Vec::new(), !call.arguments.keywords.iter().all(is_name)),
            Some(Expr::Dict(inputs)) => {
                let literal = inputs.items.iter().filter_map(|item| match &item.key {
                    Some(Expr::StringLiteral(key)) => {
                        Some(argument(key.value.to_str(), span(key.range), &item.value))
                    }
                    _ => None,
                });
                let literal: Vec<Argument> = literal.collect();
                let open = literal.len() < inputs.items.len();
                (literal, open)
            }
            Some(_) => (Vec::new(), true),
        };
        let kind = CalleeKind::Skill;
        self.found.calls.push(Call { kind, name, span: at, by: None, arguments, open });
    }

    /// The name of what is called; it has to be written out, so that a plan knows it.
    fn literal_callee(&mut self, call: &ExprCall, word: &str, noun: &str) -> Option<(String, Range<usize>)> {
        let keyword = call.arguments.keywords.iter().find(|keyword| is_name(keyword));
        let first = call.arguments.args.first().or_else(|| keyword.map(|keyword| &keyword.value));
        if let Some(Expr::StringLiteral(name)) = first {
            return Some((name.value.to_str().to_owned(), span(name.range)));
        }
        let at = first.map_or_else(|| span(call.func.range()), |first| span(first.range()));
        let message = format!("the name of the {noun} must be written out");
        let problem = Problem::error("compute-callee", at, message);
        self.report(
            problem.hint(format!("write `{word}(\"name\", …)`, with an `if` where there are several")),
        );
        None
    }

    /// Notes that a word may call a tool.
    pub(super) fn calls_for(&mut self, tool: &str, by: &str, at: Range<usize>) {
        self.found.calls.push(Call {
            kind: CalleeKind::Tool,
            name: tool.to_owned(),
            span: at,
            by: Some(by.to_owned()),
            arguments: Vec::new(),
            open: true,
        });
    }

    fn method(&mut self, call: &'a ExprCall, method: &'a ExprAttribute, in_path: bool) {
        self.not_there(method);
        if self.is_builtin(&method.value, "memory") {
            self.memory(&method.attr, span(method.range()));
            return self.arguments(&call.arguments);
        }
        if self.is_builtin(&method.value, "parsers") {
            self.parser(&method.attr);
            return self.arguments(&call.arguments);
        }
        if self.moment(call, method) {
            return self.arguments(&call.arguments);
        }
        if self.substitution(call, method) || self.format_map(call, method) {
            return;
        }
        if self.is_type(&method.value) && method.attr.as_str() != "fromkeys" {
            self.unbound(method);
            return self.arguments(&call.arguments);
        }
        self.in_path = in_path;
        self.visit_expr(&method.value);
        self.in_path = false;
        // The key of `x.get("key")` is part of the path.
        self.arguments_of(call);
    }

    /// A method of `memory`: it calls tools.
    pub(super) fn memory(&mut self, method: &str, at: Range<usize>) {
        self.import("memory");
        let by = format!("memory.{method}");
        match vocabulary::memory(method) {
            Some(tools) => tools.iter().for_each(|tool| self.calls_for(tool, &by, at.clone())),
            None => self.unknown_word(&by, method, at, vocabulary::MEMORY.iter().map(|(name, _)| *name)),
        }
    }

    /// A function of `parsers`: only that one has to be brought in.
    fn parser(&mut self, function: &Identifier) {
        self.import(&format!("parsers.{function}"));
        if !vocabulary::PARSERS.contains(&function.as_str()) {
            let by = format!("parsers.{function}");
            self.unknown_word(&by, function, span(function.range), vocabulary::PARSERS.iter().copied());
        }
        for read in vocabulary::word(function).into_iter().flat_map(|word| word.reads) {
            self.reads_for(read, span(function.range));
        }
    }

    fn unknown_word(
        &mut self,
        word: &str,
        name: &str,
        at: Range<usize>,
        known: impl Iterator<Item = &'static str>,
    ) {
        let problem = Problem::error("unknown-reference", at, format!("there is no `{word}`"));
        let meant = crate::name::suggest(name, known).map(|meant| format!("did you mean `{meant}`?"));
        self.report(problem.hint(meant.unwrap_or_default()));
    }

    /// `dir()`: every name that has a value.
    fn all_names(&mut self, call: &'a ExprCall) {
        let own: Vec<String> = self.scopes.block.names.iter().cloned().collect();
        self.found.asks_all = true;
        self.listing(span(call.range()), &own);
    }

    /// Asks for the names of the skill, and for these names of the block.
    pub(super) fn listing(&mut self, at: Range<usize>, own: &[String]) {
        let thunks: Vec<String> = own.iter().map(|name| format!("{name}=lambda: {name}")).collect();
        self.import("_dir");
        if thunks.is_empty() {
            return self.edits.replace(at, "_dir()");
        }
        self.import("_bound");
        self.edits.replace(at, format!("(_dir() + _bound({}))", thunks.join(", ")));
    }

    /// `next(… for …)`: what is a list here has to become an iterator.
    fn next(&mut self, call: &'a ExprCall) {
        let generator = call.arguments.args.first().filter(|first| first.is_generator_expr());
        if let Some(first) = generator {
            self.edits.insert(start(first), "iter(");
            self.visit_expr(first);
            self.edits.insert(end(first), ")");
            call.arguments.args[1..].iter().for_each(|argument| self.visit_expr(argument));
        } else {
            self.arguments(&call.arguments);
        }
    }
}

fn is_name(keyword: &Keyword) -> bool {
    keyword.arg.as_ref().is_some_and(|name| name.as_str() == "name")
}

fn argument(name: &str, at: Range<usize>, value: &Expr) -> Argument {
    Argument { name: name.to_owned(), span: at, at: span(value.range()), value: constant(value) }
}

/// The value of an expression that is written out.
fn constant(expression: &Expr) -> Option<Value> {
    match expression {
        Expr::StringLiteral(text) => Some(Value::from(text.value.to_str())),
        Expr::BooleanLiteral(truth) => Some(Value::from(truth.value)),
        Expr::NumberLiteral(number) => match &number.value {
            Number::Int(number) => number.as_i64().map(Value::from),
            Number::Float(number) => Some(Value::from(*number)),
            Number::Complex { .. } => None,
        },
        _ => None,
    }
}
