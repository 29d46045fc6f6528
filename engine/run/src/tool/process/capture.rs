//! What a command prints: kept up to a limit, the end of it, and line by line.

use serde_json::{Map, Value};

use crate::tool::Progress;

/// How much of the end of standard error is kept, in bytes.
const TAIL: usize = 64 * 1024;

/// A longer line is not shown but counted, in bytes.
const LONGEST_LINE: usize = 4 * 1024;

/// Everything that was printed, as long as it is not too much.
pub(super) struct Kept {
    bytes: Vec<u8>,
    limit: usize,
    open: bool,
}

impl Kept {
    pub(super) fn new(limit: usize) -> Self {
        Self { bytes: Vec::new(), limit, open: true }
    }

    /// Moves more bytes in; false when there are too many.
    pub(super) fn take(&mut self, more: &mut Vec<u8>) -> bool {
        if !self.open {
            return true;
        }
        if self.bytes.len() + more.len() > self.limit {
            self.close();
            return false;
        }
        if self.bytes.is_empty() {
            std::mem::swap(&mut self.bytes, more);
        } else {
            self.bytes.append(more);
        }
        true
    }

    /// Forgets what there is, and whatever else comes.
    pub(super) fn close(&mut self) {
        self.open = false;
        self.bytes = Vec::new();
    }

    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// The end of what was printed.
#[derive(Default)]
pub(super) struct Tail {
    bytes: Vec<u8>,
    seen: usize,
}

impl Tail {
    pub(super) fn take(&mut self, more: &mut Vec<u8>) {
        self.seen += more.len();
        self.bytes.append(more);
        if self.bytes.len() > 2 * TAIL {
            self.bytes.drain(..self.bytes.len() - TAIL);
        }
    }

    /// The text, from the start of a line when its first part is gone.
    pub(super) fn text(&self) -> String {
        let kept = &self.bytes[self.bytes.len().saturating_sub(TAIL)..];
        let whole = match kept.iter().position(|byte| *byte == b'\n') {
            // Half a line could show half a secret, which nobody would recognise and hide.
            Some(newline) if kept.len() < self.seen => &kept[newline + 1..],
            None if kept.len() < self.seen => &[],
            _ => kept,
        };
        String::from_utf8_lossy(whole).into_owned()
    }

    /// Adds the text to the details of an error, and how much there was when that is more.
    pub(super) fn describe(&self, details: &mut Map<String, Value>) {
        let text = self.text();
        if self.seen > text.len() {
            details.insert("stderr_bytes".into(), self.seen.into());
        }
        details.insert("stderr".into(), text.into());
    }
}

/// Hands on whole lines as they come.
pub(super) struct Lines {
    progress: Option<Progress>,
    line: Vec<u8>,
    length: usize,
}

impl Lines {
    pub(super) fn new(progress: Option<Progress>) -> Self {
        Self { progress, line: Vec::new(), length: 0 }
    }

    pub(super) fn feed(&mut self, bytes: &[u8]) {
        if self.progress.is_none() {
            return;
        }
        // A carriage return ends a line too: that is how progress bars are drawn.
        for piece in bytes.split_inclusive(|byte| matches!(byte, b'\n' | b'\r')) {
            let ended = piece.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r'));
            let piece = if ended { &piece[..piece.len() - 1] } else { piece };
            self.length += piece.len();
            if self.length <= LONGEST_LINE {
                self.line.extend_from_slice(piece);
            }
            if ended {
                self.finish();
            }
        }
    }

    /// Hands on what there is of a line that has no end.
    pub(super) fn finish(&mut self) {
        let line = std::mem::take(&mut self.line);
        let length = std::mem::take(&mut self.length);
        let Some(progress) = &self.progress else { return };
        if length > LONGEST_LINE {
            progress(&format!("(a line of {length} bytes)"));
        } else {
            let line = printable(&String::from_utf8_lossy(&line));
            if !line.trim().is_empty() {
                progress(line.trim_end());
            }
        }
    }
}

/// A line without control characters and the colour codes that begin with one.
fn printable(line: &str) -> String {
    let mut shown = String::with_capacity(line.len());
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\u{1b}' && chars.next_if_eq(&'[').is_some() {
            while chars.next_if(|c| !('\u{40}'..='\u{7e}').contains(c)).is_some() {}
            chars.next();
        } else if c == '\t' || !c.is_control() {
            shown.push(c);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[test]
    fn lines_are_cleaned_and_long_ones_counted() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let sink = seen.clone();
        let mut lines =
            Lines::new(Some(Arc::new(move |line: &str| sink.lock().unwrap().push(line.to_owned()))));
        lines.feed(b"one\n\ntw");
        lines.feed(b"o\r\x1b[1;31mred\x1b[0m \n");
        lines.feed(&vec![b'x'; 3000]);
        lines.feed(&vec![b'x'; 3000]);
        lines.feed(b"\nbad \xff byte\nend");
        lines.finish();
        assert_eq!(
            *seen.lock().unwrap(),
            ["one", "two", "red", "(a line of 6000 bytes)", "bad \u{fffd} byte", "end"]
        );
    }

    #[test]
    fn a_tail_starts_at_a_line_and_says_how_much_there_was() {
        let mut tail = Tail::default();
        for number in 0..20_000 {
            tail.take(&mut format!("line {number}\n").into_bytes());
        }
        let text = tail.text();
        assert!(text.starts_with("line 1") && text.ends_with("line 19999\n"), "{}", &text[..20]);
        assert!(text.len() <= TAIL && text.len() > TAIL - 20);
        let mut details = Map::new();
        tail.describe(&mut details);
        assert_eq!(details["stderr_bytes"], 208_890);
    }

    #[test]
    fn kept_output_has_a_limit() {
        let mut kept = Kept::new(4);
        assert!(kept.take(&mut b"abc".to_vec()));
        assert!(kept.take(&mut b"d".to_vec()));
        assert!(!kept.take(&mut b"e".to_vec()));
        assert!(!kept.is_open());
        assert!(kept.into_bytes().is_empty());
    }
}
