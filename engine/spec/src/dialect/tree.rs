//! Taking trees apart and putting them together.

use serde_json::Value;

use crate::source::Span;
use crate::yaml::{Kind, Node, Spanned};

pub(super) type Entry = (Spanned<String>, Node);

/// The entries of a mapping, to be changed.
pub(super) fn entries_mut(node: &mut Node) -> Option<&mut Vec<Entry>> {
    if let Kind::Map(entries) = &mut node.kind { Some(entries) } else { None }
}

/// The items of a list, to be changed.
pub(super) fn items_mut(node: &mut Node) -> Option<&mut Vec<Node>> {
    if let Kind::List(items) = &mut node.kind { Some(items) } else { None }
}

/// Where a key stands, and its value to be changed.
pub(super) fn entry_mut<'n>(node: &'n mut Node, key: &str) -> Option<(Span, &'n mut Node)> {
    let entry = entries_mut(node)?.iter_mut().find(|(known, _)| known.value == key);
    entry.map(|(key, value)| (key.span, value))
}

/// The value of a key, to be changed.
pub(super) fn get_mut<'n>(node: &'n mut Node, key: &str) -> Option<&'n mut Node> {
    entry_mut(node, key).map(|(_, value)| value)
}

/// Takes an entry out.
pub(super) fn take(node: &mut Node, key: &str) -> Option<Entry> {
    let entries = entries_mut(node)?;
    let at = entries.iter().position(|(known, _)| known.value == key)?;
    Some(entries.remove(at))
}

/// Gives a key another name.
pub(super) fn rename(node: &mut Node, from: &str, to: &str) {
    if let Some((key, _)) =
        entries_mut(node).and_then(|all| all.iter_mut().find(|(key, _)| key.value == from))
    {
        to.clone_into(&mut key.value);
    }
}

/// Adds an entry, or replaces the one there is.
pub(super) fn set(node: &mut Node, key: &str, value: Node) {
    let Some(entries) = entries_mut(node) else { return };
    match entries.iter_mut().find(|(known, _)| known.value == key) {
        Some((_, old)) => *old = value,
        None => entries.push(entry(key, value)),
    }
}

pub(super) fn entry(key: &str, value: Node) -> Entry {
    (Spanned { value: key.to_owned(), span: value.span }, value)
}

pub(super) fn text(text: impl Into<String>, span: Span) -> Node {
    Node { kind: Kind::Scalar(Value::String(text.into())), span }
}

pub(super) fn list(items: Vec<Node>, span: Span) -> Node {
    Node { kind: Kind::List(items), span }
}

pub(super) fn map(entries: Vec<Entry>, span: Span) -> Node {
    Node { kind: Kind::Map(entries), span }
}

/// A tree of values that all stand at one place of the text.
pub(super) fn of_json(json: Value, span: Span) -> Node {
    match json {
        Value::Array(items) => list(items.into_iter().map(|item| of_json(item, span)).collect(), span),
        Value::Object(members) => {
            map(members.into_iter().map(|(key, value)| entry(&key, of_json(value, span))).collect(), span)
        }
        scalar => Node { kind: Kind::Scalar(scalar), span },
    }
}

/// Every string in a tree, keys excluded.
pub(super) fn each_text<'n>(node: &'n Node, visit: &mut impl FnMut(&'n str)) {
    match &node.kind {
        Kind::Scalar(Value::String(text)) => visit(text),
        Kind::Scalar(_) => {}
        Kind::List(items) => items.iter().for_each(|item| each_text(item, visit)),
        Kind::Map(entries) => entries.iter().for_each(|(_, value)| each_text(value, visit)),
    }
}
