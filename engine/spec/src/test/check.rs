//! What can be wrong with tests before they run.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde_json::Value;

use super::fit::MATCHERS;
use super::{Call, Expect, Test, Tests};
use crate::diagnostic::Diagnostic;
use crate::shape;
use crate::source::{Source, Span};
use crate::yaml::{Kind, Node};

/// The calls that are expected.
#[derive(Clone, Debug)]
pub enum Calls {
    /// These, in this order, and no others.
    InOrder(Vec<Call>),
    /// These, in any order, and no others.
    Unordered(Vec<Call>),
}

/// How `calls` may be written, for its JSON Schema.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) enum CallsShape {
    /// No call at all.
    None(NoCalls),
    /// These, in this order.
    InOrder(Vec<Call>),
    /// These, in any order.
    Unordered {
        /// The calls.
        unordered: Vec<Call>,
    },
}

/// No call at all.
#[derive(JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) enum NoCalls {
    /// No call at all.
    None,
}

/// Reads a file of tests, with everything that is wrong with it; canned answers are
/// checked by whoever knows the tools.
pub fn read(source: &Source) -> (Option<Tests>, Vec<Diagnostic>) {
    let (tests, diagnostics) = shape::read::<Tests>(source);
    let mut checker = Checker { source, diagnostics };
    if let Some(tests) = &tests {
        checker.tests(tests);
    }
    checker.diagnostics.sort_by_key(|diagnostic| diagnostic.span.start);
    (tests, checker.diagnostics)
}

/// Patterns that do not compile and matchers that say nothing, in an expectation that stands elsewhere.
pub(crate) fn check_matchers(source: &Source, node: &Node, diagnostics: &mut Vec<Diagnostic>) {
    let mut checker = Checker { source, diagnostics: Vec::new() };
    checker.matchers(node);
    diagnostics.append(&mut checker.diagnostics);
}

struct Checker<'a> {
    source: &'a Source,
    diagnostics: Vec<Diagnostic>,
}

impl Checker<'_> {
    fn error(&mut self, code: &'static str, span: Span, message: impl Into<String>, hint: &str) {
        let problem = Diagnostic::error(code, self.source, span, message);
        self.diagnostics.push(if hint.is_empty() { problem } else { problem.hint(hint) });
    }

    fn tests(&mut self, tests: &Tests) {
        let mut names = BTreeSet::new();
        for test in &tests.tests {
            if !names.insert(&test.name.value) {
                let message = format!("there are two tests `{}`", test.name.value);
                self.error("duplicate-name", test.name.span, message, "");
            }
            self.test(test);
        }
    }

    fn test(&mut self, test: &Test) {
        if let Some(now) = test.now.as_ref().filter(|_| test.at().is_none()) {
            let message = format!("`{}` is not a time", now.value);
            self.error("bad-value", now.span, message, "write it like `2026-01-31T08:00:00Z`");
        }
        if let Some(inputs) = test.inputs.as_ref().filter(|inputs| !matches!(inputs.kind, Kind::Map(_))) {
            self.error("wrong-type", inputs.span, "`inputs` must be a mapping of names to values", "");
        }
        self.expect(&test.expect);
    }

    fn expect(&mut self, expect: &Expect) {
        for node in [&expect.outputs, &expect.error].into_iter().flatten() {
            self.matchers(node);
        }
        let Some(node) = &expect.calls else { return };
        match expect.calls() {
            Ok(Calls::InOrder(calls) | Calls::Unordered(calls)) => {
                calls.iter().filter_map(|call| call.args.as_ref()).for_each(|args| self.matchers(args));
            }
            Err(None) => {
                let message = "`calls` is a list of calls, `{unordered: […]}` or `none`";
                self.error("wrong-type", node.span, message, "write e.g. `calls: [{tool: git_log}]`");
            }
            Err(Some(list)) => {
                let schema = crate::schema::of::<Vec<Call>>();
                self.diagnostics.extend(shape::misfits(self.source, &list, &schema));
            }
        }
    }

    /// Patterns that do not compile, and matchers that say nothing.
    fn matchers(&mut self, node: &Node) {
        match &node.kind {
            Kind::Scalar(_) => {}
            Kind::List(items) => items.iter().for_each(|item| self.matchers(item)),
            Kind::Map(entries) => match entries.as_slice() {
                [(key, value)] if MATCHERS.contains(&key.value.as_str()) => self.matcher(&key.value, value),
                entries => entries.iter().for_each(|(_, value)| self.matchers(value)),
            },
        }
    }

    fn matcher(&mut self, key: &str, value: &Node) {
        match (key, value.as_str()) {
            ("matches", Some(text)) => {
                if let Err(error) = regex::Regex::new(text) {
                    self.diagnostics.push(shape::bad_pattern(self.source, value.span, text, &error));
                }
            }
            ("matches", None) => {
                let hint = "for a mapping with such a key, write `{equals: {matches: …}}`";
                self.error("wrong-type", value.span, "`matches` takes a regular expression", hint);
            }
            ("any", _) if value.kind != Kind::Scalar(Value::Bool(true)) => {
                let hint = "for a mapping with such a key, write `{equals: {any: …}}`";
                self.error("bad-value", value.span, "`any` takes nothing but `true`", hint);
            }
            ("contains", _) => self.matchers(value),
            _ => {}
        }
    }
}

impl Expect {
    /// The expected calls; without any, nothing is said of calls.
    ///
    /// # Errors
    /// They are badly written: the list that has something else in it, or else what is no list.
    pub fn calls(&self) -> Result<Calls, Option<Node>> {
        let Some(node) = &self.calls else { return Err(None) };
        let list = |node: &Node| match &node.kind {
            Kind::List(_) => node.read::<Vec<Call>>().map_err(|_| Some(node.clone())),
            _ => Err(None),
        };
        match &node.kind {
            Kind::Scalar(Value::String(text)) if text == "none" => Ok(Calls::InOrder(Vec::new())),
            Kind::Map(entries) => match entries.as_slice() {
                [(key, calls)] if key.value == "unordered" => list(calls).map(Calls::Unordered),
                _ => Err(None),
            },
            _ => list(node).map(Calls::InOrder),
        }
    }
}
