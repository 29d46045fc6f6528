//! Where in which text something stands.

use std::fmt;
use std::ops::{Deref, Range};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A piece of YAML and the name people know it by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Path as shown to people, e.g. `skills/deploy.yaml`.
    pub path: Arc<str>,
    /// The whole text.
    pub text: Text,
}

/// A text that costs nothing to clone: what is part of the binary is never copied.
#[derive(Clone)]
pub enum Text {
    /// It was read.
    Shared(Arc<str>),
    /// It is part of the binary.
    Static(&'static str),
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

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Shared(text) => text,
            Self::Static(text) => text,
        }
    }
}

impl<T: Into<Arc<str>>> From<T> for Text {
    fn from(text: T) -> Self {
        Self::Shared(text.into())
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Text {}

/// Where the lines of a text begin, but for the first.
#[derive(Clone, Debug)]
pub struct Lines(Vec<u32>);

impl Lines {
    /// The line of a byte offset, from 1.
    pub fn line(&self, offset: u32) -> u32 {
        u32::try_from(self.0.partition_point(|start| *start <= offset) + 1).unwrap_or(u32::MAX)
    }
}

impl Source {
    /// A source from its shown path and its text.
    pub fn new(path: impl Into<Arc<str>>, text: impl Into<Text>) -> Self {
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

    /// Where its lines begin, for whoever asks for many of them.
    pub fn lines(&self) -> Lines {
        let starts = self.text.bytes().zip(1..).filter(|(byte, _)| *byte == b'\n').map(|(_, next)| next);
        Lines(starts.collect())
    }

    /// The span of a part of a string: exact where the string is written as it reads
    /// (plain, quoted without escapes, block scalar line by line), otherwise the `span`
    /// of the whole scalar.
    pub fn part(&self, span: Span, value: &str, part: &Range<usize>) -> Span {
        exact(self.slice(span), value, part).map_or(span, |range| {
            let offset = |at: usize| span.start + u32::try_from(at).unwrap_or(0);
            Span { start: offset(range.start), end: offset(range.end) }
        })
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

/// Where a part of a value stands in the scalar as it is written.
fn exact(written: &str, value: &str, part: &Range<usize>) -> Option<Range<usize>> {
    let wanted = value.get(part.clone())?;
    let start = match written.find(value) {
        Some(at) => at + part.start,
        None => in_lines(written, value, part.start)?,
    };
    let end = start + wanted.len();
    (written.get(start..end) == Some(wanted)).then_some(start..end)
}

/// The offset in a block scalar as written of an offset in its value: the lines of the
/// value appear in their order, each with white space before it.
fn in_lines(written: &str, value: &str, offset: usize) -> Option<usize> {
    let before = value.get(..offset)?;
    let column = offset - before.rfind('\n').map_or(0, |newline| newline + 1);
    let last = before.matches('\n').count();
    let mut from = 0;
    for (number, line) in value.lines().enumerate() {
        let at = if line.trim().is_empty() { from } else { from + written.get(from..)?.find(line)? };
        if number == last {
            return Some(at + column);
        }
        from = at + line.len();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found<'a>(text: &'a str, value: &str, wanted: &str) -> &'a str {
        let source = Source::new("x", text);
        let span = Span { start: 0, end: u32::try_from(text.len()).unwrap() };
        let at = value.find(wanted).unwrap();
        let part = source.part(span, value, &(at..at + wanted.len()));
        &text[part.start as usize..part.end as usize]
    }

    #[test]
    fn parts_of_scalars_are_found() {
        assert_eq!(found("a {{ x.y }} b", "a {{ x.y }} b", "x.y"), "x.y");
        assert_eq!(found("\"a {{ x }}\"", "a {{ x }}", "x"), "x");
        assert_eq!(found("|\n    one\n\n    {{ two }} é\n", "one\n\n{{ two }} é\n", "two"), "two");
        let folded = "\"a\\n{{ x }}\"";
        assert_eq!(found(folded, "a\n{{ x }}", "x"), "x");
        let escaped = "\"\\u0041 {{ x }}\"";
        assert_eq!(found(escaped, "A {{ x }}", "x"), escaped);
    }

    #[test]
    fn lines_are_those_of_places() {
        let source = Source::new("x", "a\né: x\n\nb");
        let lines = source.lines();
        for offset in 0..12 {
            assert_eq!(lines.line(offset), source.place(offset).line, "{offset}");
        }
    }

    #[test]
    fn places_count_characters_from_one() {
        let source = Source::new("x", "a\né: x\n");
        let place = |offset| {
            let Place { line, column } = source.place(offset);
            (line, column)
        };
        assert_eq!(
            [0, 1, 2, 3, 4, 7, 99].map(place),
            [(1, 1), (1, 2), (2, 1), (2, 1), (2, 2), (2, 5), (3, 1)]
        );
    }
}
