//! Changes to the text of a skill, line by line where it is written in lines.

use serde_json::Value;

use crate::fix::{self, Edit};
use crate::source::{Source, Span};
use crate::yaml::Node;

/// Quotes around a scalar that has none.
pub(super) fn in_quotes(span: Span) -> Vec<Edit> {
    vec![Edit::insert(span.start, "\""), Edit::insert(span.end, "\"")]
}

/// Puts a text behind the colon of a key.
pub(super) fn after_key(source: &Source, key: Span, text: &str) -> Vec<Edit> {
    colon(source, key).map(|at| Edit::insert(at, text)).into_iter().collect()
}

/// A scalar replaced by text, in quotes if it needs them. The lines of a block have none.
pub(super) fn scalar(source: &Source, span: Span, text: &str) -> Vec<Edit> {
    if !fix::is_block(source, span) {
        return vec![Edit::replace(span, written(text))];
    }
    if source.slice(span).starts_with(['|', '>']) {
        return Vec::new();
    }
    let indent = " ".repeat(column(source, span.start));
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    vec![Edit::replace(span, lines.join(&format!("\n{indent}")))]
}

/// A text as it can be written anywhere in YAML.
pub(super) fn written(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.= <>()+*/-'".contains(c);
    let is_word =
        matches!(text.to_ascii_lowercase().as_str(), "true" | "false" | "null" | "yes" | "no" | "on" | "off");
    let safe = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(plain)
        && text.trim() == text
        && !is_word;
    if safe { text.to_owned() } else { Value::from(text).to_string() }
}

/// Lines as comments, which keeps what they say. Nothing when there is more in them.
pub(super) fn comment_out(source: &Source, span: Span) -> Vec<Edit> {
    let whole = lines(source, span);
    if !starts_its_line(source, span.start) || !ends_its_line(source, span.end) {
        return Vec::new();
    }
    // Not deeper than the key, so that the comment is aligned with what it stands among.
    let column = offset(column(source, span.start));
    starts(source, whole).map(|at| Edit::insert(at + column.min(indent(source, at)), "# ")).collect()
}

/// The list item that a node is, with the comments above it, when it is written in lines.
pub(super) fn item(source: &Source, node: &Node) -> Option<Span> {
    dash(source, node.span.start)?;
    let mut whole = lines(source, node.span);
    while let Some(above) = line_above(source, whole.start)
        && source.slice(above).trim_start().starts_with('#')
    {
        whole.start = above.start;
    }
    Some(whole)
}

/// The column of the dash of the list item that begins at an offset.
pub(super) fn dash(source: &Source, at: u32) -> Option<usize> {
    let before = source.slice(Span { start: line_start(source, at), end: at });
    let dash = before.trim_end().strip_suffix('-')?;
    dash.trim().is_empty().then_some(dash.len())
}

/// Moves list items to the end of another list.
pub(super) fn moved(source: &Source, from: Span, by: isize, to: u32) -> Vec<Edit> {
    let text = source.slice(from);
    let mut moved: String = text.lines().map(|line| indented(line, by) + "\n").collect();
    if !source.text[..to as usize].ends_with('\n') {
        moved.insert(0, '\n');
    }
    vec![Edit::insert(to, moved), Edit::replace(from, "")]
}

fn indented(line: &str, by: isize) -> String {
    let width = by.unsigned_abs();
    if line.trim().is_empty() {
        return String::new();
    }
    if by >= 0 {
        return " ".repeat(width) + line;
    }
    let blank = line.len() - line.trim_start_matches(' ').len();
    line[blank.min(width)..].to_owned()
}

/// Spaces before every line of a span but the first.
pub(super) fn deeper(source: &Source, span: Span, by: usize) -> Vec<Edit> {
    let space = " ".repeat(by);
    starts(source, lines(source, span)).skip(1).map(|at| Edit::insert(at, space.clone())).collect()
}

/// The offset behind a key's colon.
pub(super) fn colon(source: &Source, key: Span) -> Option<u32> {
    let rest = source.text.get(key.end as usize..)?;
    let blank = rest.len() - rest.trim_start_matches(' ').len();
    rest[blank..].starts_with(':').then(|| key.end + offset(blank) + 1)
}

/// Whether nothing but spaces is before an offset in its line.
pub(super) fn starts_its_line(source: &Source, at: u32) -> bool {
    source.slice(Span { start: line_start(source, at), end: at }).trim().is_empty()
}

/// Whether nothing but a comment comes after an offset in its line.
fn ends_its_line(source: &Source, at: u32) -> bool {
    let rest = source.text[at as usize..].lines().next().unwrap_or_default().trim_start();
    rest.is_empty() || rest.starts_with('#')
}

/// Whether an anchor, an alias or a tag comes after an offset, so that it stands for more
/// than it says.
pub(super) fn is_marked(source: &Source, at: u32) -> bool {
    source.text[at as usize..].trim_start_matches(' ').starts_with(['&', '*', '!'])
}

/// Whether nothing is there in so many words.
pub(super) fn is_written_null(source: &Source, value: Span) -> bool {
    matches!(source.slice(value), "~" | "null" | "Null" | "NULL")
}

/// In which column an offset is, in bytes from 0.
pub(super) fn column(source: &Source, at: u32) -> usize {
    (at - line_start(source, at)) as usize
}

/// The lines that a span touches, with the last line's end.
pub(super) fn lines(source: &Source, span: Span) -> Span {
    let end = source.text[span.end as usize..].find('\n').map(|at| span.end + offset(at) + 1);
    let end = end.unwrap_or_else(|| offset(source.text.len()));
    Span { start: line_start(source, span.start), end }
}

/// Where the lines of a span begin that are not empty.
fn starts(source: &Source, span: Span) -> impl Iterator<Item = u32> {
    let mut at = span.start;
    source.slice(span).split_inclusive('\n').filter_map(move |line| {
        let start = at;
        at += offset(line.len());
        (!line.trim().is_empty()).then_some(start)
    })
}

fn indent(source: &Source, at: u32) -> u32 {
    let rest = &source.text[at as usize..];
    offset(rest.len() - rest.trim_start_matches(' ').len())
}

fn line_above(source: &Source, start: u32) -> Option<Span> {
    let end = start.checked_sub(1)?;
    Some(Span { start: line_start(source, end), end: start })
}

fn line_start(source: &Source, at: u32) -> u32 {
    source.text[..at as usize].rfind('\n').map_or(0, |newline| offset(newline + 1))
}

fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
