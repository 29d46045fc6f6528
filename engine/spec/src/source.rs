//! Where in which text something stands.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A piece of YAML and the name people know it by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Path as shown to people, e.g. `skills/deploy.yaml`.
    pub path: Arc<str>,
    /// The whole text.
    pub text: Arc<str>,
}

/// A range of bytes in a [`Source`]; `start <= end`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

/// A line and column, both from 1; the column counts characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

impl Source {
    /// A source from its shown path and its text.
    pub fn new(path: impl Into<Arc<str>>, text: impl Into<Arc<str>>) -> Self {
        Self { path: path.into(), text: text.into() }
    }

    /// Line and column of a byte offset; offsets past the end give the end.
    pub fn place(&self, offset: u32) -> Place {
        let mut end = (offset as usize).min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        let before = &self.text[..end];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let count = |text: &str, what: fn(char) -> bool| text.chars().filter(|c| what(*c)).count();
        Place {
            line: u32::try_from(count(before, |c| c == '\n') + 1).unwrap_or(u32::MAX),
            column: u32::try_from(count(&before[line_start..], |_| true) + 1).unwrap_or(u32::MAX),
        }
    }

    /// Where an offset in the value of a scalar stands in this text; the whole `span` of the
    /// scalar when escapes or folding make that unclear.
    pub fn locate(&self, span: Span, value: &str, offset: usize) -> Span {
        self.find(span, value, offset).unwrap_or(span)
    }

    fn find(&self, span: Span, value: &str, offset: usize) -> Option<Span> {
        let before = value.get(..offset)?;
        let line_number = before.matches('\n').count();
        let column = before.rsplit('\n').next()?.len();
        let line = value.split('\n').nth(line_number)?;
        let written = self.slice(span).split('\n').nth(line_number)?;
        let start = written.as_ptr().addr() - self.text.as_ptr().addr() + written.find(line)? + column;
        let width = line[column..].chars().next().map_or(0, char::len_utf8);
        Some(Span { start: u32::try_from(start).ok()?, end: u32::try_from(start + width).ok()? })
    }

    /// The text of a span, empty when the span lies outside.
    pub fn slice(&self, span: Span) -> &str {
        self.text.get(span.start as usize..span.end as usize).unwrap_or("")
    }
}

impl Span {
    /// Whether the other lies within it.
    pub fn covers(self, other: Self) -> bool {
        self.start <= other.start && other.end <= self.end
    }

    /// The smallest span that covers both.
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        Self { start: self.start.min(other.start), end: self.end.max(other.end) }
    }
}
