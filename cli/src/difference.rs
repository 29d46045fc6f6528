//! Two texts side by side, as `diff -u` shows them.

use similar::{ChangeTag, TextDiff};

use crate::printer::Printer;
use crate::style::Tone;
use crate::words;

/// Lines around a change that are shown.
const AROUND: usize = 3;

/// Draws what has changed from one text to another.
pub(crate) fn draw(name: &str, before: &str, after: &str, printer: &Printer) {
    let diff = TextDiff::from_lines(before, after);
    let paint = |tone, text: String| printer.out.paint(tone, text).to_string();
    printer.data(paint(Tone::Strong, format!("--- {name}\n+++ {name}")));
    for hunk in diff.unified_diff().context_radius(AROUND).iter_hunks() {
        printer.data(paint(Tone::Busy, hunk.header().to_string().trim_end().to_owned()));
        for change in hunk.iter_changes() {
            let line = words::harmless(change.value().trim_end_matches('\n'));
            printer.data(match change.tag() {
                ChangeTag::Delete => paint(Tone::Bad, format!("-{line}")),
                ChangeTag::Insert => paint(Tone::Good, format!("+{line}")),
                ChangeTag::Equal => format!(" {line}"),
            });
        }
    }
}
