//! Changes to a text that do away with problems in it.
//!
//! A change is made by spans in the text as it is written, so comments and layout stay.

use crate::diagnostic::Diagnostic;
use crate::source::{Source, Span};

/// A piece of text put in the place of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// What is replaced; empty to put something in between.
    pub span: Span,
    /// What comes there.
    pub text: String,
}

impl Edit {
    /// Replaces a span.
    pub fn replace(span: Span, text: impl Into<String>) -> Self {
        Self { span, text: text.into() }
    }

    /// Puts a text before an offset.
    pub fn insert(at: u32, text: impl Into<String>) -> Self {
        Self::replace(Span { start: at, end: at }, text)
    }

    /// Whether both cannot be made at once. Two that are the same are one, as where an
    /// alias stands for the same text twice.
    fn collides(&self, other: &Self) -> bool {
        self == other || self.span.start < other.span.end && other.span.start < self.span.end
    }
}

/// The text with as many problems fixed as can be at once, and which ones.
///
/// A fix is made as a whole or not at all. One that would change what another has
/// changed is left; reading the new text finds its problem again.
pub fn apply<'d>(source: &Source, diagnostics: &'d [Diagnostic]) -> (String, Vec<&'d Diagnostic>) {
    let mut edits: Vec<&Edit> = Vec::new();
    let mut fixed = Vec::new();
    for diagnostic in diagnostics {
        let fits = diagnostic.source == *source
            && !diagnostic.fix.is_empty()
            && !diagnostic.fix.iter().any(|edit| edits.iter().any(|other| edit.collides(other)));
        if fits {
            edits.extend(diagnostic.fix.iter());
            fixed.push(diagnostic);
        }
    }
    // Stable, so that what several put in one place keeps its order.
    edits.sort_by_key(|edit| (edit.span.start, edit.span.end));
    let mut text = source.text.to_string();
    for edit in edits.iter().rev() {
        text.replace_range(edit.span.start as usize..edit.span.end as usize, &edit.text);
    }
    (text, fixed)
}

/// Whether a scalar is written as a block of lines, after `|` or `>`.
pub(crate) fn is_block(source: &Source, span: Span) -> bool {
    let before = source.text.get(..span.start as usize).unwrap_or_default();
    let header = before.trim_end();
    let mark = header.rsplit([' ', '\n']).next().unwrap_or_default();
    before[header.len()..].contains('\n') && mark.starts_with(['|', '>'])
        || source.slice(span).starts_with(['|', '>'])
}

/// The part of a marked text that is exactly one word, replaced by another word.
pub(crate) fn word(source: &Source, span: Span, wrong: &str, right: &str) -> Option<Edit> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    let marked = source.slice(span);
    let mut places = marked.match_indices(wrong).filter(|(at, _)| {
        let (before, after) = (&marked[..*at], &marked[at + wrong.len()..]);
        !before.ends_with(is_word) && !after.starts_with(is_word)
    });
    let (at, _) = places.next()?;
    // Twice there, it is not clear which one is meant.
    if places.next().is_some() {
        return None;
    }
    let start = span.start + u32::try_from(at).ok()?;
    let end = start + u32::try_from(wrong.len()).ok()?;
    Some(Edit::replace(Span { start, end }, right))
}

#[cfg(test)]
mod tests;
