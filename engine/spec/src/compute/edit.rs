//! Changes to a text that nest like the expressions they are made for.

use std::ops::Range;

/// Changes by offset. What opens is noted on the way down a tree and what closes on the
/// way up, so changes at one place stand in the order in which they were noted.
#[derive(Debug, Default)]
pub(super) struct Edits(Vec<(Range<usize>, String)>);

impl Edits {
    /// Puts a text before what stands there.
    pub(super) fn insert(&mut self, at: usize, text: impl Into<String>) {
        self.replace(at..at, text);
    }

    /// Puts a text in the place of another.
    pub(super) fn replace(&mut self, range: Range<usize>, text: impl Into<String>) {
        self.0.push((range, text.into()));
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The text with all changes.
    pub(super) fn apply(mut self, text: &str) -> String {
        self.0.sort_by_key(|(range, _)| range.start);
        let mut changed = String::with_capacity(text.len() + self.0.len() * 8);
        let mut done = 0;
        for (range, replacement) in &self.0 {
            changed.push_str(text.get(done..range.start).unwrap_or_default());
            changed.push_str(replacement);
            done = done.max(range.end);
        }
        changed.push_str(text.get(done..).unwrap_or_default());
        changed
    }
}

/// Where a mark stands between two expressions, outside of comments.
pub(super) fn mark(text: &str, between: Range<usize>, mark: char) -> Option<usize> {
    let mut comment = false;
    for (at, letter) in text.get(between.clone())?.char_indices() {
        match letter {
            '\n' => comment = false,
            '#' => comment = true,
            _ if letter == mark && !comment => return Some(between.start + at),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_nest() {
        let mut edits = Edits::default();
        edits.insert(0, "f(");
        edits.insert(0, "g(");
        edits.replace(1..3, ", 1)");
        edits.replace(3..5, ", 2)");
        assert_eq!(edits.apply("a.b.c;"), "f(g(a, 1), 2);");
    }

    #[test]
    fn marks_in_comments_do_not_count() {
        let text = "a # x.y\n .b";
        assert_eq!(mark(text, 1..text.len() - 1, '.'), Some(9));
        assert_eq!(mark(text, 1..8, '.'), None);
    }
}
