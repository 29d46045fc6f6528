//! Where things stand: lines by offset.

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_from_one() {
        let lines = Lines::of("a\nb\n\nc");
        let told: Vec<u32> = [0, 1, 2, 4, 5, 99].into_iter().map(|offset| lines.line(offset)).collect();
        assert_eq!(told, [1, 1, 2, 3, 4, 4]);
    }
}
