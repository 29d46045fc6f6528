//! Inputs read by their bare name: `mr` for `inputs.mr`.
//!
//! Nothing else has that name, so it is clear what is meant: a warning, and the plan
//! holds the template as it should have been written.

use serde_json::Value;

use super::Checker;
use super::names::CONTEXT;
use super::reference::{Reads, Site};
use crate::fix::Edit;
use crate::source::Span;
use crate::template::{Reference, Segment, Template};

/// What is missing before the name.
const PREFIX: &str = "inputs.";

impl Checker<'_, '_> {
    /// Reports a mention of an input by its bare name; false when it is something else.
    pub(super) fn bare_input(
        &mut self,
        reference: &Reference,
        span: Span,
        site: &Site,
        reads: &mut Reads,
    ) -> bool {
        let Some(Segment::Key(name)) = reference.path.first() else { return false };
        let is_bare = self.names.input(name).is_some()
            && self.names.outputs(name).is_empty()
            && !CONTEXT.contains(&name.as_str());
        if !is_bare {
            return false;
        }
        let edit = self.source.slice(span).starts_with(name).then(|| Edit::insert(span.start, PREFIX));
        let problem =
            self.warning("bare-input", span, format!("the input `{name}` is read without `inputs.`"));
        self.report(problem.hint(format!("write `inputs.{name}`")).fix(edit.into_iter().collect()));
        let mut path = vec![Segment::Key("inputs".to_owned())];
        path.extend(reference.path.iter().cloned());
        self.reference(&Reference { path, ..reference.clone() }, span, site, reads);
        true
    }
}

/// A text with `inputs.` at some offsets.
pub(super) fn qualified(mut text: String, mut at: Vec<usize>) -> String {
    at.sort_unstable();
    at.dedup();
    at.iter().rev().for_each(|at| text.insert_str(*at, PREFIX));
    text
}

/// A template with `inputs.` at some offsets in strings of it.
pub(super) fn with_inputs(mut json: Value, bare: &[(Vec<String>, usize)]) -> Option<Template> {
    let mut strings: Vec<Vec<String>> = bare.iter().map(|(path, _)| path.clone()).collect();
    strings.sort_unstable();
    strings.dedup();
    for path in strings {
        let at = bare.iter().filter(|(of, _)| *of == path).map(|(_, at)| *at).collect();
        if let Some(Value::String(text)) = string_at(&mut json, &path) {
            *text = qualified(std::mem::take(text), at);
        }
    }
    Template::parse(&json).ok()
}

fn string_at<'v>(json: &'v mut Value, path: &[String]) -> Option<&'v mut Value> {
    path.iter().try_fold(json, |value, part| match value {
        Value::Array(items) => items.get_mut(part.parse::<usize>().ok()?),
        other => other.get_mut(part),
    })
}
