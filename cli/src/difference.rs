//! What has changed from one text to another, in colours.

use aa_run::debug::unified;

use crate::printer::Printer;
use crate::style::Tone;
use crate::words;

/// Draws what has changed from one text to another.
pub(crate) fn draw(name: &str, before: &str, after: &str, printer: &Printer) {
    show(&unified(name, before, after), printer);
}

/// Shows a difference as `diff -u` writes it.
pub(crate) fn show(diff: &str, printer: &Printer) {
    for (number, line) in words::harmless(diff).lines().enumerate() {
        let tone = match line.as_bytes().first() {
            _ if number < 2 => Tone::Strong,
            Some(b'-') => Tone::Bad,
            Some(b'+') => Tone::Good,
            Some(b'@') => Tone::Busy,
            _ => {
                printer.data(line);
                continue;
            }
        };
        printer.data(printer.out.paint(tone, line));
    }
}
