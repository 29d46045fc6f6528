//! Changes of what belongs to the skill: only the block's own copy changes.

use std::ops::Range;

use ruff_python_ast::Expr;
use ruff_text_size::Ranged;

use super::{Walk, span};
use crate::compute::reading::Problem;
use crate::compute::scope::Owner;

/// Methods that change what they are called on.
const CHANGING: &[&str] = &[
    "add",
    "append",
    "clear",
    "discard",
    "extend",
    "insert",
    "pop",
    "popitem",
    "remove",
    "reverse",
    "setdefault",
    "sort",
    "update",
];

/// A value of the skill that a block changes in place.
pub(super) struct Change {
    name: String,
    at: Range<usize>,
}

impl Walk<'_> {
    /// Notes that an item or attribute is set or deleted.
    pub(super) fn changes(&mut self, target: &Expr) {
        let Some(name) = root(target).filter(|name| self.is_of_skill(name)) else { return };
        self.changed.push(Change { name: name.to_owned(), at: span(target.range()) });
    }

    /// Notes a call that is made for nothing but what it changes.
    pub(super) fn changes_by_call(&mut self, statement: &Expr) {
        let Expr::Call(call) = statement else { return };
        let Expr::Attribute(method) = &*call.func else { return };
        if CHANGING.contains(&method.attr.as_str()) {
            self.changes(&call.func);
        }
    }

    /// Reports changes that nothing sees: what is changed is not looked at afterwards.
    pub(super) fn lost_changes(&mut self, result: &str) {
        for Change { name, at } in std::mem::take(&mut self.changed) {
            let is_read = self.found.mentions.iter().any(|mention| {
                mention.span.start >= at.end && mention.path.first().and_then(|key| key.key()) == Some(&name)
            });
            if is_read || name == result {
                continue;
            }
            let message = format!("only the block's own copy of `{name}` changes");
            let problem = Problem::warning("compute-lost-change", at, message);
            let hint = format!("make the changed value the result: `result = {name}`");
            self.report(problem.hint(hint));
        }
    }

    /// Whether the block reads a value of the skill and never sets a variable of that name.
    pub(super) fn only_reads(&self, name: &str) -> bool {
        let reads = |path: &[crate::template::Segment]| path.first().and_then(|key| key.key()) == Some(name);
        (self.setting.is_value)(name)
            && !self.scopes.block.names.contains(name)
            && self.found.mentions.iter().any(|mention| reads(&mention.path))
    }

    fn is_of_skill(&self, name: &str) -> bool {
        (self.setting.is_value)(name)
            && matches!(self.scopes.owner(name), Owner::Outside | Owner::Perhaps)
            && self.scopes.word(name).is_none()
    }
}

/// The name that an expression takes something out of.
fn root(expression: &Expr) -> Option<&str> {
    match expression {
        Expr::Name(name) => Some(name.id.as_str()),
        Expr::Attribute(attribute) => root(&attribute.value),
        Expr::Subscript(item) => root(&item.value),
        Expr::Call(call) => match &*call.func {
            Expr::Attribute(method) if matches!(method.attr.as_str(), "get" | "setdefault") => {
                root(&method.value)
            }
            _ => None,
        },
        _ => None,
    }
}
