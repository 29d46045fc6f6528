//! Inputs as other systems declare them.

use serde_json::Value;

use super::{Dialect, edit, tree};
use crate::yaml::{Kind, Node};

/// Types by other names.
const TYPES: [(&str, &str); 11] = [
    ("str", "string"),
    ("text", "string"),
    ("int", "integer"),
    ("float", "number"),
    ("double", "number"),
    ("bool", "boolean"),
    ("list", "array"),
    ("dict", "object"),
    ("map", "object"),
    ("mapping", "object"),
    ("json", "object"),
];

impl Dialect<'_> {
    pub(super) fn inputs(&mut self, root: &mut Node) {
        self.input_mapping(root);
        let inputs = tree::get_mut(root, "inputs").and_then(tree::items_mut);
        for input in inputs.into_iter().flatten() {
            if let Some(kind) = tree::get_mut(input, "type") {
                self.word(kind, "type", &TYPES);
            }
            if let Some(required) = tree::get_mut(input, "required") {
                self.boolean(required, "required");
            }
        }
    }

    /// A word that is called differently here.
    pub(super) fn word(&mut self, node: &mut Node, key: &str, words: &[(&str, &str)]) {
        let Some(text) = node.as_str() else { return };
        let Some((_, ours)) = words.iter().find(|(theirs, _)| text.eq_ignore_ascii_case(theirs)) else {
            return;
        };
        let message = format!("`{text}` is called `{ours}` here");
        let fix = edit::scalar(self.source, node.span, ours);
        let problem = self.warn("foreign-word", node.span, message);
        problem.hint = format!("write `{key}: {ours}`");
        problem.fix = fix;
        node.kind = Kind::Scalar(Value::from(*ours));
    }

    /// `"true"` where a boolean belongs.
    fn boolean(&mut self, node: &mut Node, key: &str) {
        let Some(value) = node.as_str().and_then(crate::check::spelling::boolean) else { return };
        let problem =
            self.warn("spelled-value", node.span, format!("`{key}` is a boolean, and this is text"));
        problem.hint = format!("write `{value}`");
        problem.fix = vec![crate::fix::Edit::replace(node.span, value.to_string())];
        node.kind = Kind::Scalar(Value::Bool(value));
    }
}
