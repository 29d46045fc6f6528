//! Conditions with templates in them: `{{ x }} == 6`, meant as `x == 6`.

use super::{Dialect, edit, tree};
use crate::template::Expression;
use crate::yaml::{Kind, Node};

impl Dialect<'_> {
    pub(super) fn condition(&mut self, holder: &mut Node) {
        let Some(node) = tree::get_mut(holder, "condition") else { return };
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
    while let Some(open) = rest.find("{{") {
        let close = open + rest[open..].find("}}")?;
        if holes == 0 && open == 0 && close + 2 == rest.len() {
            return None;
        }
        holes += 1;
        let inner = grouped(rest[open + 2..close].trim_matches(['-', '+']).trim());
        let (before, after) = (&rest[..open], &rest[close + 2..]);
        if let Some(mark) = open_quote(before) {
            // A template that fills the quotes is text; one in the middle of text is not clear.
            meant.push_str(before.strip_suffix(mark)?);
            meant.push_str(&inner);
            meant.push_str(" | string");
            rest = after.strip_prefix(mark)?;
        } else {
            meant.push_str(before);
            meant.push_str(&inner);
            rest = after;
        }
    }
    meant.push_str(rest);
    (holes > 0 && Expression::parse(&meant).is_ok()).then_some(meant)
}

/// The quote that is still open at the end of a text.
fn open_quote(text: &str) -> Option<char> {
    text.chars().fold(None, |open, c| match open {
        Some(mark) if c == mark => None,
        None if matches!(c, '\'' | '"') => Some(c),
        open => open,
    })
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
        assert_eq!(meant("'x-{{ y }}' == 1"), None, "it would read what is in the quotes as it is");
        assert_eq!(meant("{{ a }} {{ b }}"), None);
    }
}
