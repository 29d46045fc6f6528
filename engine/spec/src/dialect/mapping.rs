//! Mappings of names where lists of entries belong.

use serde_json::Value;

use super::tree::Entry;
use super::{Dialect, edit, tree};
use crate::fix::Edit;
use crate::source::Span;
use crate::yaml::{Kind, Node};

impl Dialect<'_> {
    /// `inputs: {project: {type: string}}`.
    pub(super) fn input_mapping(&mut self, root: &mut Node) {
        let Some((span, inputs)) = tree::entry_mut(root, "inputs") else { return };
        let described = |(_, value): &Entry| value.is_null() || matches!(value.kind, Kind::Map(_));
        if inputs.entries().is_empty() || !inputs.entries().iter().all(described) {
            return;
        }
        let mut edits = self.in_lines(inputs);
        let entries = std::mem::take(tree::entries_mut(inputs).unwrap_or(&mut Vec::new()));
        let mut items = Vec::with_capacity(entries.len());
        for entry in entries {
            let kind = (entry.1.get("type").is_none()).then(|| kind_of(entry.1.get("default")));
            add(&mut edits, self.as_named_item(&entry, kind));
            items.push(named(entry, kind));
        }
        inputs.kind = Kind::List(items);
        self.list_form(span, "inputs", edits);
    }

    /// `outputs: {report: "{{ x }}"}`.
    pub(super) fn output_mapping(&mut self, root: &mut Node) {
        let Some((span, outputs)) = tree::entry_mut(root, "outputs") else { return };
        if outputs.entries().is_empty() {
            return;
        }
        let mut edits = self.in_lines(outputs);
        let entries = std::mem::take(tree::entries_mut(outputs).unwrap_or(&mut Vec::new()));
        let mut items = Vec::with_capacity(entries.len());
        for entry in entries {
            let describes = |(key, _): &Entry| matches!(key.value.as_str(), "value" | "description" | "type");
            let described =
                entry.1.is_null() || !entry.1.entries().is_empty() && entry.1.entries().iter().all(describes);
            let edit = if described { self.as_named_item(&entry, None) } else { self.as_valued_item(&entry) };
            add(&mut edits, edit);
            items.push(if described { named(entry, None) } else { valued(entry) });
        }
        outputs.kind = Kind::List(items);
        self.list_form(span, "outputs", edits);
    }

    /// The changes to begin with; none can be made inside of braces.
    fn in_lines(&self, mapping: &Node) -> Option<Vec<Edit>> {
        (!self.source.slice(mapping.span).starts_with('{')).then(Vec::new)
    }

    fn list_form(&mut self, span: Span, key: &str, edits: Option<Vec<Edit>>) {
        let problem = self.warn("list-form", span, format!("`{key}` is a list, and this is a mapping"));
        "start each entry with `- name: …`".clone_into(&mut problem.hint);
        problem.fix = edits.unwrap_or_default();
    }

    /// `project: {…}` as `- {name: project, …}`, in the layout that it has.
    fn as_named_item(&self, (key, value): &Entry, kind: Option<&str>) -> Option<Vec<Edit>> {
        let colon = edit::colon(self.source, key.span)?;
        let head = Span { start: key.span.start, end: colon };
        let column = edit::column(self.source, key.span.start);
        if !edit::starts_its_line(self.source, key.span.start) || edit::is_marked(self.source, colon) {
            return None;
        }
        if self.source.slice(value.span).starts_with('{') {
            let kind = kind.map(|kind| format!("type: {kind}, ")).unwrap_or_default();
            let head = Span { end: value.span.start + 1, ..head };
            return Some(vec![Edit::replace(head, format!("- {{name: {}, {kind}", key.value))]);
        }
        // So that `name` stands right above the other keys.
        let inner = if value.is_null() { column + 2 } else { edit::column(self.source, value.span.start) };
        let dash = format!("-{}name: {}", " ".repeat(inner.checked_sub(column + 1)?), key.value);
        let end = if edit::is_written_null(self.source, value.span) { value.span.end } else { head.end };
        let mut edits = vec![Edit::replace(Span { end, ..head }, dash)];
        if let Some(kind) = kind {
            let line = edit::lines(self.source, head);
            let text = format!("{}type: {kind}\n", " ".repeat(inner));
            let is_last = !self.source.slice(line).ends_with('\n');
            edits.push(Edit::insert(line.end, if is_last { format!("\n{text}") } else { text }));
        }
        Some(edits)
    }

    /// `report: …` as `- name: report` and `value: …`.
    fn as_valued_item(&self, (key, value): &Entry) -> Option<Vec<Edit>> {
        let colon = edit::colon(self.source, key.span)?;
        let column = edit::column(self.source, key.span.start);
        if !edit::starts_its_line(self.source, key.span.start) || edit::is_marked(self.source, colon) {
            return None;
        }
        let text = format!("- name: {}\n{}value:", key.value, " ".repeat(column + 2));
        let mut edits = vec![Edit::replace(Span { start: key.span.start, end: colon }, text)];
        edits.extend(edit::deeper(self.source, key.span.to(value.span), 2));
        Some(edits)
    }
}

/// A fix of many parts is worth nothing without one of them.
fn add(all: &mut Option<Vec<Edit>>, more: Option<Vec<Edit>>) {
    match (all.as_mut(), more) {
        (Some(all), Some(more)) => all.extend(more),
        _ => *all = None,
    }
}

/// The entry of a mapping as the item of a list.
fn named((key, value): Entry, kind: Option<&str>) -> Node {
    let mut entries = vec![tree::entry("name", tree::text(key.value, key.span))];
    entries.extend(kind.map(|kind| tree::entry("type", tree::text(kind, key.span))));
    let span = key.span.to(value.span);
    if let Kind::Map(rest) = value.kind {
        entries.extend(rest.into_iter().filter(|(key, _)| key.value != "name"));
    }
    tree::map(entries, span)
}

fn valued((key, value): Entry) -> Node {
    let span = key.span.to(value.span);
    let name = tree::entry("name", tree::text(key.value, key.span));
    tree::map(vec![name, tree::entry("value", value)], span)
}

/// The type that a default shows.
fn kind_of(default: Option<&Node>) -> &'static str {
    match default.map(|node| &node.kind) {
        Some(Kind::Scalar(Value::Bool(_))) => "boolean",
        Some(Kind::Scalar(Value::Number(number))) if number.is_f64() => "number",
        Some(Kind::Scalar(Value::Number(_))) => "integer",
        Some(Kind::List(_)) => "array",
        Some(Kind::Map(_)) => "object",
        Some(Kind::Scalar(_)) | None => "string",
    }
}
