//! Conditions with templates in them: `{{ x }} == 6`, meant as `x == 6`.

use super::{Dialect, edit, tree};
use crate::template::{Expression, literal_template};
use crate::yaml::{Kind, Node};

impl Dialect<'_> {
    pub(super) fn condition(&mut self, holder: &mut Node) {
        self.expression(holder, "condition");
    }

    /// What stands under a key of a mapping that is an expression.
    pub(super) fn expression(&mut self, holder: &mut Node, key: &str) {
        let Some(node) = tree::get_mut(holder, key) else { return };
        let Some(meant) = node.as_str().and_then(expression) else { return };
        let message = "a condition is one expression, not templates and other text";
        let fix = edit::scalar(self.source, node.span, &meant);
        let problem = self.warn("templated-condition", node.span, message);
        problem.hint = format!("write `{meant}`");
        problem.fix = fix;
        node.kind = Kind::Scalar(meant.into());
    }
}

/// The expression that a text with several templates, or more than one, stands for.
fn expression(text: &str) -> Option<String> {
    let text = text.trim();
    let (mut rest, mut meant, mut holes) = (text, String::new(), 0);
    while let Some(at) = start_of_part(rest) {
        let (before, part) = rest.split_at(at);
        meant.push_str(before);
        if let Some((inner, after)) = hole(part) {
            if holes == 0 && meant.is_empty() && after.is_empty() {
                return None;
            }
            holes += 1;
            meant.push_str(&grouped(inner));
            rest = after;
        } else {
            let (literal, after) = part.split_at(literal(part)?);
            let filled = filled(literal);
            holes += usize::from(filled.is_some());
            meant.push_str(filled.as_deref().unwrap_or(literal));
            rest = after;
        }
    }
    meant.push_str(rest);
    (holes > 0 && literal_template(&meant).is_none() && Expression::parse(&meant).is_ok()).then_some(meant)
}

/// Where the next template or quoted text begins.
fn start_of_part(text: &str) -> Option<usize> {
    let quote = text.find(['\'', '"']);
    let hole = text.find("{{").filter(|at| text[*at..].contains("}}"));
    quote.into_iter().chain(hole).min()
}

/// What is in the template that a text begins with, and what comes after it.
fn hole(text: &str) -> Option<(&str, &str)> {
    let (inner, after) = text.strip_prefix("{{")?.split_once("}}")?;
    Some((inner.trim_matches(['-', '+']).trim(), after))
}

/// How long the quoted text is that a text begins with. Quotes in its templates do not end it.
fn literal(text: &str) -> Option<usize> {
    let mark = text.chars().next()?;
    let mut rest = &text[1..];
    loop {
        if let Some((_, after)) = hole(rest) {
            rest = after;
            continue;
        }
        let mut letters = rest.chars();
        match letters.next()? {
            '\\' => drop(letters.next()),
            letter if letter == mark => return Some(text.len() - letters.as_str().len()),
            _ => {}
        }
        rest = letters.as_str();
    }
}

/// A quoted text with templates in it, as its parts put together.
fn filled(literal: &str) -> Option<String> {
    let mark = &literal[..1];
    let mut rest = &literal[1..literal.len() - 1];
    let mut parts = Vec::new();
    while let Some(open) = rest.find("{{") {
        let (inner, after) = hole(&rest[open..])?;
        if open > 0 {
            parts.push(format!("{mark}{}{mark}", &rest[..open]));
        }
        parts.push(grouped(inner));
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(format!("{mark}{rest}{mark}"));
    }
    match parts.as_slice() {
        // A template that fills the quotes is text.
        [only] if only.len() != literal.len() || !only.starts_with(mark) => Some(format!("{only} | string")),
        [] | [_] => None,
        parts => Some(format!("({})", parts.join(" ~ "))),
    }
}

/// An expression as a part of another.
fn grouped(expression: &str) -> String {
    let simple = |c: char| c.is_alphanumeric() || "_.[]'\"".contains(c);
    if expression.chars().all(simple) { expression.to_owned() } else { format!("({expression})") }
}

#[cfg(test)]
mod tests {
    use super::expression;

    #[test]
    fn what_is_meant_is_one_expression() {
        let meant = |text: &str| expression(text);
        assert_eq!(meant("{{ count }} == 6").as_deref(), Some("count == 6"));
        assert_eq!(meant("{{ a or b }} and {{- c }}").as_deref(), Some("(a or b) and c"));
        assert_eq!(meant("'{{ env }}' == 'stage'").as_deref(), Some("env | string == 'stage'"));
        assert_eq!(meant("not {{ x.get('y') }}").as_deref(), Some("not (x.get('y'))"));
        for clear in ["{{ count }}", "{{ count == 6 }}", "count == 6", "{{ open"] {
            assert_eq!(meant(clear), None, "{clear}");
        }
        assert_eq!(meant("'x-{{ y }}' == 1").as_deref(), Some("('x-' ~ y) == 1"));
        assert_eq!(
            meant("'{{ a['b'] }}-{{ c or d }}' in \"x\" and '' == 'it\\'s'").as_deref(),
            Some("(a['b'] ~ '-' ~ (c or d)) in \"x\" and '' == 'it\\'s'")
        );
        assert_eq!(meant("any(x == 'a{{ y }}' for x in z)"), None, "only an error can tell");
        assert_eq!(meant("'{{' in text or \"}}\" in text"), None);
        assert_eq!(meant("{{ a }} {{ b }}"), None);
    }
}
