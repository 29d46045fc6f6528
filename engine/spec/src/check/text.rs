//! Templates and expressions in a tree: compiled, with problems where they stand.

use serde_json::Value;

use super::reference::{Reads, Site};
use super::{Checker, bare};
use crate::source::Span;
use crate::template::{Expression, IN_QUOTES, SyntaxError, Template, literal_template};
use crate::yaml::{Kind, Node, Spanned};

impl Checker<'_, '_> {
    /// Compiles a template and resolves what it reads.
    pub(super) fn template(&mut self, node: &Node, site: &Site, reads: &mut Reads) -> Option<Template> {
        let Ok(template) = Template::parse(&node.to_json()) else {
            self.bad_strings(node);
            return self.library.strictness.lenient.then(nothing).flatten();
        };
        let mut bare = Vec::new();
        template.root().each_reference(&mut Vec::new(), &mut |at, reference| {
            let leaf = node.at(at.iter().map(String::as_str));
            let text = leaf.as_str().unwrap_or_default();
            let span = self.source.part(leaf.span, text, &reference.span);
            if self.bare_input(&reference, span, site, reads) {
                return bare.push((at.to_vec(), reference.span.start));
            }
            self.reference(&reference, span, site, reads);
        });
        template.root().each_field(&mut Vec::new(), &mut |at, field| {
            let leaf = node.at(at.iter().map(String::as_str));
            let span = self.source.part(leaf.span, leaf.as_str().unwrap_or_default(), &field.span);
            self.item_field(&field, span);
        });
        Some(if bare.is_empty() {
            template
        } else {
            bare::with_inputs(node.to_json(), &bare).unwrap_or(template)
        })
    }

    /// Compiles a text that may hold holes.
    pub(super) fn text(
        &mut self,
        text: &Spanned<String>,
        site: &Site,
        reads: &mut Reads,
    ) -> Option<Template> {
        let kind = Kind::Scalar(Value::String(text.value.clone()));
        self.template(&Node { kind, span: text.span }, site, reads)
    }

    /// Compiles a condition and resolves what it reads.
    pub(super) fn condition(&mut self, node: &Node, site: &Site, reads: &mut Reads) -> Option<Expression> {
        let source = match &node.kind {
            Kind::Scalar(Value::Bool(constant)) => constant.to_string(),
            Kind::Scalar(Value::String(text)) => text.clone(),
            _ => {
                let problem = self.error("bad-expression", node.span, "a condition must be an expression");
                self.report(problem.hint("write it as text, e.g. `inputs.count > 3`"));
                return None;
            }
        };
        if let Some(part) = literal_template(&source) {
            let span = self.source.part(node.span, &source, &part);
            let problem = self.unknown("templated-condition", span, IN_QUOTES);
            self.report(problem.hint("put the parts together, as in `'x-' ~ inputs.name`"));
            return self.never();
        }
        match Expression::parse(&source) {
            Ok(expression) => {
                let mut bare = Vec::new();
                for reference in expression.mentions() {
                    let span = self.source.part(node.span, &source, &reference.span);
                    if self.bare_input(&reference, span, site, reads) {
                        bare.push(reference.span.start);
                    } else {
                        self.reference(&reference, span, site, reads);
                    }
                }
                for field in expression.fields() {
                    let span = self.source.part(node.span, &source, &field.span);
                    self.item_field(&field, span);
                }
                let meant =
                    (!bare.is_empty()).then(|| Expression::parse(&bare::qualified(source, bare)).ok());
                Some(meant.flatten().unwrap_or(expression))
            }
            Err(error) => {
                self.bad_source("bad-expression", node.span, &source, &error);
                self.never()
            }
        }
    }

    /// Read leniently, a condition that cannot be told is not met.
    fn never(&self) -> Option<Expression> {
        Expression::parse("none").ok().filter(|_| self.library.strictness.lenient)
    }

    /// Milliseconds of a duration.
    pub(super) fn duration(&mut self, text: &Spanned<String>) -> Option<u64> {
        match crate::duration::parse_ms(&text.value) {
            Ok(milliseconds) => Some(milliseconds),
            Err(message) => {
                self.report(self.error("bad-duration", text.span, message));
                None
            }
        }
    }

    /// Milliseconds of a time limit, which must leave some time.
    pub(super) fn timeout(&mut self, text: &Spanned<String>) -> Option<u64> {
        let milliseconds = self.duration(text)?;
        if milliseconds == 0 {
            self.report(self.error("bad-duration", text.span, "a time limit must be longer than nothing"));
        }
        Some(milliseconds)
    }

    /// Reports every string that is no template, not only the first.
    fn bad_strings(&mut self, node: &Node) {
        match &node.kind {
            Kind::Scalar(Value::String(text)) => {
                if let Err(error) = Template::parse(&Value::String(text.clone())) {
                    self.bad_source("bad-template", node.span, text, &error);
                }
            }
            Kind::Scalar(_) => {}
            Kind::List(items) => items.iter().for_each(|item| self.bad_strings(item)),
            Kind::Map(entries) => {
                for (key, item) in entries {
                    if key.value.contains("{{") {
                        self.report(self.unknown("bad-template", key.span, "a key cannot be a template"));
                    }
                    self.bad_strings(item);
                }
            }
        }
    }

    fn bad_source(&mut self, code: &'static str, span: Span, text: &str, error: &SyntaxError) {
        let rest = text.get(error.offset..).unwrap_or_default();
        // Mark the word where it went wrong, or else the whole string.
        let word: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let width = if word.is_empty() { rest.chars().next().map_or(0, char::len_utf8) } else { word.len() };
        let part = error.offset..error.offset + width;
        let span = if width == 0 { span } else { self.source.part(span, text, &part) };
        let problem = self.unknown(code, span, &error.message);
        self.report(if error.hint.is_empty() { problem } else { problem.hint(&error.hint) });
    }
}

/// Stands for a template that is read leniently: as an argument it is left out.
fn nothing() -> Option<Template> {
    Template::parse(&Value::from("{{ none }}")).ok()
}
