//! A tree to an authored type: every misfit is a diagnostic with its span.
//!
//! A text that fits is read once, by `serde`. Only when it does not is it held against
//! the JSON Schema of the type, which finds every misfit and not just the first; then
//! what does not fit is cut out, so that later checks see the rest.

mod misfit;
mod repair;
mod words;

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use self::repair::Repair;
use crate::diagnostic::{Diagnostic, Severity, has_errors};
use crate::source::{Source, Span};
use crate::yaml::{self, Node, Spanned};

/// Cutting one thing out can bring another to light; this often at most.
const ROUNDS: usize = 8;

/// Reads a document as `T`.
///
/// Unknown keys, wrong types and missing keys are all reported; what can be read in
/// spite of them is returned so that later checks still run.
pub fn read<T: DeserializeOwned + JsonSchema>(source: &Source) -> (Option<T>, Vec<Diagnostic>) {
    read_meant(source, |_, _, _| {})
}

/// Reads a document as `T`, after `translate` has turned what is written into what is meant.
pub(crate) fn read_meant<T: DeserializeOwned + JsonSchema>(
    source: &Source,
    translate: impl FnOnce(&Source, &mut Node, &mut Vec<Diagnostic>),
) -> (Option<T>, Vec<Diagnostic>) {
    let mut diagnostics = Vec::new();
    let parsed = yaml::parse_with(source, &mut diagnostics).map(|mut node| {
        translate(source, &mut node, &mut diagnostics);
        node
    });
    let value = match parsed {
        Ok(node) => node.read().ok().or_else(|| read_rest(source, node, &mut diagnostics)),
        Err(problem) => {
            diagnostics.push(*problem);
            None
        }
    };
    drop_doubled_doubts(&mut diagnostics);
    diagnostics.sort_by_key(|diagnostic| diagnostic.span.start);
    (value, diagnostics)
}

/// A doubt about a value that is wrong anyway adds nothing.
fn drop_doubled_doubts(diagnostics: &mut Vec<Diagnostic>) {
    let wrong: BTreeSet<u32> = diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.severity == Severity::Error)
        .map(|diagnostic| diagnostic.span.start)
        .collect();
    diagnostics.retain(|found| found.severity == Severity::Error || !wrong.contains(&found.span.start));
}

/// Reads as much as fits and reports the rest.
fn read_rest<T: DeserializeOwned + JsonSchema>(
    source: &Source,
    mut node: Node,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<T> {
    if node.is_null() {
        diagnostics.push(Diagnostic::error("wrong-type", source, Span::default(), "the file is empty"));
        return None;
    }
    let schema = crate::schema::of::<T>();
    let mut regions: Vec<Span> = Vec::new();
    for _ in 0..ROUNDS {
        let problems = misfit::all(source, &node, &schema);
        if problems.is_empty() {
            break;
        }
        let (mut repairs, mut found) = (Vec::new(), Vec::new());
        for problem in problems {
            repairs.push(problem.repair);
            if !regions.iter().any(|region| problem.region.covers(*region)) {
                found.push(problem.region);
                diagnostics.push(problem.diagnostic);
            }
        }
        regions.append(&mut found);
        if repairs.iter().any(Repair::leaves_nothing) {
            return None;
        }
        repair::apply(&mut node, repairs);
        if let Ok(value) = node.read() {
            return Some(value);
        }
    }
    // What the schema allows and the type does not must not pass in silence.
    if let Err(misfit) = node.read::<T>()
        && !has_errors(diagnostics)
    {
        diagnostics.push(Diagnostic::error("bad-value", source, misfit.span, misfit.message));
    }
    None
}

/// Every place where a tree does not fit a schema.
pub(crate) fn misfits(source: &Source, node: &Node, schema: &serde_json::Value) -> Vec<Diagnostic> {
    misfit::all(source, node, schema).into_iter().map(|problem| problem.diagnostic).collect()
}

/// Whether a name only stands in for one that could not be read, which was reported.
pub(crate) fn is_stand_in(name: &Spanned<String>) -> bool {
    name.value == repair::STAND_IN && name.span.start == name.span.end
}

/// A regular expression that does not compile, with the reason in one line.
pub(crate) fn bad_pattern(source: &Source, span: Span, text: &str, error: &regex::Error) -> Diagnostic {
    let reason = error.to_string();
    let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ");
    Diagnostic::error("bad-pattern", source, span, format!("`{text}` is not a regular expression: {reason}"))
}

#[cfg(test)]
mod tests;
