//! Cutting out what does not fit, so that the rest can be read.

use std::cmp::Ordering;

use serde_json::Value;

use crate::source::Span;
use crate::yaml::{Kind, Node, Spanned};

/// Stands for the name of a tool or skill that could not be read. Its span is empty as
/// well, which no name has that somebody wrote.
pub(crate) const STAND_IN: &str = "";

/// Keys and indices from the root.
pub(super) type Path = Vec<String>;

/// A change that makes a tree fit better.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Repair {
    /// Cuts out an entry or item.
    Remove(Path),
    /// Gives a misspelt key its name.
    Rename { container: Path, from: String, to: String },
    /// Stands something in for a missing key, or cuts out its mapping.
    Fill { container: Path, key: String },
}

impl Repair {
    /// Whether the whole document is cut out.
    pub(super) fn leaves_nothing(&self) -> bool {
        matches!(self, Self::Remove(path) if path.is_empty())
    }

    /// The repair that this one makes needless.
    pub(super) fn filled_by_rename(&self) -> Option<Self> {
        match self {
            Self::Rename { container, to, .. } => {
                Some(Self::Fill { container: container.clone(), key: to.clone() })
            }
            _ => None,
        }
    }
}

/// Makes the changes.
pub(super) fn apply(root: &mut Node, repairs: Vec<Repair>) {
    let mut cuts = Vec::new();
    for repair in repairs {
        match repair {
            Repair::Remove(path) => cuts.push(path),
            Repair::Rename { container, from, to } => rename(root, &container, &from, &to),
            Repair::Fill { container, key } => {
                if !fill(root, &container, &key) {
                    cuts.push(container);
                }
            }
        }
    }
    // From the end, so that the indices of what is yet to be cut stay right.
    cuts.sort_by(|a, b| later_first(a, b));
    cuts.dedup();
    for path in cuts {
        remove(root, &path);
    }
}

fn later_first(a: &[String], b: &[String]) -> Ordering {
    for (a, b) in a.iter().zip(b) {
        let order = match (a.parse::<usize>(), b.parse::<usize>()) {
            (Ok(a), Ok(b)) => b.cmp(&a),
            _ => b.cmp(a),
        };
        if order.is_ne() {
            return order;
        }
    }
    b.len().cmp(&a.len())
}

fn rename(root: &mut Node, container: &[String], from: &str, to: &str) {
    let Some(Node { kind: Kind::Map(entries), .. }) = find(root, container) else { return };
    if let Some((key, _)) = entries.iter_mut().find(|(key, _)| key.value == from) {
        to.clone_into(&mut key.value);
    }
}

/// Puts a harmless value in for a missing key, where there is one, so that what stands
/// beside it is still read.
fn fill(root: &mut Node, container: &[String], key: &str) -> bool {
    let Some(Node { kind: Kind::Map(entries), span }) = find(root, container) else { return false };
    let kind = match key {
        "name" => Kind::Scalar(format!("unnamed_{}", span.start).into()),
        "description" => Kind::Scalar(Value::String(String::new())),
        "type" => {
            // What else is said of the value may not go with this type.
            entries.retain(|(key, _)| key.value == "name" || key.value == "description");
            Kind::Scalar("string".into())
        }
        "steps" | "tools" => Kind::List(Vec::new()),
        "attempts" => Kind::Scalar(1.into()),
        "condition" => Kind::Scalar(true.into()),
        "effect" => Kind::Scalar("unknown".into()),
        "message" => Kind::Scalar("".into()),
        "tool" => Kind::Scalar(STAND_IN.into()),
        _ => return false,
    };
    let span = Span { start: span.start, end: span.start };
    entries.push((Spanned { value: key.to_owned(), span }, Node { kind, span }));
    true
}

/// What a step does, as far as that can be told without the value that does not fit. With
/// nothing in its place the step would be one that does nothing.
fn stand_in(path: &[String], span: Span) -> Option<Node> {
    let [steps, _, key] = path else { return None };
    match key.as_str() {
        _ if steps != "steps" => None,
        "tool" | "skill" => {
            Some(Node { kind: Kind::Scalar(STAND_IN.into()), span: Span { end: span.start, ..span } })
        }
        // What it lacks is part of the same problem, so it has the same place.
        "confirm" => Some(Node { kind: Kind::Map(Vec::new()), span }),
        _ => None,
    }
}

fn remove(root: &mut Node, path: &[String]) {
    if let Some(node) = find(root, path)
        && let Some(stand_in) = stand_in(path, node.span)
    {
        *node = stand_in;
        return;
    }
    let Some((last, container)) = path.split_last() else { return };
    match find(root, container) {
        Some(Node { kind: Kind::Map(entries), .. }) => entries.retain(|(key, _)| key.value != *last),
        Some(Node { kind: Kind::List(items), .. }) => {
            if let Some(index) = last.parse().ok().filter(|index| *index < items.len()) {
                items.remove(index);
                // Nobody wrote an empty list.
                if items.is_empty() {
                    remove(root, container);
                }
            }
        }
        _ => {}
    }
}

fn find<'a>(root: &'a mut Node, path: &[String]) -> Option<&'a mut Node> {
    let Some((first, rest)) = path.split_first() else { return Some(root) };
    let next = match &mut root.kind {
        Kind::Map(entries) => entries.iter_mut().find(|(key, _)| key.value == *first).map(|(_, node)| node),
        Kind::List(items) => first.parse::<usize>().ok().and_then(|index| items.get_mut(index)),
        Kind::Scalar(_) => None,
    };
    find(next?, rest)
}
