//! Where things stand: lines by offset, and parts of strings in the YAML around them.

use std::ops::Range;

use crate::source::{Source, Span};

/// Starts of lines, so that many lines can be told quickly.
pub(super) struct Lines(Vec<usize>);

impl Lines {
    pub(super) fn of(text: &str) -> Self {
        Self(text.match_indices('\n').map(|(at, _)| at).collect())
    }

    /// Line of an offset, from 1.
    pub(super) fn line(&self, offset: u32) -> u32 {
        let before = self.0.partition_point(|newline| *newline < offset as usize);
        u32::try_from(before + 1).unwrap_or(u32::MAX)
    }
}

/// The span of a part of a string in its source: exact where the string is written as
/// it reads (plain, quoted without escapes, block scalar line by line), otherwise the
/// whole scalar.
pub(super) fn part(source: &Source, span: Span, value: &str, part: &Range<usize>) -> Span {
    exact(source, span, value, part).unwrap_or(span)
}

fn exact(source: &Source, span: Span, value: &str, part: &Range<usize>) -> Option<Span> {
    let written = source.slice(span);
    let wanted = value.get(part.clone())?;
    let start = match written.find(value) {
        Some(at) => at + part.start,
        None => in_lines(written, value, part.start)?,
    };
    let end = start + wanted.len();
    if written.get(start..end) != Some(wanted) {
        return None;
    }
    let offset = |at: usize| u32::try_from(at).ok().map(|at| span.start + at);
    Some(Span { start: offset(start)?, end: offset(end)? })
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
        let part = part(&source, span, value, &(at..at + wanted.len()));
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
    fn lines_are_counted_from_one() {
        let lines = Lines::of("a\nb\n\nc");
        let told: Vec<u32> = [0, 1, 2, 4, 5, 99].into_iter().map(|offset| lines.line(offset)).collect();
        assert_eq!(told, [1, 1, 2, 3, 4, 4]);
    }
}
