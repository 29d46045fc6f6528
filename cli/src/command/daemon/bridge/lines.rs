//! Messages as they come: a line each.

use std::io::{self, BufRead, Read};

/// Reads lines with their ends. One that is too long comes in pieces, which mean nothing to us.
pub(super) struct Lines<R> {
    from: R,
    most: u64,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(from: R, most: usize) -> Self {
        // With room for the end of a line: whoever is spoken to says that a message is too long.
        Self { from, most: u64::try_from(most).unwrap_or(u64::MAX).saturating_add(2) }
    }

    /// Whether it ends before its end: whoever was saying it is gone.
    pub(super) fn is_cut_off(&self, line: &[u8]) -> bool {
        !line.ends_with(b"\n") && u64::try_from(line.len()).unwrap_or(u64::MAX) < self.most
    }

    /// The next line, or the next piece of one; none at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        (&mut self.from).take(self.most).read_until(b'\n', &mut line)?;
        Ok(Some(line).filter(|line| !line.is_empty()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_comes_in_pieces_and_nothing_is_lost() {
        let text = b"short\nmuch longer than the others\nlast";
        let mut lines = Lines::new(&text[..], 8);
        let mut all = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            assert!(line.len() <= 10);
            all.push(line);
        }
        assert_eq!(all.concat(), text);
        assert_eq!(all[0], b"short\n");
        assert!(lines.is_cut_off(b"last") && !lines.is_cut_off(&all[1]) && !lines.is_cut_off(&all[0]));
    }
}
